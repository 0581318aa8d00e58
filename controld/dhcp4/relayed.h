/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Messages between clients and other servers, as a relay changes them (RFC 1542, 3046).
 *
 * Towards the server Option 82 gets, besides what an access node put there: where we are
 * (link selection, RFC 3527), and a sub-option of our own that says whose message it is.
 * Servers give the option back as it was: so a reply needs nothing that a restart could lose.
 *
 * Clients know us as their server, so that renewals come to us: the server id is ours on the
 * way down and the server's on the way up. Unlike RFC 5107 that asks nothing of the server but
 * that its address is its id.
 */
#ifndef BNG_DHCP4_RELAYED_H
#define BNG_DHCP4_RELAYED_H

#include "controld/session/session.h"
#include "packet.h"

#define RELAYED_MAX 1472 /* bytes of a message */

/* Whose message it is, and how to reach it. */
struct relayed_client {
	struct session_client client;
	uint8_t flags; /* enum bng_subscriber_flag: kinds of tags */
	uint8_t tags;
};

struct relayed_way {
	uint32_t giaddr_be;
	uint32_t server_be;
	uint32_t router_be;  /* of the client's network */
	const char *circuit; /* circuit id where no access node gave one */
	bool keeps_line;     /* an access node's option is believed */
};

/* The client's message for a server: its length, 0: does not fit, or has gone by relays
 * enough. */
size_t relayed_up(const uint8_t *data, size_t length, const struct relayed_client *from,
		  const struct relayed_way *way, uint8_t out[static RELAYED_MAX]);

/* Whose reply it is. 0 or -EBADMSG. */
int relayed_identify(const struct dhcp4_message *reply, struct relayed_client *to);
/* The server's reply for the client, with what is left of Option 82 without ours. No lease
 * is longer than `lease_max`, and the server is `router_be`. Its length, 0: malformed or too large. */
size_t relayed_down(const uint8_t *data, size_t length, uint32_t router_be, uint32_t lease_max,
		    uint8_t out[static RELAYED_MAX]);

#endif
