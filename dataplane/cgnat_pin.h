/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Port forwardings: controld asks for one by a packet into bng_inject (abi/punt.h),
 * so that the mapping is made where mappings are made, under the session's lock and
 * by the same rules. It is a mapping like any other, with the flag PINNED.
 *
 * A lease (abi/pcp.h) is the same with a record that says how long. Its mapping is made
 * as one that has not been used: what nobody inside has used ends with the lease.
 *
 * A chosen public port must lie in a block the session has or can get; a mapping
 * elsewhere in a block is found because max_probe covers its distance. A session that
 * was moved gets it at its address if it can, else in a block it still has elsewhere.
 */
#ifndef BNG_DATAPLANE_CGNAT_PIN_H
#define BNG_DATAPLANE_CGNAT_PIN_H

#include "cgnat.h"
#include "lease.h"

#define PIN_TRIES 8
#define PIN_FRESH 1 /* with the flags: the mapping was made for it */

struct pin_search {
	__u32 pool;
	__u32 number; /* of the block */
	__u32 shift;
	__u32 index; /* public address where it was free */
	__u32 taken;
};

/* Takes one certain block of a public address, by dynamic allocation. */
static __always_inline int pin_take_block(__u32 index, __u32 number, __u32 shift)
{
	struct bng_pool_address *address = pool_address_get(index);
	__u64 bit = 1ULL << (number & 63);
	struct bng_port_block *block;

	if (!address || !(address->flags & BNG_POOL_ADDRESS_ENABLED) || address->block_shift != shift)
		return 0;
	block = port_block_get(address->first_block + number);
	if (!block)
		return 0;
	if (__sync_fetch_and_or(&address->taken[(number / 64) & (BNG_BLOCKS_PER_ADDRESS_MAX / 64 - 1)], bit) &
	    bit)
		return 0;
	__sync_fetch_and_add(&address->free_blocks, -1);
	if (!block_move(block, BNG_BLOCK_FREE, BNG_BLOCK_CLAIMED))
		return 0;
	__sync_fetch_and_add(&address->allocations, 1);
	return 1;
}

/* The same, where it is one of the session's own. */
static __always_inline int pin_take_fixed(struct bng_subscriber *session, __u32 slot,
					  const struct pin_search *search, const struct holding *has)
{
	__u32 first = search->index << 16 | search->number << search->shift;
	struct bng_pool *nat_pool = pool_get(session->pool);

	if (!nat_pool || !block_is_fixed(session, nat_pool, first, search->shift) ||
	    (has->blocks + has->old && has->home != search->index) || !fixed_take(session, slot, first))
		return 0;
	session_pair(session, has->home, search->index);
	return 1;
}

static long pin_step(__u32 step, struct pin_search *search)
{
	struct bng_pool *nat_pool = pool_get(search->pool);

	if (!nat_pool || step >= nat_pool->address_count)
		return 1;
	search->index = pool_nth_address(nat_pool, step);
	search->taken = pin_take_block(search->index, search->number, search->shift);
	return search->taken;
}

/* One more block for the session, the one that holds `wanted`: its first port, or 0.
 * Paired pooling: only a session without blocks may choose the address. */
__noinline __u32 pin_new_block(__u32 slot, __u32 wanted)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct pin_search search = {};
	struct holding has;
	__u32 first;

	if (!session)
		return 0;
	has = count_blocks(slot, *(volatile __u32 *)&session->address_index);
	if (has.hole == BNG_BLOCKS_PER_SUBSCRIBER || has.blocks >= session->max_blocks)
		return 0;
	search.shift = session->block_shift & 15;
	search.pool = session->pool;
	search.number = (wanted & 0xffff) >> search.shift;
	search.index = session->fixed >> 16;
	search.taken = pin_take_fixed(session, slot, &search, &has);
	if (!search.taken) {
		search.index = has.home;
		search.taken = pin_take_block(search.index, search.number, search.shift);
	}
	if (!search.taken && !has.blocks && !has.old) {
		bpf_loop(ADDRESS_TRIES, pin_step, &search, 0);
		if (search.taken)
			session_pair(session, has.home, search.index);
	}
	if (!search.taken)
		return 0;
	first = search.index << 16 | search.number << search.shift;
	return cgnat_give_block(slot, has.hole, first) ? 0 : first;
}

/* The session's block that holds the port number `wanted`, at its address or
 * elsewhere: its first port, or 0. */
static __always_inline __u32 pin_own_block(struct bng_subscriber *session, __u32 wanted, int elsewhere)
{
	__u32 home = *(volatile __u32 *)&session->address_index, found = 0;

	for (__u32 i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		__u32 first = *(volatile __u32 *)&session->block[i];

		if (first && (first >> 16 != home) == elsewhere &&
		    ((first ^ wanted) & 0xffff) >> (session->block_shift & 15) == 0)
			found = first;
	}
	return found;
}

/* The mapping at exactly `wanted`, with the lock held: a port, or PORT_REFUSED | verdict. */
__noinline __u64 pin_create_at(__u32 slot, __u32 key, __u32 wanted, __u32 tick)
{
	struct bng_subscriber *session = subscriber_get(slot);
	__u32 first = session ? pin_own_block(session, wanted, 0) : 0, port, buckets;
	struct create create = {.port = PORT_NONE};
	int elsewhere = 0;
	__u64 *word;

	if (!session)
		return PORT_REFUSED | BNG_DROP_INTERNAL;
	if (!first)
		first = pin_new_block(slot, wanted);
	if (!first)
		elsewhere = !!(first = pin_own_block(session, wanted, 1));
	port = (first & 0xffff0000) | (wanted & 0xffff);
	create.block = first ? block_of_port(port) : NULL;
	create.pool = pool_get(session->pool);
	word = port_word(port);
	if (!create.block || !create.pool || !word ||
	    *(volatile __u8 *)&create.block->state != BNG_BLOCK_ALLOCATED)
		return PORT_REFUSED | BNG_DROP_CGNAT_PORT_TAKEN;
	create.word = mapping_new_word(key, first_state(key >> 16), tick);
	create.hash = cgnat_hash(session->port_key, key);
	create.at_limit = is_at_limit(session);
	buckets = 1U << (((session->block_shift & 15) - 3) & 15);
	if (!entry_take(&create, word,
			((port - first) / BNG_PORTS_PER_BUCKET - (create.hash >> 3)) & (buckets - 1)))
		return PORT_REFUSED | BNG_DROP_CGNAT_PORT_TAKEN;
	create.port = port;
	if (elsewhere)
		count_fallback(session->address_index);
	session->created++;
	return create_count(&create, session);
}

/* The same, taking the lock. */
static __always_inline __u64 pin_create(__u32 slot, __u32 key, __u32 wanted, __u32 tick)
{
	struct bng_subscriber *session = subscriber_get(slot);
	__u32 mine = tick | 1;
	__u64 port;

	if (!session || !lock_take(session, mine))
		return PORT_REFUSED | BNG_DROP_CGNAT_BUSY;
	port = cgnat_search(slot, key);
	if (port == PORT_NONE)
		port = pin_create_at(slot, key, wanted, tick);
	__sync_val_compare_and_swap(&session->lock, mine, 0);
	return port;
}

/* The word of a mapping that is to be pinned. A lease takes nothing from others. */
static __always_inline __u64 pin_word(__u64 before, const struct bng_pool *nat_pool, __u8 flags, __u32 tick)
{
	__u32 key = bng_mapping_word_key(before);
	int fresh = flags & PIN_FRESH, lease = (flags & BNG_MAPPING_PINNED) == BNG_MAPPING_PIN_PCP;
	__u64 after = before;

	if (lease && (bng_mapping_word_flags(before) & BNG_MAPPING_PINNED))
		return before;
	if (bng_mapping_word_free(before, nat_pool->timeout, tick)) {
		after = mapping_new_word(key, first_state(key >> 16), tick);
		fresh = 1;
	}
	if (lease && fresh)
		after = (after & 0xffffffffULL) |
			(__u64)(tick - nat_pool->timeout[bng_mapping_word_state(after) & 7] - 1) << 32;
	return (after & ~((__u64)BNG_MAPPING_PINNED << 24)) | (__u64)(flags & BNG_MAPPING_PINNED) << 24;
}

/* Pins the mapping of `port`, if it still is `key`'s; a dead one begins anew. */
static __always_inline int pin_mark(__u32 port, __u32 key, __u8 flags, __u32 tick)
{
	struct bng_pool_address *address = pool_address_get(port >> 16);
	struct bng_pool *nat_pool = address ? pool_get(address->pool) : NULL;
	__u64 *word = port_word(port);

	if (!word || !nat_pool)
		return BNG_DROP_INTERNAL;
#pragma clang loop unroll(disable)
	for (int i = 0; i < PIN_TRIES; i++) {
		__u64 before = *(volatile __u64 *)word;

		if (bng_mapping_word_key(before) != key)
			return BNG_DROP_CGNAT_BUSY;
		if (__sync_val_compare_and_swap(word, before, pin_word(before, nat_pool, flags, tick)) ==
		    before)
			return BNG_INJECT_PIN;
	}
	return BNG_DROP_CGNAT_BUSY;
}

/* `wanted`: public port number or 0, flags above. The verdict. */
__noinline int pin_set(__u32 slot, __u32 key, __u32 wanted, __u32 tick)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_pool *nat_pool = session ? pool_get(session->pool) : NULL;
	__u8 flags = wanted >> 16;
	__u64 port;

	if (!nat_pool || !nat_pool->address_count || (session->flags & BNG_SUBSCRIBER_EXEMPT))
		return BNG_DROP_CGNAT_NO_POOL;
	if (cgnat_search(slot, key) == PORT_NONE)
		flags |= PIN_FRESH;
	if (wanted & 0xffff)
		port = pin_create(slot, key, wanted & 0xffff, tick);
	else
		port = cgnat_create(slot, key, first_state(key >> 16), tick);
	if (port >= PORT_REFUSED)
		return port & 0xff;
	if ((wanted & 0xffff) && (port & 0xffff) != (wanted & 0xffff))
		return BNG_DROP_CGNAT_PORT_TAKEN; /* the inner port has another until it ends */
	return pin_mark(port, key, flags, tick);
}

/* The timer runs again, from now. TCP as after its end, so that it is short. */
static __always_inline __u64 pin_cleared(__u64 word, __u32 tick)
{
	__u32 key = bng_mapping_word_key(word);

	return bng_mapping_word(key,
				key >> 16 == BNG_PROTOCOL_TCP ? BNG_MAPPING_TCP_CLOSING : BNG_MAPPING_UDP,
				bng_mapping_word_flags(word) & ~BNG_MAPPING_PINNED, tick);
}

/* Whose pin `is_lease` says; another's stays. */
__noinline int pin_clear(__u32 slot, __u32 key, __u32 tick, int is_lease)
{
	__u64 port = cgnat_search(slot, key), *word = port == PORT_NONE ? NULL : port_word(port);

	if (!word)
		return BNG_INJECT_PIN;
#pragma clang loop unroll(disable)
	for (int i = 0; i < PIN_TRIES; i++) {
		__u64 before = *(volatile __u64 *)word, after;
		__u8 pin = bng_mapping_word_flags(before) & BNG_MAPPING_PINNED;

		if (bng_mapping_word_key(before) != key || !pin || (pin == BNG_MAPPING_PIN_PCP) != is_lease)
			return BNG_INJECT_PIN;
		after = is_lease ? lease_ended(before) : pin_cleared(before, tick);
		if (__sync_val_compare_and_swap(word, before, after) == before)
			return BNG_INJECT_PIN;
	}
	return BNG_DROP_CGNAT_BUSY;
}

/* Makes the mapping of a lease and writes down what became of it: the verdict. */
static __always_inline int lease_take(struct bng_punt *header, struct bng_pin *pin, __u32 record, __u32 key,
				      __u32 tick)
{
	struct bng_pcp *lease = record ? pcp_get(record) : NULL;
	__u64 life, port;
	int verdict;

	if (!lease || lease->session_id != pin->session_id || lease->slot != header->slot ||
	    bng_mapping_key(lease->protocol, lease->inner_port_be) != key)
		return BNG_DROP_INJECT;
	life = *(volatile __u64 *)&lease->life;
	if (bng_pcp_state(life) != BNG_PCP_ACTIVE || (__s32)(tick - bng_pcp_deadline(life)) > 0)
		return BNG_DROP_INJECT;
	verdict = pin_set(header->slot, key, pin->public_port | BNG_MAPPING_PIN_PCP << 16, tick);
	if (verdict == BNG_INJECT_PIN) {
		port = cgnat_search(header->slot, key);
		__sync_lock_test_and_set(&lease->port, port == PORT_NONE ? 0 : port);
		verdict = lease_confirm(lease) ? verdict : BNG_DROP_CGNAT_BUSY;
	}
	__sync_lock_test_and_set(&lease->answer, verdict);
	return verdict;
}

/* A request of controld, what is_punt said yes to: the verdict. */
static __always_inline int pin_take(struct bng_pkt *pkt)
{
	struct bng_punt *header = pkt->data;
	struct bng_pin *pin = (void *)(header + 1);
	struct bng_meta *facts = meta_get();
	struct bng_subscriber *session;
	__u32 key, tick;

	if ((void *)(header + 1) > pkt->end || (void *)(pin + 1) > pkt->end || !facts)
		return BNG_DROP_INJECT;
	session = header->slot ? subscriber_get(header->slot) : NULL;
	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE || session->session_id != pin->session_id)
		return BNG_DROP_NO_SESSION;
	if (pin->protocol != BNG_PROTOCOL_UDP && pin->protocol != BNG_PROTOCOL_TCP)
		return BNG_DROP_INJECT;
	key = bng_mapping_key(pin->protocol, pin->inner_port_be);
	tick = clock_tick(clock_now(facts));
	if (pin->action == BNG_PIN_CLEAR || pin->action == BNG_PIN_LEASE_END)
		return pin_clear(header->slot, key, tick, pin->action == BNG_PIN_LEASE_END);
	if (pin->public_port && pin->public_port < BNG_FIRST_PORT)
		return BNG_DROP_INJECT;
	if (pin->action == BNG_PIN_LEASE) {
		struct bng_pin_lease *wanted = (void *)pin;

		return (void *)(wanted + 1) > pkt->end ? BNG_DROP_INJECT
						       : lease_take(header, pin, wanted->record, key, tick);
	}
	if (pin->action != BNG_PIN_SET)
		return BNG_DROP_INJECT;
	return pin_set(header->slot, key,
		       pin->public_port | (pin->flags ? BNG_MAPPING_PIN_CONFIG : BNG_MAPPING_PIN_RPC) << 16,
		       tick);
}

#endif
