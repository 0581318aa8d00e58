/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Remote ends that mappings have sent to: what address-dependent and
 * address-and-port-dependent filtering ask (RFC 4787 section 5). Pools with
 * endpoint-independent filtering have none.
 *
 * Map `flow`, array, mmapable: buckets of four, one cache line. A key may lie in
 * any of BNG_FLOW_PROBES consecutive buckets. The first word (port, remote
 * address) is taken by compare-and-swap; an entry whose last_tick is older than
 * the timer of the mapping of its port, or than its port block, is free. Nothing in use is
 * ever overwritten: full means that the packet is refused.
 */
#ifndef BNG_ABI_FLOW_H
#define BNG_ABI_FLOW_H

#include <linux/types.h>

#define BNG_FLOWS_PER_BUCKET 4
#define BNG_FLOW_PROBES      16

struct bng_flow {
	__u32 port; /* public address index << 16 | port */
	__u32 remote_be;
	__u16 remote_port_be; /* 0 where only the address counts */
	__u8 protocol;        /* enum bng_protocol */
	__u8 inner_tag;       /* of the inner port: a later mapping of the port is another */
	__u32 last_tick;
};

struct bng_flow_bucket {
	struct bng_flow entry[BNG_FLOWS_PER_BUCKET];
};

_Static_assert(sizeof(struct bng_flow_bucket) == 64, "one cache line");

#endif
