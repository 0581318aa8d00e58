/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Mappings that subscribers ask for by PCP (RFC 6887): map `pcp`, an mmapable array of
 * leases. A lease keeps a mapping (BNG_MAPPING_PIN_PCP) until its deadline.
 *
 * Who writes what. controld fills a record while it is FREE, stores `life` as ACTIVE
 * with release order, then asks for the mapping (abi/punt.h, BNG_PIN_LEASE). The data
 * plane writes `port` and `answer`. `life` is changed by compare-and-swap only:
 * controld moves the deadline of an ACTIVE one; bng_sweep, and nobody else, ends it
 * when the deadline has passed: EXPIRING, the mapping is an ordinary one again,
 * EXPIRED. controld makes an EXPIRED record FREE. A record whose session has ended
 * means nothing.
 *
 * Entry 0 is no lease but the counters, struct bng_pcp_counts, which controld writes.
 */
#ifndef BNG_ABI_PCP_H
#define BNG_ABI_PCP_H

#include <linux/types.h>

#define BNG_PCP_NONCE 12

enum bng_pcp_state {
	BNG_PCP_FREE = 0,
	BNG_PCP_ACTIVE = 1,
	BNG_PCP_EXPIRING = 2, /* in the hands of bng_sweep */
	BNG_PCP_EXPIRED = 3,
};

struct bng_pcp {
	__u64 life; /* enum bng_pcp_state | deadline in ticks << 32 */
	__u64 session_id;
	__u32 slot;
	__u16 generation;    /* of the slot */
	__u16 inner_port_be; /* with `protocol`: the inner end */
	__u32 port;          /* public address index << 16 | port; by the data plane */
	__u32 answer;        /* verdict about the mapping; 0: not yet; by the data plane */
	__u8 protocol;       /* enum bng_protocol: UDP or TCP */
	__u8 reserved0[3];
	__u32 map_tick; /* deadline of the MAP request; 0: none */
	__u8 map_nonce[BNG_PCP_NONCE];
	__u8 peer_nonce[BNG_PCP_NONCE];
	__u32 peer_tick; /* the same for the last PEER request; `life` has the later one */
	__u32 peer_be;
	__u16 peer_port_be;
	__u8 reserved1[54];
};

_Static_assert(sizeof(struct bng_pcp) == 128, "two cache lines");

#define BNG_PCP_RESULTS 14 /* result codes of RFC 6887 section 7.4 */

struct bng_pcp_counts {
	__u64 result[BNG_PCP_RESULTS]; /* responses by result code */
	__u64 dropped;                 /* requests that get no response */
	__u64 announced;               /* ANNOUNCE sent unasked */
};

_Static_assert(sizeof(struct bng_pcp_counts) == sizeof(struct bng_pcp), "lies in entry 0");

static inline __u64 bng_pcp_life(enum bng_pcp_state state, __u32 deadline_tick)
{
	return (__u64)state | (__u64)deadline_tick << 32;
}

static inline __u8 bng_pcp_state(__u64 life)
{
	return life & 0xff;
}

static inline __u32 bng_pcp_deadline(__u64 life)
{
	return life >> 32;
}

#endif
