/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The maps of a bridge: the old one of each map that it moves, as large as in maps.h, and
 * the marks of the arrays.
 */
#ifndef BNG_DATAPLANE_BRIDGE_MAPS_H
#define BNG_DATAPLANE_BRIDGE_MAPS_H

#include "bridge_move.h"

BRIDGE_MAPS(subscriber, 131072) SIZED(subscribers, 1, 1, 0);
BRIDGE_MAPS(closing, BNG_SLOT_GROUPS(131072)) SIZED(subscribers, 1, BNG_SLOTS_PER_GROUP, 1);
BRIDGE_MAPS(pool_address, 64) SIZED(public_addresses, 1, 1, 0);
BRIDGE_MAPS(port_block, 8192) SIZED(port_blocks, 1, 1, 0);
BRIDGE_MAPS(mapping, 64 * 8192) SIZED(public_addresses, 65536, BNG_PORTS_PER_BUCKET, 0);
BRIDGE_MAPS(pcp, 65536) SIZED(pcp, 1, 1, 0);

/* Filled by the holder before the opening. */
#define BRIDGE_COPIED(map, map_type, flags, key_type, entries)                                               \
	struct {                                                                                             \
		__uint(type, map_type);                                                                      \
		__uint(map_flags, flags);                                                                    \
		__uint(max_entries, entries);                                                                \
		__type(key, key_type);                                                                       \
		__type(value, __u32);                                                                        \
		DURABLE;                                                                                     \
	} map##__old SEC(".maps")

BRIDGE_COPIED(slot_of_address, BPF_MAP_TYPE_HASH, 0, __u32, 65536);
BRIDGE_COPIED(pppoe_session, BPF_MAP_TYPE_HASH, 0, struct bng_pppoe_key, 131072);
BRIDGE_COPIED(exempt, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct bng_exempt_key, 65536);
BRIDGE_COPIED(exempt_port, BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, struct bng_exempt_port_key, 65536);

BRIDGE_ARRAYS(BRIDGE_MOVE)

#define BRIDGE_READY(map, index) bridge_ready_##map(index)
/* Eight calls deep is all that there may be, and moving takes two. */
#define INLINE_IN_BRIDGE static __always_inline

#endif
