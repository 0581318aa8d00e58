/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * DIR/holder.sock: one row for each method, one function for each row. Root may
 * call everything, the group what is marked GROUP, others nothing.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/netdev.h"
#include "lib/rpc_call.h"

#define MAX_PEERS        64
#define MAX_PEER_BACKLOG (4u << 20)

enum permission { ROOT, GROUP };

/* Members that name things: what goes into a path or to the kernel is checked here. */
static const char *read_name(struct rpc_call *call, const char *member)
{
	const char *name = json_read_string(&call->reader, call->params, member);
	if (json_reader_ok(&call->reader) && !fdstore_name_ok(name))
		json_reader_fail(&call->reader, json_object_get(call->params, member),
				 "%s must be 1-63 letters, digits, '.', '_' or '-'", member);
	return name;
}

static const char *read_interface(struct rpc_call *call, const char *member)
{
	const char *name = json_read_string(&call->reader, call->params, member);
	size_t length = strlen(name);
	if (json_reader_ok(&call->reader) && (!length || length >= IF_NAMESIZE || strpbrk(name, "/: \t\n")))
		json_reader_fail(&call->reader, json_object_get(call->params, member),
				 "%s must be the name of an interface", member);
	return name;
}

/* The generation of a member, or NULL and a problem. */
static struct generation *read_generation(struct rpc_call *call, struct holder *holder)
{
	json_int_t number = json_read_integer(&call->reader, call->params, "generation", 1, INT32_MAX);
	struct generation *generation = generation_find(holder, (unsigned)number);
	if (!rpc_call_check(call) && !generation)
		refuse(&call->problem, RPC_NOT_FOUND, NULL, "there is no generation %d", (int)number);
	return call->problem.code ? NULL : generation;
}

static int holder_status(struct rpc_call *call, void *context)
{
	call->result = status_report(context);
	return 0;
}

static int holder_subscribe(struct rpc_call *call, void *context)
{
	(void)context;
	rpc_peer_subscribe(rpc_request_peer(call->request), TOPIC_EVENTS);
	return 0;
}

static int stage(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	const char *name = json_read_string(&call->reader, call->params, "name");
	const json_t *sizes = json_object_get(call->params, "max_entries");
	json_t *maps;
	if (json_reader_ok(&call->reader) &&
	    (!*name || strlen(name) >= NAME_TEXT || (sizes && !json_is_object(sizes))))
		json_reader_fail(&call->reader, call->params,
				 "name must have 1-63 bytes, max_entries be an object");
	if (rpc_call_check(call))
		return -EINVAL;
	problem_context(&call->problem, "stage %s", name);
	if (object_stage(holder, rpc_fd(call->request, 0), name, sizes, &maps, &call->problem))
		return -EINVAL;
	unsigned number = holder->journal.last_generation;
	call->result = json_pack("{s:i, s:o, s:o}", "generation", number, "programs",
				 status_programs(generation_find(holder, number)), "maps", maps);
	holder_event(holder,
		     json_pack("{s:s, s:i, s:s}", "type", "stage", "generation", number, "name", name));
	return 0;
}

static int drop(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	struct generation *generation = read_generation(call, holder);
	if (!generation)
		return -EINVAL;
	if (generation == holder->current || generation == holder->previous)
		return refuse(&call->problem, RPC_CONFLICT, NULL, "generation %u is kept: it is the %s one",
			      generation->number, generation == holder->current ? "current" : "previous");
	int error = generation_drop(holder, generation->number);
	return error ? refuse_errno(&call->problem, error, "removing its pins") : 0;
}

static int commit_to(struct rpc_call *call, struct holder *holder, struct generation *to)
{
	unsigned from = holder->current ? holder->current->number : 0, number = to->number;
	if (swap_commit(holder, to, &call->result, &call->problem))
		return -EINVAL;
	holder_event(holder, json_pack("{s:s, s:i, s:i}", "type", "swap", "from", from, "to", number));
	return 0;
}

static int commit(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	struct generation *to = read_generation(call, holder);
	json_int_t current = holder->current ? holder->current->number : 0;
	json_int_t expected =
		json_read_integer_or(&call->reader, call->params, "expected", 0, INT32_MAX, current);
	if (!to || rpc_call_check(call))
		return -EINVAL;
	if (expected != current)
		return refuse(&call->problem, RPC_CONFLICT, json_pack("{s:I}", "current", current),
			      "generation %d is current, not %d: look again before you commit", (int)current,
			      (int)expected);
	return commit_to(call, holder, to);
}

static int rollback(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	struct generation *to = holder->previous;
	if (json_object_get(call->params, "generation") && !(to = read_generation(call, holder)))
		return -EINVAL;
	if (!to || to != holder->previous)
		return refuse(&call->problem, RPC_CONFLICT, NULL, "%s",
			      to ? "only the previous generation is rolled back to"
				 : "there is no previous generation");
	return commit_to(call, holder, to);
}

static int swap_status(struct rpc_call *call, void *context)
{
	call->result = status_swap(context);
	return 0;
}

static int attach(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	const char *interface = read_interface(call, "interface"), *role = read_name(call, "role");
	const char *mode = json_read_string_or(&call->reader, call->params, "mode", "native");
	bool generic = !strcmp(mode, "generic"), adopted;
	if (json_reader_ok(&call->reader) && !generic && strcmp(mode, "native"))
		json_reader_fail(&call->reader, json_object_get(call->params, "mode"),
				 "mode must be native or generic");
	if (rpc_call_check(call) || link_attach(holder, interface, role, generic, &adopted, &call->problem))
		return -EINVAL;
	const struct link *link = link_find(holder, interface);
	if (!adopted)
		holder_event(holder, json_pack("{s:s, s:s, s:s}", "type", "link", "interface", interface,
					       "state", "attached"));
	call->result = json_pack("{s:s, s:i, s:s, s:s, s:i, s:b}", "interface", interface, "ifindex",
				 link->ifindex, "role", link->role, "mode", mode, "program_id",
				 link->program_id, "adopted", adopted);
	return 0;
}

static int detach(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	const char *interface = read_interface(call, "interface");
	bool force = json_read_bool_or(&call->reader, call->params, "force", false);
	struct link *link = link_find(holder, interface);
	if (rpc_call_check(call))
		return -EINVAL;
	if (!force)
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "%s would stop forwarding: say force if you mean it", interface);
	if (!link)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "%s is not attached", interface);
	int error = link_detach(holder, link);
	if (error)
		return refuse_errno(&call->problem, error, "removing the link of %s", interface);
	holder_event(holder, json_pack("{s:s, s:s, s:s}", "type", "link", "interface", interface, "state",
				       "removed"));
	return 0;
}

static int open_map(const struct holder *holder, const char *name)
{
	char path[PIN_TEXT];
	int fd = bpf_obj_get(pin_path(holder, path, "map/%s", name));
	if (fd == -ENOENT && holder->current)
		fd = bpf_obj_get(pin_path(holder, path, "gen/%u/scratch/%s", holder->current->number, name));
	return fd;
}

static int open_program(const struct holder *holder, const char *name)
{
	const struct program *program = generation_program(holder->current, name);
	int fd = program ? fcntl(program->fd, F_DUPFD_CLOEXEC, 0) : -ENOENT;
	return program && fd < 0 ? -errno : fd;
}

static int open_names(struct rpc_call *call, const struct holder *holder,
		      int (*open_one)(const struct holder *holder, const char *name))
{
	const json_t *names = json_object_get(call->params, "names");
	size_t i;
	json_t *name;
	if (json_array_size(names) < 1 || json_array_size(names) > RPC_FDS_MAX)
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL,
			      "names must be an array of 1-%d names", RPC_FDS_MAX);
	json_array_foreach(names, i, name)
	{
		const char *text = json_is_string(name) ? json_string_value(name) : "";
		if (rpc_call_send_fd(call,
				     fdstore_name_ok(text) && !strchr(text, '.') ? open_one(holder, text)
										 : -ENOENT,
				     text))
			return -EINVAL;
	}
	call->result = json_pack("{s:O}", "names", names);
	return 0;
}

static int map_open(struct rpc_call *call, void *context)
{
	return open_names(call, context, open_map);
}

static int program_open(struct rpc_call *call, void *context)
{
	return open_names(call, context, open_program);
}

static int veth_ensure(struct rpc_call *call, void *context)
{
	(void)context;
	const char *name = read_interface(call, "name"), *peer = read_interface(call, "peer");
	char mac_text[2][MAC_TEXT];
	uint8_t macs[2][6];
	bool created;
	if (rpc_call_check(call))
		return -EINVAL;
	int error = netdev_veth(name, peer, &created);
	error = error ? error : netdev_veth_for_control(name, peer);
	error = error ? error : netdev_mac(name, macs[0]);
	error = error ? error : netdev_mac(peer, macs[1]);
	if (error)
		return refuse_errno(&call->problem, error, "veth pair %s - %s", name, peer);
	call->result = json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:b}", "name", name, "peer", peer, "ifindex",
				 if_nametoindex(name), "peer_ifindex", if_nametoindex(peer), "mac",
				 mac_format(macs[0], mac_text[0]), "peer_mac",
				 mac_format(macs[1], mac_text[1]), "created", created);
	return 0;
}

static int send_stored(struct rpc_call *call, const struct holder *holder, const char *name)
{
	int fd = fdstore_get(&holder->store, name);
	int copy = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return rpc_call_send_fd(call, fd >= 0 && copy < 0 ? -errno : copy, name);
}

static int put(struct rpc_call *call, struct holder *holder, const char *name, int fd, bool *replaced)
{
	int error = fdstore_put(&holder->store, name, fd, replaced);
	if (error == -ENOSPC)
		return refuse(&call->problem, RPC_LIMIT, NULL, "%d descriptors are stored already: drop one",
			      FDSTORE_MAX);
	return error ? refuse_errno(&call->problem, error, "storing %s", name) : 0;
}

static int socket_packet(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	const char *interface = read_interface(call, "interface"), *name = read_name(call, "name");
	unsigned ifindex = if_nametoindex(interface);
	bool replaced;
	if (rpc_call_check(call))
		return -EINVAL;
	if (!ifindex)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "there is no interface %s", interface);
	int stored = fdstore_get(&holder->store, name);
	bool created = stored < 0 || !netdev_is_packet_socket(stored, ifindex);
	if (created) {
		int fd = netdev_packet_socket(ifindex);
		if (fd < 0)
			return refuse_errno(&call->problem, fd, "packet socket of %s", interface);
		int error = put(call, holder, name, fd, &replaced);
		close(fd);
		if (error)
			return error;
	}
	call->result = json_pack("{s:s, s:b}", "name", name, "created", created);
	return send_stored(call, holder, name);
}

static int fd_store(struct rpc_call *call, void *context)
{
	bool replaced;
	const char *name = read_name(call, "name");
	if (rpc_call_check(call) || put(call, context, name, rpc_fd(call->request, 0), &replaced))
		return -EINVAL;
	call->result = json_pack("{s:b}", "replaced", replaced);
	return 0;
}

static int fd_take(struct rpc_call *call, void *context)
{
	const char *name = read_name(call, "name");
	if (rpc_call_check(call))
		return -EINVAL;
	call->result = json_pack("{s:s}", "name", name);
	return send_stored(call, context, name);
}

static int fd_list(struct rpc_call *call, void *context)
{
	call->result = json_pack("{s:o}", "names", status_sockets(context));
	return 0;
}

static int fd_drop(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	const char *name = read_name(call, "name");
	if (rpc_call_check(call))
		return -EINVAL;
	if (fdstore_drop(&holder->store, name))
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "%s: there is none of this name", name);
	return 0;
}

static int controller_hello(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	struct rpc_peer *peer = rpc_request_peer(call->request);
	const char *version = json_read_string(&call->reader, call->params, "version");
	json_int_t epoch = json_read_integer(&call->reader, call->params, "epoch", 0, INT64_MAX);
	if (rpc_call_check(call))
		return -EINVAL;
	call->result = json_pack("{s:I, s:b, s:I, s:I}", "generation",
				 (json_int_t)(holder->current ? holder->current->number : 0), "ready", 0,
				 "previous_epoch", holder->controller.epoch, "away_ns",
				 (json_int_t)holder->controller.left_ns);
	holder->controller.peer = peer;
	holder->controller.pid = rpc_peer_credentials(peer)->pid;
	holder->controller.epoch = epoch;
	holder->controller.ready = false;
	snprintf(holder->controller.version, NAME_TEXT, "%s", version);
	return 0;
}

static int controller_ready(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	json_int_t epoch = json_read_integer(&call->reader, call->params, "epoch", 0, INT64_MAX);
	if (rpc_call_check(call))
		return -EINVAL;
	if (holder->controller.peer != rpc_request_peer(call->request) || holder->controller.epoch != epoch)
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "say hello first, with this epoch, on this connection");
	holder->controller.ready = true;
	return 0;
}

/* function, name, permission, descriptors that come with it, members of params */
#define METHODS(X)                                                                                           \
	X(holder_status, "holder.status", GROUP, 0)                                                          \
	X(holder_subscribe, "holder.subscribe", GROUP, 0)                                                    \
	X(stage, "object.stage", GROUP, 1, "name", "max_entries")                                            \
	X(drop, "object.drop", GROUP, 0, "generation")                                                       \
	X(commit, "swap.commit", GROUP, 0, "generation", "expected")                                         \
	X(rollback, "swap.rollback", GROUP, 0, "generation")                                                 \
	X(swap_status, "swap.status", GROUP, 0)                                                              \
	X(attach, "link.attach", GROUP, 0, "interface", "role", "mode")                                      \
	X(detach, "link.detach", ROOT, 0, "interface", "force")                                              \
	X(map_open, "map.open", GROUP, 0, "names")                                                           \
	X(program_open, "program.open", GROUP, 0, "names")                                                   \
	X(veth_ensure, "veth.ensure", GROUP, 0, "name", "peer")                                              \
	X(socket_packet, "socket.packet", GROUP, 0, "interface", "name")                                     \
	X(fd_store, "fd.store", GROUP, 1, "name")                                                            \
	X(fd_take, "fd.take", GROUP, 0, "name")                                                              \
	X(fd_list, "fd.list", GROUP, 0)                                                                      \
	X(fd_drop, "fd.drop", GROUP, 0, "name")                                                              \
	X(controller_hello, "controller.hello", GROUP, 0, "version", "epoch")                                \
	X(controller_ready, "controller.ready", GROUP, 0, "epoch")

#define METHOD_CALL(call, text, permission, fds, ...)                                                        \
	static void on_##call(struct rpc_request *request, void *context)                                    \
	{                                                                                                    \
		static const char *const members[] = {__VA_ARGS__ __VA_OPT__(, ) NULL};                      \
		rpc_call_run(request, context, &(struct rpc_call_row){text, call, fds, members});            \
	}
METHODS(METHOD_CALL)

#define METHOD_ROW(call, text, permission, ...) {text, permission, on_##call},
static const struct rpc_method methods[] = {METHODS(METHOD_ROW){NULL, 0, NULL}};

static bool permit(const struct rpc_credentials *peer, unsigned permission, void *context)
{
	const struct holder *holder = context;
	bool member = peer->gid == holder->group;
	for (size_t i = 0; i < peer->group_count; i++)
		member = member || peer->groups[i] == holder->group;
	return peer->uid == 0 || (permission == GROUP && member);
}

static void on_close(struct rpc_peer *peer, void *context)
{
	struct holder *holder = context;
	if (holder->controller.peer != peer)
		return;
	holder->controller.peer = NULL;
	holder->controller.ready = false;
	holder->controller.left_ns = clock_boottime_ns();
}

int control_start(struct holder *holder)
{
	char path[DIR_TEXT + 16];
	snprintf(path, sizeof(path), "%s/holder.sock", holder->dir);
	int fd = rpc_listen(path, holder->group);
	if (fd < 0)
		return fd;
	holder->server = rpc_server_new(holder->base, fd,
					&(struct rpc_server_options){.methods = methods,
								     .context = holder,
								     .permit = permit,
								     .on_close = on_close,
								     .max_peers = MAX_PEERS,
								     .max_peer_backlog = MAX_PEER_BACKLOG});
	return holder->server ? 0 : -ENOMEM;
}
