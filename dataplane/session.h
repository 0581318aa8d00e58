/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From an address to a session, and whether a packet may claim to be from it.
 */
#ifndef BNG_DATAPLANE_SESSION_H
#define BNG_DATAPLANE_SESSION_H

#include "packet.h"

static __always_inline struct bng_ranges *ranges_get(void)
{
	struct bng_meta *facts = meta_get();
	__u32 active = facts ? facts->range_active & 1 : 0;

	return bpf_map_lookup_elem(&range, &active);
}

/* The inner range that holds `address` (host order), or NULL. */
static __always_inline struct bng_range *range_inner(struct bng_ranges *ranges, __u32 address)
{
	for (__u32 i = 0; i < BNG_INNER_RANGES && i < ranges->inner_count; i++)
		if (address - ranges->inner[i].first <= ranges->inner[i].last - ranges->inner[i].first)
			return &ranges->inner[i];
	return NULL;
}

/* The same for public addresses. */
static __always_inline struct bng_range *range_public(struct bng_ranges *ranges, __u32 address)
{
	for (__u32 i = 0; i < BNG_PUBLIC_RANGES && i < ranges->public_count; i++)
		if (address - ranges->outer[i].first <= ranges->outer[i].last - ranges->outer[i].first)
			return &ranges->outer[i];
	return NULL;
}

/* Slot of an inner address; 0: none. */
static __always_inline __u32 session_slot(struct bng_ranges *ranges, __be32 address_be)
{
	__u32 address = bpf_ntohl(address_be), *slot;
	struct bng_range *hit = range_inner(ranges, address);

	if (hit && hit->base)
		return hit->base + (address - hit->first);
	slot = bpf_map_lookup_elem(&slot_of_address, &address_be);
	return slot ? *slot : 0;
}

/* True for an address that is routed to the session instead of being its own. */
static __always_inline int session_routes(const struct bng_subscriber *session, __be32 address_be)
{
	return (session->flags & BNG_SUBSCRIBER_ROUTES) && session->address_be != address_be;
}

/* Fills slot and subscriber with the active session of `address_be`. */
static __always_inline int session_find(struct bng_pkt *pkt, struct bng_ranges *ranges, __be32 address_be)
{
	__u32 slot = session_slot(ranges, address_be);
	struct bng_subscriber *session = slot ? subscriber_get(slot) : NULL;

	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE ||
	    (session->address_be != address_be && !(session->flags & BNG_SUBSCRIBER_ROUTES)))
		return BNG_DROP_NO_SESSION;
	pkt->slot = slot;
	pkt->session = session;
	return 0;
}

static __always_inline void session_count_up(struct bng_subscriber *session, const struct bng_pkt *pkt)
{
	__sync_fetch_and_add(&session->up_packets, 1);
	__sync_fetch_and_add(&session->up_bytes, pkt->ip_length);
	if (session->last_up_tick != pkt->tick)
		session->last_up_tick = pkt->tick;
}

#define TAG_FLAGS (BNG_SUBSCRIBER_OUTER_AD | BNG_SUBSCRIBER_INNER_AD)

static __always_inline int mac_differs(const __u8 *mac, const __u16 *frame)
{
	return *(__u32 *)mac != *(__u32 *)frame || *(__u16 *)(mac + 4) != frame[2];
}

/* Interface, tags, PPPoE session and MAC must be the session's. A frame for another station
 * (flooded by a switch) is not ours to forward. `ifindex`: where it came in. */
static __always_inline int session_antispoof_at(struct bng_pkt *pkt, __u32 ifindex)
{
	struct bng_subscriber *session = pkt->session;
	struct bng_interface *ingress = interface_get(session->interface);
	__u16 *source = pkt->data + ETH_ALEN;

	if (pkt->data + sizeof(struct ethhdr) > pkt->end)
		return BNG_DROP_SHORT;
	if (!ingress || ingress->ifindex != ifindex)
		return BNG_DROP_SPOOF_INTERFACE;
	if (*(__u32 *)&session->outer_vid != pkt->vids ||
	    (pkt->vids && (session->flags & TAG_FLAGS) != pkt->tag_flags))
		return BNG_DROP_SPOOF_VLAN;
	if (session->pppoe_session != pkt->pppoe)
		return BNG_DROP_SPOOF_PPPOE;
	if (mac_differs(session->mac, source))
		return BNG_DROP_SPOOF_MAC;
	if (mac_differs(ingress->mac, pkt->data))
		return BNG_DROP_OTHER_STATION;
	return 0;
}

static __always_inline int session_antispoof(struct bng_pkt *pkt)
{
	return session_antispoof_at(pkt, pkt->ctx->ingress_ifindex);
}

#endif
