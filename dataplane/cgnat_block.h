/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Taking a port block for a session: which public address, which block.
 *
 * Paired pooling (RFC 6888 REQ-2): a session takes blocks of its address only. A
 * session that holds no block at all may be paired anew, when its address has none
 * left. controld may move a session (bng_subscriber.address_index) at any moment;
 * both change the index by compare-and-swap from what they have read, so that a move
 * is never undone by a packet that had begun before it. A block that such a packet
 * gets is one of the address that the session has left, and drains like the others.
 * In a deterministic pool its own blocks come first. A block is owned by whoever
 * claimed it (abi/cgnat.h); the caller holds the session's lock.
 */
#ifndef BNG_DATAPLANE_CGNAT_BLOCK_H
#define BNG_DATAPLANE_CGNAT_BLOCK_H

#include "cgnat_find.h"
#include "event.h"

#define ADDRESS_TRIES 4096 /* how many public addresses one packet may look at */

/* Position of the lowest set bit of a word that is not 0: the ones below it are
 * counted, without branches for the verifier to follow (BPF has no such
 * instruction, and clang 14 none to put in its place). */
static __always_inline __u32 lowest_bit(__u64 word)
{
	__u64 below = (word & -word) - 1;

	below -= (below >> 1) & 0x5555555555555555ULL;
	below = (below & 0x3333333333333333ULL) + ((below >> 2) & 0x3333333333333333ULL);
	below = (below + (below >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (below * 0x0101010101010101ULL) >> 56;
}

/* Sets one random clear bit of the word: its position, or -1 when it is full. */
static __always_inline int take_bit(__u64 *word, __u32 random)
{
#pragma unroll
	for (int attempt = 0; attempt < 4; attempt++) {
		__u64 free = ~*(volatile __u64 *)word;
		__u32 turn = random & 63, bit;

		if (!free)
			return -1;
		/* Turned right by `turn`, so that any free bit may come first. */
		free = free >> turn | free << ((64 - turn) & 63);
		bit = (lowest_bit(free) + turn) & 63;
		if (!(__sync_fetch_and_or(word, 1ULL << bit) & (1ULL << bit)))
			return bit;
	}
	return -1;
}

/* Takes a free block of one address: its number, or -1. `shift`: as large as the blocks
 * the session has; 0: it has none. */
__noinline int cgnat_take_from(__u32 index, __u32 shift)
{
	struct bng_pool_address *address = pool_address_get(index);
	__u32 random = bpf_get_prandom_u32(), start = random >> 8, words;
	struct bng_port_block *block;

	if (!address)
		return -1;
	words = (BNG_BLOCKS_PER_ADDRESS_MAX >> ((address->block_shift - BNG_BLOCK_SHIFT_MIN) & 15)) / 64;
	if (!(address->flags & BNG_POOL_ADDRESS_ENABLED) || !address->free_blocks)
		return -1;
	if (shift && shift != address->block_shift)
		return -1;
	if (!words)
		words = 1;
	for (__u32 i = 0; i < BNG_BLOCKS_PER_ADDRESS_MAX / 64; i++) {
		__u32 word = (start + i) & (words - 1) & (BNG_BLOCKS_PER_ADDRESS_MAX / 64 - 1);
		int bit = take_bit(&address->taken[word], random);

		if (bit >= 0) {
			__sync_fetch_and_add(&address->free_blocks, -1);
			block = port_block_get(address->first_block + word * 64 + bit);
			if (!block || !block_move(block, BNG_BLOCK_FREE, BNG_BLOCK_CLAIMED))
				return -1; /* the rule has just changed; bng_sweep gives the bit back */
			__sync_fetch_and_add(&address->allocations, 1);
			return word * 64 + bit;
		}
		if (i + 1 >= words)
			break;
	}
	return -1;
}

/* Index of the n-th address of a pool, or BNG_NO_ADDRESS_INDEX. */
static __always_inline __u32 pool_nth_address(struct bng_pool *nat_pool, __u32 n)
{
	for (__u32 i = 0; i < BNG_POOL_SEGMENTS && i < nat_pool->segment_count; i++) {
		if (n < nat_pool->segment[i].count)
			return nat_pool->segment[i].first_index + n;
		n -= nat_pool->segment[i].count;
	}
	return BNG_NO_ADDRESS_INDEX;
}

struct address_search {
	__u32 pool;
	__u32 start;
	__u32 shift;
	__u32 index; /* found */
	int block;
};

static long address_step(__u32 step, struct address_search *search)
{
	struct bng_pool *nat_pool = pool_get(search->pool);

	if (!nat_pool || step >= nat_pool->address_count)
		return 1;
	search->index = pool_nth_address(nat_pool, (search->start + step) % nat_pool->address_count);
	search->block = cgnat_take_from(search->index, search->shift);
	return search->block >= 0;
}

/* Unless controld has moved the session meanwhile. */
static __always_inline void session_pair(struct bng_subscriber *session, __u32 from, __u32 to)
{
	__sync_val_compare_and_swap(&session->address_index, from, to);
}

/* Whether the block that starts at `first` is the session's by the pool's rule. */
static __always_inline int block_is_fixed(const struct bng_subscriber *session,
					  const struct bng_pool *nat_pool, __u32 first, __u32 shift)
{
	__u32 fixed = *(volatile __u32 *)&session->fixed;

	return fixed && first - fixed < (__u32)nat_pool->fixed_blocks << (shift & 15);
}

/* Hold-down keeps a block from others, not from the client that had it last. */
static __always_inline int block_held_for(const struct bng_port_block *block,
					  const struct bng_subscriber *session, __u32 slot)
{
	if (block->slot != slot)
		return 0;
	return block->session_id == session->session_id ||
	       (session->returned && (__u16)(block->generation + 1) == session->generation);
}

/* Nobody has it, or it is held down for this very session. */
static __always_inline int fixed_claim(struct bng_pool_address *address, struct bng_port_block *block,
				       const struct bng_subscriber *session, __u32 slot)
{
	if (block_move(block, BNG_BLOCK_FREE, BNG_BLOCK_CLAIMED))
		return 1;
	if (!block_held_for(block, session, slot) || !block_move(block, BNG_BLOCK_HELD, BNG_BLOCK_CLAIMED))
		return 0;
	__sync_fetch_and_add(&address->held_blocks, -1);
	return 1;
}

/* Takes the session's own block that starts at `first`, if it may. */
static __always_inline int fixed_take(const struct bng_subscriber *session, __u32 slot, __u32 first)
{
	struct bng_pool_address *address = pool_address_get(first >> 16);
	struct bng_port_block *block = block_of_port(first);

	if (!address || !block || !(address->flags & BNG_POOL_ADDRESS_ENABLED) ||
	    !fixed_claim(address, block, session, slot))
		return 0;
	__sync_fetch_and_add(&address->allocations, 1);
	return 1;
}

/* Takes one of the session's own blocks: its first port, or 0. A session with blocks
 * is only given those of `home`, the address for which they were counted. */
__noinline __u32 cgnat_take_fixed(__u32 slot, __u32 home, __u32 has_blocks)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_pool *nat_pool = session ? pool_get(session->pool) : NULL;
	struct bng_pool_address *address;
	__u32 fixed;

	if (!session || !nat_pool)
		return 0;
	fixed = *(volatile __u32 *)&session->fixed;
	address = fixed ? pool_address_get(fixed >> 16) : NULL;
	if (!address || (has_blocks && (home != fixed >> 16 || session->block_shift != address->block_shift)))
		return 0;
	for (__u32 i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER && i < nat_pool->fixed_blocks; i++) {
		__u32 first = fixed + (i << (address->block_shift & 15));

		if (!fixed_take(session, slot, first))
			continue;
		session_pair(session, home, fixed >> 16);
		return first;
	}
	return 0;
}

/* Takes a dynamic block for the session: from `home`, the address for which its blocks
 * were counted, or for a session without blocks from any. The block's first port, or 0. */
__noinline __u32 cgnat_take_anywhere(__u32 slot, __u32 home, __u32 has_blocks)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct address_search search = {.index = home, .block = -1};
	struct bng_pool_address *address;

	if (!session)
		return 0;
	search.shift = has_blocks ? session->block_shift : 0;
	search.block = cgnat_take_from(search.index, search.shift);
	address = pool_address_get(search.index);
	if (search.block < 0 && !(address && has_blocks)) {
		search.pool = session->pool;
		search.start = bpf_get_prandom_u32();
		bpf_loop(ADDRESS_TRIES, address_step, &search, 0);
		address = pool_address_get(search.index);
		if (search.block >= 0)
			session_pair(session, home, search.index);
	}
	if (!address)
		return 0;
	if (search.block < 0) {
		__sync_fetch_and_add(&address->alloc_failures, 1);
		return 0;
	}
	return search.index << 16 | ((__u32)search.block << (address->block_shift & 15) & 0xffff);
}

/* Gives the session the block that starts at `first`, which has been taken, as
 * block[hole]. 0 or a verdict. */
__noinline int cgnat_give_block(__u32 slot, __u32 hole, __u32 first)
{
	struct bng_pool_address *address = pool_address_get(first >> 16);
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_port_block *block = block_of_port(first);
	struct bng_pool *nat_pool = session ? pool_get(session->pool) : NULL;
	struct bng_meta *facts = meta_get();
	__u32 word = BNG_BLOCK_ALLOCATED << 16;
	__u64 now_ns;

	if (!session || !nat_pool || !facts || !address || !block)
		return BNG_DROP_INTERNAL;
	now_ns = clock_now(facts);
	word |= session->generation;
	if (block_is_fixed(session, nat_pool, first, address->block_shift))
		word |= BNG_BLOCK_DETERMINISTIC << 24;
	block->slot = slot;
	block->first = first;
	block->used = 0;
	block->max_probe = 0;
	block->session_id = session->session_id;
	block->changed_tick = clock_tick(now_ns);
	session->block_shift = address->block_shift;
	/* Last and with a full barrier: from here on it may be used. */
	__sync_lock_test_and_set((__u32 *)&block->generation, word);
	session->block[hole & (BNG_BLOCKS_PER_SUBSCRIBER - 1)] = first;
	event_block(facts, BNG_EVENT_BLOCK_ALLOCATED, now_ns, block, address, session->address_be);
	return 0;
}

#endif
