/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the CGNAT maps should say, see the header.
 */
#include "controld/cgnat/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/cgnat/place.h"
#include "controld/controld.h"
#include "controld/maps/names.h"
#include "lib/address.h"

struct planner {
	const struct controld *controld;
	const struct maps *maps;
	const struct config *config;
	struct cgnat_plan *plan;
	size_t known; /* addresses that were in the maps: the first ones, sorted */
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct planner *planner, int failure,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(planner->error, planner->error_size, format, arguments);
	va_end(arguments);
	return failure;
}

void cgnat_bitmap_empty(uint8_t shift, uint32_t dynamic_from,
			__u64 taken[static BNG_BLOCKS_PER_ADDRESS_MAX / 64])
{
	uint32_t blocks = cgnat_blocks_of(shift), reserved = cgnat_first_dynamic(shift, dynamic_from);

	for (uint32_t bit = 0; bit < BNG_BLOCKS_PER_ADDRESS_MAX; bit++) {
		if (bit % 64 == 0)
			taken[bit / 64] = 0;
		if (bit < reserved || bit >= blocks)
			taken[bit / 64] |= 1ULL << (bit % 64);
	}
}

/* Bits tell of dynamic blocks, states of those that subscribers have by the rule. */
static bool is_empty(const struct planner *planner, const struct bng_pool_address *record)
{
	__u64 empty[BNG_BLOCKS_PER_ADDRESS_MAX / 64];

	for (uint32_t i = 0; i < record->dynamic_from; i++)
		if (planner->maps->port_block[record->first_block + i].state != BNG_BLOCK_FREE)
			return false;
	cgnat_bitmap_empty(record->block_shift, record->dynamic_from, empty);
	return !memcmp(empty, record->taken, sizeof(empty));
}

static int address_compare(const void *a, const void *b)
{
	const struct plan_address *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

static int plan_add(struct planner *planner, const struct plan_address *address)
{
	struct cgnat_plan *plan = planner->plan;

	if (plan->count == plan->room) {
		size_t room = plan->room ? 2 * plan->room : 256;
		struct plan_address *more = realloc(plan->addresses, room * sizeof(*more));

		if (!more)
			return refuse(planner, -ENOMEM, "/cgnat/pools: out of memory");
		plan->addresses = more;
		plan->room = room;
	}
	plan->addresses[plan->count++] = *address;
	return 0;
}

static int read_known(struct planner *planner)
{
	int failure = 0;

	for (uint32_t i = 0; !failure && i < maps_entries(planner->maps, MAP_pool_address); i++) {
		const struct bng_pool_address *record = &planner->maps->pool_address[i];
		struct plan_address known = {
			.address = ntohl(record->address_be),
			.index = i,
			.first_block = record->first_block,
			.pool = record->pool,
			.shift = record->block_shift,
		};

		if (record->address_be)
			failure = plan_add(planner, &known);
	}
	planner->known = planner->plan->count;
	if (planner->known)
		qsort(planner->plan->addresses, planner->known, sizeof(struct plan_address), address_compare);
	return failure;
}

static struct plan_address *find_known(const struct planner *planner, uint32_t address)
{
	struct plan_address key = {.address = address};

	return planner->known
		       ? bsearch(&key, planner->plan->addresses, planner->known, sizeof(key), address_compare)
		       : NULL;
}

/* Who refers to each pool index: sessions and addresses. */
static void find_used_pools(const struct planner *planner, bool used[static BNG_POOLS])
{
	for (uint32_t i = 1; i < maps_entries(planner->maps, MAP_subscriber); i++) {
		const struct bng_subscriber *record = &planner->maps->subscriber[i];

		if (record->state != BNG_SUBSCRIBER_FREE && record->pool < BNG_POOLS)
			used[record->pool] = true;
	}
	for (size_t i = 0; i < planner->known; i++)
		if (planner->plan->addresses[i].pool < BNG_POOLS)
			used[planner->plan->addresses[i].pool] = true;
	for (int i = 0; i < BNG_POOLS; i++)
		used[i] |= names_pool(planner->controld, (uint8_t)i)[0] != '\0';
}

/* The pool that a starting controld finds by its addresses. */
static int find_pool_by_address(const struct planner *planner, const struct config_nat_pool *pool,
				const bool given[static BNG_POOLS])
{
	for (size_t i = 0; i < planner->known; i++) {
		const struct plan_address *known = &planner->plan->addresses[i];

		if (known->pool >= BNG_POOLS || given[known->pool] ||
		    names_pool(planner->controld, known->pool)[0])
			continue;
		for (size_t k = 0; k < pool->prefix_count; k++)
			if (known->address >= pool->prefixes[k].first &&
			    known->address <= pool->prefixes[k].last)
				return known->pool;
	}
	return -ENOENT;
}

/* Rule 3. Pools that exist first, so that a new one does not take their index. */
static int give_pool_indexes(struct planner *planner)
{
	bool used[BNG_POOLS] = {false}, given[BNG_POOLS] = {false}, placed[BNG_POOLS] = {false};
	const struct config *config = planner->config;

	find_used_pools(planner, used);
	for (size_t i = 0; i < config->nat_pool_count; i++) {
		int index = names_pool_index(planner->controld, config->nat_pools[i].name);

		if (index < 0)
			index = find_pool_by_address(planner, &config->nat_pools[i], given);
		if (index < 0)
			continue;
		planner->plan->pool_index[i] = (uint8_t)index;
		given[index] = placed[i] = true;
	}
	for (size_t i = 0; i < config->nat_pool_count; i++) {
		int index = 0;

		while (!placed[i] && index < BNG_POOLS && (used[index] || given[index]))
			index++;
		if (index == BNG_POOLS)
			return refuse(
				planner, -ENOSPC,
				"/cgnat/pools/%zu: all %d pool numbers are in use, some by pools that are "
				"taken out but still have sessions",
				i, BNG_POOLS);
		if (!placed[i])
			planner->plan->pool_index[i] = (uint8_t)index;
		given[planner->plan->pool_index[i]] = true;
	}
	return 0;
}

/* Nothing of the address is in use, and no packet can begin to use it. */
static bool is_idle(const struct planner *planner, const struct plan_address *known)
{
	const struct bng_pool_address *record = &planner->maps->pool_address[known->index];

	if (!is_empty(planner, record))
		return false;
	if (!(record->flags & BNG_POOL_ADDRESS_ENABLED))
		return true;
	for (uint32_t i = 1; i < maps_entries(planner->maps, MAP_subscriber); i++)
		if (planner->maps->subscriber[i].state != BNG_SUBSCRIBER_FREE &&
		    planner->maps->subscriber[i].pool == record->pool)
			return false;
	return true;
}

static uint16_t dynamic_from(const struct config_nat_pool *pool, uint32_t address)
{
	return pool->deterministic ? (uint16_t)deterministic_dynamic_from(pool->deterministic, address) : 0;
}

static int want_known(struct planner *planner, size_t pool, uint8_t index, struct plan_address *known)
{
	const struct config_nat_pool *wanted = &planner->config->nat_pools[pool];
	char text[ADDRESS_TEXT];

	known->wanted = true;
	known->dynamic_from = dynamic_from(wanted, known->address);
	if (known->pool == index && known->shift == wanted->block_shift)
		return 0;
	if (!is_idle(planner, known)) {
		address_format(htonl(known->address), text);
		if (known->pool != index)
			return refuse(
				planner, -EBUSY,
				"/cgnat/pools/%zu/prefixes: %s still belongs to another pool and is in use: "
				"take it out there, wait until bngcli cgnat pools no longer shows it, then "
				"add it here",
				pool, text);
		return refuse(
			planner, -EBUSY,
			"/cgnat/pools/%zu/block_size: cannot be %u instead of %u while sessions use the "
			"pool (%s): make a new pool with other addresses for new sessions",
			pool, 1u << wanted->block_shift, 1u << known->shift, text);
	}
	known->pool = index;
	known->shift = (uint8_t)wanted->block_shift;
	known->fresh = true;
	return 0;
}

static int want_addresses(struct planner *planner)
{
	const struct config *config = planner->config;
	int failure = 0;

	for (size_t i = 0; !failure && i < config->nat_pool_count; i++) {
		const struct config_nat_pool *pool = &config->nat_pools[i];
		uint8_t index = planner->plan->pool_index[i];

		for (size_t k = 0; !failure && k < pool->prefix_count; k++) {
			uint64_t address = pool->prefixes[k].first;

			for (; !failure && address <= pool->prefixes[k].last; address++) {
				struct plan_address *known = find_known(planner, (uint32_t)address);
				struct plan_address new = {
					.address = (uint32_t)address,
					.index = BNG_NO_ADDRESS_INDEX,
					.pool = index,
					.shift = (uint8_t)pool->block_shift,
					.dynamic_from = dynamic_from(pool, (uint32_t)address),
					.wanted = true,
					.fresh = true,
				};

				failure = known ? want_known(planner, i, index, known)
						: plan_add(planner, &new);
			}
		}
	}
	return failure;
}

/* Rule 2: what was disabled before and is empty now goes. */
static void drop_drained(struct planner *planner)
{
	for (size_t i = 0; i < planner->known; i++) {
		struct plan_address *known = &planner->plan->addresses[i];
		const struct bng_pool_address *record = &planner->maps->pool_address[known->index];

		if (known->wanted)
			continue;
		known->gone = !(record->flags & BNG_POOL_ADDRESS_ENABLED) && is_empty(planner, record);
		if (!known->gone)
			planner->plan->draining = true;
	}
}

static int place_addresses(struct planner *planner)
{
	struct cgnat_plan *plan = planner->plan;
	uint32_t indexes = maps_entries(planner->maps, MAP_pool_address);
	uint32_t blocks = maps_entries(planner->maps, MAP_port_block);
	int failure = place_indexes(plan->addresses, plan->count, indexes);

	if (failure == -ENOSPC)
		return refuse(
			planner, failure,
			"/cgnat/pools: more public addresses than the maps have room for (%u, some may be "
			"draining): /sizes/public_addresses takes effect at the next start of the gateway",
			indexes);
	if (!failure)
		failure = place_blocks(plan->addresses, plan->count, blocks);
	if (failure == -ENOSPC)
		return refuse(
			planner, failure,
			"/cgnat/pools: more port blocks than the maps have room for (%u, some may be "
			"draining): use larger blocks or fewer addresses; /sizes/port_blocks takes effect at "
			"the next start of the gateway",
			blocks);
	return failure ? refuse(planner, failure, "/cgnat/pools: out of memory") : 0;
}

static int add_range(struct planner *planner, const struct plan_address *address)
{
	struct cgnat_plan *plan = planner->plan;
	struct bng_range *last = plan->outer_count ? &plan->outer[plan->outer_count - 1] : NULL;

	if (last && last->last + 1 == address->address &&
	    last->base + (last->last - last->first) + 1 == address->index) {
		last->last = address->address;
		return 0;
	}
	if (plan->outer_count == BNG_PUBLIC_RANGES)
		return refuse(planner, -ENOSPC,
			      "/cgnat/pools: the public addresses lie in more than %d pieces: use fewer and "
			      "larger prefixes",
			      BNG_PUBLIC_RANGES);
	plan->outer[plan->outer_count++] =
		(struct bng_range){address->address, address->address, address->index};
	return 0;
}

static int add_segment(struct planner *planner, const struct plan_address *address)
{
	struct bng_pool *pool = &planner->plan->pool[address->pool];
	struct bng_pool_segment *last = pool->segment_count ? &pool->segment[pool->segment_count - 1] : NULL;

	pool->address_count++;
	if (last && last->first_index + last->count == address->index) {
		last->count++;
		return 0;
	}
	if (pool->segment_count == BNG_POOL_SEGMENTS)
		return refuse(
			planner, -ENOSPC,
			"/cgnat/pools: the addresses of pool %s lie in more than %d pieces: use fewer and "
			"larger prefixes",
			planner->plan->pool_name[address->pool], BNG_POOL_SEGMENTS);
	pool->segment[pool->segment_count++] = (struct bng_pool_segment){address->index, 1};
	return 0;
}

/* BNG_POOL_PORT_TIMERS, or 0 when there are none. */
static uint8_t fill_port_timers(const struct config_nat_pool *wanted, struct bng_port_timers *timers)
{
	*timers = (struct bng_port_timers){0};
	for (size_t i = 0; i < wanted->port_timer_count; i++)
		timers->entry[i] = (struct bng_port_timer){
			.port_be = htons(wanted->port_timers[i].port),
			.protocol = wanted->port_timers[i].protocol,
			.ticks = BNG_TICKS_OF_SECONDS(wanted->port_timers[i].seconds),
		};
	return wanted->port_timer_count ? BNG_POOL_PORT_TIMERS : 0;
}

static void fill_pools(struct planner *planner)
{
	struct cgnat_plan *plan = planner->plan;

	/* A pool that is taken out keeps its timers until its addresses have gone. */
	for (size_t i = 0; i < planner->known; i++) {
		uint8_t index = plan->addresses[i].pool;

		if (plan->addresses[i].gone || index >= BNG_POOLS ||
		    plan->pool[index].timeout[BNG_MAPPING_UDP])
			continue;
		plan->pool[index] = planner->maps->pool[index];
		plan->port_timers[index] = planner->maps->port_timer[index];
		plan->pool[index].address_count = 0;
		plan->pool[index].segment_count = 0;
		memset(plan->pool[index].segment, 0, sizeof(plan->pool[index].segment));
		snprintf(plan->pool_name[index], CONFIG_NAME_MAX, "%s", names_pool(planner->controld, index));
	}
	for (size_t i = 0; i < planner->config->nat_pool_count; i++) {
		const struct config_nat_pool *wanted = &planner->config->nat_pools[i];
		struct bng_pool *pool = &plan->pool[plan->pool_index[i]];

		*pool = (struct bng_pool){
			.block_shift = (uint8_t)wanted->block_shift,
			.max_blocks = wanted->max_blocks,
			.max_mappings = wanted->max_mappings,
			.flags = wanted->flags,
			.refusal = wanted->refusal,
			.mapping_rate = wanted->mapping_rate,
			.mapping_burst = wanted->mapping_burst,
			.fixed_blocks = wanted->deterministic ? (uint8_t)wanted->deterministic->blocks : 0,
		};
		pool->flags |= fill_port_timers(wanted, &plan->port_timers[plan->pool_index[i]]);
		for (int state = 1; state < BNG_MAPPING_STATES; state++)
			pool->timeout[state] = BNG_TICKS_OF_SECONDS(wanted->timeout_s[state]);
		snprintf(plan->pool_name[plan->pool_index[i]], CONFIG_NAME_MAX, "%s", wanted->name);
	}
}

static int copy_rules(struct planner *planner)
{
	const struct config *config = planner->config;

	for (size_t i = 0; i < config->nat_pool_count; i++) {
		struct deterministic **copy = &planner->plan->rule[planner->plan->pool_index[i]];

		if (config->nat_pools[i].deterministic)
			*copy = deterministic_copy(config->nat_pools[i].deterministic);
		if (config->nat_pools[i].deterministic && !*copy)
			return refuse(planner, -ENOMEM, "/cgnat/pools/%zu/deterministic: out of memory", i);
	}
	return 0;
}

static int describe(struct planner *planner)
{
	struct cgnat_plan *plan = planner->plan;
	int failure = copy_rules(planner);

	fill_pools(planner);
	if (plan->count)
		qsort(plan->addresses, plan->count, sizeof(*plan->addresses), address_compare);
	for (size_t i = 0; !failure && i < plan->count; i++) {
		const struct plan_address *address = &plan->addresses[i];
		uint32_t end = address->first_block + cgnat_blocks_of(address->shift);

		if (address->gone)
			continue;
		if (end > plan->block_high)
			plan->block_high = end;
		failure = add_range(planner, address);
		if (!failure && address->wanted)
			failure = add_segment(planner, address);
	}
	for (uint32_t i = 0; i < BNG_POOLS; i++)
		if (plan->pool_name[i][0] || plan->pool[i].timeout[BNG_MAPPING_UDP])
			plan->pool_count = i + 1;
	return failure;
}

int cgnat_plan_make(const struct controld *controld, const struct config *config, struct cgnat_plan *plan,
		    char *error, size_t error_size)
{
	struct planner planner = {
		.controld = controld,
		.maps = controld->maps,
		.config = config,
		.plan = plan,
		.error = error,
		.error_size = error_size,
	};
	int failure;

	*plan = (struct cgnat_plan){0};
	failure = read_known(&planner);
	if (!failure)
		failure = give_pool_indexes(&planner);
	if (!failure)
		failure = want_addresses(&planner);
	if (!failure) {
		drop_drained(&planner);
		failure = place_addresses(&planner);
	}
	if (!failure)
		failure = describe(&planner);
	if (failure)
		cgnat_plan_done(plan);
	return failure;
}

void cgnat_plan_done(struct cgnat_plan *plan)
{
	for (int i = 0; i < BNG_POOLS; i++) {
		deterministic_free(plan->rule[i]);
		plan->rule[i] = NULL;
	}
	free(plan->addresses);
	plan->addresses = NULL;
	plan->count = 0;
}
