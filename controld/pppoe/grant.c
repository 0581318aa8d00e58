/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From a client that says who it is to a session: the question, its answer, and opening
 * the session with what was granted.
 *
 * What was granted lies in the peer's record until the session is open, so a controld
 * that starts again opens it with the same.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/names.h"
#include "controld/pppoe/pppoe.h"
#include "controld/session/detail.h"
#include "lib/address.h"
#include "lib/clock.h"

#define RETRY_NS     200000000ull
#define RETRY_END_NS 5000000000ull /* a sweep releases an address in one or two seconds */
#define WHY_MAX      120
#define IP_TCP       40 /* bytes of their headers */

/* Of the question, and of what is being opened: a record and the session it was for. */
struct ticket {
	struct session_client client;
	uint16_t reserved;
	uint32_t index;
	uint32_t reserved1;
	uint64_t session_id;
};

_Static_assert(sizeof(struct ticket) <= AUTHORISE_TICKET, "fits");

static struct link_record *record_of(const struct peer *peer)
{
	return link_record(peer->pppoe->links, peer->setup - 1);
}

/* NULL: it has gone, or begun anew. */
static struct peer *peer_of(struct pppoe *pppoe, const struct ticket *ticket)
{
	struct peer *peer = ticket->index < LINKS && pppoe->links ? pppoe->live[ticket->index] : NULL;

	return peer && link_live(record_of(peer))->session_id == ticket->session_id ? peer : NULL;
}

static struct ticket ticket_of(const struct peer *peer)
{
	return (struct ticket){.client = peer->client,
			       .index = peer->setup - 1,
			       .session_id = link_live(record_of(peer))->session_id};
}

/* ---- The question --------------------------------------------------------------------------- */

void grant_ask(struct peer *peer, const char *user, const struct credentials *credentials, struct ppp *ppp,
	       const struct ppp_out *out)
{
	struct pppoe *pppoe = peer->pppoe;
	struct ticket mine = ticket_of(peer);
	struct authorise_ticket ticket = {.owner = AUTHORISE_PPPOE};
	struct authorise_question question = {
		.kind = BNG_SESSION_PPPOE,
		.client = peer->client,
		.session_id = mine.session_id,
		.user = user,
		.credentials = *credentials,
	};
	struct link_record *record = record_of(peer);
	bool was_asked = record->asked == mine.session_id;
	int failure;

	link_line(record, &question.line);
	memcpy(ticket.context, &mine, sizeof(mine));
	record->asked = mine.session_id;
	failure = authorise_ask(pppoe->controld, &question, &ticket);
	if (failure == -EALREADY && was_asked)
		return; /* before we were killed; the answer is on its way */
	if (!failure) {
		pppoe->stats.asked++;
		peer_event(peer, "PPPoE: asking about %s", user ? user : "the line");
		return;
	}
	struct ppp_verdict verdict = {.message = authorise_why_not(failure), .cause = SESSION_END_NAS_ERROR};

	pppoe->stats.unanswered++;
	peer_event(peer, "PPPoE: not asked: %s", verdict.message);
	ppp_authorised(ppp, &verdict, out);
}

/* ---- The answer ----------------------------------------------------------------------------- */

/* Its profile as text, behind the record. 0 and the length, or -errno. */
static int keep_profile(struct link_record *record, const struct session_profile *profile, uint32_t *length)
{
	json_t *json = profile_json(profile);
	size_t size = json ? json_dumpb(json, NULL, 0, JSON_COMPACT) : 0;

	if (size && size <= LINK_PROFILE_MAX)
		json_dumpb(json, record->profile, size, JSON_COMPACT);
	json_decref(json);
	*length = (uint32_t)size;
	return !size ? -ENOMEM : size > LINK_PROFILE_MAX ? -EMSGSIZE : 0;
}

static void deny(struct peer *peer, const struct authorise_answer *answer, enum session_end cause,
		 const char *why)
{
	struct ppp_verdict verdict = {.message = why, .mschap2 = answer->mschap2_error, .cause = cause};

	peer_event(peer, "PPPoE: refused: %s", why);
	peer_authorised(peer, &verdict, 0);
}

static void grant(struct peer *peer, const struct authorise_answer *answer)
{
	struct pppoe *pppoe = peer->pppoe;
	struct link_record *record = record_of(peer);
	struct ppp_verdict verdict = {
		.is_granted = true,
		.message = answer->message[0] ? answer->message : NULL,
		.mschap2 = answer->mschap2_success,
	};
	char why[WHY_MAX], address[ADDRESS_TEXT];
	uint32_t length;

	if (place_choose(peer, answer->profile, &verdict, why, sizeof(why))) {
		pppoe->stats.no_address++;
		deny(peer, answer, SESSION_END_NAS_ERROR, why);
		return;
	}
	if (keep_profile(record, answer->profile, &length)) {
		deny(peer, answer, SESSION_END_NAS_ERROR, "what was granted is too much to keep");
		return;
	}
	snprintf(record->source, sizeof(record->source), "%s", answer->source ? answer->source : "");
	pppoe->stats.granted++;
	peer_event(peer, "PPPoE: granted by %s, address %s", record->source,
		   address_format(verdict.address_be, address));
	peer_authorised(peer, &verdict, length);
}

void grant_answer(struct controld *controld, const struct authorise_answer *answer,
		  const struct authorise_ticket *ticket)
{
	struct pppoe *pppoe = controld->pppoe;
	struct ticket mine;
	struct peer *peer;

	memcpy(&mine, ticket->context, sizeof(mine));
	peer = peer_of(pppoe, &mine);
	if (!peer || peer_phase(peer) != PPP_AUTHORISE) {
		pppoe->stats.orphaned++;
		return;
	}
	if (answer->outcome == AUTHORISE_GRANTED) {
		grant(peer, answer);
		return;
	}
	if (answer->outcome == AUTHORISE_DENIED)
		pppoe->stats.denied++;
	else
		pppoe->stats.unanswered++;
	deny(peer, answer,
	     answer->outcome == AUTHORISE_DENIED ? SESSION_END_USER_ERROR : SESSION_END_NAS_ERROR,
	     answer->message);
}

/* ---- The session ---------------------------------------------------------------------------- */

static int read_profile(const struct link_record *record, struct session_profile *profile)
{
	return profile_parse((struct json_slice){record->profile, link_live(record)->profile_length},
			     profile);
}

static int copy_bytes(uint8_t **to, uint16_t *to_length, const uint8_t *from, uint16_t length)
{
	if (!from)
		return 0;
	*to = malloc(length + 1u);
	if (!*to)
		return -ENOMEM;
	memcpy(*to, from, length);
	*to_length = length;
	return 0;
}

static int fill_detail(struct link_record *record, struct session_detail *detail)
{
	const struct link_live *live = link_live(record);
	const char *user = live->ppp.user;
	struct session_line line;
	int failure = read_profile(record, &detail->profile);

	link_line(record, &line);
	if (!failure && detail->profile.given & PROFILE_USER && detail->profile.user)
		user = detail->profile.user;
	if (!failure && user[0] && !(detail->user = strdup(user)))
		failure = -ENOMEM;
	if (!failure && record->source[0] && !(detail->source = strdup(record->source)))
		failure = -ENOMEM;
	if (!failure)
		failure = copy_bytes(&detail->line.circuit_id, &detail->line.circuit_id_length,
				     line.circuit_id, line.circuit_id_length);
	if (!failure)
		failure = copy_bytes(&detail->line.remote_id, &detail->line.remote_id_length, line.remote_id,
				     line.remote_id_length);
	return failure;
}

/* "" is a session that is not translated. */
static int choose_nat_pool(const struct controld *controld, const struct session_profile *profile,
			   const struct config_pppoe_pool *pool, struct session_spec *spec)
{
	const char *name = profile->given & PROFILE_NAT_POOL ? profile->nat_pool : pool ? pool->nat_pool : "";
	int index = name[0] ? names_pool_index(controld, name) : NAMES_NO_POOL;

	if (index < 0)
		return -ENOENT;
	if (!name[0])
		spec->flags |= BNG_SUBSCRIBER_EXEMPT;
	spec->pool = (uint8_t)index;
	return 0;
}

static int fill_spec(struct peer *peer, const struct session_profile *profile, struct session_spec *spec)
{
	const struct link_live *live = link_live(record_of(peer));
	const struct config_pppoe_pool *pool = place_pool_around(peer->pppoe->config, live->ppp.address_be);

	*spec = (struct session_spec){
		.address_be = live->ppp.address_be,
		.client = peer->client,
		.flags = peer->tag_flags,
		.kind = BNG_SESSION_PPPOE,
		.max_blocks = profile->given & PROFILE_MAX_BLOCKS ? (uint8_t)profile->max_blocks : 0,
		.max_mappings = profile->given & PROFILE_MAX_MAPPINGS ? profile->max_mappings : 0,
		.mtu = live->ppp.mtu,
		.mss = pool && pool->mss ? pool->mss : (uint16_t)(live->ppp.mtu - IP_TCP),
		.ppp_magic = live->ppp.magic,
		.session_id = live->session_id,
	};
	return choose_nat_pool(peer->pppoe->controld, profile, pool, spec);
}

static const char *why_not_open(int failure)
{
	switch (failure) {
	case -EADDRINUSE:
		return "its address has another session";
	case -EEXIST:
		return "the client has a session of this id";
	case -ENOSPC:
		return "no room for another session";
	case -ENOENT:
		return "its NAT pool is not configured";
	default:
		return "the session could not be opened";
	}
}

/* Its address may still be on its way back from the last session. */
static void failed_to_open(struct peer *peer, int failure)
{
	uint64_t now_ns = clock_boottime_ns();

	if (failure == -EADDRINUSE && (!peer->retry_end_ns || now_ns < peer->retry_end_ns)) {
		if (!peer->retry_end_ns)
			peer->retry_end_ns = now_ns + RETRY_END_NS;
		peer->retry_ns = now_ns + RETRY_NS;
		peer_arm(peer);
		return;
	}
	peer_close(peer, SESSION_END_NAS_ERROR, why_not_open(failure));
}

static void on_opened(struct controld *controld, int failure, const struct session *session, void *context)
{
	uintptr_t key = (uintptr_t)context;
	struct pppoe *pppoe = controld->pppoe;
	uint32_t index = (uint32_t)key % LINKS;
	struct peer *peer = pppoe->live[index];

	if (!peer || peer_phase(peer) != PPP_PREPARE ||
	    link_live(record_of(peer))->session_id % ((uint64_t)UINT32_MAX + 1) != key >> 32)
		return; /* it has gone meanwhile, and cancelled this */
	if (failure) {
		failed_to_open(peer, failure);
		return;
	}
	grant_opened(peer, session);
}

void grant_opened(struct peer *peer, const struct session *session)
{
	peer->slot = session->slot;
	peer->retry_ns = peer->retry_end_ns = 0;
	peer_reserve(peer, 0);
	peer->pppoe->stats.opened++;
	peer_ready(peer);
}

void grant_open(struct peer *peer)
{
	struct link_record *record = record_of(peer);
	uint64_t session_id = link_live(record)->session_id;
	struct session_detail *detail = session_detail_new(session_id);
	uintptr_t key = (uintptr_t)(session_id % ((uint64_t)UINT32_MAX + 1)) << 32 | (peer->setup - 1);
	struct session_spec spec;
	int failure = detail ? fill_detail(record, detail) : -ENOMEM;

	if (!failure)
		failure = fill_spec(peer, &detail->profile, &spec);
	if (failure)
		session_detail_free(detail);
	else
		failure = session_open_durable(peer->pppoe->controld, &spec, detail, on_opened, (void *)key);
	if (failure)
		failed_to_open(peer, failure);
	else
		peer_arm(peer);
}
