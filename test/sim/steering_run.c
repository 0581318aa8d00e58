/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A course of load under a policy, see the header.
 */
#include "steering_run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

const char *const run_policy_names[RUN_POLICIES] = {
	[RUN_OFF] = "off", [RUN_NAIVE] = "naive", [RUN_HASTY] = "hasty", [RUN_ENFORCE] = "enforce"};

struct runner {
	struct model model;
	struct plan_address addresses[MODEL_ADDRESSES];
	struct plan_subscriber subscribers[MODEL_SUBSCRIBERS];
	uint64_t now_ns;
	struct run *run;
};

/* What bng-controld would read from the maps. */
static void look(struct runner *runner)
{
	for (int k = 0; k < MODEL_ADDRESSES; k++) {
		struct plan_address *address = &runner->addresses[k];

		address->enabled = true;
		address->capacity = MODEL_CAPACITY;
		address->free_blocks = MODEL_CAPACITY - runner->model.addresses[k].used;
		score_observe(&address->score, &plan_policy_default.score,
			      runner->model.addresses[k].counters, runner->now_ns);
	}
	for (uint32_t i = 0; i < MODEL_SUBSCRIBERS; i++) {
		runner->subscribers[i].slot = i;
		runner->subscribers[i].address = runner->model.subscribers[i].address;
		runner->subscribers[i].load = model_held(&runner->model.subscribers[i]);
	}
}

static double score_at(const struct runner *runner, uint32_t address)
{
	return score_value(&plan_policy_default.score, &runner->addresses[address].score);
}

static void move(struct runner *runner, uint32_t subscriber, uint32_t to)
{
	struct plan_subscriber *moved = &runner->subscribers[subscriber];

	if (moved->pinned && runner->now_ns - moved->moved_at_ns < plan_policy_default.hold_down_ns)
		runner->run->moved_again++;
	moved->pinned = true;
	moved->moved_at_ns = runner->now_ns;
	model_move(&runner->model, subscriber, to);
	runner->run->moves++;
	runner->run->intervals[runner->model.interval - 1].moves++;
}

static int move_none(struct runner *runner)
{
	(void)runner;
	return 0;
}

static int move_planned(struct runner *runner)
{
	const struct plan_input input = {
		.policy = &plan_policy_default,
		.addresses = runner->addresses,
		.subscribers = runner->subscribers,
		.address_count = MODEL_ADDRESSES,
		.subscriber_count = MODEL_SUBSCRIBERS,
		.now_ns = runner->now_ns,
	};
	struct plan plan;
	int failure = plan_make(&input, &plan);

	for (size_t i = 0; i < plan.move_count; i++)
		move(runner, plan.moves[i].slot, plan.moves[i].to);
	plan_done(&plan);
	return failure;
}

/* The heaviest subscriber of an address that has not moved in this interval. */
static uint32_t heaviest_on(const struct runner *runner, uint32_t address)
{
	uint32_t best = MODEL_SUBSCRIBERS;

	for (uint32_t i = 0; i < MODEL_SUBSCRIBERS; i++)
		if (runner->model.subscribers[i].address == address &&
		    (best == MODEL_SUBSCRIBERS ||
		     runner->subscribers[i].load > runner->subscribers[best].load))
			best = i;
	return best;
}

static int move_naively(struct runner *runner)
{
	const struct plan_address *addresses = runner->addresses;
	uint32_t fullest = 0, emptiest = 0;

	for (uint32_t k = 1; k < MODEL_ADDRESSES; k++) {
		if (addresses[k].free_blocks < addresses[fullest].free_blocks)
			fullest = k;
		if (addresses[k].free_blocks > addresses[emptiest].free_blocks)
			emptiest = k;
	}
	for (int n = 0; n < (int)(plan_policy_default.share * MODEL_SUBSCRIBERS); n++) {
		uint32_t subscriber = heaviest_on(runner, fullest);

		if (fullest != emptiest && subscriber < MODEL_SUBSCRIBERS)
			move(runner, subscriber, emptiest);
	}
	return 0;
}

static int move_hastily(struct runner *runner)
{
	return runner->run->intervals[runner->model.interval - 1].below ? move_naively(runner) : 0;
}

static void note(struct runner *runner)
{
	struct run *run = runner->run;
	unsigned at = runner->model.interval - 1;
	struct run_interval *interval = &run->intervals[at];

	*interval = (struct run_interval){.worst_score = 100};
	for (uint32_t k = 0; k < MODEL_ADDRESSES; k++) {
		double score = score_at(runner, k);

		interval->worst_score = fmin(interval->worst_score, score);
		interval->below += score < plan_policy_default.threshold;
	}
	for (int i = 0; i < MODEL_SUBSCRIBERS; i++)
		interval->wanted[runner->model.subscribers[i].address] +=
			(double)model_allowed(&runner->model.subscribers[i]) / MODEL_CAPACITY;
	if (!interval->below)
		return;
	run->pressure++;
	run->pressure_settled += at >= RUN_SETTLED;
	run->longest = (unsigned)fmax(run->longest, at < RUN_LAST ? at % RUN_SHIFT + 1 : at - RUN_LAST + 1);
}

static void sum_up(struct runner *runner)
{
	for (unsigned at = 0; at < RUN_INTERVALS; at++) {
		if (at >= RUN_SETTLED)
			runner->run->moves_settled += runner->run->intervals[at].moves;
		if (runner->run->intervals[at].moves)
			runner->run->settled_at = at + 1;
	}
	for (int k = 0; k < MODEL_ADDRESSES; k++)
		runner->run->failures += runner->model.addresses[k].counters[SCORE_FAILURES];
}

int run_make(struct run *run, enum run_policy policy, uint64_t seed, double load)
{
	static int (*const move_by[RUN_POLICIES])(struct runner * runner) = {[RUN_OFF] = move_none,
									     [RUN_NAIVE] = move_naively,
									     [RUN_HASTY] = move_hastily,
									     [RUN_ENFORCE] = move_planned};
	struct runner *runner = calloc(1, sizeof(*runner));
	int failure = 0;

	*run = (struct run){0};
	if (!runner)
		return -ENOMEM;
	runner->run = run;
	model_init(&runner->model, seed, load);
	for (unsigned at = 0; !failure && at < RUN_INTERVALS; at++) {
		if (at && at <= RUN_LAST && at % RUN_SHIFT == 0)
			model_shift(&runner->model);
		model_step(&runner->model);
		runner->now_ns += MODEL_INTERVAL_NS;
		look(runner);
		note(runner);
		failure = move_by[policy](runner);
	}
	sum_up(runner);
	free(runner);
	return failure;
}
