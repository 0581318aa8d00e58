/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Rules of deterministic pools in the maps, see the header. bng_sweep and packets
 * work on the same words meanwhile: every change is one atomic operation, and a block
 * belongs to whoever claimed it, whatever its bit says (dataplane/abi/cgnat.h).
 */
#include "controld/cgnat/deterministic.h"

#include "controld/cgnat/plan.h"
#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/maps/fixed.h"
#include "dataplane/abi/event.h"
#include "lib/clock.h"

static void each_session(struct controld *controld,
			 void (*change)(struct bng_subscriber *record, uint32_t fixed))
{
	for (uint32_t i = 1; i < maps_entries(controld->maps, MAP_subscriber); i++) {
		struct bng_subscriber *record = &controld->maps->subscriber[i];

		if (record->state == BNG_SUBSCRIBER_ACTIVE)
			change(record, fixed_of_record(controld, record));
	}
}

static void leave(struct bng_subscriber *record, uint32_t fixed)
{
	if (record->fixed != fixed)
		fixed_move(record, 0);
}

void deterministic_leave_fixed(struct controld *controld)
{
	each_session(controld, leave);
}

void deterministic_move_fixed(struct controld *controld)
{
	each_session(controld, fixed_move);
}

static void close_block(struct bng_pool_address *record, uint32_t number)
{
	uint64_t bit = 1ULL << (number % 64);

	if (!(__atomic_fetch_or(&record->taken[number / 64], bit, __ATOMIC_SEQ_CST) & bit))
		__atomic_fetch_sub(&record->free_blocks, 1, __ATOMIC_RELAXED);
}

/* One that is in use is opened by bng_sweep when it is free: it has seen dynamic_from,
 * or we see its FREE. */
static void open_block(struct maps *maps, struct bng_pool_address *record, uint32_t number)
{
	const struct bng_port_block *block = &maps->port_block[record->first_block + number];
	uint64_t bit = 1ULL << (number % 64);

	if (__atomic_load_n(&block->state, __ATOMIC_SEQ_CST) == BNG_BLOCK_FREE &&
	    __atomic_fetch_and(&record->taken[number / 64], ~bit, __ATOMIC_SEQ_CST) & bit)
		__atomic_fetch_add(&record->free_blocks, 1, __ATOMIC_RELAXED);
}

void deterministic_set_blocks(struct maps *maps, uint32_t index, uint32_t next)
{
	struct bng_pool_address *record = &maps->pool_address[index];
	uint32_t before = cgnat_first_dynamic(record->block_shift, record->dynamic_from);
	uint32_t after = cgnat_first_dynamic(record->block_shift, next);

	__atomic_store_n(&record->dynamic_from, (uint16_t)next, __ATOMIC_SEQ_CST);
	for (uint32_t number = before; number < after; number++)
		close_block(record, number);
	for (uint32_t number = after; number < before; number++)
		open_block(maps, record, number);
}

void deterministic_keep_blocks(struct maps *maps)
{
	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++) {
		struct bng_pool_address *record = &maps->pool_address[i];

		for (uint32_t number = 0; record->address_be && number < record->dynamic_from; number++)
			if (!(record->taken[number / 64] >> (number % 64) & 1))
				close_block(record, number);
	}
}

static bool is_stray(const struct maps *maps, const struct bng_port_block *block)
{
	const struct bng_subscriber *owner = &maps->subscriber[block->slot];
	uint32_t size = (uint32_t)maps->pool[owner->pool % BNG_POOLS].fixed_blocks << owner->block_shift;

	return block->state == BNG_BLOCK_ALLOCATED && block->flags & BNG_BLOCK_DETERMINISTIC &&
	       owner->session_id == block->session_id &&
	       !(owner->fixed && block->first - owner->fixed < size);
}

/* False: it is being given back, which is told as it should be. */
static bool take_flag(struct bng_port_block *block)
{
	uint32_t *word = (uint32_t *)&block->generation;
	uint32_t before = __atomic_load_n(word, __ATOMIC_SEQ_CST);
	uint32_t after = before & ~((uint32_t)BNG_BLOCK_DETERMINISTIC << 24);

	return (before >> 16 & 0xff) == BNG_BLOCK_ALLOCATED &&
	       __atomic_compare_exchange_n(word, &before, after, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void tell(struct controld *controld, const struct bng_port_block *block)
{
	const struct bng_pool_address *address = &controld->maps->pool_address[block->first >> 16];
	struct bng_event event = {
		.type = BNG_EVENT_BLOCK_ALLOCATED,
		.slot = block->slot,
		.time_ns = clock_boottime_ns(),
		.session_id = block->session_id,
		.inner_be = controld->maps->subscriber[block->slot].address_be,
		.public_be = address->address_be,
		.port_first = (uint16_t)block->first,
		.port_last = (uint16_t)(block->first + (1u << address->block_shift) - 1),
		.pool = address->pool,
	};

	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->events)
			bng_features[i]->events->event(controld, &event);
}

void deterministic_tell_strays(struct controld *controld)
{
	struct maps *maps = controld->maps;
	uint32_t high = maps->meta->block_high;

	for (uint32_t i = 0; i < high && i < maps_entries(maps, MAP_port_block); i++) {
		struct bng_port_block *block = &maps->port_block[i];

		if (block->slot < maps_entries(maps, MAP_subscriber) &&
		    block->first >> 16 < maps_entries(maps, MAP_pool_address) && is_stray(maps, block) &&
		    take_flag(block))
			tell(controld, block);
	}
}
