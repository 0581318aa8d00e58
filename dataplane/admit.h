/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What is particular about some sessions: a filter, then a rate. A packet is judged and
 * charged once, where it is known whose it is and before anything comes of it: upwards in
 * access_destination, which a mapping's first packet passes twice (`is_admitted`);
 * downwards in deliver, by which all that a subscriber gets goes. What it says to the
 * gateway itself, and what that answers, is not looked at.
 */
#ifndef BNG_DATAPLANE_ADMIT_H
#define BNG_DATAPLANE_ADMIT_H

#include "filter.h"
#include "rate.h"

#define ADMIT_FLAGS (BNG_SUBSCRIBER_FILTER | BNG_SUBSCRIBER_RATE)

static __always_inline int admit(const struct bng_pkt *pkt, int is_down)
{
	__u8 flags = pkt->session->flags;
	int verdict;

	if (flags & BNG_SUBSCRIBER_FILTER) {
		verdict = filter_judge(pkt->ctx, pkt->slot, sizeof(struct ethhdr) + pkt->encapsulation,
				       is_down);
		if (verdict)
			return verdict;
	}
	return flags & BNG_SUBSCRIBER_RATE ? rate_charge(pkt->slot, pkt->ip_length, is_down) : 0;
}

/* From the packet's session, unless that was done before: 0, or a verdict. */
static __always_inline int admit_up(const struct bng_pkt *pkt)
{
	if (!(pkt->session->flags & ADMIT_FLAGS) || pkt->is_admitted)
		return 0;
	return admit(pkt, 0);
}

/* To it. */
static __always_inline int admit_down(const struct bng_pkt *pkt)
{
	return pkt->session->flags & ADMIT_FLAGS ? admit(pkt, 1) : 0;
}

#endif
