/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Where a plan moves subscribers: rules 4 and 5 of controld/steering/plan.h, and the
 * ends of each.
 */

#include "controld/steering/targets.h"
#include "steering_fixture.h"

START_TEST(the_healthiest_address_is_the_target)
{
	uint32_t hot = add_failing(), emptier = add_address(0), healthier = add_address(50);

	set_rates(emptier, 0, 3, 0);
	add_subscribers(hot, 10, 2);
	make();
	ck_assert_uint_gt(plan.move_count, 0);
	ck_assert_uint_eq(moves_to(healthier), plan.move_count);
}
END_TEST

START_TEST(of_equals_the_one_with_most_room_and_the_batch_spreads)
{
	uint32_t hot = add_failing(), a = add_address(30), b = add_address(20), c = add_address(30);

	add_subscribers(hot, 30, 4);
	addresses[hot].enabled = false;
	policy.share = 0.2;
	make();
	ck_assert_uint_eq(plan.move_count, 6);
	ck_assert_uint_eq(plan.moves[0].to, b);
	ck_assert_uint_eq(plan.moves[1].to, b);
	ck_assert_uint_eq(plan.moves[2].to, b); /* 28 used: still the emptiest */
	ck_assert_uint_eq(plan.moves[3].to, a); /* 32 used */
	ck_assert_uint_eq(plan.moves[4].to, c);
	ck_assert_uint_eq(plan.moves[5].to, b);
}
END_TEST

START_TEST(scores_are_compared_in_whole_points)
{
	uint32_t hot = add_failing(), emptier = add_address(0), healthier = add_address(50);

	set_rates(emptier, 0, 0.2f, 0); /* 99.66 */
	add_subscribers(hot, 10, 2);
	make();
	ck_assert_uint_gt(plan.move_count, 0);
	ck_assert_uint_eq(moves_to(emptier), plan.move_count);
	set_rates(emptier, 0, 0.4f, 0); /* 99.32 */
	make();
	ck_assert_uint_eq(moves_to(healthier), plan.move_count);
}
END_TEST

START_TEST(a_target_that_is_just_too_bad_hides_no_other)
{
	uint32_t hot = add_failing(), bad = add_address(0), good = add_address(50);

	set_rates(bad, 0, 0, 5.05f);  /* 79.84 */
	set_rates(good, 0, 0, 4.95f); /* 80.16 */
	add_subscribers(hot, 10, 2);
	make();
	ck_assert_uint_gt(plan.move_count, 0);
	ck_assert_uint_eq(moves_to(good), plan.move_count);
}
END_TEST

START_TEST(a_target_with_more_free_blocks_than_it_has_is_empty)
{
	one_hot_one_cool();
	addresses[1].free_blocks = CAPACITY + 7;
	make();
	ck_assert_uint_eq(plan.move_count, 8);
}
END_TEST

START_TEST(a_target_is_filled_to_the_mark_and_no_further)
{
	uint32_t hot = add_failing(), cool = add_address(70);

	add_subscribers(hot, 30, 4);
	addresses[hot].enabled = false;
	make();
	ck_assert_uint_eq(moves_to(cool), 3); /* 82; one more were 86 */
	ck_assert_double_eq_tol(plan.moves[2].to_fill_after, 0.82, 1e-9);
	ck_assert_uint_eq(plan.counts.no_room, 27);
}
END_TEST

START_TEST(load_on_its_way_to_a_target_takes_room)
{
	uint32_t hot = add_failing(), cool = add_address(10);

	add_subscribers(hot, 30, 4);
	addresses[hot].enabled = false;
	add_subscribers(cool, 20, 4); /* moved there; most of their blocks are still elsewhere */
	make();
	ck_assert_uint_eq(moves_to(cool), 1);
}
END_TEST

START_TEST(a_lighter_one_fits_where_a_heavy_one_does_not)
{
	uint32_t hot = add_failing(), cool = add_address(80);

	add_subscriber(hot, 9);
	add_subscribers(hot, 40, 2);
	addresses[hot].enabled = false;
	make();
	ck_assert_uint_eq(moves_to(cool), 2);
	ck_assert_double_eq(plan.moves[0].load, 2);
	ck_assert_uint_eq(plan.counts.no_room, 39);
}
END_TEST

START_TEST(pressure_that_moves_along_makes_no_target_hot)
{
	uint32_t hot = add_address(40), cool = add_address(0);
	double after;

	set_rates(hot, 0, 60, 0);
	add_subscribers(hot, 40, 1);
	make();
	/* All of it is a penalty of 102; 25 is where an address is no longer healthy. */
	ck_assert_uint_eq(moves_to(cool), 9);
	after = plan.moves[8].to_score_after;
	ck_assert_msg(after >= 80 && after < 82, "%f", after);
	ck_assert_uint_eq(plan.counts.no_room, 31);
}
END_TEST

START_TEST(pressure_is_shared_among_targets_until_the_source_is_healthy)
{
	uint32_t hot = add_address(40);

	for (int i = 0; i < 6; i++)
		add_address(0);
	set_rates(hot, 0, 60, 0);
	add_subscribers(hot, 40, 1);
	make();
	ck_assert_uint_eq(plan.move_count, 31); /* 9 of 40 keep a penalty of 23 */
	ck_assert_uint_eq(plan.counts.relieved, 9);
	for (uint32_t i = 1; i <= 6; i++)
		ck_assert_uint_le(moves_to(i), 6);
}
END_TEST

START_TEST(who_brings_all_the_pressure_stays)
{
	uint32_t hot = add_address(40);

	add_address(0);
	set_rates(hot, 0, 60, 0);
	add_subscriber(hot, 8);
	ck_assert_uint_eq(make()->no_room, 1);
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(no_move_without_a_healthy_target)
{
	one_hot_one_cool();
	set_rates(1, 3.4f, 18, 1);
	ck_assert_uint_eq(make()->no_room, 50);
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(a_target_with_one_bad_interval_is_none)
{
	one_hot_one_cool();
	addresses[1].score.now[SCORE_DROPS] = 20;
	make();
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(a_target_with_a_bad_average_is_none)
{
	one_hot_one_cool();
	addresses[1].score.rate[SCORE_DROPS] = 20;
	make();
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(a_threshold_above_healthy_holds_for_targets_too)
{
	one_hot_one_cool();
	set_rates(1, 1, 0, 0); /* 92.6 */
	policy.threshold = 95;
	make();
	ck_assert_uint_eq(plan.move_count, 0);
	policy.threshold = 90;
	make();
	ck_assert_uint_gt(plan.move_count, 0);
}
END_TEST

START_TEST(no_move_when_all_are_full)
{
	one_hot_one_cool();
	addresses[1].free_blocks = 0;
	ck_assert_uint_eq(make()->no_room, 50);
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

START_TEST(a_disabled_address_is_no_target)
{
	one_hot_one_cool();
	addresses[1].enabled = false;
	make();
	ck_assert_uint_eq(plan.move_count, 0);
}
END_TEST

/* What keeps a plan of n subscribers and a addresses at O((n + a) log n). */
START_TEST(the_way_right_in_a_heap_stays_short)
{
	static struct target all[4096];
	struct targets targets;
	uint32_t found, length = 0;

	targets_init(&targets, all, 25);
	for (uint32_t i = 0; i < 4096; i++) {
		all[i].room = i * 7919 % 4096;
		targets_add(&targets, i);
	}
	for (int i = 0; i < 10000; i++) {
		found = targets_find(&targets, 0.1, 0);
		ck_assert_uint_ne(found, TARGETS_NONE);
		targets_give(&targets, found, 0.1 * (i % 9), 0);
	}
	for (uint32_t at = targets.root[100]; at != TARGETS_NONE; at = all[at].right)
		length++;
	ck_assert_uint_gt(length, 0);
	ck_assert_uint_le(length, 12);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_healthiest_address_is_the_target,
		of_equals_the_one_with_most_room_and_the_batch_spreads,
		scores_are_compared_in_whole_points,
		a_target_that_is_just_too_bad_hides_no_other,
		a_target_with_more_free_blocks_than_it_has_is_empty,
		a_target_is_filled_to_the_mark_and_no_further,
		load_on_its_way_to_a_target_takes_room,
		a_lighter_one_fits_where_a_heavy_one_does_not,
		pressure_that_moves_along_makes_no_target_hot,
		pressure_is_shared_among_targets_until_the_source_is_healthy,
		who_brings_all_the_pressure_stays,
		no_move_without_a_healthy_target,
		a_target_with_one_bad_interval_is_none,
		a_target_with_a_bad_average_is_none,
		a_threshold_above_healthy_holds_for_targets_too,
		no_move_when_all_are_full,
		a_disabled_address_is_no_target,
		the_way_right_in_a_heap_stays_short,
		NULL,
	};

	return run_suite("steering target", tests);
}
