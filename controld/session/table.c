/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A hash table of slots, see the header.
 */
#include "controld/session/table.h"

#include <errno.h>
#include <stdlib.h>

int slot_table_init(struct slot_table *table, const struct bng_subscriber *records, uint32_t capacity,
		    slot_hash *hash, slot_match *match)
{
	uint32_t size = 16;

	while (size < capacity * 2ULL && size < 1u << 31)
		size *= 2;
	*table = (struct slot_table){.records = records, .hash = hash, .match = match, .mask = size - 1};
	table->slots = calloc(size, sizeof(*table->slots));
	return table->slots ? 0 : -ENOMEM;
}

void slot_table_done(struct slot_table *table)
{
	free(table->slots);
	table->slots = NULL;
}

static uint32_t home(const struct slot_table *table, uint32_t slot)
{
	return (uint32_t)table->hash(&table->records[slot]) & table->mask;
}

uint32_t slot_table_find(const struct slot_table *table, uint64_t hash, const void *key)
{
	uint32_t at = (uint32_t)hash & table->mask;

	for (; table->slots[at]; at = (at + 1) & table->mask)
		if (table->match(&table->records[table->slots[at]], key))
			return table->slots[at];
	return 0;
}

void slot_table_insert(struct slot_table *table, uint32_t slot)
{
	uint32_t at = home(table, slot);

	while (table->slots[at])
		at = (at + 1) & table->mask;
	table->slots[at] = slot;
	table->count++;
}

void slot_table_remove(struct slot_table *table, uint32_t slot)
{
	uint32_t hole = home(table, slot), at;

	while (table->slots[hole] && table->slots[hole] != slot)
		hole = (hole + 1) & table->mask;
	if (!table->slots[hole])
		return;
	table->slots[hole] = 0;
	table->count--;
	for (at = (hole + 1) & table->mask; table->slots[at]; at = (at + 1) & table->mask) {
		uint32_t distance = (at - home(table, table->slots[at])) & table->mask;

		if (distance < ((at - hole) & table->mask))
			continue; /* it lies between its home and the hole: stays */
		table->slots[hole] = table->slots[at];
		table->slots[at] = 0;
		hole = at;
	}
}
