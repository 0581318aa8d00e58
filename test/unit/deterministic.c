/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * RFC 7422: for any rule, each subscriber has ports of its own, and the way back
 * from a port leads to it.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/deterministic.h"
#include "run.h"

#define RULES 300

static uint32_t parse(const char *text)
{
	uint32_t address_be;

	ck_assert_int_eq(address_parse(text, &address_be), 0);
	return ntohl(address_be);
}

/* The rule, or NULL and the reader's error. */
static struct deterministic *read_rule(const char *text, struct json_reader *reader)
{
	json_t *pool = json_loads(text, 0, NULL);
	struct deterministic *rule;

	ck_assert_ptr_nonnull(pool);
	json_reader_init(reader);
	rule = deterministic_read(reader, pool);
	ck_assert_str_eq(reader->pointer, "");
	ck_assert_int_eq(rule != NULL, json_reader_ok(reader));
	json_decref(pool);
	return rule;
}

static struct deterministic *good_rule(const char *text)
{
	struct json_reader reader;
	struct deterministic *rule = read_rule(text, &reader);

	ck_assert_msg(rule != NULL, "%s: %s", text, reader.error);
	return rule;
}

static const struct {
	const char *subscriber;
	const char *address;
	unsigned first, last;
} places[] = {
	/* 66 subscribers of 500 on each address; blocks of 256 ports from 2,048 on, two each. */
	{"100.64.0.0", "203.0.113.0", 2048, 2559},     {"100.64.0.1", "203.0.113.0", 2560, 3071},
	{"100.64.0.65", "203.0.113.0", 35328, 35839},  {"100.64.0.66", "203.0.113.1", 2048, 2559},
	{"100.64.0.255", "203.0.113.3", 31232, 31743}, {"10.1.0.0", "203.0.113.3", 31744, 32255},
	{"10.1.0.7", "203.0.113.3", 35328, 35839},     {"10.1.0.8", "198.51.100.9", 2048, 2559},
};

START_TEST(rfc7422_algorithm_by_example)
{
	struct deterministic *rule = good_rule(
		"{\"prefixes\": [\"203.0.113.0/30\", \"198.51.100.8/29\"], \"block_size\": 256,"
		" \"deterministic\": {\"subscribers\": [\"100.64.0.0/24\", \"10.1.0.0/25\"], \"blocks\": 2,"
		" \"subscribers_per_address\": 66, \"first_port\": 1800}}");
	struct deterministic_place place;
	uint32_t owner;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) - 1; i++) {
		ck_assert(deterministic_place_of(rule, parse(places[i].subscriber), &place));
		ck_assert_uint_eq(place.address, parse(places[i].address));
		ck_assert_uint_eq(place.first, places[i].first);
		ck_assert_uint_eq(place.last, places[i].last);
		ck_assert(deterministic_owner_of(rule, place.address, place.last, &owner));
		ck_assert_uint_eq(owner, parse(places[i].subscriber));
	}
	ck_assert(deterministic_place_of(rule, parse("10.1.0.8"), &place));
	ck_assert_uint_eq(place.address, parse("198.51.100.8"));
	ck_assert(!deterministic_place_of(rule, parse("100.64.1.0"), &place));
	ck_assert(!deterministic_owner_of(rule, parse("203.0.113.0"), 2047, &owner));
	ck_assert(!deterministic_owner_of(rule, parse("203.0.113.0"), 35840, &owner));
	ck_assert(!deterministic_owner_of(rule, parse("203.0.113.4"), 3000, &owner));
	ck_assert_uint_eq(deterministic_dynamic_from(rule, parse("203.0.113.0")), 8 + 132);
	ck_assert_uint_eq(deterministic_dynamic_from(rule, parse("198.51.100.9")), 8 + (384 - 5 * 66) * 2);
	ck_assert_uint_eq(deterministic_dynamic_from(rule, parse("198.51.100.15")), 8);
	ck_assert_uint_eq(deterministic_dynamic_from(rule, parse("203.0.113.4")), 0);
	deterministic_free(rule);
}
END_TEST

/* What is not given spreads the subscribers evenly. */
START_TEST(defaults)
{
	struct deterministic *rule = good_rule("{\"prefixes\": [\"203.0.113.0/30\"],"
					       " \"deterministic\": {\"subscribers\": [\"100.64.0.0/24\"]}}");

	ck_assert_uint_eq(rule->block_size, 512);
	ck_assert_uint_eq(rule->first_block, 2);
	ck_assert_uint_eq(rule->blocks, 1);
	ck_assert_uint_eq(rule->ratio, 64);
	deterministic_free(rule);
}
END_TEST

static const struct {
	const char *prefixes, *own, *error;
} refusals[] = {
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.0/16\"]",
	 "/deterministic/subscribers: [\"100.64.0.0/16\"]: are 65536 addresses, but 504 fit: 4 public "
	 "addresses for 126 subscribers each (block_size 512, blocks 1, dynamic_blocks 0, first_port 1024)"},
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.0/25\"], \"subscribers_per_address\": 31",
	 "/deterministic/subscribers: [\"100.64.0.0/25\"]: are 128 addresses, but 124 fit: 4 public "
	 "addresses "
	 "for 31 subscribers each (block_size 512, blocks 1, dynamic_blocks 0, first_port 1024)"},
	{"\"203.0.113.0/30\"",
	 "\"subscribers\": [\"100.64.0.0/24\"], \"subscribers_per_address\": 64, "
	 "\"blocks\": 2, \"dynamic_blocks\": 1",
	 "/deterministic/subscribers_per_address: 64: must be at most 62: a public address has 126 blocks of "
	 "512 ports from port 1024 on, 1 kept for overflow, 2 for each subscriber"},
	{"\"203.0.113.0/30\"", "\"subscribers\": []",
	 "/deterministic/subscribers: []: must be an array of 1-64 prefixes"},
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.0/24\", \"100.64.0.64/26\"]",
	 "/deterministic/subscribers/1: \"100.64.0.64/26\": overlaps element 0"},
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.1/24\"]",
	 "/deterministic/subscribers/0: \"100.64.0.1/24\": must be an IPv4 prefix such as "
	 "\"100.64.0.0/16\", no bits set behind its length"},
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.0/24\"], \"blocks\": 9",
	 "/deterministic/blocks: 9: must be an integer 1-8"},
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.0/24\"], \"first_port\": 80",
	 "/deterministic/first_port: 80: must be an integer 1024-65535"},
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.0/24\"], \"ratio\": 4",
	 "/deterministic/ratio: 4: unknown; known here: subscribers, blocks, subscribers_per_address, "
	 "dynamic_blocks, first_port"},
	{"\"203.0.113.0/30\"", "\"subscribers\": [\"100.64.0.0/24\"], \"first_port\": 65535",
	 "/deterministic/subscribers: [\"100.64.0.0/24\"]: are 256 addresses, but 0 fit: 4 public addresses "
	 "for 0 subscribers each (block_size 512, blocks 1, dynamic_blocks 0, first_port 65535)"},
	{"\"203.0.113.0/30\", 7", "\"subscribers\": [\"100.64.0.0/24\"]",
	 "/prefixes/1: 7: must be an IPv4 prefix such as \"100.64.0.0/16\", no bits set behind its length"},
};

START_TEST(refused_with_place_and_reason)
{
	struct json_reader reader;
	char text[512];

	snprintf(text, sizeof(text), "{\"prefixes\": [%s], \"deterministic\": {%s}}", refusals[_i].prefixes,
		 refusals[_i].own);
	ck_assert_ptr_null(read_rule(text, &reader));
	ck_assert_str_eq(reader.error, refusals[_i].error);
}
END_TEST

static unsigned chance(unsigned below)
{
	return (unsigned)random() % below;
}

/* Any rule at all: what does not fit is refused, and then another is made. */
static struct deterministic *random_rule(void)
{
	struct json_reader reader;
	struct deterministic *rule;
	char text[1024];

	do {
		snprintf(text, sizeof(text),
			 "{\"prefixes\": [\"203.0.%u.0/%u\", \"198.51.100.%u/32\"], \"block_size\": %u,"
			 " \"deterministic\": {\"subscribers\": [\"100.64.%u.0/%u\", \"10.%u.0.0/%u\"],"
			 " \"blocks\": %u, \"dynamic_blocks\": %u, \"first_port\": %u",
			 chance(256), 24 + chance(8), chance(256), 64u << chance(7), chance(256),
			 24 + chance(8), chance(256), 20 + chance(12), 1 + chance(4), chance(40),
			 1024 + chance(9000));
		if (chance(2))
			snprintf(text + strlen(text), 64, ", \"subscribers_per_address\": %u",
				 1 + chance(300));
		strcat(text, "}}");
		rule = read_rule(text, &reader);
	} while (!rule);
	return rule;
}

/* As ck_assert, which writes to a pipe each time: too slow for millions. */
#define must(condition)                                                                                      \
	do                                                                                                   \
		if (!(condition))                                                                            \
			ck_abort_msg("not so: %s", #condition);                                              \
	while (0)

/* Ports of one subscriber: nobody had one of them before, all of them lead back. */
static void check_subscriber(const struct deterministic *rule, uint32_t subscriber, uint8_t *given)
{
	const struct deterministic_range *public = rule->range + rule->subscriber_ranges;
	struct deterministic_place place;
	uint32_t owner, number;

	must(deterministic_place_of(rule, subscriber, &place));
	must(place.first >= rule->first_port);
	must(place.last - place.first + 1u == rule->blocks * rule->block_size);
	number = place.address == public[1].first ? public[0].last - public[0].first + 1
						  : place.address - public[0].first;
	for (uint32_t port = place.first; port <= place.last; port += rule->block_size) {
		uint32_t block = number * 1024 + port / rule->block_size;

		must(!given[block]);
		given[block] = 1;
		must(deterministic_owner_of(rule, place.address, (uint16_t)(port + chance(rule->block_size)),
					    &owner));
		must(owner == subscriber);
	}
}

/* Blocks that nobody has by the rule have no owner, and are where they are said to be. */
static void check_rest(const struct deterministic *rule, const uint8_t *given)
{
	const struct deterministic_range *public = rule->range + rule->subscriber_ranges;
	uint32_t addresses = (uint32_t)deterministic_addresses(rule), owner;

	for (uint32_t number = 0; number < addresses; number++) {
		uint32_t address = number + 1 < addresses ? public[0].first + number : public[1].first;
		unsigned dynamic = deterministic_dynamic_from(rule, address);

		must(dynamic + rule->dynamic_blocks <= 65536 / rule->block_size);
		for (uint32_t block = 0; block < 65536 / rule->block_size; block++) {
			bool fixed = block >= rule->first_block && block < dynamic;

			must(given[number * 1024 + block] == fixed);
			must(deterministic_owner_of(rule, address, (uint16_t)(block * rule->block_size),
						    &owner) == fixed);
		}
	}
}

START_TEST(rfc7422_any_rule_is_injective_and_has_an_inverse)
{
	srandom(7422);
	for (int i = 0; i < RULES; i++) {
		struct deterministic *rule = random_rule();
		uint8_t *given = calloc(258, 1024);

		for (size_t k = 0; k < rule->subscriber_ranges; k++)
			for (uint32_t address = rule->range[k].first; address <= rule->range[k].last;
			     address++)
				check_subscriber(rule, address, given);
		check_rest(rule, given);
		free(given);
		deterministic_free(rule);
	}
}
END_TEST

/* Prefixes and addresses at the end, and dynamic blocks, are nobody's business. */
START_TEST(what_is_added_at_the_end_moves_nobody)
{
	struct deterministic *one = good_rule("{\"prefixes\": [\"203.0.113.0/30\"], \"deterministic\": "
					      "{\"subscribers\": [\"100.64.0.0/25\"],"
					      " \"subscribers_per_address\": 100}}");
	struct deterministic *other = good_rule(
		"{\"prefixes\": [\"203.0.113.0/30\", \"192.0.2.0/24\"], \"deterministic\": {\"subscribers\":"
		" [\"100.64.0.0/25\", \"10.0.0.0/20\"], \"dynamic_blocks\": 9, \"subscribers_per_address\": "
		"100}}");
	struct deterministic *copy = deterministic_copy(one);

	for (uint32_t address = parse("100.64.0.0"); address < parse("100.64.0.128"); address++) {
		struct deterministic_place before, after;

		ck_assert(deterministic_place_of(one, address, &before));
		ck_assert(deterministic_place_of(other, address, &after));
		ck_assert_mem_eq(&before, &after, sizeof(before));
	}
	ck_assert(!deterministic_same(one, other));
	ck_assert(deterministic_same(one, copy));
	ck_assert(!deterministic_same(one, NULL));
	ck_assert(deterministic_same(NULL, NULL));
	deterministic_free(one);
	deterministic_free(other);
	deterministic_free(copy);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deterministic");
	TCase *tests = tcase_create("deterministic");

	tcase_add_test(tests, rfc7422_algorithm_by_example);
	tcase_add_test(tests, defaults);
	tcase_add_loop_test(tests, refused_with_place_and_reason, 0, sizeof(refusals) / sizeof(*refusals));
	tcase_add_test(tests, rfc7422_any_rule_is_injective_and_has_an_inverse);
	tcase_add_test(tests, what_is_added_at_the_end_moves_nobody);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
