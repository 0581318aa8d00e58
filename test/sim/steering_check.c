/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What steering promises, over many courses of load: pressure ends where there is
 * room, nobody moves twice within the hold-down, a load that stays the same moves
 * nobody. And that a policy without these rules breaks them, under the same load.
 */
#include <check.h>
#include <stdlib.h>

#include "steering_run.h"

#define SEEDS 6

static struct run run;

/* Blocks wanted, as a share of all; beyond what is filled at most (0.85, less what
 * is held back) no policy can end pressure. */
static const double loads[] = {0.65, 0.8};

static void make(enum run_policy policy, int seed, double load)
{
	ck_assert_int_eq(run_make(&run, policy, (uint64_t)seed, load), 0);
}

START_TEST(enforce_ends_pressure_and_then_rests)
{
	unsigned moves = 0;

	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
		make(RUN_ENFORCE, _i, loads[i]);
		ck_assert_msg(run.longest <= RUN_BOUND, "load %g: pressure for %u intervals", loads[i],
			      run.longest);
		ck_assert_uint_eq(run.pressure_settled, 0);
		ck_assert_uint_eq(run.moved_again, 0);
		ck_assert_uint_eq(run.moves_settled, 0);
		moves += run.moves;
	}
	ck_assert_uint_gt(moves, 0);
}
END_TEST

/* Addresses that get room as old mappings end take a few; then it is over. */
START_TEST(with_more_load_than_blocks_moves_die_out)
{
	make(RUN_ENFORCE, _i, 1.1);
	ck_assert_uint_gt(run.pressure_settled, 0);
	ck_assert_uint_eq(run.moved_again, 0);
	ck_assert_uint_lt(run.moves_settled, MODEL_SUBSCRIBERS / 50);
	ck_assert_uint_lt(run.settled_at, RUN_INTERVALS - RUN_SHIFT);
}
END_TEST

START_TEST(without_steering_pressure_stays)
{
	make(RUN_OFF, _i, 0.8);
	ck_assert_uint_eq(run.moves, 0);
	ck_assert_uint_gt(run.longest, RUN_BOUND);
}
END_TEST

START_TEST(naive_balancing_never_rests)
{
	make(RUN_NAIVE, _i, 0.8);
	ck_assert_uint_gt(run.moves_settled, 0);
	ck_assert_uint_gt(run.moved_again, 0);
}
END_TEST

START_TEST(the_same_seed_is_the_same_course)
{
	static struct run again;

	make(RUN_ENFORCE, 5, 0.8);
	again = run;
	make(RUN_ENFORCE, 5, 0.8);
	ck_assert_mem_eq(&again, &run, sizeof(run));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steering simulation");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 60);
	tcase_add_loop_test(all, enforce_ends_pressure_and_then_rests, 1, SEEDS + 1);
	tcase_add_loop_test(all, with_more_load_than_blocks_moves_die_out, 1, SEEDS + 1);
	tcase_add_loop_test(all, without_steering_pressure_stays, 1, SEEDS + 1);
	tcase_add_loop_test(all, naive_balancing_never_rests, 1, SEEDS + 1);
	tcase_add_test(all, the_same_seed_is_the_same_course);
	suite_add_tcase(suite, all);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
