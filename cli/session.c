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

#define PAGE 2000

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

/* {"id": 7}, {"address": "10.0.0.7"}, {"mac": ...} or {"user": ...}, by its form. */
static json_t *named(const char *name, bool may_be_address)
{
	uint8_t mac[6];
	uint32_t address_be;

	if (name[0] && strspn(name, "0123456789") == strlen(name))
		return json_pack("{s:I}", "id", (json_int_t)atoll(name));
	if (!mac_parse(name, mac))
		return json_pack("{s:s}", "mac", name);
	if (may_be_address && !address_parse(name, &address_be))
		return json_pack("{s:s}", "address", name);
	return json_pack("{s:s}", "user", name);
}

json_t *params_session(const struct invocation *invocation)
{
	return named(invocation_value(invocation, "ID|ADDRESS|MAC|USER"), true);
}

int run_trace(struct cli *cli, const struct invocation *invocation)
{
	return run_follow(cli, "session.trace", named(invocation_value(invocation, "ID|MAC|USER"), false),
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

/* A list of texts, or of anything else as JSON. */
static void print_list(const char *label, const json_t *list)
{
	char text[VALUE_TEXT] = "";
	const json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		char *dump = json_is_string(element) ? NULL : json_dumps(element, JSON_COMPACT);

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? ", " : "",
			 dump ? dump : json_string_value(element));
		free(dump);
	}
	print_fact(label, "%s", text[0] ? text : "-");
}

/* Objects in objects have their names before their members': "profile.interim_s". */
static void print_members(const struct cli *cli, const json_t *object, const char *prefix)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)object, member, value)
	{
		bool amount = strstr(member, "packets") || strstr(member, "bytes") ||
			      strstr(member, "drops") || strstr(member, "mappings");
		char text[VALUE_TEXT], label[64];

		snprintf(label, sizeof(label) - 1, "%s%s", prefix, member);
		if (!strcmp(member, "rate_up") || !strcmp(member, "rate_down")) {
			print_fact(label, "%s", rate_text(value, text, sizeof(text)));
		} else if (json_is_object(value)) {
			strcat(label, ".");
			print_members(cli, value, label);
		} else if (!json_is_array(value)) {
			print_fact(label, "%s",
				   value_text(cli, value, amount ? COLUMN_COUNT : COLUMN_TEXT, text,
					      sizeof(text)));
		} else if (prefix[0]) {
			print_list(label, value);
		}
	}
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
	print_members(cli, result, "");
	putchar('\n');
	print_table(cli, json_object_get(result, "blocks"), blocks);
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
