/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The way to the core: the kernel's routing table, asked through
 * bpf_fib_lookup, with a cache for each CPU because the question costs as much
 * as the rest of the translation. An answer is used for less than a second.
 */
#ifndef BNG_DATAPLANE_ROUTE_H
#define BNG_DATAPLANE_ROUTE_H

#include "packet.h"

#define AF_INET 2

static __always_inline int route_verdict(long answer)
{
	switch (answer) {
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return BNG_PASS_NEIGHBOUR;
	case BPF_FIB_LKUP_RET_NOT_FWDED:
		return BNG_DROP_ADDRESS;
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		return BNG_DROP_FORWARDING_OFF;
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return BNG_DROP_MTU;
	default:
		return BNG_DROP_NO_ROUTE;
	}
}

/* Asks the kernel for the way from an interface of ours (a held packet comes from the
 * punt veth) and fills `route`. 0 or a verdict. */
static __noinline int route_ask(struct xdp_md *ctx, __be32 source_be, __be32 destination_be,
				struct route *route, __u32 from)
{
	struct bng_interface *ingress = interface_get(from);
	struct bpf_fib_lookup question = {
		.family = AF_INET,
		.ipv4_src = source_be,
		.ipv4_dst = destination_be,
		.ifindex = ingress ? ingress->ifindex : 0,
	};
	long answer = bpf_fib_lookup(ctx, &question, sizeof(question), 0);
	struct bng_interface *egress;
	__u32 *index;

	if (answer != BPF_FIB_LKUP_RET_SUCCESS)
		return route_verdict(answer);
	index = bpf_map_lookup_elem(&interface_of_ifindex, &question.ifindex);
	egress = index ? interface_get(*index) : NULL;
	if (!egress)
		return BNG_DROP_NO_INTERFACE;
	route->interface = *index;
	/* A locked MTU of the route is in the answer (kernel 5.12). */
	route->mtu =
		question.mtu_result && question.mtu_result < egress->mtu ? question.mtu_result : egress->mtu;
	__builtin_memcpy(route->destination_mac, question.dmac, ETH_ALEN);
	__builtin_memcpy(route->source_mac, question.smac, ETH_ALEN);
	return 0;
}

/* 0 or a verdict. With 0 and with DROP_MTU *found is the route, valid until the
 * program ends (the cache is this CPU's). */
static __always_inline int route_find(struct bng_pkt *pkt, struct route **found)
{
	__be32 destination_be = pkt->ip->daddr;
	__u32 index = (destination_be * 0x9e3779b1) >> (32 - ROUTE_CACHE_SHIFT);
	struct route *route = bpf_map_lookup_elem(&route_cache, &index);
	int verdict;

	if (!route)
		return BNG_DROP_INTERNAL;
	if (!route->interface || route->destination_be != destination_be ||
	    pkt->tick - route->tick > ROUTE_CACHE_TICKS) {
		route->interface = 0;
		verdict = route_ask(pkt->ctx, pkt->ip->saddr, destination_be, route, pkt->session->interface);
		if (verdict)
			return verdict;
		route->destination_be = destination_be;
		route->tick = pkt->tick;
	}
	*found = route;
	return pkt->ip_length > route->mtu ? BNG_DROP_MTU : 0;
}

#endif
