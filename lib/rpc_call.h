/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A method as a plain function: it reads its parameters, sets a result or a
 * problem, and returns. Checking, answering and cleaning up are done here.
 */
#ifndef BNG_LIB_RPC_CALL_H
#define BNG_LIB_RPC_CALL_H

#include "lib/json.h"
#include "lib/problem.h"
#include "lib/rpc.h"

struct rpc_call {
	struct rpc_request *request;
	const json_t *params; /* an object, empty when there were none */
	struct json_reader reader;
	json_t *result; /* NULL: {} */
	int fds[RPC_FDS_MAX];
	size_t fd_count; /* to send; closed afterwards */
	struct problem problem;
};

/* 0, or not 0 and a problem. */
typedef int rpc_function(struct rpc_call *call, void *context);

struct rpc_call_row {
	const char *name;
	rpc_function *function;
	size_t fd_count;            /* descriptors that must come with the line */
	const char *const *members; /* of params; no others are taken; ends with NULL */
};
void rpc_call_run(struct rpc_request *request, void *context, const struct rpc_call_row *row);
/* What the parameters' reader found wrong, as a problem; 0 when it found nothing. */
int rpc_call_check(struct rpc_call *call);
/* Sends a descriptor with the answer (a negative one is an -errno about `what`). */
int rpc_call_send_fd(struct rpc_call *call, int fd, const char *what);

#endif
