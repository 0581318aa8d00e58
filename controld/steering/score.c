/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Scores of public addresses, see the header.
 */
#include "controld/steering/score.h"

#include <math.h>

#define FULL     100.0 /* the score of an address without any event, and the penalty that halves it */
#define NS_PER_S 1e9
#define RATE_MAX 1e12f /* far beyond what a network can do, and far from where a float ends */

/* Bytes that were kept elsewhere may say anything. */
static float sane(float rate)
{
	return rate > 0 ? fminf(rate, RATE_MAX) : 0; /* a NaN is not above 0 */
}

bool score_known(const struct score *score)
{
	return score->samples >= 2;
}

static uint64_t advance(uint64_t before, uint64_t after)
{
	return after >= before ? after - before : after;
}

void score_observe(struct score *score, const struct score_policy *policy,
		   const uint64_t counters[static SCORE_SIGNALS], uint64_t now_ns)
{
	double seconds, share;

	if (score->samples && now_ns <= score->at_ns)
		return;
	seconds = (double)(now_ns - score->at_ns) / NS_PER_S;
	share = policy->half_life_s > 0 ? 1 - exp2(-seconds / policy->half_life_s) : 1;
	if (!score_known(score)) /* nothing to remember: the first rate is all there is */
		share = 1;
	for (int i = 0; i < SCORE_SIGNALS; i++) {
		if (score->samples) {
			score->now[i] = sane((float)((double)advance(score->last[i], counters[i]) / seconds));
			score->rate[i] = sane(score->rate[i]);
			score->rate[i] += (float)share * (score->now[i] - score->rate[i]);
		}
		score->last[i] = counters[i];
	}
	score->at_ns = now_ns;
	score->samples = score->samples ? 2 : 1;
}

double score_penalty_of(const struct score_policy *policy, enum score_signal signal, float rate)
{
	return policy->weight[signal] > 0 ? policy->weight[signal] * (double)sane(rate) : 0;
}

double score_penalty(const struct score_policy *policy, const float rate[static SCORE_SIGNALS])
{
	double penalty = 0;

	for (int i = 0; i < SCORE_SIGNALS; i++)
		penalty += score_penalty_of(policy, (enum score_signal)i, rate[i]);
	return penalty;
}

double score_of_penalty(double penalty)
{
	return penalty > 0 ? FULL * FULL / (FULL + penalty) : FULL;
}

double score_penalty_at(double score)
{
	if (score >= FULL)
		return 0;
	return score > 0 ? FULL * FULL / score - FULL : INFINITY;
}

enum score_status score_status(const struct score_policy *policy, double score)
{
	if (score < policy->degraded_below)
		return SCORE_DEGRADED;
	return score < policy->pressured_below ? SCORE_PRESSURED : SCORE_HEALTHY;
}

const char *score_status_name(enum score_status status)
{
	static const char *const names[] = {
		[SCORE_HEALTHY] = "healthy", [SCORE_PRESSURED] = "pressured", [SCORE_DEGRADED] = "degraded"};

	return (unsigned)status < sizeof(names) / sizeof(*names) ? names[status] : "unknown";
}
