/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A descriptor that is taken is duplicated: the store keeps its own until it is
 * told to drop it.
 */
#include "lib/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/netdev.h"
#include "lib/rpc_call.h"

json_t *keeper_names(const struct fdstore *store)
{
	json_t *list = json_array();
	for (int i = 0; i < FDSTORE_MAX; i++) {
		if (store->places[i].name[0])
			json_array_append_new(list, json_string(store->places[i].name));
	}
	return list;
}

static int put(struct rpc_call *call, struct fdstore *store, const char *name, int fd, bool *replaced)
{
	int error = fdstore_put(store, name, fd, replaced);
	if (error == -ENOSPC)
		return refuse(&call->problem, RPC_LIMIT, NULL, "%d descriptors are stored already: drop one",
			      FDSTORE_MAX);
	return error ? refuse_errno(&call->problem, error, "storing %s", name) : 0;
}

static int send_stored(struct rpc_call *call, const struct fdstore *store, const char *name)
{
	int fd = fdstore_get(store, name);
	int copy = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return rpc_call_send_fd(call, fd >= 0 && copy < 0 ? -errno : copy, name);
}

static int store_fd(struct rpc_call *call, void *context)
{
	bool replaced;
	if (put(call, context, call->argument[0].text, rpc_fd(call->request, 0), &replaced))
		return -EINVAL;
	call->result = json_pack("{s:b}", "replaced", replaced);
	return 0;
}

static int take_fd(struct rpc_call *call, void *context)
{
	const char *name = call->argument[0].text;
	call->result = json_pack("{s:s}", "name", name);
	return send_stored(call, context, name);
}

static int list_fds(struct rpc_call *call, void *context)
{
	call->result = json_pack("{s:o}", "names", keeper_names(context));
	return 0;
}

static int drop_fd(struct rpc_call *call, void *context)
{
	const char *name = call->argument[0].text;
	if (!fdstore_drop(context, name))
		return 0;
	return refuse(&call->problem, RPC_NOT_FOUND, NULL, "%s: there is none of this name", name);
}

static int packet_socket(struct rpc_call *call, void *context)
{
	const char *interface = call->argument[0].text, *name = call->argument[1].text;
	unsigned ifindex = if_nametoindex(interface);
	int stored = fdstore_get(context, name);
	bool replaced, created = stored < 0 || !netdev_is_packet_socket(stored, ifindex);
	if (!ifindex)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "there is no interface %s", interface);
	if (created) {
		int fd = netdev_packet_socket(ifindex);
		if (fd < 0)
			return refuse_errno(&call->problem, fd, "packet socket of %s", interface);
		int error = put(call, context, name, fd, &replaced);
		close(fd);
		if (error)
			return error;
	}
	call->result = json_pack("{s:s, s:b}", "name", name, "created", created);
	return send_stored(call, context, name);
}

/* For ports that only root may bind. */
static int udp_socket(struct rpc_call *call, void *context)
{
	const char *text = call->argument[0].text, *name = call->argument[2].text;
	json_int_t port = call->argument[1].number;
	uint32_t address_be;
	bool replaced, created;
	int stored, fd, error;

	if (address_parse(text, &address_be))
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL,
			      "address: %s: must be an IPv4 address", text);
	if (port < 1 || port > UINT16_MAX)
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL, "port: must be 1-65535");
	stored = fdstore_get(context, name);
	created = stored < 0 || !netdev_is_udp_socket(stored, address_be, (uint16_t)port);
	if (created) {
		fd = netdev_udp_socket(address_be, (uint16_t)port, call->argument[3].flag);
		if (fd < 0)
			return refuse_errno(&call->problem, fd, "UDP socket of %s port %d", text, (int)port);
		error = put(call, context, name, fd, &replaced);
		close(fd);
		if (error)
			return error;
	}
	call->result = json_pack("{s:s, s:b}", "name", name, "created", created);
	return send_stored(call, context, name);
}

static int ensure_veth(struct rpc_call *call, void *context)
{
	const char *name = call->argument[0].text, *peer = call->argument[1].text;
	char mac_text[2][MAC_TEXT];
	uint8_t macs[2][6];
	bool created;
	(void)context;
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

#define METHODS(X)                                                                                           \
	X(store_fd, "fd.store", KEEPER_PERMISSION, 1, "name:n")                                              \
	X(take_fd, "fd.take", KEEPER_PERMISSION, 0, "name:n")                                                \
	X(list_fds, "fd.list", KEEPER_PERMISSION, 0, "")                                                     \
	X(drop_fd, "fd.drop", KEEPER_PERMISSION, 0, "name:n")                                                \
	X(packet_socket, "socket.packet", KEEPER_PERMISSION, 0, "interface:i name:n")                        \
	X(udp_socket, "socket.udp", KEEPER_PERMISSION, 0, "address:t port:u name:n reuseport?:b")            \
	X(ensure_veth, "veth.ensure", KEEPER_PERMISSION, 0, "name:i peer:i")

METHODS(RPC_CALL_METHOD)

const struct rpc_method keeper_methods[] = {METHODS(RPC_CALL_ROW){NULL, 0, NULL}};
