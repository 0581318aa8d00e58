/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The PPP link of a peer: what the engine (ppp.h) is given, and what it asks for.
 *
 * A step is one call of the engine, on a copy of the link. What it leads to is done in
 * this order, so that being killed in between is nothing worse than a lost packet:
 *   1. the question to whoever authorises is asked (it cannot be asked again from here);
 *   2. the copy is published in the record;
 *   3. frames are sent;
 *   4. the session is closed, opened, or the peer ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/pppoe/pppoe.h"
#include "controld/session/detail.h"
#include "lib/clock.h"
#include "lib/log.h"

#define LINGER_NS   4000000000ull /* a Configure-Ack that was lost is asked for after three seconds */
#define STEP_FRAMES 4
#define TEXT_MAX    128

struct step {
	struct peer *peer;
	struct ppp_out out;
	struct link_live next;
	uint64_t session_id; /* when it began */
	bool is_up;
	bool is_down;
	bool is_ended;
	enum session_end end;
	char text[TEXT_MAX];
	unsigned frames;
	size_t length[STEP_FRAMES];
	uint8_t frame[STEP_FRAMES][PPP_FRAME_MAX];
};

static struct link_record *record_of(const struct peer *peer)
{
	return link_record(peer->pppoe->links, peer->setup - 1);
}

uint8_t peer_phase(const struct peer *peer)
{
	return peer->setup ? link_live(record_of(peer))->ppp.phase : PPP_OPEN;
}

void peer_event(struct peer *peer, const char *format, ...)
{
	struct controld *controld = peer->pppoe->controld;
	uint64_t id = peer->setup  ? link_live(record_of(peer))->session_id
		      : peer->slot ? controld->maps->subscriber[peer->slot].session_id
				   : 0;
	char text[TEXT_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	session_event(controld, id, &peer->client, "%s", text);
}

/* ---- What the engine asks for -------------------------------------------------------------- */

static void on_random(void *context, void *bytes, size_t length)
{
	size_t got = 0;

	(void)context;
	while (got < length) {
		ssize_t chunk = getrandom((uint8_t *)bytes + got, length - got, 0);

		got += chunk > 0 ? (size_t)chunk : 0;
	}
}

static void on_send(void *context, const uint8_t *frame, size_t length)
{
	struct step *step = context;

	if (step->frames == STEP_FRAMES || length > PPP_FRAME_MAX)
		return; /* as if it were lost: it is sent again */
	memcpy(step->frame[step->frames], frame, length);
	step->length[step->frames++] = length;
}

static void on_authenticate(void *context, const char *user, const struct credentials *credentials)
{
	struct step *step = context;

	grant_ask(step->peer, user, credentials, &step->next.ppp, &step->out);
}

static void on_network_up(void *context)
{
	((struct step *)context)->is_up = true;
}

static void note_end(struct step *step, enum session_end end, const char *text)
{
	step->end = end;
	snprintf(step->text, sizeof(step->text), "%s", text);
}

/* What follows on this link is another session. */
static void on_network_down(void *context, enum session_end end, const char *text)
{
	struct step *step = context;

	step->is_down = true;
	step->is_up = false;
	step->next.session_id = session_new_id(step->peer->pppoe->controld);
	step->next.begun_ns = step->out.now_ns;
	step->next.profile_length = 0;
	note_end(step, end, text);
}

static void on_ended(void *context, enum session_end end, const char *text)
{
	struct step *step = context;

	step->is_ended = true;
	note_end(step, end, text);
}

static void on_trace(void *context, const char *text)
{
	peer_event(((struct step *)context)->peer, "PPP: %s", text);
}

/* ---- A step ------------------------------------------------------------------------------- */

static void begin(struct step *step, struct peer *peer)
{
	*step = (struct step){
		.peer = peer,
		.next = *link_live(record_of(peer)),
		.out = {.context = step,
			.now_ns = clock_boottime_ns(),
			.random = on_random,
			.send = on_send,
			.authenticate = on_authenticate,
			.network_up = on_network_up,
			.network_down = on_network_down,
			.ended = on_ended,
			.trace = on_trace},
	};
	step->session_id = step->next.session_id;
}

/* The link itself goes on: the hook `down` sees that in its phase. */
static void close_session(struct step *step)
{
	struct peer *peer = step->peer;
	struct controld *controld = peer->pppoe->controld;
	struct session session;

	peer_reserve(peer, 0);
	peer->retry_ns = peer->retry_end_ns = 0;
	if (peer_phase(peer) == PPP_ESTABLISH)
		peer->pppoe->stats.renegotiated++;
	if (peer->slot && session_by_client(controld, &peer->client, &session))
		session_close(controld, &session, step->end, step->text);
	else
		session_open_cancel(controld, step->session_id);
}

static void end_peer(struct step *step)
{
	struct peer *peer = step->peer;

	if (!step->next.was_up)
		peer->pppoe->stats.failed++;
	peer_event(peer, "PPPoE: ended: %s", step->text);
	pppoe_send_padt(peer->pppoe, &peer->client, peer->tag_flags, step->text);
	peer_remove(peer);
}

static void finish(struct step *step)
{
	struct peer *peer = step->peer;

	link_commit(record_of(peer), &step->next);
	for (unsigned i = 0; i < step->frames; i++)
		peer_send(peer, step->frame[i], step->length[i], PPPOE_SENT_SESSION);
	if (step->is_down)
		close_session(step);
	if (step->is_ended)
		end_peer(step);
	else if (step->is_up)
		grant_open(peer);
	else
		peer_arm(peer);
}

/* ---- The timer ----------------------------------------------------------------------------- */

static void on_retry(struct peer *peer)
{
	peer->retry_ns = 0;
	if (peer_phase(peer) == PPP_PREPARE)
		grant_open(peer);
	else if (peer_phase(peer) == PPP_OPEN && peer->slot &&
		 !ppp_deadline(&link_live(record_of(peer))->ppp))
		peer_give_record(peer); /* with a deadline, the client is in the midst of something */
	else
		peer_arm(peer);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct peer *peer = context;
	uint64_t now_ns = clock_boottime_ns(), due_ns = ppp_deadline(&link_live(record_of(peer))->ppp);
	struct step step;

	(void)fd;
	(void)what;
	if (due_ns && due_ns <= now_ns) {
		begin(&step, peer);
		ppp_timer(&step.next.ppp, &step.out);
		finish(&step);
	} else if (peer->retry_ns && peer->retry_ns <= now_ns) {
		on_retry(peer);
	} else {
		peer_arm(peer);
	}
}

int peer_arm(struct peer *peer)
{
	const struct ppp *ppp = &link_live(record_of(peer))->ppp;
	uint64_t due_ns = ppp_deadline(ppp), now_ns = clock_boottime_ns(), wait_us;
	struct timeval wait;

	peer_linger(peer, ppp->phase == PPP_OPEN && peer->slot);
	if (ppp->phase == PPP_OPEN && !peer->retry_ns)
		peer->retry_ns = now_ns + LINGER_NS;
	if (!due_ns || (peer->retry_ns && peer->retry_ns < due_ns))
		due_ns = peer->retry_ns;
	if (!due_ns)
		return 0;
	wait_us = due_ns > now_ns ? (due_ns - now_ns) / 1000 + 1 : 1;
	wait = (struct timeval){(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};
	return evtimer_add(peer->timer, &wait);
}

/* ---- What is done with a link -------------------------------------------------------------- */

static void params_of(const struct peer *peer, const struct link_record *record, struct ppp_params *params)
{
	const struct config_pppoe *config = &peer->pppoe->config->pppoe;
	uint16_t most = record->max_payload ? record->max_payload : PPP_MRU_STANDARD;
	uint16_t room = pppoe_mru(peer->pppoe, &peer->client);

	*params = (struct ppp_params){
		.mru = room < most ? room : most,
		.setup_s = (uint16_t)config->setup_s,
	};
	memcpy(params->auth, config->auth, sizeof(params->auth));
	if (!params->auth[0]) /* not configured any more; nobody gets in without a name */
		params->auth[0] = CREDENTIAL_CHAP;
	snprintf(params->name, sizeof(params->name), "%.*s", (int)sizeof(params->name) - 1, config->ac_name);
}

int peer_take_timer(struct peer *peer)
{
	peer->timer = evtimer_new(peer->pppoe->controld->base, on_timer, peer);
	return peer->timer ? 0 : -ENOMEM;
}

static void restore(struct peer *peer, const struct session *session)
{
	const struct bng_subscriber *from = session->record;
	struct link_record *record = record_of(peer);
	const struct session_detail *detail = session_detail(peer->pppoe->controld, session);
	struct link_live next = {.session_id = from->session_id, .begun_ns = from->opened_ns, .was_up = 1};
	struct ppp_verdict granted = {.is_granted = true};
	struct ppp_params params;

	if (from->mtu > PPP_MRU_STANDARD) /* so it was asked for, RFC 4638 */
		record->max_payload = from->mtu;
	params_of(peer, record, &params);
	place_granted(peer->pppoe->config, from->address_be, detail ? &detail->profile : NULL, &granted);
	ppp_restore(&next.ppp, &params, from->ppp_magic, from->mtu, &granted);
	if (detail)
		link_keep_line(record, &detail->line);
	link_commit(record, &next);
}

int peer_take_record(struct peer *peer, const struct session *session)
{
	struct pppoe *pppoe = peer->pppoe;
	uint32_t index;
	int failure = link_take(pppoe->links, &peer->client, &index);

	if (failure)
		return failure;
	failure = peer_take_timer(peer);
	if (failure) {
		link_give(pppoe->links, index);
		return failure;
	}
	peer->setup = index + 1;
	pppoe->live[index] = peer;
	record_of(peer)->tag_flags = peer->tag_flags;
	if (session)
		restore(peer, session);
	return 0;
}

void peer_start(struct peer *peer)
{
	struct ppp_params params;
	struct step step;

	begin(&step, peer);
	step.next.session_id = session_new_id(peer->pppoe->controld);
	step.next.begun_ns = step.out.now_ns;
	params_of(peer, record_of(peer), &params);
	ppp_start(&step.next.ppp, &params, &step.out);
	finish(&step);
}

void peer_ready(struct peer *peer)
{
	struct step step;

	begin(&step, peer);
	step.next.was_up = 1;
	ppp_network_ready(&step.next.ppp, &step.out);
	finish(&step);
}

void peer_authorised(struct peer *peer, const struct ppp_verdict *verdict, uint32_t profile_length)
{
	struct step step;

	begin(&step, peer);
	step.next.profile_length = profile_length;
	ppp_authorised(&step.next.ppp, verdict, &step.out);
	finish(&step);
}

void peer_close(struct peer *peer, enum session_end end, const char *why)
{
	struct step step;

	begin(&step, peer);
	ppp_close(&step.next.ppp, end, why, &step.out);
	finish(&step);
}

void peer_drop(struct peer *peer, enum session_end end, const char *why)
{
	if (peer->setup) {
		const struct link_live *live = link_live(record_of(peer));

		if (live->ppp.phase == PPP_PREPARE)
			session_open_cancel(peer->pppoe->controld, live->session_id);
		if (!live->was_up)
			peer->pppoe->stats.failed++;
	}
	peer_event(peer, "PPPoE: ended (%s): %s", session_end_name(end), why);
	peer_remove(peer);
}

/* ---- Frames --------------------------------------------------------------------------------- */

void peer_send(struct peer *peer, const uint8_t *frame, size_t length, enum pppoe_sent what)
{
	uint8_t packet[PPPOE_HEADER + PPP_FRAME_MAX] = {0x11,
							PPPOE_SESSION_DATA,
							(uint8_t)(peer->client.pppoe_session >> 8),
							(uint8_t)peer->client.pppoe_session,
							(uint8_t)(length >> 8),
							(uint8_t)length};
	struct frame_link link;

	if (length > PPP_FRAME_MAX)
		return;
	memcpy(packet + PPPOE_HEADER, frame, length);
	pppoe_link_of(peer->pppoe, &peer->client, peer->tag_flags, &link);
	pppoe_send(peer->pppoe, peer->client.interface, &link, PPPOE_ETHERTYPE_SESSION, packet,
		   PPPOE_HEADER + length, what);
}

/* The PPP frame inside, and whose it is; NULL: malformed. */
static const uint8_t *parse(uint16_t interface, const uint8_t *frame, size_t *length,
			    struct session_client *client, uint8_t *tag_flags)
{
	struct frame_link link;
	uint16_t type;
	size_t head = frame_parse_link(frame, *length, &link, &type), size;
	const uint8_t *packet = frame + head;

	if (!head || type != PPPOE_ETHERTYPE_SESSION || *length - head < PPPOE_HEADER || packet[0] != 0x11 ||
	    packet[1] != PPPOE_SESSION_DATA)
		return NULL;
	size = (size_t)packet[4] << 8 | packet[5];
	if (size > *length - head - PPPOE_HEADER)
		return NULL;
	pppoe_identify(interface, &link, client, tag_flags);
	client->pppoe_session = (uint16_t)(packet[2] << 8 | packet[3]);
	*length = size;
	return packet + PPPOE_HEADER;
}

/* Who believes in a session that is not there hears so, and comes again. */
static enum pppoe_refusal unknown(struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags)
{
	pppoe_send_padt(pppoe, client, tag_flags, "there is no such session");
	return PPPOE_REFUSED_NO_SESSION;
}

static enum pppoe_refusal take(struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags,
			       const uint8_t *packet, size_t length)
{
	struct peer *peer = peer_find(pppoe, client);
	struct session session;
	struct step step;

	if (!peer)
		return unknown(pppoe, client, tag_flags);
	if (!peer->setup) {
		if (!session_by_client(pppoe->controld, client, &session))
			return unknown(pppoe, client, tag_flags);
		if (peer_take_record(peer, &session))
			return PPPOE_REFUSED_SETUP_LIMIT;
	}
	begin(&step, peer);
	ppp_input(&step.next.ppp, packet, length, &step.out);
	finish(&step);
	return PPPOE_ACCEPTED;
}

enum pppoe_refusal pppoe_session_frame(struct pppoe *pppoe, uint16_t interface, const uint8_t *frame,
				       size_t length)
{
	struct session_client client;
	uint8_t tag_flags;
	const uint8_t *packet = parse(interface, frame, &length, &client, &tag_flags);
	enum pppoe_refusal why = PPPOE_REFUSED_MALFORMED;

	pppoe->stats.received[PPPOE_RECEIVED_SESSION]++;
	if (packet)
		why = client.mac[0] & 1 ? PPPOE_REFUSED_SOURCE
					: take(pppoe, &client, tag_flags, packet, length);
	if (why)
		pppoe->stats.refused[why]++;
	return why;
}
