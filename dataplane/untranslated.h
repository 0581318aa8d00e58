/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From the core to subscribers' own addresses: only from where their packets go out
 * untranslated, by address or, where no address is exempt, by port.
 */
#ifndef BNG_DATAPLANE_UNTRANSLATED_H
#define BNG_DATAPLANE_UNTRANSLATED_H

#include "deliver.h"
#include "exempt.h"
#include "icmp_error.h"
#include "mss.h"

/* An ICMP error, by a router on the way, about a packet that went out untranslated. */
static __always_inline int is_exempt_error(struct bng_pkt *pkt)
{
	struct icmp_header *icmp = pkt->l4;
	struct iphdr *quoted = (void *)(icmp + 1);

	return packet_parse_l4(pkt) == BNG_DROP_ICMP_TYPE && is_icmp_error(pkt) &&
	       pkt->ip_length >= pkt->ip->ihl * 4 + sizeof(*icmp) + sizeof(*quoted) &&
	       (void *)(quoted + 1) <= pkt->end && quoted->saddr == pkt->ip->daddr &&
	       exempt_find(pkt, pkt->ip->daddr, quoted->daddr);
}

/* From a port that is exempt: 0, or an outcome. Of what has no ports another step knows
 * more. */
static __always_inline int core_exempt_port(struct bng_pkt *pkt)
{
	enum step step;
	int verdict;

	if (!exempt_has_ports())
		return BNG_DROP_NOT_EXEMPT;
	verdict = packet_parse_l4(pkt);
	if (!verdict)
		return exempt_from_port(pkt) ? 0 : BNG_DROP_NOT_EXEMPT;
	if (verdict == BNG_DROP_FRAGMENT && has_ports(pkt))
		step = STEP_FRAGMENT_DOWN_EXEMPT;
	else if (verdict == BNG_DROP_ICMP_TYPE && is_icmp_error(pkt))
		step = STEP_ICMP_ERROR_DOWN_EXEMPT;
	else
		return BNG_DROP_NOT_EXEMPT;
	return pkt->ip->ttl <= 1 ? BNG_DROP_TTL : outcome_step(BNG_DROP_NOT_EXEMPT, step, 0);
}

/* To a subscriber's own address: only from where it goes out untranslated. */
static __always_inline int core_untranslated(struct bng_pkt *pkt)
{
	int verdict = 0;

	if (!exempt_find(pkt, pkt->ip->daddr, pkt->ip->saddr) && !is_exempt_error(pkt))
		verdict = core_exempt_port(pkt);
	if (verdict)
		return verdict;
	if (pkt->ip->ttl <= 1)
		return outcome_step(BNG_DROP_TTL, STEP_TELL_TTL, 0);
	verdict = deliver_check(pkt);
	if (verdict)
		return verdict;
	packet_parse_l4(pkt);
	mss_apply(pkt);
	return deliver(pkt, BNG_FORWARD_DOWN_EXEMPT);
}

#endif
