/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The store in SQLite, between store.c (writing) and store_open.c (finding it in
 * order, or not).
 *
 * Rows are appended with a rising `seq`, which is their place; a row that was
 * replaced stays until it is deleted in bulk, in the order of places, a few with
 * each batch. So a record that changes costs an append and a share of a page, not
 * a page somewhere in the middle of the file.
 *
 * Each row has a checksum: SQLite notices a broken page, not a flipped bit.
 */
#ifndef BNG_SYNC_STORE_SQL_H
#define BNG_SYNC_STORE_SQL_H

#include <sqlite3.h>
#include <sys/stat.h>

#include "bngsync/store.h"

#define STORE_APPLICATION 0x42534e43 /* PRAGMA application_id */
#define STORE_VERSION     1          /* PRAGMA user_version */

struct places {
	int64_t *list;
	size_t count;
	size_t capacity;
};

struct store_topic {
	int64_t id; /* in the file */
	int64_t floor;
	int64_t rev; /* of the last row that was read */
	bool floor_changed;
};

struct store {
	sqlite3 *db;
	char *file;
	sqlite3_stmt *insert;
	sqlite3_stmt *erase;
	sqlite3_stmt *set_floor;
	struct stat opened; /* the file, as it was opened */
	struct store_topic topics[STORE_TOPICS_MAX];
	int64_t seq;         /* of the last row */
	size_t rows;         /* in the file, dead ones too */
	struct places dead;  /* released since the round began */
	struct places round; /* sorted; being deleted, from `erased` on */
	size_t erased;       /* of the round */
	struct store_facts facts;
};

/* `topic` is the one of the file. */
uint64_t store_checksum(int64_t topic, const struct store_row *row);
/* Says what SQLite said, as code and text for the one who asked. */
int store_refuse(const struct store *store, struct problem *problem, int result);

#endif
