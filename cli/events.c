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
	const char *member;
	json_t *value;

	printf("%s %s", member_string(event, "time"), member_string(event, "type"));
	json_object_foreach((json_t *)event, member, value)
	{
		char text[VALUE_TEXT];
		if (strcmp(member, "time") != 0 && strcmp(member, "type") != 0)
			printf(" %s=%s", member, value_text(cli, value, COLUMN_TEXT, text, sizeof(text)));
	}
	putchar('\n');
}

static int follow(const struct cli *cli, struct rpc_client *client, int64_t count)
{
	json_t *notification;

	for (int64_t i = 0; i < count; i++) {
		if (rpc_client_next(client, -1, &notification) <= 0) {
			fprintf(stderr, "%s: events follow: the connection ended\n", cli->name);
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

int run_events(struct cli *cli, const struct invocation *invocation)
{
	struct rpc_client *client;
	json_t *result;
	int status = call_open(cli, SERVER_CONTROLD, CALL_TIMEOUT_MS, &client);

	if (status)
		return status;
	status = call_method(cli, client, "events.follow", NULL, NULL, 0, &result);
	json_decref(result);
	if (!status)
		status = follow(cli, client, invocation_number(invocation, "--count", INT64_MAX));
	rpc_client_close(client);
	return status;
}
