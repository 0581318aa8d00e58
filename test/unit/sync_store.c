/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bngsync/store: what was written is read again, what was refused changed nothing,
 * and nothing that is broken passes for an empty store.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bngsync/store.h"
#include "lib/rpc.h"
#include "run.h"

/* In place of the C library's: SQLite calls these to have what it wrote survive a loss of power. */
int fsync(int fd);
int fdatasync(int fd);
static int synchronised;

int fsync(int fd)
{
	synchronised++;
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	synchronised++;
	return (int)syscall(SYS_fdatasync, fd);
}

static char folder[] = "/dev/shm/check-sync-XXXXXX";
static char file[64];
static const char *const topics[] = {"one", "two", NULL};

struct seen {
	size_t count;
	char text[4096]; /* "one/k=v@1 ", in order */
	int64_t place[256];
};

static void setup(void)
{
	strcpy(folder, "/dev/shm/check-sync-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/sync.db", folder);
}

static void teardown(void)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static void on_row(struct store *store, const struct store_row *row, void *context)
{
	struct seen *seen = context;
	char text[128];
	(void)store;
	snprintf(text, sizeof(text), "%s/%.*s=%.*s@%lld ", topics[row->topic], (int)row->key.length,
		 row->key.text, row->value.text ? (int)row->value.length : 1,
		 row->value.text ? row->value.text : "-", (long long)row->rev);
	if (strlen(seen->text) + strlen(text) < sizeof(seen->text))
		strcat(seen->text, text);
	if (seen->count < 256)
		seen->place[seen->count] = row->place;
	seen->count++;
}

static int try_open(struct store **store, struct seen *seen, uint64_t max_bytes, struct problem *problem)
{
	struct store_options options = {.file = file, .topics = topics, .max_bytes = max_bytes};
	memset(seen, 0, sizeof(*seen));
	memset(problem, 0, sizeof(*problem));
	return store_open(&options, on_row, seen, store, problem);
}

static struct store *open_store(struct seen *seen)
{
	struct store *store = NULL;
	struct problem problem;
	ck_assert_msg(!try_open(&store, seen, 0, &problem), "%s", problem.text);
	return store;
}

/* The text of the refusal. */
static const char *refused(void)
{
	static struct problem problem;
	struct store *store;
	struct seen seen;
	json_decref(problem.data);
	ck_assert_int_ne(try_open(&store, &seen, 0, &problem), 0);
	ck_assert_uint_eq(seen.count, 0);
	json_decref(problem.data);
	problem.data = NULL;
	return problem.text;
}

struct outcome {
	int calls;
	int synchronised; /* when it was told */
	int code;
	char text[512];
};

static void on_written(const struct problem *problem, void *context)
{
	struct outcome *outcome = context;
	outcome->calls++;
	outcome->synchronised = synchronised;
	outcome->code = problem ? problem->code : 0;
	snprintf(outcome->text, sizeof(outcome->text), "%.500s", problem ? problem->text : "");
}

static struct json_slice slice(const char *text)
{
	return (struct json_slice){text, text ? strlen(text) : 0};
}

static struct outcome put(struct store *store, unsigned topic, int64_t rev, const char *key,
			  const char *value, int64_t *place)
{
	struct store_row row = {.topic = topic, .rev = rev, .key = slice(key), .value = slice(value)};
	struct outcome outcome = {0};
	store_write(store, &row, 1, on_written, &outcome);
	ck_assert_int_eq(outcome.calls, 1);
	if (place)
		*place = row.place;
	return outcome;
}

static void put_ok(struct store *store, unsigned topic, int64_t rev, const char *key, const char *value)
{
	struct outcome outcome = put(store, topic, rev, key, value, NULL);
	ck_assert_msg(!outcome.code, "%s", outcome.text);
}

START_TEST(rows_come_back)
{
	struct seen seen;
	struct store *store = open_store(&seen);
	char id[STORE_ID_TEXT];
	ck_assert_uint_eq(seen.count, 0);
	ck_assert(store_facts(store)->created);
	strcpy(id, store_facts(store)->id);
	ck_assert_uint_eq(strlen(id), 32);
	put_ok(store, 0, 1, "a", "{}");
	put_ok(store, 1, 1, "a", "{\"x\":\"\xc3\xa4\"}");
	put_ok(store, 0, 2, "a", NULL);
	ck_assert_uint_eq(store_facts(store)->commits, 3);
	ck_assert_uint_eq(store_facts(store)->rows_written, 3);
	store_close(store);
	store = open_store(&seen);
	ck_assert_str_eq(seen.text, "one/a={}@1 two/a={\"x\":\"\xc3\xa4\"}@1 one/a=-@2 ");
	ck_assert(!store_facts(store)->created);
	ck_assert_str_eq(store_facts(store)->id, id);
	struct stat st;
	ck_assert_int_eq(stat(file, &st), 0);
	store_close(store);
}
END_TEST

START_TEST(durable_is_on_the_disk)
{
	struct seen seen;
	struct store *store = open_store(&seen);
	for (int i = 1; i <= 10; i++) {
		int before = synchronised;
		struct outcome outcome = put(store, 0, i, "a", "{}", NULL);
		ck_assert_int_eq(outcome.code, 0);
		ck_assert_int_gt(outcome.synchronised, before);
	}
	store_close(store);
}
END_TEST

START_TEST(floors_come_back)
{
	struct seen seen;
	struct store *store = open_store(&seen);
	store_set_floor(store, 1, 77);
	put_ok(store, 0, 1, "a", "{}");
	store_close(store);
	store = open_store(&seen);
	ck_assert_int_eq(store_floor(store, 0), 0);
	ck_assert_int_eq(store_floor(store, 1), 77);
	store_close(store);
}
END_TEST

/* Released rows go, a few with each write; others never do. */
START_TEST(released_rows_are_erased)
{
	struct seen seen;
	struct store *store = open_store(&seen);
	static struct store_row rows[3000];
	char keys[3000][8];
	struct outcome outcome = {0};
	for (int i = 0; i < 3000; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%d", i);
		rows[i] = (struct store_row){.rev = i + 1, .key = slice(keys[i]), .value = slice("{}")};
	}
	store_write(store, rows, 3000, on_written, &outcome);
	ck_assert_msg(!outcome.code, "%s", outcome.text);
	for (int i = 2999; i >= 0; i--)
		if (i % 3)
			store_release(store, rows[i].place);
	for (int i = 0; i < 40; i++)
		put_ok(store, 1, i + 1, "x", "{}");
	store_close(store);
	store = open_store(&seen);
	ck_assert_uint_eq(seen.count, 1000 + 40);
	store_close(store);
}
END_TEST

START_TEST(full_is_refused_and_changes_nothing)
{
	struct store *store;
	struct problem problem;
	struct seen seen;
	static char large[60000];
	struct outcome outcome = {0};
	int64_t stored = 0;
	memset(large, ' ', sizeof(large) - 1);
	large[0] = '{';
	large[sizeof(large) - 2] = '}';
	ck_assert_int_eq(try_open(&store, &seen, 1 << 20, &problem), 0);
	for (int64_t rev = 1; rev < 100 && !outcome.code; rev++) {
		outcome = put(store, 0, rev, "large", large, NULL);
		stored += !outcome.code;
	}
	ck_assert_int_eq(outcome.code, RPC_LIMIT);
	ck_assert_ptr_nonnull(strstr(outcome.text, "no space"));
	ck_assert_str_eq(store_facts(store)->state, "full");
	ck_assert_uint_eq(store_facts(store)->errors, 1);
	ck_assert_int_gt(stored, 8);
	/* Something small still goes, and then all is well. */
	put_ok(store, 1, 1, "small", "{}");
	ck_assert_str_eq(store_facts(store)->state, "ok");
	ck_assert_str_eq(store_facts(store)->error, "");
	store_close(store);
	store = open_store(&seen);
	ck_assert_int_eq((int64_t)seen.count, stored + 1);
	store_close(store);
}
END_TEST

START_TEST(a_second_one_is_kept_out)
{
	struct seen seen, other;
	struct store *store = open_store(&seen), *second;
	struct problem problem;
	put_ok(store, 0, 1, "a", "{}");
	ck_assert_int_eq(try_open(&second, &other, 0, &problem), -EBUSY);
	ck_assert_ptr_nonnull(strstr(problem.text, "another process"));
	put_ok(store, 0, 2, "b", "{}");
	store_close(store);
}
END_TEST

START_TEST(a_file_that_was_moved_is_noticed)
{
	struct seen seen;
	struct store *store = open_store(&seen);
	char moved[80];
	snprintf(moved, sizeof(moved), "%s.away", file);
	put_ok(store, 0, 1, "a", "{}");
	ck_assert_int_eq(rename(file, moved), 0);
	struct outcome outcome = put(store, 0, 2, "b", "{}", NULL);
	ck_assert_int_eq(outcome.code, RPC_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(outcome.text, "moved or removed"));
	ck_assert_str_eq(store_facts(store)->state, "failed");
	ck_assert_int_eq(rename(moved, file), 0);
	put_ok(store, 0, 2, "b", "{}");
	store_close(store);
	store = open_store(&seen);
	ck_assert_str_eq(seen.text, "one/a={}@1 one/b={}@2 ");
	store_close(store);
}
END_TEST

/* ---- Broken files --------------------------------------------------------------- */

static void run_sql(const char *sql)
{
	sqlite3 *db;
	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void fill(size_t count)
{
	static struct store_row rows[500];
	static char keys[500][24];
	char value[300];
	struct outcome outcome = {0};
	struct seen seen;
	struct store *store = open_store(&seen);
	memset(value, ' ', sizeof(value));
	value[0] = '{';
	value[298] = '}';
	value[299] = '\0';
	for (size_t i = 0; i < count; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key%05zu", i);
		rows[i] = (struct store_row){
			.rev = (int64_t)i + 1, .key = slice(keys[i]), .value = slice(value)};
	}
	store_write(store, rows, count, on_written, &outcome);
	ck_assert_msg(outcome.calls == 1 && !outcome.code, "%s", outcome.text);
	store_close(store);
}

START_TEST(an_empty_file_is_no_store)
{
	close(open(file, O_CREAT | O_WRONLY, 0600));
	ck_assert_ptr_nonnull(strstr(refused(), "the file is empty"));
	struct stat st;
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
}
END_TEST

START_TEST(a_log_without_its_file_is_no_store)
{
	char log[80];
	snprintf(log, sizeof(log), "%s-wal", file);
	int fd = open(log, O_CREAT | O_WRONLY, 0600);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	ck_assert_ptr_nonnull(strstr(refused(), "is missing"));
	ck_assert_int_eq(access(log, F_OK), 0);
}
END_TEST

START_TEST(something_else_is_no_store)
{
	int fd = open(file, O_CREAT | O_WRONLY, 0600);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(write(fd, "no database", 11), 11);
	close(fd);
	ck_assert_ptr_nonnull(strstr(refused(), "no database"));
	unlink(file);
	run_sql("CREATE TABLE other(x)");
	ck_assert_ptr_nonnull(strstr(refused(), "not one of bngsync"));
}
END_TEST

START_TEST(another_layout_is_refused)
{
	fill(1);
	run_sql("PRAGMA user_version=2");
	ck_assert_ptr_nonnull(strstr(refused(), "another version (layout 2, this one has 1)"));
}
END_TEST

/* A page in the middle is overwritten, or the end is missing: nothing is served. */
START_TEST(broken_pages_are_refused)
{
	struct stat st;
	fill(500);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_gt(st.st_size, 4 * 16384);
	if (_i) {
		ck_assert_int_eq(truncate(file, st.st_size - 2 * 16384), 0);
	} else {
		char garbage[16384];
		memset(garbage, 0xa5, sizeof(garbage));
		int fd = open(file, O_WRONLY);
		ck_assert_int_eq(pwrite(fd, garbage, sizeof(garbage), st.st_size / 2 / 16384 * 16384),
				 sizeof(garbage));
		close(fd);
	}
	const char *text = refused();
	ck_assert_msg(strstr(text, "damaged"), "%s", text);
}
END_TEST

/* What SQLite does not notice, the row's checksum does. */
START_TEST(a_flipped_bit_is_counted)
{
	struct seen seen;
	fill(100);
	run_sql("UPDATE log SET value = replace(value, '}', ']') WHERE seq = 50");
	run_sql("UPDATE log SET key = 'key00099x' WHERE seq = 60");
	run_sql("UPDATE log SET rev = 1 WHERE seq = 70");
	struct store *store = open_store(&seen);
	ck_assert_uint_eq(store_facts(store)->damaged, 3);
	ck_assert_uint_eq(seen.count, 97);
	put_ok(store, 0, 101, "b", "{}");
	store_close(store);
	store = open_store(&seen);
	ck_assert_uint_eq(store_facts(store)->damaged, 3);
	ck_assert_uint_eq(seen.count, 98);
	store_close(store);
}
END_TEST

START_TEST(unknown_topics_are_kept)
{
	struct seen seen;
	fill(3);
	run_sql("INSERT INTO topic(id, name, floor) VALUES(40, 'future', 0);"
		"INSERT INTO log VALUES(1000, 40, 1, 'k', '{}', 1)");
	struct store *store = open_store(&seen);
	ck_assert_uint_eq(store_facts(store)->foreign, 1);
	ck_assert_uint_eq(seen.count, 3);
	put_ok(store, 0, 4, "b", "{}");
	store_close(store);
	store = open_store(&seen);
	ck_assert_uint_eq(store_facts(store)->foreign, 1);
	ck_assert_uint_eq(seen.count, 4);
	store_close(store);
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
	strcpy(file, "/nowhere/at/all/sync.db");
	ck_assert_ptr_nonnull(strstr(refused(), "unable to open"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_store");
	TCase *tests = tcase_create("sync_store");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, rows_come_back);
	tcase_add_test(tests, durable_is_on_the_disk);
	tcase_add_test(tests, floors_come_back);
	tcase_add_test(tests, released_rows_are_erased);
	tcase_add_test(tests, full_is_refused_and_changes_nothing);
	tcase_add_test(tests, a_second_one_is_kept_out);
	tcase_add_test(tests, a_file_that_was_moved_is_noticed);
	tcase_add_test(tests, an_empty_file_is_no_store);
	tcase_add_test(tests, a_log_without_its_file_is_no_store);
	tcase_add_test(tests, something_else_is_no_store);
	tcase_add_test(tests, another_layout_is_refused);
	tcase_add_loop_test(tests, broken_pages_are_refused, 0, 2);
	tcase_add_test(tests, a_flipped_bit_is_counted);
	tcase_add_test(tests, unknown_topics_are_kept);
	tcase_add_test(tests, a_folder_that_is_not_there);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
