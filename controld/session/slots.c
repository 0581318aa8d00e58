/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which slot an address has.
 *
 * Invariant: the slot of an address never changes while anything is in it.
 * 1. The prefix of a DHCP or PPPoE pool becomes a range; slot = base + offset.
 * 2. A range that exists keeps its base, also in parts.
 * 3. A range that is no longer wanted stays while a record in it is not FREE.
 * 4. An address that already has a slot by slot_of_address is cut out of a new
 *    range.
 * 5. Slots that no range has are given out one by one, from the top down.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/session/sessions.h"

#define SPANS_MAX 512

struct span {
	uint32_t first;
	uint32_t last;
};

struct spans {
	struct span span[SPANS_MAX];
	uint32_t count;
	bool full;
};

/* Ranges under construction: more than a packet could use, until merged. */
struct draft {
	struct bng_range range[SPANS_MAX];
	uint32_t count;
	bool full;
};

bool slots_in_range(const struct bng_ranges *ranges, uint32_t slot)
{
	for (uint32_t i = 0; i < ranges->inner_count && i < BNG_INNER_RANGES; i++) {
		const struct bng_range *range = &ranges->inner[i];

		if (range->base && slot >= range->base && slot - range->base <= range->last - range->first)
			return true;
	}
	return false;
}

uint32_t slots_rest_free(const struct sessions *sessions)
{
	const struct bng_ranges *ranges = maps_ranges(sessions->maps);
	uint32_t taken = 1 + sessions->by_address.count;

	for (uint32_t i = 0; i < ranges->inner_count && i < BNG_INNER_RANGES; i++)
		if (ranges->inner[i].base)
			taken += ranges->inner[i].last - ranges->inner[i].first + 1;
	return taken < sessions->capacity ? sessions->capacity - taken : 0;
}

uint32_t slots_rest_take(struct sessions *sessions)
{
	const struct bng_ranges *ranges = maps_ranges(sessions->maps);

	if (!slots_rest_free(sessions))
		return 0;
	for (uint32_t tried = 0; tried < sessions->capacity; tried++) {
		uint32_t slot = sessions->rest_cursor;

		sessions->rest_cursor = slot > 1 ? slot - 1 : sessions->capacity - 1;
		if (slots_rest_used(sessions, slot) || slots_in_range(ranges, slot) ||
		    sessions->maps->subscriber[slot].state != BNG_SUBSCRIBER_FREE)
			continue;
		sessions->rest_used[slot / 64] |= 1ULL << (slot % 64);
		return slot;
	}
	return 0;
}

void slots_rest_give(struct sessions *sessions, uint32_t slot)
{
	sessions->rest_used[slot / 64] &= ~(1ULL << (slot % 64));
	sessions->rest_cursor = slot;
}

static void spans_add(struct spans *spans, uint32_t first, uint32_t last)
{
	if (spans->count == SPANS_MAX) {
		spans->full = true;
		return;
	}
	spans->span[spans->count++] = (struct span){first, last};
}

/* Cuts first..last out of every span. */
static void spans_cut(struct spans *spans, uint32_t first, uint32_t last)
{
	uint32_t count = spans->count;

	for (uint32_t i = 0; i < count;) {
		struct span span = spans->span[i];

		if (span.last < first || span.first > last) {
			i++;
			continue;
		}
		spans->span[i] = spans->span[--count];
		spans->span[count] = spans->span[spans->count - 1];
		spans->count--;
		if (span.first < first)
			spans_add(spans, span.first, first - 1);
		if (span.last > last)
			spans_add(spans, last + 1, span.last);
	}
}

static void draft_add(struct draft *draft, uint32_t first, uint32_t last, uint32_t base)
{
	if (draft->count == SPANS_MAX) {
		draft->full = true;
		return;
	}
	draft->range[draft->count++] = (struct bng_range){first, last, base};
}

static bool range_in_use(const struct sessions *sessions, uint32_t base, uint32_t count)
{
	for (uint32_t i = 0; i < count && base + i < sessions->capacity; i++)
		if (sessions->maps->subscriber[base + i].state != BNG_SUBSCRIBER_FREE)
			return true;
	return false;
}

/* Rules 2 and 3: what stays of the ranges there are. */
static void keep_ranges(const struct sessions *sessions, const struct spans *wanted, struct draft *draft)
{
	const struct bng_ranges *now = maps_ranges(sessions->maps);

	for (uint32_t i = 0; i < now->inner_count && i < BNG_INNER_RANGES; i++) {
		const struct bng_range *range = &now->inner[i];
		struct spans rest = {0};

		if (!range->base)
			continue;
		spans_add(&rest, range->first, range->last);
		for (uint32_t k = 0; k < wanted->count; k++) {
			uint32_t first = wanted->span[k].first, last = wanted->span[k].last;

			if (first > range->last || last < range->first)
				continue;
			first = first > range->first ? first : range->first;
			last = last < range->last ? last : range->last;
			draft_add(draft, first, last, range->base + (first - range->first));
			spans_cut(&rest, first, last);
		}
		for (uint32_t k = 0; k < rest.count; k++) {
			uint32_t base = range->base + (rest.span[k].first - range->first);
			uint32_t count = rest.span[k].last - rest.span[k].first + 1;

			if (range_in_use(sessions, base, count))
				draft_add(draft, rest.span[k].first, rest.span[k].last, base);
		}
	}
}

/* The first slot at or after `base` from which `count` slots are free of ranges
 * and of single slots, or 0. */
static uint32_t find_base(const struct sessions *sessions, const struct draft *draft, uint32_t count)
{
	uint64_t base = 1;

	while (base + count <= sessions->capacity) {
		uint64_t next = base;

		for (uint32_t i = 0; i < draft->count; i++) {
			uint64_t first = draft->range[i].base;
			uint64_t end = first + (draft->range[i].last - draft->range[i].first) + 1;

			if (base < end && first < base + count && end > next)
				next = end;
		}
		for (uint64_t slot = base; next == base && slot < base + count; slot++)
			if (slots_rest_used(sessions, (uint32_t)slot))
				next = slot + 1;
		if (next == base)
			return (uint32_t)base;
		base = next;
	}
	return 0;
}

static int range_compare(const void *a, const void *b)
{
	const struct bng_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void draft_merge(struct draft *draft)
{
	uint32_t kept = 0;

	qsort(draft->range, draft->count, sizeof(draft->range[0]), range_compare);
	for (uint32_t i = 0; i < draft->count; i++) {
		struct bng_range *before = kept ? &draft->range[kept - 1] : NULL, *range = &draft->range[i];

		if (before && before->last + 1 == range->first &&
		    before->base + (before->last - before->first) + 1 == range->base)
			before->last = range->last;
		else
			draft->range[kept++] = *range;
	}
	draft->count = kept;
}

static void cut_single_slots(const struct sessions *sessions, struct spans *missing)
{
	const struct slot_table *table = &sessions->by_address;

	for (uint32_t i = 0; table->count && i <= table->mask; i++) {
		uint32_t slot = table->slots[i], address;

		if (!slot || missing->full)
			continue;
		address = ntohl(sessions->maps->subscriber[slot].address_be);
		spans_cut(missing, address, address);
	}
}

/* Rules 1 and 4: bases for what is wanted and not there yet. */
static int add_ranges(const struct sessions *sessions, const struct spans *wanted, struct draft *draft,
		      char *error, size_t size)
{
	struct spans missing = *wanted;

	for (uint32_t i = 0; i < draft->count; i++)
		spans_cut(&missing, draft->range[i].first, draft->range[i].last);
	cut_single_slots(sessions, &missing);
	for (uint32_t i = 0; i < missing.count; i++) {
		uint32_t count = missing.span[i].last - missing.span[i].first + 1;
		uint32_t base = find_base(sessions, draft, count);

		if (!base) {
			snprintf(error, size,
				 "/dhcp4/pools: %u addresses more need %u subscriber slots in one piece, and "
				 "none is that large among %u: take away unused pools, or raise "
				 "/sizes/subscribers for the next start of the gateway",
				 count, count, sessions->capacity);
			return -ENOSPC;
		}
		draft_add(draft, missing.span[i].first, missing.span[i].last, base);
	}
	if (!missing.full && !draft->full)
		return 0;
	snprintf(error, size,
		 "/dhcp4/pools: too many sessions lie one by one inside the new prefixes: "
		 "disconnect them first (bngcli session disconnect)");
	return -ENOSPC;
}

static bool draft_holds(const struct draft *draft, uint32_t address)
{
	for (uint32_t i = 0; i < draft->count; i++)
		if (address >= draft->range[i].first && address <= draft->range[i].last)
			return true;
	return false;
}

/* The most used lookups first: large ranges, then gateways without subscribers. */
static int size_compare(const void *a, const void *b)
{
	const struct bng_range *x = a, *y = b;
	uint32_t x_size = x->last - x->first, y_size = y->last - y->first;

	if (!x->base != !y->base)
		return x->base ? -1 : 1;
	if (x_size != y_size)
		return x_size > y_size ? -1 : 1;
	return range_compare(a, b);
}

int slots_plan(const struct sessions *sessions, const struct config *config, struct bng_ranges *ranges,
	       char *error, size_t error_size)
{
	struct spans wanted = {0};
	struct draft draft = {0};

	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		spans_add(&wanted, config->dhcp4_pools[i].prefix.first, config->dhcp4_pools[i].prefix.last);
	for (size_t i = 0; i < config->pppoe.pool_count; i++)
		spans_add(&wanted, config->pppoe.pools[i].prefix.first, config->pppoe.pools[i].prefix.last);
	keep_ranges(sessions, &wanted, &draft);
	if (add_ranges(sessions, &wanted, &draft, error, error_size))
		return -ENOSPC;
	draft_merge(&draft);
	for (size_t i = 0; i < config->gateway_count; i++) {
		uint32_t address = ntohl(config->gateways[i].address_be);

		if (!draft_holds(&draft, address))
			draft_add(&draft, address, address, 0);
	}
	if (draft.count > BNG_INNER_RANGES || draft.full) {
		snprintf(error, error_size,
			 "/dhcp4/pools: %u address ranges are needed (pools, prefixes still in use, gateways "
			 "outside them), and there is room for %u: use fewer and larger prefixes",
			 draft.count, BNG_INNER_RANGES);
		return -ENOSPC;
	}
	qsort(draft.range, draft.count, sizeof(draft.range[0]), size_compare);
	memset(ranges->inner, 0, sizeof(ranges->inner));
	memcpy(ranges->inner, draft.range, draft.count * sizeof(draft.range[0]));
	ranges->inner_count = draft.count;
	return 0;
}
