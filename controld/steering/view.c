/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading the maps for the policy, see the header.
 */
#include "controld/steering/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(((struct bng_pool_address *)0)->score) == sizeof(struct score), "it is kept there");

struct score steering_score(const struct bng_pool_address *record)
{
	struct score score;

	memcpy(&score, record->score, sizeof(score));
	return score;
}

static bool is_in_use(const struct bng_pool_address *record)
{
	return record->address_be && record->pool < BNG_POOLS;
}

/* Blocks that touch ports below BNG_FIRST_PORT are never given out, those below
 * dynamic_from not to just anybody. */
static uint32_t capacity_of(const struct bng_pool_address *record)
{
	uint32_t size = 1u << record->block_shift, reserved = (BNG_FIRST_PORT + size - 1) / size;

	return 65536u / size - (record->dynamic_from > reserved ? record->dynamic_from : reserved);
}

static bool may_move(const struct maps *maps, const struct bng_subscriber *record)
{
	const struct bng_pool *pool = &maps->pool[record->pool];

	return record->block_shift == pool->block_shift && !pool->fixed_blocks;
}

static int make_room(struct steering_view *view, const struct maps *maps)
{
	uint32_t entries = maps_entries(maps, MAP_pool_address);
	size_t counts[BNG_POOLS] = {0};

	for (uint32_t i = 0; i < entries; i++)
		if (is_in_use(&maps->pool_address[i]))
			counts[maps->pool_address[i].pool]++;
	view->places = calloc(entries + 1, sizeof(*view->places));
	for (int i = 0; view->places && i < BNG_POOLS; i++) {
		struct steering_pool *pool = &view->pools[i];

		pool->pool = (uint8_t)i;
		if (!counts[i])
			continue;
		pool->addresses = calloc(counts[i], sizeof(*pool->addresses));
		pool->indexes = calloc(counts[i], sizeof(*pool->indexes));
		pool->subscribers_at = calloc(counts[i], sizeof(*pool->subscribers_at));
		if (!pool->addresses || !pool->indexes || !pool->subscribers_at)
			return -ENOMEM;
	}
	return view->places ? 0 : -ENOMEM;
}

static void read_addresses(struct steering_view *view, const struct maps *maps)
{
	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++) {
		const struct bng_pool_address *record = &maps->pool_address[i];
		struct steering_pool *pool;

		if (!is_in_use(record))
			continue;
		pool = &view->pools[record->pool];
		view->places[i] = (uint32_t)pool->address_count;
		pool->indexes[pool->address_count] = i;
		pool->addresses[pool->address_count++] = (struct plan_address){
			.score = steering_score(record),
			.capacity = capacity_of(record),
			.free_blocks = __atomic_load_n(&record->free_blocks, __ATOMIC_RELAXED),
			.enabled = record->flags & BNG_POOL_ADDRESS_ENABLED,
		};
	}
}

static uint32_t block_count(const struct bng_subscriber *record)
{
	uint32_t count = 0;

	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++)
		count += __atomic_load_n(&record->block[i], __ATOMIC_RELAXED) != 0;
	return count;
}

static int add_subscriber(struct steering_pool *pool, const struct plan_subscriber *subscriber)
{
	if (pool->subscriber_count == pool->room) {
		size_t room = pool->room ? 2 * pool->room : 1024;
		struct plan_subscriber *more = realloc(pool->subscribers, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		pool->subscribers = more;
		pool->room = room;
	}
	pool->subscribers[pool->subscriber_count++] = *subscriber;
	return 0;
}

static int read_subscriber(struct steering_view *view, const struct maps *maps, uint32_t slot)
{
	const struct bng_subscriber *record = &maps->subscriber[slot];
	uint32_t index = __atomic_load_n(&record->address_index, __ATOMIC_RELAXED);
	struct steering_pool *pool = &view->pools[record->pool];
	struct plan_subscriber subscriber = {
		.slot = slot,
		.address = PLAN_NO_ADDRESS,
		.load = block_count(record),
		.moved_at_ns = record->moved_ns,
		.pinned = record->moved_ns != 0,
	};

	if (index < maps_entries(maps, MAP_pool_address) && is_in_use(&maps->pool_address[index]) &&
	    maps->pool_address[index].pool == record->pool) {
		pool->subscribers_at[view->places[index]]++;
		if (may_move(maps, record))
			subscriber.address = view->places[index];
	}
	return add_subscriber(pool, &subscriber);
}

int steering_view_make(const struct maps *maps, struct steering_view *view)
{
	int failure;

	*view = (struct steering_view){0};
	failure = make_room(view, maps);
	if (!failure)
		read_addresses(view, maps);
	for (uint32_t slot = 1; !failure && slot < maps_entries(maps, MAP_subscriber); slot++) {
		const struct bng_subscriber *record = &maps->subscriber[slot];

		if (record->state == BNG_SUBSCRIBER_ACTIVE && record->pool < BNG_POOLS &&
		    !(record->flags & BNG_SUBSCRIBER_EXEMPT))
			failure = read_subscriber(view, maps, slot);
	}
	if (failure)
		steering_view_done(view);
	return failure;
}

void steering_view_done(struct steering_view *view)
{
	for (int i = 0; i < BNG_POOLS; i++) {
		free(view->pools[i].addresses);
		free(view->pools[i].indexes);
		free(view->pools[i].subscribers_at);
		free(view->pools[i].subscribers);
	}
	free(view->places);
	*view = (struct steering_view){0};
}

int steering_view_plan(const struct steering_pool *pool, const struct plan_policy *policy, uint64_t now_ns,
		       struct plan *plan)
{
	struct plan_input input = {
		.policy = policy,
		.addresses = pool->addresses,
		.subscribers = pool->subscribers,
		.address_count = pool->address_count,
		.subscriber_count = pool->subscriber_count,
		.now_ns = now_ns,
	};

	return plan_make(&input, plan);
}
