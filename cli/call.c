/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One call: open, ask, print. The daemons' errors are written for people; what
 * they attach (the verifier's log, the field that differs) is shown below them.
 */
#include "call.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "print.h"

#define SILENCE_SECONDS 3

static const struct {
	const char *program;
	const char *socket;
} servers[] = {
	[SERVER_CONTROLD] = {"bng-controld", "control/controld.sock"},
	[SERVER_HOLDER] = {"bpfholder", "holder.sock"},
	[SERVER_SYNC] = {"bngsync", "control/bngsync.sock"},
};

/* The socket of a daemon that is away takes requests all the same, for its next start. */
static char silence[256];

static void on_silence(int number)
{
	ssize_t written = write(STDERR_FILENO, silence, strlen(silence));

	(void)number;
	(void)written;
}

static void listen_for_silence(const struct cli *cli, const char *program, int timeout_ms)
{
	if (cli->json) /* what comes is for programs */
		return;
	snprintf(silence, sizeof(silence),
		 "%s: %s has not answered yet; waiting for up to %d s (--timeout). Is it running? "
		 "systemctl status %s\n",
		 cli->name, program, timeout_ms / 1000, program);
	signal(SIGALRM, on_silence);
	alarm(SILENCE_SECONDS);
}

void call_waits_for(const struct cli *cli, const char *whom)
{
	if (!cli->json)
		snprintf(silence, sizeof(silence), "%s: %s\n", cli->name, whom);
}

void call_heard(void)
{
	alarm(0);
}

int call_open(const struct cli *cli, enum cli_server server, int timeout_ms, struct rpc_client **client)
{
	const char *program = servers[server].program;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", cli->state, servers[server].socket);
	timeout_ms = cli->timeout_ms ? cli->timeout_ms : timeout_ms;
	listen_for_silence(cli, program, timeout_ms);
	int err = rpc_client_open(path, timeout_ms, client);
	if (!err)
		return CLI_OK;
	call_heard();
	fprintf(stderr, "%s: cannot reach %s at %s: %s: %s\n", cli->name, program, path, strerror(-err),
		err == -EACCES ? "run this as root or as a member of group bng"
			       : "is it running, and is --state right?");
	return CLI_UNREACHABLE;
}

static void print_error_data(const struct cli *cli, const json_t *data)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)data, member, value)
	{
		const json_t *line;
		size_t i;
		if (cli->show_refused && cli->show_refused(cli, member, value))
			continue;
		if (!json_is_array(value)) {
			char *text = json_is_string(value) ? strdup(json_string_value(value))
							   : json_dumps(value, JSON_ENCODE_ANY);
			fprintf(stderr, "  %s: %s\n", member, text ? text : "");
			free(text);
			continue;
		}
		fprintf(stderr, "  %s:\n", member);
		json_array_foreach(value, i, line)
		{
			char text[VALUE_TEXT];
			const struct cli plain = {0};
			fprintf(stderr, "    %s\n",
				value_text(&plain, line, COLUMN_TEXT, text, sizeof(text)));
		}
	}
}

static void print_refusal(const struct cli *cli, const char *method, const struct rpc_result *answer)
{
	if (!cli->json) {
		fprintf(stderr, "%s: %s refused: %s\n", cli->name, method, answer->message);
		print_error_data(cli, answer->data);
		return;
	}
	json_t *error = json_pack("{s:i, s:s, s:O*}", "code", answer->code, "message", answer->message,
				  "data", answer->data);
	json_dumpf(error, stderr, JSON_INDENT(2));
	fputc('\n', stderr);
	json_decref(error);
}

int call_method(const struct cli *cli, struct rpc_client *client, const char *method, json_t *params,
		const int *fds, size_t fd_count, json_t **result)
{
	struct rpc_result answer;
	int status = CLI_OK;

	*result = NULL;
	int error = rpc_call(client, method, params, fds, fd_count, &answer);
	call_heard();
	if (error) {
		fprintf(stderr, "%s: %s\n", cli->name, answer.message);
		status = CLI_UNREACHABLE;
	} else if (answer.code) {
		print_refusal(cli, method, &answer);
		status = CLI_REFUSED;
	} else {
		*result = json_incref(answer.value);
	}
	rpc_result_done(&answer);
	return status;
}

int call_once(const struct cli *cli, enum cli_server server, const char *method, json_t *params,
	      json_t **result)
{
	struct rpc_client *client;
	int status = call_open(cli, server, CALL_TIMEOUT_MS, &client);

	if (status) {
		json_decref(params);
		return status;
	}
	status = call_method(cli, client, method, params, NULL, 0, result);
	rpc_client_close(client);
	return status;
}

int command_run(struct cli *cli, const struct invocation *invocation)
{
	const struct command *command = invocation->command;
	json_t *result;

	if (command->run)
		return command->run(cli, invocation);
	json_t *params = command->params ? command->params(invocation) : NULL;
	int status = call_once(cli, command->server, command->method, params, &result);
	if (status)
		return status;
	if (cli->json)
		print_json(result);
	else
		status = command->print(cli, result, invocation);
	json_decref(result);
	return status;
}
