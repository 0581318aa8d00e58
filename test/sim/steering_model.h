/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A pool under a load that shifts: who wants how many port blocks, who gets them,
 * and what the counters of the data plane say about it. The model knows nothing
 * of policies; whoever moves a subscriber calls model_move().
 *
 * Load. Of the blocks that are wanted, each subscriber wants one; the rest is dealt
 * by Zipf's law, first over towns, then inside them. A subscriber belongs to a town,
 * and towns begin on an address each, so that a shift, which deals the towns' ranks
 * anew, gathers load on some addresses. Who is where now has no say in what is wanted:
 * each policy sees the same load.
 *
 * Blocks, as in dataplane/cgnat_block.h and dataplane/sweep.h. Who wants more than it
 * has takes a free block of its address; who has none at all, of any address. Blocks
 * that are wanted no more, and those that a move left on the old address, end one by
 * one as their mappings do, and are held back for the hold-down of ports before they
 * are free again.
 *
 * Counters, each a Poisson draw of: for each block that is wanted and refused, retries
 * (alloc_failures); for each block wanted beyond a subscriber's limit, retries
 * (limit_hits); for each block in use or refused, packets that come late (drops).
 */
#ifndef TEST_SIM_STEERING_MODEL_H
#define TEST_SIM_STEERING_MODEL_H

#include <stdint.h>

#include "controld/steering/plan.h"

#define MODEL_ADDRESSES   12
#define MODEL_SUBSCRIBERS 1240
#define MODEL_CAPACITY    252 /* blocks of 256 ports, without the reserved ones */
#define MODEL_COOLING     12  /* intervals for which a port block is held back: 120 s */
#define MODEL_INTERVAL_NS 10000000000ULL

struct model_subscriber {
	uint32_t address;
	uint32_t town;
	uint32_t wanted;                /* blocks */
	uint16_t held[MODEL_ADDRESSES]; /* blocks, by address */
};

struct model_address {
	uint32_t used; /* held, or cooling */
	uint32_t cooling[MODEL_COOLING];
	uint64_t counters[SCORE_SIGNALS];
};

struct model {
	struct model_subscriber subscribers[MODEL_SUBSCRIBERS];
	struct model_address addresses[MODEL_ADDRESSES];
	double load;           /* blocks wanted, as a share of all there are */
	uint64_t load_random;  /* for what is wanted */
	uint64_t event_random; /* for what happens */
	unsigned interval;
};

void model_init(struct model *model, uint64_t seed, double load);
/* Deals the load anew. */
void model_shift(struct model *model);
/* One interval passes. */
void model_step(struct model *model);
/* The subscriber's new mappings go to another address from now on. */
void model_move(struct model *model, uint32_t subscriber, uint32_t to);
uint32_t model_held(const struct model_subscriber *subscriber);
/* What it wants and its limit allows. */
uint32_t model_allowed(const struct model_subscriber *subscriber);

#endif
