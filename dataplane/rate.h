/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The rate of a session, one token bucket for each direction (struct bng_rate). A packet
 * is charged once (admit.h).
 *
 * Without a lock: whoever changes due_ns had seen it, so all CPUs together let no more
 * pass than the burst and what the rate gives meanwhile. Who loses RATE_TRIES times in a
 * row drops the packet, and the others have gone on.
 */
#ifndef BNG_DATAPLANE_RATE_H
#define BNG_DATAPLANE_RATE_H

#include "packet.h"

#define RATE_TRIES 8

/* Takes the packet's bytes from the bucket; 0: there are not as many. */
static __always_inline int rate_take(struct bng_rate *rate, __u64 now_ns, __u32 bytes)
{
	__u64 limit = *(volatile __u64 *)&rate->limit, cost, end_ns;
	__u32 interval = limit, burst_us = limit >> 32;

	if (!interval)
		return 1;
	/* Rounded up: too much is never let through. */
	cost = ((__u64)bytes * interval + (1 << BNG_RATE_SHIFT) - 1) >> BNG_RATE_SHIFT;
	end_ns = now_ns + (__u64)burst_us * 1000;
#pragma clang loop unroll(disable)
	for (int i = 0; i < RATE_TRIES; i++) {
		__u64 before = *(volatile __u64 *)&rate->due_ns;
		__u64 after = (before > now_ns ? before : now_ns) + cost;

		if (after > end_ns)
			return 0;
		if (__sync_val_compare_and_swap(&rate->due_ns, before, after) == before)
			return 1;
	}
	return 0;
}

/* Charges a packet of the session in `slot`, which has BNG_SUBSCRIBER_RATE: 0, or the
 * verdict. */
__noinline int rate_charge(__u32 slot, __u32 bytes, int is_down)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_meta *facts = meta_get();

	if (!session || !facts)
		return BNG_DROP_INTERNAL;
	if (rate_take(is_down ? &session->rate_down : &session->rate_up, clock_now(facts), bytes))
		return 0;
	__sync_fetch_and_add(is_down ? &session->rate_down_drops : &session->rate_up_drops, 1);
	if (!is_down)
		return BNG_DROP_RATE_UP;
	/* Here, because a step's outcome names the sender if anybody. */
	__sync_fetch_and_add(&session->drop_packets, 1);
	return BNG_DROP_RATE_DOWN;
}

#endif
