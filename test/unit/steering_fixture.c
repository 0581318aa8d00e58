/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A pool put together by hand, see the header.
 */
#include "steering_fixture.h"

#include <stdlib.h>
#include <string.h>

struct plan_policy policy;
struct plan_address addresses[ADDRESSES];
struct plan_subscriber subscribers[SUBSCRIBERS];
struct plan_input input;
struct plan plan;

void setup(void)
{
	policy = plan_policy_default;
	policy.share = 1;
	memset(addresses, 0, sizeof(addresses));
	memset(subscribers, 0, sizeof(subscribers));
	input = (struct plan_input){
		.policy = &policy, .addresses = addresses, .subscribers = subscribers, .now_ns = NOW};
}

void teardown(void)
{
	plan_done(&plan);
}

void set_rates(uint32_t index, float failures, float limit_hits, float drops)
{
	const float rate[SCORE_SIGNALS] = {failures, limit_hits, drops};

	memcpy(addresses[index].score.rate, rate, sizeof(rate));
	memcpy(addresses[index].score.now, rate, sizeof(rate));
}

uint32_t add_address(uint32_t used)
{
	uint32_t index = (uint32_t)input.address_count++;

	addresses[index] = (struct plan_address){
		.score = {.samples = 2},
		.capacity = CAPACITY,
		.free_blocks = CAPACITY - used,
		.enabled = true,
	};
	return index;
}

uint32_t add_failing(void)
{
	uint32_t index = add_address(CAPACITY);

	set_rates(index, 50, 0, 0);
	return index;
}

struct plan_subscriber *add_subscriber(uint32_t address, double load)
{
	struct plan_subscriber *added = &subscribers[input.subscriber_count++];

	*added = (struct plan_subscriber){
		.slot = 1000 + (uint32_t)input.subscriber_count, .address = address, .load = load};
	return added;
}

void add_subscribers(uint32_t address, int count, double load)
{
	for (int i = 0; i < count; i++)
		add_subscriber(address, load);
}

const struct plan_counts *make(void)
{
	const struct plan_counts *counts = &plan.counts;

	plan_done(&plan);
	ck_assert_int_eq(plan_make(&input, &plan), 0);
	ck_assert_uint_eq(counts->eligible,
			  plan.move_count + counts->relieved + counts->no_room + counts->over_share);
	ck_assert_uint_eq(counts->candidates, counts->eligible + counts->held_down + counts->no_margin);
	return counts;
}

size_t moves_to(uint32_t address)
{
	size_t count = 0;

	for (size_t i = 0; i < plan.move_count; i++)
		count += plan.moves[i].to == address;
	return count;
}

void one_hot_one_cool(void)
{
	uint32_t hot = add_failing();

	add_address(0);
	add_subscribers(hot, 50, 2);
}

int run_suite(const char *name, const TTest *const tests[])
{
	Suite *suite = suite_create(name);
	TCase *all = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(all, setup, teardown);
	for (size_t i = 0; tests[i]; i++)
		tcase_add_test(all, tests[i]);
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
