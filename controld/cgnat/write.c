/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Writing a plan to the maps, in an order in which packets see nothing half
 * done: new records, then the ranges that lead to them, then the pools that give
 * them out; what goes is disabled first and cleared last.
 */
#include <arpa/inet.h>
#include <string.h>

#include "controld/cgnat/deterministic.h"
#include "controld/cgnat/plan.h"
#include "controld/controld.h"
#include "controld/maps/fixed.h"
#include "controld/maps/names.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"

static void write_fresh(struct maps *maps, const struct plan_address *address)
{
	struct bng_pool_address *record = &maps->pool_address[address->index];
	uint32_t blocks = cgnat_blocks_of(address->shift);
	struct bng_pool_address new = {
		.address_be = htonl(address->address),
		.first_block = address->first_block,
		.pool = address->pool,
		.block_shift = address->shift,
		.dynamic_from = address->dynamic_from,
		.free_blocks = blocks - cgnat_first_dynamic(address->shift, address->dynamic_from),
	};

	cgnat_bitmap_empty(address->shift, address->dynamic_from, new.taken);
	memset(&maps->port_block[address->first_block], 0, blocks * sizeof(*maps->port_block));
	__atomic_store_n(&record->flags, 0, __ATOMIC_RELEASE);
	*record = new;
}

static void raise_block_high(struct maps *maps, uint32_t high)
{
	if (maps->meta->block_high < high)
		__atomic_store_n(&maps->meta->block_high, high, __ATOMIC_RELEASE);
}

static void write_ranges(struct maps *maps, const struct cgnat_plan *plan)
{
	struct bng_ranges next = *maps_ranges(maps);

	memset(next.outer, 0, sizeof(next.outer));
	memcpy(next.outer, plan->outer, plan->outer_count * sizeof(plan->outer[0]));
	next.public_count = plan->outer_count;
	maps_ranges_publish(maps, &next);
}

/* Sessions that had the pool's default limit have the new one. */
static void change_limits(struct maps *maps, uint8_t index, const struct bng_pool *next)
{
	const struct bng_pool *now = &maps->pool[index];

	if (now->max_blocks == next->max_blocks && now->max_mappings == next->max_mappings)
		return;
	for (uint32_t i = 1; i < maps_entries(maps, MAP_subscriber); i++) {
		struct bng_subscriber *record = &maps->subscriber[i];

		if (record->state != BNG_SUBSCRIBER_ACTIVE || record->pool != index ||
		    record->flags & BNG_SUBSCRIBER_EXEMPT)
			continue;
		if (record->max_blocks == now->max_blocks)
			__atomic_store_n(&record->max_blocks, next->max_blocks, __ATOMIC_RELAXED);
		if (record->max_mappings == now->max_mappings)
			__atomic_store_n(&record->max_mappings, next->max_mappings, __ATOMIC_RELAXED);
	}
}

/* An entry is one word: packets see the old one or the new one. */
static void write_port_timers(struct bng_port_timers *now, const struct bng_port_timers *next)
{
	for (int i = 0; i < BNG_PORT_TIMERS; i++) {
		uint64_t word;

		memcpy(&word, &next->entry[i], sizeof(word));
		__atomic_store_n((uint64_t *)&now->entry[i], word, __ATOMIC_RELEASE);
	}
}

static void write_pools(struct controld *controld, const struct cgnat_plan *plan)
{
	struct maps *maps = controld->maps;

	for (uint8_t i = 0; i < BNG_POOLS; i++) {
		names_set_pool(controld, i, plan->pool_name[i]);
		write_port_timers(&maps->port_timer[i], &plan->port_timers[i]);
		if (!memcmp(&maps->pool[i], &plan->pool[i], sizeof(maps->pool[i])))
			continue;
		change_limits(maps, i, &plan->pool[i]);
		/* A packet between the old and the new list finds an address that is disabled
		 * or of another pool only by a bound that is too large: shrink it first. */
		if (plan->pool[i].address_count < maps->pool[i].address_count)
			__atomic_store_n(&maps->pool[i].address_count, plan->pool[i].address_count,
					 __ATOMIC_RELEASE);
		maps->pool[i] = plan->pool[i];
	}
	__atomic_store_n(&maps->meta->pool_count, plan->pool_count, __ATOMIC_RELAXED);
}

static void write_flags(struct maps *maps, const struct cgnat_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		uint8_t *flags = &maps->pool_address[plan->addresses[i].index].flags;

		if (plan->addresses[i].wanted)
			__atomic_fetch_or(flags, BNG_POOL_ADDRESS_ENABLED, __ATOMIC_RELEASE);
		else
			__atomic_fetch_and(flags, (uint8_t)~BNG_POOL_ADDRESS_ENABLED, __ATOMIC_RELEASE);
	}
}

/* No session may stay paired with an index that will be another address. */
static void unpair(struct maps *maps, uint32_t index)
{
	for (uint32_t i = 1; i < maps_entries(maps, MAP_subscriber); i++) {
		uint32_t expected = index;

		if (maps->subscriber[i].address_index == index)
			__atomic_compare_exchange_n(&maps->subscriber[i].address_index, &expected,
						    BNG_NO_ADDRESS_INDEX, false, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED);
	}
}

static void clear_gone(struct maps *maps, const struct cgnat_plan *plan)
{
	char text[ADDRESS_TEXT];

	for (size_t i = 0; i < plan->count; i++) {
		const struct plan_address *address = &plan->addresses[i];

		if (!address->gone)
			continue;
		unpair(maps, address->index);
		memset(&maps->pool_address[address->index], 0, sizeof(maps->pool_address[0]));
		log_info("public address %s is drained and taken out",
			 address_format(htonl(address->address), text));
	}
}

static void write_dynamic_from(struct maps *maps, const struct cgnat_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->addresses[i].wanted && !plan->addresses[i].fresh)
			deterministic_set_blocks(maps, plan->addresses[i].index,
						 plan->addresses[i].dynamic_from);
}

void cgnat_plan_write(struct controld *controld, struct cgnat_plan *plan)
{
	struct maps *maps = controld->maps;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->addresses[i].fresh)
			write_fresh(maps, &plan->addresses[i]);
	raise_block_high(maps, plan->block_high);
	write_ranges(maps, plan);
	for (uint8_t i = 0; i < BNG_POOLS; i++) {
		fixed_set_rule(controld, i, plan->rule[i]);
		plan->rule[i] = NULL;
	}
	deterministic_leave_fixed(controld);
	controld->names->rules_ns = clock_boottime_ns();
	write_dynamic_from(maps, plan);
	write_pools(controld, plan);
	write_flags(maps, plan);
	deterministic_move_fixed(controld);
	clear_gone(maps, plan);
	__atomic_store_n(&maps->meta->block_high, plan->block_high, __ATOMIC_RELEASE);
}
