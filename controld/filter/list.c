/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * filter.list: the filters in force, their rules, who has them and what they have decided.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "controld/config/config.h"
#include "controld/config/filters.h"
#include "controld/ctl/ctl.h"
#include "controld/filter/filter.h"
#include "lib/address.h"

#define PREFIX_TEXT (ADDRESS_TEXT + 3)
#define PORTS_TEXT  12

static json_t *ports_json(const struct bng_filter_rule *rule)
{
	char text[PORTS_TEXT];

	if (!rule->port_last)
		return json_null();
	snprintf(text, sizeof(text), rule->port_first == rule->port_last ? "%u" : "%u-%u", rule->port_first,
		 rule->port_last);
	return json_string(text);
}

static json_t *rule_json(const struct bng_filter_rule *rule, uint64_t packets)
{
	char address[ADDRESS_TEXT], prefix[PREFIX_TEXT];

	snprintf(prefix, sizeof(prefix), "%s/%d", address_format(rule->address_be, address),
		 __builtin_popcount(rule->mask_be));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I}", "action", filter_action_name(rule->flags),
			 "direction", filter_direction_name(rule->flags), "prefix", prefix, "protocol",
			 filter_protocol_name(rule->protocol), "ports", ports_json(rule), "packets",
			 (json_int_t)packets);
}

static json_t *filter_json(struct controld *controld, uint8_t number, uint32_t users)
{
	const struct bng_filter_half *half = filter_rules(controld->maps, number);
	const char *name = filter_name(controld->maps, number);
	struct bng_filter_hits hits;
	json_t *rules = json_array();

	filter_hits(controld->maps, number, &hits);
	for (uint8_t i = 0; i < half->count && i < BNG_FILTER_RULES; i++)
		json_array_append_new(rules, rule_json(&half->rule[i], hits.packets[i]));
	return json_pack("{s:s, s:i, s:b, s:I, s:o, s:s, s:I}", "name", name, "number", number, "configured",
			 config_find_filter(controld->config, name) != NULL, "sessions", (json_int_t)users,
			 "rules", rules, "default", filter_action_name(half->flags), "default_packets",
			 (json_int_t)hits.packets[BNG_FILTER_RULES]);
}

static json_t *drops_json(struct controld *controld, enum bng_verdict verdict)
{
	struct bng_count count = {0};

	maps_count(controld->maps, verdict, &count);
	return json_pack("{s:I, s:I}", "packets", (json_int_t)count.packets, "bytes",
			 (json_int_t)count.bytes);
}

static void handle_list(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	uint32_t users[BNG_FILTERS];
	struct json_reader reader;
	json_t *filters;

	if (!ctl_params(request, &reader, members) || ctl_refused(request, &reader))
		return;
	filters = json_array();
	filter_users(controld->maps, users);
	for (uint8_t i = 1; i < BNG_FILTER_CLOSED; i++)
		if (filter_name(controld->maps, i)[0])
			json_array_append_new(filters, filter_json(controld, i, users[i]));
	rpc_reply(request,
		  json_pack("{s:o, s:o, s:o, s:I, s:I}", "filters", filters, "drops_up",
			    drops_json(controld, BNG_DROP_FILTER_UP), "drops_down",
			    drops_json(controld, BNG_DROP_FILTER_DOWN), "unknown",
			    (json_int_t)controld->maps->meta->filters_unknown, "closed",
			    (json_int_t)users[BNG_FILTER_CLOSED]),
		  NULL, 0);
}

const struct rpc_method filter_methods[] = {
	{"filter.list", 0, handle_list},
	{0},
};
