/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Filtering by the remote end (abi/flow.h): noted when a packet goes out, asked
 * when one comes in.
 */
#ifndef BNG_DATAPLANE_FLOW_H
#define BNG_DATAPLANE_FLOW_H

#include "abi/flow.h"
#include "abi/mapping_word.h"
#include "cgnat_find.h"

#define POOL_FILTERS   (BNG_POOL_FILTER_ADDRESS | BNG_POOL_FILTER_PORT)
#define POOL_BY_REMOTE (POOL_FILTERS | BNG_POOL_PORT_TIMERS | BNG_POOL_ALG_FTP)

#define FLOW_TRUSTED_TICKS 8 /* two seconds */

struct flow_search {
	__u64 head; /* port | remote_be << 32, as in struct bng_flow */
	__u64 tail; /* the rest, without the tick */
	__u32 hash;
	__u32 mask; /* of bucket indexes */
	__u32 tick;
	__u32 trusted; /* ticks for which an entry is alive without another look */
	struct bng_flow *found;
};

static __always_inline struct bng_flow_bucket *flow_bucket(const struct flow_search *search, __u32 probe)
{
	__u32 index = (search->hash + probe) & search->mask;

	return bpf_map_lookup_elem(&flow, &index);
}

/* The inner port, as far as there is room for it in an entry. */
static __always_inline __u8 flow_tag(__u64 word)
{
	return word ^ word >> 8;
}

/* True while the mapping that sent it is there, and by that mapping's own timer. */
static __always_inline int flow_alive(const struct bng_flow *entry, __u32 tick)
{
	struct bng_pool_address *address = pool_address_get(entry->port >> 16);
	struct bng_pool *nat_pool = address ? pool_get(address->pool) : NULL;
	__u64 *mapped = port_word(entry->port), word;
	struct bng_port_block *block;

	if (!nat_pool || !mapped)
		return 0;
	block = port_block_get(block_index(entry->port, address));
	word = *(volatile __u64 *)mapped;
	if (!block || bng_mapping_word_protocol(word) != entry->protocol ||
	    flow_tag(word) != entry->inner_tag || (__s32)(entry->last_tick - block->changed_tick) < 0)
		return 0;
	return (__s32)(tick - entry->last_tick) <= (__s32)nat_pool->timeout[bng_mapping_word_state(word) & 7];
}

static __always_inline int flow_matches(const struct bng_flow *entry, const struct flow_search *search)
{
	return *(volatile __u64 *)entry == search->head &&
	       (*(__u64 *)&entry->remote_port_be & 0xffffffff) == search->tail;
}

/* One bucket; nearly every search ends in the first one. */
static long flow_step(__u32 probe, struct flow_search *search)
{
	struct bng_flow_bucket *bucket = flow_bucket(search, probe);

	if (!bucket)
		return 1;
#pragma unroll
	for (int i = 0; i < BNG_FLOWS_PER_BUCKET; i++) {
		struct bng_flow *entry = &bucket->entry[i];

		if (!flow_matches(entry, search))
			continue;
		if ((__u32)(search->tick - entry->last_tick) < search->trusted ||
		    flow_alive(entry, search->tick))
			search->found = entry;
		return 1;
	}
	return 0;
}

/* An entry that nobody needs any more. */
static long flow_room_step(__u32 probe, struct flow_search *search)
{
	struct bng_flow_bucket *bucket = flow_bucket(search, probe);

	if (!bucket)
		return 1;
	for (int i = 0; i < BNG_FLOWS_PER_BUCKET; i++) {
		struct bng_flow *entry = &bucket->entry[i];

		if (!*(volatile __u64 *)entry || !flow_alive(entry, search->tick)) {
			search->found = entry;
			return 1;
		}
	}
	return 0;
}

/* `remote` is what flow_remote made. */
static __always_inline void flow_search_run(struct flow_search *search, __u32 port, __be32 remote_be,
					    __u32 remote)
{
	struct bng_meta *facts = meta_get();

	search->mask = facts ? facts->flow_mask : 0;
	search->head = port | (__u64)remote_be << 32;
	search->tail = remote;
	search->hash = (port * 0x9e3779b1 ^ remote_be * 0x85ebca6b ^ (__u32)search->tail * 0xc2b2ae35);
	search->hash ^= search->hash >> 15;
	if (!flow_step(0, search))
		bpf_loop(BNG_FLOW_PROBES, flow_step, search, 0);
}

/* Notes that `port` has sent to a remote end: 0, or a verdict when there is no
 * room. Its mapping is alive, so an entry that was noted a moment ago is good: what
 * else says so lies in lines that a packet from inside has no other use for. */
__noinline int flow_note(__u32 port, __u32 remote_be, __u32 remote, __u32 tick)
{
	struct flow_search search = {.tick = tick, .trusted = FLOW_TRUSTED_TICKS};
	__u64 before;

	flow_search_run(&search, port, remote_be, remote);
	if (search.found) {
		if ((__s32)(tick - search.found->last_tick) > 0)
			search.found->last_tick = tick;
		return 0;
	}
	bpf_loop(BNG_FLOW_PROBES, flow_room_step, &search, 0);
	if (!search.found)
		return BNG_DROP_CGNAT_FLOW_FULL;
	before = *(volatile __u64 *)search.found;
	if (__sync_val_compare_and_swap((__u64 *)search.found, before, search.head) != before)
		return BNG_DROP_CGNAT_BUSY;
	*(volatile __u64 *)&search.found->remote_port_be = search.tail | (__u64)tick << 32;
	return 0;
}

/* 0 if the remote end may send to `port`, else a verdict. */
__noinline int flow_ask(__u32 port, __u32 remote_be, __u32 remote, __u32 tick)
{
	struct flow_search search = {.tick = tick};

	flow_search_run(&search, port, remote_be, remote);
	return search.found ? 0 : BNG_DROP_CGNAT_FILTER;
}

/* A remote end as the two take it: what of it counts, by the pool's filtering, for
 * the mapping `word`. */
static __always_inline __u32 flow_remote(const struct bng_pkt *pkt, __be16 remote_port_be, __u8 pool_flags,
					 __u64 word)
{
	int port_counts = (pool_flags & BNG_POOL_FILTER_PORT) && pkt->protocol != BNG_PROTOCOL_ICMP;

	return (port_counts ? remote_port_be : 0) | (__u32)pkt->protocol << 16 | (__u32)flow_tag(word) << 24;
}

#endif
