/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moving one entry, by whoever wants it first. The mark in M__moved says whose it is:
 *
 *	STAYS -> MOVING    by compare-and-swap; only who did it touches the new entry
 *	MOVING -> MOVED    a full barrier: what was written is there, the new entry is the truth
 *
 * A packet that finds another CPU at it waits: that CPU cannot be interrupted (packets run in
 * softirq, bng_migrate with interrupts off), so it is a matter of nanoseconds. Who waits in
 * vain gets no entry, and its packet is dropped as internal, whatever was made of that.
 * bng_migrate does not wait.
 */
#ifndef BNG_DATAPLANE_BRIDGE_MOVE_H
#define BNG_DATAPLANE_BRIDGE_MOVE_H

#include "bridge_convert.h"

enum bridge_mark {
	BRIDGE_STAYS = 0,
	BRIDGE_MOVING = 1,
	BRIDGE_MOVED = 2,
};

#define BRIDGE_WAIT_NS 20000000ULL /* the machine may be virtual, and its CPU away */
#define BRIDGE_SPINS   (1 << 22)

/* M__old and M__moved of array M. The old one is as large as it is, the marks as many as M. */
#define BRIDGE_MAPS(map, entries)                                                                            \
	DURABLE_ARRAY(map##__old, bridge_old_##map, entries);                                                \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                            \
		__uint(map_flags, BPF_F_MMAPABLE);                                                           \
		__uint(max_entries, entries);                                                                \
		__type(key, __u32);                                                                          \
		__type(value, __u32);                                                                        \
	} map##__moved SEC(".maps")

struct bridge_wait {
	const __u32 *mark;
	__u64 until_ns;
};

static long bridge_wait_step(__u32 spin __attribute__((unused)), struct bridge_wait *wait)
{
	return *(const volatile __u32 *)wait->mark == BRIDGE_MOVED || bpf_ktime_get_ns() > wait->until_ns;
}

/* True when it was moved by the one who was at it. A packet waits in vain once. */
static __always_inline int bridge_wait_for(const __u32 *mark)
{
	struct bng_bridge_cpu *mine = bridge_cpu_get();
	struct bridge_wait wait = {.mark = mark};

	if (!mine)
		return 0;
	if (!mine->gave_up) {
		wait.until_ns = bpf_ktime_get_ns() + BRIDGE_WAIT_NS;
		bpf_loop(BRIDGE_SPINS, bridge_wait_step, &wait, 0);
	}
	if (*(const volatile __u32 *)mark != BRIDGE_MOVED) {
		mine->gave_up = 1;
		return 0;
	}
	mine->waited++;
	return 1;
}

/* True when this packet has waited in vain; the next one may wait again. */
static __always_inline int bridge_gave_up(void)
{
	struct bng_bridge_cpu *mine = bridge_cpu_get();

	if (!mine || !mine->gave_up)
		return 0;
	mine->gave_up = 0;
	return 1;
}

/* An entry in use that is now at `index`. */
static __always_inline void bridge_count(struct bng_bridge_sum *sum, __u64 entry_sum, __u32 index)
{
	if (!entry_sum)
		return;
	__sync_fetch_and_add(&sum->held, 1);
	__sync_fetch_and_add(&sum->sum, bridge_mix(entry_sum, index));
}

/* The mark comes between: whoever sees that all are counted finds all moved, and all sums. */
static __always_inline void bridge_moved_one(__u32 *mark, enum bridge_array array, __u64 entry_sum,
					     __u32 index)
{
	struct bng_bridge *whole = bridge_get();

	if (!whole)
		return;
	bridge_count(&whole->map[array].moved, entry_sum, index);
	__sync_lock_test_and_set(mark, BRIDGE_MOVED);
	__sync_fetch_and_add(&whole->moved, 1);
}

/* bridge_bring_M: true when the new entry is the truth. A function of its own, so that it
 * costs nobody's registers and the verifier looks at it once. bridge_ready_M: the same, and
 * nothing but a look at the mark when the entry was moved long ago. */
#define BRIDGE_MOVE(map, type)                                                                               \
	__noinline int bridge_bring_##map(__u32 index, int waits)                                            \
	{                                                                                                    \
		__u32 *mark = bpf_map_lookup_elem(&map##__moved, &index), found;                             \
		bridge_old_##map *from;                                                                      \
		type *to;                                                                                    \
                                                                                                             \
		if (!mark)                                                                                   \
			return 0;                                                                            \
		found = __sync_val_compare_and_swap(mark, BRIDGE_STAYS, BRIDGE_MOVING);                      \
		if (found != BRIDGE_STAYS)                                                                   \
			return found == BRIDGE_MOVED || (waits && bridge_wait_for(mark));                    \
		from = bpf_map_lookup_elem(&map##__old, &index);                                             \
		to = bpf_map_lookup_elem(&map, &index);                                                      \
		if (from && to) {                                                                            \
			bridge_convert_##map(to, from);                                                      \
			asm volatile("" ::: "memory"); /* what is counted is read again */                   \
			bridge_moved_one(mark, BRIDGE_##map, bridge_sum_##map(to), index);                   \
		} else {                                                                                     \
			__sync_lock_test_and_set(mark, BRIDGE_MOVED); /* the old one had not as many */      \
		}                                                                                            \
		return 1;                                                                                    \
	}                                                                                                    \
	static __always_inline int bridge_ready_##map(__u32 index)                                           \
	{                                                                                                    \
		__u32 *mark = bpf_map_lookup_elem(&map##__moved, &index);                                    \
                                                                                                             \
		return mark && (*(volatile __u32 *)mark == BRIDGE_MOVED || bridge_bring_##map(index, 1));    \
	}

#endif
