/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Looking for a noted first fragment, as the data plane does (dataplane/fragment.h).
 */
#include "controld/maps/maps.h"

static bool is_it(const struct bng_fragment *entry, uint64_t ends, uint32_t rest, uint32_t tick)
{
	uint32_t until_tick = __atomic_load_n(&entry->until_tick, __ATOMIC_RELAXED);

	return (int32_t)(until_tick - tick) >= 0 &&
	       __atomic_load_n((const uint64_t *)entry, __ATOMIC_ACQUIRE) == ends &&
	       __atomic_load_n((const uint32_t *)&entry->id_be, __ATOMIC_RELAXED) == rest;
}

bool maps_fragment_noted(const struct maps *maps, uint32_t source_be, uint32_t destination_be, uint32_t rest)
{
	uint32_t hash = bng_fragment_hash(source_be, destination_be, rest), tick = maps_tick(maps);
	uint64_t ends = source_be | (uint64_t)destination_be << 32;

	for (uint32_t probe = 0; probe < BNG_FRAGMENT_PROBES; probe++)
		if (is_it(&maps->fragment[(hash + probe) % BNG_FRAGMENTS], ends, rest, tick))
			return true;
	return false;
}
