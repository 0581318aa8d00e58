/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A canary: a share of the subscribers is served by this object, all others by the one
 * that ran before. Only the entry programs bng_canary_* look at this; the holder attaches
 * them, fills canary_old_* with the old object's bng_*, and sets the share.
 *
 * A subscriber is its line: MAC and VLAN tags, which every packet of its session has
 * (session.h), and its ARP, DHCP and PPPoE too, also when the session is opened anew. Each
 * line has a place below CANARY_PLACES; the share says which places are chosen, so a small
 * share is part of a larger one. What is no subscriber's has the last place: it is the old
 * object's until everybody is chosen.
 */
#ifndef BNG_DATAPLANE_CANARY_H
#define BNG_DATAPLANE_CANARY_H

#include "cgnat_find.h"
#include "fragment.h"
#include "icmp_error.h"
#include "punt.h"
#include "session.h"
#include "tunnel.h"

#define CANARY_PLACES 10000
#define CANARY_NOBODY (CANARY_PLACES - 1)

struct bng_canary {
	__u32 share;            /* places below it are chosen */
	enum bng_verdict error; /* the program's own fault, not a packet's; also brings the names along */
};

/* Of this generation alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bng_canary);
} canary SEC(".maps");

/* As reason_count, of the chosen. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BNG_VERDICT_SLOTS);
	__type(key, __u32);
	__type(value, struct bng_count);
} canary_count SEC(".maps");

#define CANARY_OLD(role)                                                                                     \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                       \
		__uint(max_entries, 1);                                                                      \
		__type(key, __u32);                                                                          \
		__type(value, __u32);                                                                        \
	} canary_old_##role SEC(".maps")

CANARY_OLD(access);
CANARY_OLD(core);
CANARY_OLD(inject);

static __always_inline __u32 canary_mix(__u32 word)
{
	word ^= word >> 16;
	word *= 0x85ebca6b;
	word ^= word >> 13;
	word *= 0xc2b2ae35;
	return word ^ word >> 16;
}

/* `mac` is aligned to two bytes. */
static __always_inline __u32 canary_place(const __u16 *mac, __u32 vids)
{
	__u32 mixed = canary_mix(mac[0] | (__u32)mac[1] << 16);

	mixed = canary_mix(mixed ^ mac[2] ^ vids * 0x9e3779b1);
	return (__u64)mixed * CANARY_PLACES >> 32;
}

static __always_inline __u32 canary_place_session(const struct bng_subscriber *session)
{
	return canary_place((const __u16 *)session->mac, *(const __u32 *)&session->outer_vid);
}

/* Of the frame that begins at pkt->data; `at`: where its subscriber's MAC is. */
static __always_inline __u32 canary_place_frame(struct bng_pkt *pkt, __u32 at)
{
	if (packet_parse_ethernet(pkt) || pkt->data + sizeof(struct ethhdr) > pkt->end)
		return CANARY_NOBODY;
	return canary_place(pkt->data + at, pkt->vids);
}

__noinline __u32 canary_place_access(struct xdp_md *ctx)
{
	struct bng_pkt pkt;

	return packet_init(&pkt, ctx) ? CANARY_NOBODY : canary_place_frame(&pkt, ETH_ALEN);
}

/* Of a session, unless it has ended since. */
static __always_inline __u32 canary_place_slot(__u32 slot, __u16 generation)
{
	struct bng_subscriber *session = subscriber_get(slot);

	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE || session->generation != generation)
		return CANARY_NOBODY;
	return canary_place_session(session);
}

/* Of the ICMP error's receiver: who has sent the quoted packet. Nothing is checked here, as
 * whoever serves it checks all. */
static __always_inline __u64 canary_quoted_port(struct bng_pkt *pkt, __u32 index)
{
	struct iphdr *quoted = pkt->l4 + sizeof(struct icmp_header);
	struct icmp_quote quote = {};

	if ((void *)(quoted + 1) > pkt->end)
		return TUNNEL_NONE;
	quote.ip = quoted;
	quote.l4 = (void *)quoted + quoted->ihl * 4;
	return quote_ports(pkt, &quote) ? TUNNEL_NONE : quote_port(pkt, &quote, index);
}

/* The port that a packet with ports, a tunnel's or an ICMP error to public address `index`
 * is for; TUNNEL_NONE: none. */
static __always_inline __u64 canary_port(struct bng_pkt *pkt, __u32 index)
{
	int verdict;

	if (tunnel_protocol(pkt->ip))
		return tunnel_find(index, pkt->ip->saddr, tunnel_protocol(pkt->ip), pkt->tick, 0);
	verdict = packet_parse_ports(pkt);
	if (verdict == BNG_DROP_ICMP_TYPE && is_icmp_error(pkt))
		return canary_quoted_port(pkt, index);
	return verdict ? TUNNEL_NONE : index << 16 | bpf_ntohs(pkt->destination_port_be);
}

static __always_inline __u32 canary_place_public(struct bng_pkt *pkt, __u32 index)
{
	__u64 port = canary_port(pkt, index);
	struct bng_port_block *block = port & TUNNEL_NONE ? NULL : block_of_port(port);

	return block ? canary_place_slot(block->slot, block->generation) : CANARY_NOBODY;
}

/* A later fragment has no ports: it goes where its first went. */
static __always_inline __u32 canary_place_fragment(struct bng_pkt *pkt)
{
	struct fragment_search search = {};

	fragment_find(pkt, BNG_FRAGMENT_DOWN, &search);
	return search.found ? canary_place_slot(search.found->slot, search.found->generation) : CANARY_NOBODY;
}

/* A frame for a subscriber, from the core or, with bng_punt before it, handed back. */
__noinline __u32 canary_place_down(struct xdp_md *ctx, __u32 is_held)
{
	struct bng_ranges *ranges = ranges_get();
	struct bng_range *hit;
	struct bng_pkt pkt;
	__u32 destination;

	if (!ranges || packet_init(&pkt, ctx))
		return CANARY_NOBODY;
	pkt.data += is_held ? sizeof(struct bng_punt) : 0;
	if (packet_parse_ethernet(&pkt) || pkt.encapsulation || pkt.ethertype_be != bpf_htons(ETH_P_IP) ||
	    packet_parse_ip(&pkt))
		return CANARY_NOBODY;
	destination = bpf_ntohl(pkt.ip->daddr);
	hit = range_public(ranges, destination);
	if (!hit)
		return session_find(&pkt, ranges, pkt.ip->daddr) ? CANARY_NOBODY
								 : canary_place_session(pkt.session);
	if (!is_first_fragment(&pkt) && !tunnel_protocol(pkt.ip))
		return canary_place_fragment(&pkt);
	return canary_place_public(&pkt, hit->base + (destination - hit->first));
}

static __always_inline __u32 canary_place_core(struct xdp_md *ctx)
{
	return canary_place_down(ctx, 0);
}

/* From controld: what goes to a subscriber, or was held on its way from one. */
__noinline __u32 canary_place_inject(struct xdp_md *ctx)
{
	struct bng_pkt pkt;
	struct bng_punt *header;

	if (packet_init(&pkt, ctx) || !is_punt(&pkt))
		return CANARY_NOBODY;
	header = pkt.data;
	pkt.data = header + 1;
	switch (header->reason) {
	case BNG_PUNT_REASON_INJECT:
		return canary_place_frame(&pkt, 0);
	case BNG_PUNT_REASON_FRAGMENT_UP:
	case BNG_PUNT_REASON_FTP:
		return canary_place_frame(&pkt, ETH_ALEN);
	case BNG_PUNT_REASON_FRAGMENT_DOWN:
		return canary_place_down(ctx, 1);
	default:
		return CANARY_NOBODY;
	}
}

static __always_inline int canary_takes(__u32 place)
{
	__u32 zero = 0;
	struct bng_canary *chosen = bpf_map_lookup_elem(&canary, &zero);

	return chosen && place < chosen->share;
}

static __always_inline void canary_tally(__u32 verdict, __u32 length)
{
	struct bng_count *count = bpf_map_lookup_elem(&canary_count, &verdict);

	if (count) {
		count->packets++;
		count->bytes += length;
	}
}

#endif
