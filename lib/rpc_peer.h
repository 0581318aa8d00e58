/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One connection of the server in lib/rpc.h.
 *
 * Invariants:
 *  1. A peer is freed only from its own `kick` event or with the server, never
 *     inside a call that a handler made: a handler may use it until it returns.
 *  2. A request points to its peer until it is answered; a peer that hung up
 *     stays in memory (dead) until its last request is.
 *  3. Reading stops while half the permitted backlog is unsent or too many
 *     requests wait, so a peer's memory is bounded whatever it sends.
 */
#ifndef BNG_LIB_RPC_PEER_H
#define BNG_LIB_RPC_PEER_H

#include <event2/event.h>
#include <sys/queue.h>

#include "lib/rpc.h"
#include "lib/rpc_wire.h"

#define RPC_PENDING_MAX 128 /* requests of one peer that wait for their answer */

struct rpc_message {
	STAILQ_ENTRY(rpc_message) next;
	char *data;
	size_t length;
	size_t sent;
	struct rpc_fds fds;
};

struct rpc_peer {
	LIST_ENTRY(rpc_peer) next;
	struct rpc_server *server;
	int fd;
	struct rpc_credentials credentials;
	struct rpc_reader reader;
	STAILQ_HEAD(, rpc_message) queue;
	size_t backlog;
	LIST_HEAD(, rpc_request) requests;
	size_t pending;
	unsigned topics;
	bool above;  /* the low mark: on_drained is due when it is reached */
	bool ended;  /* nothing more is read: end of stream, or it broke a limit */
	bool dead;   /* nothing more is sent either */
	bool closed; /* on_close was called and the descriptor is gone */
	struct event *readable;
	struct event *writable;
	struct event *kick;
};

struct rpc_request {
	LIST_ENTRY(rpc_request) next;
	struct rpc_peer *peer;
	json_t *document;
	json_t *id;     /* NULL: the caller wants no answer */
	json_t *params; /* borrowed from document */
	char *text;     /* of the parameters instead, for a text method */
	struct rpc_fds fds;
};

/* Takes `fd` in every case; NULL when there is no memory for it. */
struct rpc_peer *rpc_peer_new(struct rpc_server *server, int fd);
void rpc_peer_free(struct rpc_peer *peer);
/* Queues or sends one line; steals `line`. Too slow a peer is marked dead. */
void rpc_peer_send(struct rpc_peer *peer, char *line, size_t length, const int *fds, size_t fd_count);
/* A request of this peer was answered. */
void rpc_peer_answered(struct rpc_peer *peer);
/* An error reply; `id` may be NULL, `data` is stolen. */
void rpc_peer_fail(struct rpc_peer *peer, json_t *id, int code, json_t *data, const char *message);

/* In rpc_server.c: */
struct event_base *rpc_server_base(const struct rpc_server *server);
size_t rpc_server_backlog(const struct rpc_server *server);
size_t rpc_server_low_mark(const struct rpc_server *server);
void rpc_server_drained(struct rpc_server *server, struct rpc_peer *peer);
void rpc_server_closed(struct rpc_server *server, struct rpc_peer *peer);
/* Runs the call in one line; takes the descriptors. */
void rpc_server_dispatch(struct rpc_server *server, struct rpc_peer *peer, const char *line, size_t length,
			 struct rpc_fds *fds);

#endif
