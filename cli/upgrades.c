/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What upgrades leave behind: the list of them, and each one's report.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "print.h"
#include "run.h"

static void swap_text(const struct cli *cli, const json_t *record, char *out, size_t size)
{
	(void)cli;
	snprintf(out, size, "%lld -> %lld", (long long)member_integer(record, "from"),
		 (long long)member_integer(record, "to"));
}

static void gap_text(const struct cli *cli, const json_t *record, char *out, size_t size)
{
	const json_t *gap = json_object_get(record, "longest_gap_us");

	(void)cli;
	if (json_is_integer(gap))
		snprintf(out, size, "%.1f ms", (double)json_integer_value(gap) / 1000);
	else
		snprintf(out, size, "-");
}

/* Its first word; why is told of a single record. */
static void canary_text(const struct cli *cli, const json_t *record, char *out, size_t size)
{
	const char *canary = member_string(record, "canary");

	(void)cli;
	snprintf(out, size, "%.*s", (int)strcspn(canary, ":"), canary);
}

static void caller_text(const struct cli *cli, const json_t *record, char *out, size_t size)
{
	(void)cli;
	if (json_is_integer(json_object_get(record, "uid")))
		snprintf(out, size, "uid %lld, process %lld", (long long)member_integer(record, "uid"),
			 (long long)member_integer(record, "pid"));
	else
		snprintf(out, size, "-");
}

static int print_record(const struct cli *cli, const json_t *record)
{
	const json_t *report = json_object_get(record, "report"), *step;
	char text[VALUE_TEXT];
	size_t i;

	swap_text(cli, record, text, sizeof(text));
	print_fact(member_string(record, "kind"), "%s, generation %s, %s", member_string(record, "time"),
		   text, member_string(record, "name"));
	print_fact("outcome", "%s%s%s", member_string(record, "outcome"),
		   member_text(record, "detail")[0] ? ": " : "", member_text(record, "detail"));
	caller_text(cli, record, text, sizeof(text));
	print_fact("by", "%s", text);
	print_fact("trial", "%s", member_string(record, "trial"));
	print_fact("canary", "%s", member_string(record, "canary"));
	json_array_foreach(json_object_get(report, "steps"), i, step) issu_step(cli, step);
	print_migrating_maps(cli, json_object_get(json_object_get(report, "migration"), "maps"));
	print_differences(cli, json_object_get(report, "verify"));
	if (json_object_get(report, "hitless"))
		issu_report(cli, strcmp(member_string(record, "kind"), "rollback") ? "UPGRADE" : "ROLLBACK",
			    report);
	return CLI_OK;
}

static int print_list(const struct cli *cli, const json_t *result)
{
	static const struct column columns[] = {
		{"N", "number", COLUMN_NUMBER, NULL},   {"TIME", "time", COLUMN_TEXT, NULL},
		{"KIND", "kind", COLUMN_TEXT, NULL},    {"GENERATION", NULL, COLUMN_TEXT, swap_text},
		{"NAME", "name", COLUMN_TEXT, NULL},    {"OUTCOME", "outcome", COLUMN_TEXT, NULL},
		{"LOST", "lost", COLUMN_COUNT, NULL},   {"GAP", NULL, COLUMN_TEXT, gap_text},
		{"TRIAL", "trial", COLUMN_TEXT, NULL},  {"CANARY", NULL, COLUMN_TEXT, canary_text},
		{"BY", NULL, COLUMN_TEXT, caller_text}, {0},
	};
	int status = print_table(cli, json_object_get(result, "records"), columns);

	if (!status && !json_is_true(json_object_get(result, "whole")))
		printf("\nbngsync is away: older records are shown, and these numbered behind them, when it "
		       "is "
		       "back.\n");
	return status;
}

int run_history(struct cli *cli, const struct invocation *invocation)
{
	json_t *result, *params = NULL;
	int status;

	if (invocation->rest_count) {
		const struct argument number = {"N", ARGUMENT_NUMBER, "", 1, INT32_MAX, NULL};
		char error[256];

		if (invocation->rest_count > 1 ||
		    argument_check(&number, invocation->rest[0], error, sizeof(error))) {
			fprintf(stderr, "%s: issu history: %s\n", cli->name,
				invocation->rest_count > 1 ? "one number, or none" : error);
			return CLI_USAGE;
		}
		params = json_pack("{s:I}", "number", (json_int_t)strtoll(invocation->rest[0], NULL, 10));
	}
	status = call_once(cli, SERVER_CONTROLD, "issu.history", params, &result);
	if (status)
		return status;
	if (cli->json)
		print_json(result);
	else if (invocation->rest_count)
		status = print_record(cli, json_array_get(json_object_get(result, "records"), 0));
	else
		status = print_list(cli, result);
	json_decref(result);
	return status;
}
