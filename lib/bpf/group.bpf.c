/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which socket of a reuseport group gets a datagram: of the generation that the flow began
 * with, or of the working one. A target that is gone is replaced, never waited for: what no
 * generation can take is left to the kernel's own choice.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/bpf/group_layout.h"

#define E2BIG          7
#define EEXIST         17
#define UDP_HEADER     8
#define IPV4_ADDRESSES 12
#define IPV6_ADDRESSES 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct group_state);
} state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, GROUP_TARGETS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u64));
} sockets SEC(".maps");

/* Preallocated, so that it is full when it says so. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct group_flow_key);
	__type(value, group_flow);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GROUP_PLACES);
	__type(key, __u32);
	__type(value, struct group_count);
} counts SEC(".maps");

/* Flows to be forgotten, for group_forget. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct group_expired);
} expired SEC(".maps");

static __always_inline __u32 tick_now(void)
{
	return (__u32)(bpf_ktime_get_boot_ns() >> GROUP_TICK_SHIFT);
}

static __always_inline struct group_state *state_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&state, &zero);
}

static __always_inline struct group_count *count_of(__u32 tag)
{
	__u32 place = tag & GROUP_PLACE_MASK;

	return bpf_map_lookup_elem(&counts, &place);
}

#define COUNT(tag, member)                                                                                   \
	do {                                                                                                 \
		struct group_count *count_ = count_of(tag);                                                  \
		if (count_)                                                                                  \
			count_->member++;                                                                    \
	} while (0)

static __always_inline int key_read(struct sk_reuseport_md *md, struct group_flow_key *key)
{
	key->protocol_be = (__be16)md->eth_protocol;
	if (bpf_skb_load_bytes(md, 0, &key->port_be, sizeof(key->port_be)))
		return -1;
	if (key->protocol_be == bpf_htons(ETH_P_IP))
		return bpf_skb_load_bytes_relative(md, IPV4_ADDRESSES, key->source, 4, BPF_HDR_START_NET) ||
		       bpf_skb_load_bytes_relative(md, IPV4_ADDRESSES + 4, key->destination, 4,
						   BPF_HDR_START_NET);
	return bpf_skb_load_bytes_relative(md, IPV6_ADDRESSES, key->source, 32, BPF_HDR_START_NET);
}

/* ---- Flows ---------------------------------------------------------------------------------- */

/* Somebody else was here first: its generation is the flow's, unless the flow is just being
 * forgotten. */
static __always_inline __u32 flow_of_other(group_flow flow, __u32 working)
{
	return group_flow_tag(flow) == GROUP_TAG_GOING ? working : group_flow_tag(flow);
}

static __always_inline __u32 flow_begin(const struct group_flow_key *key, __u32 tick, __u32 working)
{
	group_flow flow = group_flow_make(tick, working), *other;
	long failure = bpf_map_update_elem(&flows, key, &flow, BPF_NOEXIST);

	if (!failure) {
		COUNT(working, begun);
		return working;
	}
	if (failure == -EEXIST) {
		other = bpf_map_lookup_elem(&flows, key);
		return other ? flow_of_other(*other, working) : working;
	}
	COUNT(working, full);
	return working;
}

/* Seen again, or begun anew in the place of one that is over. */
static __always_inline __u32 flow_renew(const struct group_state *group, group_flow *flow, __u32 tick,
					__u32 working)
{
	group_flow seen = *(volatile group_flow *)flow;
	__u32 tag = group_flow_tag(seen);

	if (tag == GROUP_TAG_GOING)
		return working;
	if (!group_flow_is_over(group, seen, tick)) {
		if ((__u32)(seen >> 32) == tick ||
		    __sync_val_compare_and_swap(flow, seen, group_flow_make(tick, tag)) == seen)
			return tag;
	} else if (__sync_val_compare_and_swap(flow, seen, group_flow_make(tick, working)) == seen) {
		if (group_generation_of(group, tag))
			COUNT(tag, ended);
		COUNT(working, begun);
		return working;
	}
	return flow_of_other(*(volatile group_flow *)flow, working);
}

static __always_inline __u32 flow_tag(struct sk_reuseport_md *md, const struct group_state *group,
				      __u32 working)
{
	struct group_flow_key key = {};
	group_flow *flow;
	__u32 tick;

	if (!working || key_read(md, &key))
		return working;
	tick = tick_now();
	flow = bpf_map_lookup_elem(&flows, &key);
	return flow ? flow_renew(group, flow, tick, working) : flow_begin(&key, tick, working);
}

/* ---- Targets -------------------------------------------------------------------------------- */

static __always_inline int select_target(struct sk_reuseport_md *md, __u32 target)
{
	return bpf_sk_select_reuseport(md, &sockets, &target, 0);
}

/* One of the generation's sockets, by the flow's hash; the next one if that is closed. */
static __always_inline int select_of(struct sk_reuseport_md *md, const struct group_state *group, __u32 tag)
{
	const struct group_generation *generation = group_generation_of(group, tag);
	__u32 count = generation ? generation->sockets : 0, first = (tag & GROUP_PLACE_MASK) * GROUP_SOCKETS;

	for (__u32 i = 0; i < GROUP_SOCKETS; i++) {
		if (i >= count)
			break;
		if (!select_target(md, first + (md->hash + i) % count)) {
			COUNT(tag, datagrams);
			return 0;
		}
	}
	return -1;
}

/* 0: the datagram names a target, and that is there. */
static __always_inline int select_by_cookie(struct sk_reuseport_md *md, const struct group_state *group,
					    __u32 working)
{
	__u32 target, place;
	__u8 byte;

	if (bpf_skb_load_bytes(md, UDP_HEADER + group->cookie_offset, &byte, 1) || byte < GROUP_COOKIE)
		return -1;
	target = byte - GROUP_COOKIE;
	place = target / GROUP_SOCKETS;
	if (!group->generation[place & GROUP_PLACE_MASK].tag || select_target(md, target)) {
		COUNT(working, stray);
		return -1;
	}
	COUNT(place, datagrams);
	return 0;
}

SEC("sk_reuseport")
int group_select(struct sk_reuseport_md *md)
{
	struct group_state *group = state_get();
	__u32 working, tag;

	if (!group)
		return SK_PASS;
	tag = working = *(volatile __u32 *)&group->working;
	if (group->mode == GROUP_BY_COOKIE && !select_by_cookie(md, group, working))
		return SK_PASS;
	if (group->mode == GROUP_FLOW)
		tag = flow_tag(md, group, working);
	if (!select_of(md, group, tag))
		return SK_PASS;
	if (tag != working && !select_of(md, group, working)) {
		COUNT(working, stray);
		return SK_PASS;
	}
	__sync_fetch_and_add(&group->unrouted, 1);
	return SK_PASS;
}

/* ---- What is over --------------------------------------------------------------------------- */

/* The holder has seen that it is over; here it is decided. */
static long forget_one(__u32 index, __u32 *tick)
{
	const struct group_state *group = state_get();
	__u32 zero = 0;
	const struct group_expired *list = bpf_map_lookup_elem(&expired, &zero);
	struct group_count *count;
	group_flow *flow, seen;

	if (!group || !list || index >= list->count || index >= GROUP_EXPIRED_MAX)
		return 1;
	flow = bpf_map_lookup_elem(&flows, &list->key[index]);
	if (!flow)
		return 0;
	seen = *(volatile group_flow *)flow;
	if (!group_flow_is_over(group, seen, *tick) ||
	    __sync_val_compare_and_swap(flow, seen, group_flow_make(*tick, GROUP_TAG_GOING)) != seen)
		return 0;
	count = group_generation_of(group, group_flow_tag(seen)) ? count_of(group_flow_tag(seen)) : NULL;
	if (count)
		__sync_fetch_and_add(&count->ended, 1); /* a datagram may interrupt us here */
	bpf_map_delete_elem(&flows, &list->key[index]);
	return 0;
}

SEC("syscall")
int group_forget(void *context)
{
	__u32 tick = tick_now();

	(void)context;
	bpf_loop(GROUP_EXPIRED_MAX, forget_one, &tick, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
