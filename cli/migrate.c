/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Migrations: asking for one, and how far it is. The next start of bng-controld does it.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "print.h"
#include "run.h"

static void entries_text(const struct cli *cli, const json_t *map, char *out, size_t size)
{
	char old[32], new[32];

	snprintf(out, size, "%s -> %s", count_text(cli, member_integer(map, "entries_old"), old, sizeof(old)),
		 count_text(cli, member_integer(map, "entries_new"), new, sizeof(new)));
}

static void layout_text(const struct cli *cli, const json_t *map, char *out, size_t size)
{
	const char *detail = member_text(map, "detail");

	(void)cli;
	snprintf(out, size, "%s%s", detail[0] ? "another: " : "the same", detail);
}

void print_migrating_maps(const struct cli *cli, const json_t *maps)
{
	static const struct column columns[] = {
		{"MAP", "name", COLUMN_TEXT, NULL},
		{"ENTRIES", NULL, COLUMN_TEXT, entries_text},
		{"LAYOUT", NULL, COLUMN_TEXT, layout_text},
		{0},
	};
	json_t *moving = json_array(), *map;
	size_t i;

	json_array_foreach(maps, i, map)
	{
		if (json_object_get(map, "entries_new"))
			json_array_append(moving, map);
	}
	if (json_array_size(moving)) {
		putchar('\n');
		print_table(cli, moving, columns);
	}
	json_decref(moving);
}

static const struct state_words {
	const char *state, *words;
} states[] = {
	{"moving", "moves entries into its maps as packets need them, and all others by itself"},
	{"done", "has moved every entry; an upgrade to the ordinary object ends it: bngcli issu upgrade"},
	{"failed",
	 "FOUND A DIFFERENCE between what was there and what was moved; it goes on, the old maps are kept"},
};

static const char *words_of(const char *state)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!strcmp(states[i].state, state))
			return states[i].words;
	return state;
}

void print_migration(const struct cli *cli, const json_t *status)
{
	const json_t *migration = json_object_get(status, "migration");
	const json_t *asked = json_object_get(status, "migrate_to");
	char moved[32], entries[32];

	if (json_is_integer(asked))
		printf("\nGeneration %lld is a bridge: the next start of bng-controld migrates to it.\n",
		       (long long)json_integer_value(asked));
	if (!json_is_object(migration))
		return;
	printf("\nGeneration %lld is a bridge: it %s.\n", (long long)member_integer(migration, "generation"),
	       words_of(member_string(migration, "state")));
	printf("%s of %s entries moved in %lld ms, opened in %lld us.\n",
	       count_text(cli, member_integer(migration, "moved"), moved, sizeof(moved)),
	       count_text(cli, member_integer(migration, "entries"), entries, sizeof(entries)),
	       (long long)member_integer(migration, "move_ms"),
	       (long long)member_integer(migration, "opening_us"));
	if (member_text(migration, "reason")[0])
		printf("bpfholder says: %s\n", member_string(migration, "reason"));
	print_migrating_maps(cli, json_object_get(migration, "maps"));
}

static void print_asked(const struct cli *cli, const json_t *report)
{
	print_migrating_maps(cli, json_object_get(report, "maps"));
	printf("\nMIGRATE: begins with the next start of bng-controld (systemctl restart bng-controld). "
	       "Nothing was "
	       "changed yet; \"%s issu migrate cancel\" takes it back.\n",
	       cli->name);
}

int run_migrate(struct cli *cli, const struct invocation *invocation)
{
	const char *given = invocation_value(invocation, "FILE");
	json_t *params, *report;
	int fd = issu_file(cli, invocation, given ? given : BRIDGE_OBJECT, &params), status;

	if (fd < 0)
		return CLI_USAGE;
	status = issu_call(cli, "issu.migrate", params, &fd, 1, &report);
	close(fd);
	if (status)
		return status;
	if (cli->json)
		print_json(report);
	else
		print_asked(cli, report);
	json_decref(report);
	return CLI_OK;
}

int print_migrate_cancelled(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	(void)cli;
	(void)invocation;
	printf("Generation %lld is gone; nothing will be migrated.\n",
	       (long long)member_integer(result, "generation"));
	return CLI_OK;
}
