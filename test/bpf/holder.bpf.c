/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A gateway for the holder's tests: what comes in at one interface goes out at the
 * other, through a tail call of its own generation, counted by version. Variants
 * are made with -D (test/bpf/holder.cmake).
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#ifndef VERSION
#define VERSION 1
#endif
#ifdef FRAGS
#define XDP_SECTION "xdp.frags"
#else
#define XDP_SECTION "xdp"
#endif

struct session {
	__u32 address_be;
#ifdef EXCHANGED
	__u16 inner_vid;
	__u16 outer_vid;
#else
	__u16 outer_vid;
	__u16 inner_vid;
#endif
	__u8 mac[6];
	__u8 reserved0[2];
#ifdef GROWN
	__u32 limit;
	__u32 asked __attribute__((btf_decl_tag("transient")));
	__u8 reserved1[8];
#else
	__u8 reserved1[16];
#endif
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct session);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} session SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} tx SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} swept SEC(".maps");

#ifdef NEW_MAP
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NEW_MAP);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} extra SEC(".maps");
#endif

int send_on(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
#ifdef PINNED_TAILS
	__uint(pinning, LIBBPF_PIN_BY_NAME);
#endif
	__array(values, int(struct xdp_md *));
} tails SEC(".maps") = {.values = {[0] = (void *)&send_on}};

static volatile __u32 last_vid;

static void bump(__u32 index)
{
	__u64 *value = bpf_map_lookup_elem(&count, &index);
	if (value)
		__sync_fetch_and_add(value, 1);
}

/* A tail call cannot carry an argument: which way is told by the ingress device. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} scratch SEC(".maps");

SEC(XDP_SECTION)
int send_on(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u32 *side = bpf_map_lookup_elem(&scratch, &zero);
	(void)ctx;
#ifdef NO_TX /* a DEVMAP is for programs with frags or for those without, not for both */
	return side ? XDP_PASS : XDP_DROP;
#else
	return side ? bpf_redirect_map(&tx, *side, XDP_DROP) : XDP_DROP;
#endif
}

static int forward(struct xdp_md *ctx, __u32 to)
{
	__u32 zero = 0;
	__u32 *side = bpf_map_lookup_elem(&scratch, &zero);
	if (!side)
		return XDP_DROP;
	*side = to;
	bump(VERSION);
#ifdef NEW_MAP
	bpf_map_update_elem(&extra, &zero, &(__u64){1}, BPF_ANY);
#endif
	bpf_tail_call(ctx, &tails, 0);
	return XDP_DROP;
}

SEC(XDP_SECTION)
int bng_access(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct session *first = bpf_map_lookup_elem(&session, &zero);
	if (!first)
		return XDP_DROP;
	last_vid = first->outer_vid;
	return forward(ctx, 1);
}

#ifndef NO_CORE
#ifdef DEEP
/* A chain of calls that a kernel which counts stack in units of 32 bytes finds too deep. */
#define DEEPER(name, next)                                                                                   \
	static __attribute__((noinline)) __u64 name(__u64 seed)                                              \
	{                                                                                                    \
		volatile __u64 room[9] = {seed};                                                             \
                                                                                                             \
		room[8] = next;                                                                              \
		return room[0] + room[8];                                                                    \
	}
DEEPER(deep_5, seed + 5)
DEEPER(deep_4, deep_5(seed + 4))
DEEPER(deep_3, deep_4(seed + 3))
DEEPER(deep_2, deep_3(seed + 2))
DEEPER(deep_1, deep_2(seed + 1))
DEEPER(deep_0, deep_1(seed))
#endif

SEC(XDP_SECTION)
int bng_core(struct xdp_md *ctx)
{
#ifdef DEEP
	if (deep_0(ctx->ingress_ifindex) == 1)
		return XDP_DROP;
#endif
#ifdef REFUSED
	return *(volatile __u8 *)(long)ctx->data;
#else
	return forward(ctx, 0);
#endif
}
#endif

#ifdef FOREIGN_TYPE
SEC("socket")
int bng_filter(struct __sk_buff *skb)
{
	return skb->len;
}
#endif

SEC("syscall")
int bng_sweep(void *ctx)
{
	__u32 zero = 0;
	__u64 *runs = bpf_map_lookup_elem(&swept, &zero);
	(void)ctx;
	if (runs)
		__sync_fetch_and_add(runs, 1);
#ifdef SWEEP_FAILS
	return -22;
#else
	return 0;
#endif
}

char _license[] SEC("license") = "Dual BSD/GPL";
