/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The one exit: counts the verdict and turns it into an XDP action.
 */
#ifndef BNG_DATAPLANE_VERDICT_H
#define BNG_DATAPLANE_VERDICT_H

#include "maps.h"
#include "outcome.h"

static __always_inline void verdict_count(__u32 verdict, __u32 length)
{
	struct bng_count *count = bpf_map_lookup_elem(&reason_count, &verdict);

	if (count) {
		count->packets++;
		count->bytes += length;
	}
}

static __always_inline void verdict_count_session(__u32 slot)
{
	struct bng_subscriber *session = slot ? subscriber_get(slot) : NULL;

	if (session)
		__sync_fetch_and_add(&session->drop_packets, 1);
}

/* `length`: of the frame at ingress. `slot`: the session a drop is counted for. */
static __always_inline int verdict_act(__u32 verdict, __u32 length, __u32 slot)
{
	__u32 told = verdict & (TOLD | PUNTED);

	verdict &= ~told;
	verdict_count(verdict, length);
	switch (verdict) {
	case BNG_FORWARD_UP:
	case BNG_FORWARD_UP_EXEMPT:
	case BNG_FORWARD_DOWN:
	case BNG_FORWARD_DOWN_EXEMPT:
	case BNG_FORWARD_HAIRPIN:
	case BNG_FORWARD_ICMP_UP:
	case BNG_FORWARD_ICMP_DOWN:
	case BNG_PUNT_DHCP4:
	case BNG_PUNT_FRAGMENT:
	case BNG_PUNT_PCP:
	case BNG_PUNT_FTP:
	case BNG_PUNT_PPPOE_DISCOVERY:
	case BNG_PUNT_PPPOE_SESSION:
	case BNG_PUNT_FIRST_PACKET:
	case BNG_PUNT_LARGE:
	case BNG_FORWARD_ALG_PLAIN:
	case BNG_INJECT:
	case BNG_ANSWER_UNREACHABLE:
		return XDP_REDIRECT;
	case BNG_ANSWER_ARP:
	case BNG_ANSWER_ECHO:
	case BNG_ANSWER_PPP_ECHO:
	case BNG_ANSWER_TTL:
		return XDP_TX;
	case BNG_PASS_LOCAL:
	case BNG_PASS_NEIGHBOUR:
	case BNG_PASS_FRAGMENT:
		return XDP_PASS;
	case BNG_DROP_RATE_DOWN: /* counted where the session is known */
	case BNG_DROP_FILTER_DOWN:
		return XDP_DROP;
	default:
		verdict_count_session(slot);
		if (told & PUNTED)
			return XDP_REDIRECT;
		return told ? XDP_TX : XDP_DROP;
	}
}

#endif
