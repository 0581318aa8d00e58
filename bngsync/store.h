/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Where records survive: an append-only log of rows, read once when it is opened
 * and written in batches from then on. This is all that the bus knows of it, so
 * another engine (one that copies between machines) can take its place: rows come
 * in through `visit`, go out through store_write(), and `done` may come later.
 *
 *  1. A batch is durable as a whole or not at all; done(NULL) means durable, also
 *     if the machine loses power.
 *  2. A refused write has changed nothing. The store may accept the next one.
 *  3. Nothing is taken out that was not released by its owner.
 */
#ifndef BNG_SYNC_STORE_H
#define BNG_SYNC_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/json_scan.h"
#include "lib/problem.h"

#define STORE_TOPICS_MAX 32
#define STORE_ID_TEXT    33

struct store;

struct store_row {
	unsigned topic; /* index into store_options.topics */
	int64_t rev;    /* rises within a topic, from row to row */
	int64_t place;  /* where the row lies, the store's own name; set by store_write */
	struct json_slice key;
	struct json_slice value; /* text NULL: deleted */
};

struct store_options {
	const char *file;
	const char *const *topics; /* names; ends with NULL */
	uint64_t max_bytes;        /* full beyond it; 0: no limit */
};

struct store_facts {
	char id[STORE_ID_TEXT]; /* of this store, random; a revision of another means nothing */
	bool created;           /* by this open */
	size_t damaged;         /* rows that cannot be trusted: not visited, left where they are */
	size_t foreign;         /* rows of topics that only another version knows: left as well */
	uint64_t bytes;         /* on disk */
	uint64_t max_bytes;     /* as in the options; 0: no limit */
	uint64_t disk_bytes;    /* of the disk that holds it; 0: cannot be told */
	uint64_t disk_free;     /* of those, for us */
	uint64_t commits;
	uint64_t rows_written;
	uint64_t errors;
	const char *state; /* "ok", "full", "failed": what became of the last write */
	char error[256];   /* of the last refused write, until one succeeds */
};

/* May release rows already. */
typedef void store_visit(struct store *store, const struct store_row *row, void *context);
typedef void store_done(const struct problem *problem, void *context); /* NULL: durable */

/* Makes the file when there is none; visits every row in the order it was written.
 * 0, or not 0 and a problem (-EBUSY: another process has it), with nothing changed. */
int store_open(const struct store_options *options, store_visit *visit, void *context, struct store **store,
	       struct problem *problem);
void store_close(struct store *store);
const struct store_facts *store_facts(struct store *store);

/* One write at a time: the next one after `done`. */
void store_write(struct store *store, struct store_row *rows, size_t count, store_done *done, void *context);
/* A row that a later one has replaced, or that is forgotten: goes with some later write. */
void store_release(struct store *store, int64_t place);
/* Deletions up to `floor` are forgotten. Kept with the next write. */
void store_set_floor(struct store *store, unsigned topic, int64_t floor);
int64_t store_floor(const struct store *store, unsigned topic);

#endif
