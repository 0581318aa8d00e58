/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The control socket's server: who may call, and what features are offered.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "lib/clock.h"
#include "lib/log.h"

#define PEERS_MAX     256
#define BACKLOG_MAX   (2 * RPC_LINE_MAX)
#define CLOSED_MAX    4
#define FOLLOWERS_MAX PEERS_MAX

struct ctl {
	struct rpc_server *server;
	gid_t group;
	ctl_closed *closed[CLOSED_MAX];
	struct rpc_peer *followers[FOLLOWERS_MAX];
	size_t follower_count;
};

/* Does somebody who connects to `path` reach a listener? A socket file that was
 * removed or replaced by a dead one would leave clients before a closed door. */
static bool is_reachable(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool reached;

	if (fd < 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	reached = !connect(fd, (struct sockaddr *)&address, sizeof(address)) || errno == EAGAIN;
	close(fd);
	return reached;
}

static gid_t group_of_folder(const char *path)
{
	char folder[108];
	struct stat info;

	snprintf(folder, sizeof(folder), "%s", path);
	char *slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	return stat(folder, &info) ? (gid_t)-1 : info.st_gid;
}

int ctl_listen(struct controld *controld, const char *path, int *fd, bool *created)
{
	int failure = holder_take(controld->holder, CTL_LISTENER, fd);

	*created = false;
	if (!failure && is_reachable(path))
		return holder_keep(controld->holder, CTL_LISTENER, *fd);
	if (!failure)
		close(*fd);
	else if (failure != -ENOENT)
		return failure;
	*fd = rpc_listen(path, group_of_folder(path));
	if (*fd < 0) {
		log_error("listening on %s failed: %s: the holder makes the folder for group bng to write "
			  "in; is "
			  "this user in it?",
			  path, strerror(-*fd));
		return *fd;
	}
	*created = true;
	return holder_keep(controld->holder, CTL_LISTENER, *fd);
}

/* The socket's mode lets root and its group in; this says it once more, for a
 * descriptor that came by another way. */
static bool permit(const struct rpc_credentials *peer, unsigned permission, void *context)
{
	struct controld *controld = context;
	gid_t group = controld->ctl->group;

	(void)permission;
	if (peer->uid == 0 || peer->uid == geteuid() || peer->gid == group)
		return true;
	for (size_t i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == group)
			return true;
	return false;
}

static void on_close(struct rpc_peer *peer, void *context)
{
	struct controld *controld = context;
	struct ctl *ctl = controld->ctl;

	for (size_t i = 0; i < ctl->follower_count;) {
		if (ctl->followers[i] == peer)
			ctl->followers[i] = ctl->followers[--ctl->follower_count];
		else
			i++;
	}
	for (int i = 0; i < CLOSED_MAX && ctl->closed[i]; i++)
		ctl->closed[i](controld, peer);
}

static int add_methods(struct controld *controld)
{
	int failure = rpc_server_add(controld->ctl->server, ctl_config_methods, controld);

	for (int i = 0; !failure && bng_features[i]; i++)
		if (bng_features[i]->methods)
			failure = rpc_server_add(controld->ctl->server, bng_features[i]->methods, controld);
	return failure;
}

int ctl_serve(struct controld *controld, int fd)
{
	static const struct rpc_method none[] = {{0}};
	struct rpc_server_options options = {
		.methods = none,
		.context = controld,
		.permit = permit,
		.on_close = on_close,
		.max_peers = PEERS_MAX,
		.max_peer_backlog = BACKLOG_MAX,
	};
	struct sockaddr_un address = {0};
	socklen_t length = sizeof(address);

	controld->ctl->group = (gid_t)-1;
	if (!getsockname(fd, (struct sockaddr *)&address, &length))
		controld->ctl->group = group_of_folder(address.sun_path);
	controld->ctl->server = rpc_server_new(controld->base, fd, &options);
	if (!controld->ctl->server) {
		close(fd);
		return -ENOMEM;
	}
	rpc_server_only_present(controld->ctl->server);
	return add_methods(controld);
}

int ctl_new(struct controld *controld)
{
	controld->ctl = calloc(1, sizeof(*controld->ctl));
	return controld->ctl ? 0 : -ENOMEM;
}

void ctl_free(struct controld *controld)
{
	if (!controld->ctl)
		return;
	if (controld->ctl->server)
		rpc_server_free(controld->ctl->server);
	free(controld->ctl);
	controld->ctl = NULL;
}

int ctl_on_close(struct controld *controld, ctl_closed *closed)
{
	for (int i = 0; i < CLOSED_MAX; i++) {
		if (controld->ctl->closed[i])
			continue;
		controld->ctl->closed[i] = closed;
		return 0;
	}
	return -ENOSPC;
}

bool ctl_followed(const struct controld *controld)
{
	return controld->ctl && controld->ctl->follower_count;
}

void ctl_follow(struct controld *controld, struct rpc_peer *peer)
{
	struct ctl *ctl = controld->ctl;

	for (size_t i = 0; i < ctl->follower_count; i++)
		if (ctl->followers[i] == peer)
			return;
	if (ctl->follower_count < FOLLOWERS_MAX) {
		ctl->followers[ctl->follower_count++] = peer;
		rpc_peer_subscribe(peer, CTL_TOPIC_EVENTS);
	}
}

void ctl_event(struct controld *controld, json_t *params)
{
	if (controld->ctl && controld->ctl->server)
		rpc_broadcast(controld->ctl->server, CTL_TOPIC_EVENTS, "event", params);
	else
		json_decref(params);
}

json_t *ctl_params(struct rpc_request *request, struct json_reader *reader, const char *const *members)
{
	static json_t *empty;
	json_t *params = (json_t *)rpc_params(request);

	json_reader_init(reader);
	if (!params) {
		if (!empty)
			empty = json_object();
		json_object_clear(empty);
		params = empty;
	}
	json_read_only(reader, params, members);
	return ctl_refused(request, reader) ? NULL : params;
}

bool ctl_refused(struct rpc_request *request, const struct json_reader *reader)
{
	if (json_reader_ok(reader))
		return false;
	rpc_fail(request, RPC_INVALID_PARAMS, NULL, "params %s", reader->error);
	return true;
}

int ctl_code(int failure)
{
	switch (failure) {
	case -ENOENT:
		return RPC_NOT_FOUND;
	case -EEXIST:
	case -EBUSY:
	case -EADDRINUSE:
	case -ESTALE:
		return RPC_CONFLICT;
	case -EPROTO:
		return RPC_INCOMPATIBLE;
	case -ENOSPC:
	case -ENOMEM:
		return RPC_LIMIT;
	case -ENOTCONN:
		return RPC_UNAVAILABLE;
	case -EPERM:
	case -EACCES:
		return RPC_NOT_PERMITTED;
	case -EINVAL:
		return RPC_INVALID_PARAMS;
	default:
		return RPC_SYSTEM;
	}
}

static void link_event(struct controld *controld, const char *interface, const char *state)
{
	char when[CLOCK_TEXT], type[32];

	if (!strcmp(state, "detached"))
		log_error("interface %s: its program was detached behind bpfholder's back: nothing is "
			  "forwarded "
			  "there",
			  interface);
	snprintf(type, sizeof(type), "link_%s", state);
	ctl_event(controld, json_pack("{s:s, s:s, s:s}", "time", clock_format(clock_boottime_ns(), when),
				      "type", type, "interface", interface));
}

void ctl_holder_event(struct controld *controld, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const char *state = json_string_value(json_object_get(event, "state"));
	const char *interface = json_string_value(json_object_get(event, "interface"));
	char when[CLOCK_TEXT];

	if (type && !strcmp(type, "link") && state && interface)
		link_event(controld, interface, state);
	else if (type && !strcmp(type, "signature_refused"))
		ctl_event(controld,
			  json_pack("{s:s, s:s, s:O*}", "time", clock_format(clock_boottime_ns(), when),
				    "type", type, "reason", json_object_get(event, "reason")));
}
