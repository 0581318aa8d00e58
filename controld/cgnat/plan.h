/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the CGNAT maps should say: worked out in memory first, from what they say
 * now and from a configuration, so that a reload can be refused before anything
 * changes.
 *
 * 1. A public address in use keeps its index and its place in `port_block`.
 * 2. An address that is no longer wanted is disabled; it stays, with its range,
 *    until no block of it is in use, and only then goes.
 * 3. A pool keeps its index while an address or a session refers to it.
 */
#ifndef BNG_CONTROLD_CGNAT_PLAN_H
#define BNG_CONTROLD_CGNAT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/config/config.h"
#include "controld/maps/maps.h"

struct controld;

struct plan_address {
	uint32_t address; /* host order */
	uint32_t index;
	uint32_t first_block;
	uint8_t pool;
	uint8_t shift;
	uint16_t dynamic_from; /* of one that is wanted */
	bool wanted;           /* new blocks may be taken from it */
	bool fresh;            /* its record is written from nothing */
	bool gone;             /* its record is cleared */
};

struct cgnat_plan {
	struct plan_address *addresses; /* sorted by address */
	size_t count;
	size_t room;
	uint8_t pool_index[BNG_POOLS]; /* of config->nat_pools */
	char pool_name[BNG_POOLS][CONFIG_NAME_MAX];
	struct bng_pool pool[BNG_POOLS];
	struct bng_port_timers port_timers[BNG_POOLS];
	struct deterministic *rule[BNG_POOLS]; /* NULL: none, or the plan was written */
	struct bng_range outer[BNG_PUBLIC_RANGES];
	uint32_t outer_count;
	uint32_t block_high;
	uint32_t pool_count;
	bool draining; /* some address waits for its blocks to be given back */
};

/* 0, or -errno and a message with a JSON pointer. */
int cgnat_plan_make(const struct controld *controld, const struct config *config, struct cgnat_plan *plan,
		    char *error, size_t error_size);
void cgnat_plan_done(struct cgnat_plan *plan);
/* Makes the maps say it. */
void cgnat_plan_write(struct controld *controld, struct cgnat_plan *plan);

static inline uint32_t cgnat_blocks_of(uint8_t shift)
{
	return 65536u >> shift;
}
/* Blocks that touch ports below BNG_FIRST_PORT are never given out. */
static inline uint32_t cgnat_reserved_of(uint8_t shift)
{
	return (BNG_FIRST_PORT + (1u << shift) - 1) >> shift;
}
/* Number of the first block that may be given out, `dynamic_from` as in bng_pool_address. */
static inline uint32_t cgnat_first_dynamic(uint8_t shift, uint32_t dynamic_from)
{
	return dynamic_from > cgnat_reserved_of(shift) ? dynamic_from : cgnat_reserved_of(shift);
}
/* The bitmap of an address none of whose blocks is in use. */
void cgnat_bitmap_empty(uint8_t shift, uint32_t dynamic_from,
			__u64 taken[static BNG_BLOCKS_PER_ADDRESS_MAX / 64]);

#endif
