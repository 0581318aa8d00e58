/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Opening: a file that is missing is made, in full, beside its name first; one
 * that is there is a store in order, or refused. What is refused stays as it is:
 * an empty or broken file never becomes an empty store.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bngsync/store_sql.h"
#include "lib/rpc.h"

#define CACHE_KIB        16384
#define CHECKPOINT_PAGES 2000
#define PAGE_BYTES       16384

static const char schema[] =
	"CREATE TABLE meta(id TEXT NOT NULL);"
	"CREATE TABLE topic(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
	"floor INTEGER NOT NULL);"
	"CREATE TABLE log(seq INTEGER PRIMARY KEY, topic INTEGER NOT NULL, "
	"rev INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, checksum INTEGER NOT NULL);";

/* The first number of the first row, or `otherwise`. */
static int64_t query_number(struct store *store, const char *sql, int64_t otherwise, int *result)
{
	sqlite3_stmt *query = NULL;
	int64_t number = otherwise;
	*result = sqlite3_prepare_v2(store->db, sql, -1, &query, NULL);
	if (*result == SQLITE_OK) {
		*result = sqlite3_step(query);
		if (*result == SQLITE_ROW && sqlite3_column_type(query, 0) == SQLITE_INTEGER)
			number = sqlite3_column_int64(query, 0);
		*result = *result == SQLITE_ROW || *result == SQLITE_DONE ? SQLITE_OK : *result;
	}
	sqlite3_finalize(query);
	return number;
}

static void random_id(char id[static STORE_ID_TEXT])
{
	uint64_t parts[2] = {0};
	if (getrandom(parts, sizeof(parts), 0) != sizeof(parts))
		parts[0] = (uint64_t)getpid();
	snprintf(id, STORE_ID_TEXT, "%016" PRIx64 "%016" PRIx64, parts[0], parts[1]);
}

/* Under a name of its own until it is whole. */
static int create(struct store *store)
{
	char path[4096], sql[1024], id[STORE_ID_TEXT];
	sqlite3 *db = NULL;
	random_id(id);
	snprintf(path, sizeof(path), "%s.new", store->file);
	unlink(path);
	snprintf(sql, sizeof(sql),
		 "PRAGMA page_size=%d; PRAGMA synchronous=FULL; BEGIN; %s INSERT INTO meta VALUES('%s'); "
		 "PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT;",
		 PAGE_BYTES, schema, id, STORE_APPLICATION, STORE_VERSION);
	int result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	if (result == SQLITE_OK && rename(path, store->file))
		result = SQLITE_CANTOPEN;
	if (result != SQLITE_OK)
		unlink(path);
	store->facts.created = result == SQLITE_OK;
	return result;
}

/* A store that is not there is made; 0, or a problem with what is there instead. */
static int find_file(struct store *store, struct problem *problem)
{
	char wal[4096];
	struct stat file, log;
	snprintf(wal, sizeof(wal), "%s-wal", store->file);
	if (!stat(store->file, &file))
		return file.st_size
			       ? 0
			       : refuse(problem, RPC_UNAVAILABLE, NULL,
					"%s: the file is empty, so its records are gone: put a copy in its "
					"place, or remove it to begin a new store",
					store->file);
	if (errno == ENOENT && !stat(wal, &log) && log.st_size)
		return refuse(
			problem, RPC_UNAVAILABLE, NULL,
			"%s is missing, but its log %s is here: put it back, or remove the log to begin "
			"a new store",
			store->file, wal);
	if (errno != ENOENT)
		return refuse_errno(problem, errno, "%s", store->file);
	int result = create(store);
	return result == SQLITE_OK ? 0 : store_refuse(store, problem, result);
}

static int connect_file(struct store *store, const struct store_options *options)
{
	char sql[512];
	int result = sqlite3_open_v2(store->file, &store->db, SQLITE_OPEN_READWRITE, NULL);
	if (result != SQLITE_OK)
		return result;
	sqlite3_extended_result_codes(store->db, 0);
	/* Exclusive: two daemons would each believe that what is in memory is all. */
	snprintf(sql, sizeof(sql),
		 "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
		 "PRAGMA cache_size=-%d; PRAGMA wal_autocheckpoint=%d; PRAGMA journal_size_limit=%d; "
		 "BEGIN IMMEDIATE; COMMIT;",
		 CACHE_KIB, CHECKPOINT_PAGES, CHECKPOINT_PAGES * PAGE_BYTES);
	result = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	if (result == SQLITE_OK && options->max_bytes) {
		snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%" PRIu64, options->max_bytes / PAGE_BYTES);
		result = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
	}
	return result == SQLITE_OK && stat(store->file, &store->opened) ? SQLITE_CANTOPEN : result;
}

static int is_ours(struct store *store, struct problem *problem)
{
	int result;
	int64_t application = query_number(store, "PRAGMA application_id", 0, &result);
	if (result == SQLITE_OK && application != STORE_APPLICATION)
		return refuse(problem, RPC_UNAVAILABLE, NULL,
			      "%s: a database, but not one of bngsync: say another file", store->file);
	int64_t version = query_number(store, "PRAGMA user_version", 0, &result);
	if (result == SQLITE_OK && version != STORE_VERSION)
		return refuse(problem, RPC_UNAVAILABLE, NULL,
			      "%s: made by another version (layout %" PRId64 ", this one has %d): use that "
			      "version",
			      store->file, version, STORE_VERSION);
	return result == SQLITE_OK ? 0 : store_refuse(store, problem, result);
}

/* Pages that contradict each other are noticed before anything is written among them. */
static int is_whole(struct store *store, struct problem *problem)
{
	sqlite3_stmt *query = NULL;
	int result = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &query, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_step(query);
	const char *text = result == SQLITE_ROW ? (const char *)sqlite3_column_text(query, 0) : NULL;
	const char *last_line = text ? strrchr(text, '\n') : NULL;
	int error = 0;
	if (!text)
		error = store_refuse(store, problem, result);
	else if (strcmp(text, "ok") != 0)
		error = refuse(
			problem, RPC_UNAVAILABLE, NULL,
			"%s: damaged: %.200s: move it away to begin a new store, and keep it: sqlite3's "
			".recover may save what is in it",
			store->file, last_line ? last_line + 1 : text);
	sqlite3_finalize(query);
	return error;
}

static int read_topics(struct store *store, const char *const *names)
{
	sqlite3_stmt *add = NULL, *query = NULL;
	int result = sqlite3_prepare_v2(store->db, "INSERT OR IGNORE INTO topic(name, floor) VALUES(?, 0)",
					-1, &add, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_prepare_v2(store->db, "SELECT id, floor FROM topic WHERE name = ?", -1,
					    &query, NULL);
	for (unsigned i = 0; result == SQLITE_OK && i < STORE_TOPICS_MAX && names[i]; i++) {
		sqlite3_bind_text(query, 1, names[i], -1, SQLITE_STATIC);
		result = sqlite3_step(query);
		if (result == SQLITE_DONE) {
			sqlite3_reset(query);
			sqlite3_bind_text(add, 1, names[i], -1, SQLITE_STATIC);
			result = sqlite3_step(add);
			sqlite3_reset(add);
			result = result == SQLITE_DONE ? sqlite3_step(query) : result;
		}
		if (result == SQLITE_ROW)
			store->topics[i] = (struct store_topic){.id = sqlite3_column_int64(query, 0),
								.floor = sqlite3_column_int64(query, 1)};
		sqlite3_reset(query);
		result = result == SQLITE_ROW ? SQLITE_OK : result;
	}
	sqlite3_finalize(add);
	sqlite3_finalize(query);
	return result;
}

static struct json_slice column_slice(sqlite3_stmt *query, int column)
{
	const char *text = (const char *)sqlite3_column_text(query, column);
	return (struct json_slice){text, text ? (size_t)sqlite3_column_bytes(query, column) : 0};
}

static void take_row(struct store *store, const struct store_row *row, store_visit *visit, void *context)
{
	store->topics[row->topic].rev = row->rev;
	visit(store, row, context);
}

static void read_row(struct store *store, sqlite3_stmt *query, store_visit *visit, void *context)
{
	int64_t topic = sqlite3_column_int64(query, 1);
	struct store_row row = {.place = sqlite3_column_int64(query, 0),
				.rev = sqlite3_column_int64(query, 2),
				.key = column_slice(query, 3),
				.value = column_slice(query, 4)};
	store->seq = row.place;
	store->rows++;
	while (row.topic < STORE_TOPICS_MAX && (!topic || store->topics[row.topic].id != topic))
		row.topic++;
	if (row.topic == STORE_TOPICS_MAX)
		store->facts.foreign++;
	else if (!row.key.text || row.rev <= store->topics[row.topic].rev ||
		 (uint64_t)sqlite3_column_int64(query, 5) != store_checksum(topic, &row))
		store->facts.damaged++;
	else
		take_row(store, &row, visit, context);
}

static int read_rows(struct store *store, store_visit *visit, void *context)
{
	sqlite3_stmt *query = NULL;
	int result = sqlite3_prepare_v2(store->db,
					"SELECT seq, topic, rev, key, value, checksum FROM log ORDER BY seq",
					-1, &query, NULL);
	while (result == SQLITE_OK || result == SQLITE_ROW) {
		result = sqlite3_step(query);
		if (result == SQLITE_ROW)
			read_row(store, query, visit, context);
	}
	sqlite3_finalize(query);
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

static int read_id(struct store *store)
{
	sqlite3_stmt *query = NULL;
	int result = sqlite3_prepare_v2(store->db, "SELECT id FROM meta", -1, &query, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_step(query);
	const char *text = result == SQLITE_ROW ? (const char *)sqlite3_column_text(query, 0) : NULL;
	if (text)
		snprintf(store->facts.id, sizeof(store->facts.id), "%s", text);
	else if (result == SQLITE_DONE || result == SQLITE_ROW)
		result = SQLITE_CORRUPT;
	sqlite3_finalize(query);
	return text ? SQLITE_OK : result;
}

static int prepare(struct store *store)
{
	static const char insert[] = "INSERT INTO log VALUES(?, ?, ?, ?, ?, ?)";
	static const char erase[] = "DELETE FROM log WHERE seq = ?";
	static const char set_floor[] = "UPDATE topic SET floor = ? WHERE id = ?";
	int result = sqlite3_prepare_v2(store->db, insert, -1, &store->insert, NULL);
	if (result == SQLITE_OK)
		result = sqlite3_prepare_v2(store->db, erase, -1, &store->erase, NULL);
	return result == SQLITE_OK ? sqlite3_prepare_v2(store->db, set_floor, -1, &store->set_floor, NULL)
				   : result;
}

static int open_all(struct store *store, const struct store_options *options, store_visit *visit,
		    void *context, struct problem *problem)
{
	int error = find_file(store, problem);
	if (error)
		return error;
	int result = connect_file(store, options);
	if (result != SQLITE_OK)
		return store_refuse(store, problem, result);
	error = is_ours(store, problem);
	if (!error)
		error = is_whole(store, problem);
	if (error)
		return error;
	result = read_id(store);
	if (result == SQLITE_OK)
		result = read_topics(store, options->topics);
	if (result == SQLITE_OK)
		result = prepare(store);
	if (result == SQLITE_OK)
		result = read_rows(store, visit, context);
	return result == SQLITE_OK ? 0 : store_refuse(store, problem, result);
}

int store_open(const struct store_options *options, store_visit *visit, void *context, struct store **store,
	       struct problem *problem)
{
	struct store *opened = calloc(1, sizeof(*opened));
	if (opened)
		opened->file = strdup(options->file);
	if (!opened || !opened->file) {
		free(opened);
		return refuse(problem, RPC_INTERNAL, NULL, "out of memory");
	}
	opened->facts.state = "ok";
	opened->facts.max_bytes = options->max_bytes;
	int error = open_all(opened, options, visit, context, problem);
	if (error)
		store_close(opened);
	else
		*store = opened;
	return error;
}
