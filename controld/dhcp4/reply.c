/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Replies: the fields of RFC 2131 table 3, the options of RFC 2132 in the order
 * the client asked for them, and the destination of RFC 2131 section 4.1. The
 * frame goes back through the tags it came with.
 */
#include "server.h"

#include <arpa/inet.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/punt/punt.h"

#define IP_UDP_HEADERS 28u
#define DATAGRAM_MIN   576u /* what every client accepts */
#define DATAGRAM_MAX   1500u

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Options a client may ask for, in the order they go out when it does not. The
 * subnet mask comes before the router in any case (RFC 2132 section 3.3). */
static const uint8_t parameters[] = {DHCP4_OPTION_SUBNET_MASK, DHCP4_OPTION_ROUTER, DHCP4_OPTION_DNS,
				     DHCP4_OPTION_MTU};

static uint32_t mask_be(unsigned length)
{
	return length ? htonl(0xffffffffu << (32 - length)) : 0;
}

/* What goes into a reply: the pool's, unless the client was granted something else. */
struct parameters {
	const struct config_dhcp4_pool *pool;
	uint32_t dns_be[CONFIG_DNS_MAX];
	size_t dns_count;
};

static struct parameters parameters_of(const struct dhcp4_exchange *exchange,
				       const struct config_dhcp4_pool *pool)
{
	const struct session_profile *profile = dhcp4_profile(exchange);
	struct parameters given = {.pool = pool, .dns_count = pool->dns_count};

	memcpy(given.dns_be, pool->dns_be, sizeof(given.dns_be));
	if (!profile || !(profile->given & PROFILE_DNS))
		return given;
	memcpy(given.dns_be, profile->dns_be, sizeof(profile->dns_be));
	given.dns_count = !profile->dns_be[0] ? 0 : profile->dns_be[1] ? 2 : 1;
	return given;
}

static void put_parameter(struct dhcp4_writer *writer, const struct parameters *given, uint8_t option)
{
	const struct config_dhcp4_pool *pool = given->pool;
	uint16_t mtu_be = htons(pool->mtu);

	switch (option) {
	case DHCP4_OPTION_SUBNET_MASK:
		dhcp4_put_be32(writer, option, mask_be(pool->prefix.length));
		break;
	case DHCP4_OPTION_ROUTER:
		dhcp4_put_be32(writer, option, pool->router_be);
		break;
	case DHCP4_OPTION_DNS:
		if (given->dns_count)
			dhcp4_put(writer, option, given->dns_be, 4 * given->dns_count);
		break;
	case DHCP4_OPTION_MTU:
		if (pool->mtu)
			dhcp4_put(writer, option, &mtu_be, sizeof(mtu_be));
		break;
	}
}

/* Puts one of `parameters` unless it is done; the mask before the router. */
static void put_once(struct dhcp4_writer *writer, const struct parameters *given, uint8_t option,
		     unsigned *done)
{
	for (unsigned i = 0; i < sizeof(parameters); i++) {
		if (parameters[i] != option || *done & 1u << i)
			continue;
		if (option == DHCP4_OPTION_ROUTER)
			put_once(writer, given, DHCP4_OPTION_SUBNET_MASK, done);
		put_parameter(writer, given, option);
		*done |= 1u << i;
	}
}

static void put_parameters(struct dhcp4_writer *writer, const struct parameters *given,
			   const struct dhcp4_bytes *asked)
{
	unsigned done = 0;

	for (uint16_t i = 0; i < asked->length; i++)
		put_once(writer, given, asked->data[i], &done);
	for (unsigned i = 0; i < sizeof(parameters); i++)
		put_once(writer, given, parameters[i], &done);
}

static void put_lease(struct dhcp4_writer *writer, uint32_t seconds)
{
	dhcp4_put_be32(writer, DHCP4_OPTION_LEASE_TIME, htonl(seconds));
	dhcp4_put_be32(writer, DHCP4_OPTION_RENEWAL_TIME, htonl(seconds / 2));
	dhcp4_put_be32(writer, DHCP4_OPTION_REBINDING_TIME, htonl((uint32_t)(seconds * 7ULL / 8)));
}

/* What every reply ends with: RFC 6842, and RFC 3046 (last). */
static void put_echoes(struct dhcp4_writer *writer, const struct dhcp4_message *request)
{
	if (request->client_id.length)
		dhcp4_put(writer, DHCP4_OPTION_CLIENT_ID, request->client_id.data, request->client_id.length);
	if (request->relay_agent.length)
		dhcp4_put(writer, DHCP4_OPTION_RELAY_AGENT, request->relay_agent.data,
			  request->relay_agent.length);
}

static void begin(const struct dhcp4_exchange *exchange, enum dhcp4_type type, uint32_t yiaddr_be,
		  uint32_t server_be, struct dhcp4_writer *writer, uint8_t *data)
{
	const struct dhcp4_message *request = &exchange->packet.message;
	struct dhcp4_header header = {
		.op = DHCP4_OP_REPLY,
		.htype = request->header.htype,
		.hlen = request->header.hlen,
		.xid_be = request->header.xid_be,
		.flags_be = request->header.flags_be,
		.ciaddr_be = type == DHCP4_ACK ? request->header.ciaddr_be : 0,
		.yiaddr_be = yiaddr_be,
	};
	size_t datagram = request->max_size < DATAGRAM_MIN ? DATAGRAM_MIN : request->max_size;
	uint8_t type_byte = (uint8_t)type;

	memcpy(header.chaddr, request->header.chaddr, sizeof(header.chaddr));
	dhcp4_writer_init(writer, &header, data,
			  (datagram > DATAGRAM_MAX ? DATAGRAM_MAX : datagram) - IP_UDP_HEADERS);
	dhcp4_put(writer, DHCP4_OPTION_TYPE, &type_byte, 1);
	dhcp4_put_be32(writer, DHCP4_OPTION_SERVER_ID, server_be);
}

/* RFC 2131 section 4.1, without relays. */
static uint32_t destination_of(const struct dhcp4_header *request, enum dhcp4_type type, uint32_t yiaddr_be)
{
	if (type == DHCP4_NAK)
		return DHCP4_BROADCAST;
	if (request->ciaddr_be && type == DHCP4_ACK)
		return request->ciaddr_be;
	if (ntohs(request->flags_be) & DHCP4_FLAG_BROADCAST)
		return DHCP4_BROADCAST;
	return yiaddr_be;
}

static enum dhcp4_refusal finish(struct dhcp4_exchange *exchange, enum dhcp4_type type, uint32_t yiaddr_be,
				 uint32_t server_be, struct dhcp4_writer *writer)
{
	struct controld *controld = exchange->dhcp4->controld;
	const struct dhcp4_header *request = &exchange->packet.message.header;
	uint16_t interface = exchange->client.interface;
	struct frame_link link = exchange->packet.link;
	struct frame_flow flow = {
		.source_be = server_be,
		.destination_be = destination_of(request, type, yiaddr_be),
		.source_port = DHCP4_SERVER_PORT,
		.destination_port = DHCP4_CLIENT_PORT,
	};
	uint8_t frame[FRAME_MAX];

	memcpy(link.destination, flow.destination_be == DHCP4_BROADCAST ? broadcast_mac : request->chaddr, 6);
	memcpy(link.source, controld->maps->interface[interface].mac, 6);
	size_t length =
		frame_build(&link, &flow, writer->data, dhcp4_writer_finish(writer), frame, sizeof(frame));
	if (!length || punt_send(controld, interface, frame, length))
		return DHCP4_REFUSED_SYSTEM;
	exchange->dhcp4->stats.sent[type]++;
	dhcp4_tell_sent(exchange, type, yiaddr_be);
	return DHCP4_ACCEPTED;
}

uint32_t dhcp4_lease_bound(const struct dhcp4_exchange *exchange)
{
	const struct session_profile *profile = dhcp4_profile(exchange);
	uint64_t lasted = 0;

	if (!profile || !(profile->given & PROFILE_SESSION_TIMEOUT) || !profile->session_timeout_s)
		return UINT32_MAX;
	if (exchange->state == DHCP4_STATE_BOUND)
		lasted = session_age_s(&exchange->session, exchange->now_ns);
	return profile->session_timeout_s > lasted ? (uint32_t)(profile->session_timeout_s - lasted) : 1;
}

uint32_t dhcp4_lease_seconds(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool)
{
	uint32_t bound = dhcp4_lease_bound(exchange);

	return bound < pool->lease_seconds ? bound : pool->lease_seconds;
}

enum dhcp4_refusal dhcp4_reply(struct dhcp4_exchange *exchange, enum dhcp4_type type, uint32_t yiaddr_be)
{
	const struct dhcp4_message *request = &exchange->packet.message;
	const struct config_dhcp4_pool *pool =
		dhcp4_pool_around(exchange, yiaddr_be ? yiaddr_be : request->header.ciaddr_be);
	uint8_t data[DATAGRAM_MAX];
	struct dhcp4_writer writer;

	if (!pool)
		return DHCP4_REFUSED_NO_POOL;
	const struct parameters given = parameters_of(exchange, pool);
	begin(exchange, type, yiaddr_be, pool->router_be, &writer, data);
	if (yiaddr_be)
		put_lease(&writer, dhcp4_lease_seconds(exchange, pool));
	put_parameters(&writer, &given, &request->parameters);
	put_echoes(&writer, request);
	return finish(exchange, type, yiaddr_be, pool->router_be, &writer);
}

const char *dhcp4_refusal_text(enum dhcp4_refusal why)
{
	static const char *const text[DHCP4_REFUSAL_COUNT] = {
		[DHCP4_REFUSED_INTERFACE_LIMIT] = "too many sessions on this access",
		[DHCP4_REFUSED_ADDRESS_TAKEN] = "address is not free",
		[DHCP4_REFUSED_WRONG_ADDRESS] = "address is not yours",
		[DHCP4_REFUSED_WRONG_NETWORK] = "address is not of this network",
		[DHCP4_REFUSED_NO_BINDING] = "no lease",
		[DHCP4_REFUSED_EXHAUSTED] = "no address is free",
		[DHCP4_REFUSED_DENIED] = "not authorised",
		[DHCP4_REFUSED_GRANT] = "what was granted is not configured here",
	};

	return text[why] ? text[why] : "refused";
}

enum dhcp4_refusal dhcp4_refuse(struct dhcp4_exchange *exchange, enum dhcp4_refusal why)
{
	const struct dhcp4_message *request = &exchange->packet.message;
	uint32_t server_be =
		request->server_id_be ? request->server_id_be : dhcp4_pool_first(exchange)->router_be;
	uint8_t data[DATAGRAM_MAX];
	struct dhcp4_writer writer;

	begin(exchange, DHCP4_NAK, 0, server_be, &writer, data);
	dhcp4_put(&writer, DHCP4_OPTION_MESSAGE, dhcp4_refusal_text(why), strlen(dhcp4_refusal_text(why)));
	put_echoes(&writer, request);
	return finish(exchange, DHCP4_NAK, 0, server_be, &writer) ? DHCP4_REFUSED_SYSTEM : why;
}
