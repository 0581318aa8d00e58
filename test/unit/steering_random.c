/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Plans for pools at random: each move is done again with plain arithmetic and a
 * search through all addresses, and none breaks a rule. Then a pool as large as they
 * come, and memory that runs out.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "steering_fixture.h"

#define LARGE_ADDRESSES   4096
#define LARGE_SUBSCRIBERS 100000

static uint64_t random_state;
static int callocs_left = -1; /* -1: as many as wanted */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	if (!callocs_left)
		return NULL;
	callocs_left -= callocs_left > 0;
	return __real_calloc(count, size);
}

/* 0 <= x < bound. */
static uint32_t draw(uint32_t bound)
{
	random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)((random_state >> 33) % bound);
}

static void draw_address(void)
{
	struct plan_address *address = &addresses[add_address(draw(CAPACITY + 1))];
	bool hot = draw(2);

	for (int i = 0; i < SCORE_SIGNALS; i++) {
		address->score.rate[i] = (float)draw(hot ? 60 : 8) * 0.1f;
		address->score.now[i] = draw(4) ? address->score.rate[i] : (float)draw(60) * 0.1f;
	}
	address->score.samples = draw(12) ? 2 : 1;
	address->enabled = draw(12);
}

static void draw_pool(uint64_t seed)
{
	setup();
	random_state = seed;
	for (uint32_t i = 1 + draw(ADDRESSES); i; i--)
		draw_address();
	for (uint32_t i = draw(SUBSCRIBERS); i; i--) {
		struct plan_subscriber *added =
			add_subscriber(draw((uint32_t)input.address_count + 1), draw(9) * 0.5);

		added->pinned = !draw(3);
		added->moved_at_ns = NOW - draw(4000) * S;
	}
	policy.share = draw(3) ? draw(100) / 400.0 : 1;
	policy.margin = draw(30);
	policy.threshold = 60 + draw(35);
}

/* What a target has left, in the same order of additions as the plan's. */
struct left {
	double room, penalty;
	bool usable;
};

static double carried_by(uint32_t address)
{
	double sum = 0;

	for (size_t i = 0; i < input.subscriber_count; i++)
		if (subscribers[i].address == address)
			sum += subscribers[i].load;
	return sum;
}

static double score_of(uint32_t address)
{
	return score_value(&policy.score, &addresses[address].score);
}

static void find_left(struct left left[ADDRESSES])
{
	for (uint32_t k = 0; k < input.address_count; k++) {
		const struct plan_address *address = &addresses[k];
		float worse[SCORE_SIGNALS];

		for (int i = 0; i < SCORE_SIGNALS; i++)
			worse[i] = fmaxf(address->score.rate[i], address->score.now[i]);
		left[k] = (struct left){
			.room = policy.fill * CAPACITY - fmax(CAPACITY - address->free_blocks, carried_by(k)),
			.penalty = score_penalty(&policy.score, worse),
			.usable = address->enabled && score_known(&address->score),
		};
		left[k].usable &= score_of_penalty(left[k].penalty) >= policy.threshold &&
				  score_of_penalty(left[k].penalty) >= policy.score.pressured_below;
	}
}

/* Rule 5: limit hits and drops, the better of both rates, by share of load. */
static double moving_with(const struct plan_move *move)
{
	const struct score *score = &addresses[move->from].score;
	double penalty = 0;

	for (int i = SCORE_LIMIT_HITS; i < SCORE_SIGNALS; i++)
		penalty += policy.score.weight[i] * (double)fminf(score->rate[i], score->now[i]);
	return penalty * move->load / carried_by(move->from);
}

/* Rule 4: no other that fits has more points, or as many and more room. */
static void check_target(const struct plan_move *move, struct left left[ADDRESSES])
{
	double moving = moving_with(move), whole = round(score_of_penalty(left[move->to].penalty));
	double limit = fmax(policy.threshold, policy.score.pressured_below);

	ck_assert(left[move->to].usable);
	ck_assert_double_ge(left[move->to].room, move->load);
	for (uint32_t k = 0; k < input.address_count; k++) {
		double other = round(score_of_penalty(left[k].penalty));

		/* Next to the limit, only the roomiest of a point is asked. */
		if (left[k].usable && left[k].room >= move->load && other > whole)
			ck_assert_double_lt(score_of_penalty(left[k].penalty + moving), limit + 2);
		if (left[k].usable && other == whole)
			ck_assert_double_le(left[k].room, left[move->to].room);
	}
	left[move->to].room -= move->load;
	left[move->to].penalty += moving;
	ck_assert_double_ge(move->to_score_after, limit - 1e-9);
	ck_assert_double_eq_tol(move->to_score_after, score_of_penalty(left[move->to].penalty), 1e-6);
	ck_assert_double_le(move->to_fill_after, policy.fill + 1e-9);
}

static const struct plan_subscriber *who(uint32_t slot)
{
	return &subscribers[slot - 1001];
}

static void check_plan(void)
{
	struct left left[ADDRESSES];
	bool moved[SUBSCRIBERS] = {false};
	double most = floor(policy.share * (double)input.subscriber_count);

	ck_assert_double_le((double)plan.move_count, fmax(most, 1));
	find_left(left);
	for (size_t i = 0; i < plan.move_count; i++) {
		const struct plan_move *move = &plan.moves[i];
		const struct plan_subscriber *subscriber = who(move->slot);

		ck_assert(!moved[move->slot - 1001]);
		moved[move->slot - 1001] = true;
		ck_assert_uint_eq(move->from, subscriber->address);
		ck_assert_uint_ne(move->from, move->to);
		ck_assert(score_known(&addresses[move->from].score));
		ck_assert_double_lt(score_of(move->from), policy.threshold);
		ck_assert(i == 0 || move[-1].load >= move->load);
		if (subscriber->pinned) {
			ck_assert_uint_ge(NOW - subscriber->moved_at_ns, policy.hold_down_ns);
			ck_assert_double_ge(score_of(move->to), score_of(move->from) + policy.margin);
		}
		check_target(move, left);
	}
}

START_TEST(no_move_breaks_a_rule)
{
	size_t moves = 0, again = 0;

	for (uint64_t seed = 0; seed < 3000; seed++) {
		draw_pool(seed);
		make();
		check_plan();
		moves += plan.move_count;
		for (size_t i = 0; i < plan.move_count; i++)
			again += plan.moves[i].why == PLAN_MARGIN;
	}
	ck_assert_uint_gt(moves, 5000);
	ck_assert_uint_gt(again, 500);
}
END_TEST

/* Half of the addresses are failing, all subscribers are there, everybody may move. */
START_TEST(a_large_pool_is_planned_at_once)
{
	struct plan_address *many = calloc(LARGE_ADDRESSES, sizeof(*many));
	struct plan_subscriber *all = calloc(LARGE_SUBSCRIBERS, sizeof(*all));

	ck_assert(many && all);
	add_failing();
	add_address(0);
	for (uint32_t k = 0; k < LARGE_ADDRESSES; k++)
		many[k] = addresses[k % 2];
	for (uint32_t i = 0; i < LARGE_SUBSCRIBERS; i++)
		all[i] = (struct plan_subscriber){
			.slot = i, .address = 2 * draw(LARGE_ADDRESSES / 2), .load = 1 + draw(8)};
	input.addresses = many;
	input.subscribers = all;
	input.address_count = LARGE_ADDRESSES;
	input.subscriber_count = LARGE_SUBSCRIBERS;
	make();
	ck_assert_uint_eq(plan.counts.candidates, LARGE_SUBSCRIBERS);
	ck_assert_uint_gt(plan.move_count, LARGE_ADDRESSES);
	for (size_t i = 0; i < plan.move_count; i++)
		ck_assert_double_le(plan.moves[i].to_fill_after, policy.fill + 1e-9);
	free(many);
	free(all);
}
END_TEST

START_TEST(memory_that_runs_out_is_told)
{
	one_hot_one_cool();
	for (int left = 0; left < 4; left++) {
		plan.move_count = 7;
		callocs_left = left;
		ck_assert_int_eq(plan_make(&input, &plan), -ENOMEM);
		callocs_left = -1;
		ck_assert_ptr_null(plan.moves);
		ck_assert_uint_eq(plan.move_count, 0);
		ck_assert_uint_eq(plan.counts.eligible, 0);
	}
	make();
	ck_assert_uint_gt(plan.move_count, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		no_move_breaks_a_rule,
		a_large_pool_is_planned_at_once,
		memory_that_runs_out_is_told,
		NULL,
	};

	return run_suite("steering at random", tests);
}
