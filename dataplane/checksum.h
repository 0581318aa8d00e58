/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Internet checksums, updated incrementally (RFC 1624). A difference is a plain
 * sum of 16-bit words, in the byte order of the packet, folded when applied;
 * one difference serves the IP header and the L4 pseudo header.
 */
#ifndef BNG_DATAPLANE_CHECKSUM_H
#define BNG_DATAPLANE_CHECKSUM_H

#include <linux/types.h>

#include <bpf/bpf_helpers.h>

static __always_inline __u32 checksum_difference32(__u32 before, __u32 after)
{
	return (~before & 0xffff) + (~before >> 16) + (after & 0xffff) + (after >> 16);
}

static __always_inline __u32 checksum_difference16(__u16 before, __u16 after)
{
	return (__u16)~before + (__u32)after;
}

static __always_inline __u16 checksum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u16 checksum_apply(__u16 checksum, __u32 difference)
{
	return ~checksum_fold((__u16)~checksum + difference);
}

#endif
