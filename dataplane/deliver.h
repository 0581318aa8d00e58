/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The last step towards a subscriber. No route is looked up: the session says
 * where it is.
 */
#ifndef BNG_DATAPLANE_DELIVER_H
#define BNG_DATAPLANE_DELIVER_H

#include "rate.h"
#include "rewrite.h"
#include "session.h"

#define PPPOE_MTU 1492 /* RFC 2516 section 7 */

/* The largest IP packet for the subscriber. Beside its MTU a device has room for one tag:
 * XDP's redirect would lose, after the program, what is larger. A PPPoE session has agreed
 * on a size, too. */
static __always_inline __u16 deliver_mtu(const struct bng_subscriber *session,
					 const struct bng_interface *egress)
{
	__u16 room = egress->mtu, agreed;

	if (session->inner_vid)
		room -= sizeof(struct vlan_tag);
	if (!session->pppoe_session)
		return room;
	room -= sizeof(struct pppoe_header);
	agreed = session->mtu ? session->mtu : PPPOE_MTU;
	return agreed < room ? agreed : room;
}

/* 0 if the subscriber's link takes the packet, else an outcome. Before translation,
 * so that the sender recognises what is quoted. */
static __always_inline int deliver_check(struct bng_pkt *pkt)
{
	struct bng_interface *egress = interface_get(pkt->session->interface);

	__u16 mtu;

	if (!egress)
		return BNG_DROP_INTERNAL;
	mtu = deliver_mtu(pkt->session, egress);
	return pkt->ip_length > mtu ? outcome_step(BNG_DROP_MTU, STEP_TELL_TOO_BIG, mtu) : 0;
}

/* `forward` is the verdict when all goes well. */
static __always_inline int deliver(struct bng_pkt *pkt, int forward)
{
	struct bng_subscriber *session = pkt->session;
	struct bng_interface *egress = interface_get(session->interface);
	int verdict;

	if (!egress)
		return BNG_DROP_INTERNAL;
	verdict = rate_charge_down(pkt);
	if (verdict)
		return verdict;
	rewrite_ttl(pkt);
	verdict = rewrite_down(pkt, egress->mac);
	if (verdict)
		return verdict;
	__sync_fetch_and_add(&session->down_packets, 1);
	__sync_fetch_and_add(&session->down_bytes, pkt->ip_length);
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
