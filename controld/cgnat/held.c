/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Blocks in hold-down, counted anew, see the header.
 */
#include "controld/cgnat/held.h"

#include "controld/cgnat/plan.h"

static int32_t count_held(const struct maps *maps, const struct bng_pool_address *record)
{
	uint32_t end = record->first_block + cgnat_blocks_of(record->block_shift);
	int32_t held = 0;

	for (uint32_t i = record->first_block; i < end && i < maps_entries(maps, MAP_port_block); i++)
		held += __atomic_load_n(&maps->port_block[i].state, __ATOMIC_RELAXED) == BNG_BLOCK_HELD;
	return held;
}

void held_recount(struct maps *maps)
{
	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++) {
		struct bng_pool_address *record = &maps->pool_address[i];
		int32_t before = __atomic_load_n(&record->held_blocks, __ATOMIC_SEQ_CST);
		int32_t held = record->address_be ? count_held(maps, record) : 0;

		if (held != before)
			__atomic_compare_exchange_n(&record->held_blocks, &before, held, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
}
