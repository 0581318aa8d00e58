/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The socket: in the holder's store, so that what comes while controld is away waits in
 * the kernel and is answered after it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "controld/coa/coa.h"
#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "lib/log.h"

#define BATCH 64 /* requests in one turn of the loop */

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	uint8_t packet[RADIUS_PACKET_MAX], reply[RADIUS_PACKET_MAX];
	struct coa *coa = context;

	(void)what;
	for (int i = 0; i < BATCH; i++) {
		struct sockaddr_in from = {0};
		socklen_t size = sizeof(from);
		size_t length = 0;
		ssize_t got =
			recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &size);

		if (got < 0)
			break;
		if (coa_serve(coa, from.sin_addr.s_addr, packet, (size_t)got, (uint64_t)time(NULL), reply,
			      &length) == COA_ANSWERED &&
		    sendto(fd, reply, length, MSG_DONTWAIT, (struct sockaddr *)&from, size) < 0)
			coa->counts.drop[COA_DROP_UNSENT]++;
	}
}

static bool is_bound_to(int fd, uint32_t address_be, uint16_t port)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address);

	return !getsockname(fd, (struct sockaddr *)&address, &size) && address.sin_family == AF_INET &&
	       address.sin_addr.s_addr == address_be && address.sin_port == htons(port);
}

static int make_socket(uint32_t address_be, uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = address_be};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1, failure;

	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)); /* the address may come later */
	/* The one that listened elsewhere until now has the port still. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (!bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	failure = -errno;
	close(fd);
	return failure;
}

static int take_or_make(struct holder *holder, uint32_t address_be, uint16_t port)
{
	int fd;

	if (holder && !holder_take(holder, COA_SOCKET_NAME, &fd)) {
		if (is_bound_to(fd, address_be, port))
			return fd;
		close(fd);
	}
	return make_socket(address_be, port);
}

int coa_listen(struct coa *coa, uint32_t address_be, uint16_t port)
{
	struct holder *holder = coa->controld->holder;
	struct event *readable;
	int fd, failure;

	if (coa->fd >= 0 && is_bound_to(coa->fd, address_be, port))
		return 0;
	fd = take_or_make(holder, address_be, port);
	if (fd < 0)
		return fd;
	readable = event_new(coa->controld->base, fd, EV_READ | EV_PERSIST, on_readable, coa);
	if (!readable || event_add(readable, NULL)) {
		if (readable)
			event_free(readable);
		close(fd);
		return -ENOMEM;
	}
	coa_unlisten(coa);
	coa->fd = fd;
	coa->readable = readable;
	failure = holder ? holder_keep(holder, COA_SOCKET_NAME, fd) : 0;
	if (failure)
		log_warning("CoA: bpfholder does not keep the socket (%s): requests that come during a "
			    "restart are lost",
			    strerror(-failure));
	return 0;
}

void coa_unlisten(struct coa *coa)
{
	if (coa->readable)
		event_free(coa->readable);
	if (coa->fd >= 0)
		close(coa->fd);
	coa->readable = NULL;
	coa->fd = -1;
}
