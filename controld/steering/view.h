/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The pools as the policy sees them, read from the maps: one pass over the addresses,
 * one over the subscribers. Nothing is changed.
 *
 * Counted, but never moved: a subscriber whose blocks have another size than its pool's
 * addresses by now, which can have no block anywhere else; and those of a deterministic
 * pool, whose rule says where they are.
 */
#ifndef BNG_CONTROLD_STEERING_VIEW_H
#define BNG_CONTROLD_STEERING_VIEW_H

#include "controld/maps/maps.h"
#include "controld/steering/plan.h"

struct steering_pool {
	uint8_t pool; /* index in map `pool` */
	struct plan_address *addresses;
	uint32_t *indexes;        /* of each, in map pool_address */
	uint32_t *subscribers_at; /* each */
	size_t address_count;
	struct plan_subscriber *subscribers;
	size_t subscriber_count;
	size_t room;
};

struct steering_view {
	struct steering_pool pools[BNG_POOLS]; /* not in use: without addresses */
	uint32_t *places; /* by index in map pool_address: which of its pool's addresses */
};

/* 0, or -ENOMEM and nothing to be freed. */
int steering_view_make(const struct maps *maps, struct steering_view *view);
void steering_view_done(struct steering_view *view);
/* What plan_make makes of one pool. */
int steering_view_plan(const struct steering_pool *pool, const struct plan_policy *policy, uint64_t now_ns,
		       struct plan *plan);

/* What is remembered of an address lies in its record, bng_pool_address.score. */
struct score steering_score(const struct bng_pool_address *record);

#endif
