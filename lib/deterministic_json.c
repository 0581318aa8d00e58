/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading a rule from the description of its pool: the same text in a configuration
 * and in a log, read by the same code.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/deterministic.h"

#define BLOCK_SIZE      512  /* where none is given */
#define FIRST_PORT      1024 /* the lowest there can be */
#define SUBSCRIBERS_MAX 64   /* prefixes */
#define ADDRESSES_MAX   1024 /* prefixes */
#define PER_ADDRESS_MAX 65536
#define DYNAMIC_MAX     1024

/* The prefixes of an array, some, none twice. */
static void read_ranges(struct json_reader *reader, const json_t *object, const char *member, size_t max,
			struct deterministic_range *ranges, size_t *count)
{
	const json_t *array = json_enter(reader, object, member), *element;
	size_t i;

	if (!json_is_array(array) || !json_array_size(array) || json_array_size(array) > max)
		json_reader_fail(reader, array, "must be an array of 1-%zu prefixes", max);
	json_array_foreach(array, i, element)
	{
		struct deterministic_range *new = &ranges[*count];
		unsigned length;

		if (!json_reader_ok(reader))
			break;
		json_enter_index(reader, array, i);
		if (!json_is_string(element) ||
		    prefix_parse(json_string_value(element), &new->first, &new->last, &length))
			json_reader_fail(reader, element,
					 "must be an IPv4 prefix such as \"100.64.0.0/16\", "
					 "no bits set behind its length");
		for (size_t k = 0; json_reader_ok(reader) && k < *count; k++)
			if (new->first <= ranges[k].last && ranges[k].first <= new->last)
				json_reader_fail(reader, element, "overlaps element %zu", k);
		*count += json_reader_ok(reader);
		json_leave(reader);
	}
	json_leave(reader);
}

static size_t array_size(const json_t *object, const char *member, size_t max)
{
	size_t size = json_array_size(json_object_get(object, member));

	return size < max ? size : max;
}

static struct deterministic *read_both(struct json_reader *reader, const json_t *pool, const json_t *own)
{
	size_t room =
		array_size(own, "subscribers", SUBSCRIBERS_MAX) + array_size(pool, "prefixes", ADDRESSES_MAX);
	struct deterministic *rule =
		calloc(1, sizeof(*rule) + (room + 1) * sizeof(struct deterministic_range));

	if (!rule) {
		json_reader_fail(reader, NULL, "out of memory");
		return NULL;
	}
	read_ranges(reader, own, "subscribers", SUBSCRIBERS_MAX, rule->range, &rule->subscriber_ranges);
	return rule;
}

static void read_addresses(struct json_reader *reader, const json_t *pool, struct deterministic *rule)
{
	read_ranges(reader, pool, "prefixes", ADDRESSES_MAX, rule->range + rule->subscriber_ranges,
		    &rule->address_ranges);
	rule->block_size = (unsigned)json_read_integer_or(reader, pool, "block_size", 1, DETERMINISTIC_PORTS,
							  BLOCK_SIZE);
	if (rule->block_size & (rule->block_size - 1)) {
		json_reader_fail(reader, json_enter(reader, pool, "block_size"), "must be a power of two");
		json_leave(reader);
	}
}

static void read_numbers(struct json_reader *reader, const json_t *own, struct deterministic *rule)
{
	rule->blocks = (unsigned)json_read_integer_or(reader, own, "blocks", 1, DETERMINISTIC_BLOCKS_MAX, 1);
	rule->dynamic_blocks =
		(unsigned)json_read_integer_or(reader, own, "dynamic_blocks", 0, DYNAMIC_MAX, 0);
	rule->first_port =
		(unsigned)json_read_integer_or(reader, own, "first_port", FIRST_PORT, 65535, FIRST_PORT);
	rule->ratio =
		(unsigned)json_read_integer_or(reader, own, "subscribers_per_address", 1, PER_ADDRESS_MAX, 0);
	if (json_reader_ok(reader))
		rule->first_block = (rule->first_port + rule->block_size - 1) / rule->block_size;
}

/* Subscribers that one public address has room for. */
static unsigned room_of(const struct deterministic *rule)
{
	unsigned blocks = DETERMINISTIC_PORTS / rule->block_size;
	unsigned kept = rule->first_block + rule->dynamic_blocks;

	return blocks > kept ? (blocks - kept) / rule->blocks : 0;
}

static void fail_member(struct json_reader *reader, const json_t *own, const char *member, const char *text)
{
	json_reader_fail(reader, json_enter(reader, own, member), "%s", text);
	json_leave(reader);
}

/* Everybody has a place, and what is kept is kept. */
static void check_room(struct json_reader *reader, const json_t *own, struct deterministic *rule)
{
	uint64_t addresses = deterministic_addresses(rule), subscribers = deterministic_subscribers(rule);
	unsigned room = room_of(rule), ratio = rule->ratio ? rule->ratio : room;
	char text[JSON_ERROR_TEXT / 2];

	if (rule->ratio > room) {
		snprintf(text, sizeof(text),
			 "must be at most %u: a public address has %u blocks of %u ports from port %u on, %u "
			 "kept for overflow, %u for each subscriber",
			 room, DETERMINISTIC_PORTS / rule->block_size - rule->first_block, rule->block_size,
			 rule->first_block * rule->block_size, rule->dynamic_blocks, rule->blocks);
		fail_member(reader, own, "subscribers_per_address", text);
	} else if (subscribers > addresses * ratio) {
		snprintf(text, sizeof(text),
			 "are %llu addresses, but %llu fit: %llu public addresses for %u subscribers each "
			 "(block_size %u, blocks %u, dynamic_blocks %u, first_port %u)",
			 (unsigned long long)subscribers, (unsigned long long)addresses * ratio,
			 (unsigned long long)addresses, ratio, rule->block_size, rule->blocks,
			 rule->dynamic_blocks, rule->first_port);
		fail_member(reader, own, "subscribers", text);
	} else if (!rule->ratio) {
		rule->ratio = (unsigned)((subscribers + addresses - 1) / addresses);
	}
}

static void read_own(struct json_reader *reader, const json_t *own, struct deterministic *rule)
{
	static const char *const members[] = {"subscribers",    "blocks",     "subscribers_per_address",
					      "dynamic_blocks", "first_port", NULL};

	json_read_only(reader, own, members);
	read_numbers(reader, own, rule);
	if (json_reader_ok(reader))
		check_room(reader, own, rule);
}

struct deterministic *deterministic_read(struct json_reader *reader, const json_t *pool)
{
	const json_t *own = json_enter(reader, pool, "deterministic");
	struct deterministic *rule = NULL;

	if (!json_is_object(own))
		json_reader_fail(reader, own, "must be an object");
	if (json_reader_ok(reader))
		rule = read_both(reader, pool, own);
	json_leave(reader);
	if (rule)
		read_addresses(reader, pool, rule);
	json_enter(reader, pool, "deterministic");
	if (rule)
		read_own(reader, own, rule);
	json_leave(reader);
	if (json_reader_ok(reader))
		return rule;
	deterministic_free(rule);
	return NULL;
}
