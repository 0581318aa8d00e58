/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The data plane's durable maps, and the only code that talks to them.
 *
 * The holder opens them; here the mmapable arrays are mapped, so that a record
 * is a pointer, and the others are reached by small wrappers. Nobody else in
 * controld makes a bpf system call.
 */
#ifndef BNG_CONTROLD_MAPS_H
#define BNG_CONTROLD_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/alg.h"
#include "dataplane/abi/cgnat.h"
#include "dataplane/abi/event.h"
#include "dataplane/abi/filter.h"
#include "dataplane/abi/first_packet.h"
#include "dataplane/abi/flow.h"
#include "dataplane/abi/fragment.h"
#include "dataplane/abi/interface.h"
#include "dataplane/abi/meta.h"
#include "dataplane/abi/pcp.h"
#include "dataplane/abi/pppoe.h"
#include "dataplane/abi/punt.h"
#include "dataplane/abi/subscriber.h"
#include "dataplane/abi/tunnel.h"
#include "dataplane/abi/verdict.h"

/* clang-format off */
/* Arrays that are mapped: name, value. */
#define MAPS_ARRAYS(X)                       \
	X(meta, struct bng_meta)             \
	X(subscriber, struct bng_subscriber) \
	X(closing, struct bng_slot_group)    \
	X(pool, struct bng_pool)             \
	X(port_timer, struct bng_port_timers) \
	X(pool_address, struct bng_pool_address) \
	X(port_block, struct bng_port_block) \
	X(mapping, struct bng_mapping_bucket) \
	X(range, struct bng_ranges)          \
	X(flow, struct bng_flow_bucket)      \
	X(tunnel, struct bng_tunnel_bucket)  \
	X(fragment, struct bng_fragment)     \
	X(interface, struct bng_interface)   \
	X(pcp, struct bng_pcp)               \
	X(punt_limit, struct bng_punt_limit) \
	X(pppoe_limit, struct bng_pppoe_limit) \
	X(filter, struct bng_filter)
/* The others: name, key size, value size. */
#define MAPS_OTHERS(X)                                             \
	X(slot_of_address, 4, 4)                                   \
	X(pppoe_session, sizeof(struct bng_pppoe_key), 4)          \
	X(interface_of_ifindex, 4, 4)                              \
	X(gateway, sizeof(struct bng_gateway_key), 4)              \
	X(tx_interface, 4, 4)                                      \
	X(alg, sizeof(struct bng_alg_key), sizeof(struct bng_alg)) \
	X(exempt, sizeof(struct bng_exempt_key), 4)                \
	X(exempt_port, sizeof(struct bng_exempt_port_key), 4)      \
	X(first_packet_prefix, sizeof(struct bng_first_packet_key), 4) \
	X(reason_count, 4, sizeof(struct bng_count))               \
	X(filter_hit, 4, sizeof(struct bng_filter_hits))           \
	X(events, 0, 0)

enum map_id {
#define MAPS_ID_ARRAY(name, type) MAP_##name,
#define MAPS_ID_OTHER(name, key, value) MAP_##name,
	MAPS_ARRAYS(MAPS_ID_ARRAY)
	MAPS_OTHERS(MAPS_ID_OTHER)
#undef MAPS_ID_ARRAY
#undef MAPS_ID_OTHER
	MAP_COUNT
};
/* clang-format on */

struct map {
	int fd;
	uint32_t type;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t id;
	void *data; /* of a mapped array */
	size_t length;
};

struct maps_ring;

struct maps {
#define MAPS_POINTER(name, type) type *name;
	MAPS_ARRAYS(MAPS_POINTER)
#undef MAPS_POINTER
	struct map map[MAP_COUNT];
	unsigned cpus;
	struct maps_ring *ring;
};

const char *maps_name(enum map_id id);

/* Takes over one descriptor for each map, in the order of enum map_id; they are
 * closed also on failure. 0, or -errno and what is wrong in `error`. One that is negative
 * is a map without entries (of a shadow, shadow.h). */
int maps_open(const int fds[static MAP_COUNT], struct maps **maps, char *error, size_t error_size);
void maps_close(struct maps *maps);
/* Which layout the maps have, as BNG_ABI_VERSION counts them, from a descriptor of map `meta` alone;
 * 0: nobody has said. 0 or -errno. */
int maps_layout(int meta, uint32_t *layout);

static inline uint32_t maps_entries(const struct maps *maps, enum map_id id)
{
	return maps->map[id].max_entries;
}

/* Hashes, tries, device maps. 0 or -errno; deleting what is not there is no error. */
int maps_set(struct maps *maps, enum map_id id, const void *key, const void *value);
/* -EEXIST where there is one of the key. */
int maps_add(struct maps *maps, enum map_id id, const void *key, const void *value);
/* -ENOENT where there is none of the key. */
int maps_replace(struct maps *maps, enum map_id id, const void *key, const void *value);
int maps_get(struct maps *maps, enum map_id id, const void *key, void *value);
int maps_delete(struct maps *maps, enum map_id id, const void *key);
/* All entries at once: two arrays to be freed, key by key. */
int maps_snapshot(struct maps *maps, enum map_id id, void **keys, void **values, uint32_t *count);

/* Hands the slot of a CLOSING session to bng_sweep. */
void maps_closing_set(struct maps *maps, uint32_t slot);

/* As in abi/verdict.h: "drop_ttl", and what it means. "unknown" from a newer object. */
const char *maps_verdict_name(unsigned verdict);
const char *maps_verdict_meaning(unsigned verdict);

/* Sums over all CPUs of every verdict. */
int maps_counts(struct maps *maps, struct bng_count counts[static BNG_VERDICT_COUNT]);
/* The same for one. */
int maps_count(struct maps *maps, enum bng_verdict verdict, struct bng_count *count);
uint64_t maps_count_kind(const struct bng_count counts[static BNG_VERDICT_COUNT], const char *kind);

/* Waits until no packet is under way that was there before: what they had looked up may be
 * written then. */
void maps_grace_period(void);

/* Replaces the ranges that packets use: packets see the old or the new set,
 * never a mixture. Returns false when nothing was different. */
bool maps_ranges_publish(struct maps *maps, const struct bng_ranges *next);
static inline const struct bng_ranges *maps_ranges(const struct maps *maps)
{
	return &maps->range[maps->meta->range_active & 1];
}

/* Events: the descriptor becomes readable when the data plane wakes us. */
typedef void maps_event(const struct bng_event *event, void *context);
int maps_events_open(struct maps *maps, maps_event *handler, void *context);
void maps_events_close(struct maps *maps);
int maps_events_fd(const struct maps *maps);
/* Hands at most `limit` records to the handler: how many, or -errno. */
int maps_events_drain(struct maps *maps, int limit);
/* Bytes waiting in the ring. */
uint64_t maps_events_waiting(const struct maps *maps);

/* How many entries are in use; false where that is not counted. */
bool maps_used(struct maps *maps, enum map_id id, uint64_t *used);
/* Bytes of one entry as the kernel keeps it. */
uint64_t maps_entry_bytes(const struct maps *maps, enum map_id id);
const char *maps_type_name(const struct maps *maps, enum map_id id);

struct maps_blocks {
	uint64_t allocated; /* DRAINING included */
	uint64_t held;
	uint64_t free;     /* of enabled and disabled addresses in use */
	uint64_t mappings; /* live, or not yet reclaimed */
};
/* Sessions that are up, as the map has them. */
uint32_t maps_sessions_count(const struct maps *maps);
void maps_blocks_count(const struct maps *maps, struct maps_blocks *blocks);

/* Has the first fragment of a datagram been noted, not longer ago than counts? `rest`:
 * bng_fragment_rest. */
bool maps_fragment_noted(const struct maps *maps, uint32_t source_be, uint32_t destination_be, uint32_t rest);

/* The data plane's clock (abi/meta.h), and in ticks. */
uint64_t maps_now_ns(const struct maps *maps);
uint32_t maps_tick(const struct maps *maps);

#endif
