/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The arithmetic of the header, and nothing else: what it says is what bng-controld
 * tells the data plane and what bngcli answers without any daemon.
 */
#include "lib/deterministic.h"

#include <stdlib.h>
#include <string.h>

static const struct deterministic_range *addresses_of(const struct deterministic *rule)
{
	return rule->range + rule->subscriber_ranges;
}

static uint64_t count_of(const struct deterministic_range *ranges, size_t count)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += ranges[i].last - ranges[i].first + 1ull;
	return total;
}

/* The number of an address among the ranges' addresses. */
static bool number_of(const struct deterministic_range *ranges, size_t count, uint32_t address,
		      uint64_t *number)
{
	uint64_t before = 0;

	for (size_t i = 0; i < count; i++) {
		if (address >= ranges[i].first && address <= ranges[i].last) {
			*number = before + (address - ranges[i].first);
			return true;
		}
		before += ranges[i].last - ranges[i].first + 1ull;
	}
	return false;
}

/* The address that has this number. */
static bool address_of(const struct deterministic_range *ranges, size_t count, uint64_t number,
		       uint32_t *address)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t size = ranges[i].last - ranges[i].first + 1ull;

		if (number < size) {
			*address = ranges[i].first + (uint32_t)number;
			return true;
		}
		number -= size;
	}
	return false;
}

uint64_t deterministic_subscribers(const struct deterministic *rule)
{
	return count_of(rule->range, rule->subscriber_ranges);
}

uint64_t deterministic_addresses(const struct deterministic *rule)
{
	return count_of(addresses_of(rule), rule->address_ranges);
}

bool deterministic_place_of(const struct deterministic *rule, uint32_t subscriber,
			    struct deterministic_place *place)
{
	uint32_t address, first;
	uint64_t number;

	if (!number_of(rule->range, rule->subscriber_ranges, subscriber, &number) ||
	    !address_of(addresses_of(rule), rule->address_ranges, number / rule->ratio, &address))
		return false;
	first = (rule->first_block + (uint32_t)(number % rule->ratio) * rule->blocks) * rule->block_size;
	*place = (struct deterministic_place){
		.address = address,
		.first = (uint16_t)first,
		.last = (uint16_t)(first + rule->blocks * rule->block_size - 1),
	};
	return true;
}

bool deterministic_owner_of(const struct deterministic *rule, uint32_t address, uint16_t port,
			    uint32_t *subscriber)
{
	uint32_t block = port / rule->block_size, run;
	uint64_t number;

	if (block < rule->first_block ||
	    !number_of(addresses_of(rule), rule->address_ranges, address, &number))
		return false;
	run = (block - rule->first_block) / rule->blocks;
	return run < rule->ratio &&
	       address_of(rule->range, rule->subscriber_ranges, number * rule->ratio + run, subscriber);
}

unsigned deterministic_dynamic_from(const struct deterministic *rule, uint32_t address)
{
	uint64_t number, before, subscribers = deterministic_subscribers(rule), here;

	if (!number_of(addresses_of(rule), rule->address_ranges, address, &number))
		return 0;
	before = number * rule->ratio;
	here = before < subscribers ? subscribers - before : 0;
	if (here > rule->ratio)
		here = rule->ratio;
	return rule->first_block + (unsigned)here * rule->blocks;
}

static size_t size_of(const struct deterministic *rule)
{
	return sizeof(*rule) +
	       (rule->subscriber_ranges + rule->address_ranges) * sizeof(struct deterministic_range);
}

struct deterministic *deterministic_copy(const struct deterministic *rule)
{
	struct deterministic *copy = malloc(size_of(rule));

	return copy ? memcpy(copy, rule, size_of(rule)) : NULL;
}

void deterministic_free(struct deterministic *rule)
{
	free(rule);
}

bool deterministic_same(const struct deterministic *a, const struct deterministic *b)
{
	if (!a || !b)
		return a == b;
	return size_of(a) == size_of(b) && !memcmp(a, b, size_of(a));
}
