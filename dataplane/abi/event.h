/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the data plane tells: records in the ring buffer `events`. They wait
 * there while nobody reads; a full ring is counted in bng_meta.events_lost.
 */
#ifndef BNG_ABI_EVENT_H
#define BNG_ABI_EVENT_H

#include <linux/types.h>

enum bng_event_type {
	BNG_EVENT_BLOCK_ALLOCATED = 1,
	BNG_EVENT_BLOCK_FREED = 2,
	BNG_EVENT_SESSION_RELEASED = 3,   /* CLOSING -> FREE: the slot may be reused */
	BNG_EVENT_SUBSCRIBER_REFUSED = 4, /* at most once in BNG_REFUSED_SECONDS for each session */
};

enum bng_event_flag {
	BNG_EVENT_DETERMINISTIC = 1 << 0, /* the block is the session's by the pool's rule */
};

#define BNG_REFUSED_SECONDS 10

struct bng_event {
	__u32 type; /* enum bng_event_type */
	__u32 slot;
	__u64 time_ns; /* boottime */
	__u64 session_id;
	__u32 inner_be;  /* subscriber address */
	__u32 public_be; /* 0 where neither a block nor a paired address is meant */
	__u16 port_first;
	__u16 port_last;
	__u8 pool;
	__u8 flags;   /* enum bng_event_flag */
	__u8 verdict; /* why, where something was refused: enum bng_verdict */
	__u8 reserved[9];
};

_Static_assert(sizeof(struct bng_event) == 48, "multiple of 8");

#endif
