/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which subscribers move where, see the header. One pass adds up what each address
 * carries, then the candidates are taken in their order until the share is used.
 */
#include "controld/steering/plan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "controld/steering/targets.h"

const struct plan_policy plan_policy_default = {
	.score =
		{
			.weight = {[SCORE_FAILURES] = 8.0, [SCORE_LIMIT_HITS] = 1.7, [SCORE_DROPS] = 5.0},
			.half_life_s = 60,
			.pressured_below = 80,
			.degraded_below = 50,
		},
	.threshold = 70,
	.share = 0.02,
	.margin = 15,
	.fill = 0.85,
	.hold_down_ns = 1800ULL * 1000000000ULL,
};

/* An address as a source: what it carries, what is left of its pressure. */
struct source {
	double carried;  /* load of the subscribers whose address it is */
	double leaving;  /* of that, with the batch */
	double over;     /* load beyond `fill`: what allocation failures come from */
	double failures; /* penalty from them */
	double moving;   /* penalty that moves along with load */
	double score;
	bool below; /* the threshold */
};

struct planner {
	const struct plan_input *input;
	struct plan *plan;
	struct source *sources;
	const struct plan_subscriber **candidates;
	struct targets targets;
	double penalty_max; /* healthy, and not below the threshold */
	size_t move_max;
	double best_score; /* of a target, before the batch */
};

static double load_of(const struct plan_subscriber *subscriber)
{
	return isfinite(subscriber->load) && subscriber->load > 0 ? subscriber->load : 0;
}

static uint32_t used_of(const struct plan_address *address)
{
	return address->free_blocks < address->capacity ? address->capacity - address->free_blocks : 0;
}

static void sum_loads(struct planner *planner)
{
	const struct plan_input *input = planner->input;

	for (size_t i = 0; i < input->subscriber_count; i++)
		if (input->subscribers[i].address < input->address_count)
			planner->sources[input->subscribers[i].address].carried +=
				load_of(&input->subscribers[i]);
}

/* What has arrived, or what is still to come after earlier moves: the larger. */
static double occupied(const struct planner *planner, uint32_t index)
{
	return fmax(used_of(&planner->input->addresses[index]), planner->sources[index].carried);
}

static double room_of(const struct planner *planner, uint32_t index)
{
	return planner->input->policy->fill * planner->input->addresses[index].capacity -
	       occupied(planner, index);
}

/* Rule 6: the better of what is and what is remembered. */
static void judge_source(struct planner *planner, uint32_t index)
{
	const struct plan_policy *policy = planner->input->policy;
	const struct score *score = &planner->input->addresses[index].score;
	struct source *source = &planner->sources[index];

	source->score = score_value(&policy->score, score);
	source->below = score_known(score) && source->score < policy->threshold;
	source->over = fmax(0, -room_of(planner, index));
	for (int i = 0; i < SCORE_SIGNALS; i++) {
		double penalty = score_penalty_of(&policy->score, (enum score_signal)i,
						  fminf(score->rate[i], score->now[i]));

		*(i == SCORE_FAILURES ? &source->failures : &source->moving) += penalty;
	}
}

/* Rule 4: the worse of both. */
static void judge_target(struct planner *planner, uint32_t index, struct target *target)
{
	const struct plan_policy *policy = planner->input->policy;
	const struct plan_address *address = &planner->input->addresses[index];

	if (!address->enabled || !score_known(&address->score))
		return;
	target->room = room_of(planner, index);
	for (int i = 0; i < SCORE_SIGNALS; i++)
		target->penalty += score_penalty_of(&policy->score, (enum score_signal)i,
						    fmaxf(address->score.rate[i], address->score.now[i]));
	targets_add(&planner->targets, index);
	if (target->room > 0 && target->penalty <= planner->penalty_max)
		planner->best_score = fmax(planner->best_score, score_of_penalty(target->penalty));
}

static void judge_addresses(struct planner *planner, struct target *targets)
{
	const struct plan_policy *policy = planner->input->policy;

	sum_loads(planner);
	planner->penalty_max = score_penalty_at(fmax(policy->threshold, policy->score.pressured_below));
	targets_init(&planner->targets, targets, planner->penalty_max);
	for (uint32_t i = 0; i < planner->input->address_count; i++) {
		judge_source(planner, i);
		judge_target(planner, i, &targets[i]);
	}
}

/* Failures come from load beyond `fill` and go with it; an address that gives out
 * nothing any more fails for whoever is left. The rest goes with its share of load. */
static double pressure_left(const struct planner *planner, uint32_t index)
{
	const struct source *source = &planner->sources[index];
	double penalty = source->moving * (1 - source->leaving / source->carried);

	if (!planner->input->addresses[index].enabled)
		return penalty + source->failures;
	if (source->leaving < source->over)
		penalty += source->failures * (1 - source->leaving / source->over);
	return penalty;
}

/* Rule 3: does something hold this one back? */
static size_t *held_by(struct planner *planner, const struct plan_subscriber *subscriber)
{
	const struct plan_policy *policy = planner->input->policy;
	uint64_t now = planner->input->now_ns;

	if (!subscriber->pinned)
		return NULL;
	if (subscriber->moved_at_ns > now || now - subscriber->moved_at_ns < policy->hold_down_ns)
		return &planner->plan->counts.held_down;
	if (planner->best_score - planner->sources[subscriber->address].score < policy->margin)
		return &planner->plan->counts.no_margin;
	return NULL;
}

static void find_candidates(struct planner *planner)
{
	const struct plan_input *input = planner->input;
	struct plan_counts *counts = &planner->plan->counts;

	for (size_t i = 0; i < input->subscriber_count; i++) {
		const struct plan_subscriber *subscriber = &input->subscribers[i];
		size_t *held;

		if (subscriber->address >= input->address_count || !load_of(subscriber) ||
		    !planner->sources[subscriber->address].below)
			continue;
		counts->candidates++;
		held = held_by(planner, subscriber);
		if (held)
			++*held;
		else
			planner->candidates[counts->eligible++] = subscriber;
	}
}

static int heavier_first(const void *a, const void *b)
{
	const struct plan_subscriber *x = *(const struct plan_subscriber *const *)a;
	const struct plan_subscriber *y = *(const struct plan_subscriber *const *)b;

	if (x->load != y->load)
		return x->load > y->load ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static void move(struct planner *planner, const struct plan_subscriber *subscriber, uint32_t to,
		 double penalty)
{
	struct source *source = &planner->sources[subscriber->address];
	const struct target *target = &planner->targets.target[to];
	double capacity = planner->input->addresses[to].capacity;
	struct plan_move *planned = &planner->plan->moves[planner->plan->move_count++];

	targets_give(&planner->targets, to, subscriber->load, penalty);
	source->leaving += subscriber->load;
	*planned = (struct plan_move){
		.slot = subscriber->slot,
		.from = subscriber->address,
		.to = to,
		.why = subscriber->pinned ? PLAN_MARGIN : PLAN_PRESSURE,
		.load = subscriber->load,
		.from_score = source->score,
		.to_score = planner->sources[to].score,
		.to_score_after = score_of_penalty(target->penalty),
		.to_fill_after = planner->input->policy->fill - target->room / capacity,
	};
}

/* Moves one candidate, or counts what holds it. */
static void consider(struct planner *planner, const struct plan_subscriber *subscriber)
{
	struct plan_counts *counts = &planner->plan->counts;
	struct source *source = &planner->sources[subscriber->address];
	double penalty = source->moving * subscriber->load / source->carried;
	uint32_t to;

	if (pressure_left(planner, subscriber->address) <= planner->penalty_max) {
		counts->relieved++;
		return;
	}
	if (planner->plan->move_count == planner->move_max) {
		counts->over_share++;
		return;
	}
	to = targets_find(&planner->targets, subscriber->load, penalty);
	if (to == TARGETS_NONE)
		counts->no_room++;
	else if (subscriber->pinned && score_of_penalty(planner->targets.target[to].penalty) - source->score <
					       planner->input->policy->margin)
		counts->no_room++;
	else
		move(planner, subscriber, to, penalty);
}

static size_t share_of(double share, size_t subscribers)
{
	double moves = floor(fmin(fmax(share, 0), 1) * (double)subscribers);

	return moves < 1 && share > 0 && subscribers ? 1 : (size_t)moves;
}

static int decide(struct planner *planner)
{
	struct plan *plan = planner->plan;

	find_candidates(planner);
	if (!plan->counts.eligible)
		return 0;
	qsort(planner->candidates, plan->counts.eligible, sizeof(struct plan_subscriber *), heavier_first);
	planner->move_max = share_of(planner->input->policy->share, planner->input->subscriber_count);
	if (planner->move_max > plan->counts.eligible)
		planner->move_max = plan->counts.eligible;
	plan->moves = calloc(planner->move_max + 1, sizeof(struct plan_move));
	if (!plan->moves)
		return -ENOMEM;
	for (size_t i = 0; i < plan->counts.eligible; i++)
		consider(planner, planner->candidates[i]);
	return 0;
}

int plan_make(const struct plan_input *input, struct plan *plan)
{
	struct planner planner = {.input = input, .plan = plan};
	struct target *targets = calloc(input->address_count + 1, sizeof(*targets));
	int failure = -ENOMEM;

	*plan = (struct plan){0};
	planner.sources = calloc(input->address_count + 1, sizeof(*planner.sources));
	planner.candidates = calloc(input->subscriber_count + 1, sizeof(struct plan_subscriber *));
	if (targets && planner.sources && planner.candidates) {
		judge_addresses(&planner, targets);
		failure = decide(&planner);
	}
	if (failure)
		*plan = (struct plan){0};
	free(planner.candidates);
	free(planner.sources);
	free(targets);
	return failure;
}

void plan_done(struct plan *plan)
{
	free(plan->moves);
	*plan = (struct plan){0};
}

void plan_move_text(const struct plan_move *move, const struct plan_policy *policy, char *text, size_t size)
{
	snprintf(text, size, "score %.1f is below %g%s, load %g; to score %.1f, then %.1f and %.0f %% full",
		 move->from_score, policy->threshold,
		 move->why == PLAN_MARGIN ? ", hold-down over and better by the margin" : "", move->load,
		 move->to_score, move->to_score_after, 100 * move->to_fill_after);
}
