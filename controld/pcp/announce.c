/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * ANNOUNCE unasked (RFC 6887 section 14.1): a session that has come up has no mappings,
 * whatever its subscriber had before, and is told so. To all hosts by address, to this
 * one by MAC: the others have lost nothing. A little later and not all at once, so that
 * the client has its address by then and a gateway that starts from nothing stays
 * responsive. Sessions that a restarted controld finds have lost nothing either.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/maps/names.h"
#include "controld/pcp/pcp.h"
#include "controld/punt/frame.h"
#include "controld/punt/punt.h"

#define ALL_HOSTS_BE htonl(0xe0000001) /* 224.0.0.1 */
#define ROUND_MAX    4096

/* Where the session reaches us; 0: nowhere. */
static uint32_t gateway_of(const struct controld *controld, const struct bng_subscriber *session)
{
	const struct config *config = controld->config;
	const char *interface = names_interface(controld, session->interface);
	uint32_t address = ntohl(session->address_be);

	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (address >= config->dhcp4_pools[i].prefix.first &&
		    address <= config->dhcp4_pools[i].prefix.last)
			return config->dhcp4_pools[i].router_be;
	for (size_t i = 0; i < config->gateway_count; i++)
		if (!strcmp(config->gateways[i].interface, interface))
			return config->gateways[i].address_be;
	return 0;
}

static void put_tag(struct frame_link *link, uint16_t vid, bool ad)
{
	if (vid)
		link->tag[link->tags++] = (struct frame_tag){ad ? 0x88a8 : 0x8100, vid};
}

static void announce(struct controld *controld, const struct bng_subscriber *session)
{
	struct frame_link link = {.tags = 0};
	struct frame_flow flow = {
		.source_be = gateway_of(controld, session),
		.destination_be = ALL_HOSTS_BE,
		.source_port = PCP_SERVER_PORT,
		.destination_port = PCP_CLIENT_PORT,
	};
	uint8_t message[PCP_MESSAGE_MAX], frame[FRAME_MAX];
	size_t length = pcp_build_announce(pcp_epoch(session), message);

	if (!flow.source_be)
		return;
	memcpy(link.destination, session->mac, 6);
	memcpy(link.source, controld->maps->interface[session->interface].mac, 6);
	put_tag(&link, session->outer_vid, session->flags & BNG_SUBSCRIBER_OUTER_AD);
	put_tag(&link, session->inner_vid, session->flags & BNG_SUBSCRIBER_INNER_AD);
	link.pppoe_session = session->pppoe_session;
	length = frame_build(&link, &flow, message, length, frame, sizeof(frame));
	if (!punt_send(controld, session->interface, frame, length))
		pcp_counts(controld)->announced++;
}

/* Without memory nobody is told: the client sees it in the next epoch it reads. */
void pcp_announce_later(struct pcp *pcp, uint32_t slot)
{
	if (pcp->waiting_count == pcp->waiting_room) {
		uint32_t room = pcp->waiting_room ? 2 * pcp->waiting_room : 64;
		uint32_t *waiting = reallocarray(pcp->waiting, room, sizeof(*waiting));

		if (!waiting)
			return;
		pcp->waiting = waiting;
		pcp->waiting_room = room;
	}
	pcp->waiting[pcp->waiting_count++] = slot;
}

void pcp_announce_waiting(struct controld *controld)
{
	struct pcp *pcp = controld->pcp;

	for (int i = 0; i < ROUND_MAX && pcp->waiting_count; i++) {
		const struct bng_subscriber *session =
			&controld->maps->subscriber[pcp->waiting[--pcp->waiting_count]];

		if (session->state == BNG_SUBSCRIBER_ACTIVE && pcp_policy(controld, session))
			announce(controld, session);
	}
}
