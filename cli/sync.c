/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What bngsync keeps: the store, the topics, and who is behind.
 */
#include <stdio.h>
#include <string.h>

#include "print.h"
#include "run.h"

static void print_room(const struct cli *cli, const json_t *store)
{
	json_int_t most = member_integer(store, "max_bytes");
	char free_bytes[32], disk[32], limit[32];

	print_fact("disk", "%s of %s bytes free, --max-bytes %s",
		   count_text(cli, member_integer(store, "disk_free"), free_bytes, sizeof(free_bytes)),
		   count_text(cli, member_integer(store, "disk_bytes"), disk, sizeof(disk)),
		   most ? count_text(cli, most, limit, sizeof(limit)) : "not given");
}

static void print_store(const struct cli *cli, const json_t *store)
{
	const char *error = json_string_value(json_object_get(store, "error"));
	json_int_t damaged = member_integer(store, "damaged"), foreign = member_integer(store, "foreign");
	char bytes[32], rows[32], commits[32];

	print_fact("store", "%s, %s, %s bytes", member_string(store, "file"), member_string(store, "state"),
		   count_text(cli, member_integer(store, "bytes"), bytes, sizeof(bytes)));
	print_room(cli, store);
	print_fact("written", "%s records in %s commits, %lld refused",
		   count_text(cli, member_integer(store, "rows_written"), rows, sizeof(rows)),
		   count_text(cli, member_integer(store, "commits"), commits, sizeof(commits)),
		   (long long)member_integer(store, "errors"));
	if (damaged)
		print_fact("DAMAGED", "%lld rows: their records are missing", (long long)damaged);
	if (foreign)
		print_fact("kept", "%lld rows of topics that this version does not know", (long long)foreign);
	if (error)
		print_fact("ERROR", "%s", error);
}

int print_sync(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column topics[] = {
		{"TOPIC", "name", COLUMN_TEXT, NULL},          {"RECORDS", "records", COLUMN_COUNT, NULL},
		{"BYTES", "bytes", COLUMN_COUNT, NULL},        {"REVISION", "revision", COLUMN_COUNT, NULL},
		{"DELETED", "tombstones", COLUMN_COUNT, NULL}, {0},
	};
	static const struct column subscribers[] = {
		{"SUBSCRIBER", "pid", COLUMN_NUMBER, NULL},     {"TOPIC", "topic", COLUMN_TEXT, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},          {"LAG", "lag", COLUMN_COUNT, NULL},
		{"UNSENT", "unsent", COLUMN_COUNT, NULL},       {"PAUSES", "pauses", COLUMN_COUNT, NULL},
		{"FALLBACKS", "fallbacks", COLUMN_COUNT, NULL}, {0},
	};
	char up[32];

	(void)invocation;
	print_fact("bngsync", "%s, process %lld, up %s since %s", member_string(result, "version"),
		   (long long)member_integer(result, "pid"),
		   duration_text((double)member_integer(result, "uptime_ns") / 1e9, up, sizeof(up)),
		   member_string(result, "started"));
	print_store(cli, json_object_get(result, "store"));
	putchar('\n');
	int status = print_table(cli, json_object_get(result, "topics"), topics);
	putchar('\n');
	if (!status && json_array_size(json_object_get(result, "subscribers")))
		return print_table(cli, json_object_get(result, "subscribers"), subscribers);
	printf("nobody reads: is bng-controld running?\n");
	return status;
}
