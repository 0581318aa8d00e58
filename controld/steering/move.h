/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moving a subscriber: one word of its record, and what is to be remembered of it.
 *
 * The record is the only memory (abi/subscriber.h), and controld may be killed between
 * any two stores, so their order is:
 * 1. moved_to_be = 0, and why;
 * 2. moved_ns: from here on the subscriber is pinned;
 * 3. address_index, by compare-and-swap from where the plan had it: the move;
 * 4. moved_to_be.
 * Killed before 3, the subscriber is where it was, at worst pinned for nothing; killed
 * before 4, the next start finishes it. Nobody moves twice within the hold-down.
 */
#ifndef BNG_CONTROLD_STEERING_MOVE_H
#define BNG_CONTROLD_STEERING_MOVE_H

#include "controld/steering/view.h"

/* False when the subscriber is no longer where the plan found it. */
bool steering_move(struct maps *maps, const struct steering_pool *pool, const struct plan_move *move,
		   uint64_t now_ns);
/* What a controller that was killed left unfinished; how many. */
unsigned steering_finish_moves(struct maps *maps);

/* A move that was carried out, as its record has it: addresses are in from_be, to_be. */
struct steering_moved {
	struct plan_move move;
	uint32_t from_be;
	uint32_t to_be;
	uint64_t at_ns;
};

/* The last move of each subscriber, newest first; an array to be freed. 0 or -ENOMEM. */
int steering_recent_moves(const struct maps *maps, struct steering_moved **moves, size_t *count);

#endif
