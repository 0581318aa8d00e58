/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading a deterministic NAT pool (RFC 7422): the rule is read by the code that also
 * answers from it (lib/deterministic.h); here it meets the rest of its pool.
 */
#include "controld/config/parse.h"

static void check_blocks(struct json_reader *reader, const json_t *own, const struct config_nat_pool *pool)
{
	if (pool->deterministic->blocks <= pool->max_blocks)
		return;
	json_enter(reader, NULL, "deterministic");
	json_reader_fail(reader, json_enter(reader, own, "blocks"),
			 "must be at most the pool's blocks_per_subscriber, %u", pool->max_blocks);
	json_leave(reader);
	json_leave(reader);
}

static void fill_in(json_t *own, const char *member, unsigned value)
{
	if (!json_object_get(own, member))
		json_object_set_new(own, member, json_integer(value));
}

void config_read_deterministic(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	json_t *own = json_object_get(element, "deterministic");
	const struct deterministic *rule;

	if (!own || !json_reader_ok(reader))
		return;
	rule = pool->deterministic = deterministic_read(reader, element);
	if (!rule)
		return;
	check_blocks(reader, own, pool);
	fill_in(own, "blocks", rule->blocks);
	fill_in(own, "subscribers_per_address", rule->ratio);
	fill_in(own, "dynamic_blocks", rule->dynamic_blocks);
	fill_in(own, "first_port", rule->first_port);
}
