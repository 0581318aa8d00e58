/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Listening, accepting, and from a line to a handler to its answer. Connections
 * themselves are in rpc_peer.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/rpc_peer.h"

#define LISTEN_BACKLOG 64
#define MESSAGE_TEXT   4096

struct method_table {
	struct method_table *next;
	const struct rpc_method *methods;
	void *context;
};

struct rpc_server {
	struct event_base *base;
	const struct rpc_text_method *text_methods; /* or NULL */
	void *text_context;
	void (*drained)(struct rpc_peer *peer, void *context);
	void *drained_context;
	size_t low_mark;
	bool only_present;
	int fd;
	int spare_fd; /* given up for a moment to refuse a connection when none is free */
	struct event *acceptable;
	struct rpc_server_options options;
	struct method_table *tables;
	LIST_HEAD(, rpc_peer) peers;
	size_t peer_count; /* connections that are open */
};

static int bind_listen(int fd, const struct sockaddr_un *address, gid_t gid)
{
	unlink(address->sun_path);
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -errno;
	if (chown(address->sun_path, (uid_t)-1, gid) || chmod(address->sun_path, 0660) ||
	    listen(fd, LISTEN_BACKLOG)) {
		int error = -errno;
		unlink(address->sun_path);
		return error;
	}
	return 0;
}

int rpc_listen(const char *path, gid_t gid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);
	if (length < 0 || (size_t)length >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mode_t mask = umask(0177);
	int error = bind_listen(fd, &address, gid);
	umask(mask);
	if (!error && rename(address.sun_path, path)) {
		error = -errno;
		unlink(address.sun_path);
	}
	if (error)
		close(fd);
	return error ? error : fd;
}

static void refuse_connection(int fd)
{
	static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32005,\"message\":"
				   "\"too many connections: close one and try again\"}}\n";
	rpc_wire_send(fd, text, sizeof(text) - 1, NULL, 0);
	close(fd);
}

/* Without this a listening socket stays readable and the loop spins. */
static void refuse_with_spare(struct rpc_server *server)
{
	close(server->spare_fd);
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		refuse_connection(fd);
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static bool has_hung_up(int fd)
{
	struct pollfd peer = {.fd = fd};
	return poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP);
}

static void on_acceptable(evutil_socket_t listener, short events, void *context)
{
	(void)events;
	struct rpc_server *server = context;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && server->spare_fd >= 0)
		refuse_with_spare(server);
	if (fd < 0)
		return;
	if (server->only_present && has_hung_up(fd)) {
		close(fd);
		return;
	}
	if (server->peer_count >= server->options.max_peers) {
		refuse_connection(fd);
		return;
	}
	struct rpc_peer *peer = rpc_peer_new(server, fd);
	if (!peer)
		return;
	LIST_INSERT_HEAD(&server->peers, peer, next);
	server->peer_count++;
}

void rpc_server_only_present(struct rpc_server *server)
{
	server->only_present = true;
}

struct rpc_server *rpc_server_new(struct event_base *base, int fd, const struct rpc_server_options *options)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	if (!server)
		return NULL;
	server->base = base;
	server->options = *options;
	server->fd = -1;
	LIST_INIT(&server->peers);
	server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->acceptable = event_new(base, fd, EV_READ | EV_PERSIST, on_acceptable, server);
	if (server->spare_fd < 0 || !server->acceptable || event_add(server->acceptable, NULL) ||
	    (options->methods && rpc_server_add(server, options->methods, options->context))) {
		rpc_server_free(server);
		return NULL;
	}
	server->fd = fd;
	evutil_make_socket_nonblocking(fd);
	return server;
}

int rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, void *context)
{
	struct method_table *table = calloc(1, sizeof(*table));
	if (!table)
		return -ENOMEM;
	*table = (struct method_table){.next = server->tables, .methods = methods, .context = context};
	server->tables = table;
	return 0;
}

void rpc_server_add_text(struct rpc_server *server, const struct rpc_text_method *methods, void *context)
{
	server->text_methods = methods;
	server->text_context = context;
}

void rpc_server_on_drained(struct rpc_server *server, size_t low_mark,
			   void (*drained)(struct rpc_peer *peer, void *context), void *context)
{
	server->low_mark = low_mark;
	server->drained = drained;
	server->drained_context = context;
}

size_t rpc_server_low_mark(const struct rpc_server *server)
{
	return server->low_mark;
}

void rpc_server_drained(struct rpc_server *server, struct rpc_peer *peer)
{
	if (server->drained)
		server->drained(peer, server->drained_context);
}

void rpc_server_free(struct rpc_server *server)
{
	if (!server)
		return;
	while (!LIST_EMPTY(&server->peers))
		rpc_peer_free(LIST_FIRST(&server->peers));
	while (server->tables) {
		struct method_table *table = server->tables;
		server->tables = table->next;
		free(table);
	}
	if (server->acceptable)
		event_free(server->acceptable);
	if (server->fd >= 0)
		close(server->fd);
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	free(server);
}

struct event_base *rpc_server_base(const struct rpc_server *server)
{
	return server->base;
}

size_t rpc_server_backlog(const struct rpc_server *server)
{
	return server->options.max_peer_backlog;
}

void rpc_server_closed(struct rpc_server *server, struct rpc_peer *peer)
{
	server->peer_count--;
	if (server->options.on_close)
		server->options.on_close(peer, server->options.context);
}

static const struct rpc_method *find_method(const struct rpc_server *server, const char *name, void **context)
{
	for (const struct method_table *table = server->tables; table; table = table->next) {
		for (const struct rpc_method *method = table->methods; method->name; method++) {
			if (!strcmp(method->name, name)) {
				*context = table->context;
				return method;
			}
		}
	}
	return NULL;
}

static bool permitted(struct rpc_server *server, struct rpc_request *request, const char *name,
		      unsigned permission)
{
	const struct rpc_credentials *peer = &request->peer->credentials;
	if (!server->options.permit || server->options.permit(peer, permission, server->options.context))
		return true;
	rpc_fail(
		request, RPC_NOT_PERMITTED, NULL,
		"%s: not permitted for process %d (user %u, group %u): call it as root or as a member of the "
		"group it is for",
		name, (int)peer->pid, peer->uid, peer->gid);
	return false;
}

static const struct rpc_text_method *find_text_method(const struct rpc_server *server, struct json_slice name)
{
	const struct rpc_text_method *method = server->text_methods;
	while (method && method->name && !json_slice_is(name, method->name))
		method++;
	return method && method->name ? method : NULL;
}

/* Takes `text`. */
static void call_text_method(struct rpc_server *server, struct rpc_request *request,
			     const struct rpc_text_method *method, char *text, size_t length)
{
	request->text = text;
	if (!text)
		rpc_fail(request, RPC_INTERNAL, NULL, "out of memory");
	else if (permitted(server, request, method->name, method->permission))
		method->handle(request, text, length, server->text_context);
}

static void call_method(struct rpc_server *server, struct rpc_request *request, const char *name)
{
	void *context;
	const struct rpc_method *method = find_method(server, name, &context);
	const struct rpc_text_method *text_method =
		find_text_method(server, (struct json_slice){name, strlen(name)});
	if (text_method) {
		char *text = request->params ? json_dumps(request->params, JSON_COMPACT) : strdup("{}");
		call_text_method(server, request, text_method, text, text ? strlen(text) : 0);
	} else if (!method) {
		rpc_fail(request, RPC_NO_METHOD, NULL, "%.64s: there is no such method", name);
	} else if (permitted(server, request, name, method->permission)) {
		method->handle(request, context);
	}
}

static struct rpc_request *add_request(struct rpc_peer *peer, const struct rpc_fds *fds)
{
	struct rpc_request *request = calloc(1, sizeof(*request));
	if (!request)
		return NULL;
	request->peer = peer;
	request->fds = *fds;
	LIST_INSERT_HEAD(&peer->requests, request, next);
	peer->pending++;
	return request;
}

/* A call of a text method in its usual form; false when it is anything else. */
static bool dispatch_text(struct rpc_server *server, struct rpc_peer *peer, const char *line, size_t length,
			  const struct rpc_fds *fds)
{
	struct rpc_parts parts;
	if (!server->text_methods || !rpc_line_parts(line, length, &parts))
		return false;
	const struct rpc_text_method *method = find_text_method(server, parts.method);
	struct rpc_request *request = method ? add_request(peer, fds) : NULL;
	if (!request)
		return false;
	if (parts.id.text)
		request->id = json_loadb(parts.id.text, parts.id.length, JSON_DECODE_ANY, NULL);
	struct json_slice params = parts.params.text ? parts.params : (struct json_slice){"{}", 2};
	call_text_method(server, request, method, strndup(params.text, params.length), params.length);
	return true;
}

void rpc_server_dispatch(struct rpc_server *server, struct rpc_peer *peer, const char *line, size_t length,
			 struct rpc_fds *fds)
{
	json_t *document, *id, *params;
	const char *name, *reason;
	if (dispatch_text(server, peer, line, length, fds))
		return;
	int code = rpc_parse_line(line, length, &document, &id, &name, &params, &reason);
	struct rpc_request *request = code ? NULL : add_request(peer, fds);
	if (!request) {
		rpc_fds_close(fds);
		if (!code) {
			json_decref(id);
			json_decref(document);
		}
		rpc_peer_fail(peer, NULL, code ? code : RPC_INTERNAL, NULL, code ? reason : "out of memory");
		return;
	}
	request->document = document;
	request->id = id;
	request->params = params;
	call_method(server, request, name);
}

const json_t *rpc_params(const struct rpc_request *request)
{
	return request->params;
}

size_t rpc_fd_count(const struct rpc_request *request)
{
	return request->fds.count;
}

int rpc_fd(const struct rpc_request *request, size_t index)
{
	return index < request->fds.count ? request->fds.fd[index] : -1;
}

struct rpc_peer *rpc_request_peer(const struct rpc_request *request)
{
	return request->peer;
}

const struct rpc_credentials *rpc_peer_credentials(const struct rpc_peer *peer)
{
	return &peer->credentials;
}

static void finish(struct rpc_request *request)
{
	if (request->peer) {
		LIST_REMOVE(request, next);
		rpc_peer_answered(request->peer);
	}
	rpc_fds_close(&request->fds);
	json_decref(request->id);
	json_decref(request->document);
	free(request->text);
	free(request);
}

static bool wants_answer(const struct rpc_request *request)
{
	return request->peer && !request->peer->dead && request->id;
}

void rpc_reply(struct rpc_request *request, json_t *result, const int *fds, size_t fd_count)
{
	if (!wants_answer(request)) {
		json_decref(result);
		finish(request);
		return;
	}
	json_t *reply = json_pack("{s:s, s:O, s:o?}", "jsonrpc", "2.0", "id", request->id, "result", result);
	size_t length = 0;
	char *line = rpc_wire_line(reply, &length);
	json_decref(reply);
	if (line && length <= RPC_LINE_MAX + 1 && fd_count <= RPC_FDS_MAX) {
		rpc_peer_send(request->peer, line, length, fds, fd_count);
	} else {
		free(line);
		rpc_peer_fail(request->peer, request->id, line ? RPC_LIMIT : RPC_INTERNAL, NULL,
			      line ? "the answer is longer than a line may be: ask for less at once"
				   : "the answer could not be written as JSON");
	}
	finish(request);
}

void rpc_fail(struct rpc_request *request, int code, json_t *data, const char *format, ...)
{
	char message[MESSAGE_TEXT];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (wants_answer(request))
		rpc_peer_fail(request->peer, request->id, code, data, message);
	else
		json_decref(data);
	finish(request);
}

/* Steals params. */
static char *notification_line(const char *method, json_t *params, size_t *length)
{
	json_t *object = json_pack("{s:s, s:s, s:o*}", "jsonrpc", "2.0", "method", method, "params", params);
	char *line = rpc_wire_line(object, length);
	json_decref(object);
	return line;
}

void rpc_notify(struct rpc_peer *peer, const char *method, json_t *params)
{
	size_t length = 0;
	char *line = notification_line(method, params, &length);
	rpc_notify_line(peer, line, length);
}

void rpc_notify_line(struct rpc_peer *peer, char *line, size_t length)
{
	rpc_peer_send(peer, line, length, NULL, 0);
}

size_t rpc_peer_unsent(const struct rpc_peer *peer)
{
	return peer->backlog;
}

void rpc_peer_subscribe(struct rpc_peer *peer, unsigned topics)
{
	peer->topics = topics;
}

void rpc_broadcast(struct rpc_server *server, unsigned topic, const char *method, json_t *params)
{
	size_t length = 0;
	char *line = notification_line(method, params, &length);
	struct rpc_peer *peer;
	LIST_FOREACH(peer, &server->peers, next)
	{
		char *copy = NULL;
		if (!(peer->topics & topic) || peer->dead)
			continue;
		if (line && (copy = malloc(length)))
			memcpy(copy, line, length);
		rpc_peer_send(peer, copy, length, NULL, 0);
	}
	free(line);
}
