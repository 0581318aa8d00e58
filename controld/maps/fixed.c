/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Rules of deterministic pools, see the header.
 */
#include "controld/maps/fixed.h"

#include <arpa/inet.h>

#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"

void fixed_set_rule(struct controld *controld, uint8_t pool, struct deterministic *rule)
{
	deterministic_free(controld->names->rule[pool % BNG_POOLS]);
	controld->names->rule[pool % BNG_POOLS] = rule;
}

const struct deterministic *fixed_rule(const struct controld *controld, uint8_t pool)
{
	return pool < BNG_POOLS ? controld->names->rule[pool] : NULL;
}

/* Index of a public address, BNG_NO_ADDRESS_INDEX when no range has it. */
static uint32_t public_index(const struct maps *maps, uint32_t address)
{
	const struct bng_ranges *ranges = maps_ranges(maps);

	for (uint32_t i = 0; i < ranges->public_count && i < BNG_PUBLIC_RANGES; i++)
		if (address >= ranges->outer[i].first && address <= ranges->outer[i].last)
			return ranges->outer[i].base + (address - ranges->outer[i].first);
	return BNG_NO_ADDRESS_INDEX;
}

uint32_t fixed_of(const struct controld *controld, uint8_t pool, uint32_t inner_be)
{
	const struct deterministic *rule = fixed_rule(controld, pool);
	struct deterministic_place place;
	uint32_t index;

	if (!rule || !deterministic_place_of(rule, ntohl(inner_be), &place))
		return 0;
	index = public_index(controld->maps, place.address);
	return index < maps_entries(controld->maps, MAP_pool_address) ? index << 16 | place.first : 0;
}

uint32_t fixed_of_record(const struct controld *controld, const struct bng_subscriber *record)
{
	return record->flags & BNG_SUBSCRIBER_EXEMPT ? 0
						     : fixed_of(controld, record->pool, record->address_be);
}

void fixed_move(struct bng_subscriber *record, uint32_t fixed)
{
	uint32_t paired = __atomic_load_n(&record->address_index, __ATOMIC_RELAXED);

	if (record->fixed == fixed)
		return;
	/* As every change of it; whoever changes it at the same time wins. */
	if (fixed)
		__atomic_compare_exchange_n(&record->address_index, &paired, fixed >> 16, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	__atomic_store_n(&record->fixed, fixed, __ATOMIC_RELEASE);
}
