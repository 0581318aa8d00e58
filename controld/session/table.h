/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A hash table of slots: an index over session records that stores nothing but
 * slot numbers. Keys are read from the records themselves.
 *
 * Open addressing, linear probing, at most half full; slot 0 means empty.
 * Removal shifts the entries behind it back, so there are no tombstones.
 */
#ifndef BNG_CONTROLD_SESSION_TABLE_H
#define BNG_CONTROLD_SESSION_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/abi/subscriber.h"

typedef uint64_t slot_hash(const struct bng_subscriber *record);
typedef bool slot_match(const struct bng_subscriber *record, const void *key);

struct slot_table {
	const struct bng_subscriber *records;
	slot_hash *hash;
	slot_match *match;
	uint32_t *slots;
	uint32_t mask;
	uint32_t count;
};

/* For up to `capacity` slots of `records`. 0 or -ENOMEM. */
int slot_table_init(struct slot_table *table, const struct bng_subscriber *records, uint32_t capacity,
		    slot_hash *hash, slot_match *match);
void slot_table_done(struct slot_table *table);

/* The slot whose record matches, or 0. `hash` is what slot_hash gives for it. */
uint32_t slot_table_find(const struct slot_table *table, uint64_t hash, const void *key);
/* The record of `slot` is filled and not in the table. */
void slot_table_insert(struct slot_table *table, uint32_t slot);
/* The record still has the key it was inserted with. */
void slot_table_remove(struct slot_table *table, uint32_t slot);

/* Spreads the bits of a key (the finalizer of MurmurHash3). */
static inline uint64_t slot_mix(uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdULL;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53ULL;
	return key ^ key >> 33;
}

#endif
