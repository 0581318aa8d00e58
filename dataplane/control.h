/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What subscribers send to this side instead of through it: ARP, DHCP, the gateway's
 * own services. A step off the fast path.
 */
#ifndef BNG_DATAPLANE_CONTROL_H
#define BNG_DATAPLANE_CONTROL_H

#include "first_packet.h"
#include "punt.h"
#include "session.h"

#define IP_BROADCAST 0xffffffffu

/* From a client that has no address yet, or to everybody: DHCP or nothing. */
static __always_inline int control_unbound(struct bng_pkt *pkt)
{
	int verdict = packet_parse_l4(pkt);

	if (verdict)
		return verdict;
	return is_dhcp4(pkt) && !pkt->pppoe ? punt(pkt, BNG_PUNT_REASON_DHCP4, BNG_PUNT_DHCP4)
					    : BNG_DROP_ADDRESS;
}

/* From an address without a session: a client that renews a lease which is gone
 * must hear a DHCPNAK (RFC 2131 section 4.3.2); another may get a session. */
static __always_inline int control_stranger(struct bng_pkt *pkt)
{
	if (!is_gateway(ingress_interface(pkt->ctx), pkt->ip->daddr) || packet_parse_l4(pkt) ||
	    !is_dhcp4(pkt))
		return first_packet(pkt);
	return punt(pkt, BNG_PUNT_REASON_DHCP4, BNG_PUNT_DHCP4);
}

/* From a session to an address of this side: the gateway itself, or another
 * subscriber. */
static __always_inline int control_inner(struct bng_pkt *pkt)
{
	int verdict;

	if (!is_gateway(pkt->session->interface, pkt->ip->daddr))
		return BNG_DROP_HAIRPIN;
	verdict = packet_parse_l4(pkt);
	if (verdict)
		return verdict;
	if (is_dhcp4(pkt) && !pkt->pppoe)
		return punt(pkt, BNG_PUNT_REASON_DHCP4, BNG_PUNT_DHCP4);
	if (is_pcp(pkt))
		return punt_pcp(pkt);
	return pkt->protocol == BNG_PROTOCOL_ICMP ? answer_echo(pkt) : BNG_DROP_GATEWAY;
}

/* What subscribers send and is not to be forwarded. `slot`: the session of an IP
 * packet to this side; 0: it has none, wherever it is for. The verdict. */
__noinline int access_control(struct xdp_md *ctx, __u32 slot)
{
	struct bng_pkt pkt;
	int verdict = packet_init(&pkt, ctx);

	if (!verdict)
		verdict = packet_parse_ethernet(&pkt);
	if (verdict)
		return verdict;
	if (pkt.ethertype_be == bpf_htons(ETH_P_ARP))
		return answer_arp(&pkt);
	verdict = packet_parse_network(&pkt);
	if (verdict)
		return verdict;
	pkt.slot = slot;
	pkt.session = subscriber_get(slot);
	if (slot && pkt.session)
		return control_inner(&pkt);
	return !pkt.ip->saddr || pkt.ip->daddr == IP_BROADCAST ? control_unbound(&pkt)
							       : control_stranger(&pkt);
}

#endif
