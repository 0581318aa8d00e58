/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the program that hands datagrams to generations (group.bpf.c) shares with who
 * governs it (group.c). It outlives both, in pins.
 *
 * Invariants:
 *  1. A generation is known by its tag, which is never given twice; the lowest bits are
 *     its place. A flow whose tag is not at that place any more is a new flow.
 *  2. A generation's sockets are listed before its tag is written, and its tag is taken
 *     away before they are.
 *  3. A flow's word changes by compare-and-swap only: two CPUs never send one flow to two
 *     generations, and what is in use is not forgotten.
 */
#ifndef BNG_LIB_GROUP_LAYOUT_H
#define BNG_LIB_GROUP_LAYOUT_H

#include <linux/types.h>

#define GROUP_LAYOUT      1u
#define GROUP_PLACES      8u  /* generations at a time */
#define GROUP_SOCKETS     16u /* of one generation */
#define GROUP_PLACE_MASK  (GROUP_PLACES - 1)
#define GROUP_TARGETS     (GROUP_PLACES * GROUP_SOCKETS)
#define GROUP_COOKIE      0x80u /* a byte from here on names target (byte - GROUP_COOKIE) */
#define GROUP_TAG_GOING   0xffffffffu
#define GROUP_TICK_SHIFT  24 /* a tick is 2^24 ns of boottime, 16.8 ms */
#define GROUP_FLOWS_MAX   1048576u
#define GROUP_OFFSET_MAX  1400u
#define GROUP_TIMEOUT_MAX 86400u
#define GROUP_EXPIRED_MAX 256u

_Static_assert(GROUP_TARGETS == 256 - GROUP_COOKIE, "each target has its byte");

enum group_mode {
	GROUP_FLOW,      /* a flow stays with the generation that saw its first datagram */
	GROUP_STATELESS, /* each datagram goes to the working generation */
	GROUP_BY_COOKIE, /* a byte of the datagram names the socket */
};

struct group_flow_key {
	__u8 source[16], destination[16]; /* of IPv4, the first four bytes */
	__be16 port_be;                   /* the source's */
	__be16 protocol_be;               /* ETH_P_* */
};
_Static_assert(sizeof(struct group_flow_key) == 36, "no padding in a key");

/* A flow: when it was seen last << 32 | tag of its generation. */
typedef __u64 group_flow;

/* Sockets of one group are bound alike, or the kernel would not take one for another. */
struct group_endpoint {
	__u8 address[16]; /* of IPv4, the first four bytes */
	__u64 netns;      /* cookie of their network namespace */
	__u32 uid;        /* who made them */
	__u32 ifindex;    /* bound to this device, or 0 */
	__u16 family;
	__be16 port_be;
	__u32 reserved;
};

struct group_generation {
	__u64 number;  /* what its owner calls it */
	__u32 tag;     /* 0: no datagram goes there */
	__u32 sockets; /* targets [place * GROUP_SOCKETS, + sockets); 0: this place is free */
	__u32 worked;  /* it has been the working one */
	__u32 reserved;
};

struct group_count {
	__u64 datagrams; /* that it got */
	__u64 begun;     /* flows, remembered */
	__u64 ended;     /* of these, not in use for longer than the timeout */
	__u64 full;      /* datagrams of flows that found no room to be remembered */
	__u64 stray;     /* datagrams whose own target is gone or never was */
};

struct group_state {
	__u32 layout;
	__u32 working; /* tag; 0: none */
	__u32 mode;
	__u32 timeout;       /* ticks */
	__u32 cookie_offset; /* in the payload */
	__u32 serial;        /* of the last tag */
	__u32 cursor;        /* where the sweep of the flows goes on; 0: at their begin */
	__u32 reserved;
	__u64 unrouted; /* datagrams left to the kernel's choice: no generation could take them */
	struct group_endpoint endpoint;
	struct group_generation generation[GROUP_PLACES];
	struct group_count gone; /* sums of generations that are gone */
};
_Static_assert(sizeof(struct group_state) == 40 + 40 + GROUP_PLACES * 24 + 40, "no hidden padding");

struct group_expired {
	__u32 count;
	struct group_flow_key key[GROUP_EXPIRED_MAX];
};

static inline __u32 group_flow_tag(group_flow flow)
{
	return (__u32)flow;
}

static inline group_flow group_flow_make(__u32 tick, __u32 tag)
{
	return (__u64)tick << 32 | tag;
}

/* NULL: it is not there any more. */
static inline const struct group_generation *group_generation_of(const struct group_state *group, __u32 tag)
{
	const struct group_generation *generation = &group->generation[tag & GROUP_PLACE_MASK];

	return tag && generation->tag == tag ? generation : (const struct group_generation *)0;
}

/* Idle for longer than the timeout, or of a generation that is gone. */
static inline int group_flow_is_over(const struct group_state *group, group_flow flow, __u32 tick)
{
	return (__s32)(tick - (__u32)(flow >> 32)) > (__s32)group->timeout ||
	       !group_generation_of(group, group_flow_tag(flow));
}

#endif
