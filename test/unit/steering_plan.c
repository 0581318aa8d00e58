/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Whom a plan moves, and what holds the others: rules 1, 2, 3 and 6 of
 * controld/steering/plan.h, and the ends of each.
 */
#include <math.h>
#include <string.h>

#include "steering_fixture.h"

START_TEST(healthy_addresses_keep_their_subscribers)
{
	add_subscribers(add_address(90), 30, 3);
	add_address(0);
	set_rates(0, 0.2f, 2, 0);
	ck_assert_uint_eq(make()->candidates, 0);
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(the_heaviest_move_from_an_address_below_the_threshold)
{
	uint32_t hot = add_failing(), cool = add_address(10);

	add_subscriber(hot, 4);
	add_subscriber(hot, 8);
	add_subscriber(hot, 6);
	add_subscribers(hot, 41, 2);
	add_subscriber(cool, 10);
	policy.share = 0.05;
	ck_assert_uint_eq(make()->eligible, 44);
	ck_assert_uint_eq(plan.move_count, 2);
	ck_assert_uint_eq(plan.moves[0].slot, 1002);
	ck_assert_uint_eq(plan.moves[1].slot, 1003);
	ck_assert_uint_eq(plan.moves[0].from, hot);
	ck_assert_uint_eq(plan.moves[0].to, cool);
	ck_assert_int_eq(plan.moves[0].why, PLAN_PRESSURE);
	ck_assert_double_eq_tol(plan.moves[0].from_score, 20, 1e-6);
	ck_assert_double_eq(plan.moves[0].to_score, 100);
	ck_assert_double_eq_tol(plan.moves[1].to_fill_after, 0.24, 1e-9);
	ck_assert_uint_eq(plan.counts.over_share, 42);
}
END_TEST

START_TEST(equals_move_in_the_order_of_their_slots)
{
	uint32_t hot = add_failing();

	add_address(0);
	add_subscribers(hot, 20, 5);
	subscribers[0].slot = 9000;
	policy.share = 0.1;
	make();
	ck_assert_uint_eq(plan.move_count, 2);
	ck_assert_uint_eq(plan.moves[0].slot, 1002);
	ck_assert_uint_eq(plan.moves[1].slot, 1003);
}
END_TEST

START_TEST(equal_input_gives_an_equal_plan_in_any_order)
{
	struct plan first;
	uint32_t hot = add_failing();

	for (int i = 0; i < 5; i++)
		add_address(20);
	for (int i = 0; i < 100; i++)
		add_subscriber(hot, 1 + i % 7);
	make();
	first = plan;
	plan = (struct plan){0};
	ck_assert_uint_gt(first.move_count, 5);
	for (size_t i = 0; i < 50; i++) {
		struct plan_subscriber swapped = subscribers[i];

		subscribers[i] = subscribers[99 - i];
		subscribers[99 - i] = swapped;
	}
	make();
	ck_assert_uint_eq(plan.move_count, first.move_count);
	ck_assert_mem_eq(plan.moves, first.moves, first.move_count * sizeof(*first.moves));
	plan_done(&first);
}
END_TEST

struct share_row {
	double share;
	int subscribers;
	size_t moves;
};

static const struct share_row share_rows[] = {
	{0.1, 50, 5}, {0.1, 59, 5}, {0.02, 49, 1}, {0.02, 1, 1}, {0, 50, 0}, {-1, 50, 0}, {5, 10, 10},
};

START_TEST(no_more_than_the_share_moves_but_one_always_may)
{
	for (size_t i = 0; i < sizeof(share_rows) / sizeof(*share_rows); i++) {
		const struct share_row *row = &share_rows[i];

		setup();
		addresses[add_failing()].enabled = false; /* nothing relieves it */
		add_address(0);
		add_subscribers(0, row->subscribers, 0.5);
		policy.share = row->share;
		make();
		ck_assert_msg(plan.move_count == row->moves, "row %zu: %zu moves", i, plan.move_count);
		ck_assert_uint_eq(plan.counts.over_share, (size_t)row->subscribers - row->moves);
	}
}
END_TEST

START_TEST(the_share_is_of_the_whole_pool)
{
	uint32_t hot = add_failing(), cool = add_address(40);

	add_subscribers(hot, 50, 2);
	add_subscribers(cool, 50, 0.1);
	policy.share = 0.05;
	make();
	ck_assert_uint_eq(plan.move_count, 5);
}
END_TEST

START_TEST(moving_stops_when_the_source_is_predicted_relieved)
{
	uint32_t hot = add_failing();

	add_address(0);
	add_subscribers(hot, 50, 2);
	make();
	/* Beyond the fill of 85: 15 blocks; all but a little of the failures must go. */
	ck_assert_uint_eq(plan.move_count, 8);
	ck_assert_uint_eq(plan.counts.relieved, 42);
}
END_TEST

START_TEST(a_part_of_the_excess_may_be_enough)
{
	uint32_t hot = add_failing();

	set_rates(hot, 6.25f, 0, 0); /* a penalty of 50; 25 is healthy */
	add_address(0);
	add_subscribers(hot, 50, 2);
	make();
	ck_assert_uint_eq(plan.move_count, 4); /* 8 of the 15 blocks beyond the fill */
}
END_TEST

START_TEST(load_that_has_left_already_is_not_moved_again)
{
	uint32_t hot = add_failing();

	add_address(0);
	add_subscribers(hot, 40, 2);
	addresses[hot].free_blocks = 20; /* 80 of 100 in use: the average remembers, the address has room */
	make();
	ck_assert_uint_eq(plan.move_count, 0);
	ck_assert_uint_eq(plan.counts.relieved, 40);
}
END_TEST

START_TEST(failures_go_on_while_earlier_movers_still_hold_blocks)
{
	uint32_t hot = add_failing();

	add_address(0);
	add_subscribers(hot, 40, 2); /* 80 blocks theirs, 100 in use */
	make();
	ck_assert_uint_eq(plan.move_count, 8);
}
END_TEST

START_TEST(pressure_that_has_ended_moves_nobody)
{
	uint32_t hot = add_failing();

	add_address(0);
	add_subscribers(hot, 50, 2);
	memset(addresses[hot].score.now, 0, sizeof(addresses[hot].score.now));
	make();
	ck_assert_uint_eq(plan.counts.relieved, 50);
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(one_bad_interval_is_no_pressure_yet)
{
	uint32_t hot = add_failing();

	add_address(0);
	add_subscribers(hot, 50, 2);
	memset(addresses[hot].score.rate, 0, sizeof(addresses[hot].score.rate));
	ck_assert_uint_eq(make()->candidates, 0);
}
END_TEST

START_TEST(a_disabled_address_is_left_by_all)
{
	one_hot_one_cool();
	addresses[0].enabled = false;
	make();
	ck_assert_uint_eq(plan.move_count, 42); /* as many as the target has room for */
	ck_assert_uint_eq(plan.counts.no_room, 8);
}
END_TEST

START_TEST(an_unknown_address_is_neither_left_nor_chosen)
{
	one_hot_one_cool();
	addresses[1].score.samples = 1;
	make();
	ck_assert_uint_eq(plan.move_count, 0);
	addresses[1].score.samples = 2;
	addresses[0].score.samples = 1;
	ck_assert_uint_eq(make()->candidates, 0);
}
END_TEST

START_TEST(an_address_without_capacity_does_no_harm)
{
	one_hot_one_cool();
	addresses[1].capacity = addresses[1].free_blocks = 0;
	make();
	ck_assert_uint_eq(plan.move_count, 0);
	addresses[1].free_blocks = 7; /* more than it has */
	make();
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(who_was_moved_stays_until_the_hold_down_ends)
{
	one_hot_one_cool();
	input.subscriber_count = 1;
	subscribers[0].pinned = true;
	for (int early = 1; early >= 0; early--) {
		subscribers[0].moved_at_ns = NOW - policy.hold_down_ns + (uint64_t)early;
		ck_assert_uint_eq(make()->held_down, (size_t)early);
		ck_assert_uint_eq(plan.move_count, (size_t)!early);
	}
	ck_assert_int_eq(plan.moves[0].why, PLAN_MARGIN);
	subscribers[0].moved_at_ns = NOW + S; /* a clock that is not ours: stay */
	ck_assert_uint_eq(make()->held_down, 1);
}
END_TEST

START_TEST(who_was_moved_needs_a_target_better_by_the_margin)
{
	double score;

	one_hot_one_cool();
	subscribers[0].pinned = true;
	subscribers[0].moved_at_ns = 0;
	input.subscriber_count = 1;
	policy.threshold = 90;
	set_rates(0, 1.9f, 0, 0);
	score = score_value(&policy.score, &addresses[0].score);
	policy.margin = 100 - score + 0.01;
	ck_assert_uint_eq(make()->no_margin, 1);
	ck_assert_uint_eq(plan.move_count, 0);
	policy.margin = 100 - score - 0.01;
	make();
	ck_assert_uint_eq(plan.move_count, 1);
	subscribers[0].pinned = false; /* who was never moved needs no margin */
	policy.margin = 100;
	make();
	ck_assert_uint_eq(plan.move_count, 1);
}
END_TEST

START_TEST(the_margin_holds_for_the_target_that_is_left_in_the_end)
{
	uint32_t hot = add_failing(), best = add_address(80);
	struct plan_subscriber *pinned;

	set_rates(add_address(0), 0, 10, 0); /* 85.5 */
	set_rates(hot, 5, 0, 0);             /* 71.4 */
	policy.threshold = 75;
	add_subscriber(hot, 5);
	pinned = add_subscriber(hot, 4);
	pinned->pinned = true;
	make();
	ck_assert_uint_eq(plan.move_count, 1);
	ck_assert_uint_eq(plan.moves[0].to, best);
	ck_assert_uint_eq(plan.counts.no_room, 1);
	pinned->pinned = false;
	make();
	ck_assert_uint_eq(plan.move_count, 2);
}
END_TEST

START_TEST(who_holds_nothing_is_no_candidate)
{
	static const double nothing[] = {0, -3, NAN, INFINITY, -INFINITY};

	one_hot_one_cool();
	for (size_t i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		subscribers[i].load = nothing[i];
	ck_assert_uint_eq(make()->candidates, 45);
}
END_TEST

START_TEST(who_has_no_address_is_passed_over)
{
	one_hot_one_cool();
	subscribers[0].address = PLAN_NO_ADDRESS;
	subscribers[1].address = 2;
	ck_assert_uint_eq(make()->candidates, 48);
}
END_TEST

START_TEST(empty_pools_have_empty_plans)
{
	make();
	ck_assert_uint_eq(plan.move_count, 0);
	add_failing();
	make(); /* one address, nobody */
	ck_assert_uint_eq(plan.move_count, 0);
	add_subscribers(0, 50, 2);
	ck_assert_uint_eq(make()->no_room, 50); /* one address: nowhere to go */
	input.address_count = 0;
	ck_assert_uint_eq(make()->candidates, 0);
}
END_TEST

START_TEST(the_reason_is_told_with_its_numbers)
{
	char text[200];

	one_hot_one_cool();
	make();
	plan_move_text(&plan.moves[0], &policy, text, sizeof(text));
	ck_assert_str_eq(text, "score 20.0 is below 70, load 2; to score 100.0, then 100.0 and 2 % full");
	plan.moves[0].why = PLAN_MARGIN;
	plan_move_text(&plan.moves[0], &policy, text, sizeof(text));
	ck_assert_str_eq(text, "score 20.0 is below 70, hold-down over and better by the margin, load 2; to "
			       "score 100.0, then 100.0 and 2 % full");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		healthy_addresses_keep_their_subscribers,
		the_heaviest_move_from_an_address_below_the_threshold,
		equals_move_in_the_order_of_their_slots,
		equal_input_gives_an_equal_plan_in_any_order,
		no_more_than_the_share_moves_but_one_always_may,
		the_share_is_of_the_whole_pool,
		moving_stops_when_the_source_is_predicted_relieved,
		a_part_of_the_excess_may_be_enough,
		load_that_has_left_already_is_not_moved_again,
		failures_go_on_while_earlier_movers_still_hold_blocks,
		pressure_that_has_ended_moves_nobody,
		one_bad_interval_is_no_pressure_yet,
		a_disabled_address_is_left_by_all,
		an_unknown_address_is_neither_left_nor_chosen,
		an_address_without_capacity_does_no_harm,
		who_was_moved_stays_until_the_hold_down_ends,
		who_was_moved_needs_a_target_better_by_the_margin,
		the_margin_holds_for_the_target_that_is_left_in_the_end,
		who_holds_nothing_is_no_candidate,
		who_has_no_address_is_passed_over,
		empty_pools_have_empty_plans,
		the_reason_is_told_with_its_numbers,
		NULL,
	};

	return run_suite("steering plan", tests);
}
