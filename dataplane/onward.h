/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The last step towards the core: where to, and out; or the kernel does it.
 */
#ifndef BNG_DATAPLANE_ONWARD_H
#define BNG_DATAPLANE_ONWARD_H

#include "punt.h"
#include "rewrite.h"
#include "route.h"
#include "session.h"

/* The kernel does the rest: translated, untagged, addressed to us where it came in. */
static __always_inline int access_hand_over(struct bng_pkt *pkt, int pass, __u32 from)
{
	struct bng_interface *ingress = interface_get(from);
	int verdict = ingress ? rewrite_up(pkt, ingress->mac, pkt->session->mac) : BNG_DROP_INTERNAL;

	return verdict ? verdict : pass;
}

/* Where to: 0, or BNG_PASS_* if the kernel is to do it (RFC 4787 REQ-13: a packet that
 * may be fragmented is), or an outcome. */
static __always_inline int access_route(struct bng_pkt *pkt, struct route **route)
{
	int routed = route_find(pkt, route);

	if (routed != BNG_DROP_MTU || !*route)
		return routed;
	if (pkt->ip->frag_off & bpf_htons(IP_DONT_FRAGMENT))
		return outcome_step(BNG_DROP_MTU, STEP_TELL_TOO_BIG, (*route)->mtu);
	return BNG_PASS_FRAGMENT;
}

static __always_inline int is_pass(int routed)
{
	return routed == BNG_PASS_NEIGHBOUR || routed == BNG_PASS_FRAGMENT;
}

/* Out to the core, by what access_route said. `from`: the interface it came in by. */
static __always_inline int access_send(struct bng_pkt *pkt, struct route *route, int routed, int forward,
				       __u32 from)
{
	int verdict;

	session_count_up(pkt->session, pkt);
	if (routed || !route)
		return access_hand_over(pkt, routed, from);
	rewrite_ttl(pkt);
	verdict = rewrite_up(pkt, route->destination_mac, route->source_mac);
	if (verdict)
		return verdict;
	if (bpf_redirect_map(&tx_interface, route->interface, XDP_DROP) != XDP_REDIRECT)
		return BNG_DROP_NO_INTERFACE;
	return forward;
}

/* A fragment, an ICMP error or a tunnel's packet that has its public source. The verdict, which is
 * `forward` when all is well. */
__noinline int access_onward(struct xdp_md *ctx, __u32 slot, int forward)
{
	struct route *route = NULL;
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);

	if (verdict)
		return verdict;
	pkt.session = subscriber_get(slot);
	if (!pkt.session)
		return BNG_DROP_INTERNAL;
	if (pkt.ip->saddr == pkt.session->address_be)
		forward = BNG_FORWARD_UP_EXEMPT;
	verdict = access_route(&pkt, &route);
	if (verdict && !is_pass(verdict))
		return outcome_verdict(verdict);
	return access_send(&pkt, route, verdict, forward, ingress_interface(ctx));
}

#endif
