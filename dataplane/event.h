/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Telling controld, or whoever reads the ring later.
 */
#ifndef BNG_DATAPLANE_EVENT_H
#define BNG_DATAPLANE_EVENT_H

#include "maps.h"

/* Room for one event in the ring, or NULL and counted as lost. */
static __always_inline struct bng_event *event_new(struct bng_meta *facts, __u32 type, __u32 slot,
						   __u64 now_ns)
{
	struct bng_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		__sync_fetch_and_add(&facts->events_lost, 1);
		return NULL;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->type = type;
	event->slot = slot;
	event->time_ns = now_ns;
	return event;
}

/* Nobody is woken for it: readers look at the ring several times a second. */
static __always_inline void event_send(struct bng_event *event)
{
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

static __always_inline void event_block(struct bng_meta *facts, __u32 type, __u64 now_ns,
					const struct bng_port_block *block,
					const struct bng_pool_address *address, __be32 inner_be)
{
	struct bng_event *event = event_new(facts, type, block->slot, now_ns);

	if (!event)
		return;
	event->session_id = block->session_id;
	event->inner_be = inner_be;
	event->public_be = address->address_be;
	event->port_first = block->first & 0xffff;
	event->port_last = (block->first & 0xffff) + (1U << (address->block_shift & 15)) - 1;
	event->pool = address->pool;
	event->flags = block->flags & BNG_BLOCK_DETERMINISTIC ? BNG_EVENT_DETERMINISTIC : 0;
	event_send(event);
}

/* A subscriber got no mapping. One packet tells, not each one: `session` says when
 * that was. */
static __always_inline void event_refused(struct bng_subscriber *session, __u32 slot,
					  const struct bng_pool_address *paired, __u32 tick, __u8 verdict)
{
	__u32 before = *(volatile __u32 *)&session->refused_tick;
	struct bng_meta *facts = meta_get();
	struct bng_event *event;

	if (!facts || (before && (__s32)(tick - before) < (__s32)BNG_TICKS_OF_SECONDS(BNG_REFUSED_SECONDS)) ||
	    __sync_val_compare_and_swap(&session->refused_tick, before, tick ? tick : 1) != before)
		return;
	event = event_new(facts, BNG_EVENT_SUBSCRIBER_REFUSED, slot, (__u64)tick << BNG_TICK_SHIFT);
	if (!event)
		return;
	event->session_id = session->session_id;
	event->inner_be = session->address_be;
	event->public_be = paired ? paired->address_be : 0;
	event->pool = session->pool;
	event->verdict = verdict;
	event_send(event);
}

#endif
