/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A gateway for 256 subscribers that offers canaries, for the holder's tests: what comes
 * in at one interface goes out at the other. A subscriber is the last byte of its MAC, and
 * its place among all is that byte's. Variants are made with -D (test/bpf/canary.cmake).
 */
#include "test/bpf/map.h"

#ifndef VERSION
#define VERSION 1
#endif
#define VERSIONS 4
#define PLACES   10000

enum bng_verdict {
	BNG_NONE,
	BNG_FORWARD,
	BNG_FORWARD_PLAIN, /* wrongly */
	BNG_DROP_RATE,
	BNG_DROP_INTERNAL,
	BNG_VERDICT_COUNT,
};

struct count {
	__u64 packets;
	__u64 bytes;
};

struct setting {
	__u32 share;
	enum bng_verdict names;
};

#define MAP(name, kind, entries, type_of_value, ...)                                                         \
	MAP_OF(name, kind, entries, 0, type_of_value, __VA_ARGS__)

MAP(tx, DEVMAP, 2, __u32, DURABLE);
MAP(reason_count, PERCPU_ARRAY, 16, struct count, DURABLE);
MAP(served, ARRAY, VERSIONS * 256, __u64, DURABLE); /* packets, by version and subscriber */
#ifndef NO_CANARY
MAP(canary, ARRAY, 1, struct setting);
MAP(canary_count, PERCPU_ARRAY, 16, struct count);
MAP(canary_old_access, PROG_ARRAY, 1, __u32);
MAP(canary_old_core, PROG_ARRAY, 1, __u32);
#endif

static __always_inline void bump(void *map, __u32 verdict, __u32 length)
{
	struct count *count = bpf_map_lookup_elem(map, &verdict);

	if (count) {
		count->packets++;
		count->bytes += length;
	}
}

/* `at`: of the subscriber's MAC. */
static __always_inline __u32 subscriber(struct xdp_md *ctx, int at)
{
	unsigned char *data = (void *)(long)ctx->data;

	return (void *)(data + 14) > (void *)(long)ctx->data_end ? 0 : data[at + 5];
}

static __always_inline enum bng_verdict judge(__u64 number)
{
	(void)number;
#ifdef DROP_EVERY
	if (number % DROP_EVERY == 0)
		return BNG_DROP_RATE;
#endif
#ifdef FAIL_EVERY
	if (number % FAIL_EVERY == 0)
		return BNG_DROP_INTERNAL;
#endif
#ifdef PLAIN
	return BNG_FORWARD_PLAIN;
#else
	return BNG_FORWARD;
#endif
}

static __always_inline int serve(struct xdp_md *ctx, int at, __u32 to, int is_canary)
{
	__u32 index = VERSION * 256 + subscriber(ctx, at), length = ctx->data_end - ctx->data;
	__u64 *packets = bpf_map_lookup_elem(&served, &index);
	enum bng_verdict verdict;

	(void)is_canary;
	if (!packets)
		return XDP_ABORTED;
	verdict = judge(__sync_fetch_and_add(packets, 1));
#ifndef NO_CANARY
	if (is_canary)
		bump(&canary_count, verdict, length);
#endif
	bump(&reason_count, verdict, length);
	return verdict >= BNG_DROP_RATE ? XDP_DROP : bpf_redirect_map(&tx, to, XDP_DROP);
}

#ifndef NO_CANARY
static __always_inline int is_chosen(struct xdp_md *ctx, int at)
{
	__u32 zero = 0, place = subscriber(ctx, at) * PLACES / 256;
	struct setting *setting = bpf_map_lookup_elem(&canary, &zero);

	return setting && place < setting->share;
}

#define CANARY(role, at, to)                                                                                 \
	SEC("xdp")                                                                                           \
	int bng_canary_##role(struct xdp_md *ctx)                                                            \
	{                                                                                                    \
		if (!is_chosen(ctx, at))                                                                     \
			bpf_tail_call(ctx, &canary_old_##role, 0);                                           \
		return serve(ctx, at, to, 1);                                                                \
	}
#else
#define CANARY(role, at, to)
#endif

#define ROLE(role, at, to)                                                                                   \
	SEC("xdp")                                                                                           \
	int bng_##role(struct xdp_md *ctx)                                                                   \
	{                                                                                                    \
		return serve(ctx, at, to, 0);                                                                \
	}                                                                                                    \
	CANARY(role, at, to)

ROLE(access, 6, 1)
ROLE(core, 0, 0)

char _license[] SEC("license") = "Dual BSD/GPL";
