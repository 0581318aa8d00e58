/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the RADIUS servers were told about sessions, and what waits to be told.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

static json_t *rows_of(const json_t *result)
{
	static const char *const columns[] = {"made", "delivered", "waiting"};
	json_t *rows = json_array(), *count;
	const char *kind;

	json_object_foreach(json_object_get(result, columns[0]), kind, count)
	{
		json_t *row = json_pack("{s:s}", "kind", kind);

		for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
			json_object_set(row, columns[i],
					json_object_get(json_object_get(result, columns[i]), kind));
		json_array_append_new(rows, row);
	}
	return rows;
}

static void print_counts(const struct cli *cli, const json_t *result)
{
	static const char *const members[] = {"sent",    "under_way", "failed",   "stalls",
					      "dropped", "refused",   "sessions", "spool_max"};

	printf("%-20s", "requests");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char text[32];

		printf("%s %s %s", i ? "," : "", members[i],
		       count_text(cli, member_integer(result, members[i]), text, sizeof(text)));
	}
	printf("\n\n");
}

static void print_room(const struct cli *cli, const json_t *result)
{
	const json_t *most = json_object_get(result, "bytes_max");
	const char *overfull = json_string_value(json_object_get(result, "overfull"));
	char bytes[32], text[32] = "as much as the disk has";

	if (json_is_integer(most))
		count_text(cli, json_integer_value(most), text, sizeof(text));
	printf("%-20s %s of %s bytes\n", "spool",
	       count_text(cli, member_integer(result, "bytes"), bytes, sizeof(bytes)), text);
	if (overfull)
		printf("%-20s more waits than /accounting/%s allows: Start and Stop are kept, interim "
		       "records are dropped\n",
		       "OVERFULL", overfull);
}

int print_accounting(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"RECORD", "kind", COLUMN_TEXT, NULL},
		{"MADE", "made", COLUMN_COUNT, NULL},
		{"DELIVERED", "delivered", COLUMN_COUNT, NULL},
		{"WAITING", "waiting", COLUMN_COUNT, NULL},
		{0},
	};
	const json_t *oldest = json_object_get(result, "oldest_s");
	json_t *rows = rows_of(result);
	int status;

	(void)invocation;
	printf("%-20s %s", "accounting", member_string(result, "state"));
	if (json_is_integer(oldest))
		printf(", the oldest record waits for %lld s", (long long)json_integer_value(oldest));
	if (!json_is_true(json_object_get(result, "durable")))
		printf(", bngsync is away: records are in memory");
	printf("\n");
	print_room(cli, result);
	print_counts(cli, result);
	status = print_table(cli, rows, columns);
	json_decref(rows);
	return status;
}
