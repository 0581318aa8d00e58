/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A gateway for 256 subscribers and bridges for its maps, for the holder's tests: what comes in
 * at one interface goes out at the other, counted in the subscriber's record, whose place is
 * looked up in a hash. A subscriber is the last byte of its MAC. Variants are made with -D
 * (test/bpf/migrate.cmake); with BRIDGE it is a bridge as docs/protocol.md has it.
 */
#include "test/bpf/map.h"

#ifndef ENTRIES
#define ENTRIES 256
#endif

struct record {
	__u64 up;
	__u64 down;
	__u32 name;
	__u32 reserved;
};

struct wide_record {
	__u32 name;
	__u32 version;
	__u64 down;
	__u64 up;
	__u64 reserved[5];
};

#ifdef WIDE
typedef struct wide_record record;
#else
typedef struct record record;
#endif
#ifdef FROM_WIDE
typedef struct wide_record old_record;
#else
typedef struct record old_record;
#endif

#define MAP(name, kind, ...) MAP_OF(name, kind, __VA_ARGS__)

struct prefix {
	__u32 length;
	__u32 address_be;
};

#define PREFIXES(name)                                                                                       \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                                         \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                                        \
		__uint(max_entries, 4096);                                                                   \
		__type(key, struct prefix);                                                                  \
		__type(value, __u32);                                                                        \
		DURABLE                                                                                      \
	} name SEC(".maps")

#ifndef SLOT_KIND /* else of another type, or with a value of another size */
#define SLOT_KIND  HASH
#define SLOT_VALUE __u32
#endif

MAP(tx, DEVMAP, 2, 0, __u32, DURABLE);
MAP(swept, ARRAY, 1, 0, __u64, DURABLE);
MAP(record_of, ARRAY, ENTRIES, BPF_F_MMAPABLE, record, DURABLE);
MAP(place, ARRAY, ENTRIES, BPF_F_MMAPABLE, __u64, DURABLE); /* packets, by place; nobody converts it */
PREFIXES(prefix);
MAP(slot, SLOT_KIND, 4096, 0, SLOT_VALUE, DURABLE); /* subscriber -> place */

#ifdef BRIDGE

/* See dataplane/bridge.h, lib/bpf/barrier.h. */
enum { OLD, CLOSED, NEW, STATES = 0xff };
enum { MORE, DONE, FAILED };
enum { WAITING, MOVING, MOVED };

struct bridge {
	__u32 state, cpus;
	__u64 entries, moved;
	__u32 cursor, checked;
	__u64 sum_moved, sum_old;
};

struct bridge_cpu {
	__u32 seen;
	__u32 reserved[15];
};

MAP(bridge, ARRAY, 1, BPF_F_MMAPABLE, struct bridge);
MAP(bridge_cpu, ARRAY, 1024, BPF_F_MMAPABLE, struct bridge_cpu);
MAP(bridge_old_access, PROG_ARRAY, 1, 0, __u32);
MAP(bridge_old_core, PROG_ARRAY, 1, 0, __u32);
#ifndef NO_DURABLE_OLD
MAP(record_of__old, ARRAY, 256, BPF_F_MMAPABLE, old_record, DURABLE);
#else
MAP(record_of__old, ARRAY, 256, BPF_F_MMAPABLE, old_record);
#endif
MAP(place__old, ARRAY, 256, BPF_F_MMAPABLE, __u64, DURABLE);
PREFIXES(prefix__old);
MAP(slot__old, HASH, 4096, 0, __u32, DURABLE);
MAP(record_of__moved, ARRAY, ENTRIES, 0, __u32);
MAP(place__moved, ARRAY, ENTRIES, 0, __u32);
#ifdef OLD_OF_NOTHING
MAP(nothing, ARRAY, 4, 0, __u64, DURABLE);
MAP(nothing__old, ARRAY, 4, 0, __u64, DURABLE);
#endif
#ifdef OF_DEVMAP
MAP(tx__old, DEVMAP, 2, 0, __u32, DURABLE);
#endif

/* The entry's mark: 1, if the caller is to move it. */
static __always_inline int take(__u32 *mark)
{
	return mark && __sync_val_compare_and_swap(mark, WAITING, MOVING) == WAITING;
}

static __always_inline void moved(struct bridge *whole, __u32 *mark, __u64 sum)
{
	__sync_fetch_and_add(&whole->sum_moved, sum);
	__sync_fetch_and_add(&whole->moved, 1);
	__sync_lock_test_and_set(mark, MOVED);
}

static __always_inline void move_record(struct bridge *whole, __u32 index)
{
	old_record *from = bpf_map_lookup_elem(&record_of__old, &index);
	record *to = bpf_map_lookup_elem(&record_of, &index);
	__u32 *mark = bpf_map_lookup_elem(&record_of__moved, &index);

	if (!from || !to || !take(mark))
		return;
	to->up = from->up;
	to->down = from->down;
	to->name = from->name;
#ifdef WRONGLY
	to->name += index == 77;
#endif
	moved(whole, mark, to->up * 3 + to->down * 5 + to->name * 7);
}

static __always_inline void move_place(struct bridge *whole, __u32 index)
{
	__u64 *from = bpf_map_lookup_elem(&place__old, &index), *to = bpf_map_lookup_elem(&place, &index);
	__u32 *mark = bpf_map_lookup_elem(&place__moved, &index);

	if (!from || !to || !take(mark))
		return;
	*to = *from;
	moved(whole, mark, *to * 11);
}

static __always_inline struct bridge *bridge_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&bridge, &zero);
}

static long look(__u32 cpu, __u32 *closed)
{
	struct bridge_cpu *other = bpf_map_lookup_elem(&bridge_cpu, &cpu);

	if (other && *(volatile __u32 *)&other->seen == *closed)
		return 0;
	*closed = 0;
	return 1;
}

struct waiting {
	struct bridge *whole;
	__u32 closed;
	__u64 until_ns;
};

static long spin(__u32 step, struct waiting *waiting)
{
	(void)step;
	return *(volatile __u32 *)&waiting->whole->state != waiting->closed ||
	       bpf_ktime_get_ns() > waiting->until_ns;
}

/* Marks, opens if all are marked, waits for a millisecond. */
static __noinline int wait_open(void)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct bridge_cpu *mine = bpf_map_lookup_elem(&bridge_cpu, &cpu);
	struct bridge *whole = bridge_get();
	struct waiting until = {whole, 0, bpf_ktime_get_ns() + 1000000};
	__u32 closed, seen;

	if (!whole || !mine)
		return 0;
	until.closed = seen = closed = *(volatile __u32 *)&whole->state;
	if ((closed & STATES) != CLOSED)
		return closed == NEW;
	__sync_lock_test_and_set(&mine->seen, closed);
	bpf_loop(whole->cpus, look, &seen, 0);
	if (seen)
		__sync_val_compare_and_swap(&whole->state, closed, NEW);
	bpf_loop(1 << 20, spin, &until, 0);
	return __sync_val_compare_and_swap(&whole->state, closed, OLD) == NEW;
}

static __always_inline int is_open(void)
{
	struct bridge *whole = bridge_get();

	return whole && (*(volatile __u32 *)&whole->state == NEW ||
			 (*(volatile __u32 *)&whole->state != OLD && wait_open()));
}

static __noinline int bring(__u32 index)
{
	struct bridge *whole = bridge_get();

	if (!whole)
		return 0;
	move_record(whole, index);
	move_place(whole, index);
	return 0;
}

static long look_moved(__u32 step, __u32 **mark)
{
	(void)step;
	return *(volatile __u32 *)*mark == MOVED;
}

/* For a packet: moved, by whomever. */
static __noinline int bring_whole(__u32 index)
{
	__u32 *marks[] = {bpf_map_lookup_elem(&record_of__moved, &index),
			  bpf_map_lookup_elem(&place__moved, &index)};

	bring(index);
	if (!marks[0] || !marks[1])
		return 0;
	bpf_loop(1 << 20, look_moved, &marks[0], 0);
	bpf_loop(1 << 20, look_moved, &marks[1], 0);
	return 0;
}

static long move_one(__u32 step, struct bridge **of)
{
	struct bridge *whole = *of;

	(void)step;
	bring(whole->cursor);
	whole->cursor = whole->cursor + 1 == 256 ? 0 : whole->cursor + 1;
	return 0;
}

/* Eight entries of each map in a run: 32 runs. */
SEC("raw_tracepoint")
int bng_migrate(void *ctx)
{
	struct bridge *whole = bridge_get();

	(void)ctx;
	if (!whole || whole->state != NEW)
		return FAILED;
#ifdef STUCK
	return MORE;
#endif
	whole->entries = 2 * 256;
	bpf_loop(8, move_one, &whole, 0);
	return whole->moved == whole->entries ? DONE : MORE;
}

static long check_one(__u32 step, struct bridge **of)
{
	struct bridge *whole = *of;
	__u32 index = whole->checked;
	old_record *from = bpf_map_lookup_elem(&record_of__old, &index);
	__u64 *count = bpf_map_lookup_elem(&place__old, &index);

	(void)step;
	if (!from || !count)
		return 1;
	whole->sum_old += from->up * 3 + from->down * 5 + from->name * 7 + *count * 11;
	whole->checked++;
	return 0;
}

SEC("raw_tracepoint")
int bng_migrate_check(void *ctx)
{
	struct bridge *whole = bridge_get();

	(void)ctx;
	if (!whole)
		return FAILED;
	bpf_loop(64, check_one, &whole, 0);
	if (whole->checked < 256)
		return MORE;
	return whole->sum_old == whole->sum_moved ? DONE : FAILED;
}

#ifdef OTHER_TRACEPOINT
SEC("raw_tracepoint")
int bng_other(void *ctx)
{
	(void)ctx;
	return 0;
}
#endif

#define BEGIN(role)                                                                                          \
	if (!is_open()) {                                                                                    \
		bpf_tail_call(ctx, &bridge_old_##role, 0);                                                   \
		return XDP_DROP;                                                                             \
	}
#define READY(index) bring_whole(index)

#else
#define BEGIN(role)
#define READY(index)
#endif

/* `at`: of the subscriber's MAC. */
static __always_inline __u32 subscriber(struct xdp_md *ctx, int at)
{
	unsigned char *data = (void *)(long)ctx->data;

	return (void *)(data + 14) > (void *)(long)ctx->data_end ? 0 : data[at + 5];
}

static __always_inline int serve(struct xdp_md *ctx, int at, __u32 to)
{
	__u32 number = subscriber(ctx, at), index;
	__u32 *found = bpf_map_lookup_elem(&slot, &number);
	record *one;
	__u64 *count;

	if (!found)
		return XDP_DROP;
	index = *found;
	READY(index);
	one = bpf_map_lookup_elem(&record_of, &index);
	count = bpf_map_lookup_elem(&place, &index);
	if (!one || !count)
		return XDP_DROP;
	__sync_fetch_and_add(to ? &one->up : &one->down, 1);
	__sync_fetch_and_add(count, 1);
	return bpf_redirect_map(&tx, to, XDP_DROP);
}

#define ROLE(role, at, to)                                                                                   \
	SEC("xdp")                                                                                           \
	int bng_##role(struct xdp_md *ctx)                                                                   \
	{                                                                                                    \
		BEGIN(role)                                                                                  \
		return serve(ctx, at, to);                                                                   \
	}

ROLE(access, 6, 1)
ROLE(core, 0, 0)

SEC("syscall")
int bng_sweep(void *ctx)
{
	__u32 zero = 0;
	__u64 *runs = bpf_map_lookup_elem(&swept, &zero);

	(void)ctx;
	(void)runs;
#ifndef BRIDGE /* which has nothing to sweep, and must not while entries move */
	if (runs)
		__sync_fetch_and_add(runs, 1);
#endif
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
