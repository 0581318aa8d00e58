/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The addresses that may take subscribers, kept in the order in which a plan
 * prefers them while it gives them load: one heap (leftist, by room) for each whole
 * point of score. A target is found in 101 looks, whatever the number of
 * addresses; giving it load costs O(log a). Only the roomiest of a point is asked
 * whether it can take the penalty too, so that, next to the limit, another one of the
 * same point may be passed over.
 */
#ifndef BNG_CONTROLD_STEERING_TARGETS_H
#define BNG_CONTROLD_STEERING_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#define TARGETS_NONE  0xffffffffu
#define TARGETS_BANDS 101 /* whole points, 0..100 */

struct target {
	double room;    /* blocks that it may still be given */
	double penalty; /* score_of_penalty() of it is its score */
	uint32_t left, right;
	uint32_t rank; /* leftist: length of the way right */
};

struct targets {
	struct target *target; /* by address index */
	double penalty_max;    /* beyond it, no longer healthy enough */
	uint32_t root[TARGETS_BANDS];
};

void targets_init(struct targets *targets, struct target *room_for_all, double penalty_max);
/* Its room and penalty are set. An address beyond the limit is left out. */
void targets_add(struct targets *targets, uint32_t index);
/* The best that can take so much load and penalty, or TARGETS_NONE. */
uint32_t targets_find(const struct targets *targets, double load, double penalty);
/* Gives it to one that was found: its order changes. */
void targets_give(struct targets *targets, uint32_t index, double load, double penalty);

#endif
