/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A client that waits for each answer. While it waits it also reads, so that a
 * server which has something to say first never blocks both.
 *
 * Each call has its own id: an answer that comes after its call gave up is
 * recognised and dropped. An error without id is about the call in flight.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/rpc_wire.h"

#define NOTIFICATIONS_MAX 4096 /* unread ones kept; beyond it the connection is given up */
#define NS_PER_MS         1000000LL

struct rpc_client {
	int fd;
	int timeout_ms;
	int broken; /* -errno after which nothing works any more */
	json_int_t last_id;
	struct rpc_reader reader;
	json_t *notifications;
	rpc_watch *watch;
	void *watch_context;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

int rpc_client_open(const char *path, int timeout_ms, struct rpc_client **client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	struct rpc_client *created = calloc(1, sizeof(*created));
	if (!created)
		return -ENOMEM;
	strcpy(created->path, path);
	created->notifications = json_array();
	created->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (created->fd < 0 || !created->notifications || rpc_client_set_timeout(created, timeout_ms) ||
	    connect(created->fd, (struct sockaddr *)&address, sizeof(address))) {
		int error = created->notifications ? -errno : -ENOMEM;
		rpc_client_close(created);
		return error;
	}
	*client = created;
	return 0;
}

void rpc_client_close(struct rpc_client *client)
{
	if (!client)
		return;
	rpc_reader_done(&client->reader);
	json_decref(client->notifications);
	if (client->fd >= 0)
		close(client->fd);
	free(client);
}

/* Zero is for ever to the kernel. */
int rpc_client_set_timeout(struct rpc_client *client, int timeout_ms)
{
	int wait_ms = timeout_ms > 0 ? timeout_ms : 0;
	struct timeval limit = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	client->timeout_ms = timeout_ms;
	return setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) ? -errno : 0;
}

int rpc_client_fd(const struct rpc_client *client)
{
	return client->fd;
}

/* A negative timeout never ends. */
static uint64_t deadline_in(int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX : clock_boottime_ns() + (uint64_t)timeout_ms * NS_PER_MS;
}

/* 0 when one of `events` (or an end) is there, -ETIMEDOUT or -errno. */
static int wait_for(struct rpc_client *client, short events, uint64_t deadline, short *ready)
{
	struct pollfd poller = {.fd = client->fd, .events = events};
	for (;;) {
		uint64_t now = clock_boottime_ns();
		int wait_ms = -1;
		if (deadline != UINT64_MAX)
			wait_ms = now >= deadline ? 0 : (int)((deadline - now + NS_PER_MS - 1) / NS_PER_MS);
		int count = poll(&poller, 1, wait_ms);
		if (count > 0) {
			*ready = poller.revents;
			return 0;
		}
		if (!count)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

void rpc_client_watch(struct rpc_client *client, rpc_watch *watch, void *context)
{
	client->watch = watch;
	client->watch_context = context;
}

static int keep_notification(struct rpc_client *client, json_t *object)
{
	if (client->watch) {
		client->watch(json_string_value(json_object_get(object, "method")),
			      json_object_get(object, "params"), client->watch_context);
		return 0;
	}
	if (json_array_size(client->notifications) >= NOTIFICATIONS_MAX)
		return -ENOBUFS;
	json_t *kept = json_pack("{s:O, s:O*}", "method", json_object_get(object, "method"), "params",
				 json_object_get(object, "params"));
	return json_array_append_new(client->notifications, kept) ? -ENOMEM : 0;
}

static void take_fds(struct rpc_result *result, struct rpc_fds *fds)
{
	memcpy(result->fds, fds->fd, fds->count * sizeof(int));
	result->fd_count = fds->count;
	fds->count = 0;
}

static void take_error(struct rpc_result *result, const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	result->code = (int)json_integer_value(json_object_get(error, "code"));
	if (!result->code)
		result->code = RPC_INTERNAL;
	snprintf(result->message, sizeof(result->message), "%s", message ? message : "no reason given");
	result->data = json_incref(json_object_get(error, "data"));
}

/* One line: 1 when it was the answer to call `id`, else 0 or -errno. */
static int take_line(struct rpc_client *client, const char *line, size_t length, struct rpc_fds *fds,
		     json_int_t id, struct rpc_result *result)
{
	json_t *object = json_loadb(line, length, 0, NULL);
	json_t *identity = json_object_get(object, "id");
	json_t *value = json_object_get(object, "result");
	json_t *error = json_object_get(object, "error");
	bool ours = result && json_is_integer(identity) && json_integer_value(identity) == id;
	int status = 0;
	if (!json_is_object(object)) {
		status = -EPROTO;
	} else if (json_is_string(json_object_get(object, "method"))) {
		status = keep_notification(client, object);
	} else if (error && (ours || (result && json_is_null(identity)))) {
		take_error(result, error);
		status = 1;
	} else if (ours) {
		result->value = value ? json_incref(value) : json_null();
		take_fds(result, fds);
		status = 1;
	}
	rpc_fds_close(fds);
	json_decref(object);
	return status;
}

static int take_lines(struct rpc_client *client, json_int_t id, struct rpc_result *result)
{
	const char *line;
	size_t length;
	struct rpc_fds fds;
	int answered = 0;
	while (rpc_reader_next(&client->reader, &line, &length, &fds)) {
		int status = take_line(client, line, length, &fds, id, answered ? NULL : result);
		if (status < 0)
			return status;
		answered |= status;
	}
	return answered;
}

/* Reads what is there: 1 when call `id` was answered, 0, or -errno. */
static int receive(struct rpc_client *client, json_int_t id, struct rpc_result *result)
{
	int status = rpc_reader_fill(&client->reader, client->fd);
	if (status == -EAGAIN)
		return 0;
	if (!status)
		return -ECONNRESET;
	return status < 0 ? status : take_lines(client, id, result);
}

static int send_line(struct rpc_client *client, const char *line, size_t length, const int *fds,
		     size_t fd_count, uint64_t deadline, struct rpc_result *result)
{
	size_t sent = 0;
	while (sent < length) {
		short ready;
		int status = wait_for(client, POLLIN | POLLOUT, deadline, &ready);
		if (!status && (ready & POLLIN))
			status = receive(client, client->last_id, result);
		if (status)
			return status;
		if (!(ready & (POLLIN | POLLOUT)))
			return -ECONNRESET;
		if (!(ready & POLLOUT))
			continue;
		ssize_t count =
			rpc_wire_send(client->fd, line + sent, length - sent, fds, sent ? 0 : fd_count);
		if (count == -EPIPE || count == -ECONNRESET)
			return 0; /* it may have said why */
		if (count < 0 && count != -EAGAIN)
			return (int)count;
		sent += count > 0 ? (size_t)count : 0;
	}
	return 0;
}

/* Steals params. */
static char *request_line(json_int_t id, const char *method, json_t *params, size_t *length)
{
	json_t *request = json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", id, "method", method,
				    "params", params);
	char *line = rpc_wire_line(request, length);
	json_decref(request);
	return line;
}

static int call_failed(struct rpc_client *client, const char *method, int error, struct rpc_result *result)
{
	rpc_result_done(result);
	result->code = RPC_UNAVAILABLE;
	if (error == -ETIMEDOUT)
		snprintf(result->message, sizeof(result->message), "%s: no answer from %s within %d ms",
			 method, client->path, client->timeout_ms);
	else
		snprintf(result->message, sizeof(result->message), "%s: the connection to %s broke: %s",
			 method, client->path, strerror(-error));
	return error;
}

int rpc_call(struct rpc_client *client, const char *method, json_t *params, const int *fds, size_t fd_count,
	     struct rpc_result *result)
{
	*result = (struct rpc_result){0};
	size_t length = 0;
	char *line = request_line(++client->last_id, method, params, &length);
	int status = client->broken;
	if (!line)
		return call_failed(client, method, -EINVAL, result);
	if (!status && (length > RPC_LINE_MAX + 1 || fd_count > RPC_FDS_MAX)) {
		free(line);
		return call_failed(client, method, -EMSGSIZE, result);
	}
	uint64_t deadline = deadline_in(client->timeout_ms);
	if (!status) {
		status = send_line(client, line, length, fds, fd_count, deadline, result);
		if (status) /* the line may be half sent */
			client->broken = status < 0 ? status : -ECONNRESET;
	}
	free(line);
	while (!status) {
		short ready;
		status = wait_for(client, POLLIN, deadline, &ready);
		if (!status)
			status = receive(client, client->last_id, result);
		if (status < 0 && status != -ETIMEDOUT)
			client->broken = status;
	}
	return status < 0 ? call_failed(client, method, status, result) : 0;
}

void rpc_result_done(struct rpc_result *result)
{
	json_decref(result->value);
	json_decref(result->data);
	for (size_t i = 0; i < result->fd_count; i++)
		close(result->fds[i]);
	*result = (struct rpc_result){0};
}

int rpc_client_next(struct rpc_client *client, int timeout_ms, json_t **notification)
{
	uint64_t deadline = deadline_in(timeout_ms);
	while (!json_array_size(client->notifications)) {
		short ready;
		int status = client->broken;
		if (!status)
			status = wait_for(client, POLLIN, deadline, &ready);
		if (status == -ETIMEDOUT)
			return 0;
		if (!status)
			status = receive(client, -1, NULL);
		if (status < 0) {
			client->broken = status;
			return status;
		}
	}
	*notification = json_incref(json_array_get(client->notifications, 0));
	json_array_remove(client->notifications, 0);
	return 1;
}
