/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Packet filters of sessions.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

/* A row of the table for each rule, and one for the default. */
static void append_rows(json_t *rows, json_t *filter)
{
	json_t *name = json_object_get(filter, "name"), *sessions = json_object_get(filter, "sessions");
	json_t *rule, *row;
	size_t i;

	json_array_foreach(json_object_get(filter, "rules"), i, rule)
	{
		row = json_pack("{s:O, s:O, s:I}", "filter", name, "sessions", sessions, "rule",
				(json_int_t)(i + 1));
		json_object_update(row, rule);
		json_array_append_new(rows, row);
	}
	json_array_append_new(rows,
			      json_pack("{s:O, s:O, s:s, s:O, s:O}", "filter", name, "sessions", sessions,
					"rule", "default", "action", json_object_get(filter, "default"),
					"packets", json_object_get(filter, "default_packets")));
}

int print_filters(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"FILTER", "filter", COLUMN_TEXT, NULL},       {"SESSIONS", "sessions", COLUMN_COUNT, NULL},
		{"RULE", "rule", COLUMN_TEXT, NULL},           {"ACTION", "action", COLUMN_TEXT, NULL},
		{"DIRECTION", "direction", COLUMN_TEXT, NULL}, {"PREFIX", "prefix", COLUMN_TEXT, NULL},
		{"PROTOCOL", "protocol", COLUMN_TEXT, NULL},   {"PORTS", "ports", COLUMN_TEXT, NULL},
		{"PACKETS", "packets", COLUMN_COUNT, NULL},    {0},
	};
	json_t *rows = json_array(), *filter;
	size_t i;
	int status;

	(void)invocation;
	json_array_foreach(json_object_get(result, "filters"), i, filter)
	{
		append_rows(rows, filter);
		if (json_is_false(json_object_get(filter, "configured")))
			printf("%s is not configured any more: it stays until no session has it\n",
			       member_string(filter, "name"));
	}
	status = print_table(cli, rows, columns);
	if (member_integer(result, "unknown"))
		printf("%lld logins and changes refused: their Filter-Id is not configured\n",
		       (long long)member_integer(result, "unknown"));
	if (member_integer(result, "closed"))
		printf("%lld sessions have a filter that is not configured: nothing passes\n",
		       (long long)member_integer(result, "closed"));
	json_decref(rows);
	return status;
}
