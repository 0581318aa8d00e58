/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From one subscriber to the public end of another, in one pass of the program.
 */
#ifndef BNG_DATAPLANE_HAIRPIN_H
#define BNG_DATAPLANE_HAIRPIN_H

#include "cgnat.h"
#include "deliver.h"
#include "mss.h"

/* To a public address of ours, which is the outcome's parameter: the packet has its
 * public source already and comes in again (RFC 4787 REQ-9: the other side sees the
 * public source). */
__noinline int hairpin(struct xdp_md *ctx, __u64 outcome)
{
	struct bng_pkt pkt;
	__be16 port_be = 0;
	int verdict = packet_again(&pkt, ctx);

	if (!verdict)
		verdict = packet_parse_l4(&pkt);
	if (!verdict)
		verdict = cgnat_down(&pkt, outcome_parameter(outcome), &port_be);
	if (!verdict)
		verdict = outcome_verdict(deliver_check(&pkt));
	if (verdict)
		return verdict;
	mss_apply(&pkt);
	rewrite_nat(&pkt, 0, pkt.session->address_be, port_be);
	return deliver_from(&pkt, outcome_slot(outcome), BNG_FORWARD_HAIRPIN);
}

#endif
