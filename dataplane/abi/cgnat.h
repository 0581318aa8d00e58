/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CGNAT state. Maps, all arrays, all mmapable:
 *   pool          index = pool               -> bng_pool
 *   pool_address  index = public address     -> bng_pool_address
 *   port_block    index = pool_address.first_block + (port >> block_shift)
 *                                            -> bng_port_block
 *   mapping       index = (public address << 16 | port) >> 3
 *                                            -> bng_mapping_bucket
 *   port_timer    index = pool               -> bng_port_timers
 * A public port is used by one (protocol, inner port) of one subscriber. Its
 * entry lies where the port number says, so the way down needs no search. The
 * way up finds the same entry by hashing: (protocol, inner port) and the
 * subscriber's secret give a bucket of eight ports inside the block, one cache
 * line; a full bucket spills into the next ones, and bng_port_block.max_probe
 * says how far a search must go.
 *
 * An entry is one 64-bit word, changed by compare-and-swap only. Two CPUs that
 * make mappings for one subscriber take turns by bng_subscriber.lock. bng_sweep
 * takes no lock: it marks a block DRAINING, then looks whether it is empty; who
 * makes a mapping publishes it, then looks whether the block is still ALLOCATED.
 * One of the two sees the other.
 *
 * A block belongs to whoever has changed its state from FREE to CLAIMED by compare-
 * and-swap. A bit in bng_pool_address.taken only says that it is not to be had by
 * dynamic allocation. In a deterministic pool (RFC 7422) a session has blocks of its
 * own: bng_pool.fixed_blocks of them from bng_subscriber.fixed on. Their bits are always
 * set; a session claims them by their state alone, and takes dynamic ones beyond.
 *
 * The exempt destinations are in two LPM tries: whole addresses in `exempt`
 * (bng_exempt_key), single ports of addresses in `exempt_port` (bng_exempt_port_key).
 * Value: __u32, flags (enum bng_exempt_flag), and from BNG_EXEMPT_EPOCH_SHIFT on the
 * epoch in which the entry was added, 0 once no mapping is older. A mapping that was
 * made in an earlier epoch than the entry goes on translating to that destination, so
 * that no flow changes its address.
 */
#ifndef BNG_ABI_CGNAT_H
#define BNG_ABI_CGNAT_H

#include <linux/types.h>

#define BNG_POOLS                  64
#define BNG_POOL_SEGMENTS          16
#define BNG_BLOCK_SHIFT_MIN        6  /* 64 ports */
#define BNG_BLOCK_SHIFT_MAX        12 /* 4,096 ports */
#define BNG_BLOCKS_PER_ADDRESS_MAX 1024
#define BNG_FIRST_PORT             1024 /* blocks that touch lower ports are never given out */
#define BNG_PORTS_PER_BUCKET       8

enum bng_protocol {
	BNG_PROTOCOL_NONE = 0,
	BNG_PROTOCOL_UDP = 1,
	BNG_PROTOCOL_TCP = 2,
	BNG_PROTOCOL_ICMP = 3, /* queries; the port is the identifier */
	BNG_PROTOCOL_GRE = 4,  /* tunnels; the port is a tag, abi/tunnel.h */
	BNG_PROTOCOL_ESP = 5,
};

enum bng_mapping_state {
	BNG_MAPPING_NONE = 0,
	BNG_MAPPING_UDP = 1,
	BNG_MAPPING_ICMP = 2,
	BNG_MAPPING_TCP_PARTIAL = 3,     /* a SYN was sent, no answer yet */
	BNG_MAPPING_TCP_ESTABLISHED = 4, /* both sides have spoken */
	BNG_MAPPING_TCP_CLOSING = 5,     /* a FIN was seen */
	BNG_MAPPING_TCP_RESET = 6,       /* a RST was seen (RFC 7857 section 2.2) */
	BNG_MAPPING_TUNNEL = 7,          /* GRE, ESP */
	BNG_MAPPING_STATES = 8,
};

enum bng_mapping_flag {
	BNG_MAPPING_FIN_INSIDE = 1 << 0, /* TCP: this side has sent a FIN */
	BNG_MAPPING_UNPROMISED = 1 << 0, /* UDP: made, no packet has said yet for how long */
	BNG_MAPPING_FIN_OUTSIDE = 1 << 1,
	/* Two bits: who keeps it, so that no timer ends it. PIN_RPC is in both kinds of
	 * port forwarding. */
	BNG_MAPPING_PIN_RPC = 1 << 2,    /* a port forwarding by RPC */
	BNG_MAPPING_PIN_PCP = 2 << 2,    /* asked for by the subscriber, abi/pcp.h */
	BNG_MAPPING_PIN_CONFIG = 3 << 2, /* a port forwarding of the configuration */
	BNG_MAPPING_PINNED = 3 << 2,     /* any of them */
};
/* The upper bits of the flags: bng_meta.exempt_epoch when the mapping was made. */
#define BNG_MAPPING_EPOCH_SHIFT 4
#define BNG_MAPPING_EPOCHS      16

/* kind = protocol | state << 4; 0: the port is free. */
struct bng_mapping {
	__u16 inner_port_be;
	__u8 kind;
	__u8 flags;      /* enum bng_mapping_flag */
	__u32 last_tick; /* last packet that keeps it alive; see bng_port_timers */
};

struct bng_mapping_bucket {
	struct bng_mapping entry[BNG_PORTS_PER_BUCKET];
};

_Static_assert(sizeof(struct bng_mapping_bucket) == 64, "one cache line");

enum bng_block_state {
	BNG_BLOCK_FREE = 0,
	BNG_BLOCK_ALLOCATED = 1,
	BNG_BLOCK_HELD = 2,     /* given back, not yet free: hold-down */
	BNG_BLOCK_DRAINING = 3, /* bng_sweep is about to give it back */
	BNG_BLOCK_CLAIMED = 4,  /* its new owner is filling it in */
};

enum bng_block_flag {
	BNG_BLOCK_DETERMINISTIC = 1 << 0, /* its owner has it by the pool's rule; controld may clear it */
};

struct bng_port_block {
	__u32 slot;         /* owner; the last one while HELD */
	__u16 generation;   /* of the owner's slot */
	__u8 state;         /* enum bng_block_state */
	__u8 flags;         /* enum bng_block_flag */
	__u32 first;        /* its first port: public address index << 16 | port */
	__u32 used;         /* mappings in it; atomic */
	__u32 max_probe;    /* buckets beyond the first a search may have to visit */
	__u32 changed_tick; /* when it was allocated or given back */
	__u64 session_id;
};

_Static_assert(sizeof(struct bng_port_block) == 32, "half a cache line");

enum bng_pool_address_flag {
	BNG_POOL_ADDRESS_ENABLED = 1 << 0, /* new blocks may be taken from it */
};

struct bng_pool_address {
	__u32 address_be;
	__u32 first_block; /* of its (65536 >> block_shift) blocks in `port_block` */
	__u8 pool;
	__u8 block_shift;
	__u8 flags; /* enum bng_pool_address_flag */
	__u8 reserved0;
	__u32 free_blocks;    /* atomic */
	__u64 alloc_failures; /* atomic: no block free for a subscriber paired with it */
	__u64 limit_hits;     /* atomic: a subscriber's limit refused a mapping */
	__u64 drops;          /* atomic: packets for it without a mapping */
	__u64 allocations;    /* atomic: blocks given out */
	/* atomic: mappings of subscribers paired with it, made at the address they were
	 * moved from, as this one had no block for them */
	__u64 fallbacks;
	__u16 dynamic_from; /* blocks below have one owner each by the pool's rule, or none (live) */
	__u8 reserved1[2];
	__s32 held_blocks; /* atomic: in their hold-down; controld counts anew, by compare-and-swap */
	/* Bitmap, bit = port >> block_shift: not free. Set too: blocks that touch ports
	 * below BNG_FIRST_PORT, those below dynamic_from, and the bits beyond the last
	 * block. Atomic or/and. */
	__u64 taken[BNG_BLOCKS_PER_ADDRESS_MAX / 64];
	/* controld's alone: what it remembers of the counters above, so that it need not
	 * begin anew after a restart (struct score in controld/steering/score.h). */
	__u64 score[8];
};

_Static_assert(sizeof(struct bng_pool_address) == 256, "four cache lines");
_Static_assert(__builtin_offsetof(struct bng_pool_address, taken) == 64, "lines 1 and 2");

struct bng_pool_segment {
	__u32 first_index; /* public address index */
	__u32 count;
};

/* Filtering (RFC 4787 REQ-8): neither flag is endpoint-independent. */
enum bng_pool_flag {
	BNG_POOL_REFRESH_INBOUND = 1 << 0, /* packets from outside keep UDP and ICMP mappings alive too */
	BNG_POOL_FILTER_ADDRESS = 1 << 1,
	BNG_POOL_FILTER_PORT = 1 << 2, /* address and port */
	BNG_POOL_PORT_TIMERS = 1 << 3, /* `port_timer` has some for this pool */
	BNG_POOL_ANSWER_SYN = 1 << 4,  /* unsolicited TCP SYNs, after six seconds (RFC 5382 REQ-4) */
	BNG_POOL_PCP = 1 << 5,         /* sessions may ask for mappings by PCP */
	BNG_POOL_ALG_FTP = 1 << 6,     /* abi/alg.h */
};

/* What a subscriber hears when a mapping is refused (RFC 6888 REQ-11, RFC 5508
 * REQ-8): ICMP destination unreachable with this code, or nothing. */
enum bng_refusal {
	BNG_REFUSAL_PROHIBITED = 0, /* code 13, communication administratively prohibited */
	BNG_REFUSAL_HOST = 1,       /* code 1, host unreachable */
	BNG_REFUSAL_SILENT = 2,
};

struct bng_pool {
	__u32 address_count; /* over all segments; 0: pool not in use */
	__u8 segment_count;
	__u8 block_shift;
	__u8 max_blocks;                   /* default for new sessions */
	__u8 flags;                        /* enum bng_pool_flag */
	__u32 max_mappings;                /* default for new sessions */
	__u32 mapping_rate;                /* new mappings/s of one subscriber; 0: unlimited */
	__u32 timeout[BNG_MAPPING_STATES]; /* ticks, by enum bng_mapping_state */
	struct bng_pool_segment segment[BNG_POOL_SEGMENTS];
	__u32 mapping_burst; /* with mapping_rate */
	__u8 refusal;        /* enum bng_refusal */
	__u8 fixed_blocks;   /* deterministic: blocks of each session from bng_subscriber.fixed on */
	__u8 reserved2[74];
};

_Static_assert(sizeof(struct bng_pool) == 256, "four cache lines");

/* Timers by destination port, for UDP and established TCP; the first entry without
 * a protocol ends the list. A packet to such a port promises its mapping a life of
 * `ticks`: it moves bng_mapping.last_tick to where the pool's own timer ends then,
 * into the future or the past, unless it is later already. So the longest promise
 * holds, and whoever judges a mapping needs the pool's timers alone. */
#define BNG_PORT_TIMERS 16

struct bng_port_timer {
	__u16 port_be;
	__u8 protocol; /* enum bng_protocol: UDP or TCP */
	__u8 reserved0;
	__u32 ticks;
};

struct bng_port_timers {
	struct bng_port_timer entry[BNG_PORT_TIMERS];
};

_Static_assert(sizeof(struct bng_port_timers) == 128, "two cache lines");

enum bng_exempt_flag {
	BNG_EXEMPT_PERMANENT = 1 << 0,
	BNG_EXEMPT_DYNAMIC = 1 << 1,
};
#define BNG_EXEMPT_EPOCH_SHIFT 3
#define BNG_EXEMPT_FLAGS       ((1u << BNG_EXEMPT_EPOCH_SHIFT) - 1)

struct bng_exempt_key {
	__u32 prefix_length;
	__u32 address_be;
};

/* Protocol and port must be the entry's, so they come before the address. */
#define BNG_EXEMPT_SERVICE_BITS 32

struct bng_exempt_port_key {
	__u32 prefix_length; /* BNG_EXEMPT_SERVICE_BITS and the address's */
	__u16 port_be;
	__u8 protocol; /* enum bng_protocol: UDP or TCP */
	__u8 reserved0;
	__u32 address_be;
};

_Static_assert(sizeof(struct bng_exempt_port_key) == 12, "no padding");

/* bng_meta.exempt_count: set while `exempt_port` holds anything. */
#define BNG_EXEMPT_PORTS (1u << 31)

#endif
