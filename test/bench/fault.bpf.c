/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A gateway that redirects, and does one kind of wrong to every n-th packet, so
 * that the meter can be shown to notice each.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "test/bench/fault.h"
#include "test/bench/meter.h"

#define DIRECTION_DEVICES 2 /* the same device twice: a broadcast is a duplicate */

const volatile struct fault_config config SEC(".rodata.config") = {};

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, DIRECTION_DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} tx_core SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, DIRECTION_DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} tx_access SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, METER_DIRECTIONS);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

/* RFC 1624: a 16-bit word of what `checksum` covers has become another. */
static __always_inline void checksum_update(__u16 *checksum, __u16 before, __u16 after)
{
	__u32 sum = (__u16) ~*checksum + (__u16)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*checksum = ~sum;
}

static __always_inline void flip(__u16 *word, __u16 bits, __u16 *checksum)
{
	__u16 before = *word;

	*word = before ^ bits;
	if (!checksum)
		return;
	checksum_update(checksum, before, before ^ bits);
	if (!*checksum)
		*checksum = 0xffff; /* 0 would say that there is none */
}

/* `frame` is untagged and at least METER_FRAME_MIN long. */
static __always_inline void change(__u16 *frame)
{
	__u16 *ip = frame + 7, *udp = ip + 10, *payload = udp + 4;

	switch (config.fault) {
	case FAULT_IP_CHECKSUM:
		ip[5] ^= 1;
		break;
	case FAULT_UDP_PAYLOAD:
		flip(payload + 8, 1, NULL);
		break;
	case FAULT_SWAP:
		flip(payload + 4, 1, udp + 3);
		break;
	case FAULT_REMAP:
		flip(udp, bpf_htons(1), udp + 3);
		break;
	case FAULT_MISDELIVER:
		flip(udp + 1, bpf_htons(1), udp + 3);
		break;
	}
}

/* True when it is this packet's turn. */
static __always_inline int due(__u32 direction)
{
	__u64 *count = bpf_map_lookup_elem(&seen, &direction);

	return count && config.every && ++*count % config.every == 0;
}

static __always_inline int pass_on(struct xdp_md *ctx, __u32 direction, void *map)
{
	__u16 *frame = (void *)(long)ctx->data;

	if ((void *)frame + METER_FRAME_MIN > (void *)(long)ctx->data_end)
		return XDP_PASS;
	if (!due(direction))
		return bpf_redirect_map(map, 0, 0);
	if (config.fault == FAULT_DROP)
		return XDP_DROP;
	if (config.fault == FAULT_DUPLICATE)
		return bpf_redirect_map(map, 0, BPF_F_BROADCAST);
	change(frame);
	return bpf_redirect_map(map, 0, 0);
}

SEC("xdp")
int fault_access(struct xdp_md *ctx)
{
	return pass_on(ctx, METER_UP, &tx_core);
}

SEC("xdp")
int fault_core(struct xdp_md *ctx)
{
	return pass_on(ctx, METER_DOWN, &tx_access);
}

char _license[] SEC("license") = "Dual BSD/GPL";
