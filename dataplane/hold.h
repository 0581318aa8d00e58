/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What XDP cannot keep and controld holds for it: later fragments whose first has not
 * come (RFC 4787 REQ-14), and unsolicited TCP SYNs that are to be answered after six
 * seconds (RFC 5382 REQ-4). FTP commands (alg.h) come back the same way.
 *
 * A held packet ends where it began: controld hands it back, and here it is judged
 * again as if it had just come in, antispoof included. So everything that is known
 * and counted about packets stays in one place, and a controld that loses what it
 * holds loses packets and nothing else.
 */
#ifndef BNG_DATAPLANE_HOLD_H
#define BNG_DATAPLANE_HOLD_H

#include "alg.h"
#include "cgnat_pin.h"
#include "icmp_send.h"
#include "punt.h"

/* True if the packet's source is routed to the session of `slot`, and not translated. */
static __always_inline int hold_is_routed(const struct bng_pkt *pkt, __u32 slot)
{
	__be32 source_be = pkt->ip->saddr;
	__u32 *owner = bpf_map_lookup_elem(&slot_of_address, &source_be);

	return owner && *owner == slot;
}

/* STEP_HOLD_FRAGMENT. A hairpinned one may have its public source already, when its
 * first is noted on one side only: it gets its own back. One that has no public source
 * goes on as if it came from the core. The verdict. */
__noinline int hold_fragment(struct xdp_md *ctx, __u32 slot)
{
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);

	if (verdict)
		return verdict;
	pkt.session = slot ? subscriber_get(slot) : NULL;
	if (pkt.session && pkt.ip->saddr != pkt.session->address_be) {
		if (hold_is_routed(&pkt, slot))
			slot = 0;
		else
			rewrite_address(pkt.ip, &pkt.ip->saddr, pkt.session->address_be);
	}
	pkt.slot = slot;
	verdict = punt(&pkt, slot ? BNG_PUNT_REASON_FRAGMENT_UP : BNG_PUNT_REASON_FRAGMENT_DOWN,
		       BNG_PUNT_FRAGMENT);
	return verdict == BNG_DROP_PUNT_LIMIT ? BNG_DROP_HOLD_FULL : verdict;
}

/* STEP_HOLD_SYN: it is dropped; where the pool answers, controld hears of it. The
 * outcome's verdict, with PUNTED. */
__noinline int hold_syn(struct xdp_md *ctx, __u64 outcome)
{
	struct bng_pool_address *address = pool_address_get(outcome_parameter(outcome));
	struct bng_pool *nat_pool = address && address->address_be ? pool_get(address->pool) : NULL;
	__u32 why = outcome_verdict(outcome);
	struct bng_pkt pkt;

	if (!nat_pool || !(nat_pool->flags & BNG_POOL_ANSWER_SYN) || packet_again(&pkt, ctx))
		return why;
	if (!icmp_error_due(&pkt) || !is_unicast(pkt.ip->saddr))
		return why;
	return punt(&pkt, BNG_PUNT_REASON_SYN, BNG_NONE) ? why : why | PUNTED;
}

/* STEP_ANSWER_SYN: port unreachable, from the address the SYN was for, unless it would
 * be let in now. The verdict. */
__noinline int answer_syn(struct xdp_md *ctx, __u64 outcome)
{
	struct icmp_error error = {ICMP_UNREACHABLE, ICMP_CODE_PORT, 0, 0};
	struct bng_ranges *ranges = ranges_get();
	struct cgnat_target target = {};
	struct bng_range *hit;
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);
	__u32 port;

	if (verdict || packet_parse_l4(&pkt) || !is_syn(&pkt) || !ranges)
		return BNG_DROP_INJECT;
	hit = range_public(ranges, bpf_ntohl(pkt.ip->daddr));
	if (!hit)
		return BNG_INJECT_UNANSWERED;
	port = (hit->base + (bpf_ntohl(pkt.ip->daddr) - hit->first)) << 16 |
	       bpf_ntohs(pkt.destination_port_be);
	verdict = cgnat_find_owner(&pkt, port, BNG_PROTOCOL_TCP, &target);
	if (!verdict)
		verdict = check_remote(&pkt, target.pool, target.seen, port);
	if (!verdict)
		return BNG_INJECT_FORGOTTEN;
	verdict = icmp_send_core(&pkt, &error, BNG_INJECT_UNANSWERED);
	if (verdict)
		return verdict;
	return bpf_redirect_map(&tx_interface, outcome_parameter(outcome), XDP_DROP) == XDP_REDIRECT
		       ? BNG_ANSWER_UNREACHABLE
		       : BNG_DROP_NO_INTERFACE;
}

/* From a subscriber: the step a later fragment takes, or a verdict. */
static __always_inline __u64 held_up(struct bng_pkt *pkt, struct bng_ranges *ranges, __u32 index)
{
	struct bng_interface *ingress = interface_get(index);
	int verdict = session_find(pkt, ranges, pkt->ip->saddr);
	struct bng_range *hit;
	__u32 destination;

	if (!verdict)
		verdict = ingress ? session_antispoof_at(pkt, ingress->ifindex) : BNG_DROP_NO_INTERFACE;
	if (verdict)
		return verdict;
	destination = bpf_ntohl(pkt->ip->daddr);
	hit = range_public(ranges, destination);
	return hit ? outcome_step(BNG_DROP_FRAGMENT, STEP_FRAGMENT_HAIRPIN,
				  hit->base + (destination - hit->first))
		   : outcome_step(BNG_DROP_FRAGMENT, STEP_FRAGMENT_UP, 0);
}

/* The same from the core. */
static __always_inline __u64 held_down(struct bng_pkt *pkt, struct bng_ranges *ranges)
{
	__u32 destination = bpf_ntohl(pkt->ip->daddr);
	struct bng_range *hit = range_public(ranges, destination);

	if (hit)
		return outcome_step(BNG_DROP_FRAGMENT, STEP_FRAGMENT_DOWN,
				    hit->base + (destination - hit->first));
	return session_find(pkt, ranges, pkt->ip->daddr)
		       ? BNG_DROP_NOT_SUBSCRIBER
		       : outcome_step(BNG_DROP_FRAGMENT, STEP_FRAGMENT_DOWN_EXEMPT, 0);
}

/* An FTP command, rewritten or not. */
static __always_inline __u64 held_command(struct bng_pkt *pkt, struct bng_ranges *ranges, __u32 what)
{
	__u64 outcome = held_up(pkt, ranges, what >> 16);

	if (outcome_action(outcome) == STEP_FRAGMENT_UP)
		outcome = outcome_step(BNG_DROP_INJECT, STEP_ALG_BACK, what >> 8 & 0xff);
	return outcome_of(outcome_action(outcome) == STEP_FRAGMENT_HAIRPIN ? BNG_DROP_INJECT : outcome,
			  pkt->slot);
}

/* What was handed back, without its header; `what`: reason, flags << 8, ingress
 * interface << 16. An outcome. */
__noinline __u64 held_run(struct xdp_md *ctx, __u32 what)
{
	struct bng_ranges *ranges = ranges_get();
	struct bng_pkt pkt;
	__u64 outcome = packet_again(&pkt, ctx);

	if (outcome)
		return outcome;
	if ((what & 0xff) == BNG_PUNT_REASON_SYN)
		return outcome_step(BNG_DROP_INJECT, STEP_ANSWER_SYN, what >> 16);
	if (pkt.ip->ttl <= 1 || !ranges)
		return BNG_DROP_INJECT;
	if ((what & 0xff) == BNG_PUNT_REASON_FTP)
		return held_command(&pkt, ranges, what);
	if (!(pkt.ip->frag_off & bpf_htons(IP_OFFSET_MASK)))
		return BNG_DROP_INJECT;
	if ((what & 0xff) == BNG_PUNT_REASON_FRAGMENT_UP)
		outcome = held_up(&pkt, ranges, what >> 16);
	else
		outcome = held_down(&pkt, ranges);
	if ((what >> 8 & BNG_PUNT_REFUSED) && outcome_action(outcome))
		outcome = BNG_DROP_HOLD_FULL;
	return outcome_of(outcome, pkt.slot);
}

/* From controld, header and all. An outcome. */
INLINE_IN_BRIDGE __u64 inject_run(struct xdp_md *ctx)
{
	struct bng_punt *header;
	struct bng_pkt pkt;
	__u32 verdict = packet_init(&pkt, ctx), what;

	if (verdict)
		return verdict;
	if (!is_punt(&pkt))
		return BNG_DROP_INJECT;
	header = pkt.data;
	switch (header->reason) {
	case BNG_PUNT_REASON_INJECT:
		return inject(&pkt);
	case BNG_PUNT_REASON_PIN:
		return pin_take(&pkt);
	case BNG_PUNT_REASON_EXPECT:
		return alg_expect_take(&pkt);
	case BNG_PUNT_REASON_FRAGMENT_UP:
	case BNG_PUNT_REASON_FRAGMENT_DOWN:
	case BNG_PUNT_REASON_SYN:
	case BNG_PUNT_REASON_FTP:
		what = header->reason | (header->flags & 0xff) << 8 | (__u32)header->interface << 16;
		return bpf_xdp_adjust_head(ctx, sizeof(*header)) ? BNG_DROP_INTERNAL : held_run(ctx, what);
	default:
		return BNG_DROP_INJECT;
	}
}

#endif
