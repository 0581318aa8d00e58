/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an upgrade would do: everything that is checked before the swap, as tables, and
 * nothing changed.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "print.h"
#include "run.h"

static void print_programs(const struct cli *cli, const json_t *report)
{
	static const struct column columns[] = {
		{"PROGRAM", "name", COLUMN_TEXT, NULL},
		{"TYPE", "type", COLUMN_TEXT, NULL},
		{"VERIFIED", "verified", COLUMN_COUNT, NULL},
		{"BYTES", "bytes", COLUMN_COUNT, NULL},
		{0},
	};

	putchar('\n');
	print_table(cli, json_object_get(report, "programs"), columns);
}

/* Those that stay as they are only fill the screen. */
static void print_maps_changed(const struct cli *cli, const json_t *report)
{
	static const struct column columns[] = {
		{"MAP", "name", COLUMN_TEXT, NULL},
		{"RESULT", "result", COLUMN_TEXT, NULL},
		{"DETAIL", "detail", COLUMN_TEXT, NULL},
		{0},
	};
	json_t *changed = json_array(), *map;
	size_t i;

	json_array_foreach(json_object_get(report, "maps"), i, map)
	{
		const char *result = member_string(map, "result");

		if (strcmp(result, "same") != 0 && strcmp(result, "scratch") != 0 &&
		    strcmp(result, "migrate") != 0)
			json_array_append(changed, map);
	}
	if (json_array_size(changed)) {
		putchar('\n');
		print_table(cli, changed, columns);
	}
	json_decref(changed);
}

static void allowed_text(const struct cli *cli, const json_t *object, char *out, size_t size)
{
	(void)cli;
	snprintf(out, size, "%s", json_is_true(json_object_get(object, "allowed")) ? "yes" : "no");
}

void print_differences(const struct cli *cli, const json_t *verify)
{
	static const struct column columns[] = {
		{"DIFFERENCE", "kind", COLUMN_TEXT, NULL}, {"NAME", "name", COLUMN_TEXT, NULL},
		{"COUNT", "count", COLUMN_COUNT, NULL},    {"ALLOWED", NULL, COLUMN_TEXT, allowed_text},
		{"FIRST", "example", COLUMN_TEXT, NULL},   {0},
	};
	const json_t *differences = json_object_get(verify, "differences");

	if (!json_array_size(differences))
		return;
	putchar('\n');
	print_table(cli, differences, columns);
}

/* "generation 1 -> 2 on access0, core0" */
static void print_links(const json_t *report)
{
	const json_t *link, *from = json_object_get(report, "from");
	size_t i;

	printf("generation %lld -> %lld on", (long long)member_integer(from, "generation"),
	       (long long)member_integer(report, "generation"));
	json_array_foreach(json_object_get(report, "links"), i, link)
	{
		printf("%s %s", i ? "," : "", member_string(link, "interface"));
	}
}

static void print_plan(const struct cli *cli, const json_t *report)
{
	print_programs(cli, report);
	print_maps_changed(cli, report);
	print_migrating_maps(cli, json_object_get(report, "maps"));
	print_differences(cli, json_object_get(report, "verify"));
	if (json_is_true(json_object_get(report, "possible"))) {
		printf("\nPLAN: possible%s, ",
		       json_is_true(json_object_get(report, "bridge")) ? " by issu migrate" : "");
		print_links(report);
		printf(". Nothing was changed.\n");
	} else {
		printf("\nPLAN: would be refused: %s. Nothing was changed.\n",
		       member_string(report, "reason"));
	}
}

int run_plan(struct cli *cli, const struct invocation *invocation)
{
	json_t *params, *report;
	int fd = issu_object(cli, invocation, &params), status;

	if (fd < 0)
		return CLI_USAGE;
	status = issu_call(cli, "issu.plan", params, &fd, 1, &report);
	close(fd);
	if (status)
		return status;
	status = json_is_true(json_object_get(report, "possible")) ? CLI_OK : CLI_REFUSED;
	if (cli->json)
		print_json(report);
	else
		print_plan(cli, report);
	json_decref(report);
	return status;
}
