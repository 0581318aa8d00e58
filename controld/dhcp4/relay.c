/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The relay: clients of pools that other servers lease. Sessions are ours all the same: one
 * opens when its ACK passes by, for as long as the ACK says, if the client is authorised.
 *
 * A reply says itself whose it is (relayed.h). An OFFER of the first server that made one
 * is the one that the client's REQUEST goes to.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/punt/punt.h"
#include "controld/session/detail.h"
#include "relayed.h"
#include "server.h"

#define TPID_AD 0x88a8
#define TPID_Q  0x8100

/* ---- Up -------------------------------------------------------------------------------- */

bool dhcp4_is_relayed(const struct dhcp4_exchange *exchange)
{
	return dhcp4_pool_first(exchange)->relay_count;
}

/* The pool that was granted, else the interface's first. */
static const struct config_dhcp4_pool *pool_of(const struct dhcp4_exchange *exchange)
{
	const struct session_profile *profile = dhcp4_profile(exchange);
	const struct config_dhcp4_pool *pool = NULL;

	if (profile && profile->given & PROFILE_POOL)
		pool = dhcp4_pool_named(exchange, profile->pool);
	return pool || (profile && profile->given & PROFILE_POOL) ? pool : dhcp4_pool_first(exchange);
}

static struct relayed_client client_of(const struct dhcp4_exchange *exchange)
{
	const struct frame_link *link = &exchange->packet.link;
	struct relayed_client from = {.client = exchange->client, .tags = (uint8_t)link->tags};

	if (link->tags > 0 && link->tag[0].tpid == TPID_AD)
		from.flags |= BNG_SUBSCRIBER_OUTER_AD;
	if (link->tags > 1 && link->tag[1].tpid == TPID_AD)
		from.flags |= BNG_SUBSCRIBER_INNER_AD;
	return from;
}

/* To the server that the client has chosen; to all where it has not, or nobody knows. */
static enum dhcp4_refusal send_up(struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool,
				  const struct frame *frame, struct relayed_way *way)
{
	const struct relayed_client from = client_of(exchange);
	uint32_t chosen_be =
		exchange->packet.message.server_id_be && exchange->setup ? exchange->setup->server_be : 0;
	enum dhcp4_refusal why = DHCP4_REFUSED_SYSTEM;
	uint8_t out[RELAYED_MAX];

	for (size_t i = 0; i < pool->relay_count; i++) {
		if (chosen_be && pool->relay_be[i] != chosen_be)
			continue;
		way->server_be = pool->relay_be[i];
		size_t length = relayed_up(frame->payload, frame->payload_length, &from, way, out);
		if (!length)
			return DHCP4_REFUSED_MALFORMED;
		if (!dhcp4_relay_send(exchange->dhcp4, pool->giaddr_be, pool->relay_be[i], out, length))
			why = DHCP4_ACCEPTED;
	}
	return why;
}

enum dhcp4_refusal dhcp4_relay(struct dhcp4_exchange *exchange)
{
	const struct config_dhcp4_pool *pool = pool_of(exchange);
	const struct session_client *client = &exchange->client;
	enum dhcp4_refusal why;
	struct frame frame;
	char circuit[64];

	if (!pool)
		return DHCP4_REFUSED_GRANT;
	snprintf(circuit, sizeof(circuit), "%s:%u.%u", exchange->interface_name, client->outer_vid,
		 client->inner_vid);
	struct relayed_way way = {
		.giaddr_be = pool->giaddr_be,
		.router_be = pool->router_be,
		.circuit = circuit,
		.keeps_line = exchange->line.circuit_id || exchange->line.remote_id,
	};
	if (frame_parse(exchange->frame, exchange->frame_length, &frame))
		return DHCP4_REFUSED_SYSTEM;
	why = send_up(exchange, pool, &frame, &way);
	if (why)
		return why;
	if (exchange->setup && exchange->setup->state == SETUP_GRANTED)
		setup_move(exchange->dhcp4->setups, exchange->setup, SETUP_GRANTED, exchange->now_ns);
	exchange->dhcp4->stats.relayed++;
	return DHCP4_ACCEPTED;
}

/* ---- Down ------------------------------------------------------------------------------ */

struct reply {
	uint32_t from_be;
	const uint8_t *data;
	size_t length;
	struct dhcp4_message message;
};

static void make_link(const struct relayed_client *to, struct frame_link *link)
{
	uint8_t ad[2] = {to->flags & BNG_SUBSCRIBER_OUTER_AD, to->flags & BNG_SUBSCRIBER_INNER_AD};
	uint16_t vid[2] = {to->client.outer_vid, to->client.inner_vid};

	link->tags = to->tags;
	for (unsigned i = 0; i < to->tags; i++)
		link->tag[i] = (struct frame_tag){ad[i] ? TPID_AD : TPID_Q, vid[i]};
	memcpy(link->source, to->client.mac, 6); /* as the client's own packet has it */
}

/* The frame for the client; its length, 0: it cannot be made. */
static size_t make_frame(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool,
			 const struct reply *reply, uint32_t lease_max, uint8_t frame[static FRAME_MAX])
{
	const struct dhcp4_header *header = &reply->message.header;
	struct frame_link link = exchange->packet.link;
	bool all = ntohs(header->flags_be) & DHCP4_FLAG_BROADCAST || reply->message.type == DHCP4_NAK;
	struct frame_flow flow = {
		.source_be = pool->router_be,
		.destination_be = all                 ? DHCP4_BROADCAST
				  : header->yiaddr_be ? header->yiaddr_be
						      : header->ciaddr_be,
		.source_port = DHCP4_SERVER_PORT,
		.destination_port = DHCP4_CLIENT_PORT,
	};
	uint8_t data[RELAYED_MAX];
	size_t length = relayed_down(reply->data, reply->length, pool->router_be, lease_max, data);

	memset(link.destination, 0xff, 6);
	if (!all)
		memcpy(link.destination, exchange->client.mac, 6);
	memcpy(link.source, exchange->dhcp4->controld->maps->interface[exchange->client.interface].mac, 6);
	return length ? frame_build(&link, &flow, data, length, frame, FRAME_MAX) : 0;
}

static enum dhcp4_refusal send_down(struct dhcp4_exchange *exchange, const uint8_t *frame, size_t length)
{
	if (!length || punt_send(exchange->dhcp4->controld, exchange->client.interface, frame, length))
		return DHCP4_REFUSED_SYSTEM;
	exchange->dhcp4->stats.returned++;
	return DHCP4_ACCEPTED;
}

/* An ACK of a lease: the session follows it. */
static enum dhcp4_refusal follow_ack(struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool,
				     const struct reply *reply)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	uint32_t address_be = reply->message.header.yiaddr_be, max = dhcp4_lease_bound(exchange);
	uint32_t lease = reply->message.lease_seconds < max ? reply->message.lease_seconds : max;
	uint8_t frame[FRAME_MAX];
	size_t length = make_frame(exchange, pool, reply, max, frame);

	if (!length || !lease)
		return DHCP4_REFUSED_MALFORMED;
	if (exchange->state == DHCP4_STATE_BOUND && exchange->session.record->address_be == address_be) {
		session_renew(dhcp4->controld, &exchange->session, lease);
		dhcp4->stats.renewed++;
		return send_down(exchange, frame, length);
	}
	if (exchange->state == DHCP4_STATE_BOUND)
		session_close(dhcp4->controld, &exchange->session, SESSION_END_NAS_REQUEST,
			      "its server gave it another address");
	if (exchange->state == DHCP4_STATE_OPENING)
		return DHCP4_ACCEPTED; /* the same ACK again */
	if (!exchange->setup || exchange->setup->state != SETUP_GRANTED)
		return DHCP4_REFUSED_NO_BINDING; /* not asked about: the client repeats itself */
	exchange->state = DHCP4_STATE_GRANTED;
	return dhcp4_bind_reply(exchange, address_be, lease, frame, length);
}

static enum dhcp4_refusal return_reply(struct dhcp4_exchange *exchange, const struct reply *reply)
{
	uint32_t address_be = reply->message.header.yiaddr_be;
	const struct config_dhcp4_pool *pool =
		address_be ? dhcp4_pool_leasing(exchange, address_be) : dhcp4_pool_first(exchange);
	uint8_t frame[FRAME_MAX];

	if (!pool || !pool->relay_count)
		return DHCP4_REFUSED_NO_POOL;
	if (reply->message.server_id_be != reply->from_be)
		return DHCP4_REFUSED_OTHER_SERVER; /* the client would choose whom we do not know */
	if (reply->message.type == DHCP4_OFFER && exchange->state == DHCP4_STATE_GRANTED &&
	    !exchange->setup->server_be)
		exchange->setup->server_be = reply->from_be;
	if (reply->message.type == DHCP4_ACK && address_be)
		return follow_ack(exchange, pool, reply);
	if (reply->message.type == DHCP4_NAK && exchange->state == DHCP4_STATE_BOUND)
		session_close(exchange->dhcp4->controld, &exchange->session, SESSION_END_NAS_REQUEST,
			      "its server refuses it");
	return send_down(exchange, frame,
			 make_frame(exchange, pool, reply, dhcp4_lease_bound(exchange), frame));
}

enum dhcp4_refusal dhcp4_relay_back(struct dhcp4 *dhcp4, uint32_t from_be, const uint8_t *data, size_t length,
				    uint64_t now_ns)
{
	struct dhcp4_exchange exchange = {.dhcp4 = dhcp4, .now_ns = now_ns};
	struct reply reply = {.from_be = from_be, .data = data, .length = length};
	struct relayed_client to;

	if (dhcp4_message_parse(data, length, &reply.message) || reply.message.header.op != DHCP4_OP_REPLY)
		return DHCP4_REFUSED_MALFORMED;
	if (relayed_identify(&reply.message, &to) || to.client.interface >= BNG_INTERFACES)
		return DHCP4_REFUSED_MALFORMED;
	exchange.client = to.client;
	exchange.interface_name = names_interface(dhcp4->controld, to.client.interface);
	make_link(&to, &exchange.packet.link);
	if (!exchange.interface_name[0] || !dhcp4_pool_first(&exchange))
		return DHCP4_REFUSED_NO_POOL;
	dhcp4_find_state(&exchange);
	return return_reply(&exchange, &reply);
}
