/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A bridge: the same data plane, built with -DBNG_BRIDGE, that gives durable maps new
 * sizes or layouts while packets flow. Beside each map M that moves it has M__old, which
 * is the one that the program before it runs on (the holder puts it there); M is new.
 *
 * 1. Until it is opened every packet is the old program's, and M is empty (bridge_open.h).
 * 2. From the opening on nobody writes an old map. An entry is moved when somebody wants
 *    it, else by bng_migrate; its mark in M__moved says whether it was. Before its mark is
 *    MOVED the truth about an entry is the old one, which is constant; from then on the
 *    new one, which is never written from the old again (bridge_move.h).
 * 3. When all are moved, bng_migrate_check goes over the old maps once more (bridge_run.h).
 *    Only then bng_sweep begins: it looks at entries without asking for marks.
 *
 * Entries keep their index. Hashes and tries, which packets only read, are copied by the
 * holder before the opening; those that packets fill keep their size.
 *
 * A new layout. Without more said here, an entry is copied as it is: a bridge for maps
 * that grow. A release that changes the layout of map M has a file bridge/NAME.h, which
 * is compiled in by -DBNG_BRIDGE_FROM='"bridge/NAME.h"':
 *
 *	#define BRIDGE_CHANGED_subscriber
 *	struct bng_subscriber_old { as it was, every field };
 *	#define SUBSCRIBER_FIELDS(F) F(address_be) F(interface) and so on, without reserved ones
 *	BRIDGE_BY_FIELDS(subscriber, struct bng_subscriber_old, struct bng_subscriber, SUBSCRIBER_FIELDS)
 *
 * The fields of the list have the same name and size on both sides. What needs more than that
 * writes, instead of the last line, what BRIDGE_BY_FIELDS would: the type
 * bridge_old_subscriber; bridge_convert_subscriber(to, from), which fills an entry that
 * is zero; bridge_sum_subscriber(entry) and bridge_sum_old_subscriber(entry), a checksum
 * of what the entry means, so equal on both sides, and 0 for an entry that is not in use.
 * Going back is a file of its own, with the layouts exchanged, compiled with the sources of
 * before. A release brings both as bng-bridge-FROM-TO.bpf.o, BNG_ABI_VERSION of each: a start
 * of bng-controld takes the one that it needs (controld/startup/layout.h).
 */
#ifndef BNG_DATAPLANE_BRIDGE_H
#define BNG_DATAPLANE_BRIDGE_H

enum bng_bridge_state {
	BNG_BRIDGE_OLD = 0,
	BNG_BRIDGE_CLOSED = 1, /* and the number of the attempt from BNG_BRIDGE_ATTEMPT_SHIFT on */
	BNG_BRIDGE_NEW = 2,
};

#define BNG_BRIDGE_STATES        0xff
#define BNG_BRIDGE_ATTEMPT_SHIFT 8
#define BNG_BRIDGE_CPUS          1024

/* The arrays that move. */
#define BRIDGE_ARRAYS(A)                                                                                     \
	A(subscriber, struct bng_subscriber)                                                                 \
	A(closing, struct bng_slot_group)                                                                    \
	A(pool_address, struct bng_pool_address)                                                             \
	A(port_block, struct bng_port_block)                                                                 \
	A(mapping, struct bng_mapping_bucket)                                                                \
	A(pcp, struct bng_pcp)

enum bridge_array {
#define BRIDGE_ENUM(map, type) BRIDGE_##map,
	BRIDGE_ARRAYS(BRIDGE_ENUM)
#undef BRIDGE_ENUM
		BRIDGE_ARRAY_COUNT
};

struct bng_bridge_sum {
	__u64 held; /* entries in use */
	__u64 sum;  /* over what is in them, and where */
};

/* One of the arrays. */
struct bng_bridge_map {
	__u64 entries;               /* of the old one */
	struct bng_bridge_sum moved; /* as read from the new entries when they were moved; atomic */
	struct bng_bridge_sum found; /* in the old ones, by bng_migrate_check */
};

struct bng_bridge_cursor {
	__u32 array;
	__u32 index;
};

/* The first four fields are the holder's too. */
struct bng_bridge {
	__u32 state;   /* enum bng_bridge_state; by compare-and-swap */
	__u32 cpus;    /* how many entries of bridge_cpu count */
	__u64 entries; /* to move in all; 0: bng_migrate has not begun */
	__u64 moved;   /* atomic */
	struct bng_bridge_cursor move, check;
	__u32 busy; /* entries that somebody else was moving, in this pass over the array */
	__u32 reserved;
	struct bng_bridge_map map[BRIDGE_ARRAY_COUNT];
};

struct bng_bridge_cpu {
	__u32 seen;    /* the closed state it has seen: proof that it runs the old program no more */
	__u32 gave_up; /* the packet it is at has waited for an entry in vain */
	__u32 waited;  /* how often that was not in vain */
	__u32 reserved[13];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bng_bridge);
} bridge SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, BNG_BRIDGE_CPUS);
	__type(key, __u32);
	__type(value, struct bng_bridge_cpu);
} bridge_cpu SEC(".maps");

static __always_inline struct bng_bridge *bridge_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&bridge, &zero);
}

static __always_inline struct bng_bridge_cpu *bridge_cpu_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&bridge_cpu, &cpu);
}

/* True when no entry is left in the old maps. */
static __always_inline int bridge_is_done(void)
{
	struct bng_bridge *whole = bridge_get();

	return whole && whole->entries && *(volatile __u64 *)&whole->moved == whole->entries;
}

#endif
