/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A subscriber's place as attributes, see the header.
 */
#include "controld/radius/subscriber.h"

#include <inttypes.h>
#include <stdio.h>

#include "controld/maps/names.h"
#include "lib/address.h"

#define VENDOR_ADSL_FORUM 3561
#define ADSL_CIRCUIT_ID   1
#define ADSL_REMOTE_ID    2
#define ADSL_VALUE_MAX    (RADIUS_VALUE_MAX - 6) /* inside a Vendor-Specific */

enum {
	PORT_TYPE_ETHERNET = 15,
	PORT_TYPE_PPPOEOE = 32,
	PORT_TYPE_PPPOEOVLAN = 33,
	PORT_TYPE_PPPOEOQINQ = 34
};
#define PROTOCOL_PPP 1

char *radius_port_id(const struct controld *controld, const struct session_client *client,
		     char text[static RADIUS_PORT_ID_TEXT])
{
	const char *name = names_interface(controld, client->interface);

	if (client->inner_vid)
		snprintf(text, RADIUS_PORT_ID_TEXT, "%s:%u.%u", name, client->outer_vid, client->inner_vid);
	else if (client->outer_vid)
		snprintf(text, RADIUS_PORT_ID_TEXT, "%s:%u", name, client->outer_vid);
	else
		snprintf(text, RADIUS_PORT_ID_TEXT, "%s", name);
	return text;
}

char *radius_session_id(uint64_t session_id, char text[static RADIUS_SESSION_ID_TEXT])
{
	snprintf(text, RADIUS_SESSION_ID_TEXT, "%016" PRIx64, session_id);
	return text;
}

static uint32_t port_type(const struct session_client *client)
{
	if (!client->pppoe_session)
		return PORT_TYPE_ETHERNET;
	if (client->inner_vid)
		return PORT_TYPE_PPPOEOQINQ;
	return client->outer_vid ? PORT_TYPE_PPPOEOVLAN : PORT_TYPE_PPPOEOE;
}

void radius_add_subscriber(const struct controld *controld, struct radius_builder *builder,
			   const struct session_client *client)
{
	char port[RADIUS_PORT_ID_TEXT], mac[MAC_TEXT];

	radius_add_integer(builder, RADIUS_SERVICE_TYPE, RADIUS_SERVICE_FRAMED);
	if (client->pppoe_session)
		radius_add_integer(builder, RADIUS_FRAMED_PROTOCOL, PROTOCOL_PPP);
	radius_add_integer(builder, RADIUS_NAS_PORT,
			   (uint32_t)(client->interface & 0xff) << 24 |
				   (uint32_t)(client->outer_vid & 0xfff) << 12 | (client->inner_vid & 0xfff));
	radius_add_integer(builder, RADIUS_NAS_PORT_TYPE, port_type(client));
	radius_add_text(builder, RADIUS_NAS_PORT_ID, radius_port_id(controld, client, port));
	radius_add_text(builder, RADIUS_CALLING_STATION_ID, mac_format(client->mac, mac));
	radius_add_text(builder, RADIUS_CALLED_STATION_ID, names_interface(controld, client->interface));
}

static void add_id(struct radius_builder *builder, uint8_t type, const uint8_t *value, size_t length)
{
	if (value && length)
		radius_add_vendor(builder, VENDOR_ADSL_FORUM, type, value,
				  length < ADSL_VALUE_MAX ? length : ADSL_VALUE_MAX);
}

void radius_add_line(struct radius_builder *builder, const struct session_line *line)
{
	add_id(builder, ADSL_CIRCUIT_ID, line->circuit_id, line->circuit_id_length);
	add_id(builder, ADSL_REMOTE_ID, line->remote_id, line->remote_id_length);
}
