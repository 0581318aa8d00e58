/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Where a mapping is: the search order of abi/cgnat.h.
 *
 * A "port" here is a global port: public address index << 16 | port number.
 */
#ifndef BNG_DATAPLANE_CGNAT_FIND_H
#define BNG_DATAPLANE_CGNAT_FIND_H

#include "abi/mapping_word.h"
#include "packet.h"

#define PORT_NONE (~0ULL)

/* Mixes an inner end with the session's secret: the low bits pick the port, so
 * an outsider who sees some ports cannot tell the next one. */
static __always_inline __u32 cgnat_hash(__u32 secret, __u32 key)
{
	__u32 hash = key * 0x9e3779b1 + secret;

	hash ^= hash >> 16;
	hash *= 0x85ebca6b;
	hash += secret;
	hash ^= hash >> 13;
	hash *= 0xc2b2ae35;
	return hash ^ hash >> 16;
}

/* Where in a bucket the search for `key` begins. A UDP port keeps its parity if it
 * can (RFC 4787 REQ-4). */
static __always_inline __u32 probe_entry(__u32 hash, __u32 key)
{
	__u32 parity = (key >> 8) & 1; /* of the inner port, which is big-endian in the key */

	return key >> 16 == BNG_PROTOCOL_UDP ? (hash & 6) | parity : hash & 7;
}

static __always_inline __u64 *bucket_word(struct bng_mapping_bucket *bucket, __u32 entry)
{
	/* Masked whatever the compiler knows: the verifier of 6.1 may have lost it. */
	asm volatile("" : "+r"(entry));
	return (__u64 *)&bucket->entry[entry & (BNG_PORTS_PER_BUCKET - 1)];
}

static __always_inline __u64 *port_word(__u32 port)
{
	struct bng_mapping_bucket *bucket = bucket_get(port / BNG_PORTS_PER_BUCKET);

	return bucket ? bucket_word(bucket, port) : NULL;
}

/* The port-th bucket of a search in the block that starts at `first`. */
static __always_inline __u32 probe_bucket(__u32 first, __u32 hash, __u32 shift, __u32 probe)
{
	__u32 buckets = 1U << (shift - 3);

	return first / BNG_PORTS_PER_BUCKET + (((hash >> 3) + probe) & (buckets - 1));
}

/* Looks for `key` in one bucket, the most likely entry first. */
static __always_inline __u64 bucket_find(__u32 index, __u32 key, __u32 start)
{
	struct bng_mapping_bucket *bucket = bucket_get(index);

	if (!bucket)
		return PORT_NONE;
#pragma unroll
	for (__u32 i = 0; i < BNG_PORTS_PER_BUCKET; i++) {
		__u32 entry = (start + i) & (BNG_PORTS_PER_BUCKET - 1);

		if (bng_mapping_word_key(*bucket_word(bucket, entry)) == key)
			return (__u64)index * BNG_PORTS_PER_BUCKET + entry;
	}
	return PORT_NONE;
}

static __always_inline __u32 block_index(__u32 port, struct bng_pool_address *address)
{
	return address->first_block + ((port & 0xffff) >> (address->block_shift & 15));
}

static __always_inline struct bng_port_block *block_of_port(__u32 port)
{
	struct bng_pool_address *address = pool_address_get(port >> 16);

	return address ? port_block_get(block_index(port, address)) : NULL;
}

#define MOVE_TRIES 4

/* Changes a block's state, and nothing else of its word; 0: it was another, or somebody
 * else changes it right now. A full barrier. */
static __always_inline int block_move(struct bng_port_block *block, __u32 from, __u32 to)
{
	__u32 *word = (__u32 *)&block->generation;

#pragma clang loop unroll(disable)
	for (int i = 0; i < MOVE_TRIES; i++) {
		__u32 before = *(volatile __u32 *)word;

		if ((before >> 16 & 0xff) != from)
			return 0;
		if (__sync_val_compare_and_swap(word, before, (before & 0xff00ffff) | to << 16) == before)
			return 1;
	}
	return 0;
}

struct probe_search {
	__u32 first;
	__u32 hash;
	__u32 shift;
	__u32 key;
	__u64 found;
};

static long probe_step(__u32 index, struct probe_search *search)
{
	search->found = bucket_find(probe_bucket(search->first, search->hash, search->shift, index),
				    search->key, probe_entry(search->hash, search->key));
	return search->found != PORT_NONE;
}

/* All that a session has. A global function, like the others of the slow path: the
 * verifier looks at it once. */
__noinline __u64 cgnat_search(__u32 slot, __u32 key)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct probe_search search = {.key = key, .found = PORT_NONE};

	if (!session)
		return PORT_NONE;
	search.hash = cgnat_hash(session->port_key, key);
	search.shift = session->block_shift & 15;
	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		struct bng_port_block *block;

		search.first = *(volatile __u32 *)&session->block[i];
		block = search.first ? block_of_port(search.first) : NULL;
		if (!block)
			continue;
		bpf_loop((block->max_probe & 0xfff) + 1, probe_step, &search, 0);
		if (search.found != PORT_NONE)
			return search.found;
	}
	return PORT_NONE;
}

#endif
