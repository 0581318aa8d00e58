/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who has routes: a table by slot.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/routes/routes.h"

static struct route_owner **place_of(struct routes *routes, uint32_t slot)
{
	struct route_owner **place = &routes->bucket[slot % ROUTE_BUCKETS];

	while (*place && (*place)->slot != slot)
		place = &(*place)->next;
	return place;
}

struct route_owner *owner_find(const struct routes *routes, uint32_t slot)
{
	struct route_owner *owner = routes->bucket[slot % ROUTE_BUCKETS];

	while (owner && owner->slot != slot)
		owner = owner->next;
	return owner;
}

struct route_owner *owner_make(struct routes *routes, uint32_t slot)
{
	struct route_owner **place = place_of(routes, slot);

	if (!*place && (*place = calloc(1, sizeof(**place))))
		(*place)->slot = slot;
	return *place;
}

void owner_drop(struct routes *routes, uint32_t slot)
{
	struct route_owner **place = place_of(routes, slot), *owner = *place;

	if (!owner)
		return;
	*place = owner->next;
	free(owner->spans);
	free(owner);
}

int owner_add(struct route_owner *owner, struct route_span span)
{
	struct route_span *more = realloc(owner->spans, (owner->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	more[owner->count++] = span;
	owner->spans = more;
	return 0;
}

bool spans_hold(const struct route_span *spans, uint32_t count, uint32_t address)
{
	for (uint32_t i = 0; i < count; i++)
		if (address >= spans[i].first && address <= spans[i].last)
			return true;
	return false;
}

struct entry {
	uint32_t slot;
	uint32_t address;
};

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->address < y->address ? -1 : x->address > y->address;
}

/* Entries that are not a session's own address, by slot and address. */
static uint32_t routed_entries(const struct maps *maps, const uint32_t *keys, const uint32_t *values,
			       uint32_t count, struct entry *entries)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++)
		if (values[i] < maps_entries(maps, MAP_subscriber) &&
		    maps->subscriber[values[i]].address_be != keys[i])
			entries[kept++] = (struct entry){values[i], ntohl(keys[i])};
	qsort(entries, kept, sizeof(*entries), entry_compare);
	return kept;
}

static int take_over(struct routes *routes, const struct entry *entries, uint32_t count)
{
	int failure = 0;

	for (uint32_t i = 0; !failure && i < count; i++) {
		const struct entry *entry = &entries[i], *before = i ? entry - 1 : NULL;
		struct route_owner *owner = owner_make(routes, entry->slot);

		if (!owner)
			failure = -ENOMEM;
		else if (before && before->slot == entry->slot && before->address + 1 == entry->address)
			owner->spans[owner->count - 1].last = entry->address;
		else
			failure = owner_add(owner, (struct route_span){entry->address, entry->address});
	}
	return failure;
}

int owners_adopt(struct controld *controld)
{
	void *keys, *values;
	struct entry *entries;
	uint32_t count;
	int failure = maps_snapshot(controld->maps, MAP_slot_of_address, &keys, &values, &count);

	if (failure)
		return failure;
	entries = calloc(count + 1, sizeof(*entries));
	failure = entries ? take_over(controld->routes, entries,
				      routed_entries(controld->maps, keys, values, count, entries))
			  : -ENOMEM;
	free(entries);
	free(keys);
	free(values);
	return failure;
}

void owners_free(struct routes *routes)
{
	for (uint32_t i = 0; i < ROUTE_BUCKETS; i++)
		while (routes->bucket[i])
			owner_drop(routes, routes->bucket[i]->slot);
}
