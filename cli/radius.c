/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * RADIUS servers, and whether a user gets in. A password is read from the terminal, or
 * from standard input: never from the command line, which everybody can see.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "call.h"
#include "print.h"
#include "run.h"

#define PASSWORD_TEXT   256
#define ATTRIBUTE_WIDTH 31
#define TEST_TIMEOUT_MS 300000 /* every server, every try */

static void rtt_text(const struct cli *cli, const json_t *object, char *out, size_t size)
{
	const json_t *rtt = json_object_get(object, "rtt_ms");

	(void)cli;
	if (json_is_number(rtt))
		snprintf(out, size, "%.1f ms", json_number_value(rtt));
	else
		snprintf(out, size, "-");
}

static void state_text(const struct cli *cli, const json_t *object, char *out, size_t size)
{
	double dead_s = json_number_value(json_object_get(object, "dead_s"));

	(void)cli;
	if (dead_s > 0)
		snprintf(out, size, "%s (%.0f s)", member_string(object, "state"), dead_s);
	else
		snprintf(out, size, "%s", member_string(object, "state"));
}

static void address_text(const struct cli *cli, const json_t *object, char *out, size_t size)
{
	(void)cli;
	snprintf(out, size, "%s:%lld,%lld", member_string(object, "address"),
		 (long long)member_integer(object, "port"), (long long)member_integer(object, "acct_port"));
}

static void print_queue(const struct cli *cli, const json_t *result)
{
	static const char *const members[] = {"waiting", "refused", "no_server", "unanswered",
					      "adopted", "lost",    "orphaned",  "unexpected"};

	printf("%-20s", "requests");
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		char text[32];

		printf("%s %s %s", i ? "," : "", members[i],
		       count_text(cli, member_integer(result, members[i]), text, sizeof(text)));
	}
	printf("\n\n");
}

int print_radius_servers(struct cli *cli, const json_t *result, const struct invocation *invocation)
{
	static const struct column columns[] = {
		{"SERVER", "name", COLUMN_TEXT, NULL},
		{"ADDRESS", NULL, COLUMN_TEXT, address_text},
		{"STATE", NULL, COLUMN_TEXT, state_text},
		{"RTT", NULL, COLUMN_NUMBER, rtt_text},
		{"OUTSTANDING", "outstanding", COLUMN_COUNT, NULL},
		{"REQUESTS", "requests", COLUMN_COUNT, NULL},
		{"AGAIN", "retransmissions", COLUMN_COUNT, NULL},
		{"ACCEPTS", "accepts", COLUMN_COUNT, NULL},
		{"REJECTS", "rejects", COLUMN_COUNT, NULL},
		{"CHALLENGES", "challenges", COLUMN_COUNT, NULL},
		{"ACCOUNTED", "accounted", COLUMN_COUNT, NULL},
		{"TIMEOUTS", "timeouts", COLUMN_COUNT, NULL},
		{"FORGED", "bad_authenticator", COLUMN_COUNT, NULL},
		{"UNSIGNED", "no_message_authenticator", COLUMN_COUNT, NULL},
		{"MALFORMED", "malformed", COLUMN_COUNT, NULL},
		{"UNEXPECTED", "unexpected", COLUMN_COUNT, NULL},
		{0},
	};
	const json_t *server;
	size_t i;
	int status;

	(void)invocation;
	print_queue(cli, result);
	status = print_table(cli, json_object_get(result, "servers"), columns);
	json_array_foreach(json_object_get(result, "servers"), i, server)
	{
		if (!json_is_true(json_object_get(server, "message_authenticator")))
			printf("\n%s: WARNING: replies without Message-Authenticator are believed\n",
			       member_string(server, "name"));
	}
	return status;
}

/* The first line of standard input; on a terminal, nothing of it is shown. */
static bool read_password(const struct cli *cli, const char *user, char *password, size_t size)
{
	bool terminal = isatty(STDIN_FILENO), good;
	struct termios shown, hidden;

	if (terminal && tcgetattr(STDIN_FILENO, &shown))
		terminal = false;
	if (terminal) {
		fprintf(stderr, "password of %s: ", user);
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	good = fgets(password, (int)size, stdin);
	if (terminal) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (good)
		password[strcspn(password, "\n")] = '\0';
	else
		fprintf(stderr, "%s: radius test: no password on standard input\n", cli->name);
	return good;
}

/* What the attributes mean. */
static void print_profile(const struct cli *cli, const json_t *result)
{
	const json_t *profile = json_object_get(result, "profile"), *trouble;
	size_t i;

	if (json_object_size(profile))
		printf("a session would have\n");
	print_tree(cli, profile, "  ", ATTRIBUTE_WIDTH);
	json_array_foreach(json_object_get(result, "troubles"), i, trouble)
		printf("WARNING: %s\n", json_string_value(trouble));
	if (json_is_true(json_object_get(result, "denied")))
		printf("a session would be DENIED for it\n");
}

static int print_answer(const struct cli *cli, const json_t *result)
{
	const char *outcome = member_string(result, "outcome");
	const char *server = json_string_value(json_object_get(result, "server"));
	json_int_t tries = member_integer(result, "tries");
	double ms = json_number_value(json_object_get(result, "ms"));
	const json_t *attribute;
	size_t i;

	if (server)
		printf("%s from %s, %.1f ms, %lld %s\n", outcome, server, ms, (long long)tries,
		       tries == 1 ? "try" : "tries");
	else
		printf("%s: no server has answered within %.1f s: bngcli radius servers\n", outcome,
		       ms / 1000);
	json_array_foreach(json_object_get(result, "attributes"), i, attribute)
		printf("  %-*s %s\n", ATTRIBUTE_WIDTH, member_string(attribute, "name"),
		       member_string(attribute, "value"));
	print_profile(cli, result);
	return strcmp(outcome, "accept") ? CLI_REFUSED : CLI_OK;
}

int run_radius_test(struct cli *cli, const struct invocation *invocation)
{
	const char *user = invocation_value(invocation, "USER");
	const char *method = invocation_value(invocation, "--method");
	bool is_line = method && !strcmp(method, "line");
	char password[PASSWORD_TEXT] = "";
	struct rpc_client *client;
	json_t *result, *params;
	int status;

	if (!is_line && !read_password(cli, user, password, sizeof(password)))
		return CLI_USAGE;
	params = json_pack("{s:s, s:s, s:s}", "user", user, "password", password, "method",
			   method ? method : "pap");
	explicit_bzero(password, sizeof(password));
	if (!params) {
		fprintf(stderr, "%s: radius test: user and password must be UTF-8\n", cli->name);
		return CLI_USAGE;
	}
	status = call_open(cli, SERVER_CONTROLD, TEST_TIMEOUT_MS, &client);
	if (status) {
		json_decref(params);
		return status;
	}
	call_waits_for(cli, "no answer yet: each RADIUS server has its tries (bngcli radius servers)");
	status = call_method(cli, client, "radius.test", params, NULL, 0, &result);
	rpc_client_close(client);
	if (status)
		return status;
	if (cli->json)
		print_json(result);
	status = cli->json ? strcmp(member_string(result, "outcome"), "accept") ? CLI_REFUSED : CLI_OK
			   : print_answer(cli, result);
	json_decref(result);
	return status;
}
