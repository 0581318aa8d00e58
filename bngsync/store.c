/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A batch is one transaction: floors, new rows, some dead ones deleted, commit.
 * Whatever fails, it is rolled back whole and memory is as it was.
 */
#include "bngsync/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "bngsync/store_sql.h"
#include "lib/rpc.h"

#define ROUND_MIN      1024 /* dead rows that are worth a round */
#define ERASE_PER_ROW  2    /* dead ones deleted with each new one: faster than they come */
#define ERASE_AT_LEAST 64
#define FNV_BASIS      14695981039346656037u
#define FNV_PRIME      1099511628211u

static uint64_t fnv(uint64_t hash, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * FNV_PRIME;
	return hash;
}

uint64_t store_checksum(int64_t topic, const struct store_row *row)
{
	uint64_t numbers[] = {(uint64_t)topic, (uint64_t)row->rev, row->key.length, row->value.text != NULL};
	uint64_t hash = fnv(FNV_BASIS, numbers, sizeof(numbers));
	hash = fnv(hash, row->key.text, row->key.length);
	return row->value.text ? fnv(hash, row->value.text, row->value.length) : hash;
}

/* ---- Dead rows -------------------------------------------------------------- */

static int by_place(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return a < b ? -1 : a > b;
}

void store_release(struct store *store, int64_t place)
{
	struct places *dead = &store->dead;
	if (dead->count == dead->capacity) {
		size_t capacity = dead->capacity ? dead->capacity * 2 : ROUND_MIN;
		int64_t *list = realloc(dead->list, capacity * sizeof(*list));
		if (!list)
			return; /* stays in the file; the next start releases it again */
		dead->list = list;
		dead->capacity = capacity;
	}
	dead->list[dead->count++] = place;
}

/* A round begins when a third of the file is dead, so that it costs one pass over
 * the file for so many rows. What is released meanwhile waits for the next: a row
 * never goes before an older one of its key. */
static void begin_round(struct store *store)
{
	if (store->erased < store->round.count || store->dead.count < ROUND_MIN ||
	    store->dead.count < store->rows / 3)
		return;
	struct places empty = store->round;
	empty.count = 0;
	store->round = store->dead;
	store->dead = empty;
	store->erased = 0;
	qsort(store->round.list, store->round.count, sizeof(int64_t), by_place);
}

static int erase_some(struct store *store, size_t budget)
{
	for (; budget && store->erased < store->round.count; budget--) {
		sqlite3_bind_int64(store->erase, 1, store->round.list[store->erased]);
		int result = sqlite3_step(store->erase);
		sqlite3_reset(store->erase);
		if (result != SQLITE_DONE)
			return result;
		store->erased++;
	}
	return SQLITE_OK;
}

/* ---- Writing ----------------------------------------------------------------- */

static int write_floors(struct store *store)
{
	for (unsigned i = 0; i < STORE_TOPICS_MAX; i++) {
		if (!store->topics[i].floor_changed)
			continue;
		sqlite3_bind_int64(store->set_floor, 1, store->topics[i].floor);
		sqlite3_bind_int64(store->set_floor, 2, store->topics[i].id);
		int result = sqlite3_step(store->set_floor);
		sqlite3_reset(store->set_floor);
		if (result != SQLITE_DONE)
			return result;
	}
	return SQLITE_OK;
}

static int insert_row(struct store *store, struct store_row *row)
{
	sqlite3_stmt *insert = store->insert;
	row->place = ++store->seq;
	sqlite3_bind_int64(insert, 1, row->place);
	sqlite3_bind_int64(insert, 2, store->topics[row->topic].id);
	sqlite3_bind_int64(insert, 3, row->rev);
	sqlite3_bind_text(insert, 4, row->key.text, (int)row->key.length, SQLITE_STATIC);
	if (row->value.text)
		sqlite3_bind_text(insert, 5, row->value.text, (int)row->value.length, SQLITE_STATIC);
	else
		sqlite3_bind_null(insert, 5);
	sqlite3_bind_int64(insert, 6, (int64_t)store_checksum(store->topics[row->topic].id, row));
	int result = sqlite3_step(insert);
	sqlite3_reset(insert);
	return result == SQLITE_DONE ? SQLITE_OK : result;
}

/* Whoever moves the file away must not be told that something is durable in it. */
static bool file_is_there(const struct store *store)
{
	struct stat now;
	return !stat(store->file, &now) && now.st_dev == store->opened.st_dev &&
	       now.st_ino == store->opened.st_ino;
}

static int write_batch(struct store *store, struct store_row *rows, size_t count)
{
	int result = file_is_there(store) ? SQLITE_OK : SQLITE_READONLY_DBMOVED;
	if (result == SQLITE_OK)
		result = sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	if (result == SQLITE_OK)
		result = write_floors(store);
	for (size_t i = 0; result == SQLITE_OK && i < count; i++)
		result = insert_row(store, &rows[i]);
	if (result == SQLITE_OK)
		result = erase_some(store, count * ERASE_PER_ROW + ERASE_AT_LEAST);
	if (result == SQLITE_OK)
		result = sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL);
	if (result != SQLITE_OK && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

static void written(struct store *store, size_t count, size_t erased)
{
	store->rows += count - erased;
	store->facts.commits++;
	store->facts.rows_written += count;
	store->facts.state = "ok";
	store->facts.error[0] = '\0';
	for (unsigned i = 0; i < STORE_TOPICS_MAX; i++)
		store->topics[i].floor_changed = false;
}

void store_write(struct store *store, struct store_row *rows, size_t count, store_done *done, void *context)
{
	struct problem problem = {0};
	begin_round(store);
	int64_t seq = store->seq;
	size_t erased = store->erased;
	int result = write_batch(store, rows, count);
	if (result == SQLITE_OK) {
		written(store, count, store->erased - erased);
		done(NULL, context);
		return;
	}
	store_refuse(store, &problem, result);
	store->seq = seq;
	store->erased = erased;
	store->facts.errors++;
	store->facts.state = result == SQLITE_FULL ? "full" : "failed";
	snprintf(store->facts.error, sizeof(store->facts.error), "%.255s", problem.text);
	done(&problem, context);
	json_decref(problem.data);
}

int store_refuse(const struct store *store, struct problem *problem, int result)
{
	int code = store->db ? sqlite3_extended_errcode(store->db) : result;
	if (result == SQLITE_FULL)
		return refuse(
			problem, RPC_LIMIT, NULL,
			"%s: no space for more: free some on its disk, or raise --max-bytes; nothing was "
			"changed",
			store->file);
	if (result == SQLITE_READONLY_DBMOVED)
		return refuse(problem, RPC_UNAVAILABLE, NULL,
			      "%s: the file was moved or removed: put it back, or restart bngsync to begin a "
			      "new one",
			      store->file);
	if (result == SQLITE_BUSY) {
		refuse(problem, RPC_UNAVAILABLE, NULL, "%s: another process has it open", store->file);
		return -EBUSY;
	}
	if (result == SQLITE_CORRUPT || result == SQLITE_NOTADB)
		return refuse(
			problem, RPC_UNAVAILABLE, json_pack("{s:i}", "sqlite", code),
			"%s: damaged, or no database (%s): move it away to begin a new store, and keep it: "
			"sqlite3's .recover may save what is in it",
			store->file, sqlite3_errstr(result));
	return refuse(problem, RPC_UNAVAILABLE, json_pack("{s:i}", "sqlite", code),
		      "%s: %s (SQLite code %d, errno %d): nothing was changed", store->file,
		      store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(result), code,
		      store->db ? sqlite3_system_errno(store->db) : 0);
}

void store_set_floor(struct store *store, unsigned topic, int64_t floor)
{
	store->topics[topic].floor = floor;
	store->topics[topic].floor_changed = true;
}

int64_t store_floor(const struct store *store, unsigned topic)
{
	return store->topics[topic].floor;
}

static void look_at_disk(const struct store *store, struct store_facts *facts)
{
	struct statvfs disk;

	facts->disk_bytes = facts->disk_free = 0;
	if (statvfs(store->file, &disk))
		return;
	facts->disk_bytes = (uint64_t)disk.f_blocks * disk.f_frsize;
	facts->disk_free = (uint64_t)disk.f_bavail * disk.f_frsize;
}

const struct store_facts *store_facts(struct store *store)
{
	char wal[4096];
	struct stat file = {0}, log = {0};
	snprintf(wal, sizeof(wal), "%s-wal", store->file);
	if (stat(store->file, &file))
		file.st_size = 0;
	if (stat(wal, &log))
		log.st_size = 0;
	store->facts.bytes = (uint64_t)(file.st_size + log.st_size);
	look_at_disk(store, &store->facts);
	return &store->facts;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	sqlite3_finalize(store->insert);
	sqlite3_finalize(store->erase);
	sqlite3_finalize(store->set_floor);
	sqlite3_close(store->db);
	free(store->dead.list);
	free(store->round.list);
	free(store->file);
	free(store);
}
