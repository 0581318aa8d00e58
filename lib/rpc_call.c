/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Whatever a function does, its call ends in exactly one answer.
 */
#include "lib/rpc_call.h"

#include <errno.h>
#include <unistd.h>

int rpc_call_check(struct rpc_call *call)
{
	if (json_reader_ok(&call->reader))
		return 0;
	return refuse(&call->problem, RPC_INVALID_PARAMS, NULL, "params%s", call->reader.error);
}

int rpc_call_send_fd(struct rpc_call *call, int fd, const char *what)
{
	if (fd >= 0 && call->fd_count < RPC_FDS_MAX) {
		call->fds[call->fd_count++] = fd;
		return 0;
	}
	if (fd == -ENOENT)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "%s: there is none of this name", what);
	if (fd < 0)
		return refuse_errno(&call->problem, fd, "%s", what);
	close(fd);
	return refuse(&call->problem, RPC_LIMIT, NULL, "an answer carries at most %d descriptors",
		      RPC_FDS_MAX);
}

void rpc_call_run(struct rpc_request *request, void *context, const struct rpc_call_row *row)
{
	const json_t *params = rpc_params(request);
	struct rpc_call call = {.request = request,
				.params = params ? json_incref((json_t *)params) : json_object()};
	json_reader_init(&call.reader);
	problem_context(&call.problem, "%s", row->name);
	json_read_only(&call.reader, call.params, row->members);
	int error = rpc_call_check(&call);
	if (!error && rpc_fd_count(request) != row->fd_count)
		error = refuse(&call.problem, RPC_INVALID_PARAMS, NULL,
			       "%zu descriptors came with the line, expected %zu", rpc_fd_count(request),
			       row->fd_count);
	if (!error)
		error = row->function(&call, context);
	json_decref((json_t *)call.params);
	if (error) {
		json_decref(call.result);
		rpc_fail(request, call.problem.code ? call.problem.code : RPC_INTERNAL, call.problem.data,
			 "%s", call.problem.text);
	} else {
		rpc_reply(request, call.result ? call.result : json_object(), call.fds, call.fd_count);
	}
	for (size_t i = 0; i < call.fd_count; i++)
		close(call.fds[i]);
}
