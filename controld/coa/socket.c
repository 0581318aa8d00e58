/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The port: requests that come while controld is away, or starts, are answered after it
 * (controld/ctl/served.h).
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "controld/coa/coa.h"
#include "controld/controld.h"
#include "controld/ctl/served.h"

static bool serve_one(int fd, void *context)
{
	uint8_t packet[RADIUS_PACKET_MAX], reply[RADIUS_PACKET_MAX];
	struct sockaddr_in from = {0};
	socklen_t size = sizeof(from);
	struct coa *coa = context;
	size_t length = 0;
	ssize_t got = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &size);

	if (got < 0)
		return errno == EINTR;
	if (coa_serve(coa, from.sin_addr.s_addr, packet, (size_t)got, (uint64_t)time(NULL), reply, &length) ==
		    COA_ANSWERED &&
	    sendto(fd, reply, length, MSG_DONTWAIT, (struct sockaddr *)&from, size) < 0)
		coa->counts.drop[COA_DROP_UNSENT]++;
	return true;
}

int coa_listen(struct coa *coa, uint32_t address_be, uint16_t port)
{
	struct served *served;
	int failure;

	if (coa->served && served_is_at(coa->served, address_be, port))
		return 0;
	failure = served_open(coa->controld, "coa", address_be, port, serve_one, coa, &served);
	if (failure)
		return failure;
	served_end(coa->served);
	coa->served = served;
	return 0;
}
