/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Methods: echo (answers with its params), fds (sends the descriptors back),
 * later (answered by release), big {bytes}, root (permission refused), follow,
 * shout {bytes} (a notification to all that follow), whoami.
 */
#include "test/unit/rpc_server.h"

#include <check.h>
#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/rpc.h"

#define LATER_MAX 1024

struct test_server {
	struct event_base *base;
	struct rpc_server *rpc;
	struct event *stop;
	int stop_pipe[2];
	pthread_t thread;
	atomic_int closed;
	struct rpc_request *later[LATER_MAX];
	size_t later_count;
};

static void on_echo(struct rpc_request *request, void *context)
{
	(void)context;
	rpc_reply(request, json_incref((json_t *)rpc_params(request)), NULL, 0);
}

static void on_fds(struct rpc_request *request, void *context)
{
	(void)context;
	int fds[RPC_FDS_MAX];
	for (size_t i = 0; i < rpc_fd_count(request); i++)
		fds[i] = rpc_fd(request, i);
	rpc_reply(request, json_integer((json_int_t)rpc_fd_count(request)), fds, rpc_fd_count(request));
}

static void on_later(struct rpc_request *request, void *context)
{
	struct test_server *server = context;
	server->later[server->later_count++] = request;
}

static void on_release(struct rpc_request *request, void *context)
{
	struct test_server *server = context;
	size_t count = server->later_count;
	server->later_count = 0;
	for (size_t i = 0; i < count; i++)
		rpc_reply(server->later[i], json_string("late"), NULL, 0);
	rpc_reply(request, json_integer((json_int_t)count), NULL, 0);
}

static json_t *text_of(size_t bytes)
{
	char *text = malloc(bytes + 1);
	memset(text, 'x', bytes);
	text[bytes] = '\0';
	json_t *string = json_string(text);
	free(text);
	return string;
}

static size_t bytes_param(const struct rpc_request *request)
{
	return (size_t)json_integer_value(json_object_get(rpc_params(request), "bytes"));
}

static void on_big(struct rpc_request *request, void *context)
{
	(void)context;
	rpc_reply(request, text_of(bytes_param(request)), NULL, 0);
}

static void on_follow(struct rpc_request *request, void *context)
{
	(void)context;
	rpc_peer_subscribe(rpc_request_peer(request), 2);
	rpc_reply(request, json_object(), NULL, 0);
}

static void on_shout(struct rpc_request *request, void *context)
{
	struct test_server *server = context;
	rpc_broadcast(server->rpc, 1, "wrong", NULL);
	rpc_broadcast(server->rpc, 2, "shout", json_pack("{s:o}", "text", text_of(bytes_param(request))));
	rpc_reply(request, json_object(), NULL, 0);
}

static void on_whoami(struct rpc_request *request, void *context)
{
	(void)context;
	const struct rpc_credentials *who = rpc_peer_credentials(rpc_request_peer(request));
	rpc_reply(request,
		  json_pack("{s:I, s:I, s:I}", "pid", (json_int_t)who->pid, "uid", (json_int_t)who->uid,
			    "groups", (json_int_t)who->group_count),
		  NULL, 0);
}

static void on_fail(struct rpc_request *request, void *context)
{
	(void)context;
	rpc_fail(request, RPC_CONFLICT, json_pack("{s:s}", "found", "this"), "bytes %s are no text",
		 "\xff\xfe");
}

static const struct rpc_method methods[] = {
	{"echo", 0, on_echo}, {"fds", 0, on_fds},   {"later", 0, on_later},   {"release", 0, on_release},
	{"big", 0, on_big},   {"root", 1, on_echo}, {"follow", 0, on_follow}, {"shout", 0, on_shout},
	{"fail", 0, on_fail}, {NULL, 0, NULL},
};
static const struct rpc_method more_methods[] = {{"whoami", 0, on_whoami}, {NULL, 0, NULL}};

static bool permit(const struct rpc_credentials *peer, unsigned permission, void *context)
{
	(void)peer;
	(void)context;
	return !permission;
}

static void on_close(struct rpc_peer *peer, void *context)
{
	(void)peer;
	atomic_fetch_add(&((struct test_server *)context)->closed, 1);
}

static void on_stop(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	event_base_loopbreak(((struct test_server *)context)->base);
}

static void *run(void *context)
{
	event_base_dispatch(((struct test_server *)context)->base);
	return NULL;
}

struct test_server *test_server_start(const char *path, size_t max_peers, size_t max_peer_backlog)
{
	struct test_server *server = calloc(1, sizeof(*server));
	int fd = rpc_listen(path, (gid_t)-1);
	ck_assert_int_ge(fd, 0);
	server->base = event_base_new();
	struct rpc_server_options options = {.methods = methods,
					     .context = server,
					     .permit = permit,
					     .on_close = on_close,
					     .max_peers = max_peers,
					     .max_peer_backlog = max_peer_backlog};
	server->rpc = rpc_server_new(server->base, fd, &options);
	ck_assert_int_eq(rpc_server_add(server->rpc, more_methods, NULL), 0);
	ck_assert_int_eq(pipe(server->stop_pipe), 0);
	server->stop = event_new(server->base, server->stop_pipe[0], EV_READ, on_stop, server);
	event_add(server->stop, NULL);
	ck_assert_int_eq(pthread_create(&server->thread, NULL, run, server), 0);
	return server;
}

void test_server_stop(struct test_server *server)
{
	ck_assert_int_eq(write(server->stop_pipe[1], "", 1), 1);
	pthread_join(server->thread, NULL);
	rpc_server_free(server->rpc);
	for (size_t i = 0; i < server->later_count; i++) {
		ck_assert_ptr_null(rpc_request_peer(server->later[i]));
		rpc_reply(server->later[i], json_null(), NULL, 0);
	}
	event_free(server->stop);
	event_base_free(server->base);
	close(server->stop_pipe[0]);
	close(server->stop_pipe[1]);
	free(server);
}

int test_server_closed(const struct test_server *server)
{
	return atomic_load(&server->closed);
}
