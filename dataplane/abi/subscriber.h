/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One record per subscriber session: map `subscriber`, an mmapable array;
 * index = slot. Slot 0 is never used.
 *
 * How an inner IPv4 address finds its slot: map `range` (two entries, see
 * bng_meta.range_active) holds sorted-by-use address ranges; inside one,
 * slot = base + (address - first). Addresses outside all ranges are in the hash
 * `slot_of_address` (__be32 address -> __u32 slot). An entry for another address than the
 * record's counts while that has BNG_SUBSCRIBER_ROUTES: a prefix that is routed to the
 * session, and never translated.
 *
 * Who writes what. controld writes the identity, the limits and the control
 * line, through a shared mapping and only while the state is FREE, except for
 * the fields marked (live), which it may change at any time. The data plane
 * writes the rest. `state` is the publication point: controld fills the record,
 * then stores ACTIVE with release order. To end a session controld stores
 * CLOSING and then sets the slot's bit in the array `closing`; bng_sweep returns the
 * port blocks and then stores FREE. Only a FREE slot may be opened again, with
 * its generation raised by one.
 */
#ifndef BNG_ABI_SUBSCRIBER_H
#define BNG_ABI_SUBSCRIBER_H

#include <linux/types.h>

#define BNG_BLOCKS_PER_SUBSCRIBER 8
#define BNG_NO_ADDRESS_INDEX      0xffffffffu

enum bng_subscriber_state {
	BNG_SUBSCRIBER_FREE = 0,
	BNG_SUBSCRIBER_ACTIVE = 1,
	BNG_SUBSCRIBER_CLOSING = 2,
};

enum bng_subscriber_flag {
	BNG_SUBSCRIBER_EXEMPT = 1 << 0,   /* never translated: has a public address */
	BNG_SUBSCRIBER_OUTER_AD = 1 << 1, /* outer tag is 802.1ad (0x88a8), else 0x8100 */
	BNG_SUBSCRIBER_INNER_AD = 1 << 2, /* the same for the inner tag */
	BNG_SUBSCRIBER_RATE = 1 << 3,     /* rate_up or rate_down limits it (live) */
	BNG_SUBSCRIBER_ROUTES = 1 << 4,   /* prefixes behind it are its own too (live) */
	BNG_SUBSCRIBER_FILTER = 1 << 5,   /* `filter` says what passes (live) */
};

#define BNG_SUBSCRIBER_LIVE (BNG_SUBSCRIBER_RATE | BNG_SUBSCRIBER_ROUTES | BNG_SUBSCRIBER_FILTER)

enum bng_session_kind {
	BNG_SESSION_STATIC = 1,
	BNG_SESSION_DHCP = 2,
	BNG_SESSION_ADDED = 3, /* by RPC */
	BNG_SESSION_PPPOE = 4,
	BNG_SESSION_FIRST_PACKET = 5, /* a fixed address, authorised when it sends */
};

/* A token bucket of IP bytes, as the time at which it is full again. A packet of n bytes
 * costs n * interval: `due_ns`, or now if that is later, goes on by as much, and the
 * packet passes if it is then no further ahead of now than the burst. */
struct bng_rate {
	__u64 due_ns; /* boottime; by the data plane, and by controld after a change of the limit */
	/* bits 0-31 interval: of a byte, in 2^-BNG_RATE_SHIFT ns; 0: unlimited
	 * bits 32-63 burst, in microseconds (live) */
	__u64 limit;
};

#define BNG_RATE_SHIFT 12

struct bng_subscriber {
	/* Line 0: who it is, and where its ports are. */
	__u32 address_be;
	__u16 interface;     /* interface index, abi/interface.h */
	__u16 pppoe_session; /* 0: IPoE */
	__u16 outer_vid;     /* 0: untagged */
	__u16 inner_vid;     /* 0: at most one tag */
	__u8 mac[6];
	__u8 state; /* enum bng_subscriber_state */
	__u8 flags; /* enum bng_subscriber_flag; BNG_SUBSCRIBER_LIVE of them (live) */
	__u16 generation;
	__u8 pool;        /* index in map `pool` (live) */
	__u8 filter;      /* index in map `filter`; 0: none (live) */
	__u32 port_key;   /* secret that spreads this session's ports */
	__u8 block_shift; /* log2 of ports per block; the pool's when the session was opened */
	__u8 reserved1;
	__u16 created; /* mappings ever made, modulo 2^16; under lock */
	/* First port of each block: public address index << 16 | port; 0: none. Holes
	 * occur. Entries are changed by compare-and-swap. */
	__u32 block[BNG_BLOCKS_PER_SUBSCRIBER];

	/* Line 1: counters, and what only the creation of a mapping touches. */
	__u64 up_packets;
	__u64 up_bytes; /* IP bytes, as accounting wants them */
	__u64 down_packets;
	__u64 down_bytes;
	__u64 drop_packets;
	__u32 mappings; /* live or not yet reclaimed */
	__u32 lock;     /* 0, or the tick at which it was taken */
	/* Public address it is paired with, or BNG_NO_ADDRESS_INDEX: new mappings are made
	 * there, old ones are found wherever its blocks are. Changed by compare-and-swap:
	 * by the data plane for a session without blocks, by controld to move it (live). */
	__u32 address_index;
	__u32 max_mappings; /* (live) */
	__u8 max_blocks;    /* (live) */
	__u8 returned;      /* the slot's last session was the same client's */
	__u16 mss;          /* largest TCP MSS either side may offer; 0: as it is (live) */
	__u32 last_up_tick; /* last packet from the subscriber */

	/* Line 2: for controld; the data plane only copies session_id. */
	__u64 session_id;
	__u64 opened_ns;        /* boottime */
	__u64 lease_expires_ns; /* boottime; 0: no lease (live) */
	__u32 lease_seconds;    /* (live) */
	__u8 kind;              /* enum bng_session_kind */
	__u8 reserved3;
	__u16 mtu; /* PPPoE: largest IP packet to the subscriber */
	struct bng_rate rate_up;
	struct bng_rate rate_down;

	/* Line 3: off the fast path. */
	__u32 closed_tick; /* when it first saw the session CLOSING; 0: not yet */
	__u32 fixed; /* deterministic pool: the first port that is its own, as in block[]; 0: none (live) */
	__u64 mapping_due_ns; /* rate of new mappings, see bng_pool.mapping_rate */

	/* The last move to another public address; controld's alone (live). The time is
	 * written before address_index, moved_to_be after it. */
	__u64 moved_ns; /* boottime; 0: never */
	__u32 moved_from_be;
	__u32 moved_to_be;      /* 0: not, or not yet, carried out */
	__u8 moved_why;         /* enum plan_why in controld/steering/plan.h */
	__u8 moved_from_score;  /* scores are 0-100 */
	__u8 moved_to_score;    /* then ... */
	__u8 moved_score_after; /* ... and as predicted */
	__u8 moved_fill_after;  /* per cent */
	__u8 moved_load;        /* port blocks */
	__u16 ppp_alive;        /* PPPoE: when its last LCP echo came, see bng_ppp_alive */

	__u32 refused_tick;  /* when BNG_EVENT_SUBSCRIBER_REFUSED was sent last; 0: never */
	__u32 ppp_magic;     /* PPPoE: ours, in echo replies */
	__u64 punt_due_ns;   /* rate of what it may say to the gateway's own services */
	__u32 rate_up_drops; /* of drop_packets; modulo 2^32 */
	__u32 rate_down_drops;
};

_Static_assert(sizeof(struct bng_subscriber) == 256, "four cache lines");
_Static_assert(__builtin_offsetof(struct bng_subscriber, state) == 18, "third byte of an aligned word");
_Static_assert(__builtin_offsetof(struct bng_subscriber, block) == 32, "half of line 0");
_Static_assert(__builtin_offsetof(struct bng_subscriber, up_packets) == 64, "line 1");
_Static_assert(__builtin_offsetof(struct bng_subscriber, session_id) == 128, "line 2");

#define BNG_PPPOE_MTU 1492 /* RFC 2516 section 7 */

/* The largest IP packet for the subscriber, on an interface with this MTU. Beside its MTU
 * a device has room for one tag: XDP's redirect would lose, after the program, what is
 * larger. A PPPoE session has agreed on a size, too. */
static inline __u16 bng_subscriber_mtu(const struct bng_subscriber *session, __u16 interface_mtu)
{
	__u16 room = interface_mtu, agreed;

	if (session->inner_vid)
		room -= 4;
	if (!session->pppoe_session)
		return room;
	room -= 8; /* with the PPP protocol */
	agreed = session->mtu ? session->mtu : BNG_PPPOE_MTU;
	return agreed < room ? agreed : room;
}

/* One bit for each slot: to be looked at by bng_sweep. Set and cleared by atomic or/and. */
#define BNG_SLOTS_MAX          16777216
#define BNG_SLOTS_PER_GROUP    512
#define BNG_SLOT_GROUPS(slots) ((slots) / BNG_SLOTS_PER_GROUP + 1)

struct bng_slot_group {
	__u64 word[BNG_SLOTS_PER_GROUP / 64];
};

_Static_assert(sizeof(struct bng_slot_group) == 64, "one cache line");

#define BNG_INNER_RANGES  16
#define BNG_PUBLIC_RANGES 32

/* Addresses first..last in host byte order. Inner: base = slot of `first`, or 0
 * when the range only says "this side" (gateway addresses without subscribers).
 * Public: base = public address index of `first`. */
struct bng_range {
	__u32 first;
	__u32 last;
	__u32 base;
};

struct bng_ranges {
	__u32 inner_count;
	__u32 public_count;
	struct bng_range inner[BNG_INNER_RANGES];
	struct bng_range outer[BNG_PUBLIC_RANGES];
};

#endif
