/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The leases in map `pcp` (dataplane/abi/pcp.h). The record is the lease; what is kept
 * here are indexes over it (by slot, which are free), rebuilt at a start.
 *
 * 1. A record is in its slot's list from lease_take to lease_free.
 * 2. bng_sweep ends a lease, never we: who wants it to end moves the deadline into the
 *    past.
 */
#ifndef BNG_PCP_LEASES_H
#define BNG_PCP_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "controld/maps/maps.h"
#include "controld/session/session.h"

struct leases {
	struct maps *maps;
	uint32_t entries;
	uint32_t *first; /* by slot; 0: none */
	uint32_t *next;  /* by record */
	uint32_t *free;  /* stack */
	uint32_t free_count;
	uint32_t count;
};

/* Records of sessions that are no more are made FREE. */
int leases_new(struct maps *maps, struct leases **leases);
void leases_free(struct leases *leases);

static inline struct bng_pcp *lease_at(const struct leases *leases, uint32_t index)
{
	return &leases->maps->pcp[index];
}

/* The session's record for an inner end, or 0. */
uint32_t lease_find(const struct leases *leases, uint32_t slot, uint8_t protocol, uint16_t inner_port);
uint32_t lease_count_live(const struct leases *leases, uint32_t slot, uint32_t tick);
/* A new record with its identity filled in, not yet ACTIVE; 0: none is free. */
uint32_t lease_take(struct leases *leases, const struct session *session, uint8_t protocol,
		    uint16_t inner_port);
/* FREE from now on, whatever it was. */
void lease_free(struct leases *leases, uint32_t index);

static inline uint64_t lease_life(const struct bng_pcp *record)
{
	return __atomic_load_n(&record->life, __ATOMIC_ACQUIRE);
}
/* ACTIVE and its deadline not passed. */
bool lease_is_live(const struct bng_pcp *record, uint32_t tick);
/* Until the later of its deadlines. False when bng_sweep has just taken it. */
bool lease_set_deadline(struct bng_pcp *record, uint32_t tick);
/* Ticks until `deadline`, 0 when it has passed or is none. */
uint32_t lease_left(uint32_t deadline, uint32_t tick);
uint32_t lease_seconds(uint32_t ticks);

/* Of MAP and PEER in one record: a deadline is never 0, which says that there is none. */
static inline uint32_t lease_deadline(uint32_t tick, uint32_t seconds)
{
	uint32_t deadline = tick + BNG_TICKS_OF_SECONDS(seconds);

	return deadline ? deadline : 1;
}

#endif
