/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Places for new public addresses, see the header. Both are first-fit over a map
 * of what is taken. What an address that goes now leaves is not given out again
 * in the same change.
 */
#include "controld/cgnat/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Every address has a multiple of this many blocks. */
#define GRANULE (65536u >> BNG_BLOCK_SHIFT_MAX)

static uint32_t free_run(const bool *taken, uint32_t from, uint32_t size, uint32_t wanted)
{
	uint32_t length = 0;

	while (from + length < size && length < wanted && !taken[from + length])
		length++;
	return length;
}

/* The first free run of `wanted`, or the longest shorter one. */
static uint32_t find_run(const bool *taken, uint32_t size, uint32_t wanted, uint32_t *length)
{
	uint32_t best = 0;

	*length = 0;
	for (uint32_t at = 0; at < size && *length < wanted;) {
		uint32_t run = free_run(taken, at, size, wanted);

		if (run > *length) {
			*length = run;
			best = at;
		}
		at += run + 1;
	}
	return best;
}

/* How many addresses from here on follow each other and have no index yet. */
static size_t neighbours(const struct plan_address *addresses, size_t count, size_t from)
{
	size_t length = 1;

	while (from + length < count && addresses[from + length].index == BNG_NO_ADDRESS_INDEX &&
	       addresses[from + length].address == addresses[from + length - 1].address + 1)
		length++;
	return length;
}

int place_indexes(struct plan_address *addresses, size_t count, uint32_t indexes)
{
	bool *taken = calloc(indexes + 1, sizeof(*taken));
	int failure = taken ? 0 : -ENOMEM;

	for (size_t i = 0; !failure && i < count; i++)
		if (addresses[i].index < indexes)
			taken[addresses[i].index] = true;
	for (size_t i = 0; !failure && i < count;) {
		uint32_t length, at;

		if (addresses[i].index != BNG_NO_ADDRESS_INDEX) {
			i++;
			continue;
		}
		at = find_run(taken, indexes, (uint32_t)neighbours(addresses, count, i), &length);
		if (!length)
			failure = -ENOSPC;
		for (uint32_t k = 0; k < length; k++) {
			addresses[i++].index = at + k;
			taken[at + k] = true;
		}
	}
	free(taken);
	return failure;
}

static void take_blocks(bool *taken, uint32_t granules, const struct plan_address *address)
{
	uint32_t first = address->first_block / GRANULE, length = cgnat_blocks_of(address->shift) / GRANULE;

	for (uint32_t i = first; i < first + length && i < granules; i++)
		taken[i] = true;
}

int place_blocks(struct plan_address *addresses, size_t count, uint32_t blocks)
{
	uint32_t granules = blocks / GRANULE, cursor[BNG_BLOCK_SHIFT_MAX + 1] = {0};
	bool *taken = calloc(granules + 1, sizeof(*taken));
	int failure = taken ? 0 : -ENOMEM;

	for (size_t i = 0; !failure && i < count; i++)
		if (!addresses[i].fresh)
			take_blocks(taken, granules, &addresses[i]);
	for (size_t i = 0; !failure && i < count; i++) {
		uint32_t wanted = cgnat_blocks_of(addresses[i].shift) / GRANULE;
		uint32_t *at = &cursor[addresses[i].shift], run;

		if (!addresses[i].fresh)
			continue;
		while (*at < granules && (run = free_run(taken, *at, granules, wanted)) < wanted)
			*at += run + 1;
		if (*at >= granules) {
			failure = -ENOSPC;
			break;
		}
		addresses[i].first_block = *at * GRANULE;
		take_blocks(taken, granules, &addresses[i]);
		*at += wanted;
	}
	free(taken);
	return failure;
}
