/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Rates of sessions, and the prefixes that are routed to them.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

char *rate_text(const json_t *rate, char *out, size_t size)
{
	static const char *const units[] = {"", "k", "M", "G"};
	double bits = (double)member_integer(rate, "bits_s");
	size_t unit = 0;

	for (; bits >= 1000 && unit < 3; unit++)
		bits /= 1000;
	if (!json_is_object(rate))
		snprintf(out, size, "unlimited");
	else if (member_integer(rate, "burst_bytes"))
		snprintf(out, size, "%.4g %sbit/s, burst %lld bytes", bits, units[unit],
			 (long long)member_integer(rate, "burst_bytes"));
	else /* as it was granted: the gateway chooses the burst */
		snprintf(out, size, "%.4g %sbit/s", bits, units[unit]);
	return out;
}

static void print_drop(const struct cli *cli, const char *label, const json_t *drops)
{
	char packets[32], bytes[32];

	print_fact(label, "%s packets, %s bytes",
		   count_text(cli, member_integer(drops, "packets"), packets, sizeof(packets)),
		   count_text(cli, member_integer(drops, "bytes"), bytes, sizeof(bytes)));
}

int print_qos(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	char rate[64], limited[32], sessions[32];

	(void)invocation;
	print_fact("default up", "%s", rate_text(json_object_get(result, "default_up"), rate, sizeof(rate)));
	print_fact("default down", "%s",
		   rate_text(json_object_get(result, "default_down"), rate, sizeof(rate)));
	print_fact("limited", "%s of %s sessions",
		   count_text(cli, member_integer(result, "limited"), limited, sizeof(limited)),
		   count_text(cli, member_integer(result, "sessions"), sessions, sizeof(sessions)));
	print_drop(cli, "dropped up", json_object_get(result, "drops_up"));
	print_drop(cli, "dropped down", json_object_get(result, "drops_down"));
	return CLI_OK;
}

json_t *params_routes(const struct invocation *invocation)
{
	return invocation_object(invocation, NULL);
}

/* A row of the table for each prefix. */
static void append_rows(json_t *rows, json_t *owner)
{
	json_t *prefix, *refused;
	size_t i;

	json_array_foreach(json_object_get(owner, "prefixes"), i, prefix)
	{
		json_array_append_new(rows, json_pack("{s:O, s:O, s:O, s:s}", "session",
						      json_object_get(owner, "session"), "address",
						      json_object_get(owner, "address"), "prefix", prefix,
						      "state", "routed"));
	}
	json_array_foreach(json_object_get(owner, "refused"), i, refused)
	{
		json_array_append_new(rows, json_pack("{s:O, s:O, s:O, s:s+}", "session",
						      json_object_get(owner, "session"), "address",
						      json_object_get(owner, "address"), "prefix",
						      json_object_get(refused, "prefix"), "state",
						      "refused: ", member_string(refused, "why")));
	}
}

int print_routes(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"SESSION", "session", COLUMN_NUMBER, NULL},
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{"PREFIX", "prefix", COLUMN_TEXT, NULL},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{0},
	};
	json_t *rows = json_array(), *owner;
	size_t i;
	int status;

	(void)invocation;
	json_array_foreach(json_object_get(result, "routes"), i, owner)
	{
		append_rows(rows, owner);
	}
	status = print_table(cli, rows, columns);
	if (json_object_get(result, "next"))
		printf("there are more; --limit asks for them\n");
	json_decref(rows);
	return status;
}
