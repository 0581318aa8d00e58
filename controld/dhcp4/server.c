/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One packet: parse, find out who asks and in what state, then the table.
 *
 * 1. An address is given away only by session_open; an offer promises nothing
 *    that session_open could not refuse.
 * 2. Every packet ends in a reply or in a counted refusal, and a NAK is both; or it waits
 *    for one, and is counted as a question or a repetition.
 */
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/maps/names.h"
#include "controld/session/detail.h"
#include "option82.h"

#define SECOND_NS 1000000000ULL
#define VID_MASK  0x0fff
#define ETHERNET  1 /* htype */
#define MULTICAST 0x01

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

static bool has_access_nodes(const struct config_option82 *option82, const char *interface)
{
	for (size_t i = 0; i < option82->trusted_count; i++)
		if (strcmp(option82->trusted[i], interface) == 0)
			return true;
	return !option82->trusted_count;
}

/* RFC 3046 section 2.1: what comes from where no access node is, is not believed. */
static enum dhcp4_refusal read_line(struct dhcp4_exchange *exchange)
{
	const struct config_option82 *option82 = &exchange->dhcp4->config->option82;
	struct dhcp4_bytes *given = &exchange->packet.message.relay_agent;

	if (!given->length || option82->policy == OPTION82_IGNORE)
		return DHCP4_ACCEPTED;
	if (!has_access_nodes(option82, exchange->interface_name))
		return DHCP4_REFUSED_UNTRUSTED_LINE;
	return option82_parse(given, &exchange->line) ? DHCP4_REFUSED_MALFORMED : DHCP4_ACCEPTED;
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

static const enum dhcp4_state state_of_setup[SETUP_STATES] = {
	[SETUP_ASKED] = DHCP4_STATE_ASKED,
	[SETUP_GRANTED] = DHCP4_STATE_GRANTED,
	[SETUP_OPENING] = DHCP4_STATE_OPENING,
};

void dhcp4_find_state(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	const struct session_client *client = &exchange->client;
	const struct reservation *offer = reservation_of_client(dhcp4->offers, client, exchange->now_ns);

	exchange->setup = setup_find(dhcp4->setups, client, exchange->now_ns);
	exchange->state = exchange->setup ? state_of_setup[exchange->setup->state] : DHCP4_STATE_NONE;
	exchange->offered_be = offer && exchange->state == DHCP4_STATE_GRANTED ? offer->address_be : 0;
	if (exchange->offered_be)
		exchange->state = DHCP4_STATE_OFFERED;
	if (session_by_client(dhcp4->controld, client, &exchange->session))
		exchange->state = DHCP4_STATE_BOUND;
}

enum dhcp4_state dhcp4_state_of(struct dhcp4 *dhcp4, const struct session_client *client, uint64_t now_ns)
{
	struct dhcp4_exchange exchange = {.dhcp4 = dhcp4, .now_ns = now_ns, .client = *client};

	dhcp4_find_state(&exchange);
	return exchange.state;
}

const struct session_profile *dhcp4_profile(const struct dhcp4_exchange *exchange)
{
	const struct session_detail *detail;

	if (exchange->state != DHCP4_STATE_BOUND)
		return exchange->setup ? &exchange->setup->profile : NULL;
	detail = session_detail(exchange->dhcp4->controld, &exchange->session);
	return detail ? &detail->profile : NULL;
}

static enum dhcp4_refusal answer(struct dhcp4_exchange *exchange)
{
	const struct dhcp4_message *message = &exchange->packet.message;
	enum dhcp4_event event = event_of(exchange);

	if (event == DHCP4_EVENTS)
		return message->type == DHCP4_REQUEST ? DHCP4_REFUSED_MALFORMED
						      : DHCP4_REFUSED_NOT_FOR_SERVER;
	if (event != DHCP4_EVENT_SELECT_OTHER && message->server_id_be &&
	    !dhcp4_is_router(exchange, message->server_id_be))
		return DHCP4_REFUSED_OTHER_SERVER;
	return dhcp4_act(exchange, event);
}

static enum dhcp4_refusal answer_and_tell(struct dhcp4_exchange *exchange)
{
	enum dhcp4_refusal why = answer(exchange);

	if (why) {
		dhcp4_find_state(exchange); /* the answer may have ended it */
		dhcp4_tell_received(exchange, why);
	}
	return why;
}

/* All that comes before the table. */
static enum dhcp4_refusal prepare(struct dhcp4_exchange *exchange, uint16_t interface)
{
	enum dhcp4_refusal why = parse(exchange, exchange->frame, exchange->frame_length);

	if (why)
		return why;
	identify(exchange, interface);
	why = admit(exchange);
	if (!why)
		why = read_line(exchange);
	if (!why)
		dhcp4_find_state(exchange);
	else
		dhcp4_tell_received(exchange, why);
	return why;
}

static struct dhcp4_exchange exchange_of(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame,
					 size_t length, uint64_t now_ns)
{
	return (struct dhcp4_exchange){
		.dhcp4 = dhcp4,
		.now_ns = now_ns,
		.interface_name = names_interface(dhcp4->controld, interface),
		.frame = frame,
		.frame_length = length,
	};
}

void dhcp4_count_refusal(struct dhcp4 *dhcp4, enum dhcp4_refusal why)
{
	if (why)
		dhcp4->stats.refused[why]++;
}

enum dhcp4_refusal dhcp4_serve(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame, size_t length,
			       uint64_t now_ns)
{
	struct dhcp4_exchange exchange = exchange_of(dhcp4, interface, frame, length, now_ns);
	enum dhcp4_refusal why = prepare(&exchange, interface);

	if (!why) {
		if (exchange.packet.message.type <= DHCP4_INFORM)
			dhcp4->stats.received[exchange.packet.message.type]++;
		dhcp4_tell_received(&exchange, DHCP4_ACCEPTED);
		why = answer_and_tell(&exchange);
	}
	dhcp4_count_refusal(dhcp4, why);
	return why;
}

bool dhcp4_resume(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame, size_t length,
		  uint64_t now_ns, struct dhcp4_exchange *exchange)
{
	*exchange = exchange_of(dhcp4, interface, frame, length, now_ns);
	enum dhcp4_refusal why = prepare(exchange, interface);

	dhcp4_count_refusal(dhcp4, why);
	return !why;
}

void dhcp4_serve_again(struct dhcp4 *dhcp4, uint16_t interface, const uint8_t *frame, size_t length,
		       uint64_t now_ns)
{
	struct dhcp4_exchange exchange;

	if (dhcp4_resume(dhcp4, interface, frame, length, now_ns, &exchange))
		dhcp4_count_refusal(dhcp4, answer_and_tell(&exchange));
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
	static const uint32_t lifetime_s[SETUP_STATES] = {
		[SETUP_ASKED] = DHCP4_ASKED_SECONDS,
		[SETUP_GRANTED] = DHCP4_OFFER_SECONDS,
	};
	struct dhcp4 *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->controld = controld;
	new->offers = reservations_new(DHCP4_OFFERS_MAX, DHCP4_OFFER_SECONDS * SECOND_NS);
	new->declined = reservations_new(DHCP4_DECLINES_MAX, DHCP4_DECLINE_SECONDS * SECOND_NS);
	new->previous = reservations_new(DHCP4_PREVIOUS_MAX, DHCP4_PREVIOUS_SECONDS * SECOND_NS);
	new->setups = setups_new(DHCP4_SETUPS_MAX, lifetime_s);
	if (!new->offers || !new->declined || !new->previous || !new->setups) {
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
	setups_free(dhcp4->setups);
	json_decref(dhcp4->remembered);
	free(dhcp4->searches);
	free(dhcp4);
}

int dhcp4_configure(struct dhcp4 *dhcp4, const struct config *config)
{
	struct address_search *searches = calloc(config->dhcp4_pool_count + 1, sizeof(*searches));

	if (!searches)
		return -ENOMEM;
	free(dhcp4->searches);
	dhcp4->searches = searches;
	dhcp4->config = config;
	return 0;
}
