/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What happens, as it happens: one line for each event, until interrupted.
 */
#include <stdio.h>
#include <string.h>

#include "call.h"
#include "print.h"
#include "run.h"

static void print_event(const struct cli *cli, const json_t *event)
{
	bool is_trace = json_object_get(event, "text");
	const char *member;
	json_t *value;

	printf("%s %s", member_string(event, "time"), member_string(event, is_trace ? "text" : "type"));
	json_object_foreach((json_t *)event, member, value)
	{
		char text[VALUE_TEXT];
		if (strcmp(member, "time") != 0 && strcmp(member, is_trace ? "text" : "type") != 0)
			printf(" %s=%s", member, value_text(cli, value, COLUMN_TEXT, text, sizeof(text)));
	}
	putchar('\n');
}

static int follow(const struct cli *cli, const char *method, struct rpc_client *client, int64_t count)
{
	json_t *notification;

	for (int64_t i = 0; i < count; i++) {
		if (rpc_client_next(client, -1, &notification) <= 0) {
			fprintf(stderr, "%s: %s: the connection ended\n", cli->name, method);
			return CLI_UNREACHABLE;
		}
		const json_t *event = json_object_get(notification, "params");
		if (cli->json) {
			json_dumpf(event, stdout, JSON_COMPACT | JSON_REAL_PRECISION(15));
			putchar('\n');
		} else {
			print_event(cli, event);
		}
		fflush(stdout);
		json_decref(notification);
	}
	return CLI_OK;
}

int run_follow(struct cli *cli, const char *method, json_t *params, int64_t count)
{
	struct rpc_client *client;
	json_t *result;
	int status = call_open(cli, SERVER_CONTROLD, CALL_TIMEOUT_MS, &client);

	if (status) {
		json_decref(params);
		return status;
	}
	status = call_method(cli, client, method, params, NULL, 0, &result);
	json_decref(result);
	if (!status)
		status = follow(cli, method, client, count);
	rpc_client_close(client);
	return status;
}

int run_events(struct cli *cli, const struct invocation *invocation)
{
	return run_follow(cli, "events.follow", NULL, invocation_number(invocation, "--count", INT64_MAX));
}
