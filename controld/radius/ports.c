/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Source ports: UDP sockets in the holder's store, so that a reply that comes while
 * controld is away waits in the kernel, and comes to the port it was meant for.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/radius/client.h"
#include "lib/log.h"

#define RECEIVE_BUFFER (1 << 20)
#define BATCH          128 /* datagrams in one turn of the loop */

void governor_set(struct governor *governor, uint32_t rate, uint32_t burst)
{
	governor->interval_ns = 1000000000ull / rate;
	governor->slack_ns = governor->interval_ns * (burst - 1);
}

uint64_t governor_wait(struct governor *governor, uint64_t now_ns)
{
	if (governor->next_ns < now_ns)
		governor->next_ns = now_ns;
	return governor->next_ns - now_ns > governor->slack_ns
		       ? governor->next_ns - now_ns - governor->slack_ns
		       : 0;
}

void governor_take(struct governor *governor, uint64_t now_ns)
{
	if (governor->next_ns < now_ns)
		governor->next_ns = now_ns;
	governor->next_ns += governor->interval_ns;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct port *port = context;
	uint8_t data[RADIUS_PACKET_MAX];

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in from = {0};
		socklen_t size = sizeof(from);
		ssize_t got = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT | MSG_PEEK,
				       (struct sockaddr *)&from, &size);
		struct radius_endpoint endpoint = {from.sin_addr.s_addr, from.sin_port, 0};

		if (got < 0)
			break;
		client_receive(port->radius, port, &endpoint, data, (size_t)got);
		/* It waits in the socket until all is done: who is killed meanwhile reads it again. */
		recv(fd, data, sizeof(data), MSG_DONTWAIT);
	}
}

static bool is_bound_to(int fd, uint32_t source_be)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address), type_size = sizeof(int);
	int type = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) && type == SOCK_DGRAM &&
	       !getsockname(fd, (struct sockaddr *)&address, &size) && address.sin_family == AF_INET &&
	       address.sin_port && address.sin_addr.s_addr == source_be;
}

static int make_socket(uint32_t source_be)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = source_be};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = RECEIVE_BUFFER, one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)); /* the address may come later */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)); /* as much as there is */
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	int failure = -errno;
	close(fd);
	return failure;
}

static void close_port(struct port *port)
{
	if (port->readable)
		event_free(port->readable);
	if (port->fd >= 0)
		close(port->fd);
	*port = (struct port){.fd = -1};
}

static int watch(struct radius *radius, struct port *port, uint16_t index)
{
	port->radius = radius;
	port->index = index;
	port->readable = event_new(radius->controld->base, port->fd, EV_READ | EV_PERSIST, on_readable, port);
	return port->readable && !event_add(port->readable, NULL) ? 0 : -ENOMEM;
}

static int open_port(struct radius *radius, uint16_t index, uint32_t source_be)
{
	struct holder *holder = radius->controld->holder;
	struct port port = {.fd = -1};
	char name[32];
	int failure;

	snprintf(name, sizeof(name), "controld.radius.%u", index);
	if (holder && radius->ports[index].fd < 0)
		port.is_taken = !holder_take(holder, name, &port.fd);
	if (port.is_taken && !is_bound_to(port.fd, source_be))
		close_port(&port);
	if (port.fd < 0)
		port.fd = make_socket(source_be);
	if (port.fd < 0)
		return port.fd;
	failure = holder ? holder_keep(holder, name, port.fd) : 0;
	if (failure)
		log_warning("RADIUS: bpfholder does not keep source port %u (%s): replies that come during "
			    "a restart are lost",
			    index, strerror(-failure));
	close_port(&radius->ports[index]);
	radius->ports[index] = port;
	return watch(radius, &radius->ports[index], index);
}

/* Ports that are no longer wanted still hear what was sent from them. */
int ports_open(struct radius *radius, uint32_t count, uint32_t source_be)
{
	int failure = 0;

	for (uint16_t i = 0; !failure && i < CONFIG_RADIUS_PORTS; i++) {
		bool is_open = radius->ports[i].fd >= 0;

		if (is_open ? is_bound_to(radius->ports[i].fd, source_be) : i >= count)
			continue;
		if (is_open && i >= count)
			close_port(&radius->ports[i]);
		else
			failure = open_port(radius, i, source_be);
		if (is_open)
			client_move(radius, i);
	}
	if (!failure)
		radius->open_ports = count;
	return failure;
}

void ports_close(struct radius *radius)
{
	for (int i = 0; i < CONFIG_RADIUS_PORTS; i++)
		close_port(&radius->ports[i]);
}
