/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A connection's life: read, cut into lines, dispatch; write what is queued; end.
 * Whatever changes what may happen next activates `kick`, and on_kick() alone
 * decides: free it, go on reading, or close it.
 */
#include "lib/rpc_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void kick(struct rpc_peer *peer)
{
	event_active(peer->kick, 0, 0);
}

static void die(struct rpc_peer *peer)
{
	if (peer->dead)
		return;
	peer->dead = true;
	event_del(peer->readable);
	event_del(peer->writable);
	kick(peer);
}

static void drop_message(struct rpc_peer *peer)
{
	struct rpc_message *message = STAILQ_FIRST(&peer->queue);
	STAILQ_REMOVE_HEAD(&peer->queue, next);
	peer->backlog -= message->length;
	rpc_fds_close(&message->fds);
	free(message->data);
	free(message);
}

static bool may_read(const struct rpc_peer *peer)
{
	return !peer->dead && peer->backlog <= rpc_server_backlog(peer->server) / 2 &&
	       peer->pending < RPC_PENDING_MAX;
}

static void pump(struct rpc_peer *peer)
{
	const char *line;
	size_t length;
	struct rpc_fds fds;
	while (may_read(peer) && rpc_reader_next(&peer->reader, &line, &length, &fds))
		rpc_server_dispatch(peer->server, peer, line, length, &fds);
	if (!may_read(peer)) {
		event_del(peer->readable);
	} else if (!peer->ended) {
		event_add(peer->readable, NULL);
	} else if (!peer->pending && STAILQ_EMPTY(&peer->queue)) {
		die(peer);
	}
}

static const char *limit_text(int error)
{
	switch (error) {
	case -EMSGSIZE:
		return "the line is longer than 16 MiB: disconnected";
	case -E2BIG:
		return "more than 32 descriptors came with one line: disconnected";
	case -EMFILE:
		return "no descriptor is free here for those that came with the line: disconnected";
	}
	return NULL;
}

static void on_readable(evutil_socket_t fd, short events, void *context)
{
	(void)events;
	struct rpc_peer *peer = context;
	int status = rpc_reader_fill(&peer->reader, fd);
	if (status == -EAGAIN)
		return;
	if (status < 0 && !limit_text(status)) {
		die(peer);
		return;
	}
	if (status <= 0) {
		peer->ended = true;
		event_del(peer->readable);
	}
	if (status < 0) {
		rpc_reader_done(&peer->reader);
		rpc_peer_fail(peer, NULL, RPC_LIMIT, NULL, limit_text(status));
	}
	pump(peer);
}

/* False when there was no way to send all. */
static bool send_queue(struct rpc_peer *peer, int fd)
{
	while (!STAILQ_EMPTY(&peer->queue)) {
		struct rpc_message *message = STAILQ_FIRST(&peer->queue);
		size_t fd_count = message->sent ? 0 : message->fds.count;
		ssize_t sent = rpc_wire_send(fd, message->data + message->sent,
					     message->length - message->sent, message->fds.fd, fd_count);
		if (sent == -EAGAIN)
			return false;
		if (sent < 0) {
			die(peer);
			return false;
		}
		message->sent += (size_t)sent;
		if (message->sent == message->length)
			drop_message(peer);
	}
	event_del(peer->writable);
	return true;
}

static void on_writable(evutil_socket_t fd, short events, void *context)
{
	(void)events;
	struct rpc_peer *peer = context;
	bool all = send_queue(peer, fd);
	if (!peer->dead && peer->above && peer->backlog <= rpc_server_low_mark(peer->server)) {
		peer->above = false;
		rpc_server_drained(peer->server, peer);
	}
	if (all)
		pump(peer);
}

static void close_peer(struct rpc_peer *peer)
{
	peer->closed = true;
	rpc_server_closed(peer->server, peer);
	while (!STAILQ_EMPTY(&peer->queue))
		drop_message(peer);
	rpc_reader_done(&peer->reader);
	close(peer->fd);
	peer->fd = -1;
}

static void on_kick(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct rpc_peer *peer = context;
	if (!peer->dead)
		pump(peer);
	if (peer->dead && !peer->closed)
		close_peer(peer);
	if (peer->closed && !peer->pending)
		rpc_peer_free(peer);
}

void rpc_peer_answered(struct rpc_peer *peer)
{
	peer->pending--;
	if (peer->dead || peer->ended || peer->pending == RPC_PENDING_MAX - 1)
		kick(peer);
}

/* What is left after a first attempt to send, with duplicates of the descriptors. */
static int enqueue(struct rpc_peer *peer, char *line, size_t length, size_t sent, const int *fds,
		   size_t fd_count)
{
	struct rpc_message *message = calloc(1, sizeof(*message));
	if (!message)
		return -ENOMEM;
	for (size_t i = 0; i < fd_count && !sent; i++) {
		int copy = fcntl(fds[i], F_DUPFD_CLOEXEC, 0);
		if (copy < 0) {
			int error = -errno;
			rpc_fds_close(&message->fds);
			free(message);
			return error;
		}
		message->fds.fd[message->fds.count++] = copy;
	}
	message->data = line;
	message->length = length;
	message->sent = sent;
	STAILQ_INSERT_TAIL(&peer->queue, message, next);
	peer->backlog += length;
	peer->above = peer->above || peer->backlog > rpc_server_low_mark(peer->server);
	event_add(peer->writable, NULL);
	return 0;
}

void rpc_peer_send(struct rpc_peer *peer, char *line, size_t length, const int *fds, size_t fd_count)
{
	ssize_t sent = 0;
	if (!line || peer->dead || peer->backlog > rpc_server_backlog(peer->server)) {
		die(peer);
		free(line);
		return;
	}
	if (STAILQ_EMPTY(&peer->queue))
		sent = rpc_wire_send(peer->fd, line, length, fds, fd_count);
	if (sent == -EAGAIN)
		sent = 0;
	if (sent >= 0 && (size_t)sent < length && !enqueue(peer, line, length, (size_t)sent, fds, fd_count))
		return;
	if (sent < 0 || (size_t)sent < length)
		die(peer);
	free(line);
}

void rpc_peer_fail(struct rpc_peer *peer, json_t *id, int code, json_t *data, const char *message)
{
	json_t *error =
		json_pack("{s:i, s:o*, s:o*}", "code", code, "message", rpc_text(message), "data", data);
	json_t *reply = json_pack("{s:s, s:O?, s:o*}", "jsonrpc", "2.0", "id", id, "error", error);
	size_t length = 0;
	char *line = rpc_wire_line(reply, &length);
	json_decref(reply);
	rpc_peer_send(peer, line, length, NULL, 0);
}

static int read_credentials(int fd, struct rpc_credentials *credentials)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	socklen_t group_bytes = 0;
	gid_t *groups = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &group_bytes) && errno == ERANGE) {
		groups = malloc(group_bytes);
		if (!groups)
			return -ENOMEM;
		if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &group_bytes))
			group_bytes = 0;
	}
	*credentials = (struct rpc_credentials){.pid = peer.pid,
						.uid = peer.uid,
						.gid = peer.gid,
						.groups = groups,
						.group_count = groups ? group_bytes / sizeof(gid_t) : 0};
	return 0;
}

struct rpc_peer *rpc_peer_new(struct rpc_server *server, int fd)
{
	struct rpc_peer *peer = calloc(1, sizeof(*peer));
	if (!peer) {
		close(fd);
		return NULL;
	}
	struct event_base *base = rpc_server_base(server);
	peer->server = server;
	peer->fd = fd;
	STAILQ_INIT(&peer->queue);
	LIST_INIT(&peer->requests);
	peer->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, peer);
	peer->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, peer);
	peer->kick = event_new(base, -1, 0, on_kick, peer);
	if (peer->readable && peer->writable && peer->kick && !read_credentials(fd, &peer->credentials) &&
	    !event_add(peer->readable, NULL))
		return peer;
	rpc_peer_free(peer);
	return NULL;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void rpc_peer_free(struct rpc_peer *peer)
{
	struct rpc_request *request;
	LIST_FOREACH(request, &peer->requests, next)
	request->peer = NULL;
	if (peer->next.le_prev)
		LIST_REMOVE(peer, next);
	while (!STAILQ_EMPTY(&peer->queue))
		drop_message(peer);
	rpc_reader_done(&peer->reader);
	free_event(peer->readable);
	free_event(peer->writable);
	free_event(peer->kick);
	if (peer->fd >= 0)
		close(peer->fd);
	free((gid_t *)peer->credentials.groups);
	free(peer);
}
