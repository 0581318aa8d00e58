/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Discovery (RFC 2516 section 5): one packet in, at most one out. A PADI leaves nothing
 * behind; a PADR that brings a cookie of ours makes a peer, and its PADS begins the PPP
 * link.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/pppoe/pppoe.h"
#include "controld/punt/punt.h"
#include "controld/session/detail.h"
#include "lib/clock.h"

#define MULTICAST 1
#define VID_MASK  0x0fff
#define TPID_AD   0x88a8
#define TPID_Q    0x8100

struct exchange {
	struct pppoe *pppoe;
	uint64_t now_ns; /* when the packet came */
	struct frame_link link;
	struct session_client client; /* pppoe_session: as the packet says */
	uint8_t tag_flags;
	struct discovery packet;
};

typedef enum pppoe_refusal action(struct exchange *exchange);

/* ---- Sending ---------------------------------------------------------------------------- */

void pppoe_send(struct pppoe *pppoe, uint16_t interface, const struct frame_link *link, uint16_t type,
		const uint8_t *packet, size_t length, enum pppoe_sent what)
{
	uint8_t frame[FRAME_MAX + 64];
	size_t head = frame_build_link(link, type, frame, sizeof(frame));

	if (!head || !length || length > sizeof(frame) - head)
		return;
	memcpy(frame + head, packet, length);
	if (!punt_send(pppoe->controld, interface, frame, head + length))
		pppoe->stats.sent[what]++;
}

void pppoe_link_of(const struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags,
		   struct frame_link *link)
{
	*link = (struct frame_link){.tags = client->inner_vid ? 2 : client->outer_vid ? 1 : 0};
	memcpy(link->destination, client->mac, 6);
	memcpy(link->source, pppoe->controld->maps->interface[client->interface].mac, 6);
	link->tag[0] =
		(struct frame_tag){tag_flags & BNG_SUBSCRIBER_OUTER_AD ? TPID_AD : TPID_Q, client->outer_vid};
	link->tag[1] =
		(struct frame_tag){tag_flags & BNG_SUBSCRIBER_INNER_AD ? TPID_AD : TPID_Q, client->inner_vid};
}

void pppoe_send_padt(struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags,
		     const char *why)
{
	uint8_t packet[PPPOE_HEADER + 128];
	struct discovery_writer writer;
	struct frame_link link;

	pppoe_link_of(pppoe, client, tag_flags, &link);
	discovery_begin(&writer, PPPOE_PADT, client->pppoe_session, packet, sizeof(packet));
	discovery_put(&writer, PPPOE_TAG_GENERIC_ERROR, why, strnlen(why, 100));
	pppoe_send(pppoe, client->interface, &link, PPPOE_ETHERTYPE_DISCOVERY, packet, discovery_end(&writer),
		   PPPOE_SENT_PADT);
}

static void reply(struct exchange *exchange, struct discovery_writer *writer, enum pppoe_sent what)
{
	struct pppoe *pppoe = exchange->pppoe;
	struct frame_link link = exchange->link; /* the tags, and what priority they say */

	memcpy(link.destination, exchange->link.source, 6);
	memcpy(link.source, pppoe->controld->maps->interface[exchange->client.interface].mac, 6);
	pppoe_send(pppoe, exchange->client.interface, &link, PPPOE_ETHERTYPE_DISCOVERY, writer->data,
		   discovery_end(writer), what);
}

static void echo_tags(struct exchange *exchange, struct discovery_writer *writer)
{
	const struct discovery *packet = &exchange->packet;

	discovery_echo(writer, PPPOE_TAG_HOST_UNIQ, &packet->host_uniq);
	discovery_echo(writer, PPPOE_TAG_RELAY_SESSION, &packet->relay);
}

uint16_t pppoe_mru(const struct pppoe *pppoe, const struct session_client *client)
{
	const struct bng_subscriber wanted = {
		.inner_vid = client->inner_vid, .pppoe_session = 1, .mtu = pppoe->config->pppoe.mru};
	uint16_t mru = bng_subscriber_mtu(&wanted, pppoe->controld->maps->interface[client->interface].mtu);

	return mru < PPP_MRU_MIN ? PPP_MRU_MIN : mru;
}

/* RFC 4638 section 3: as much as the client wants and we can, if that is more than usual. */
static uint16_t max_payload(const struct exchange *exchange)
{
	uint16_t wanted = exchange->packet.max_payload, mru = pppoe_mru(exchange->pppoe, &exchange->client);

	if (wanted <= PPP_MRU_STANDARD || mru <= PPP_MRU_STANDARD)
		return 0;
	return wanted < mru ? wanted : mru;
}

static void put_max_payload(struct discovery_writer *writer, uint16_t payload)
{
	uint8_t value[2] = {(uint8_t)(payload >> 8), (uint8_t)payload};

	if (payload)
		discovery_put(writer, PPPOE_TAG_MAX_PAYLOAD, value, sizeof(value));
}

/* ---- What is offered ---------------------------------------------------------------------- */

/* An empty name asks for any service. */
static bool is_offered(const struct config_pppoe *config, const struct pppoe_bytes *name)
{
	if (!name->length || !config->service_count)
		return true;
	for (size_t i = 0; i < config->service_count; i++)
		if (strlen(config->service[i]) == name->length &&
		    !memcmp(config->service[i], name->data, name->length))
			return true;
	return false;
}

static void put_services(const struct exchange *exchange, struct discovery_writer *writer)
{
	const struct config_pppoe *config = &exchange->pppoe->config->pppoe;
	const struct pppoe_bytes *asked = &exchange->packet.service;

	discovery_echo(writer, PPPOE_TAG_SERVICE_NAME, asked);
	for (size_t i = 0; i < config->service_count; i++)
		if (strlen(config->service[i]) != asked->length ||
		    memcmp(config->service[i], asked->data, asked->length) != 0)
			discovery_put(writer, PPPOE_TAG_SERVICE_NAME, config->service[i],
				      strlen(config->service[i]));
}

static bool has_room(const struct pppoe *pppoe)
{
	return link_count(pppoe->links) - pppoe->lingering < pppoe->config->pppoe.max_setup;
}

/* Only who may have a session is offered one; another gateway may have room. */
static enum pppoe_refusal on_padi(struct exchange *exchange)
{
	struct pppoe *pppoe = exchange->pppoe;
	uint8_t packet[PPPOE_HEADER + PPPOE_DISCOVERY_MAX], cookie[COOKIE_BYTES];
	struct discovery_writer writer;
	uint64_t now_ns = clock_boottime_ns();

	pppoe->stats.received[PPPOE_RECEIVED_PADI]++;
	if (exchange->packet.session || !exchange->packet.service.data)
		return PPPOE_REFUSED_MALFORMED;
	if (!is_offered(&pppoe->config->pppoe, &exchange->packet.service))
		return PPPOE_REFUSED_SERVICE;
	if (!has_room(pppoe))
		return PPPOE_REFUSED_SETUP_LIMIT;
	/* Its time begins with the answer: a PADI may have waited longer than a cookie lives. */
	cookie_keys_turn(&pppoe->links->header->keys, now_ns);
	cookie_make(&pppoe->links->header->keys, &exchange->client, &exchange->packet.service, now_ns,
		    cookie);
	discovery_begin(&writer, PPPOE_PADO, 0, packet, sizeof(packet));
	discovery_put(&writer, PPPOE_TAG_AC_NAME, pppoe->config->pppoe.ac_name,
		      strlen(pppoe->config->pppoe.ac_name));
	put_services(exchange, &writer);
	discovery_put(&writer, PPPOE_TAG_AC_COOKIE, cookie, sizeof(cookie));
	echo_tags(exchange, &writer);
	put_max_payload(&writer, max_payload(exchange));
	reply(exchange, &writer, PPPOE_SENT_PADO);
	return PPPOE_ACCEPTED;
}

/* ---- A session begins ---------------------------------------------------------------------- */

static void send_pads(struct exchange *exchange, uint16_t session, uint16_t payload)
{
	uint8_t packet[PPPOE_HEADER + PPPOE_DISCOVERY_MAX];
	struct discovery_writer writer;

	discovery_begin(&writer, PPPOE_PADS, session, packet, sizeof(packet));
	discovery_echo(&writer, PPPOE_TAG_SERVICE_NAME, &exchange->packet.service);
	discovery_put(&writer, PPPOE_TAG_AC_NAME, exchange->pppoe->config->pppoe.ac_name,
		      strlen(exchange->pppoe->config->pppoe.ac_name));
	echo_tags(exchange, &writer);
	put_max_payload(&writer, payload);
	reply(exchange, &writer, PPPOE_SENT_PADS);
}

static enum pppoe_refusal send_error(struct exchange *exchange, enum pppoe_tag tag, const char *text,
				     enum pppoe_refusal why)
{
	uint8_t packet[PPPOE_HEADER + PPPOE_DISCOVERY_MAX];
	struct discovery_writer writer;

	discovery_begin(&writer, PPPOE_PADS, 0, packet, sizeof(packet));
	discovery_echo(&writer, PPPOE_TAG_SERVICE_NAME, &exchange->packet.service);
	discovery_put(&writer, tag, text, strlen(text));
	echo_tags(exchange, &writer);
	reply(exchange, &writer, PPPOE_SENT_PADS_ERROR);
	return why;
}

/* The PADS was lost, or comes late: the client says the same once more. */
static bool is_repeated(struct exchange *exchange)
{
	struct peer *peer = NULL;

	while ((peer = peer_next_of_mac(exchange->pppoe, &exchange->client, peer))) {
		const struct link_record *record;

		if (!peer->setup)
			continue;
		record = link_record(exchange->pppoe->links, peer->setup - 1);
		if (memcmp(record->cookie, exchange->packet.cookie.data + 4, LINK_COOKIE) != 0 ||
		    link_live(record)->ppp.phase != PPP_ESTABLISH)
			continue;
		send_pads(exchange, peer->client.pppoe_session, record->max_payload);
		exchange->pppoe->stats.repeated++;
		return true;
	}
	return false;
}

static bool is_same_bytes(const struct pppoe_bytes *a, const void *b, size_t length)
{
	return a->length == length && (!length || !memcmp(a->data, b, length));
}

/* Whether it is on the line that this one is on, as far as anybody has said. */
static bool is_same_line(const struct exchange *exchange, const struct peer *peer)
{
	const struct discovery *packet = &exchange->packet;
	const struct session_detail *detail;
	struct session session = {peer->slot, NULL};

	if (peer->setup) {
		const struct link_record *record = link_record(exchange->pppoe->links, peer->setup - 1);

		return is_same_bytes(&packet->circuit_id, record->circuit_id, record->circuit_id_length) &&
		       is_same_bytes(&packet->remote_id, record->remote_id, record->remote_id_length);
	}
	session.record = &exchange->pppoe->controld->maps->subscriber[peer->slot];
	detail = session_detail(exchange->pppoe->controld, &session);
	return !detail ||
	       (is_same_bytes(&packet->circuit_id, detail->line.circuit_id, detail->line.circuit_id_length) &&
		is_same_bytes(&packet->remote_id, detail->line.remote_id, detail->line.remote_id_length));
}

/* A client that was switched off says nothing; its session is in the way of the next. */
static void replace(struct peer *peer)
{
	struct pppoe *pppoe = peer->pppoe;
	struct session session;

	pppoe->stats.replaced++;
	peer->is_silent = true;
	peer_event(peer, "PPPoE: replaced by a new session of the client");
	if (peer->slot && session_by_client(pppoe->controld, &peer->client, &session)) {
		session_close(pppoe->controld, &session, SESSION_END_LOST_CARRIER,
			      "its client began a new session");
		return;
	}
	peer_drop(peer, SESSION_END_LOST_CARRIER, "its client began a new session");
}

static enum pppoe_refusal make_room(struct exchange *exchange)
{
	struct pppoe *pppoe = exchange->pppoe;
	const struct config_pppoe *config = &pppoe->config->pppoe;
	struct peer *oldest;

	if (!has_room(pppoe))
		return send_error(exchange, PPPOE_TAG_AC_SYSTEM_ERROR, "too many sessions are coming up",
				  PPPOE_REFUSED_SETUP_LIMIT);
	while (peers_of_mac(pppoe, &exchange->client, &oldest) >= config->max_sessions_per_mac) {
		if (!is_same_line(exchange, oldest))
			return send_error(exchange, PPPOE_TAG_AC_SYSTEM_ERROR,
					  "too many sessions of this MAC", PPPOE_REFUSED_MAC_LIMIT);
		replace(oldest);
	}
	if (peers_of_vlan(pppoe, &exchange->client) >= config->max_sessions_per_vlan)
		return send_error(exchange, PPPOE_TAG_AC_SYSTEM_ERROR, "too many sessions on this VLAN",
				  PPPOE_REFUSED_VLAN_LIMIT);
	return PPPOE_ACCEPTED;
}

static void keep_line(struct link_record *record, const struct discovery *packet)
{
	const struct session_line line = {
		.circuit_id = (uint8_t *)packet->circuit_id.data,
		.remote_id = (uint8_t *)packet->remote_id.data,
		.circuit_id_length = packet->circuit_id.length,
		.remote_id_length = packet->remote_id.length,
	};

	link_keep_line(record, &line);
}

static enum pppoe_refusal begin(struct exchange *exchange)
{
	struct pppoe *pppoe = exchange->pppoe;
	struct session_client client = exchange->client;
	struct link_record *record;
	struct peer *peer;

	client.pppoe_session = peers_new_id(pppoe, &client);
	if (!client.pppoe_session)
		return send_error(exchange, PPPOE_TAG_AC_SYSTEM_ERROR, "no session id is free",
				  PPPOE_REFUSED_SESSION_ID);
	peer = peer_add(pppoe, &client, exchange->tag_flags);
	if (!peer || peer_take_record(peer, NULL)) {
		if (peer)
			peer_remove(peer);
		return send_error(exchange, PPPOE_TAG_AC_SYSTEM_ERROR, "no memory for another session",
				  PPPOE_REFUSED_SETUP_LIMIT);
	}
	record = link_record(pppoe->links, peer->setup - 1);
	record->max_payload = max_payload(exchange);
	memcpy(record->cookie, exchange->packet.cookie.data + 4, LINK_COOKIE);
	keep_line(record, &exchange->packet);
	pppoe->stats.started++;
	send_pads(exchange, client.pppoe_session, record->max_payload);
	peer_start(peer);
	return PPPOE_ACCEPTED;
}

static enum pppoe_refusal on_padr(struct exchange *exchange)
{
	struct pppoe *pppoe = exchange->pppoe;
	enum pppoe_refusal why;

	pppoe->stats.received[PPPOE_RECEIVED_PADR]++;
	if (exchange->packet.session || !exchange->packet.service.data)
		return PPPOE_REFUSED_MALFORMED;
	if (!cookie_is_good(&pppoe->links->header->keys, &exchange->client, &exchange->packet.service,
			    exchange->now_ns, &exchange->packet.cookie))
		return PPPOE_REFUSED_COOKIE;
	if (!is_offered(&pppoe->config->pppoe, &exchange->packet.service))
		return send_error(exchange, PPPOE_TAG_SERVICE_NAME_ERROR, "no such service here",
				  PPPOE_REFUSED_SERVICE);
	if (is_repeated(exchange))
		return PPPOE_ACCEPTED;
	why = make_room(exchange);
	return why ? why : begin(exchange);
}

static enum pppoe_refusal on_padt(struct exchange *exchange)
{
	struct pppoe *pppoe = exchange->pppoe;
	struct session session;
	struct peer *peer;

	pppoe->stats.received[PPPOE_RECEIVED_PADT]++;
	exchange->client.pppoe_session = exchange->packet.session;
	peer = exchange->packet.session ? peer_find(pppoe, &exchange->client) : NULL;
	if (!peer)
		return PPPOE_REFUSED_NO_SESSION;
	peer->is_silent = true;
	peer_event(peer, "PPPoE: PADT from the client");
	if (peer->slot && session_by_client(pppoe->controld, &peer->client, &session))
		session_close(pppoe->controld, &session, SESSION_END_USER_REQUEST, "PADT from the client");
	else
		peer_drop(peer, SESSION_END_USER_REQUEST, "PADT from the client");
	return PPPOE_ACCEPTED;
}

/* ---- One packet --------------------------------------------------------------------------- */

bool pppoe_is_served(const struct pppoe *pppoe, uint16_t interface)
{
	const char *name = names_interface(pppoe->controld, interface);

	for (size_t i = 0; i < pppoe->config->pppoe.interface_count; i++)
		if (!strcmp(pppoe->config->pppoe.interfaces[i], name))
			return true;
	return false;
}

void pppoe_identify(uint16_t interface, const struct frame_link *link, struct session_client *client,
		    uint8_t *tag_flags)
{
	*client = (struct session_client){
		.interface = interface,
		.outer_vid = link->tags > 0 ? link->tag[0].tci & VID_MASK : 0,
		.inner_vid = link->tags > 1 ? link->tag[1].tci & VID_MASK : 0,
	};
	memcpy(client->mac, link->source, sizeof(client->mac));
	*tag_flags = 0;
	if (link->tags > 0 && link->tag[0].tpid == TPID_AD)
		*tag_flags |= BNG_SUBSCRIBER_OUTER_AD;
	if (link->tags > 1 && link->tag[1].tpid == TPID_AD)
		*tag_flags |= BNG_SUBSCRIBER_INNER_AD;
}

static enum pppoe_refusal parse(struct exchange *exchange, uint16_t interface, const uint8_t *frame,
				size_t length)
{
	uint16_t type;
	size_t head = frame_parse_link(frame, length, &exchange->link, &type);

	if (!head || type != PPPOE_ETHERTYPE_DISCOVERY ||
	    discovery_parse(frame + head, length - head, &exchange->packet))
		return PPPOE_REFUSED_MALFORMED;
	if (exchange->link.source[0] & MULTICAST)
		return PPPOE_REFUSED_SOURCE;
	pppoe_identify(interface, &exchange->link, &exchange->client, &exchange->tag_flags);
	return PPPOE_ACCEPTED;
}

enum pppoe_refusal pppoe_discover(struct pppoe *pppoe, uint16_t interface, const uint8_t *frame,
				  size_t length, uint64_t now_ns)
{
	static const struct {
		enum pppoe_code code;
		action *action;
		bool is_ending; /* also where PPPoE is not served any more */
	} actions[] = {
		{PPPOE_PADI, on_padi, false}, {PPPOE_PADR, on_padr, false}, {PPPOE_PADT, on_padt, true}};
	struct exchange exchange = {.pppoe = pppoe, .now_ns = now_ns};
	enum pppoe_refusal why = parse(&exchange, interface, frame, length);

	for (size_t i = 0; !why && i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (actions[i].code != exchange.packet.code)
			continue;
		why = actions[i].is_ending || pppoe_is_served(pppoe, interface) ? actions[i].action(&exchange)
										: PPPOE_REFUSED_INTERFACE;
		if (why)
			pppoe->stats.refused[why]++;
		return why;
	}
	why = why ? why : PPPOE_REFUSED_CODE;
	pppoe->stats.refused[why]++;
	return why;
}
