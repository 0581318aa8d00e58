/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The records of all topics, as they are durable: a copy in memory, so that a read
 * needs no disk and goes on when the disk does not.
 *
 *  1. A topic's revision rises by one with each change; a record has the revision of
 *     its last one. What a reader with revision R misses is what lies behind R, in
 *     order: nobody needs a queue.
 *  2. A deleted key leaves a tombstone with a revision of its own. The oldest are
 *     forgotten when there are too many; `floor` is the revision of the last one
 *     forgotten, and who read less far than that must read everything again.
 *  3. Only rows that the store said are durable come in here.
 */
#ifndef BNG_SYNC_TOPICS_H
#define BNG_SYNC_TOPICS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bngsync/store.h"

/* Registered topics. What a value holds is its publisher's affair. */
#define TOPICS(X)                                                                                            \
	X(session)                                                                                           \
	X(lease)                                                                                             \
	X(accounting)                                                                                        \
	X(steering)                                                                                          \
	X(controller)                                                                                        \
	X(upgrade)

#define TOPIC_NUMBER(name) TOPIC_##name,
enum topic_number { TOPICS(TOPIC_NUMBER) TOPIC_COUNT };
#undef TOPIC_NUMBER

struct record {
	struct record *chain; /* of the keys with the same hash */
	TAILQ_ENTRY(record) tombstone;
	int64_t rev;
	int64_t place; /* in the store */
	struct json_slice key;
	struct json_slice value; /* text NULL: a tombstone */
	char text[];             /* key, then value */
};

/* By revision; a record that changed leaves a hole. */
struct topic_entry {
	int64_t rev;
	struct record *record; /* NULL: hole */
};

struct topic {
	const char *name;
	unsigned number;
	int64_t revision;
	int64_t floor;
	size_t records; /* without tombstones */
	size_t tombstones;
	size_t bytes; /* of keys and values */
	struct record **buckets;
	size_t bucket_count;
	struct topic_entry *entries;
	size_t entry_count;
	size_t entry_capacity;
	size_t holes;
	TAILQ_HEAD(, record) oldest;
};

struct topics {
	struct topic list[TOPIC_COUNT];
	struct store *store;
	size_t tombstones_max; /* of one topic */
};

extern const char *const topic_names[]; /* ends with NULL */

void topics_init(struct topics *topics, size_t tombstones_max);
void topics_done(struct topics *topics);
/* Reads all records; on an error there are none, and nothing is known about any. */
int topics_load(struct topics *topics, const struct store_options *options, struct problem *problem);

struct topic *topic_find(struct topics *topics, struct json_slice name);
/* A tombstone counts as nothing. */
const struct record *topic_get(const struct topic *topic, struct json_slice key);
/* The first record or tombstone with a higher revision; NULL: none. */
const struct record *topic_after(const struct topic *topic, int64_t rev);

/* Rows that are durable now, in their order. -ENOMEM: the copy is no longer whole. */
int topics_apply(struct topics *topics, const struct store_row *rows, size_t count);

#endif
