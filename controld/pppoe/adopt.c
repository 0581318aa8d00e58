/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A start goes on with what an earlier one left behind: open sessions are in the map,
 * what was coming up or going away is in kept memory.
 */
#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/pppoe/pppoe.h"
#include "lib/clock.h"
#include "lib/log.h"

static void adopt_open(struct pppoe *pppoe)
{
	struct session session;
	uint32_t slot = 0;

	while (session_next(pppoe->controld, &slot, &session)) {
		struct session_client client = session_client_of(session.record);
		struct peer *peer;

		if (session.record->kind != BNG_SESSION_PPPOE)
			continue;
		peer = peer_add(pppoe, &client,
				session.record->flags & (BNG_SUBSCRIBER_OUTER_AD | BNG_SUBSCRIBER_INNER_AD));
		if (peer)
			peer->slot = session.slot;
		else
			log_error("PPPoE: no memory for all open sessions: some cannot be ended by their "
				  "clients");
	}
}

/* The record's peer, with the session it may have by now. NULL: it cannot be adopted. */
static struct peer *adopt_record(struct pppoe *pppoe, uint32_t index)
{
	struct link_record *record = link_record(pppoe->links, index);
	struct peer *peer;

	if (!link_is_whole(record))
		return NULL;
	peer = peer_find(pppoe, &record->client);
	if (peer && peer->setup)
		return NULL;
	if (!peer)
		peer = peer_add(pppoe, &record->client, record->tag_flags);
	if (!peer || peer_take_timer(peer))
		return NULL;
	peer->setup = index + 1;
	pppoe->live[index] = peer;
	return peer;
}

/* It was killed on the way to an open session. If the session is there, the client hears
 * so; if not, it is opened, as a new one: the bus may know the old one as ended. */
static void resume_opening(struct peer *peer)
{
	struct pppoe *pppoe = peer->pppoe;
	struct link_record *record = link_record(pppoe->links, peer->setup - 1);
	struct link_live next = *link_live(record);
	struct session session;

	if (session_by_client(pppoe->controld, &peer->client, &session)) {
		grant_opened(peer, &session);
		return;
	}
	next.session_id = session_new_id(pppoe->controld);
	link_commit(record, &next);
	grant_open(peer);
}

static void resume(struct peer *peer)
{
	const struct link_live *live = link_live(link_record(peer->pppoe->links, peer->setup - 1));
	struct session session;

	if (live->profile_length && !peer->slot)
		peer_reserve(peer, live->ppp.address_be);
	switch (live->ppp.phase) {
	case PPP_PREPARE:
		resume_opening(peer);
		break;
	case PPP_OPEN:
		if (peer->slot)
			peer_arm(peer);
		else
			peer_close(peer, SESSION_END_NAS_ERROR, "the session is gone");
		break;
	case PPP_DEAD:
		peer_drop(peer, SESSION_END_NAS_ERROR, "it never began");
		break;
	default: /* its link goes on; a session that it had is over */
		if (peer->slot && session_by_client(peer->pppoe->controld, &peer->client, &session))
			session_close(peer->pppoe->controld, &session, SESSION_END_USER_REQUEST,
				      "its client ended it, or began anew");
		peer_arm(peer);
		break;
	}
}

void pppoe_adopt(struct pppoe *pppoe)
{
	uint32_t high = pppoe->links->header->high;

	adopt_open(pppoe);
	for (uint32_t i = 0; i < high; i++) {
		if (link_record(pppoe->links, i)->state == LINK_FREE)
			continue;
		if (adopt_record(pppoe, i)) {
			pppoe->stats.adopted++;
			continue;
		}
		pppoe->stats.abandoned++;
		link_give(pppoe->links, i);
	}
	for (uint32_t i = 0; i < high; i++)
		if (pppoe->live[i])
			resume(pppoe->live[i]);
	if (pppoe->stats.adopted || pppoe->stats.abandoned)
		log_notice("PPPoE: going on with %llu sessions in setup, %llu could not be",
			   (unsigned long long)pppoe->stats.adopted,
			   (unsigned long long)pppoe->stats.abandoned);
}
