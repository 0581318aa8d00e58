/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions: the list comes in pages, so that no answer grows with the number of
 * subscribers; here they are one list again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "lib/address.h"
#include "print.h"
#include "run.h"

#define PAGE        2000
#define ID_DIGITS   18 /* what fits for certain; longer ones are names */
#define ACCT_DIGITS 16

static json_t *filter(const struct invocation *invocation)
{
	static const char *const others[] = {"--limit", "--in-state", NULL};
	json_t *object = invocation_object(invocation, others);
	const char *state = invocation_value(invocation, "--in-state");

	if (state)
		json_object_set_new(object, "state", json_string(state));
	return object;
}

/* Appends one page to `all`; *after moves on, -1 at the end. */
static int fetch_page(const struct cli *cli, struct rpc_client *client, const struct invocation *invocation,
		      json_int_t *after, json_int_t limit, json_t *all)
{
	json_t *params = json_pack("{s:o, s:I}", "filter", filter(invocation), "limit", limit);
	json_t *result;

	if (*after)
		json_object_set_new(params, "after", json_integer(*after));
	int status = call_method(cli, client, "session.list", params, NULL, 0, &result);
	if (status)
		return status;
	json_array_extend(all, json_object_get(result, "sessions"));
	const json_t *next = json_object_get(result, "next");
	*after = json_is_integer(next) && json_integer_value(next) > *after ? json_integer_value(next) : -1;
	json_decref(result);
	return CLI_OK;
}

static int fetch_sessions(const struct cli *cli, const struct invocation *invocation, json_t *all, bool *more)
{
	json_int_t limit = invocation_number(invocation, "--limit", INT64_MAX), after = 0;
	struct rpc_client *client;
	int status = call_open(cli, SERVER_CONTROLD, CALL_TIMEOUT_MS, &client);

	if (status)
		return status;
	while (!status && after >= 0) {
		json_int_t left = limit - (json_int_t)json_array_size(all);
		if (left <= 0)
			break;
		status = fetch_page(cli, client, invocation, &after, left < PAGE ? left : PAGE, all);
	}
	*more = after >= 0;
	rpc_client_close(client);
	return status;
}

static int print_sessions(const struct cli *cli, const json_t *sessions, bool more)
{
	static const struct column columns[] = {
		{"ID", "id", COLUMN_NUMBER, NULL},
		{"ADDRESS", "address", COLUMN_TEXT, NULL},
		{"USER", "user", COLUMN_TEXT, NULL},
		{"MAC", "mac", COLUMN_TEXT, NULL},
		{"INTERFACE", "interface", COLUMN_TEXT, NULL},
		{"VLAN", NULL, COLUMN_TEXT, vlan_text},
		{"STATE", "state", COLUMN_TEXT, NULL},
		{"KIND", "kind", COLUMN_TEXT, NULL},
		{"POOL", "pool", COLUMN_TEXT, NULL},
		{"MAPPINGS", "mappings", COLUMN_COUNT, NULL},
		{"UP BYTES", "up_bytes", COLUMN_COUNT, NULL},
		{"DOWN BYTES", "down_bytes", COLUMN_COUNT, NULL},
		{"DROPS", "drop_packets", COLUMN_COUNT, NULL},
		{0},
	};
	int status = print_table(cli, sessions, columns);

	if (more)
		printf("there are more; --limit asks for them\n");
	return status;
}

int run_sessions(struct cli *cli, const struct invocation *invocation)
{
	json_t *sessions = json_array();
	bool more;
	int status = fetch_sessions(cli, invocation, sessions, &more);

	if (!status && cli->json) {
		json_t *result = json_pack("{s:O}", "sessions", sessions);
		print_json(result);
		json_decref(result);
	} else if (!status) {
		status = print_sessions(cli, sessions, more);
	}
	json_decref(sessions);
	return status;
}

/* An id, or 0: it is none. Acct-Session-Id is the id in 16 hexadecimal digits, of which the
 * first is 0: no id begins so in decimal ones. */
static json_int_t id_of(const char *name)
{
	size_t length = strlen(name);

	if (length == ACCT_DIGITS && name[0] == '0' && strspn(name, "0123456789abcdefABCDEF") == length)
		return strtoll(name, NULL, 16);
	return length <= ID_DIGITS && strspn(name, "0123456789") == length ? strtoll(name, NULL, 10) : 0;
}

/* {"id": 7}, {"address": "10.0.0.7"}, {"mac": ...} or {"user": ...}, by its form; a user whose name
 * has that of another is user:NAME. */
json_t *params_session(const struct invocation *invocation)
{
	static const char user[] = "user:";
	const char *name = invocation_value(invocation, "ID|ADDRESS|MAC|USER");
	json_int_t id = id_of(name);
	uint8_t mac[6];
	uint32_t address_be;

	if (!strncmp(name, user, strlen(user)))
		return json_pack("{s:s}", "user", name + strlen(user));
	if (id)
		return json_pack("{s:I}", "id", id);
	if (!mac_parse(name, mac))
		return json_pack("{s:s}", "mac", name);
	if (!address_parse(name, &address_be))
		return json_pack("{s:s}", "address", name);
	return json_pack("{s:s}", "user", name);
}

int run_trace(struct cli *cli, const struct invocation *invocation)
{
	return run_follow(cli, "session.trace", params_session(invocation),
			  invocation_number(invocation, "--count", INT64_MAX));
}

json_t *params_session_add(const struct invocation *invocation)
{
	json_t *session = invocation_object(invocation, NULL);

	json_object_set_new(session, "address", json_string(invocation_value(invocation, "ADDRESS")));
	json_object_set_new(session, "mac", json_string(invocation_value(invocation, "MAC")));
	json_object_set_new(session, "interface", json_string(invocation_value(invocation, "INTERFACE")));
	return json_pack("{s:[o]}", "sessions", session);
}

int print_session(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column blocks[] = {
		{"PUBLIC", "public", COLUMN_TEXT, NULL},
		{"FIRST", "first", COLUMN_NUMBER, NULL},
		{"LAST", "last", COLUMN_NUMBER, NULL},
		{"MAPPINGS", "mappings", COLUMN_COUNT, NULL},
		{0},
	};
	static const struct column history[] = {
		{"TIME", "time", COLUMN_TEXT, NULL},
		{"WHAT HAPPENED", "text", COLUMN_TEXT, NULL},
		{0},
	};

	(void)invocation;
	print_tree(cli, result, "", LABEL_WIDTH);
	putchar('\n');
	if (json_array_size(json_object_get(result, "blocks")))
		print_table(cli, json_object_get(result, "blocks"), blocks);
	else
		printf("no port blocks\n");
	putchar('\n');
	return print_table(cli, json_object_get(result, "history"), history);
}

int print_disconnected(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	(void)cli;
	(void)invocation;
	printf("session %lld (%s) disconnected\n", (long long)member_integer(result, "id"),
	       member_string(result, "address"));
	return CLI_OK;
}

int print_added(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	const json_t *id = json_array_get(json_object_get(result, "ids"), 0);

	(void)cli;
	printf("session %lld (%s) added\n", (long long)json_integer_value(id),
	       invocation_value(invocation, "ADDRESS"));
	return CLI_OK;
}
