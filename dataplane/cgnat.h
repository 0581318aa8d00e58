/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CGNAT on the packet path: find the mapping, keep it alive, say what the packet
 * becomes. The packet itself is changed in rewrite.h.
 *
 * Endpoint-independent mapping and filtering (RFC 4787 REQ-1, REQ-8; RFC 5382
 * REQ-1, REQ-3). Refreshed by packets from inside; for TCP also from outside.
 */
#ifndef BNG_DATAPLANE_CGNAT_H
#define BNG_DATAPLANE_CGNAT_H

#include "cgnat_create.h"
#include "cgnat_tcp.h"
#include "session.h"

#define REFRESH_TRIES 4

/* Such a packet never opens a mapping, nor a dead one again. */
static __always_inline int is_reset(const struct bng_pkt *pkt)
{
	return pkt->protocol == BNG_PROTOCOL_TCP && (pkt->tcp_flags & TCP_RST);
}

/* The word after this packet. `fresh`: as if the mapping had just been made. */
static __always_inline __u64 mapping_advance(const struct bng_pkt *pkt, __u64 word, int from_inside,
					     int fresh)
{
	__u8 state = bng_mapping_word_state(word);
	__u32 tick = pkt->tick;

	if (pkt->protocol != BNG_PROTOCOL_TCP) {
		if (!from_inside)
			return word;
		return bng_mapping_word(bng_mapping_word_key(word), state, bng_mapping_word_flags(word),
					tick);
	}
	struct tcp_track track = {state, bng_mapping_word_flags(word)};

	if (fresh)
		track = (struct tcp_track){BNG_MAPPING_TCP_PARTIAL, 0};
	track = cgnat_tcp_next(track, from_inside, pkt->tcp_flags);
	return bng_mapping_word(bng_mapping_word_key(word), track.state, track.fins, tick);
}

/* Advances the entry if it still is `key`'s. 0: gone. */
static __always_inline int mapping_touch(const struct bng_pkt *pkt, __u64 *word, __u32 key,
					 const struct bng_pool *nat_pool, int from_inside)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < REFRESH_TRIES; i++) {
		__u64 before = *(volatile __u64 *)word, after;
		int expired;

		if (bng_mapping_word_key(before) != key)
			return 0;
		expired = bng_mapping_word_free(before, nat_pool->timeout, pkt->tick);
		if (expired && (!from_inside || is_reset(pkt)))
			return 0;
		after = mapping_advance(pkt, before, from_inside, expired);
		if (after == before || __sync_val_compare_and_swap(word, before, after) == before)
			return 1;
	}
	return 1; /* others keep it alive this very moment */
}

static __always_inline __u8 first_state(__u8 protocol)
{
	if (protocol == BNG_PROTOCOL_TCP)
		return BNG_MAPPING_TCP_PARTIAL;
	return protocol == BNG_PROTOCOL_UDP ? BNG_MAPPING_UDP : BNG_MAPPING_ICMP;
}

/* The first bucket of the first block: where nearly every packet ends. */
static __always_inline __u64 find_first(const struct bng_subscriber *session, __u32 key)
{
	__u32 hash = cgnat_hash(session->port_key, key), first = session->block[0];

	if (!first)
		return PORT_NONE;
	return bucket_find(probe_bucket(first, hash, session->block_shift & 15, 0), key, hash);
}

/* Where the mapping was found or made; or PORT_REFUSED | verdict. */
static __always_inline __u64 find_or_create(struct bng_pkt *pkt, __u32 key, int first_try)
{
	__u64 port = first_try ? find_first(pkt->session, key) : PORT_NONE;

	if (port != PORT_NONE)
		return port;
	if (is_reset(pkt)) {
		port = cgnat_search(pkt->slot, key);
		return port != PORT_NONE ? port : PORT_REFUSED | BNG_DROP_TCP_FLAGS;
	}
	return cgnat_create(pkt->slot, key, first_state(pkt->protocol), pkt->tick);
}

/* Public end of the packet's source: 0, *address_be, *port_be; or a verdict. */
static __always_inline int cgnat_up(struct bng_pkt *pkt, __be32 *address_be, __be16 *port_be)
{
	__u32 key = bng_mapping_key(pkt->protocol, pkt->source_port_be);
	struct bng_pool *nat_pool = pool_get(pkt->session->pool);
	struct bng_pool_address *address;
	__u64 port, *word;

	if (!nat_pool)
		return BNG_DROP_INTERNAL;
		/* A second try, should the mapping be reclaimed between finding and touching. */
#pragma clang loop unroll(disable)
	for (int attempt = 0; attempt < 2; attempt++) {
		port = find_or_create(pkt, key, attempt == 0);
		if (port >= PORT_REFUSED)
			return port & 0xff;
		word = port_word(port);
		address = pool_address_get((__u32)port >> 16);
		if (!word || !address)
			return BNG_DROP_INTERNAL;
		if (mapping_touch(pkt, word, key, nat_pool, 1)) {
			*address_be = address->address_be;
			*port_be = bpf_htons(port & 0xffff);
			return 0;
		}
	}
	return is_reset(pkt) ? BNG_DROP_TCP_FLAGS : BNG_DROP_CGNAT_BUSY;
}

static __always_inline int refuse_unmapped(struct bng_pool_address *address)
{
	__sync_fetch_and_add(&address->drops, 1);
	return BNG_DROP_CGNAT_NO_MAPPING;
}

/* Owner and inner port of the packet's destination, which is the public address
 * `index`. Fills slot and subscriber; 0 or a verdict. */
static __always_inline int cgnat_down(struct bng_pkt *pkt, __u32 index, __be16 *inner_port_be)
{
	struct bng_pool_address *address = pool_address_get(index);
	__u32 port = index << 16 | bpf_ntohs(pkt->destination_port_be);
	struct bng_subscriber *session;
	struct bng_port_block *block;
	struct bng_pool *nat_pool;
	__u64 *word = port_word(port), before;

	if (!address || !word)
		return BNG_DROP_INTERNAL;
	block = port_block_get(block_index(port, address));
	nat_pool = pool_get(address->pool);
	if (!block || !nat_pool)
		return BNG_DROP_INTERNAL;
	before = *(volatile __u64 *)word;
	if (bng_mapping_word_protocol(before) != pkt->protocol ||
	    !mapping_touch(pkt, word, bng_mapping_word_key(before), nat_pool, 0))
		return refuse_unmapped(address);
	session = subscriber_get(block->slot);
	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE || session->generation != block->generation)
		return BNG_DROP_CGNAT_STALE;
	pkt->slot = block->slot;
	pkt->session = session;
	*inner_port_be = before & 0xffff;
	return 0;
}

#endif
