/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Talking to the daemons. What goes wrong is told here, once, on standard error;
 * the caller only passes the exit status on.
 */
#ifndef BNG_CLI_CALL_H
#define BNG_CLI_CALL_H

#include "command.h"
#include "lib/rpc.h"

#define CALL_TIMEOUT_MS    30000
#define UPGRADE_TIMEOUT_MS 300000

/* `timeout_ms` is what the command needs; --timeout wins. CLI_OK or CLI_UNREACHABLE. */
int call_open(const struct cli *cli, enum cli_server server, int timeout_ms, struct rpc_client **client);
/* Steals params. CLI_OK and *result (a new reference), else an exit status. */
int call_method(const struct cli *cli, struct rpc_client *client, const char *method, json_t *params,
		const int *fds, size_t fd_count, json_t **result);
/* One call to one server. */
int call_once(const struct cli *cli, enum cli_server server, const char *method, json_t *params,
	      json_t **result);

/* The server that was opened asks others: what is said instead, when nothing comes. */
void call_waits_for(const struct cli *cli, const char *whom);
/* Something came: nobody has to be told that nothing does. */
void call_heard(void);

/* Runs a checked command line: the exit status. */
int command_run(struct cli *cli, const struct invocation *invocation);

#endif
