/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One policy over one course of load: shifts first, then a load that stays as it
 * is; what happened in each interval, and what came of it.
 *
 * `enforce` is plan_make() with the default policy and shows the planner what
 * bng-controld can see: counters, blocks, loads. `off` moves nobody. `naive` is
 * balancing without thought: the heaviest subscribers of the fullest address, as many
 * as `enforce` may move, go to the emptiest, always; no pin, no hold-down, no look
 * ahead. `hasty` is the same, but only while an address is below the threshold.
 */
#ifndef TEST_SIM_STEERING_RUN_H
#define TEST_SIM_STEERING_RUN_H

#include "steering_model.h"

#define RUN_SHIFTS    4                        /* and the load it begins with */
#define RUN_SHIFT     90                       /* intervals between two shifts: 15 minutes */
#define RUN_BOUND     60                       /* intervals in which pressure must end */
#define RUN_LAST      (RUN_SHIFTS * RUN_SHIFT) /* the load stays the same from here on */
#define RUN_SETTLED   (RUN_LAST + RUN_BOUND)
#define RUN_INTERVALS (RUN_SETTLED + 300) /* longer than the hold-down */

enum run_policy {
	RUN_OFF,
	RUN_NAIVE,
	RUN_HASTY,
	RUN_ENFORCE,
	RUN_POLICIES,
};

struct run_interval {
	double worst_score;
	double wanted[MODEL_ADDRESSES]; /* by the subscribers of each address, as a share of its blocks */
	unsigned below;                 /* addresses below the threshold */
	unsigned moves;
};

struct run {
	struct run_interval intervals[RUN_INTERVALS];
	unsigned moves;
	unsigned moves_settled;    /* of them, after RUN_SETTLED */
	unsigned moved_again;      /* of them, within the hold-down of the one before */
	unsigned pressure;         /* intervals with an address below the threshold */
	unsigned pressure_settled; /* of them, after RUN_SETTLED */
	unsigned longest;          /* intervals from a shift until no address was below any more */
	unsigned settled_at;       /* the interval after the last move */
	uint64_t failures;         /* all allocation failures */
};

extern const char *const run_policy_names[RUN_POLICIES];

/* 0 or -ENOMEM. */
int run_make(struct run *run, enum run_policy policy, uint64_t seed, double load);

#endif
