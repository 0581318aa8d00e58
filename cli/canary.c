/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * --canary 1% --bake 60s --then 10% --bake 60s --then 100%: the order of the words is the
 * order of the steps. The last 100% has no time of its own: it is the commit.
 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "print.h"
#include "run.h"

#define ALL 10000 /* shares */

struct plan {
	json_t *steps, *bounds;
	json_int_t share; /* without its time yet; 0: none */
	const char *wrong;
};

static void add_share(struct plan *plan, const char *name, const char *value)
{
	bool first = strcmp(name, "--canary") == 0;

	if (first && (plan->share || json_array_size(plan->steps)))
		plan->wrong = "--canary: given twice: --then names the shares after the first";
	else if (!first && !plan->share && !json_array_size(plan->steps))
		plan->wrong = "--then: --canary names the first share";
	else if (plan->share)
		plan->wrong = "--bake is missing: how long each share is watched, before the next --then";
	plan->share = share_of(value);
}

static void add_bake(struct plan *plan, const char *value)
{
	if (!plan->share)
		plan->wrong = "--bake: must follow the share that it is for (--canary or --then)";
	json_array_append_new(plan->steps, json_pack("{s:I, s:I}", "share", plan->share, "bake_s",
						     (json_int_t)duration_seconds(value)));
	plan->share = 0;
}

static void add_bound(struct plan *plan, const char *text)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
	json_object_set_new(plan->bounds, name, bound_value(strchr(text, '=') + 1));
}

static void take(struct plan *plan, const struct repeated *one)
{
	if (strcmp(one->name, "--canary") == 0 || strcmp(one->name, "--then") == 0)
		add_share(plan, one->name, one->value);
	else if (strcmp(one->name, "--bake") == 0)
		add_bake(plan, one->value);
	else if (strcmp(one->name, "--bound") == 0)
		add_bound(plan, one->value);
}

/* The last share is all: with a time, watched before the commit; without, the commit. */
static void check_end(struct plan *plan)
{
	size_t count = json_array_size(plan->steps);
	json_int_t last =
		plan->share ? plan->share : member_integer(json_array_get(plan->steps, count - 1), "share");

	if (!plan->wrong && last != ALL)
		plan->wrong = "--then: the last share must be 100%";
	else if (!plan->wrong && !count)
		plan->wrong = "--bake is missing: how long the share is watched";
}

int canary_params(const struct cli *cli, const struct invocation *invocation, json_t *params)
{
	struct plan plan = {.steps = json_array(), .bounds = json_object()};

	for (size_t i = 0; i < invocation->repeated_count && !plan.wrong; i++)
		take(&plan, &invocation->repeated[i]);
	if (plan.share || json_array_size(plan.steps))
		check_end(&plan);
	else if (!plan.wrong && json_object_size(plan.bounds))
		plan.wrong = "--bound: is for a canary: --canary names the first share";
	if (plan.wrong)
		fprintf(stderr, "%s: issu upgrade: %s\n", cli->name, plan.wrong);
	else if (json_array_size(plan.steps))
		json_object_set_new(params, "canary",
				    json_pack("{s:O, s:O}", "steps", plan.steps, "bounds", plan.bounds));
	json_decref(plan.steps);
	json_decref(plan.bounds);
	return plan.wrong ? CLI_USAGE : CLI_OK;
}

int canary_seconds(const json_t *params)
{
	json_int_t sum = 0;
	json_t *step;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(params, "canary"), "steps"), i, step) sum +=
		member_integer(step, "bake_s");
	return (int)sum;
}

void print_canary(const struct cli *cli, const json_t *canary)
{
	const char *state = member_string(canary, "state");
	char group[32], rest[32];

	if (!json_is_object(canary))
		return;
	if (strcmp(state, "running") != 0) {
		const char *reason = member_text(canary, "reason");

		printf("\nThe last canary, generation %lld: %s%s%s.\n",
		       (long long)member_integer(canary, "generation"), state, reason[0] ? ": " : "", reason);
		return;
	}
	printf("\nGeneration %lld is a canary: %.4g %% of the subscribers, step %lld of %lld, %lld s left; "
	       "%s packets, %s of the rest.\n",
	       (long long)member_integer(canary, "generation"),
	       (double)member_integer(canary, "share") * 100 / ALL, (long long)member_integer(canary, "step"),
	       (long long)member_integer(canary, "steps"),
	       (long long)member_integer(canary, "left_ms") / 1000,
	       count_text(cli, member_integer(canary, "packets"), group, sizeof(group)),
	       count_text(cli, member_integer(canary, "rest_packets"), rest, sizeof(rest)));
}
