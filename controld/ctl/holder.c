/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The connection to bpfholder, see the header.
 */
#include "controld/ctl/holder.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controld/controld.h"
#include "lib/clock.h"
#include "lib/log.h"

#define CALL_TIMEOUT_MS  5000
#define START_TIMEOUT_MS (-1) /* the phase's deadline ends it */
#define LONG_TIMEOUT_MS  120000
#define PROBE_TIMEOUT_MS 500
#define BACKOFF_MIN_MS   20
#define BACKOFF_MAX_MS   5000
#define KEPT_MAX         32
#define RETURNED_MAX     8

struct kept {
	char name[64];
	int fd;
};

struct holder {
	struct controld *controld;
	struct rpc_client *client; /* NULL: not connected */
	char path[108];
	pid_t pid;
	bool ready;
	struct event *readable;
	struct event *retry;
	unsigned backoff_ms;
	uint64_t lost_ns;
	const char *asking; /* of the main thread, read by another one */
	struct kept kept[KEPT_MAX];
	size_t kept_count;
	holder_alarm *alarm; /* or NULL, as told */
	struct {
		holder_returned *call; /* NULL: this place is free */
		void *context;
	} returned[RETURNED_MAX];
	holder_told *told;
};

static void on_readable(evutil_socket_t fd, short what, void *context);

/* Decorrelated jitter: many controllers of one failed machine do not come back
 * in step. */
static void try_again_later(struct holder *holder)
{
	unsigned span = holder->backoff_ms * 3 - BACKOFF_MIN_MS;
	unsigned wait = BACKOFF_MIN_MS + (unsigned)(clock_boottime_ns() / 1000 % (span ? span : 1));

	holder->backoff_ms = wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS;
	struct timeval delay = {holder->backoff_ms / 1000, (holder->backoff_ms % 1000) * 1000};
	event_add(holder->retry, &delay);
}

static void disconnect(struct holder *holder)
{
	if (holder->readable)
		event_free(holder->readable);
	holder->readable = NULL;
	if (holder->client)
		rpc_client_close(holder->client);
	holder->client = NULL;
	holder->pid = 0;
}

static void lost(struct holder *holder, const char *why)
{
	if (!holder->client)
		return;
	disconnect(holder);
	holder->lost_ns = clock_boottime_ns();
	holder->backoff_ms = BACKOFF_MIN_MS;
	log_warning("bpfholder at %s: connection lost (%s); forwarding goes on, trying again", holder->path,
		    why);
	try_again_later(holder);
}

/* An event, perhaps in the middle of a call of ours. */
static void on_told(const char *method, const json_t *params, void *context)
{
	struct holder *holder = context;

	if (holder->told)
		holder->told(holder->controld);
	if (holder->alarm && !strcmp(method, "holder.event"))
		holder->alarm(holder->controld, params);
}

void holder_on_alarm(struct holder *holder, holder_alarm *alarm)
{
	holder->alarm = alarm;
}

static int connect_holder(struct holder *holder)
{
	struct ucred peer = {0};
	socklen_t length = sizeof(peer);
	int timeout_ms = holder->ready ? CALL_TIMEOUT_MS : START_TIMEOUT_MS;
	int failure = rpc_client_open(holder->path, timeout_ms, &holder->client), fd;

	if (failure) {
		holder->client = NULL;
		return failure;
	}
	rpc_client_watch(holder->client, on_told, holder);
	fd = rpc_client_fd(holder->client);
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		holder->pid = peer.pid;
	holder->readable = event_new(holder->controld->base, fd, EV_READ | EV_PERSIST, on_readable, holder);
	if (!holder->readable || event_add(holder->readable, NULL)) {
		disconnect(holder);
		return -ENOMEM;
	}
	rpc_client_watch(holder->client, on_told, holder);
	return 0;
}

/* What is not told is the end of the connection. */
static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct holder *holder = context;
	json_t *notification = NULL;
	int got;

	(void)fd;
	(void)what;
	while ((got = rpc_client_next(holder->client, 0, &notification)) > 0)
		json_decref(notification);
	if (got < 0)
		lost(holder, strerror(-got));
}

static int store(struct holder *holder, const struct kept *kept)
{
	struct rpc_result result;
	int failure = holder_call(holder, "fd.store", json_pack("{s:s}", "name", kept->name), &kept->fd, 1,
				  &result);

	if (failure)
		log_warning("storing descriptor %s in bpfholder failed: %s", kept->name, result.message);
	rpc_result_done(&result);
	return failure;
}

static void greet_again(struct holder *holder)
{
	struct holder_hello hello;
	char error[1024] = "";
	int failure = holder_hello(holder, &hello, error, sizeof(error));

	for (size_t i = 0; !failure && i < holder->kept_count; i++)
		failure = store(holder, &holder->kept[i]);
	for (size_t i = 0; !failure && i < RETURNED_MAX; i++)
		if (holder->returned[i].call)
			holder->returned[i].call(holder->returned[i].context);
	if (!failure && holder->ready)
		failure = holder_ready(holder, error, sizeof(error));
	if (failure)
		lost(holder, error[0] ? error : strerror(-failure));
	else
		log_notice("bpfholder is back (pid %d), away %.1f ms; generation %" PRIu64, holder->pid,
			   (double)(clock_boottime_ns() - holder->lost_ns) / 1e6, hello.generation);
	if (!failure && holder->told)
		holder->told(holder->controld);
}

/* A holder that accepts connections but does not answer (stopped, or stuck) costs
 * the loop no more than this. */
static bool answers(struct holder *holder)
{
	struct rpc_client *client;
	struct rpc_result result;
	bool answered;

	if (rpc_client_open(holder->path, PROBE_TIMEOUT_MS, &client))
		return false;
	answered = !rpc_call(client, "fd.list", NULL, NULL, 0, &result);
	rpc_result_done(&result);
	rpc_client_close(client);
	if (!answered)
		holder->backoff_ms = BACKOFF_MAX_MS; /* seldom: each time costs the loop */
	return answered;
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	struct holder *holder = context;

	(void)fd;
	(void)what;
	if (!answers(holder) || connect_holder(holder))
		try_again_later(holder);
	else
		greet_again(holder);
}

int holder_open(struct controld *controld, const char *path)
{
	struct holder *holder = calloc(1, sizeof(*holder));
	int failure;

	if (!holder)
		return -ENOMEM;
	holder->controld = controld;
	holder->backoff_ms = BACKOFF_MIN_MS;
	snprintf(holder->path, sizeof(holder->path), "%s", path);
	holder->retry = event_new(controld->base, -1, 0, on_retry, holder);
	failure = holder->retry ? connect_holder(holder) : -ENOMEM;
	controld->holder = holder;
	if (failure)
		holder_close(controld);
	return failure;
}

void holder_close(struct controld *controld)
{
	struct holder *holder = controld->holder;

	if (!holder)
		return;
	disconnect(holder);
	if (holder->retry)
		event_free(holder->retry);
	for (size_t i = 0; i < holder->kept_count; i++)
		close(holder->kept[i].fd);
	free(holder);
	controld->holder = NULL;
}

static int errno_of(int code)
{
	switch (code) {
	case RPC_NOT_PERMITTED:
		return -EPERM;
	case RPC_NOT_FOUND:
		return -ENOENT;
	case RPC_CONFLICT:
		return -EBUSY;
	case RPC_INCOMPATIBLE:
		return -EPROTO;
	case RPC_LIMIT:
		return -ENOSPC;
	case RPC_INVALID_PARAMS:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/* Loading and swapping take their time, and get a connection with more patience:
 * on the usual one a holder that hangs must not stop us for long. */
static bool is_long(const char *method)
{
	static const char *const methods[] = {"object.stage", "swap.commit", "swap.rollback", "swap.migrate"};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (!strcmp(method, methods[i]))
			return true;
	return false;
}

static int call_long(const struct holder *holder, const char *method, json_t *params, const int *fds,
		     size_t fd_count, struct rpc_result *result)
{
	struct rpc_client *client;
	int failure =
		rpc_client_open(holder->path, holder->ready ? LONG_TIMEOUT_MS : START_TIMEOUT_MS, &client);

	if (failure) {
		json_decref(params);
		snprintf(result->message, sizeof(result->message), "%s: connecting to %s failed: %s", method,
			 holder->path, strerror(-failure));
		return failure;
	}
	failure = rpc_call(client, method, params, fds, fd_count, result);
	rpc_client_close(client);
	return failure;
}

static int call(struct holder *holder, const char *method, json_t *params, const int *fds, size_t fd_count,
		struct rpc_result *result)
{
	int failure;

	if (!holder->client) {
		json_decref(params);
		snprintf(result->message, sizeof(result->message),
			 "%s: bpfholder at %s is not connected; trying again in the background", method,
			 holder->path);
		return -ENOTCONN;
	}
	if (is_long(method)) {
		failure = call_long(holder, method, params, fds, fd_count, result);
		return failure ? -ENOTCONN : result->code ? errno_of(result->code) : 0;
	}
	failure = rpc_call(holder->client, method, params, fds, fd_count, result);
	if (failure) {
		lost(holder, result->message[0] ? result->message : strerror(-failure));
		return -ENOTCONN;
	}
	return result->code ? errno_of(result->code) : 0;
}

int holder_call(struct holder *holder, const char *method, json_t *params, const int *fds, size_t fd_count,
		struct rpc_result *result)
{
	int failure;

	*result = (struct rpc_result){0};
	__atomic_store_n(&holder->asking, method, __ATOMIC_RELAXED);
	failure = call(holder, method, params, fds, fd_count, result);
	__atomic_store_n(&holder->asking, NULL, __ATOMIC_RELAXED);
	return failure;
}

const char *holder_asking(const struct holder *holder)
{
	return holder ? __atomic_load_n(&holder->asking, __ATOMIC_RELAXED) : NULL;
}

/* One that does not know of phases refuses, which is nobody's loss. */
void holder_tell_phase(struct holder *holder, const char *phase, unsigned deadline_s)
{
	struct rpc_result result;

	holder_call(holder, "controller.phase",
		    json_pack("{s:I, s:s, s:i}", "epoch", (json_int_t)holder->controld->epoch, "phase", phase,
			      "deadline_s", (int)deadline_s),
		    NULL, 0, &result);
	rpc_result_done(&result);
}

void holder_tell_failure(const struct controld *controld, const char *path, const char *reason)
{
	struct rpc_client *client;
	struct rpc_result result;

	if (rpc_client_open(path, PROBE_TIMEOUT_MS, &client))
		return;
	rpc_call(client, "controller.failed",
		 json_pack("{s:I, s:o}", "epoch", (json_int_t)controld->epoch, "reason", rpc_text(reason)),
		 NULL, 0, &result);
	rpc_result_done(&result);
	rpc_client_close(client);
}

int holder_hello(struct holder *holder, struct holder_hello *hello, char *error, size_t error_size)
{
	struct rpc_result result;
	json_t *params =
		json_pack("{s:s, s:I}", "version", BNG_VERSION, "epoch", (json_int_t)holder->controld->epoch);
	int failure = holder_call(holder, "controller.hello", params, NULL, 0, &result);

	if (failure)
		snprintf(error, error_size, "%s", result.message);
	*hello = (struct holder_hello){
		.generation = (uint64_t)json_integer_value(json_object_get(result.value, "generation")),
		.previous_epoch =
			(uint64_t)json_integer_value(json_object_get(result.value, "previous_epoch")),
		.left_ns = (uint64_t)json_integer_value(json_object_get(result.value, "away_ns")),
	};
	rpc_result_done(&result);
	if (failure)
		return failure;
	failure = holder_call(holder, "holder.subscribe", NULL, NULL, 0, &result);
	if (failure)
		snprintf(error, error_size, "%s", result.message);
	rpc_result_done(&result);
	return failure;
}

void holder_on_event(struct holder *holder, holder_told *told)
{
	holder->told = told;
}

int holder_ready(struct holder *holder, char *error, size_t error_size)
{
	struct rpc_result result;
	json_t *params = json_pack("{s:I}", "epoch", (json_int_t)holder->controld->epoch);
	int failure = holder_call(holder, "controller.ready", params, NULL, 0, &result);

	if (failure)
		snprintf(error, error_size, "%s", result.message);
	holder->ready = true;
	rpc_result_done(&result);
	return failure ? failure : rpc_client_set_timeout(holder->client, CALL_TIMEOUT_MS);
}

int holder_take(struct holder *holder, const char *name, int *fd)
{
	struct rpc_result result;
	int failure = holder_call(holder, "fd.take", json_pack("{s:s}", "name", name), NULL, 0, &result);

	if (!failure && result.fd_count != 1)
		failure = -EPROTO;
	if (!failure) {
		*fd = result.fds[0];
		result.fd_count = 0;
	}
	rpc_result_done(&result);
	return failure;
}

int holder_keep(struct holder *holder, const char *name, int fd)
{
	struct kept *kept = &holder->kept[holder->kept_count];

	for (size_t i = 0; i < holder->kept_count; i++)
		if (!strcmp(holder->kept[i].name, name))
			kept = &holder->kept[i];
	if (kept == &holder->kept[KEPT_MAX])
		return -ENOSPC;
	fd = dup(fd);
	if (fd < 0)
		return -errno;
	if (kept == &holder->kept[holder->kept_count])
		holder->kept_count++;
	else
		close(kept->fd);
	kept->fd = fd;
	snprintf(kept->name, sizeof(kept->name), "%s", name);
	return store(holder, kept);
}

void holder_drop(struct holder *holder, const char *name)
{
	struct rpc_result result;

	for (size_t i = 0; i < holder->kept_count; i++)
		if (!strcmp(holder->kept[i].name, name)) {
			close(holder->kept[i].fd);
			holder->kept[i] = holder->kept[--holder->kept_count];
			break;
		}
	if (holder_call(holder, "fd.drop", json_pack("{s:s}", "name", name), NULL, 0, &result))
		log_warning("dropping descriptor %s in bpfholder failed: %s", name, result.message);
	rpc_result_done(&result);
}

int holder_on_return(struct holder *holder, holder_returned *returned, void *context)
{
	for (size_t i = 0; i < RETURNED_MAX; i++) {
		if (returned ? holder->returned[i].call != NULL : holder->returned[i].context != context)
			continue;
		holder->returned[i].call = returned;
		holder->returned[i].context = returned ? context : NULL;
		return 0;
	}
	return returned ? -ENOSPC : 0;
}

const char *holder_socket(const struct holder *holder)
{
	return holder->path;
}

bool holder_connected(const struct holder *holder)
{
	return holder->client;
}

pid_t holder_pid(const struct holder *holder)
{
	return holder->pid;
}
