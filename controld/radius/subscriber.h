/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who a subscriber is and where, as attributes: the same in every request about it, so
 * that a server can join what it was asked with what it is told later.
 */
#ifndef BNG_CONTROLD_RADIUS_SUBSCRIBER_H
#define BNG_CONTROLD_RADIUS_SUBSCRIBER_H

#include "controld/radius/packet.h"
#include "controld/session/session.h"

#define RADIUS_PORT_ID_TEXT    40
#define RADIUS_SESSION_ID_TEXT 17
#define RADIUS_SERVICE_FRAMED  2 /* Service-Type */

struct controld;

/* NAS-Port-Id: "access0", "access0:100", "access0:100.7". */
char *radius_port_id(const struct controld *controld, const struct session_client *client,
		     char text[static RADIUS_PORT_ID_TEXT]);
/* Acct-Session-Id: 16 hexadecimal digits. */
char *radius_session_id(uint64_t session_id, char text[static RADIUS_SESSION_ID_TEXT]);
/* Service-Type, Framed-Protocol, NAS-Port, NAS-Port-Type, NAS-Port-Id, Calling-Station-Id,
 * Called-Station-Id (the interface). */
void radius_add_subscriber(const struct controld *controld, struct radius_builder *builder,
			   const struct session_client *client);
/* ADSL-Agent-Circuit-Id and -Remote-Id: what the access node says. What is too long for an
 * attribute is cut. */
void radius_add_line(struct radius_builder *builder, const struct session_line *line);

#endif
