/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which subscribers of a pool should get their new mappings from another public
 * address: a decision, nothing else. Equal input gives equal output; the caller
 * reads the maps, carries the moves out (or only tells them) and remembers when.
 *
 * 1. A subscriber is a candidate when it holds something on an address whose score
 *    is below `threshold`. The heaviest go first; of equals, the lowest slot.
 * 2. At most `share` of the pool's subscribers move in one plan; one always may.
 * 3. Who was moved before (`pinned`) moves again only when `hold_down_ns` is over
 *    *and* the target's score beats its address's by `margin`.
 * 4. The target is the address with the highest score, in whole points, and of
 *    equals the one with most room. It must be healthy and not below `threshold`
 *    after the move too, and filled to no more than `fill`.
 * 5. What the batch itself changes counts at once: the load that a target was given
 *    takes up its room, and the pressure that moves along (limit hits and drops, by
 *    share of load) lowers its score. An allocation failure does not move along:
 *    the target has room.
 * 6. A source is left alone as soon as it is predicted healthy, or when the pressure
 *    has ended and only the average still remembers it. For a source the better of
 *    its last and its average rate counts, for a target the worse.
 *
 * n subscribers and a addresses take O((n + a) log n).
 */
#ifndef BNG_CONTROLD_STEERING_PLAN_H
#define BNG_CONTROLD_STEERING_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/steering/score.h"

#define PLAN_NO_ADDRESS 0xffffffffu

struct plan_address {
	struct score score;
	uint32_t capacity; /* port blocks it can give out */
	uint32_t free_blocks;
	bool enabled; /* may give out blocks */
};

struct plan_subscriber {
	uint32_t slot;
	uint32_t address; /* index in plan_input.addresses, where its new mappings go; or PLAN_NO_ADDRESS */
	/* Port blocks it holds, wherever they are; more if it is known to want more. */
	double load;
	uint64_t moved_at_ns; /* if pinned */
	bool pinned;          /* a move has put it where it is */
};

struct plan_policy {
	struct score_policy score;
	double threshold; /* a score */
	double share;     /* of the pool's subscribers, 0..1 */
	double margin;    /* points of score */
	double fill;      /* of an address's capacity, 0..1 */
	uint64_t hold_down_ns;
};

extern const struct plan_policy plan_policy_default;

struct plan_input {
	const struct plan_policy *policy;
	const struct plan_address *addresses; /* of one pool */
	const struct plan_subscriber *subscribers;
	size_t address_count;
	size_t subscriber_count;
	uint64_t now_ns;
};

enum plan_why {
	PLAN_PRESSURE, /* its address is below the threshold */
	PLAN_MARGIN,   /* the same, and it was moved before: hold-down over, better by the margin */
};

struct plan_move {
	uint32_t slot;
	uint32_t from; /* index in plan_input.addresses */
	uint32_t to;
	enum plan_why why;
	double load;
	double from_score; /* now */
	double to_score;
	double to_score_after; /* predicted, with all of the batch so far */
	double to_fill_after;
};

/* eligible = moves + relieved + no_room + over_share. */
struct plan_counts {
	size_t candidates; /* rule 1 */
	size_t held_down;  /* candidates that rule 3 holds, by time */
	size_t no_margin;  /* by margin */
	size_t eligible;   /* the other candidates */
	size_t relieved;   /* rule 6: their address does not need it any more */
	size_t no_room;    /* rules 4 and 5: no target takes them */
	size_t over_share; /* rule 2: perhaps the next time */
};

struct plan {
	struct plan_move *moves;
	size_t move_count;
	struct plan_counts counts;
};

/* 0, or -ENOMEM and an empty plan. */
int plan_make(const struct plan_input *input, struct plan *plan);
void plan_done(struct plan *plan);

/* Why, for people: "score 34.2 is below 70, load 5; to score 97.0, then 96.4 and 61 % full". */
void plan_move_text(const struct plan_move *move, const struct plan_policy *policy, char *text, size_t size);

#endif
