/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a canary is taken back for, and what is chance, or what everybody sees.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bpf/judge.h"
#include "lib/json.h"

enum { NONE, FORWARD_UP, FORWARD_DOWN, PASS, DROP_RATE, DROP_INTERNAL };

static const tally_names names = {
	"none", "forward_up", "forward_down", "pass_local", "drop_rate", "drop_internal",
};
static struct judge_bounds bounds;
static struct judge_case one;
static char reason[JSON_ERROR_TEXT];

static bool read_bounds(const char *text)
{
	struct json_reader reader;
	json_t *object = text ? json_loads(text, 0, NULL) : NULL;

	json_reader_init(&reader);
	judge_read_bounds(&reader, object, names, &bounds);
	json_decref(object);
	snprintf(reason, sizeof(reason), "%s", reader.error);
	return json_reader_ok(&reader);
}

/* A tenth of the subscribers; all forward as much. */
static void setup(void)
{
	ck_assert(read_bounds(NULL));
	one = (struct judge_case){.share = 0.1};
	one.group.of[FORWARD_UP] = (struct tally_count){10000, 1000000};
	one.rest.of[FORWARD_UP] = (struct tally_count){90000, 9000000};
	one.before.of[FORWARD_UP] = (struct tally_count){100000, 10000000};
}

static bool breach(void)
{
	reason[0] = '\0';
	return judge_breach(&bounds, names, &one, reason, sizeof(reason));
}

START_TEST(as_the_others_is_no_breach)
{
	ck_assert(!breach());
	one.group.of[DROP_RATE].packets = 2000;
	one.rest.of[DROP_RATE].packets = 18000;
	ck_assert(!breach());
	one.rest.of[DROP_RATE].packets = 0;
	one.before.of[DROP_RATE].packets = 20000; /* usual, only now it is the group's */
	ck_assert(!breach());
	one.before.of[DROP_RATE].packets = 0;
	ck_assert(breach());
}
END_TEST

START_TEST(more_drops_than_three_times_the_others_and_the_bound)
{
	one.group.of[DROP_RATE].packets = 50; /* 0.4975 % */
	ck_assert(!breach());
	one.group.of[DROP_RATE].packets = 51;
	ck_assert(breach());
	ck_assert_str_eq(reason, "drop_rate: 0.51 % of the canary's packets, 0.00 % of the rest's, "
				 "0.00 % before, bound 0.50 %");
	one.rest.of[DROP_RATE].packets = 90;
	ck_assert(!breach());
	one.group.of[DROP_RATE].packets = 90;
	ck_assert(breach());
	ck_assert(read_bounds("{\"drop_rate\": 0.01}"));
	ck_assert(!breach());
	ck_assert(read_bounds("{\"drops\": 0.01}"));
	ck_assert(!breach());
}
END_TEST

START_TEST(few_packets_are_chance)
{
	one.group.of[FORWARD_UP].packets = 980;
	one.group.of[DROP_RATE].packets = 16; /* 1.6 % */
	ck_assert(!breach());
	one.group.of[DROP_RATE].packets = 19; /* 999 in all */
	ck_assert(!breach());
	one.group.of[DROP_RATE].packets = 20;
	ck_assert(breach());
	one.rest = one.before = (struct tally){0}; /* nothing to compare with */
	ck_assert(!breach());
	one.before.of[FORWARD_UP].packets = 1000;
	ck_assert(breach());
	ck_assert_ptr_nonnull(strstr(reason, "unknown of the rest's, 0.00 % before"));
}
END_TEST

START_TEST(errors_are_judged_sooner)
{
	one = (struct judge_case){.share = 0.1};
	one.group.of[FORWARD_UP].packets = 10;
	one.group.of[DROP_INTERNAL].packets = 4;
	ck_assert(!breach());
	one.group.of[DROP_INTERNAL].packets = 5;
	ck_assert(breach());
	ck_assert_int_eq(strncmp(reason, "drop_internal: 33.33 %", 22), 0);
}
END_TEST

START_TEST(another_mix_of_verdicts)
{
	one.group.of[FORWARD_UP].packets = 5000; /* one that sends, one that receives: no fault */
	one.rest.of[FORWARD_UP].packets = 10000;
	one.rest.of[FORWARD_DOWN].packets = 80000;
	ck_assert(!breach());
	one.group.of[PASS].packets = 1200; /* 19.4 % */
	ck_assert(!breach());
	one.group.of[PASS].packets = 1300; /* 20.6 % */
	ck_assert(breach());
	ck_assert_int_eq(strncmp(reason, "pass_local: 20.63 %", 19), 0);
	one.rest.of[PASS].packets = 900; /* 1 % */
	ck_assert(!breach());
}
END_TEST

START_TEST(subscribers_that_get_almost_nothing)
{
	one.group.of[FORWARD_UP].bytes = 100000;
	ck_assert(!breach());
	one.group.of[FORWARD_UP].bytes = 99999;
	ck_assert(breach());
	ck_assert_str_eq(reason,
			 "bytes: 99999 forwarded for the canary's subscribers, 1000000 for as many of the "
			 "rest, unknown for as many before, bound 90 % less");
	ck_assert(read_bounds("{\"bytes\": 0.95}"));
	ck_assert(!breach());
	ck_assert(read_bounds("{\"packets\": 1001}")); /* ten times as many would be expected */
	ck_assert(!breach());
	ck_assert(read_bounds(NULL));
	one.share = 1; /* there is nobody else */
	ck_assert(!breach());
}
END_TEST

START_TEST(less_for_everybody_is_no_fault)
{
	one.group.of[FORWARD_UP].bytes = 99999;
	one.times = 1; /* 1,000,000 before, too */
	ck_assert(breach());
	ck_assert_ptr_nonnull(strstr(reason, "1000000 for as many of the rest, 1000000 for as many before"));
	one.before.of[FORWARD_UP].bytes = 9999900;
	ck_assert(!breach());
	one.times = 2;
	ck_assert(breach());
	one.rest.of[FORWARD_UP].bytes = 8999910;
	ck_assert(!breach());
}
END_TEST

START_TEST(where_all_are_in_the_group_before_counts)
{
	one.group.of[FORWARD_UP].bytes = 999999;
	one.rest = (struct tally){0};
	one.share = 1;
	one.times = 0.5;
	ck_assert(!breach());
	one.times = 1;
	ck_assert(breach());
	ck_assert_ptr_nonnull(strstr(reason, "unknown for as many of the rest, 10000000 for as many before"));
	one.before.of[FORWARD_UP].packets = 9999; /* too few */
	ck_assert(!breach());
}
END_TEST

START_TEST(a_wrong_bound_is_named)
{
	ck_assert(!read_bounds("{\"drop_nothing\": 0.1}"));
	ck_assert_str_eq(reason,
			 "/drop_nothing: 0.1: is no bound: errors, drops, verdicts, bytes, packets, or "
			 "the name of a verdict");
	ck_assert(!read_bounds("{\"drops\": 1.1}"));
	ck_assert_str_eq(reason, "/drops: 1.1: must be a number 0-1");
	ck_assert(!read_bounds("{\"packets\": 0.1}"));
	ck_assert_str_eq(reason, "/packets: 0.1: must be an integer 1-1000000000");
	ck_assert(!read_bounds("{\"drop_rate\": \"1\"}"));
	ck_assert(read_bounds("{\"drop_rate\": 1, \"errors\": 0, \"packets\": 1}"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("judge");
	TCase *test = tcase_create("judge");

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_test(test, as_the_others_is_no_breach);
	tcase_add_test(test, more_drops_than_three_times_the_others_and_the_bound);
	tcase_add_test(test, few_packets_are_chance);
	tcase_add_test(test, errors_are_judged_sooner);
	tcase_add_test(test, another_mix_of_verdicts);
	tcase_add_test(test, subscribers_that_get_almost_nothing);
	tcase_add_test(test, less_for_everybody_is_no_fault);
	tcase_add_test(test, where_all_are_in_the_group_before_counts);
	tcase_add_test(test, less_for_everybody_is_no_fault);
	tcase_add_test(test, where_all_are_in_the_group_before_counts);
	tcase_add_test(test, a_wrong_bound_is_named);
	suite_add_tcase(suite, test);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
