/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Following what happens to one subscriber, also before there is a session: session_event()
 * tells, operators listen.
 */
#ifndef BNG_CONTROLD_SESSION_TRACE_H
#define BNG_CONTROLD_SESSION_TRACE_H

#include "controld/session/session.h"
#include "lib/rpc.h"

#define TRACE_FOLLOWERS 32

struct trace;

int trace_new(struct controld *controld);
void trace_free(struct controld *controld);
/* To whoever follows this session or this client. */
void trace_tell(struct controld *controld, uint64_t session_id, const struct session_client *client,
		const char *text);
/* Does anybody follow anything? */
bool trace_is_followed(const struct controld *controld);
/* `user` is who this client says it is, or is taken for: who follows that name follows the
 * client from now on, whether it gets a session or not. */
void trace_asked(struct controld *controld, const struct session_client *client, const char *user);
/* {id}, {address}, {mac} or {user}: until the connection ends. */
void trace_handle(struct rpc_request *request, void *controld);

#endif
