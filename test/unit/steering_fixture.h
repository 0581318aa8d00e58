/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A pool put together by hand, and the plan that is made for it.
 */
#ifndef TEST_UNIT_STEERING_FIXTURE_H
#define TEST_UNIT_STEERING_FIXTURE_H

#include <check.h>

#include "controld/steering/plan.h"

#define S           1000000000ULL
#define NOW         (100000 * S)
#define ADDRESSES   16
#define SUBSCRIBERS 400
#define CAPACITY    100

extern struct plan_policy policy; /* the default, but everybody may move at once */
extern struct plan_address addresses[ADDRESSES];
extern struct plan_subscriber subscribers[SUBSCRIBERS];
extern struct plan_input input;
extern struct plan plan;

void setup(void);
void teardown(void);
/* Rates that have lasted. */
void set_rates(uint32_t index, float failures, float limit_hits, float drops);
/* A healthy address. */
uint32_t add_address(uint32_t used);
/* Full, and failing for want of blocks: far below the threshold. */
uint32_t add_failing(void);
/* Slots are 1001, 1002, ... */
struct plan_subscriber *add_subscriber(uint32_t address, double load);
void add_subscribers(uint32_t address, int count, double load);
/* A failing address with 50 subscribers of load 2, and an empty one. */
void one_hot_one_cool(void);
/* Makes the plan; its counts add up. */
const struct plan_counts *make(void);
size_t moves_to(uint32_t address);
/* Runs one suite of these tests: the exit status. */
int run_suite(const char *name, const TTest *const tests[]);

#endif
