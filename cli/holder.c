/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Replacing the holder by a new binary, in place: it answers before it does so, and what
 * came of it is read from the one that is there afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "print.h"
#include "run.h"

#define HOLDER_PROGRAM "/usr/sbin/bpfholder"
#define LOOKS          100 /* each 100 ms */

/* The status of the holder that came after so many. CLI_UNREACHABLE: it did not come. */
static int wait_for_next(const struct cli *cli, json_int_t execs, json_t **status)
{
	const struct timespec pause = {.tv_nsec = 100000000};

	for (int i = 0; i < LOOKS; i++) {
		struct rpc_client *client;
		struct rpc_result answer = {0};
		char path[4096];

		nanosleep(&pause, NULL);
		snprintf(path, sizeof(path), "%s/holder.sock", cli->state);
		if (rpc_client_open(path, CALL_TIMEOUT_MS, &client))
			continue;
		int error = rpc_call(client, "holder.status", NULL, NULL, 0, &answer);
		*status = error || answer.code ? NULL : json_incref(answer.value);
		rpc_result_done(&answer);
		rpc_client_close(client);
		if (*status && member_integer(*status, "execs") >= execs)
			return CLI_OK;
		json_decref(*status);
		*status = NULL;
	}
	fprintf(stderr, "%s: bpfholder was not replaced: see its log; ask \"%s holder status\"\n", cli->name,
		cli->name);
	return CLI_REFUSED;
}

int run_holder_upgrade(struct cli *cli, const struct invocation *invocation)
{
	const char *given = invocation_value(invocation, "--file");
	const char *file = given ? given : HOLDER_PROGRAM;
	struct rpc_client *client;
	json_t *begun = NULL, *after = NULL;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "%s: cannot open %s: %s\n", cli->name, file, strerror(errno));
		return CLI_USAGE;
	}
	int status = call_open(cli, SERVER_HOLDER, CALL_TIMEOUT_MS, &client);
	if (!status) {
		status = call_method(cli, client, "holder.exec", NULL, &fd, 1, &begun);
		rpc_client_close(client);
	}
	close(fd);
	if (!status)
		status = wait_for_next(cli, member_integer(begun, "execs"), &after);
	if (!status && cli->json)
		print_json(after);
	else if (!status)
		printf("bpfholder %s goes on as process %lld, with %zu sockets and %zu links as they were.\n",
		       member_string(after, "version"), (long long)member_integer(after, "pid"),
		       json_array_size(json_object_get(after, "sockets")),
		       json_array_size(json_object_get(after, "links")));
	json_decref(begun);
	json_decref(after);
	return status;
}
