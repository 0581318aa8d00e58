/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Every map of the data plane. Those with LIBBPF_PIN_BY_NAME outlive programs
 * and processes; the others belong to one generation of the object. Sizes are
 * defaults: those that SIZED says are the configuration's when a map is made.
 *
 * The big arrays are mmapable: their data then starts on a page, so that a
 * 64-byte record is one cache line, and controld reads them without a system
 * call.
 */
#ifndef BNG_DATAPLANE_MAPS_H
#define BNG_DATAPLANE_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "abi/alg.h"
#include "abi/cgnat.h"
#include "abi/event.h"
#include "abi/filter.h"
#include "abi/first_packet.h"
#include "abi/flow.h"
#include "abi/fragment.h"
#include "abi/interface.h"
#include "abi/meta.h"
#include "abi/pcp.h"
#include "abi/pppoe.h"
#include "abi/punt.h"
#include "abi/subscriber.h"
#include "abi/tunnel.h"
#include "abi/verdict.h"
#include "route_cache.h"

/* The map has so many entries: `what` in /sizes of the configuration, times / by + plus.
 * In the object's BTF, where whoever loads it reads it (controld/maps/sizes.h). */
#define SIZED(what, times, by, plus) SIZED_TAG(what, times, by, plus)
#define SIZED_TAG(what, times, by, plus)                                                                     \
	__attribute__((btf_decl_tag("entries:" #what "*" #times "/" #by "+" #plus)))

#define DURABLE __uint(pinning, LIBBPF_PIN_BY_NAME)

#define DURABLE_ARRAY(name, type_of_value, entries)                                                          \
	struct {                                                                                             \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                            \
		__uint(map_flags, BPF_F_MMAPABLE);                                                           \
		__uint(max_entries, entries);                                                                \
		__type(key, __u32);                                                                          \
		__type(value, type_of_value);                                                                \
		DURABLE;                                                                                     \
	} name SEC(".maps")

DURABLE_ARRAY(meta, struct bng_meta, 1);
DURABLE_ARRAY(subscriber, struct bng_subscriber, 131072) SIZED(subscribers, 1, 1, 0);
DURABLE_ARRAY(closing, struct bng_slot_group, BNG_SLOT_GROUPS(131072))
SIZED(subscribers, 1, BNG_SLOTS_PER_GROUP, 1);
DURABLE_ARRAY(pool, struct bng_pool, BNG_POOLS);
DURABLE_ARRAY(port_timer, struct bng_port_timers, BNG_POOLS);
DURABLE_ARRAY(pool_address, struct bng_pool_address, 64) SIZED(public_addresses, 1, 1, 0);
DURABLE_ARRAY(port_block, struct bng_port_block, 8192) SIZED(port_blocks, 1, 1, 0);
DURABLE_ARRAY(mapping, struct bng_mapping_bucket, 64 * 8192)
SIZED(public_addresses, 65536, BNG_PORTS_PER_BUCKET, 0);
DURABLE_ARRAY(range, struct bng_ranges, 2);
DURABLE_ARRAY(flow, struct bng_flow_bucket, 65536) SIZED(flows, 1, BNG_FLOWS_PER_BUCKET, 0);
DURABLE_ARRAY(tunnel, struct bng_tunnel_bucket, BNG_TUNNELS / BNG_TUNNELS_PER_BUCKET);
DURABLE_ARRAY(fragment, struct bng_fragment, BNG_FRAGMENTS);
DURABLE_ARRAY(interface, struct bng_interface, BNG_INTERFACES);
DURABLE_ARRAY(pcp, struct bng_pcp, 65536) SIZED(pcp, 1, 1, 0);
DURABLE_ARRAY(punt_limit, struct bng_punt_limit, BNG_PUNT_REASONS);
DURABLE_ARRAY(pppoe_limit, struct bng_pppoe_limit, BNG_PPPOE_LIMITS);
DURABLE_ARRAY(filter, struct bng_filter, BNG_FILTERS);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
	DURABLE;
} slot_of_address SEC(".maps") SIZED(subscribers, 1, 1, 0);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, struct bng_pppoe_key);
	__type(value, __u32);
	DURABLE;
} pppoe_session SEC(".maps") SIZED(subscribers, 1, 1, 0);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BNG_INTERFACES);
	__type(key, __u32);
	__type(value, __u32);
	DURABLE;
} interface_of_ifindex SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct bng_gateway_key);
	__type(value, __u32);
	DURABLE;
} gateway SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, BNG_INTERFACES);
	__type(key, __u32);
	__type(value, __u32);
	DURABLE;
} tx_interface SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BNG_ALG_ENTRIES);
	__type(key, struct bng_alg_key);
	__type(value, struct bng_alg);
	DURABLE;
} alg SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct bng_exempt_key);
	__type(value, __u32);
	DURABLE;
} exempt SEC(".maps") SIZED(exempt, 1, 1, 0);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct bng_exempt_port_key);
	__type(value, __u32);
	DURABLE;
} exempt_port SEC(".maps") SIZED(exempt, 1, 1, 0);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, BNG_FIRST_PACKET_PREFIXES);
	__type(key, struct bng_first_packet_key);
	__type(value, __u32);
	DURABLE;
} first_packet_prefix SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BNG_VERDICT_SLOTS);
	__type(key, __u32);
	__type(value, struct bng_count);
	DURABLE;
} reason_count SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2 * BNG_FILTERS);
	__type(key, __u32);
	__type(value, struct bng_filter_hits);
	DURABLE;
} filter_hit SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
	DURABLE;
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ROUTE_CACHE_ENTRIES);
	__type(key, __u32);
	__type(value, struct route);
} route_cache SEC(".maps");

/* Token buckets of PPPoE discovery: the time at which each is full again. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BNG_PPPOE_LIMITS *BNG_PPPOE_BUCKETS);
	__type(key, __u32);
	__type(value, __u64);
} pppoe_bucket SEC(".maps");

#define FIRST_PACKET_SOURCES_SHIFT 10

/* When each source may send its next first packet, as rate_allow has it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << FIRST_PACKET_SOURCES_SHIFT);
	__type(key, __u32);
	__type(value, __u64);
} first_packet_source SEC(".maps");

#ifdef BNG_BRIDGE
#include "bridge_maps.h"
#else
/* Whether an entry is where it is looked for; whether all are; whether one was not. */
#define BRIDGE_READY(map, index) 1
#define bridge_is_done()         1
#define bridge_gave_up()         0
#define INLINE_IN_BRIDGE         __noinline
#endif

static __always_inline struct bng_meta *meta_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&meta, &zero);
}

static __always_inline struct bng_subscriber *subscriber_get(__u32 slot)
{
	return BRIDGE_READY(subscriber, slot) ? bpf_map_lookup_elem(&subscriber, &slot) : NULL;
}

static __always_inline struct bng_interface *interface_get(__u32 index)
{
	return bpf_map_lookup_elem(&interface, &index);
}

static __always_inline struct bng_pcp *pcp_get(__u32 index)
{
	return BRIDGE_READY(pcp, index) ? bpf_map_lookup_elem(&pcp, &index) : NULL;
}

static __always_inline struct bng_pool_address *pool_address_get(__u32 index)
{
	return BRIDGE_READY(pool_address, index) ? bpf_map_lookup_elem(&pool_address, &index) : NULL;
}

static __always_inline struct bng_pool *pool_get(__u32 index)
{
	return bpf_map_lookup_elem(&pool, &index);
}

static __always_inline struct bng_port_block *port_block_get(__u32 index)
{
	return BRIDGE_READY(port_block, index) ? bpf_map_lookup_elem(&port_block, &index) : NULL;
}

static __always_inline struct bng_mapping_bucket *bucket_get(__u32 index)
{
	return BRIDGE_READY(mapping, index) ? bpf_map_lookup_elem(&mapping, &index) : NULL;
}

/* The same for bng_sweep, which in a bridge begins when all is moved. */
static __always_inline struct bng_mapping_bucket *bucket_get_swept(__u32 index)
{
	return bpf_map_lookup_elem(&mapping, &index);
}

#endif
