/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Showing packets to controld (abi/capture.h), before anything is done to them. What is
 * not asked for costs a packet one load from a cache line that it needs anyway.
 */
#ifndef BNG_DATAPLANE_CAPTURE_H
#define BNG_DATAPLANE_CAPTURE_H

#include <stddef.h>

#include "abi/capture.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, BNG_CAPTURE_BYTES);
} capture SEC(".maps");

/* True once for each packet that was asked for. The number is half of a word, as BPF
 * compares and swaps whole ones. */
static __always_inline int capture_claim(struct bng_meta *facts)
{
	__u32 *word = (__u32 *)&facts->steering_mode, before = *(volatile __u32 *)word;

	_Static_assert(offsetof(struct bng_meta, capture_left) ==
			       offsetof(struct bng_meta, steering_mode) + 2,
		       "upper half of a word");
	return before >> 16 && __sync_val_compare_and_swap(word, before, before - (1U << 16)) == before;
}

__noinline int capture_take(struct xdp_md *ctx, __u32 entry)
{
	struct bng_meta *facts = meta_get();
	__u64 length = frame_length(ctx);
	struct bng_capture *record;

	if (length > BNG_CAPTURE_FRAME)
		return 0;
	asm volatile("" : "+r"(length)); /* two comparisons: of one the verifier learns nothing */
	if (length < sizeof(struct ethhdr) || !facts || !capture_claim(facts))
		return 0;
	record = bpf_ringbuf_reserve(&capture, sizeof(*record), 0);
	if (!record)
		return 0;
	record->ifindex = ctx->ingress_ifindex;
	record->length = length;
	record->entry = entry;
	__builtin_memset(record->reserved, 0, sizeof(record->reserved));
	if (bpf_xdp_load_bytes(ctx, 0, record->frame, length)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return 0;
	}
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 1;
}

static __always_inline void capture_if_wanted(struct xdp_md *ctx, __u32 entry)
{
	const struct bng_meta *facts = meta_get();

	if (__builtin_expect(facts && facts->capture_left, 0))
		capture_take(ctx, entry);
}

#endif
