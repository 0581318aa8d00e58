/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bngsync/queue and bngsync/backoff: what is sent again and in which order, what a
 * key that changes often costs, and how attempts spread.
 */
#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bngsync/backoff.h"
#include "bngsync/queue.h"
#include "run.h"

static struct queue queue;

struct told {
	int count;
	int error;
};

static void on_told(void *context, int error, const char *reason)
{
	struct told *told = context;
	ck_assert_ptr_nonnull(reason);
	told->count++;
	told->error = error;
}

static void setup(void)
{
	queue_init(&queue, "session", 100);
}

static void teardown(void)
{
	queue_done(&queue);
	ck_assert_uint_eq(queue.count, 0);
}

static int put(const char *key, const char *value, struct told *told)
{
	return queue_put(&queue, (struct json_slice){key, strlen(key)},
			 (struct json_slice){value, value ? strlen(value) : 0}, told ? on_told : NULL, told);
}

/* The next batch must be request `id` with these records, as "key=value ". */
static void expect_batch(int64_t id, const char *expected)
{
	size_t length = 0;
	char text[4096] = "", *line = queue_take(&queue, id, &length);
	ck_assert_ptr_nonnull(line);
	ck_assert_int_eq(line[length - 1], '\n');
	json_t *request = json_loadb(line, length, 0, NULL), *record;
	json_t *params = json_object_get(request, "params");
	size_t i;
	ck_assert_int_eq(json_integer_value(json_object_get(request, "id")), id);
	ck_assert_str_eq(json_string_value(json_object_get(params, "topic")), "session");
	json_array_foreach(json_object_get(params, "records"), i, record)
	{
		char *value = json_dumps(json_object_get(record, "value"), JSON_COMPACT | JSON_ENCODE_ANY);
		strcat(strcat(text, json_string_value(json_object_get(record, "key"))), "=");
		strcat(strcat(text, value), " ");
		free(value);
	}
	ck_assert_str_eq(text, expected);
	json_decref(request);
	free(line);
}

START_TEST(in_order_until_acknowledged)
{
	struct told a = {0}, b = {0};
	size_t length;
	ck_assert_int_eq(put("a", "{\"n\":1}", &a), 0);
	ck_assert_int_eq(put("b", NULL, &b), 0);
	expect_batch(1, "a={\"n\":1} b=null ");
	ck_assert_ptr_null(queue_take(&queue, 2, &length));
	ck_assert_int_eq(a.count, 0);
	ck_assert(!queue_answered(&queue, 2, 0, ""));
	ck_assert(queue_answered(&queue, 1, 0, ""));
	ck_assert_int_eq(a.count + b.count, 2);
	ck_assert_int_eq(a.error, 0);
	ck_assert_uint_eq(queue.count, 0);
}
END_TEST

START_TEST(a_newer_value_takes_the_place)
{
	struct told told[3] = {0};
	put("a", "{\"n\":1}", &told[0]);
	put("b", "{}", NULL);
	put("a", "{\"n\":2}", &told[1]);
	ck_assert_uint_eq(queue.count, 4); /* two items, two that wait */
	expect_batch(1, "a={\"n\":2} b={} ");
	/* What is in flight is not touched any more. */
	put("a", "{\"n\":3}", &told[2]);
	expect_batch(2, "a={\"n\":3} ");
	queue_answered(&queue, 1, 0, "");
	ck_assert_int_eq(told[0].count, 1);
	ck_assert_int_eq(told[1].count, 1);
	ck_assert_int_eq(told[2].count, 0);
	queue_answered(&queue, 2, 0, "");
	ck_assert_int_eq(told[2].count, 1);
}
END_TEST

START_TEST(a_key_that_changes_often_costs_one_place)
{
	char value[32];
	for (int i = 0; i < 10000; i++) {
		snprintf(value, sizeof(value), "{\"n\":%d}", i);
		ck_assert_int_eq(put(i & 1 ? "a" : "b", value, NULL), 0);
	}
	ck_assert_uint_eq(queue.count, 2);
	expect_batch(1, "b={\"n\":9998} a={\"n\":9999} ");
}
END_TEST

START_TEST(full_is_refused)
{
	char key[16];
	struct told told = {0};
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(put(key, "{}", &told), 0);
	}
	ck_assert_int_eq(put("more", "{}", NULL), -ENOBUFS);
	ck_assert_int_eq(put("0", "{}", &told), -ENOBUFS);
	ck_assert_int_eq(put("0", "{\"n\":2}", NULL), 0);
	ck_assert_uint_eq(queue.count, 100);
}
END_TEST

/* An older value never comes after a newer one, whichever answers are lost. */
START_TEST(all_goes_back_in_order)
{
	struct told a = {0}, b = {0};
	put("a", "{\"n\":1}", &a);
	expect_batch(1, "a={\"n\":1} ");
	put("a", "{\"n\":2}", &b);
	expect_batch(2, "a={\"n\":2} ");
	put("c", "{}", NULL);
	queue_rewind(&queue);
	ck_assert(!queue_answered(&queue, 1, 0, ""));
	ck_assert(!queue_answered(&queue, 2, 0, ""));
	ck_assert_int_eq(a.count + b.count, 0);
	put("a", "{\"n\":3}", NULL);
	expect_batch(3, "a={\"n\":1} a={\"n\":3} c={} ");
	ck_assert(queue_answered(&queue, 3, 0, ""));
	ck_assert_int_eq(a.count + b.count, 2);
}
END_TEST

START_TEST(refused_and_ended)
{
	struct told a = {0}, b = {0};
	put("a", "{}", &a);
	expect_batch(1, "a={} ");
	queue_answered(&queue, 1, -EINVAL, "why");
	ck_assert_int_eq(a.error, -EINVAL);
	put("b", "{}", &b);
	queue_done(&queue);
	ck_assert_int_eq(b.error, -ECANCELED);
	ck_assert_int_eq(b.count, 1);
}
END_TEST

START_TEST(batches_are_bounded)
{
	static char value[60001];
	size_t length, items = 0;
	char key[16], *line;
	memset(value, ' ', sizeof(value) - 1);
	value[0] = '{';
	value[sizeof(value) - 2] = '}';
	for (int i = 0; i < 90; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(put(key, value, NULL), 0);
	}
	for (int64_t id = 1; (line = queue_take(&queue, id, &length)); id++) {
		ck_assert_uint_lt(length, (2u << 20) + 70000);
		items += STAILQ_FIRST(&queue.batches)->count;
		free(line);
		ck_assert(queue_answered(&queue, id, 0, ""));
	}
	ck_assert_uint_eq(items, 90);
}
END_TEST

/* ---- Backoff -------------------------------------------------------------------- */

static uint32_t drawn_bound;

static uint32_t draw_least(uint32_t bound)
{
	drawn_bound = bound;
	return 0;
}

static uint32_t draw_most(uint32_t bound)
{
	drawn_bound = bound;
	return bound - 1;
}

START_TEST(pauses_are_bounded)
{
	struct backoff most = {.base_ms = 50, .cap_ms = 1000, .random = draw_most};
	static const uint32_t expected[] = {150, 450, 1000, 1000};
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(backoff_next(&most), expected[i]);
	most.random = draw_least;
	ck_assert_uint_eq(backoff_next(&most), 50);
	ck_assert_uint_eq(drawn_bound, 951);
	ck_assert_uint_eq(backoff_next(&most), 50);
	ck_assert_uint_eq(drawn_bound, 101);
	most.random = draw_most;
	backoff_next(&most);
	backoff_reset(&most);
	ck_assert_uint_eq(backoff_next(&most), 150);
	struct backoff fixed = {.base_ms = 7, .cap_ms = 7};
	ck_assert_uint_eq(backoff_next(&fixed), 7);
}
END_TEST

/* The same draws in every run: of true chance, one window in some fifty runs has too many. */
static uint32_t draw_seeded(uint32_t bound)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % bound;
}

/* A thousand that lost their server at the same moment, over a minute of attempts:
 * no instant has much more than its share, and nobody is left out. */
START_TEST(attempts_spread)
{
	enum { CLIENTS = 1000, SPAN_MS = 60000, WINDOW_MS = 50 };
	static unsigned windows[SPAN_MS / WINDOW_MS];
	memset(windows, 0, sizeof(windows));
	for (int i = 0; i < CLIENTS; i++) {
		struct backoff backoff = {.base_ms = 50, .cap_ms = 5000, .random = draw_seeded};
		uint32_t attempts = 0;
		for (uint64_t at = backoff_next(&backoff); at < SPAN_MS; at += backoff_next(&backoff)) {
			windows[at / WINDOW_MS]++;
			attempts++;
		}
		ck_assert_uint_ge(attempts, 11);
	}
	/* The first pause is drawn from 100 ms: two windows share a thousand attempts. */
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_lt(windows[i], CLIENTS * 7 / 10);
	for (size_t i = 40; i < SPAN_MS / WINDOW_MS; i++)
		ck_assert_uint_lt(windows[i], CLIENTS / 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_queue");
	TCase *tests = tcase_create("queue"), *pauses = tcase_create("backoff");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, in_order_until_acknowledged);
	tcase_add_test(tests, a_newer_value_takes_the_place);
	tcase_add_test(tests, a_key_that_changes_often_costs_one_place);
	tcase_add_test(tests, full_is_refused);
	tcase_add_test(tests, all_goes_back_in_order);
	tcase_add_test(tests, refused_and_ended);
	tcase_add_test(tests, batches_are_bounded);
	tcase_add_test(pauses, pauses_are_bounded);
	tcase_add_test(pauses, attempts_spread);
	suite_add_tcase(suite, tests);
	suite_add_tcase(suite, pauses);
	return run_suite(suite);
}
