/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bngsync/changes and bngsync/writer: wrong parameters, and batches of which a part
 * does not fit.
 */
#include <check.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bngsync/writer.h"
#include "lib/rpc.h"
#include "run.h"

/* ---- Parameters ------------------------------------------------------------------ */

static const struct {
	const char *text;
	const char *error; /* NULL: accepted */
} records[] = {
	{"{\"topic\":\"session\",\"records\":[{\"key\":\"a\",\"value\":{}}]}", NULL},
	{"{\"records\":[{\"value\":null,\"key\":\"a\"}],\"topic\":\"session\"}", NULL},
	{"[]", "params: must be an object"},
	{"{}", "params/topic: nothing: must be given"},
	{"{\"topic\":5}", "params/topic: 5: must be the name of a topic, once"},
	{"{\"topic\":\"a\",\"topic\":\"b\"}", "params/topic: \"b\": must be the name of a topic, once"},
	{"{\"topic\":\"a\"}", "params/records: nothing: must be an array of at least one"},
	{"{\"topic\":\"a\",\"records\":[]}", "params/records: nothing: must be an array of at least one"},
	{"{\"topic\":\"a\",\"records\":{}}", "params/records: {}: must be an array"},
	{"{\"topic\":\"a\",\"keys\":[\"b\"]}", "params: keys: there is no such member here"},
	{"{\"topic\":\"a\",\"records\":[{\"key\":\"a\",\"value\":{}},7]}",
	 "params/records/1: 7: must be an object"},
	{"{\"topic\":\"a\",\"records\":[{\"key\":\"a\"}]}",
	 "params/records/0/value: nothing: must be an object, or null to delete the key"},
	{"{\"topic\":\"a\",\"records\":[{\"key\":\"a\",\"value\":[]}]}",
	 "params/records/0/value: []: must be an object, or null to delete the key"},
	{"{\"topic\":\"a\",\"records\":[{\"value\":{}}]}",
	 "params/records/0/key: nothing: must be text of 1-255 visible ASCII characters other than '\"' and "
	 "'\\'"},
	{"{\"topic\":\"a\",\"records\":[{\"key\":\"\\u0041\",\"value\":{}}]}",
	 "params/records/0/key: \"\\u0041\": must be text of 1-255 visible ASCII characters other than '\"' "
	 "and "
	 "'\\'"},
	{"{\"topic\":\"a\",\"records\":[{\"key\":\"a\",\"value\":{},\"rev\":1}]}",
	 "params/records/0: rev: only key and value, each once"},
	{"{\"topic\":\"a\",\"records\":[{\"key\":\"a\",\"value\":{}}],\"records\":[]}",
	 "params/records: records: must come once"},
	{"{\"topic\":\"a\",\"records\":[{\"key\":\"a\",\"value\":{}}",
	 "params: not JSON as it is read here: nesting up to 32, integers up to 18 digits, exponents up to "
	 "2"},
};

START_TEST(parameters_of_publish)
{
	struct changes changes;
	struct problem problem = {0};
	int error = changes_parse_records(records[_i].text, strlen(records[_i].text), &changes, &problem);
	if (records[_i].error) {
		ck_assert_int_ne(error, 0);
		ck_assert_str_eq(problem.text, records[_i].error);
		ck_assert_int_eq(problem.code, RPC_INVALID_PARAMS);
	} else {
		ck_assert_msg(!error, "%s", problem.text);
		ck_assert_uint_eq(changes.count, 1);
		ck_assert(json_slice_is(changes.topic, "session"));
		ck_assert(json_slice_is(changes.list[0].key, "a"));
		changes_done(&changes);
	}
}
END_TEST

static const struct {
	const char *text;
	const char *error;
} keys[] = {
	{"{\"topic\":\"session\",\"keys\":[\"a\",\"b\"]}", NULL},
	{"{\"topic\":\"session\",\"keys\":[\"a\",{}]}",
	 "params/keys/1: {}: must be text of 1-255 visible ASCII characters other than '\"' and '\\'"},
	{"{\"topic\":\"session\",\"records\":[]}", "params: records: there is no such member here"},
};

START_TEST(parameters_of_delete)
{
	struct changes changes;
	struct problem problem = {0};
	int error = changes_parse_keys(keys[_i].text, strlen(keys[_i].text), &changes, &problem);
	if (keys[_i].error) {
		ck_assert_int_ne(error, 0);
		ck_assert_str_eq(problem.text, keys[_i].error);
		return;
	}
	ck_assert_int_eq(error, 0);
	ck_assert_uint_eq(changes.count, 2);
	ck_assert_ptr_null(changes.list[1].value.text);
	changes_done(&changes);
}
END_TEST

START_TEST(parameters_are_bounded)
{
	size_t size = 32 * (CHANGES_MAX + 2);
	char *text = malloc(size);
	struct changes changes;
	struct problem problem = {0};
	size_t at = (size_t)sprintf(text, "{\"topic\":\"session\",\"records\":[");
	for (int i = 0; i <= CHANGES_MAX; i++)
		at += (size_t)sprintf(text + at, "%s{\"key\":\"%d\",\"value\":{}}", i ? "," : "", i);
	sprintf(text + at, "]}");
	ck_assert_int_ne(changes_parse_records(text, strlen(text), &changes, &problem), 0);
	ck_assert_int_eq(problem.code, RPC_LIMIT);
	at = (size_t)sprintf(text, "{\"topic\":\"session\",\"records\":[{\"key\":\"a\",\"value\":{\"x\":\"");
	memset(text + at, 'x', CHANGES_VALUE_MAX);
	sprintf(text + at + CHANGES_VALUE_MAX, "\"}}]}");
	ck_assert_int_ne(changes_parse_records(text, strlen(text), &changes, &problem), 0);
	ck_assert_ptr_nonnull(strstr(problem.text, "/records/0/value: {\"x\":\"xxx"));
	ck_assert_ptr_nonnull(strstr(problem.text, "must not exceed 65536 bytes"));
	free(text);
}
END_TEST

/* ---- The writer ------------------------------------------------------------------- */

static char folder[64], file[80];
static struct event_base *base;
static struct topics topics;
static struct writer writer;
static int changed;
static char order[64]; /* answers, in their order: a letter for each */

static void on_changed(void *context)
{
	ck_assert_ptr_eq(context, &changed);
	changed++;
}

static void setup(void)
{
	struct store_options options = {.file = file, .topics = topic_names, .max_bytes = 1 << 20};
	struct problem problem = {0};
	strcpy(folder, "/dev/shm/check-sync-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/sync.db", folder);
	base = event_base_new();
	topics_init(&topics, 100);
	ck_assert_msg(!topics_load(&topics, &options, &problem), "%s", problem.text);
	ck_assert_int_eq(writer_init(&writer, base, &topics, on_changed, &changed), 0);
	changed = 0;
	order[0] = '\0';
}

static void teardown(void)
{
	char command[128];
	writer_done_all(&writer);
	topics_done(&topics);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* Upper case: durable; lower case: refused because it does not fit. */
static void on_answer(void *context, const struct problem *problem, int64_t revision)
{
	char letter = *(const char *)context;
	ck_assert_int_eq(revision > 0, !problem);
	if (problem)
		ck_assert_int_eq(problem->code, RPC_LIMIT);
	strncat(order, &(char){problem ? (char)(letter | 0x20) : letter}, 1);
}

/* A call named by a letter: `count` records of `size` bytes. */
static void call(const char *letter, size_t count, size_t size)
{
	static char value[CHANGES_VALUE_MAX];
	struct changes changes = {.list = calloc(count, sizeof(struct change)), .count = count};
	memset(value, ' ', sizeof(value));
	value[0] = '{';
	value[size - 1] = '}';
	for (size_t i = 0; i < count; i++)
		changes.list[i] = (struct change){{letter, 1}, {value, size}};
	ck_assert_int_eq(writer_add(&writer, &topics.list[0], &changes, on_answer, (void *)letter), 0);
}

START_TEST(calls_of_one_turn_are_one_batch)
{
	call("A", 3, 10);
	call("B", 2, 20);
	call("C", 1, 30);
	ck_assert_str_eq(order, "");
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(order, "ABC");
	ck_assert_uint_eq(store_facts(topics.store)->commits, 1);
	ck_assert_int_eq(topics.list[0].revision, 6);
	ck_assert_uint_eq(topics.list[0].records, 3);
	ck_assert_int_eq(changed, 1);
}
END_TEST

/* What is too large does not take the others of its batch with it, nor their order. */
START_TEST(what_fits_is_written)
{
	call("A", 1, 10);
	call("B", 100, 60000);
	call("C", 2, 20);
	call("D", 100, 60000);
	call("E", 1, 10);
	for (int i = 0; i < 10 && strlen(order) < 5; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_str_eq(order, "AbCdE");
	ck_assert_int_eq(topics.list[0].revision, 4);
	ck_assert_uint_eq(topics.list[0].records, 3);
	ck_assert_str_eq(store_facts(topics.store)->state, "ok");
	ck_assert_uint_eq(store_facts(topics.store)->errors, 3);
	call("F", 1, 10);
	event_base_loop(base, EVLOOP_ONCE);
	ck_assert_str_eq(order, "AbCdEF");
}
END_TEST

START_TEST(whoever_waits_at_the_end_is_told)
{
	struct problem problem = {.code = RPC_LIMIT, .text = "ending"};
	call("A", 1, 10);
	call("B", 1, 10);
	writer_refuse_all(&writer, &problem);
	ck_assert_str_eq(order, "ab");
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(topics.list[0].revision, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_server");
	TCase *parameters = tcase_create("parameters"), *tests = tcase_create("writer");
	tcase_add_loop_test(parameters, parameters_of_publish, 0, sizeof(records) / sizeof(records[0]));
	tcase_add_loop_test(parameters, parameters_of_delete, 0, sizeof(keys) / sizeof(keys[0]));
	tcase_add_test(parameters, parameters_are_bounded);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, calls_of_one_turn_are_one_batch);
	tcase_add_test(tests, what_fits_is_written);
	tcase_add_test(tests, whoever_waits_at_the_end_is_told);
	suite_add_tcase(suite, parameters);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
