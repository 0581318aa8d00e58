/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reclaiming, once a second, run by the holder: expired mappings, empty blocks,
 * blocks whose hold-down is over, sessions that were closed, leases that have ended.
 *
 * It decides nothing about a packet: whether a mapping is expired is seen on the
 * packet path. It takes no lock (abi/cgnat.h). Work in one run is bounded by
 * bng_meta.sweep_budget; the next run goes on where this one stopped.
 */
#ifndef BNG_DATAPLANE_SWEEP_H
#define BNG_DATAPLANE_SWEEP_H

#include "cgnat_find.h"
#include "event.h"
#include "lease.h"
#include "tunnel_find.h"

#define SWEEP_BUDGET   8192
#define SWEEP_RELEASES 4096
#define RELEASE_GRACE  2 /* ticks: longer than any packet takes */

struct sweep {
	struct bng_meta *meta;
	__u64 now_ns;
	__u32 tick;
	__u32 released; /* closed sessions looked at in this run */
};

struct block_sweep {
	const struct sweep *sweep;
	struct bng_port_block *block;
	struct bng_subscriber *owner;
	const struct bng_pool *pool;
	__u32 bucket; /* index of its first one */
	int all;      /* everything goes, expired or not */
	__u32 left;   /* entries that stay */
};

static long sweep_bucket(__u32 step, struct block_sweep *work)
{
	struct bng_mapping_bucket *bucket = bucket_get_swept(work->bucket + step);

	if (!bucket)
		return 1;
	for (__u32 i = 0; i < BNG_PORTS_PER_BUCKET; i++) {
		__u64 *word = bucket_word(bucket, i), before = *(volatile __u64 *)word;

		if (!(before & BNG_MAPPING_PROTOCOL_MASK))
			continue;
		if (!work->all && !bng_mapping_word_free(before, work->pool->timeout, work->sweep->tick)) {
			work->left = 1;
			continue;
		}
		if (__sync_val_compare_and_swap(word, before, 0) != before) {
			work->left = 1;
			continue;
		}
		__sync_fetch_and_add(&work->block->used, -1);
		__sync_fetch_and_add(&work->owner->mappings, -1);
		__sync_fetch_and_add(&work->sweep->meta->sweep_expired, 1);
	}
	return 0;
}

/* Takes the block off the owner's list. */
static __always_inline void block_unlink(struct bng_subscriber *owner, __u32 first)
{
	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++)
		__sync_val_compare_and_swap(&owner->block[i], first, 0);
}

/* An empty block goes back and is held down. */
static __always_inline void block_give_back(const struct sweep *sweep, struct bng_port_block *block,
					    struct bng_subscriber *owner, struct bng_pool_address *address)
{
	block_unlink(owner, block->first);
	event_block(sweep->meta, BNG_EVENT_BLOCK_FREED, sweep->now_ns, block, address, owner->address_be);
	block->changed_tick = sweep->tick;
	block_move(block, BNG_BLOCK_DRAINING, BNG_BLOCK_HELD);
	__sync_fetch_and_add(&address->held_blocks, 1);
	__sync_fetch_and_add(&sweep->meta->sweep_released, 1);
}

/* Expires mappings of one allocated block and gives it back if none is left. */
static __noinline int sweep_allocated(const struct sweep *sweep, struct bng_port_block *block,
				      struct bng_pool_address *address, int all)
{
	struct block_sweep work = {.sweep = sweep, .block = block, .all = all};
	__u32 buckets = 1U << ((address->block_shift - 3) & 15);

	work.owner = subscriber_get(block->slot);
	work.pool = pool_get(address->pool);
	work.bucket = block->first / BNG_PORTS_PER_BUCKET;
	if (!work.owner || !work.pool)
		return 0;
	if (!all) {
		bpf_loop(buckets, sweep_bucket, &work, 0);
		if (work.left)
			return 0;
	}
	work.left = 0;
	if (*(volatile __u8 *)&block->state != BNG_BLOCK_DRAINING &&
	    !block_move(block, BNG_BLOCK_ALLOCATED, BNG_BLOCK_DRAINING))
		return 0;
	bpf_loop(buckets, sweep_bucket, &work, 0);
	if (work.left)
		block_move(block, BNG_BLOCK_DRAINING, BNG_BLOCK_ALLOCATED);
	else
		block_give_back(sweep, block, work.owner, address);
	return 0;
}

/* True if the block stays: neither long enough held down nor one too many of its address
 * (RFC 6888 REQ-8: time and number are configurable). */
static __always_inline int block_is_held(const struct sweep *sweep, const struct bng_port_block *block,
					 struct bng_pool_address *address)
{
	__s32 most = sweep->meta->hold_down_blocks, held = *(volatile __s32 *)&address->held_blocks;

	return sweep->tick - block->changed_tick <= sweep->meta->hold_down_ticks && (!most || held <= most);
}

/* The hold-down is over: anybody may have it, or in a deterministic pool its owner. */
static __always_inline void block_set_free(const struct sweep *sweep, struct bng_port_block *block,
					   struct bng_pool_address *address)
{
	__u32 number = (block->first & 0xffff) >> (address->block_shift & 15);
	__u64 bit = 1ULL << (number & 63);

	if (block_is_held(sweep, block, address))
		return;
	if (!block_move(block, BNG_BLOCK_HELD, BNG_BLOCK_FREE))
		return; /* its owner has it again */
	__sync_fetch_and_add(&address->held_blocks, -1);
	if (number < *(volatile __u16 *)&address->dynamic_from)
		return;
	if (__sync_fetch_and_and(&address->taken[(number / 64) & (BNG_BLOCKS_PER_ADDRESS_MAX / 64 - 1)],
				 ~bit) &
	    bit)
		__sync_fetch_and_add(&address->free_blocks, 1);
}

static long sweep_block(__u32 step, struct sweep *sweep)
{
	__u32 high = sweep->meta->block_high, index = sweep->meta->sweep_cursor;
	struct bng_pool_address *address;
	struct bng_port_block *block;

	if (index >= high)
		index = 0;
	block = port_block_get(index);
	sweep->meta->sweep_cursor = index + 1;
	if (!block || step >= high)
		return 1;
	address = pool_address_get(block->first >> 16);
	if (!address)
		return 0;
	if (block->state == BNG_BLOCK_ALLOCATED || block->state == BNG_BLOCK_DRAINING)
		sweep_allocated(sweep, block, address, 0);
	else if (block->state == BNG_BLOCK_HELD)
		block_set_free(sweep, block, address);
	return 0;
}

/* Gives back every block of a closed session. True when none is left. */
static __noinline int release_blocks(const struct sweep *sweep, struct bng_subscriber *session)
{
	int left = 0;

	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		__u32 first = *(volatile __u32 *)&session->block[i];
		struct bng_pool_address *address = pool_address_get(first >> 16);
		struct bng_port_block *block = first ? block_of_port(first) : NULL;

		if (!block || !address)
			continue;
		sweep_allocated(sweep, block, address, 1);
		left |= *(volatile __u32 *)&session->block[i] != 0;
	}
	return !left;
}

/* Last and with a full barrier: from here on the slot may be opened again. */
static __always_inline void subscriber_set_free(struct bng_subscriber *session)
{
	__u32 *word = (__u32 *)&session->mac[4], before = *(volatile __u32 *)word;

	__sync_val_compare_and_swap(word, before, before & 0xff00ffff);
}

static __noinline int release_done(const struct sweep *sweep, struct bng_subscriber *session, __u32 slot)
{
	struct bng_event *event = event_new(sweep->meta, BNG_EVENT_SESSION_RELEASED, slot, sweep->now_ns);

	if (event) {
		event->session_id = session->session_id;
		event->inner_be = session->address_be;
		event->pool = session->pool;
		event_send(event);
	}
	session->address_index = BNG_NO_ADDRESS_INDEX;
	session->closed_tick = 0;
	subscriber_set_free(session);
	return 0;
}

/* True when the slot needs no other look. A packet that was on its way when the
 * session was closed may still take a block, so FREE comes only after a grace period. */
static __noinline int release_slot(const struct sweep *sweep, __u32 slot)
{
	struct bng_subscriber *session = subscriber_get(slot);

	if (!session || session->state != BNG_SUBSCRIBER_CLOSING)
		return 1;
	if (!session->closed_tick)
		session->closed_tick = sweep->tick | 1;
	/* Signed: closed_tick may be one ahead. */
	if (!release_blocks(sweep, session) || (__s32)(sweep->tick - session->closed_tick) <= RELEASE_GRACE)
		return 0;
	release_done(sweep, session, slot);
	return 1;
}

struct release {
	struct sweep *sweep;
	struct bng_slot_group *group;
	__u32 first; /* slot of the group */
};

/* The bit goes first and comes back if need be: who closes a session meanwhile sets
 * it again, and is not overlooked. */
static long sweep_slot(__u32 step, struct release *release)
{
	__u64 bit = 1ULL << (step & 63),
	      *word = &release->group->word[step / 64 % (BNG_SLOTS_PER_GROUP / 64)];

	if (!(*(volatile __u64 *)word & bit))
		return 0;
	__sync_fetch_and_and(word, ~bit);
	if (!release_slot(release->sweep, release->first + step))
		__sync_fetch_and_or(word, bit);
	return ++release->sweep->released >= SWEEP_RELEASES;
}

static long sweep_group(__u32 index, struct sweep *sweep)
{
	struct bng_slot_group *group = bpf_map_lookup_elem(&closing, &index);
	struct release release = {.sweep = sweep, .group = group, .first = index * BNG_SLOTS_PER_GROUP};
	__u64 any = 0;

	if (!group || sweep->released >= SWEEP_RELEASES)
		return 1;
	for (int i = 0; i < BNG_SLOTS_PER_GROUP / 64; i++)
		any |= *(volatile __u64 *)&group->word[i];
	if (any)
		bpf_loop(BNG_SLOTS_PER_GROUP, sweep_slot, &release, 0);
	return 0;
}

/* Tunnels that do not count any more. First in each run, so that it is done before a
 * port of theirs has its next owner: a closed session's count no longer, and a block whose
 * mappings expired is held until a later run. */
static long sweep_tunnels(__u32 step, struct sweep *sweep)
{
	for (__u32 i = 0; i < BNG_TUNNELS_PER_BUCKET; i++) {
		__u64 *word = tunnel_word(step * BNG_TUNNELS_PER_BUCKET + i), seen;

		if (!word)
			return 1;
		seen = *(volatile __u64 *)word;
		if (seen && !tunnel_alive(seen, sweep->tick))
			__sync_val_compare_and_swap(word, seen, 0);
	}
	return 0;
}

static __always_inline void sweep_run(struct bng_meta *facts)
{
	struct sweep sweep = {.meta = facts};
	__u32 budget = facts->sweep_budget ? facts->sweep_budget : SWEEP_BUDGET;

	sweep.now_ns = bpf_ktime_get_boot_ns();
	facts->clock_offset_ns = sweep.now_ns - bpf_ktime_get_ns();
	sweep.now_ns += facts->clock_injected_ns;
	sweep.tick = clock_tick(sweep.now_ns);
	lease_sweep_run(facts, sweep.tick);
	bpf_loop(BNG_TUNNELS / BNG_TUNNELS_PER_BUCKET, sweep_tunnels, &sweep, 0);
	bpf_loop(BNG_SLOT_GROUPS(BNG_SLOTS_MAX), sweep_group, &sweep, 0);
	bpf_loop(budget, sweep_block, &sweep, 0);
	facts->sweep_runs++;
}

#endif
