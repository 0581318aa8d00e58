/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading where sessions may come up by their first packet.
 */
#include "dataplane/abi/first_packet.h"
#include "controld/config/parse.h"

static void read_rule(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {
		"interface", "prefix", "nat_pool", "mss", "idle_timeout_seconds", NULL};
	struct config_first_packet *rule = target;
	const json_t *prefix;

	json_read_only(reader, element, members);
	config_name(reader, element, "interface", rule->interface, sizeof(rule->interface));
	prefix = json_enter(reader, element, "prefix");
	config_prefix(reader, prefix, &rule->prefix);
	if (rule->prefix.length < 8)
		json_reader_fail(reader, prefix, "prefix length must be 8-32");
	json_leave(reader);
	config_read_nat_pool_name(reader, element, "nat_pool", context, rule->nat_pool);
	rule->mss = config_read_mss(reader, element);
	rule->idle_timeout_s =
		(uint32_t)config_integer(reader, element, "idle_timeout_seconds", 0, 366 * 86400, 3600);
}

void config_read_first_packet(struct json_reader *reader, json_t *root, struct config *config)
{
	config_array(reader, root, "first_packet", BNG_FIRST_PACKET_PREFIXES / 2,
		     sizeof(*config->first_packets), &config->first_packets, &config->first_packet_count,
		     read_rule, config);
}
