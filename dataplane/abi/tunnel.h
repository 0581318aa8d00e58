/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * GRE and ESP: protocols without ports, so that a public address can have one
 * tunnel of each to a remote end.
 *
 * A tunnel is a mapping like any other (abi/cgnat.h) of protocol GRE or ESP, whose
 * inner "port" is a tag of the remote end: it lies in a port block, so that limits,
 * timers, the end of a session and the logs of port blocks hold for it. The way
 * down cannot know the port. It is in map `tunnel`, an array of buckets, mmapable: an
 * entry is one word {port, remote end}, changed by compare-and-swap only, which may
 * lie in any of BNG_TUNNEL_PROBES places from the hash of (public address index,
 * remote end, protocol) on. It counts for as long as the mapping of its port is
 * alive, is of a tunnel and has the remote end's tag. Nothing that counts is ever
 * overwritten. Who adds an entry looks again afterwards: another subscriber's for
 * the same three means that it goes.
 */
#ifndef BNG_ABI_TUNNEL_H
#define BNG_ABI_TUNNEL_H

#include <linux/types.h>

#include "mapping_word.h"

#define BNG_TUNNELS            32768
#define BNG_TUNNELS_PER_BUCKET 8
#define BNG_TUNNEL_PROBES      64

struct bng_tunnel {
	__u32 port; /* public address index << 16 | port; 0: free */
	__u32 remote_be;
};

struct bng_tunnel_bucket {
	struct bng_tunnel entry[BNG_TUNNELS_PER_BUCKET];
};

_Static_assert(sizeof(struct bng_tunnel_bucket) == 64, "one cache line");

/* Two remote ends of a subscriber that have the same one share a mapping. */
static inline __u16 bng_tunnel_tag(__u32 remote_be)
{
	return remote_be * 0x9e3779b1 >> 16;
}

/* True if the mapping `word` makes an entry for `remote_be` count. `timeout` is
 * bng_pool.timeout. */
static inline int bng_tunnel_mapped(__u64 word, __u32 remote_be, const __u32 *timeout, __u32 now_tick)
{
	return bng_mapping_word_protocol(word) >= BNG_PROTOCOL_GRE &&
	       (__u16)word == bng_tunnel_tag(remote_be) && !bng_mapping_word_free(word, timeout, now_tick);
}

#endif
