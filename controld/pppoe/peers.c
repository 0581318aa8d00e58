/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Peers by where they are, by the address that is reserved for them, and how many there
 * are of each MAC and VLAN.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "controld/pppoe/pppoe.h"

#define SESSION_IDS 65534u /* 1-65534: 0 and 65535 are reserved (RFC 2516 section 4) */

struct vlan {
	uint16_t interface;
	uint16_t outer_vid;
	uint16_t inner_vid;
	uint32_t count;
	LIST_ENTRY(vlan) next;
};

static uint32_t mix(uint64_t value)
{
	value *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(value >> 48) % PPPOE_BUCKETS;
}

static uint64_t vlan_key(const struct session_client *client)
{
	return (uint64_t)client->interface << 32 | (uint32_t)client->outer_vid << 16 | client->inner_vid;
}

static uint32_t place_bucket(const struct session_client *client)
{
	uint64_t mac = 0;

	memcpy(&mac, client->mac, sizeof(client->mac));
	return mix(mac * 31 + vlan_key(client));
}

static bool is_same_place(const struct session_client *a, const struct session_client *b)
{
	return a->interface == b->interface && a->outer_vid == b->outer_vid && a->inner_vid == b->inner_vid &&
	       !memcmp(a->mac, b->mac, sizeof(a->mac));
}

int peers_init(struct pppoe *pppoe)
{
	TAILQ_INIT(&pppoe->peers);
	pppoe->by_place = calloc(PPPOE_BUCKETS, sizeof(*pppoe->by_place));
	pppoe->by_address = calloc(PPPOE_BUCKETS, sizeof(*pppoe->by_address));
	pppoe->by_vlan = calloc(PPPOE_BUCKETS, sizeof(*pppoe->by_vlan));
	pppoe->live = calloc(LINKS, sizeof(*pppoe->live));
	return pppoe->by_place && pppoe->by_address && pppoe->by_vlan && pppoe->live ? 0 : -ENOMEM;
}

/* Records stay as they are: the next controld goes on with them. */
void peers_done(struct pppoe *pppoe)
{
	struct peer *peer;

	while (pppoe->by_place && (peer = TAILQ_FIRST(&pppoe->peers))) {
		peer->setup = 0;
		peer_remove(peer);
	}
	free(pppoe->by_place);
	free(pppoe->by_address);
	free(pppoe->by_vlan);
	free(pppoe->live);
}

static struct vlan *vlan_find(struct pppoe *pppoe, const struct session_client *client)
{
	struct vlan *vlan;

	LIST_FOREACH(vlan, &pppoe->by_vlan[mix(vlan_key(client))], next)
	{
		if (vlan->interface == client->interface && vlan->outer_vid == client->outer_vid &&
		    vlan->inner_vid == client->inner_vid)
			return vlan;
	}
	return NULL;
}

static struct vlan *vlan_take(struct pppoe *pppoe, const struct session_client *client)
{
	struct vlan *vlan = vlan_find(pppoe, client);

	if (!vlan) {
		vlan = calloc(1, sizeof(*vlan));
		if (!vlan)
			return NULL;
		vlan->interface = client->interface;
		vlan->outer_vid = client->outer_vid;
		vlan->inner_vid = client->inner_vid;
		LIST_INSERT_HEAD(&pppoe->by_vlan[mix(vlan_key(client))], vlan, next);
	}
	vlan->count++;
	return vlan;
}

static void vlan_give(struct vlan *vlan)
{
	if (--vlan->count)
		return;
	LIST_REMOVE(vlan, next);
	free(vlan);
}

struct peer *peer_find(struct pppoe *pppoe, const struct session_client *client)
{
	struct peer *peer;

	LIST_FOREACH(peer, &pppoe->by_place[place_bucket(client)], by_place)
	{
		if (peer->client.pppoe_session == client->pppoe_session &&
		    is_same_place(&peer->client, client))
			return peer;
	}
	return NULL;
}

struct peer *peer_add(struct pppoe *pppoe, const struct session_client *client, uint8_t tag_flags)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->vlan = vlan_take(pppoe, client);
	if (!peer->vlan) {
		free(peer);
		return NULL;
	}
	peer->pppoe = pppoe;
	peer->client = *client;
	peer->tag_flags = tag_flags;
	TAILQ_INSERT_TAIL(&pppoe->peers, peer, order);
	LIST_INSERT_HEAD(&pppoe->by_place[place_bucket(client)], peer, by_place);
	pppoe->peer_count++;
	return peer;
}

void peer_remove(struct peer *peer)
{
	struct pppoe *pppoe = peer->pppoe;

	peer_reserve(peer, 0);
	peer_give_record(peer);
	if (peer->timer)
		event_free(peer->timer);
	TAILQ_REMOVE(&pppoe->peers, peer, order);
	LIST_REMOVE(peer, by_place);
	vlan_give(peer->vlan);
	pppoe->peer_count--;
	free(peer);
}

void peer_linger(struct peer *peer, bool is_lingering)
{
	if (is_lingering != peer->is_lingering)
		peer->pppoe->lingering += is_lingering ? 1 : UINT32_MAX;
	peer->is_lingering = is_lingering;
}

void peer_give_record(struct peer *peer)
{
	if (!peer->setup)
		return;
	peer_linger(peer, false);
	peer->pppoe->live[peer->setup - 1] = NULL;
	link_give(peer->pppoe->links, peer->setup - 1);
	peer->setup = 0;
	event_free(peer->timer);
	peer->timer = NULL;
}

/* One that only takes its leave counts no more. */
static bool is_leaving(const struct peer *peer)
{
	return !peer->slot && peer->setup &&
	       link_live(link_record(peer->pppoe->links, peer->setup - 1))->ppp.phase == PPP_TERMINATE;
}

struct peer *peer_next_of_mac(struct pppoe *pppoe, const struct session_client *client, struct peer *after)
{
	struct peer *peer =
		after ? LIST_NEXT(after, by_place) : LIST_FIRST(&pppoe->by_place[place_bucket(client)]);

	while (peer && !is_same_place(&peer->client, client))
		peer = LIST_NEXT(peer, by_place);
	return peer;
}

uint32_t peers_of_mac(struct pppoe *pppoe, const struct session_client *client, struct peer **oldest)
{
	struct peer *peer = NULL;
	uint32_t count = 0;

	*oldest = NULL;
	while ((peer = peer_next_of_mac(pppoe, client, peer))) {
		if (is_leaving(peer))
			continue;
		*oldest = peer; /* they are inserted at the head */
		count++;
	}
	return count;
}

uint32_t peers_of_vlan(struct pppoe *pppoe, const struct session_client *client)
{
	const struct vlan *vlan = vlan_find(pppoe, client);

	return vlan ? vlan->count : 0;
}

/* The counter is one for all and lies in kept memory: an id that is free again comes again
 * when all the others have been given out, also over restarts. */
uint16_t peers_new_id(struct pppoe *pppoe, const struct session_client *client)
{
	struct links_header *header = pppoe->links->header;
	struct session_client wanted = *client;

	for (uint32_t tried = 0; tried < SESSION_IDS; tried++) {
		header->next_id = header->next_id % SESSION_IDS + 1;
		wanted.pppoe_session = (uint16_t)header->next_id;
		if (!peer_find(pppoe, &wanted))
			return wanted.pppoe_session;
	}
	return 0;
}

void peer_reserve(struct peer *peer, uint32_t address_be)
{
	if (peer->address_be)
		LIST_REMOVE(peer, by_address);
	peer->address_be = address_be;
	if (address_be)
		LIST_INSERT_HEAD(&peer->pppoe->by_address[mix(address_be)], peer, by_address);
}

bool peers_have_reserved(struct pppoe *pppoe, uint32_t address_be, const struct peer *but)
{
	const struct peer *peer;

	LIST_FOREACH(peer, &pppoe->by_address[mix(address_be)], by_address)
	{
		if (peer->address_be == address_be && peer != but)
			return true;
	}
	return false;
}
