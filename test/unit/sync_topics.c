/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bngsync/topics: the two indexes against a plain array, over thousands of random
 * changes; tombstones, the floor, and all of it again after a restart.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bngsync/topics.h"
#include "run.h"

#define KEYS           300
#define TOMBSTONES_MAX 50

static char folder[] = "/dev/shm/check-sync-XXXXXX";
static char file[64];
static struct topics topics;

/* What there should be: by key, the revision and the value's number (-1: deleted, 0: never). */
struct model {
	int64_t rev[KEYS];
	int64_t number[KEYS];
	int64_t revision;
};

static void load(void)
{
	struct store_options options = {.file = file, .topics = topic_names};
	struct problem problem = {0};
	topics_init(&topics, TOMBSTONES_MAX);
	ck_assert_msg(!topics_load(&topics, &options, &problem), "%s", problem.text);
}

static void setup(void)
{
	strcpy(folder, "/dev/shm/check-sync-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/sync.db", folder);
	load();
}

static void teardown(void)
{
	char command[128];
	topics_done(&topics);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static void on_written(const struct problem *problem, void *context)
{
	ck_assert_msg(!problem, "%s", problem ? problem->text : "");
	*(bool *)context = true;
}

static void write_rows(struct store_row *rows, size_t count)
{
	bool written = false;
	store_write(topics.store, rows, count, on_written, &written);
	ck_assert(written);
	ck_assert_int_eq(topics_apply(&topics, rows, count), 0);
}

static struct json_slice key_of(int i)
{
	static char texts[KEYS][16];
	snprintf(texts[i], sizeof(texts[i]), "k%d", i);
	return (struct json_slice){texts[i], strlen(texts[i])};
}

/* One change, as a row and in the model. */
static struct store_row change(struct model *model, unsigned topic, int key, bool deleted)
{
	static char values[64][32];
	static unsigned next;
	char *text = values[next++ % 64];
	model->rev[key] = ++model->revision;
	model->number[key] = deleted ? -1 : model->revision;
	snprintf(text, sizeof(values[0]), "{\"n\":%lld}", (long long)model->number[key]);
	struct store_row row = {.topic = topic, .rev = model->revision, .key = key_of(key)};
	if (!deleted)
		row.value = (struct json_slice){text, strlen(text)};
	return row;
}

/* Every key is what the model says; deltas from any revision are whole and in order. */
static void compare(const struct model *model, const struct topic *topic)
{
	char expected[32];
	size_t live = 0;
	for (int i = 0; i < KEYS; i++) {
		const struct record *record = topic_get(topic, key_of(i));
		ck_assert_int_eq(record != NULL, model->number[i] > 0);
		if (!record)
			continue;
		live++;
		snprintf(expected, sizeof(expected), "{\"n\":%lld}", (long long)model->number[i]);
		ck_assert(json_slice_is(record->value, expected));
		ck_assert_int_eq(record->rev, model->rev[i]);
	}
	ck_assert_uint_eq(topic->records, live);
	ck_assert_int_eq(topic->revision, model->revision);
	ck_assert_uint_le(topic->tombstones, TOMBSTONES_MAX);
}

static void compare_delta(const struct model *model, const struct topic *topic, int64_t since)
{
	size_t expected = 0, told = 0;
	int64_t last = since;
	for (int i = 0; i < KEYS; i++)
		expected += model->number[i] && model->rev[i] > since &&
			    (model->number[i] > 0 || model->rev[i] > topic->floor);
	for (const struct record *record; (record = topic_after(topic, last)); last = record->rev) {
		ck_assert_int_gt(record->rev, last);
		told++;
	}
	ck_assert_uint_eq(told, expected);
}

START_TEST(random_changes)
{
	struct model models[2] = {0};
	struct store_row rows[32];
	srandom(20261121);
	for (int round = 0; round < 200; round++) {
		size_t count = 1 + (size_t)random() % 32;
		for (size_t i = 0; i < count; i++) {
			unsigned topic = (unsigned)random() % 2;
			rows[i] = change(&models[topic], topic, (int)(random() % KEYS), random() % 4 == 0);
		}
		write_rows(rows, count);
		if (round % 40 == 39) {
			topics_done(&topics);
			load();
		}
		for (unsigned t = 0; t < 2; t++) {
			const struct topic *topic = &topics.list[t];
			compare(&models[t], topic);
			compare_delta(&models[t], topic, topic->floor);
			compare_delta(&models[t], topic, models[t].revision - random() % 20);
		}
	}
	ck_assert_int_gt(topics.list[0].floor, 0);
}
END_TEST

START_TEST(floor_survives)
{
	struct model model = {0};
	for (int i = 0; i <= TOMBSTONES_MAX; i++) {
		struct store_row row = change(&model, TOPIC_lease, i, true);
		write_rows(&row, 1);
	}
	struct topic *topic = &topics.list[TOPIC_lease];
	ck_assert_uint_eq(topic->tombstones, TOMBSTONES_MAX / 2);
	int64_t floor = topic->floor;
	ck_assert_int_eq(floor, TOMBSTONES_MAX / 2 + 1);
	/* It is kept with the next write; until then it is found again. */
	topics_done(&topics);
	load();
	ck_assert_int_eq(topic->floor, floor);
	struct store_row row = change(&model, TOPIC_lease, 200, false);
	write_rows(&row, 1);
	ck_assert_int_eq(topic->floor, floor);
	row = change(&model, TOPIC_session, 1, false);
	row.rev = 1;
	write_rows(&row, 1);
	topics_done(&topics);
	load();
	ck_assert_int_eq(topic->floor, floor);
	ck_assert_uint_eq(topic->tombstones, TOMBSTONES_MAX / 2);
	ck_assert_uint_eq(topic->records, 1);
	ck_assert_int_eq(topic->revision, TOMBSTONES_MAX + 2);
}
END_TEST

START_TEST(names)
{
	ck_assert_ptr_eq(topic_find(&topics, (struct json_slice){"steering", 8}),
			 &topics.list[TOPIC_steering]);
	ck_assert_ptr_null(topic_find(&topics, (struct json_slice){"steerin", 7}));
	ck_assert_ptr_null(topic_find(&topics, (struct json_slice){"other", 5}));
	ck_assert_ptr_null(topic_names[TOPIC_COUNT]);
	ck_assert_int_le(TOPIC_COUNT, STORE_TOPICS_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_topics");
	TCase *tests = tcase_create("sync_topics");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, random_changes);
	tcase_add_test(tests, floor_survives);
	tcase_add_test(tests, names);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
