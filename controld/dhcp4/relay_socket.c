/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Where the relay meets servers: a socket for each giaddr, in the holder's store, so that a
 * reply that comes while controld is away waits there.
 */
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "relayed.h"
#include "server.h"

#define BATCH 64
#define NAME  "controld.dhcp4."

struct relay_socket {
	struct dhcp4 *dhcp4;
	uint32_t giaddr_be;
	int fd;
	struct event *readable;
};

static struct relay_socket *socket_of(struct dhcp4 *dhcp4, uint32_t giaddr_be)
{
	for (size_t i = 0; i < dhcp4->relay_count; i++)
		if (dhcp4->relays[i].giaddr_be == giaddr_be)
			return &dhcp4->relays[i];
	return NULL;
}

int dhcp4_relay_send(struct dhcp4 *dhcp4, uint32_t giaddr_be, uint32_t server_be, const uint8_t *data,
		     size_t length)
{
	const struct relay_socket *relay = socket_of(dhcp4, giaddr_be);
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(DHCP4_SERVER_PORT), .sin_addr.s_addr = server_be};

	if (!relay)
		return -ENOTCONN;
	return sendto(relay->fd, data, length, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno
												     : 0;
}

static bool is_server(const struct dhcp4 *dhcp4, uint32_t giaddr_be, const struct sockaddr_in *from)
{
	for (size_t i = 0; i < dhcp4->config->dhcp4_pool_count; i++) {
		const struct config_dhcp4_pool *pool = &dhcp4->config->dhcp4_pools[i];

		for (size_t k = 0; pool->giaddr_be == giaddr_be && k < pool->relay_count; k++)
			if (pool->relay_be[k] == from->sin_addr.s_addr)
				return from->sin_port == htons(DHCP4_SERVER_PORT);
	}
	return false;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct relay_socket *relay = context;
	uint8_t data[RELAYED_MAX + 1];

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in from = {0};
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &size);

		if (got < 0)
			break;
		dhcp4_count_refusal(relay->dhcp4,
				    is_server(relay->dhcp4, relay->giaddr_be, &from)
					    ? dhcp4_relay_back(relay->dhcp4, from.sin_addr.s_addr, data,
							       (size_t)got, clock_boottime_ns())
					    : DHCP4_REFUSED_OTHER_SERVER);
	}
}

/* ---- Sockets --------------------------------------------------------------------------- */

static int open_socket(struct dhcp4 *dhcp4, uint32_t giaddr_be, struct relay_socket *relay)
{
	char name[64], address[ADDRESS_TEXT];
	struct rpc_result result;
	int failure;

	address_format(giaddr_be, address);
	snprintf(name, sizeof(name), NAME "%s", address);
	failure = holder_call(
		dhcp4->controld->holder, "socket.udp",
		json_pack("{s:s, s:i, s:s}", "address", address, "port", DHCP4_SERVER_PORT, "name", name),
		NULL, 0, &result);
	if (!failure && result.fd_count != 1)
		failure = -EPROTO;
	if (failure)
		log_error("/dhcp4/pools: opening port %d of %s to relay from failed: %s", DHCP4_SERVER_PORT,
			  address, result.message[0] ? result.message : strerror(-failure));
	if (!failure) {
		*relay = (struct relay_socket){.dhcp4 = dhcp4, .giaddr_be = giaddr_be, .fd = result.fds[0]};
		result.fd_count = 0;
		failure = holder_keep(dhcp4->controld->holder, name, relay->fd);
	}
	rpc_result_done(&result);
	return failure;
}

static int add_socket(struct dhcp4 *dhcp4, uint32_t giaddr_be)
{
	struct relay_socket *relay = &dhcp4->relays[dhcp4->relay_count];
	int failure = open_socket(dhcp4, giaddr_be, relay);

	if (failure)
		return failure;
	dhcp4->relay_count++;
	relay->readable =
		event_new(dhcp4->controld->base, relay->fd, EV_READ | EV_PERSIST, on_readable, relay);
	return relay->readable && !event_add(relay->readable, NULL) ? 0 : -ENOMEM;
}

/* One for each giaddr; those of before stay, too: what was asked from them is answered. */
int dhcp4_relay_open(struct dhcp4 *dhcp4)
{
	const struct config *config = dhcp4->config;
	int failure = 0;

	if (!dhcp4->relays)
		dhcp4->relays = calloc(DHCP4_RELAYS_MAX, sizeof(*dhcp4->relays));
	if (!dhcp4->relays)
		return -ENOMEM;
	for (size_t i = 0; !failure && i < config->dhcp4_pool_count; i++) {
		uint32_t giaddr_be = config->dhcp4_pools[i].giaddr_be;

		if (config->dhcp4_pools[i].relay_count && !socket_of(dhcp4, giaddr_be))
			failure = dhcp4->relay_count < DHCP4_RELAYS_MAX ? add_socket(dhcp4, giaddr_be)
									: -ENOSPC;
	}
	return failure;
}

void dhcp4_relay_close(struct dhcp4 *dhcp4)
{
	for (size_t i = 0; i < dhcp4->relay_count; i++) {
		if (dhcp4->relays[i].readable)
			event_free(dhcp4->relays[i].readable);
		close(dhcp4->relays[i].fd);
	}
	free(dhcp4->relays);
}
