/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the later fragments of a packet need: only the first one has ports (RFC
 * 4787 REQ-14). Map `fragment`, array of BNG_FRAGMENTS, mmapable; a key may lie
 * in any of BNG_FRAGMENT_PROBES consecutive entries. An entry whose until_tick is
 * past is free; one in use is never overwritten: full means that the packet is
 * refused, so the memory is bounded whatever is sent.
 */
#ifndef BNG_ABI_FRAGMENT_H
#define BNG_ABI_FRAGMENT_H

#include <linux/types.h>

#define BNG_FRAGMENTS        32768
#define BNG_FRAGMENT_PROBES  8
#define BNG_FRAGMENT_SECONDS 5 /* after the first; after the last a tick or two */

enum bng_fragment_direction {
	BNG_FRAGMENT_UP = 1,   /* from a subscriber, as it sent them */
	BNG_FRAGMENT_DOWN = 2, /* for a public address */
};

struct bng_fragment {
	__u32 source_be; /* with the next one: written last */
	__u32 destination_be;
	__u16 id_be;
	__u8 ip_protocol;
	__u8 direction; /* enum bng_fragment_direction */
	__u32 until_tick;
	__u32 slot;
	__u32 public_be;  /* up: the new source */
	__u16 generation; /* of the slot */
	__u8 reserved[6];
};

_Static_assert(sizeof(struct bng_fragment) == 32, "half a cache line");

/* id_be, ip_protocol and direction as they lie in struct bng_fragment. */
static inline __u32 bng_fragment_rest(__u16 id_be, __u8 ip_protocol, __u8 direction)
{
	return id_be | (__u32)ip_protocol << 16 | (__u32)direction << 24;
}

/* The first of the BNG_FRAGMENT_PROBES entries is this modulo BNG_FRAGMENTS. */
static inline __u32 bng_fragment_hash(__u32 source_be, __u32 destination_be, __u32 rest)
{
	__u32 hash = source_be * 0x9e3779b1u ^ destination_be * 0x85ebca6bu ^ rest * 0xc2b2ae35u;

	return hash ^ hash >> 15;
}

#endif
