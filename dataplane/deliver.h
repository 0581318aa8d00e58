/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The last step towards a subscriber. No route is looked up: the session says
 * where it is.
 */
#ifndef BNG_DATAPLANE_DELIVER_H
#define BNG_DATAPLANE_DELIVER_H

#include "admit.h"
#include "punt.h"
#include "rewrite.h"
#include "session.h"

/* 0 if the subscriber's link takes the packet, or it may be cut for it; else an outcome.
 * Before translation, so that the sender recognises what is quoted. */
static __always_inline int deliver_check(struct bng_pkt *pkt)
{
	struct bng_interface *egress = interface_get(pkt->session->interface);

	__u16 mtu;

	if (!egress)
		return BNG_DROP_INTERNAL;
	mtu = bng_subscriber_mtu(pkt->session, egress->mtu);
	if (pkt->ip_length <= mtu || (pkt->session->pppoe_session && pkt->ip_length <= BNG_PUNT_LARGE_MAX &&
				      !(pkt->ip->frag_off & bpf_htons(IP_DONT_FRAGMENT))))
		return 0;
	return outcome_step(BNG_DROP_MTU, STEP_TELL_TOO_BIG, mtu);
}

static __always_inline void deliver_count(const struct bng_pkt *pkt)
{
	__sync_fetch_and_add(&pkt->session->down_packets, 1);
	__sync_fetch_and_add(&pkt->session->down_bytes, pkt->ip_length);
}

/* The frame is as it would be sent to the subscriber of `slot`, and too large for it. */
__noinline int deliver_large(struct xdp_md *ctx, __u32 slot)
{
	struct bng_pkt pkt;
	int verdict = packet_init(&pkt, ctx);

	pkt.slot = slot;
	return verdict ? verdict : punt(&pkt, BNG_PUNT_REASON_LARGE, BNG_PUNT_LARGE);
}

/* `forward` is the verdict when all goes well. */
static __always_inline int deliver(struct bng_pkt *pkt, int forward)
{
	struct bng_subscriber *session = pkt->session;
	struct bng_interface *egress = interface_get(session->interface);
	int verdict;

	if (!egress)
		return BNG_DROP_INTERNAL;
	verdict = admit_down(pkt);
	if (verdict)
		return verdict;
	rewrite_ttl(pkt);
	verdict = rewrite_down(pkt, egress);
	if (verdict == BNG_PUNT_LARGE) {
		verdict = deliver_large(pkt->ctx, pkt->slot);
		if (verdict == BNG_PUNT_LARGE)
			deliver_count(pkt);
	}
	if (verdict)
		return verdict;
	deliver_count(pkt);
	if (bpf_redirect_map(&tx_interface, session->interface, XDP_DROP) != XDP_REDIRECT)
		return BNG_DROP_NO_INTERFACE;
	return forward;
}

/* The same for what may come from another subscriber: `slot`, 0 if from the core. */
static __always_inline int deliver_from(struct bng_pkt *pkt, __u32 slot, int forward)
{
	struct bng_subscriber *sender = slot ? subscriber_get(slot) : NULL;

	if (sender)
		session_count_up(sender, pkt);
	return deliver(pkt, sender && forward == BNG_FORWARD_DOWN ? BNG_FORWARD_HAIRPIN : forward);
}

#endif
