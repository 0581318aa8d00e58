/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a start decides before it does anything: which version it is to be, and what of a
 * record of failed starts is believed. And that a deadline fires while the main thread hangs.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/startup/attempt.h"
#include "controld/startup/guard.h"
#include "controld/startup/phases.h"
#include "controld/startup/watchdog.h"
#include "run.h"

START_TEST(three_failures_each_in_turn)
{
	static const char turns[] = "tttpppttt";
	struct attempt_record record = {0};

	for (unsigned i = 0; turns[i]; i++) {
		enum attempt_choice choice = attempt_choose(&record, "a", "1", true);

		ck_assert_int_eq(choice, turns[i] == 'p' ? ATTEMPT_PREVIOUS : ATTEMPT_THIS);
		ck_assert_uint_eq(record.starts, i + 1);
	}
	ck_assert_uint_eq(record.failures, 3);
	ck_assert_uint_eq(record.previous_failures, 0);
}
END_TEST

START_TEST(without_a_previous_version_there_is_no_choice)
{
	struct attempt_record record = {0};

	for (unsigned i = 1; i < 10; i++) {
		ck_assert_int_eq(attempt_choose(&record, "a", "1", false), ATTEMPT_THIS);
		ck_assert_uint_eq(record.failures, i);
	}
	ck_assert_int_eq(attempt_choose(&record, "a", "1", true), ATTEMPT_PREVIOUS);
}
END_TEST

START_TEST(another_program_begins_anew)
{
	struct attempt_record record = {.program = "a", .version = "1", .failures = 3, .starts = 3};

	ck_assert_int_eq(attempt_choose(&record, "b", "2", true), ATTEMPT_THIS);
	ck_assert_str_eq(record.program, "b");
	ck_assert_str_eq(record.version, "2");
	ck_assert_uint_eq(record.failures, 1);
	ck_assert_uint_eq(record.starts, 1);
}
END_TEST

START_TEST(pauses_come_late_and_end)
{
	static const struct {
		unsigned starts, pause_s;
	} rows[] = {{0, 0}, {1, 0}, {6, 0}, {7, 1}, {8, 2}, {11, 5}, {12, 5}, {1000000, 5}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_uint_eq(attempt_pause_s(&(struct attempt_record){.starts = rows[i].starts}),
				  rows[i].pause_s);
}
END_TEST

START_TEST(a_record_is_read_as_it_was_written)
{
	struct attempt_record record = {.program = "1:2:3.4",
					.version = "0.1.0",
					.failures = 2,
					.previous_failures = 1,
					.starts = 7,
					.phase = "ready",
					.reason = "said \"no\"",
					.at = "2026-11-21T10:00:00.000Z"},
			      read;
	char *text = attempt_format(&record);

	attempt_parse(text, strlen(text), &read);
	ck_assert_int_eq(memcmp(&record, &read, sizeof(record)), 0);
	free(text);
	memset(record.reason, '\xff', sizeof(record.reason) - 1); /* no UTF-8 */
	text = attempt_format(&record);
	attempt_parse(text, strlen(text), &read);
	ck_assert_uint_eq(strlen(read.reason), sizeof(record.reason) - 1);
	free(text);
}
END_TEST

START_TEST(what_is_no_record_is_an_empty_one)
{
	static const char *const texts[] = {"",
					    "{",
					    "[]",
					    "3",
					    "{\"failures\": \"3\"}",
					    "{\"starts\": -4}",
					    "{\"failures\": 99999999999}",
					    "{\"program\": []}"};
	struct attempt_record empty = {0}, read;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		memset(&read, 0xff, sizeof(read));
		attempt_parse(texts[i], strlen(texts[i]), &read);
		ck_assert_uint_eq(read.failures + read.previous_failures + read.starts, 0);
		ck_assert_str_eq(read.program, empty.program);
	}
}
END_TEST

START_TEST(a_long_text_is_cut)
{
	char text[4096], long_text[3000] = "";
	struct attempt_record read;

	memset(long_text, 'x', sizeof(long_text) - 1);
	snprintf(text, sizeof(text), "{\"program\": \"%s\"}", long_text);
	attempt_parse(text, strlen(text), &read);
	ck_assert_uint_eq(strlen(read.program), sizeof(read.program) - 1);
}
END_TEST

START_TEST(every_phase_has_its_deadline)
{
	unsigned seen = 0;

	for (const struct phase *phase = startup_phases; phase->name; phase++) {
		ck_assert_ptr_nonnull(phase->waits_for);
		ck_assert_ptr_nonnull(phase->advice);
		ck_assert_int_lt(phase->key, CONFIG_PHASE_COUNT);
		if (phase->key >= 0)
			seen |= 1U << phase->key;
		ck_assert_uint_lt(phase - startup_phases, PHASES_MAX);
	}
	ck_assert_uint_eq(seen, (1U << CONFIG_PHASE_COUNT) - 1);
}
END_TEST

#define TEXT(deadlines)                                                                                      \
	"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"startup\": "                          \
	"{\"deadline_s\": " deadlines "}}"

START_TEST(deadlines_are_the_configurations)
{
	static const char text[] = TEXT("{\"records\": 3600, \"ready\": 1}");
	struct config *config = NULL;
	char error[CONFIG_ERROR_TEXT] = "";

	ck_assert_msg(!config_parse(text, strlen(text), "text", &config, error, sizeof(error)), "%s", error);
	ck_assert_uint_eq(config->deadline_s[CONFIG_PHASE_records], 3600);
	ck_assert_uint_eq(config->deadline_s[CONFIG_PHASE_ready], 1);
	ck_assert_uint_eq(config->deadline_s[CONFIG_PHASE_hello], 30);
	ck_assert_str_eq(config_phase_name(CONFIG_PHASE_configuration), "configuration");
	config_free(config);
}
END_TEST

START_TEST(a_wrong_deadline_names_its_place)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{TEXT("{\"hello\": 0}"), "text /startup/deadline_s/hello: 0: must be an integer 1-3600"},
		{TEXT("{\"ready\": 3601}"),
		 "text /startup/deadline_s/ready: 3601: must be an integer 1-3600"},
		{TEXT("{\"reday\": 9}"), "text /startup/deadline_s/reday: 9: "},
		{TEXT("9"), "text /startup/deadline_s: 9: must be an object"},
	};
	struct config *config = NULL;
	char error[CONFIG_ERROR_TEXT] = "";

	ck_assert_int_ne(
		config_parse(rows[_i].text, strlen(rows[_i].text), "text", &config, error, sizeof(error)), 0);
	ck_assert_msg(!strncmp(error, rows[_i].expected, strlen(rows[_i].expected)), "%s", error);
}
END_TEST

/* sessions, records, interfaces, address_pools, nat_pools; -1: not counted */
static const struct {
	int64_t found[GUARD_COUNT], expected[GUARD_COUNT];
	bool is_of_bus;
	const char *error; /* NULL: believed */
} compared[] = {
	{{0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, false, NULL},
	{{0, 0, 0, 0, 0}, {-1, -1, -1, -1, -1}, false, NULL}, /* a first boot */
	{{10000, 10000, 2, 1, 1}, {10000, 10000, 2, 1, 1}, false, NULL},
	{{10001, 10001, 1, 9, 9}, {10000, 10000, 9, 1, 1}, false, NULL},
	{{9999, 0, 0, 0, 0},
	 {10000, 0, 0, 0, 0},
	 false,
	 "sessions in the map subscriber: 9999 found, 10000 expected"},
	{{0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, false, "sessions in the map subscriber: 0 found, 1 expected"},
	{{5000, 0, 0, 0, 0}, {10000, 0, 0, 0, 0}, true, NULL}, /* the bus is some seconds behind */
	{{4999, 0, 0, 0, 0},
	 {10000, 0, 0, 0, 0},
	 true,
	 "sessions in the map subscriber: 4999 found, 10000 expected"},
	{{0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, true, "sessions in the map subscriber: 0 found, 1 expected"},
	{{0, 9000, 0, 0, 0}, {0, 10000, 0, 0, 0}, false, NULL},
	{{0, 8999, 0, 0, 0},
	 {0, 10000, 0, 0, 0},
	 false,
	 "session records on the bus: 8999 found, 10000 expected"},
	{{0, -1, 0, 0, 0}, {0, 10000, 0, 0, 0}, false, NULL}, /* the bus is away */
	{{0, 1, 0, 0, 0}, {0, 1, 0, 0, 0}, false, NULL},
	{{0, 0, 0, 1, 1},
	 {0, 0, 2, 1, 1},
	 false,
	 "interfaces in the configuration, /interfaces: 0 found, 2 expected"},
	{{0, 0, 1, 0, 1},
	 {0, 0, 2, 3, 1},
	 false,
	 "address pools in the configuration, /dhcp4/pools and /pppoe/pools: 0 found, 3 expected"},
	{{0, 0, 1, 1, 0},
	 {0, 0, 2, 1, 1},
	 false,
	 "NAT pools in the configuration, /cgnat/pools: 0 found, 1 expected"},
};

START_TEST(what_is_missing_is_named)
{
	struct guard_counts found, expected;
	char error[256] = "";

	guard_clear(&found);
	guard_clear(&expected);
	for (int i = 0; i < GUARD_COUNT; i++) {
		if (compared[_i].found[i] >= 0)
			found.of[i] = (uint64_t)compared[_i].found[i];
		if (compared[_i].expected[i] >= 0)
			expected.of[i] = (uint64_t)compared[_i].expected[i];
	}
	ck_assert_int_eq(guard_compare(&found, &expected, compared[_i].is_of_bus, error, sizeof(error)),
			 compared[_i].error ? -ESTALE : 0);
	ck_assert_str_eq(error, compared[_i].error ? compared[_i].error : "");
}
END_TEST

static void end_late(void *context)
{
	_exit(*(int *)context);
}

/* How a process ends that may hang for so many seconds twice, and hangs so many milliseconds. */
static int end_of(const unsigned deadline_s[2], const unsigned hang_ms[2])
{
	static int late = 3;
	struct watchdog *watchdog;
	pid_t child = fork();
	int status;

	if (!child) {
		if (watchdog_new(end_late, &late, &watchdog))
			_exit(100);
		for (int i = 0; i < 2; i++) {
			watchdog_arm(watchdog, deadline_s[i]);
			usleep(hang_ms[i] * 1000);
		}
		watchdog_free(watchdog);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

START_TEST(a_deadline_fires_while_the_main_thread_hangs)
{
	static const struct {
		unsigned deadline_s[2], hang_ms[2];
		int status;
	} rows[] = {
		{{60, 1}, {0, 30000}, 3}, /* the second one holds */
		{{2, 60}, {0, 2100}, 0},
		{{4, 4}, {2100, 2100}, 0}, /* each begins anew */
	};

	ck_assert_int_eq(end_of(rows[_i].deadline_s, rows[_i].hang_ms), rows[_i].status);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("startup");
	TCase *tests = tcase_create("startup");

	tcase_add_test(tests, three_failures_each_in_turn);
	tcase_add_test(tests, without_a_previous_version_there_is_no_choice);
	tcase_add_test(tests, another_program_begins_anew);
	tcase_add_test(tests, pauses_come_late_and_end);
	tcase_add_test(tests, a_record_is_read_as_it_was_written);
	tcase_add_test(tests, what_is_no_record_is_an_empty_one);
	tcase_add_test(tests, a_long_text_is_cut);
	tcase_add_test(tests, every_phase_has_its_deadline);
	tcase_add_loop_test(tests, what_is_missing_is_named, 0,
			    (int)(sizeof(compared) / sizeof(compared[0])));
	tcase_add_test(tests, deadlines_are_the_configurations);
	tcase_add_loop_test(tests, a_wrong_deadline_names_its_place, 0, 4);
	tcase_add_loop_test(tests, a_deadline_fires_while_the_main_thread_hangs, 0, 3);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
