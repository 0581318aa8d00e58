/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE: counters, and sessions that are on their way.
 */
#include <stdio.h>

#include "print.h"
#include "run.h"

json_t *params_limit(const struct invocation *invocation)
{
	return invocation_object(invocation, NULL);
}

int print_pppoe_stats(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	bool all = invocation_value(invocation, "--all");

	print_counters(cli, "received", json_object_get(result, "received"), true);
	print_counters(cli, "sent", json_object_get(result, "sent"), true);
	print_counters(cli, "refused", json_object_get(result, "refused"), all);
	print_counters(cli, "sessions", json_object_get(result, "sessions"), all);
	print_fact("PPPoE sessions", "%lld, of them %lld come up, go away or just came up",
		   (long long)member_integer(result, "peers"), (long long)member_integer(result, "setup"));
	return CLI_OK;
}

int print_pppoe_setup(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"INTERFACE", "interface", COLUMN_TEXT, NULL},
		{"VLAN", NULL, COLUMN_TEXT, vlan_text},
		{"MAC", "mac", COLUMN_TEXT, NULL},
		{"PPPOE", "pppoe_session", COLUMN_NUMBER, NULL},
		{"PHASE", "phase", COLUMN_TEXT, NULL},
		{"AGE", "age_s", COLUMN_NUMBER, NULL},
		{"USER", "user", COLUMN_TEXT, NULL},
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{0},
	};

	(void)invocation;
	return print_table(cli, json_object_get(result, "setups"), columns);
}
