/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * JSON-RPC 2.0 over Unix stream sockets: one object per line, descriptors as
 * SCM_RIGHTS with the line that names them.
 *
 * Limits (both sides): a line RPC_LINE_MAX bytes, RPC_FDS_MAX descriptors with
 * one line. A peer that breaks them is told so and disconnected; nothing it
 * sends can end the process.
 *
 * Wire rule for descriptors: the sender attaches all of a line's descriptors to
 * the first byte of that line, and puts nothing of another line into the same
 * sendmsg (the kernel glues what was sent before to what carries descriptors, so
 * they belong to the last line begun in what one recvmsg returns). The receiver
 * hands them to the handler of the line they came with, which borrows them (dup
 * what you keep); the library closes them when the request ends.
 */
#ifndef BNG_LIB_RPC_H
#define BNG_LIB_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/json_scan.h"

#define RPC_LINE_MAX (16u << 20)
#define RPC_FDS_MAX  64
#define RPC_TEXT_MAX 16384 /* of one text among the parameters */

enum rpc_error {
	RPC_PARSE = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_NO_METHOD = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL = -32603,
	RPC_NOT_PERMITTED = -32001,
	RPC_NOT_FOUND = -32002,
	RPC_CONFLICT = -32003,     /* not in this state, or not what was expected */
	RPC_INCOMPATIBLE = -32004, /* map layout, kernel version */
	RPC_LIMIT = -32005,        /* full */
	RPC_SYSTEM = -32006,       /* the kernel said no; data.errno */
	RPC_UNAVAILABLE = -32007,  /* the daemon behind does not answer */
};

/* ---- Server, on a libevent loop ------------------------------------------ */

struct event_base;
struct rpc_server;
struct rpc_request; /* one call waiting for its answer */
struct rpc_peer;    /* one connection */

struct rpc_credentials {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	const gid_t *groups; /* supplementary, as they were at connect */
	size_t group_count;
};

struct rpc_method {
	const char *name;
	unsigned permission; /* handed to the server's `permit` */
	/* Must end, now or later, in exactly one rpc_reply or rpc_fail. */
	void (*handle)(struct rpc_request *request, void *context);
};

/* A method whose parameters are too much to build a tree of: it gets their text, an
 * object that may be no well-formed JSON (lib/json_scan.h reads it). */
struct rpc_text_method {
	const char *name;
	unsigned permission;
	/* The text is valid until the answer. */
	void (*handle)(struct rpc_request *request, const char *params, size_t length, void *context);
};

struct rpc_server_options {
	const struct rpc_method *methods; /* ends with name NULL */
	void *context;                    /* for handle, permit, on_close */
	bool (*permit)(const struct rpc_credentials *peer, unsigned permission, void *context);
	void (*on_close)(struct rpc_peer *peer, void *context); /* may be NULL */
	size_t max_peers;
	/* Unsent bytes. Half of it stops reading from the peer; a notification or a
	 * reply that finds more than this unsent cuts the peer off. */
	size_t max_peer_backlog;
};

/* A listening socket at `path` (an old one is replaced), mode 0660, group `gid`
 * (or (gid_t)-1). Returns the descriptor or -errno. */
int rpc_listen(const char *path, gid_t gid);

/* Adopts the listening descriptor `fd`. NULL when out of memory. More methods
 * can be added later (rpc_server_add), as features register. */
struct rpc_server *rpc_server_new(struct event_base *base, int fd, const struct rpc_server_options *options);
int rpc_server_add(struct rpc_server *server, const struct rpc_method *methods, void *context);
/* One table, which ends with name NULL. */
void rpc_server_add_text(struct rpc_server *server, const struct rpc_text_method *methods, void *context);
/* Calls `drained` when not more than `low_mark` unsent bytes are left to a peer that had
 * more: who has much to tell stops at a mark of its own and goes on then. */
void rpc_server_on_drained(struct rpc_server *server, size_t low_mark,
			   void (*drained)(struct rpc_peer *peer, void *context), void *context);
/* Who asked and hung up before it was accepted is not served: where connections may wait for
 * minutes, nobody expects any more that it happens. */
void rpc_server_only_present(struct rpc_server *server);
/* Answers nobody any more and frees; the listening descriptor is closed. */
void rpc_server_free(struct rpc_server *server);

const json_t *rpc_params(const struct rpc_request *request); /* object, array or NULL */
size_t rpc_fd_count(const struct rpc_request *request);
int rpc_fd(const struct rpc_request *request, size_t index); /* borrowed */
/* NULL once the server was freed. Valid until the reply even when the peer hung up. */
struct rpc_peer *rpc_request_peer(const struct rpc_request *request);
const struct rpc_credentials *rpc_peer_credentials(const struct rpc_peer *peer);

/* Steals `result`; `fds` are duplicated into the message before it returns. */
void rpc_reply(struct rpc_request *request, json_t *result, const int *fds, size_t fd_count);
/* Steals `data`, which may be NULL. */
__attribute__((format(printf, 4, 5))) void rpc_fail(struct rpc_request *request, int code, json_t *data,
						    const char *format, ...);
/* A line without id to one peer, or to every peer that subscribed. Steals params. */
void rpc_notify(struct rpc_peer *peer, const char *method, json_t *params);
/* The same with a line of the caller's making, its newline at the end. Steals `line`. */
void rpc_notify_line(struct rpc_peer *peer, char *line, size_t length);
/* Bytes that wait until the peer reads. */
size_t rpc_peer_unsent(const struct rpc_peer *peer);
void rpc_peer_subscribe(struct rpc_peer *peer, unsigned topics); /* bit mask of the caller's */
void rpc_broadcast(struct rpc_server *server, unsigned topic, const char *method, json_t *params);

/* A JSON string of any bytes: where it is not UTF-8, '?'. */
json_t *rpc_text(const char *text);

/* ---- Client, blocking ----------------------------------------------------- */

struct rpc_client;

struct rpc_result {
	json_t *value; /* the result, or NULL on error */
	int code;      /* 0, or enum rpc_error */
	char message[1024];
	json_t *data; /* error.data or NULL */
	int fds[RPC_FDS_MAX];
	size_t fd_count;
};

/* -errno when nobody listens. `timeout_ms` as below. */
int rpc_client_open(const char *path, int timeout_ms, struct rpc_client **client);
void rpc_client_close(struct rpc_client *client);
int rpc_client_fd(const struct rpc_client *client);
/* How long each call waits from now on; negative: for ever. */
int rpc_client_set_timeout(struct rpc_client *client, int timeout_ms);

/* Steals `params` (may be NULL). Returns 0 and a result, which may be an RPC
 * error; or -errno when the connection broke or timed out (result holds a
 * message then, too). Notifications that arrive meanwhile are kept for
 * rpc_client_next. Always rpc_result_done afterwards. */
int rpc_call(struct rpc_client *client, const char *method, json_t *params, const int *fds, size_t fd_count,
	     struct rpc_result *result);
void rpc_result_done(struct rpc_result *result);

/* The next notification: 1 and a new reference {"method":..,"params":..}; 0 on
 * timeout (timeout_ms < 0 waits for ever), -errno when the connection broke. */
int rpc_client_next(struct rpc_client *client, int timeout_ms, json_t **notification);
/* From now on notifications go to `watch` as they arrive, also during rpc_call,
 * and rpc_client_next finds none. */
typedef void rpc_watch(const char *method, const json_t *params, void *context);
void rpc_client_watch(struct rpc_client *client, rpc_watch *watch, void *context);

/* ---- The line parser by itself, for the fuzzer ---------------------------- */

/* The parts of a call or notification that has nothing but jsonrpc, id, method and
 * params (text NULL: not there), found without building a tree. False: it is not of
 * this kind, rpc_parse_line says what it is. */
struct rpc_parts {
	struct json_slice id;
	struct json_slice method; /* without quotes */
	struct json_slice params; /* an object, well-formed */
};
bool rpc_line_parts(const char *line, size_t length, struct rpc_parts *parts);

/* Parses one line (no newline). 0: *id (new reference or NULL: notification),
 * *method (borrowed from *document), *params (borrowed, may be NULL), *document
 * (new reference). Else an rpc_error code and *reason. */
int rpc_parse_line(const char *line, size_t length, json_t **document, json_t **id, const char **method,
		   json_t **params, const char **reason);

#endif
