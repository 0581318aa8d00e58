/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Pools, port blocks and mappings.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

#define SHOWN_DEFAULT 1000

/* {"filter": {...}, "limit": n} from the options. */
json_t *params_filter(const struct invocation *invocation)
{
	static const char *const not_in_filter[] = {"--limit", NULL};

	return json_pack("{s:o, s:I}", "filter", invocation_object(invocation, not_in_filter), "limit",
			 (json_int_t)invocation_number(invocation, "--limit", SHOWN_DEFAULT));
}

int print_pools(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{"ENABLED", "enabled", COLUMN_TEXT, NULL},
		{"BLOCKS", "blocks", COLUMN_COUNT, NULL},
		{"BY RULE", "deterministic", COLUMN_COUNT, NULL},
		{"FREE", "free", COLUMN_COUNT, NULL},
		{"HELD", "held", COLUMN_COUNT, NULL},
		{"GIVEN OUT", "allocations", COLUMN_COUNT, NULL},
		{"NONE FREE", "alloc_failures", COLUMN_COUNT, NULL},
		{"LIMIT HITS", "limit_hits", COLUMN_COUNT, NULL},
		{"DROPS", "drops", COLUMN_COUNT, NULL},
		{"FELL BACK", "fallbacks", COLUMN_COUNT, NULL},
		{0},
	};
	const json_t *pool;
	size_t i;
	int status = CLI_OK;

	(void)invocation;
	json_array_foreach(json_object_get(result, "pools"), i, pool)
	{
		printf("%spool %s: %s, %lld ports a block, %zu addresses\n", i ? "\n" : "",
		       member_string(pool, "name"), member_string(pool, "mode"),
		       (long long)member_integer(pool, "block_size"),
		       json_array_size(json_object_get(pool, "addresses")));
		if (!status)
			status = print_table(cli, json_object_get(pool, "addresses"), columns);
	}
	return status;
}

static void print_shown(const struct cli *cli, const json_t *result, const json_t *array)
{
	char shown[32], total[32];

	if (member_integer(result, "total") > (json_int_t)json_array_size(array))
		printf("%s of %s shown; --limit asks for more\n",
		       count_text(cli, (json_int_t)json_array_size(array), shown, sizeof(shown)),
		       count_text(cli, member_integer(result, "total"), total, sizeof(total)));
}

int print_blocks(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"PUBLIC", "public", COLUMN_TEXT, NULL},
		{"FIRST", "first", COLUMN_NUMBER, NULL},
		{"LAST", "last", COLUMN_NUMBER, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{"SESSION", "session", COLUMN_NUMBER, NULL},
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{"MAPPINGS", "mappings", COLUMN_COUNT, NULL},
		{"SINCE", "since", COLUMN_TEXT, NULL},
		{"DETERMINISTIC", "deterministic", COLUMN_TEXT, NULL},
		{0},
	};
	const json_t *blocks = json_object_get(result, "blocks");
	int status = print_table(cli, blocks, columns);

	(void)invocation;
	print_shown(cli, result, blocks);
	return status;
}

int print_mappings(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"PROTOCOL", "protocol", COLUMN_TEXT, NULL},  {"INNER", "inner", COLUMN_TEXT, NULL},
		{"PORT", "inner_port", COLUMN_NUMBER, NULL},  {"PUBLIC", "public", COLUMN_TEXT, NULL},
		{"PORT", "public_port", COLUMN_NUMBER, NULL}, {"STATE", "state", COLUMN_TEXT, NULL},
		{"IDLE", "idle_s", COLUMN_COUNT, NULL},       {"EXPIRES", "expires_s", COLUMN_COUNT, NULL},
		{"SESSION", "session", COLUMN_NUMBER, NULL},  {0},
	};
	const json_t *mappings = json_object_get(result, "mappings");
	int status = print_table(cli, mappings, columns);

	(void)invocation;
	print_shown(cli, result, mappings);
	return status;
}

int print_tunnels(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"PROTOCOL", "protocol", COLUMN_TEXT, NULL},
		{"INNER", "inner", COLUMN_TEXT, NULL},
		{"PUBLIC", "public", COLUMN_TEXT, NULL},
		{"REMOTE", "remote", COLUMN_TEXT, NULL},
		{"EXPIRES", "expires_s", COLUMN_COUNT, NULL},
		{"SESSION", "session", COLUMN_NUMBER, NULL},
		{0},
	};
	const json_t *tunnels = json_object_get(result, "tunnels");
	int status = print_table(cli, tunnels, columns);

	(void)invocation;
	print_shown(cli, result, tunnels);
	return status;
}

/* ADDRESS, PROTOCOL and INNER-PORT, and what options there are. */
json_t *params_forward(const struct invocation *invocation)
{
	json_t *params = invocation_object(invocation, NULL);

	json_object_set_new(params, "address", json_string(invocation_value(invocation, "ADDRESS")));
	json_object_set_new(params, "protocol", json_string(invocation_value(invocation, "PROTOCOL")));
	json_object_set_new(params, "inner_port",
			    json_integer(invocation_number(invocation, "INNER-PORT", 0)));
	return params;
}

json_t *params_forwards(const struct invocation *invocation)
{
	return invocation_object(invocation, NULL);
}

int print_forward(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	(void)cli;
	(void)invocation;
	printf("%s %s:%lld -> %s:%lld %s\n", member_string(result, "protocol"),
	       member_string(result, "public"), (long long)member_integer(result, "public_port"),
	       member_string(result, "address"), (long long)member_integer(result, "inner_port"),
	       member_string(result, "state"));
	return CLI_OK;
}

int print_forwards(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"PROTOCOL", "protocol", COLUMN_TEXT, NULL},
		{"PUBLIC", "public", COLUMN_TEXT, NULL},
		{"PORT", "public_port", COLUMN_NUMBER, NULL},
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{"PORT", "inner_port", COLUMN_NUMBER, NULL},
		{"ORIGIN", "origin", COLUMN_TEXT, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{"SESSION", "session", COLUMN_NUMBER, NULL},
		{0},
	};

	(void)invocation;
	return print_table(cli, json_object_get(result, "forwards"), columns);
}

json_t *params_pcp(const struct invocation *invocation)
{
	return invocation_object(invocation, NULL);
}

static void print_counted(const struct cli *cli, const char *name, json_int_t count)
{
	char text[32];

	if (count)
		print_fact(name, "%s", count_text(cli, count, text, sizeof(text)));
}

int print_pcp(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"ADDRESS", "address", COLUMN_TEXT, NULL},    {"PROTOCOL", "protocol", COLUMN_TEXT, NULL},
		{"PORT", "inner_port", COLUMN_NUMBER, NULL},  {"PUBLIC", "public", COLUMN_TEXT, NULL},
		{"PORT", "public_port", COLUMN_NUMBER, NULL}, {"LIFETIME", "lifetime_s", COLUMN_COUNT, NULL},
		{"SESSION", "session", COLUMN_NUMBER, NULL},  {0},
	};
	const json_t *mappings = json_object_get(result, "mappings");
	int status = print_table(cli, mappings, columns);
	const char *member;
	json_t *value;

	(void)invocation;
	print_shown(cli, result, mappings);
	printf("\n");
	json_object_foreach(json_object_get(result, "results"), member, value)
		print_counted(cli, member, json_integer_value(value));
	print_counted(cli, "dropped", member_integer(result, "dropped"));
	print_counted(cli, "announced", member_integer(result, "announced"));
	return status;
}

int print_blocklog(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"DESTINATION", "name", COLUMN_TEXT, NULL}, {"TARGET", "target", COLUMN_TEXT, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},      {"SENT", "sent", COLUMN_COUNT, NULL},
		{"QUEUED", "queued", COLUMN_COUNT, NULL},   {"LOST", "lost", COLUMN_COUNT, NULL},
		{"ERROR", "error", COLUMN_TEXT, NULL},      {0},
	};
	const json_t *destinations = json_object_get(result, "destinations");
	char text[32];

	(void)invocation;
	if (!json_array_size(destinations)) {
		printf("port blocks are not logged: /cgnat/log of the configuration names no destination\n");
		return CLI_OK;
	}
	print_fact("records", "%s", count_text(cli, member_integer(result, "records"), text, sizeof(text)));
	print_fact("kept for each", "%s",
		   count_text(cli, member_integer(result, "queue_records"), text, sizeof(text)));
	print_fact("events lost", "%s",
		   count_text(cli, member_integer(result, "events_lost"), text, sizeof(text)));
	printf("\n");
	return print_table(cli, destinations, columns);
}

int print_held(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"QUEUE", "name", COLUMN_TEXT, NULL},
		{"HELD", "held", COLUMN_COUNT, NULL},
		{"ROOM", "room", COLUMN_COUNT, NULL},
		{"BYTES", "bytes", COLUMN_COUNT, NULL},
		{"RELEASED", "released", COLUMN_COUNT, NULL},
		{"EXPIRED", "expired", COLUMN_COUNT, NULL},
		{"REPEATED", "repeated", COLUMN_COUNT, NULL},
		{"REFUSED", "refused", COLUMN_COUNT, NULL},
		{0},
	};
	char text[32];

	(void)invocation;
	print_fact("lost", "%s", count_text(cli, member_integer(result, "lost"), text, sizeof(text)));
	printf("\n");
	return print_table(cli, json_object_get(result, "queues"), columns);
}
