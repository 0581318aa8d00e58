/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A method as a plain function: its parameters are read and checked before it
 * runs, it sets a result or a problem and returns. Answering and cleaning up are
 * done here.
 */
#ifndef BNG_LIB_RPC_CALL_H
#define BNG_LIB_RPC_CALL_H

#include "lib/problem.h"
#include "lib/rpc.h"

#define RPC_ARGUMENTS_MAX 4
#define RPC_NAME_TEXT     64 /* of names and texts, with the terminator */
#define RPC_LONG_TEXT     512

#define RPC_CALL_FDS RPC_FDS_MAX /* at least one */

union rpc_argument {
	const char *text;  /* NULL when absent */
	json_int_t number; /* -1 when absent */
	bool flag;
	const json_t *value; /* NULL when absent */
};

struct rpc_call {
	struct rpc_request *request;
	union rpc_argument argument[RPC_ARGUMENTS_MAX]; /* in the order of the row's parameters */
	json_t *result;                                 /* NULL: {} */
	int fds[RPC_FDS_MAX];
	size_t fd_count; /* to send; closed afterwards */
	struct problem problem;
};

struct rpc_call_row {
	const char *name;
	/* 0, or not 0 and a problem. */
	int (*function)(struct rpc_call *call, void *context);
	size_t fd_count; /* descriptors that must come with the line, or RPC_CALL_FDS */
	/* "name:n mode?:t": a letter says what a parameter is, '?' that it may be absent.
	 * n: 1-63 letters, digits, '.', '_', '-'; t: text of 1-63 bytes; l: of 1-511;
	 * s: of 1-16384;
	 * k: text of 1-255 visible ASCII characters but '"' and '\\'; i: the name of an
	 * interface; u: integer 0 or more; b: true or false; a: array of 1-64 texts; o: object. */
	const char *parameters;
};

void rpc_call_run(struct rpc_request *request, void *context, const struct rpc_call_row *row);

/* A table of methods from a list METHODS(X) of X(function, name, permission, fd_count,
 * parameters): METHODS(RPC_CALL_METHOD), then {METHODS(RPC_CALL_ROW){NULL, 0, NULL}}. */
#define RPC_CALL_METHOD(function, name, permission, fds, parameters)                                         \
	static void on_##function(struct rpc_request *request, void *context)                                \
	{                                                                                                    \
		rpc_call_run(request, context, &(struct rpc_call_row){name, function, fds, parameters});     \
	}
#define RPC_CALL_ROW(function, name, permission, ...) {name, permission, on_##function},

/* Letters, digits, '.', '_' and '-'. */
bool rpc_name_ok(const char *name);
/* What a string of JSON holds as it is, without escapes. */
#define RPC_KEY_MAX  255
#define RPC_KEY_RULE "1-255 visible ASCII characters other than '\"' and '\\'"
bool rpc_key_ok(const char *text, size_t length);
/* Sends a descriptor with the answer (a negative one is an -errno about `what`). */
int rpc_call_send_fd(struct rpc_call *call, int fd, const char *what);

#endif
