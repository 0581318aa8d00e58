/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Whose tunnel it is: map `tunnel` (abi/tunnel.h).
 */
#ifndef BNG_DATAPLANE_TUNNEL_FIND_H
#define BNG_DATAPLANE_TUNNEL_FIND_H

#include "abi/tunnel.h"
#include "cgnat_find.h"

#define TUNNEL_NONE  (1ULL << 63) /* | 1 + a place for one, if there is any */
#define TUNNEL_TRIES 4

struct tunnel_search {
	__u32 index; /* of the public address */
	__u32 remote_be;
	__u32 protocol;
	__u32 tick;
	__u32 mine; /* a port that is not looked for; 0: none */
	__u32 hash;
	__u64 found; /* a port, or TUNNEL_NONE */
};

static __always_inline __u64 *tunnel_word(__u32 place)
{
	__u32 bucket = place / BNG_TUNNELS_PER_BUCKET % (BNG_TUNNELS / BNG_TUNNELS_PER_BUCKET);
	struct bng_tunnel_bucket *line = bpf_map_lookup_elem(&tunnel, &bucket);

	return line ? (__u64 *)&line->entry[place % BNG_TUNNELS_PER_BUCKET] : NULL;
}

/* The protocol (enum bng_protocol) of an entry that counts, else 0. */
static __always_inline __u32 tunnel_alive(__u64 entry, __u32 tick)
{
	__u32 port = entry, remote_be = entry >> 32;
	struct bng_pool_address *address = pool_address_get(port >> 16);
	struct bng_pool *nat_pool = address ? pool_get(address->pool) : NULL;
	__u64 *mapped = port_word(port), word;
	struct bng_subscriber *session;
	struct bng_port_block *block;

	if (!nat_pool || !mapped)
		return 0;
	word = *(volatile __u64 *)mapped;
	block = port_block_get(block_index(port, address));
	session = block ? subscriber_get(block->slot) : NULL;
	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE || session->generation != block->generation)
		return 0;
	if (!bng_tunnel_mapped(word, remote_be, nat_pool->timeout, tick))
		return 0;
	return bng_mapping_word_protocol(word);
}

static long tunnel_step(__u32 probe, struct tunnel_search *search)
{
	__u32 place = (search->hash + probe) % BNG_TUNNELS, protocol;
	__u64 *word = tunnel_word(place), entry;
	int named;

	if (!word)
		return 1;
	entry = *(volatile __u64 *)word;
	named = (__u32)entry >> 16 == search->index && entry >> 32 == search->remote_be;
	if (entry && !named && search->found != TUNNEL_NONE)
		return 0;
	protocol = entry ? tunnel_alive(entry, search->tick) : 0;
	if (!protocol && search->found == TUNNEL_NONE)
		search->found = TUNNEL_NONE | (place + 1);
	if (!protocol || !named || protocol != search->protocol || (__u32)entry == search->mine)
		return 0;
	search->found = (__u32)entry;
	return 1;
}

/* The port of the tunnel between a public address and a remote end, other than
 * `mine`; or TUNNEL_NONE with a place. */
__noinline __u64 tunnel_find(__u32 index, __u32 remote_be, __u32 protocol, __u32 tick, __u32 mine)
{
	struct tunnel_search search = {index, remote_be, protocol, tick, mine, 0, TUNNEL_NONE};

	search.hash = index * 0x9e3779b1 ^ remote_be * 0x85ebca6b ^ protocol * 0xc2b2ae35;
	search.hash ^= search.hash >> 15;
	bpf_loop(BNG_TUNNEL_PROBES, tunnel_step, &search, 0);
	return search.found;
}

/* Makes the tunnel that of `port`, whose mapping is alive: 0 or a verdict. */
__noinline int tunnel_claim(__u32 port, __u32 remote_be, __u32 protocol, __u32 tick)
{
	__u64 mine = port | (__u64)remote_be << 32, found, before, *word;

#pragma clang loop unroll(disable)
	for (int i = 0; i < TUNNEL_TRIES; i++) {
		found = tunnel_find(port >> 16, remote_be, protocol, tick, 0);
		if (!(found & TUNNEL_NONE))
			return (__u32)found == port ? 0 : BNG_DROP_TUNNEL_TAKEN;
		if (found == TUNNEL_NONE)
			return BNG_DROP_TUNNEL_FULL;
		word = tunnel_word((__u32)found - 1);
		before = word ? *(volatile __u64 *)word : 0;
		if (!word || (before && tunnel_alive(before, tick)))
			continue;
		if (__sync_val_compare_and_swap(word, before, mine) != before)
			continue;
		if (tunnel_find(port >> 16, remote_be, protocol, tick, port) & TUNNEL_NONE)
			return 0;
		__sync_val_compare_and_swap(word, mine, 0);
		return BNG_DROP_TUNNEL_TAKEN;
	}
	return BNG_DROP_CGNAT_BUSY;
}

#endif
