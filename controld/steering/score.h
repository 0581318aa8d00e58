/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How well a public address is: three counters of the data plane, turned into
 * rates that forget, into a score of 0 to 100, into a status. Pure: no maps, no
 * clock, no events. docs/steering.md explains the formula to operators.
 *
 *   score = 10000 / (100 + sum of weight * rate)
 *
 * 1. A score is finite and within 0..100, whatever the counters and policy say.
 * 2. A step of `half_life_s` seconds halves what was remembered before it. Only the
 *    time between two samples counts, not how many samples lie in it.
 * 3. The first sample only says where the counters begin; until the second one an
 *    address is unknown (score_known) and neither left nor chosen.
 * 4. A counter that steps back has begun again at 0: what it shows came since then.
 * 5. Time that does not advance changes nothing, and loses nothing.
 */
#ifndef BNG_CONTROLD_STEERING_SCORE_H
#define BNG_CONTROLD_STEERING_SCORE_H

#include <stdbool.h>
#include <stdint.h>

enum score_signal {
	SCORE_FAILURES,   /* no port block free: bng_pool_address.alloc_failures */
	SCORE_LIMIT_HITS, /* a subscriber's own limit: .limit_hits */
	SCORE_DROPS,      /* packets without a mapping: .drops */
	SCORE_SIGNALS,
};

enum score_status {
	SCORE_HEALTHY,
	SCORE_PRESSURED,
	SCORE_DEGRADED,
};

struct score_policy {
	double weight[SCORE_SIGNALS]; /* about so many points per event a second, while the score is near 100
				       */
	double half_life_s;
	double pressured_below;
	double degraded_below;
};

/* What is remembered of one address. It holds no pointer and is the same on each
 * machine of a kind, so that it may be kept in bytes somewhere; all zero: nothing
 * seen yet. */
struct score {
	uint64_t at_ns;               /* of the last sample */
	uint64_t last[SCORE_SIGNALS]; /* the counters then */
	float rate[SCORE_SIGNALS];    /* per second, exponentially weighted */
	float now[SCORE_SIGNALS];     /* per second, between the last two samples */
	uint32_t samples;             /* 0, 1, or 2 for "two or more" */
	uint32_t reserved;
};

_Static_assert(sizeof(struct score) == 64, "one cache line");

/* Takes a sample of the address's counters. */
void score_observe(struct score *score, const struct score_policy *policy,
		   const uint64_t counters[static SCORE_SIGNALS], uint64_t now_ns);
bool score_known(const struct score *score);

/* The weighted sum over all signals. Rates that are no number, or negative, are 0. */
double score_penalty(const struct score_policy *policy, const float rate[static SCORE_SIGNALS]);
/* The share of one signal in it. */
double score_penalty_of(const struct score_policy *policy, enum score_signal signal, float rate);
double score_of_penalty(double penalty);
/* The largest penalty at which an address still has this score. */
double score_penalty_at(double score);
enum score_status score_status(const struct score_policy *policy, double score);
const char *score_status_name(enum score_status status);

/* What an operator sees. */
static inline double score_value(const struct score_policy *policy, const struct score *score)
{
	return score_of_penalty(score_penalty(policy, score->rate));
}

#endif
