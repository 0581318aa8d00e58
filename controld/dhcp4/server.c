/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One packet: parse, find out who asks and in what state, then the table.
 *
 * 1. An address is given away only by session_open; an offer promises nothing
 *    that session_open could not refuse.
 * 2. Every packet ends in a reply or in a counted refusal; a NAK is both.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/maps/names.h"

#define SECOND_NS 1000000000ULL
#define VID_MASK  0x0fff
#define TPID_AD   0x88a8
#define ETHERNET  1 /* htype */
#define MULTICAST 0x01

typedef enum dhcp4_refusal action(struct dhcp4_exchange *exchange);

/* ---- Actions ----------------------------------------------------------------- */

static struct session_spec spec_of(const struct dhcp4_exchange *exchange,
				   const struct config_dhcp4_pool *pool, uint32_t address_be)
{
	const struct frame_link *link = &exchange->packet.link;
	int nat_pool =
		pool->nat_pool[0] ? names_pool_index(exchange->dhcp4->controld, pool->nat_pool) : -ENOENT;
	struct session_spec spec = {
		.address_be = address_be,
		.client = exchange->client,
		.kind = BNG_SESSION_DHCP,
		.pool = nat_pool < 0 ? NAMES_NO_POOL : (uint8_t)nat_pool,
		.lease_seconds = pool->lease_seconds,
		.mss = pool->mss,
	};

	if (!pool->nat_pool[0])
		spec.flags |= BNG_SUBSCRIBER_EXEMPT;
	if (link->tags > 0 && link->tag[0].tpid == TPID_AD)
		spec.flags |= BNG_SUBSCRIBER_OUTER_AD;
	if (link->tags > 1 && link->tag[1].tpid == TPID_AD)
		spec.flags |= BNG_SUBSCRIBER_INNER_AD;
	return spec;
}

/* Opens the session and sends the ACK, or a NAK when the address is gone. */
static enum dhcp4_refusal bind_address(struct dhcp4_exchange *exchange, uint32_t address_be)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	const struct config_dhcp4_pool *pool = dhcp4_pool_leasing(exchange, address_be);

	reservation_remove_client(dhcp4->offers, &exchange->client);
	if (!pool || !dhcp4_address_available(exchange, address_be))
		return dhcp4_refuse(exchange, DHCP4_REFUSED_ADDRESS_TAKEN);
	if (session_count_interface(dhcp4->controld, exchange->client.interface) >=
	    pool->max_sessions_per_interface)
		return dhcp4_refuse(exchange, DHCP4_REFUSED_INTERFACE_LIMIT);

	struct session_spec spec = spec_of(exchange, pool, address_be);
	int err = session_open(dhcp4->controld, &spec, &exchange->session);
	if (err == -EADDRINUSE)
		return dhcp4_refuse(exchange, DHCP4_REFUSED_ADDRESS_TAKEN);
	if (err == -ENOSPC)
		return dhcp4_refuse(exchange, DHCP4_REFUSED_SESSION_LIMIT);
	if (err)
		return DHCP4_REFUSED_SYSTEM;
	dhcp4->stats.bound++;
	return dhcp4_reply(exchange, DHCP4_ACK, address_be);
}

static enum dhcp4_refusal offer(struct dhcp4_exchange *exchange, uint32_t address_be)
{
	reservation_add(exchange->dhcp4->offers, &exchange->client, address_be, exchange->now_ns);
	return dhcp4_reply(exchange, DHCP4_OFFER, address_be);
}

static enum dhcp4_refusal offer_new(struct dhcp4_exchange *exchange)
{
	uint32_t address_be;
	enum dhcp4_refusal why = dhcp4_address_choose(exchange, &address_be);

	return why ? why : offer(exchange, address_be);
}

static enum dhcp4_refusal offer_again(struct dhcp4_exchange *exchange)
{
	if (dhcp4_address_available(exchange, exchange->offered_be))
		return offer(exchange, exchange->offered_be);
	reservation_remove_client(exchange->dhcp4->offers, &exchange->client);
	return offer_new(exchange);
}

static bool is_leased(const struct dhcp4_exchange *exchange)
{
	return exchange->session.record->kind == BNG_SESSION_DHCP;
}

/* The client has a session. It lost its memory, or the configuration moved on. */
static enum dhcp4_refusal offer_bound(struct dhcp4_exchange *exchange)
{
	uint32_t address_be = exchange->session.record->address_be;

	if (!is_leased(exchange) || dhcp4_pool_leasing(exchange, address_be))
		return dhcp4_reply(exchange, DHCP4_OFFER, address_be);
	session_close(exchange->dhcp4->controld, &exchange->session, SESSION_END_NAS_REQUEST,
		      "its address is in no pool any more");
	return offer_new(exchange);
}

static enum dhcp4_refusal select_new(struct dhcp4_exchange *exchange)
{
	return bind_address(exchange, exchange->packet.message.requested_be);
}

/* SELECTING or INIT-REBOOT with an open offer. */
static enum dhcp4_refusal bind_offered(struct dhcp4_exchange *exchange)
{
	if (exchange->packet.message.requested_be == exchange->offered_be)
		return bind_address(exchange, exchange->offered_be);
	reservation_remove_client(exchange->dhcp4->offers, &exchange->client);
	return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_ADDRESS);
}

/* SELECTING, INIT-REBOOT, RENEWING and REBINDING with a session. */
static enum dhcp4_refusal extend(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	const struct dhcp4_message *request = &exchange->packet.message;
	uint32_t asked_be = request->header.ciaddr_be ? request->header.ciaddr_be : request->requested_be;
	uint32_t address_be = exchange->session.record->address_be;
	const struct config_dhcp4_pool *pool = dhcp4_pool_leasing(exchange, address_be);

	if (asked_be != address_be)
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_ADDRESS);
	if (!is_leased(exchange))
		return dhcp4_reply(exchange, DHCP4_ACK, address_be);
	if (!pool) {
		session_close(dhcp4->controld, &exchange->session, SESSION_END_NAS_REQUEST,
			      "its address is in no pool any more");
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_NETWORK);
	}
	session_renew(dhcp4->controld, &exchange->session, pool->lease_seconds);
	dhcp4->stats.renewed++;
	return dhcp4_reply(exchange, DHCP4_ACK, address_be);
}

/* INIT-REBOOT without lease or offer: silent unless we know better (RFC 2131
 * section 4.3.2): the wrong network, or the address that was the client's. */
static enum dhcp4_refusal reboot_unknown(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	uint32_t asked_be = exchange->packet.message.requested_be;
	const struct reservation *before =
		reservation_of_client(dhcp4->previous, &exchange->client, exchange->now_ns);

	if (!dhcp4_pool_around(exchange, asked_be))
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_NETWORK);
	if (!before)
		return DHCP4_REFUSED_NO_BINDING;
	if (before->address_be != asked_be)
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_ADDRESS);
	return bind_address(exchange, asked_be);
}

/* We gave every lease here: who has none must start again at once. */
static enum dhcp4_refusal extend_unknown(struct dhcp4_exchange *exchange)
{
	return dhcp4_refuse(exchange, DHCP4_REFUSED_NO_BINDING);
}

static enum dhcp4_refusal no_binding(struct dhcp4_exchange *exchange)
{
	(void)exchange;
	return DHCP4_REFUSED_NO_BINDING;
}

static enum dhcp4_refusal withdraw_offer(struct dhcp4_exchange *exchange)
{
	reservation_remove_client(exchange->dhcp4->offers, &exchange->client);
	return DHCP4_REFUSED_OTHER_SERVER;
}

static enum dhcp4_refusal other_server(struct dhcp4_exchange *exchange)
{
	(void)exchange;
	return DHCP4_REFUSED_OTHER_SERVER;
}

static enum dhcp4_refusal decline_offer(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;

	if (exchange->packet.message.requested_be != exchange->offered_be)
		return DHCP4_REFUSED_WRONG_ADDRESS;
	reservation_remove_client(dhcp4->offers, &exchange->client);
	dhcp4_quarantine(dhcp4, exchange->offered_be, exchange->now_ns);
	return DHCP4_ACCEPTED;
}

static enum dhcp4_refusal decline_bound(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	uint32_t address_be = exchange->session.record->address_be;

	if (exchange->packet.message.requested_be != address_be)
		return DHCP4_REFUSED_WRONG_ADDRESS;
	if (!is_leased(exchange))
		return DHCP4_REFUSED_NOT_LEASED;
	dhcp4_quarantine(dhcp4, address_be, exchange->now_ns);
	return session_close(dhcp4->controld, &exchange->session, SESSION_END_USER_ERROR,
			     "client declined its address")
		       ? DHCP4_REFUSED_SYSTEM
		       : DHCP4_ACCEPTED;
}

static enum dhcp4_refusal release(struct dhcp4_exchange *exchange)
{
	if (exchange->packet.message.header.ciaddr_be != exchange->session.record->address_be)
		return DHCP4_REFUSED_WRONG_ADDRESS;
	if (!is_leased(exchange))
		return DHCP4_REFUSED_NOT_LEASED;
	return session_close(exchange->dhcp4->controld, &exchange->session, SESSION_END_USER_REQUEST,
			     "released by the client")
		       ? DHCP4_REFUSED_SYSTEM
		       : DHCP4_ACCEPTED;
}

static enum dhcp4_refusal inform(struct dhcp4_exchange *exchange)
{
	if (!exchange->packet.message.header.ciaddr_be)
		return DHCP4_REFUSED_MALFORMED;
	return dhcp4_reply(exchange, DHCP4_ACK, 0);
}

/* clang-format off */
static action *const transitions[DHCP4_STATES][DHCP4_EVENTS] = {
	[DHCP4_STATE_NONE] = {
		[DHCP4_EVENT_DISCOVER]     = offer_new,
		[DHCP4_EVENT_SELECT]       = select_new,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = reboot_unknown,
		[DHCP4_EVENT_RENEW]        = extend_unknown,
		[DHCP4_EVENT_REBIND]       = extend_unknown,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = inform,
	},
	[DHCP4_STATE_OFFERED] = {
		[DHCP4_EVENT_DISCOVER]     = offer_again,
		[DHCP4_EVENT_SELECT]       = bind_offered,
		[DHCP4_EVENT_SELECT_OTHER] = withdraw_offer,
		[DHCP4_EVENT_REBOOT]       = bind_offered,
		[DHCP4_EVENT_RENEW]        = extend_unknown,
		[DHCP4_EVENT_REBIND]       = extend_unknown,
		[DHCP4_EVENT_DECLINE]      = decline_offer,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = inform,
	},
	[DHCP4_STATE_BOUND] = {
		[DHCP4_EVENT_DISCOVER]     = offer_bound,
		[DHCP4_EVENT_SELECT]       = extend,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = extend,
		[DHCP4_EVENT_RENEW]        = extend,
		[DHCP4_EVENT_REBIND]       = extend,
		[DHCP4_EVENT_DECLINE]      = decline_bound,
		[DHCP4_EVENT_RELEASE]      = release,
		[DHCP4_EVENT_INFORM]       = inform,
	},
};
/* clang-format on */

/* ---- One packet ---------------------------------------------------------------- */

/* RFC 2131 table 4. DHCP4_EVENTS: a combination of fields that means nothing. */
static enum dhcp4_event request_event(const struct dhcp4_exchange *exchange)
{
	const struct dhcp4_packet *packet = &exchange->packet;
	const struct dhcp4_message *message = &packet->message;

	if (message->server_id_be && !dhcp4_is_router(exchange, message->server_id_be))
		return DHCP4_EVENT_SELECT_OTHER;
	if (message->header.ciaddr_be)
		return packet->flow.destination_be == DHCP4_BROADCAST ? DHCP4_EVENT_REBIND
								      : DHCP4_EVENT_RENEW;
	if (!message->requested_be)
		return DHCP4_EVENTS;
	return message->server_id_be ? DHCP4_EVENT_SELECT : DHCP4_EVENT_REBOOT;
}

static enum dhcp4_event event_of(const struct dhcp4_exchange *exchange)
{
	switch (exchange->packet.message.type) {
	case DHCP4_DISCOVER:
		return DHCP4_EVENT_DISCOVER;
	case DHCP4_REQUEST:
		return request_event(exchange);
	case DHCP4_DECLINE:
		return DHCP4_EVENT_DECLINE;
	case DHCP4_RELEASE:
		return DHCP4_EVENT_RELEASE;
	case DHCP4_INFORM:
		return DHCP4_EVENT_INFORM;
	default:
		return DHCP4_EVENTS;
	}
}

static enum dhcp4_refusal parse(struct dhcp4_exchange *exchange, const uint8_t *frame, size_t length)
{
	switch (dhcp4_packet_parse(frame, length, &exchange->packet)) {
	case 0:
		return exchange->packet.message.header.op == DHCP4_OP_REQUEST ? DHCP4_ACCEPTED
									      : DHCP4_REFUSED_NOT_FOR_SERVER;
	case -EILSEQ:
		return DHCP4_REFUSED_CHECKSUM;
	case -EPROTO:
		return DHCP4_REFUSED_NOT_FOR_SERVER;
	default:
		return DHCP4_REFUSED_MALFORMED;
	}
}

/* Is it one of our clients, directly, as itself? */
static enum dhcp4_refusal admit(const struct dhcp4_exchange *exchange)
{
	const struct dhcp4_header *header = &exchange->packet.message.header;
	const uint8_t *mac = exchange->packet.link.source;

	if (header->htype != ETHERNET || header->hlen != 6 || mac[0] & MULTICAST ||
	    memcmp(header->chaddr, mac, 6))
		return DHCP4_REFUSED_MAC;
	if (header->giaddr_be)
		return DHCP4_REFUSED_RELAYED;
	if (!exchange->interface_name[0] || !dhcp4_pool_first(exchange))
		return DHCP4_REFUSED_NO_POOL;
	return DHCP4_ACCEPTED;
}

static void identify(struct dhcp4_exchange *exchange, uint16_t interface)
{
	const struct frame_link *link = &exchange->packet.link;
	struct session_client *client = &exchange->client;

	client->interface = interface;
	client->outer_vid = link->tags > 0 ? link->tag[0].tci & VID_MASK : 0;
	client->inner_vid = link->tags > 1 ? link->tag[1].tci & VID_MASK : 0;
	memcpy(client->mac, link->source, sizeof(client->mac));
}

static void find_state(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	const struct reservation *open =
		reservation_of_client(dhcp4->offers, &exchange->client, exchange->now_ns);

	exchange->state = open ? DHCP4_STATE_OFFERED : DHCP4_STATE_NONE;
	exchange->offered_be = open ? open->address_be : 0;
	if (session_by_client(dhcp4->controld, &exchange->client, &exchange->session))
		exchange->state = DHCP4_STATE_BOUND;
}

enum dhcp4_state dhcp4_state_of(struct dhcp4 *dhcp4, const struct session_client *client, uint64_t now_ns)
{
	struct dhcp4_exchange exchange = {.dhcp4 = dhcp4, .now_ns = now_ns, .client = *client};

	find_state(&exchange);
	return exchange.state;
}

static enum dhcp4_refusal answer(struct dhcp4_exchange *exchange)
{
	const struct dhcp4_message *message = &exchange->packet.message;
	enum dhcp4_event event = event_of(exchange);

	if (message->type <= DHCP4_INFORM)
		exchange->dhcp4->stats.received[message->type]++;
	if (event == DHCP4_EVENTS)
		return message->type == DHCP4_REQUEST ? DHCP4_REFUSED_MALFORMED
						      : DHCP4_REFUSED_NOT_FOR_SERVER;
	if (event != DHCP4_EVENT_SELECT_OTHER && message->server_id_be &&
	    !dhcp4_is_router(exchange, message->server_id_be))
		return DHCP4_REFUSED_OTHER_SERVER;
	find_state(exchange);
	return transitions[exchange->state][event](exchange);
}

enum dhcp4_refusal dhcp4_serve(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame, size_t length,
			       uint64_t now_ns)
{
	struct dhcp4_exchange exchange = {
		.dhcp4 = dhcp4,
		.now_ns = now_ns,
		.interface_name = names_interface(dhcp4->controld, interface),
	};
	enum dhcp4_refusal why = parse(&exchange, frame, length);

	if (!why)
		why = admit(&exchange);
	if (!why) {
		identify(&exchange, interface);
		why = answer(&exchange);
	}
	if (why)
		dhcp4->stats.refused[why]++;
	return why;
}

/* ---- Life ------------------------------------------------------------------------ */

void dhcp4_expire(struct dhcp4 *dhcp4, uint32_t budget, uint64_t now_ns)
{
	struct session session;

	while (budget--) {
		if (!session_next(dhcp4->controld, &dhcp4->expire_slot, &session)) {
			dhcp4->expire_slot = 0;
			return;
		}
		const struct bng_subscriber *record = session.record;
		if (record->kind != BNG_SESSION_DHCP || !record->lease_expires_ns ||
		    record->lease_expires_ns > now_ns)
			continue;
		dhcp4->stats.expired++;
		session_close(dhcp4->controld, &session, SESSION_END_LOST_CARRIER, "lease expired");
	}
}

void dhcp4_remember(struct dhcp4 *dhcp4, const struct session *session, uint64_t now_ns)
{
	const struct bng_subscriber *record = session->record;
	struct session_client client = session_client_of(record);

	if (record->kind != BNG_SESSION_DHCP)
		return;
	reservation_add(dhcp4->previous, &client, record->address_be, now_ns);
}

int dhcp4_new(struct controld *controld, struct dhcp4 **dhcp4)
{
	struct dhcp4 *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->controld = controld;
	new->offers = reservations_new(DHCP4_OFFERS_MAX, DHCP4_OFFER_SECONDS * SECOND_NS);
	new->declined = reservations_new(DHCP4_DECLINES_MAX, DHCP4_DECLINE_SECONDS * SECOND_NS);
	new->previous = reservations_new(DHCP4_PREVIOUS_MAX, DHCP4_PREVIOUS_SECONDS * SECOND_NS);
	if (!new->offers || !new->declined || !new->previous) {
		dhcp4_free(new);
		return -ENOMEM;
	}
	*dhcp4 = new;
	return 0;
}

void dhcp4_free(struct dhcp4 *dhcp4)
{
	if (!dhcp4)
		return;
	reservations_free(dhcp4->offers);
	reservations_free(dhcp4->declined);
	reservations_free(dhcp4->previous);
	free(dhcp4->pools);
	free(dhcp4);
}

int dhcp4_configure(struct dhcp4 *dhcp4, const struct config *config)
{
	struct dhcp4_pool_state *pools = calloc(config->dhcp4_pool_count + 1, sizeof(*pools));

	if (!pools)
		return -ENOMEM;
	free(dhcp4->pools);
	dhcp4->pools = pools;
	dhcp4->config = config;
	return 0;
}
