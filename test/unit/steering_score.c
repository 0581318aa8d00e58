/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Scores of public addresses: what is judged how, what is forgotten how fast, and
 * what counters and clocks may do without harm.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controld/steering/plan.h"
#include "run.h"

#define S 1000000000ULL

static const struct score_policy *policy;
static struct score score;
static uint64_t counters[SCORE_SIGNALS];
static uint64_t now;

static void setup(void)
{
	policy = &plan_policy_default.score;
	score = (struct score){0};
	memset(counters, 0, sizeof(counters));
	now = 77 * S;
}

/* `seconds` of steady events, sampled every `step` seconds. */
static void observe_steadily(const double rate[SCORE_SIGNALS], unsigned seconds, unsigned step)
{
	uint64_t begin = now, base[SCORE_SIGNALS];

	memcpy(base, counters, sizeof(base));
	for (unsigned at = 0; at <= seconds; at += step) {
		for (int i = 0; i < SCORE_SIGNALS; i++)
			counters[i] = base[i] + (uint64_t)llround(rate[i] * at);
		now = begin + at * S;
		score_observe(&score, policy, counters, now);
	}
}

struct judgement {
	double rate[SCORE_SIGNALS];
	enum score_status status;
	double low, high; /* score */
};

static const struct judgement judgements[] = {
	{{0, 0, 0}, SCORE_HEALTHY, 100, 100},    {{0.1, 0, 0}, SCORE_HEALTHY, 85, 100},
	{{0, 1, 0}, SCORE_HEALTHY, 85, 100},     {{0.2, 2, 0}, SCORE_HEALTHY, 85, 100},
	{{3.4, 18, 1}, SCORE_PRESSURED, 60, 62}, {{9.1, 47, 8}, SCORE_DEGRADED, 33.5, 35},
};

START_TEST(steady_observations_are_judged_as_required)
{
	const struct judgement *row = &judgements[_i];
	double value;

	observe_steadily(row->rate, 600, 10);
	value = score_value(policy, &score);
	ck_assert_msg(value >= row->low && value <= row->high, "score %f", value);
	ck_assert_int_eq(score_status(policy, value), row->status);
}
END_TEST

START_TEST(heavier_observations_score_lower)
{
	double before = 101;

	for (size_t i = 0; i < sizeof(judgements) / sizeof(*judgements); i++) {
		double value;

		setup();
		observe_steadily(judgements[i].rate, 600, 10);
		value = score_value(policy, &score);
		ck_assert_msg(value < before - 0.2, "row %zu: %f after %f", i, value, before);
		before = value;
	}
}
END_TEST

START_TEST(an_address_is_unknown_until_the_second_sample)
{
	ck_assert(!score_known(&score));
	score_observe(&score, policy, counters, now);
	ck_assert(!score_known(&score));
	ck_assert_double_eq(score_value(policy, &score), 100);
	score_observe(&score, policy, counters, now + S);
	ck_assert(score_known(&score));
}
END_TEST

START_TEST(what_the_counters_show_at_first_is_no_event)
{
	counters[SCORE_DROPS] = 1ULL << 60;
	observe_steadily((double[]){0, 0, 0}, 10, 10);
	ck_assert_double_eq(score_value(policy, &score), 100);
}
END_TEST

START_TEST(the_first_rate_is_taken_as_it_is)
{
	observe_steadily((double[]){3.4, 18, 1}, 10, 10);
	ck_assert_float_eq_tol(score.rate[SCORE_FAILURES], 3.4f, 1e-5f);
	ck_assert_float_eq_tol(score.now[SCORE_LIMIT_HITS], 18, 1e-5f);
}
END_TEST

START_TEST(a_half_life_halves_what_is_remembered)
{
	observe_steadily((double[]){8, 0, 0}, 60, 10);
	ck_assert_float_eq_tol(score.rate[SCORE_FAILURES], 8, 1e-4f);
	observe_steadily((double[]){0, 0, 0}, 60, 10);
	ck_assert_float_eq_tol(score.rate[SCORE_FAILURES], 4, 1e-4f);
	ck_assert_float_eq(score.now[SCORE_FAILURES], 0);
	observe_steadily((double[]){0, 0, 0}, 120, 10);
	ck_assert_float_eq_tol(score.rate[SCORE_FAILURES], 1, 1e-4f);
}
END_TEST

START_TEST(it_matters_how_long_not_how_often)
{
	struct score often;

	observe_steadily((double[]){8, 4, 2}, 60, 10);
	often = score;
	observe_steadily((double[]){0, 0, 0}, 180, 180);
	ck_assert_float_eq_tol(score.rate[SCORE_FAILURES], 1, 1e-4f);
	now -= 180 * S;
	score = often;
	observe_steadily((double[]){0, 0, 0}, 180, 1);
	ck_assert_float_eq_tol(score.rate[SCORE_FAILURES], 1, 1e-4f);
}
END_TEST

START_TEST(a_long_gap_is_its_own_mean)
{
	observe_steadily((double[]){50, 0, 0}, 60, 10);
	counters[SCORE_FAILURES] += 86400;
	score_observe(&score, policy, counters, now + 86400 * S);
	ck_assert_float_eq_tol(score.rate[SCORE_FAILURES], 1, 1e-4f);
}
END_TEST

START_TEST(a_counter_that_begins_again_counts_from_zero)
{
	counters[SCORE_FAILURES] = 1000000;
	observe_steadily((double[]){1, 0, 0}, 60, 10);
	counters[SCORE_FAILURES] = 20;
	score_observe(&score, policy, counters, now + 10 * S);
	ck_assert_float_eq_tol(score.now[SCORE_FAILURES], 2, 1e-5f);
	counters[SCORE_FAILURES] = 30;
	score_observe(&score, policy, counters, now + 20 * S);
	ck_assert_float_eq_tol(score.now[SCORE_FAILURES], 1, 1e-5f);
}
END_TEST

START_TEST(no_event_is_lost_in_an_interval_of_zero)
{
	struct score before;

	observe_steadily((double[]){1, 0, 0}, 10, 10);
	before = score;
	counters[SCORE_FAILURES] += 70;
	score_observe(&score, policy, counters, now);
	score_observe(&score, policy, counters, now - S);
	ck_assert_mem_eq(&score, &before, sizeof(score));
	score_observe(&score, policy, counters, now + 10 * S);
	ck_assert_float_eq_tol(score.now[SCORE_FAILURES], 7, 1e-5f);
}
END_TEST

static void check_is_a_number(void)
{
	double value = score_value(policy, &score);

	ck_assert_msg(isfinite(value) && value >= 0 && value <= 100, "%f", value);
	for (int i = 0; i < SCORE_SIGNALS; i++)
		ck_assert(isfinite(score.rate[i]) && isfinite(score.now[i]) && score.rate[i] >= 0);
}

START_TEST(nothing_makes_it_no_number)
{
	static const uint64_t hostile[] = {0, UINT64_MAX, 1, 1ULL << 63, 0, UINT64_MAX, UINT64_MAX, 5};

	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		for (int k = 0; k < SCORE_SIGNALS; k++)
			counters[k] = hostile[i];
		now += i % 2 ? 1 : UINT64_MAX / 16;
		score_observe(&score, policy, counters, now);
		check_is_a_number();
	}
	for (int i = 0; i < SCORE_SIGNALS; i++)
		score.rate[i] = (float[]){NAN, -INFINITY, INFINITY}[i];
	ck_assert(isfinite(score_value(policy, &score)));
	score_observe(&score, policy, counters, now + S);
	check_is_a_number();
}
END_TEST

START_TEST(odd_policies_make_no_odd_scores)
{
	static const struct score_policy odd[] = {
		{.weight = {-1, -2, -3}, .half_life_s = 0},
		{.weight = {0, 0, 0}, .half_life_s = -5},
		{.weight = {NAN, NAN, NAN}, .half_life_s = NAN},
		{.weight = {1e300, 1e300, 1e300}, .half_life_s = 1e-300},
	};

	policy = &odd[_i];
	observe_steadily((double[]){9, 9, 9}, 30, 10);
	check_is_a_number();
	if (_i < 3)
		ck_assert_double_eq(score_value(policy, &score), 100);
	else
		ck_assert_double_lt(score_value(policy, &score), 1);
}
END_TEST

START_TEST(each_weight_is_what_one_event_costs)
{
	for (int i = 0; i < SCORE_SIGNALS; i++) {
		float rate[SCORE_SIGNALS] = {0};

		rate[i] = 0.01f;
		ck_assert_double_eq_tol(100 - score_of_penalty(score_penalty(policy, rate)),
					0.01 * policy->weight[i], 0.001);
	}
}
END_TEST

START_TEST(a_penalty_is_found_again_from_its_score)
{
	for (double value = 1; value <= 100; value++)
		ck_assert_double_eq_tol(score_of_penalty(score_penalty_at(value)), value, 1e-9);
	ck_assert_double_eq(score_penalty_at(120), 0);
	ck_assert_double_eq(score_of_penalty(score_penalty_at(0)), 0);
}
END_TEST

START_TEST(status_changes_exactly_at_its_limits)
{
	ck_assert_int_eq(score_status(policy, 80), SCORE_HEALTHY);
	ck_assert_int_eq(score_status(policy, 79.999), SCORE_PRESSURED);
	ck_assert_int_eq(score_status(policy, 50), SCORE_PRESSURED);
	ck_assert_int_eq(score_status(policy, 49.999), SCORE_DEGRADED);
	ck_assert_str_eq(score_status_name(SCORE_HEALTHY), "healthy");
	ck_assert_str_eq(score_status_name(SCORE_PRESSURED), "pressured");
	ck_assert_str_eq(score_status_name(SCORE_DEGRADED), "degraded");
	ck_assert_str_eq(score_status_name((enum score_status)17), "unknown");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steering score");
	TCase *judged = tcase_create("judged"), *remembered = tcase_create("remembered"),
	      *limits = tcase_create("limits");

	tcase_add_checked_fixture(judged, setup, NULL);
	tcase_add_loop_test(judged, steady_observations_are_judged_as_required, 0,
			    sizeof(judgements) / sizeof(*judgements));
	tcase_add_test(judged, heavier_observations_score_lower);
	tcase_add_test(judged, each_weight_is_what_one_event_costs);
	tcase_add_test(judged, a_penalty_is_found_again_from_its_score);
	tcase_add_test(judged, status_changes_exactly_at_its_limits);
	suite_add_tcase(suite, judged);
	tcase_add_checked_fixture(remembered, setup, NULL);
	tcase_add_test(remembered, an_address_is_unknown_until_the_second_sample);
	tcase_add_test(remembered, what_the_counters_show_at_first_is_no_event);
	tcase_add_test(remembered, the_first_rate_is_taken_as_it_is);
	tcase_add_test(remembered, a_half_life_halves_what_is_remembered);
	tcase_add_test(remembered, it_matters_how_long_not_how_often);
	tcase_add_test(remembered, a_long_gap_is_its_own_mean);
	suite_add_tcase(suite, remembered);
	tcase_add_checked_fixture(limits, setup, NULL);
	tcase_add_test(limits, a_counter_that_begins_again_counts_from_zero);
	tcase_add_test(limits, no_event_is_lost_in_an_interval_of_zero);
	tcase_add_test(limits, nothing_makes_it_no_number);
	tcase_add_loop_test(limits, odd_policies_make_no_odd_scores, 0, 4);
	suite_add_tcase(suite, limits);
	return run_suite(suite);
}
