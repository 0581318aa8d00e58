/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * IPv4 fragments in order (abi/fragment.h): the first one is translated like any
 * packet and noted, the later ones follow it. A later one whose first has not been
 * seen is held (hold.h). Off the fast path.
 */
#ifndef BNG_DATAPLANE_FRAGMENT_H
#define BNG_DATAPLANE_FRAGMENT_H

#include "abi/fragment.h"
#include "cgnat.h"
#include "deliver.h"
#include "exempt.h"

#define FRAGMENT_TICKS BNG_TICKS_OF_SECONDS(BNG_FRAGMENT_SECONDS)

struct fragment_search {
	__u64 ends; /* source_be | destination_be << 32 */
	__u32 rest; /* id_be, ip_protocol, direction as in struct bng_fragment */
	__u32 hash;
	__u32 tick;
	__u32 free; /* index of an entry to take, +1 */
	struct bng_fragment *found;
};

static __always_inline struct bng_fragment *fragment_get(__u32 index)
{
	index &= BNG_FRAGMENTS - 1;
	return bpf_map_lookup_elem(&fragment, &index);
}

static long fragment_step(__u32 probe, struct fragment_search *search)
{
	__u32 index = (search->hash + probe) & (BNG_FRAGMENTS - 1);
	struct bng_fragment *entry = fragment_get(index);

	if (!entry)
		return 1;
	if ((__s32)(entry->until_tick - search->tick) < 0) {
		if (!search->free)
			search->free = index + 1;
		return 0;
	}
	if (*(volatile __u64 *)entry != search->ends || *(volatile __u32 *)&entry->id_be != search->rest)
		return 0;
	search->found = entry;
	return 1;
}

static __always_inline void fragment_find(const struct bng_pkt *pkt, __u8 direction,
					  struct fragment_search *search)
{
	struct iphdr *ip = pkt->ip;

	search->ends = ip->saddr | (__u64)ip->daddr << 32;
	search->rest = bng_fragment_rest(ip->id, ip->protocol, direction);
	search->tick = pkt->tick;
	search->hash = bng_fragment_hash(ip->saddr, ip->daddr, search->rest);
	bpf_loop(BNG_FRAGMENT_PROBES, fragment_step, search, 0);
}

/* Notes what the followers need: 0, or a verdict when there is no room. */
static __always_inline int fragment_note(const struct bng_pkt *pkt, struct fragment_search *search,
					 __be32 public_be)
{
	struct bng_fragment *entry = search->found;
	__u32 before;

	if (!entry && search->free)
		entry = fragment_get(search->free - 1);
	if (!entry)
		return BNG_DROP_FRAGMENT_FULL;
	before = *(volatile __u32 *)&entry->until_tick;
	if (__sync_val_compare_and_swap(&entry->until_tick, before, pkt->tick + FRAGMENT_TICKS) != before)
		return BNG_DROP_FRAGMENT_FULL;
	__sync_lock_test_and_set((__u64 *)entry, 0);
	*(volatile __u32 *)&entry->id_be = search->rest;
	entry->slot = pkt->slot;
	entry->public_be = public_be;
	entry->generation = pkt->session->generation;
	/* Last and with a full barrier: from here on it is found. */
	__sync_lock_test_and_set((__u64 *)entry, search->ends);
	return 0;
}

static __always_inline int is_first_fragment(const struct bng_pkt *pkt)
{
	return !(pkt->ip->frag_off & bpf_htons(IP_OFFSET_MASK));
}

/* A later fragment: *public_be, slot and session of its first. 0 or a verdict. */
static __always_inline int fragment_follow(struct bng_pkt *pkt, const struct fragment_search *search,
					   __be32 *public_be)
{
	struct bng_fragment *entry = search->found;
	__u16 generation;

	if (!entry)
		return BNG_DROP_FRAGMENT;
	pkt->slot = entry->slot;
	*public_be = entry->public_be;
	generation = entry->generation;
	if (*(volatile __u64 *)entry != search->ends)
		return BNG_DROP_FRAGMENT;
	pkt->session = subscriber_get(pkt->slot);
	if (!pkt->session || pkt->session->state != BNG_SUBSCRIBER_ACTIVE ||
	    pkt->session->generation != generation)
		return BNG_DROP_CGNAT_STALE;
	if (!(pkt->ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS)))
		entry->until_tick = pkt->tick + 1;
	return 0;
}

/* Of one to an exempt port it is noted that the source stays what it is. */
static __always_inline int fragment_first_up(struct bng_pkt *pkt, struct fragment_search *search,
					     int is_leaving)
{
	int verdict = packet_parse_ports(pkt);
	__be32 public_be = 0;
	__be16 port_be = 0;

	if (!verdict && is_leaving && exempt_by_port(pkt))
		return fragment_note(pkt, search, pkt->ip->saddr);
	if (!verdict)
		verdict = cgnat_up(pkt, &public_be, &port_be);
	if (!verdict)
		verdict = fragment_note(pkt, search, public_be);
	if (!verdict)
		rewrite_nat(pkt, 1, public_be, port_be);
	return verdict;
}

/* From the outcome's session: the source is translated in place. 0, or an outcome. */
__noinline int fragment_up(struct xdp_md *ctx, __u64 outcome)
{
	int is_leaving = outcome_action(outcome) == STEP_FRAGMENT_UP;
	struct fragment_search search = {};
	__be32 public_be = 0;
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);

	if (verdict)
		return verdict;
	pkt.slot = outcome_slot(outcome);
	pkt.session = subscriber_get(pkt.slot);
	if (!pkt.session)
		return BNG_DROP_INTERNAL;
	if (is_leaving && is_source_routed(&pkt))
		return BNG_DROP_ICMP_SOURCE_ROUTE;
	fragment_find(&pkt, BNG_FRAGMENT_UP, &search);
	if (is_first_fragment(&pkt))
		return fragment_first_up(&pkt, &search, is_leaving);
	verdict = fragment_follow(&pkt, &search, &public_be);
	if (!verdict)
		rewrite_address(pkt.ip, &pkt.ip->saddr, public_be);
	return verdict;
}

static __always_inline int fragment_first_down(struct bng_pkt *pkt, struct fragment_search *search,
					       __u32 address_index)
{
	int verdict = packet_parse_ports(pkt);
	__be16 port_be = 0;

	if (!verdict)
		verdict = cgnat_down(pkt, address_index, &port_be);
	if (!verdict)
		verdict = outcome_verdict(deliver_check(pkt));
	if (!verdict)
		verdict = fragment_note(pkt, search, 0);
	if (!verdict)
		rewrite_nat(pkt, 0, pkt->session->address_be, port_be);
	return verdict;
}

/* For a subscriber's own address: from an exempt port only. */
static __always_inline int fragment_first_exempt(struct bng_pkt *pkt, struct fragment_search *search)
{
	struct bng_ranges *ranges = ranges_get();
	int verdict = packet_parse_ports(pkt);

	if (!verdict && !exempt_from_port(pkt))
		verdict = BNG_DROP_NOT_EXEMPT;
	if (!verdict)
		verdict = ranges ? session_find(pkt, ranges, pkt->ip->daddr) : BNG_DROP_INTERNAL;
	if (!verdict)
		verdict = outcome_verdict(deliver_check(pkt));
	return verdict ? verdict : fragment_note(pkt, search, 0);
}

/* For the public address that is the outcome's parameter, or with _EXEMPT a subscriber's
 * own; its slot is a hairpinned packet's sender. The verdict. */
__noinline int fragment_down(struct xdp_md *ctx, __u64 outcome)
{
	int is_exempt = outcome_action(outcome) == STEP_FRAGMENT_DOWN_EXEMPT;
	struct fragment_search search = {};
	__be32 unused_be = 0;
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);

	if (verdict)
		return verdict;
	fragment_find(&pkt, BNG_FRAGMENT_DOWN, &search);
	if (is_first_fragment(&pkt)) {
		verdict = is_exempt ? fragment_first_exempt(&pkt, &search)
				    : fragment_first_down(&pkt, &search, outcome_parameter(outcome));
	} else {
		verdict = fragment_follow(&pkt, &search, &unused_be);
		if (!verdict)
			verdict = outcome_verdict(deliver_check(&pkt));
		if (!verdict)
			rewrite_address(pkt.ip, &pkt.ip->daddr, pkt.session->address_be);
	}
	if (verdict)
		return verdict;
	return deliver_from(&pkt, outcome_slot(outcome),
			    is_exempt ? BNG_FORWARD_DOWN_EXEMPT : BNG_FORWARD_DOWN);
}

#endif
