/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How public addresses are, and what is done about those in trouble.
 */
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "run.h"

json_t *params_steering(const struct invocation *invocation)
{
	return invocation_object(invocation, NULL);
}

json_t *params_steering_set(const struct invocation *invocation)
{
	return json_pack("{s:s}", "mode", invocation_value(invocation, "MODE"));
}

static void score_text(const struct cli *cli, const json_t *address, char *out, size_t size)
{
	const json_t *score = json_object_get(address, "score");

	(void)cli;
	if (json_is_number(score))
		snprintf(out, size, "%.0f", json_number_value(score));
}

static const char *status_color(const json_t *address)
{
	const char *status = member_string(address, "status");

	if (!strcmp(status, "healthy"))
		return "green";
	if (!strcmp(status, "pressured"))
		return "yellow";
	return strcmp(status, "degraded") ? NULL : "red";
}

static void print_pool_head(const struct cli *cli, const json_t *pool, const char *mode)
{
	size_t addresses = json_array_size(json_object_get(pool, "addresses"));
	char subscribers[32], head[256];

	count_text(cli, member_integer(pool, "subscribers"), subscribers, sizeof(subscribers));
	snprintf(head, sizeof(head), "pool %s (%zu public address%s, %s subscribers)",
		 member_string(pool, "name"), addresses, addresses == 1 ? "" : "es", subscribers);
	printf("%-60s steering: %s\n", head, mode);
}

/* How many would move, and what keeps the others. */
static void print_pool_foot(const struct cli *cli, const json_t *pool, const char *mode)
{
	static const struct {
		const char *member;
		const char *text;
	} others[] = {
		{"eligible", "eligible"},
		{"held_down", "held down"},
		{"no_margin", "without a target that is better by the margin"},
		{"no_room", "without a target that has room"},
	};
	char count[32];

	printf("%s subscribers would move",
	       count_text(cli, member_integer(pool, "would_move"), count, sizeof(count)));
	if (strcmp(mode, "enforce"))
		printf(" (enforce is off)");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (member_integer(pool, others[i].member))
			printf(", %s %s",
			       count_text(cli, member_integer(pool, others[i].member), count, sizeof(count)),
			       others[i].text);
	printf("\n");
}

int print_reputation(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{"SCORE", NULL, COLUMN_NUMBER, score_text},
		{"STATUS", "status", COLUMN_TEXT, NULL},
		{"FAIL/s", "failures_per_s", COLUMN_NUMBER, NULL},
		{"LIMIT/s", "limit_hits_per_s", COLUMN_NUMBER, NULL},
		{"DROP/s", "drops_per_s", COLUMN_NUMBER, NULL},
		{"SUBSCRIBERS", "subscribers", COLUMN_COUNT, NULL},
		{0},
	};
	const char *mode = member_string(result, "mode");
	const json_t *pool;
	int status = CLI_OK;
	size_t i;

	(void)invocation;
	json_array_foreach(json_object_get(result, "pools"), i, pool)
	{
		printf("%s", i ? "\n" : "");
		print_pool_head(cli, pool, mode);
		if (!status)
			status = print_table_colored(cli, json_object_get(pool, "addresses"), columns,
						     status_color);
		print_pool_foot(cli, pool, mode);
	}
	return status;
}

static void print_policy(const json_t *policy)
{
	static const struct {
		const char *label;
		const char *member;
		const char *text;
	} facts[] = {
		{"threshold", "threshold", "a score; subscribers of an address below it may move"},
		{"pressured below", "pressured_below", ""},
		{"degraded below", "degraded_below", ""},
		{"interval", "interval_seconds", "s"},
		{"half-life", "half_life_seconds", "s"},
		{"share", "share_per_interval", "of a pool's subscribers in an interval, at most"},
		{"hold-down", "hold_down_seconds", "s"},
		{"margin", "stability_margin", "points that a target must be better by, to move again"},
		{"fill", "max_fill", "of a target's port blocks, at most"},
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		print_fact(facts[i].label, "%g %s",
			   json_number_value(json_object_get(policy, facts[i].member)), facts[i].text);
}

static void print_weights(const json_t *weights)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)weights, member, value)
	{
		char label[64];

		snprintf(label, sizeof(label), "weight of %s", member);
		print_fact(label, "%g", json_number_value(value));
	}
}

static int print_moves(struct cli *cli, const char *title, const json_t *moves, json_int_t total,
		       const struct column *columns)
{
	char count[32];

	printf("\n%s: %s\n", title, count_text(cli, total, count, sizeof(count)));
	if (!json_array_size(moves))
		return CLI_OK;
	if (total > (json_int_t)json_array_size(moves))
		printf("%zu of them, --limit asks for more:\n", json_array_size(moves));
	return print_table(cli, moves, columns);
}

int print_steering(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"WHEN", "time", COLUMN_TEXT, NULL},
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{"POOL", "pool", COLUMN_TEXT, NULL},
		{"FROM", "from", COLUMN_TEXT, NULL},
		{"TO", "to", COLUMN_TEXT, NULL},
		{"WHY", "why", COLUMN_TEXT, NULL},
		{"SESSION", "session", COLUMN_NUMBER, NULL},
		{0},
	};
	const json_t *policy = json_object_get(result, "policy");
	const char *mode = member_string(result, "mode");
	int status;

	(void)invocation;
	print_fact("mode", "%s (configured: %s)", mode, member_string(result, "configured"));
	print_fact("next round", "in %.1f s", json_number_value(json_object_get(result, "next_round_s")));
	print_policy(policy);
	print_weights(json_object_get(policy, "weights"));
	status = print_moves(cli, strcmp(mode, "enforce") ? "would move (enforce is off)" : "move next",
			     json_object_get(result, "pending"), member_integer(result, "pending_total"),
			     columns + 1);
	if (!status)
		status = print_moves(cli, "moved", json_object_get(result, "moves"),
				     member_integer(result, "moves_total"), columns);
	return status;
}

int print_steering_set(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	(void)cli;
	(void)invocation;
	printf("steering: %s (was %s)\n", member_string(result, "mode"), member_string(result, "was"));
	return CLI_OK;
}
