/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The lab's VLAN device: between a client and the access network it pushes one
 * or two tags into the frame's data and pops them on the way back, since the
 * kernel's own VLAN devices keep the tag outside the frame, where XDP cannot
 * see it. Frames with other tags are somebody else's and end here.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct tag {
	__u16 tpid; /* host order; 0: no such tag */
	__u16 vid;
};

struct wire_tag {
	__be16 tpid;
	__be16 tci;
};

#define MACS 12 /* destination and source */

const volatile struct tag tags[2] = {};
const volatile __u32 client_ifindex = 0;
const volatile __u32 trunk_ifindex = 0;

static __always_inline int tag_count(void)
{
	return tags[1].tpid ? 2 : 1;
}

SEC("xdp")
int lab_push(struct xdp_md *ctx)
{
	int grow = tag_count() * (int)sizeof(struct wire_tag);
	if (bpf_xdp_adjust_head(ctx, -grow))
		return XDP_ABORTED;

	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	if (data + 2 * sizeof(struct wire_tag) + sizeof(struct ethhdr) > end)
		return XDP_DROP;
	__builtin_memmove(data, data + grow, MACS);
	struct wire_tag *wire = data + MACS;
	wire[0] = (struct wire_tag){bpf_htons(tags[0].tpid), bpf_htons(tags[0].vid)};
	if (tag_count() == 2)
		wire[1] = (struct wire_tag){bpf_htons(tags[1].tpid), bpf_htons(tags[1].vid)};
	return bpf_redirect(trunk_ifindex, 0);
}

static __always_inline int same_tag(const struct wire_tag *wire, int index)
{
	return wire->tpid == bpf_htons(tags[index].tpid) && (bpf_ntohs(wire->tci) & 0xfff) == tags[index].vid;
}

SEC("xdp")
int lab_pop(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	int shrink = tag_count() * (int)sizeof(struct wire_tag);
	if (data + 2 * sizeof(struct wire_tag) + sizeof(struct ethhdr) > end)
		return XDP_DROP;
	const struct wire_tag *wire = data + MACS;
	if (!same_tag(&wire[0], 0) || (tag_count() == 2 && !same_tag(&wire[1], 1)))
		return XDP_DROP;

	__builtin_memmove(data + shrink, data, MACS);
	if (bpf_xdp_adjust_head(ctx, shrink))
		return XDP_ABORTED;
	return bpf_redirect(client_ifindex, 0);
}

/* On the end of a veth that the kernel uses: gives it NAPI, so that frames can be redirected to it. */
SEC("xdp")
int lab_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
