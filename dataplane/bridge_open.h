/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Opening the bridge: the one moment at which truth passes from the old maps to the new ones.
 * It may pass when no CPU runs the old program, which the entry programs of the bridge call
 * until then.
 *
 * The holder closes the bridge (state CLOSED, with the number of the attempt). A packet that
 * comes to a closed bridge proves that its CPU is out of the old program; it says so in
 * bridge_cpu and waits. The holder proves it for CPUs without packets, by running there.
 * Who finds every CPU marked with this very closed state opens the bridge. Who has waited
 * too long ends the attempt, and goes by the old program as before. All by compare-and-
 * swap of the state, so that who comes late with an earlier attempt changes nothing.
 */
#ifndef BNG_DATAPLANE_BRIDGE_OPEN_H
#define BNG_DATAPLANE_BRIDGE_OPEN_H

#include "bridge.h"

#define BRIDGE_OPEN_NS    1000000ULL /* a receive ring holds as long */
#define BRIDGE_OPEN_SPINS (1 << 20)

#define BRIDGE_OLD(role)                                                                                     \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                       \
		__uint(max_entries, 1);                                                                      \
		__type(key, __u32);                                                                          \
		__type(value, __u32);                                                                        \
	} bridge_old_##role SEC(".maps")

BRIDGE_OLD(access);
BRIDGE_OLD(core);
BRIDGE_OLD(inject);

struct bridge_opening {
	struct bng_bridge *whole;
	__u32 closed; /* the state in this attempt */
	__u32 missing;
	__u64 until_ns;
};

static long bridge_look(__u32 cpu, struct bridge_opening *opening)
{
	struct bng_bridge_cpu *other = bpf_map_lookup_elem(&bridge_cpu, &cpu);

	opening->missing = !other || *(volatile __u32 *)&other->seen != opening->closed;
	return opening->missing;
}

static long bridge_spin(__u32 spin __attribute__((unused)), struct bridge_opening *opening)
{
	return *(volatile __u32 *)&opening->whole->state != opening->closed ||
	       bpf_ktime_get_ns() > opening->until_ns;
}

/* True when it was opened. */
__noinline int bridge_wait_open(void)
{
	struct bng_bridge_cpu *mine = bridge_cpu_get();
	struct bridge_opening opening = {.whole = bridge_get(), .missing = 1};

	if (!opening.whole || !mine)
		return 0;
	opening.closed = *(volatile __u32 *)&opening.whole->state;
	if ((opening.closed & BNG_BRIDGE_STATES) != BNG_BRIDGE_CLOSED)
		return opening.closed == BNG_BRIDGE_NEW;
	__sync_lock_test_and_set(&mine->seen, opening.closed);
	bpf_loop(opening.whole->cpus, bridge_look, &opening, 0);
	if (!opening.missing)
		__sync_val_compare_and_swap(&opening.whole->state, opening.closed, BNG_BRIDGE_NEW);
	opening.until_ns = bpf_ktime_get_ns() + BRIDGE_OPEN_NS;
	bpf_loop(BRIDGE_OPEN_SPINS, bridge_spin, &opening, 0);
	return __sync_val_compare_and_swap(&opening.whole->state, opening.closed, BNG_BRIDGE_OLD) ==
	       BNG_BRIDGE_NEW;
}

/* True when packets are this program's: else they are the old one's. */
static __always_inline int bridge_is_open(void)
{
	struct bng_bridge *whole = bridge_get();
	__u32 state = whole ? *(volatile __u32 *)&whole->state : BNG_BRIDGE_OLD;

	return state == BNG_BRIDGE_NEW || (state != BNG_BRIDGE_OLD && bridge_wait_open());
}

/* Until the bridge is opened packets are the old program's, and nobody's if that is not there:
 * its maps are not ours to change. */
#define ENTRY(role)                                                                                          \
	SEC("xdp")                                                                                           \
	int bng_##role(struct xdp_md *ctx)                                                                   \
	{                                                                                                    \
		if (bridge_is_open())                                                                        \
			return role##_entry(ctx, 0);                                                         \
		bpf_tail_call(ctx, &bridge_old_##role, 0);                                                   \
		return entry_end(BNG_DROP_INTERNAL, frame_length(ctx), 0, 0);                                \
	}

#endif
