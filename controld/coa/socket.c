/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The port: requests that come while controld is away, or starts, are answered after it
 * (controld/ctl/served.h).
 */
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "controld/coa/coa.h"
#include "controld/controld.h"
#include "controld/ctl/hand.h"
#include "controld/ctl/served.h"

static void serve_one(int fd, const struct hand_datagram *datagram, void *context)
{
	uint8_t packet[HAND_DATAGRAM_MAX], reply[RADIUS_PACKET_MAX];
	struct coa *coa = context;
	size_t length = 0;

	/* What is in hand stays as it came, to be served again. */
	memcpy(packet, datagram->data, datagram->length);
	if (coa_serve(coa, datagram->from.sin_addr.s_addr, packet, datagram->length, (uint64_t)time(NULL),
		      reply, &length) == COA_ANSWERED &&
	    sendto(fd, reply, length, MSG_DONTWAIT, (const struct sockaddr *)&datagram->from,
		   sizeof(datagram->from)) < 0)
		coa->counts.drop[COA_DROP_UNSENT]++;
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
