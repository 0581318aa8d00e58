/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The one exit: counts the verdict and turns it into an XDP action.
 */
#ifndef BNG_DATAPLANE_VERDICT_H
#define BNG_DATAPLANE_VERDICT_H

#include "packet.h"

static __always_inline void verdict_count(__u32 verdict, __u32 length)
{
	struct bng_count *count = bpf_map_lookup_elem(&reason_count, &verdict);

	if (count) {
		count->packets++;
		count->bytes += length;
	}
}

static __always_inline int verdict_act(struct bng_pkt *pkt, int verdict)
{
	verdict_count(verdict, pkt->length);
	switch (verdict) {
	case BNG_FORWARD_UP:
	case BNG_FORWARD_UP_EXEMPT:
	case BNG_FORWARD_DOWN:
	case BNG_FORWARD_DOWN_EXEMPT:
	case BNG_PUNTED_DHCP4:
	case BNG_INJECT:
		return pkt->action;
	case BNG_ANSWER_ARP:
	case BNG_ANSWER_ECHO:
	case BNG_ANSWER_TTL:
		return XDP_TX;
	case BNG_PASS_LOCAL:
	case BNG_PASS_NEIGHBOUR:
		return XDP_PASS;
	default:
		if (pkt->session)
			__sync_fetch_and_add(&pkt->session->drop_packets, 1);
		return XDP_DROP;
	}
}

#endif
