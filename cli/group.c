/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reuseport groups of the holder: who gets the datagrams of which flows.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

static void kept_text(const struct cli *cli, const json_t *row, char *out, size_t size)
{
	(void)cli;
	snprintf(out, size, "%lld/%lld", (long long)member_integer(row, "kept"),
		 (long long)member_integer(row, "sockets"));
}

static int print_group(const struct cli *cli, const json_t *group)
{
	static const struct column generations[] = {
		{"GENERATION", "generation", COLUMN_NUMBER, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{"KEPT", NULL, COLUMN_TEXT, kept_text},
		{"FLOWS", "flows", COLUMN_COUNT, NULL},
		{"EXPIRED", "expired", COLUMN_COUNT, NULL},
		{"DATAGRAMS", "datagrams", COLUMN_COUNT, NULL},
		{"FULL", "full", COLUMN_COUNT, NULL},
		{"STRAY", "stray", COLUMN_COUNT, NULL},
		{"UNREAD", "waiting_bytes", COLUMN_COUNT, NULL},
		{"OVERFLOWED", "overflowed", COLUMN_COUNT, NULL},
		{0},
	};
	char room[32], unrouted[32], gone[32];

	print_fact(member_string(group, "name"), "%s at %s, room for %s flows of %lld s",
		   member_string(group, "mode"), member_string(group, "address"),
		   count_text(cli, member_integer(group, "room"), room, sizeof(room)),
		   (long long)member_integer(group, "timeout_s"));
	print_fact("", "%s datagrams of generations that are gone, %s without any",
		   count_text(cli, member_integer(json_object_get(group, "gone"), "datagrams"), gone,
			      sizeof(gone)),
		   count_text(cli, member_integer(group, "unrouted"), unrouted, sizeof(unrouted)));
	return print_table(cli, json_object_get(group, "generations"), generations);
}

int print_groups(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	const json_t *groups = json_object_get(result, "groups"), *group;
	int status = CLI_OK;
	size_t i;

	(void)invocation;
	if (!json_array_size(groups))
		puts("no groups");
	json_array_foreach(groups, i, group)
	{
		if (i)
			putchar('\n');
		status = status ? status : print_group(cli, group);
	}
	return status;
}
