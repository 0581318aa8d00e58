/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * TCP MSS clamping: a SYN that offers more than the session's link can take is
 * made to offer what it can, so that path MTU discovery is not needed.
 */
#ifndef BNG_DATAPLANE_MSS_H
#define BNG_DATAPLANE_MSS_H

#include "checksum.h"
#include "packet.h"

#define TCP_OPTIONS_MAX      40 /* bytes */
#define TCP_OPTION_END       0
#define TCP_OPTION_NOP       1
#define TCP_OPTION_MSS       2
#define TCP_OPTION_MSS_BYTES 4

/* Lowers the MSS at `value`, which may lie at an odd offset. */
static __always_inline void mss_lower(struct tcphdr *tcp, __u8 *value, int odd, __u16 mss)
{
	__u16 before = value[0] << 8 | value[1], swap;
	__u32 difference;

	if (before <= mss)
		return;
	value[0] = mss >> 8;
	value[1] = mss;
	before = bpf_htons(before);
	swap = bpf_htons(mss);
	difference = odd ? checksum_difference16(before << 8 | before >> 8, swap << 8 | swap >> 8)
			 : checksum_difference16(before, swap);
	tcp->check = checksum_apply(tcp->check, difference);
}

struct mss_walk {
	struct xdp_md *ctx;
	__u32 offset; /* of the TCP header in the frame */
	__u32 used;   /* bytes of options looked at */
	__u16 mss;
};

/* One option: 0 to go on. */
static long mss_step(__u32 index __attribute__((unused)), struct mss_walk *walk)
{
	void *data = (void *)(long)walk->ctx->data, *end = (void *)(long)walk->ctx->data_end;
	struct tcphdr *tcp = data + (walk->offset & 0x7f);
	__u8 *option = (__u8 *)(tcp + 1) + (walk->used & 0x3f);

	if ((void *)(tcp + 1) > end || (void *)(option + TCP_OPTION_MSS_BYTES) > end ||
	    walk->used + TCP_OPTION_MSS_BYTES + sizeof(*tcp) > tcp->doff * 4u)
		return 1;
	if (option[0] == TCP_OPTION_NOP) {
		walk->used++;
		return 0;
	}
	if (option[0] == TCP_OPTION_END || option[1] < 2)
		return 1;
	if (option[0] == TCP_OPTION_MSS && option[1] == TCP_OPTION_MSS_BYTES) {
		mss_lower(tcp, option + 2, walk->used & 1, walk->mss);
		return 1;
	}
	walk->used += option[1];
	return 0;
}

/* The TCP header is at `offset` of the frame. */
__noinline int mss_clamp(struct xdp_md *ctx, __u32 offset, __u16 mss)
{
	struct mss_walk walk = {.ctx = ctx, .offset = offset, .mss = mss};

	bpf_loop(TCP_OPTIONS_MAX, mss_step, &walk, 0);
	return 0;
}

/* For either direction of a session's packet. A header that says it is longer than
 * the packet is left alone. */
static __always_inline void mss_apply(struct bng_pkt *pkt)
{
	struct tcphdr *tcp = pkt->l4;

	if (pkt->protocol != BNG_PROTOCOL_TCP || !(pkt->tcp_flags & TCP_SYN) || !pkt->session->mss)
		return;
	if ((void *)(tcp + 1) > pkt->end || (tcp->doff + pkt->ip->ihl) * 4 > pkt->ip_length)
		return;
	mss_clamp(pkt->ctx, pkt->l4 - pkt->data, pkt->session->mss);
}

#endif
