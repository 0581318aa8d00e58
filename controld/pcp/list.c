/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an operator can see of PCP: the leases, and how requests were answered.
 */
#include <arpa/inet.h>

#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/mappings.h"
#include "controld/pcp/pcp.h"
#include "lib/address.h"

#define LIST_DEFAULT 1000
#define LIST_MAX     20000

/* Seconds of one part, or null where it is none. */
static json_t *left_json(uint32_t deadline, uint32_t tick)
{
	uint32_t left = lease_left(deadline, tick);

	return left ? json_integer((json_int_t)lease_seconds(left)) : json_null();
}

static json_t *lease_json(const struct maps *maps, const struct bng_pcp *record, uint32_t tick)
{
	char inner[ADDRESS_TEXT], public[ADDRESS_TEXT];
	uint32_t left = lease_left(bng_pcp_deadline(lease_life(record)), tick);

	return json_pack(
		"{s:I, s:s, s:s, s:i, s:s, s:i, s:I, s:o, s:o}", "session", (json_int_t)record->session_id,
		"address", address_format(maps->subscriber[record->slot].address_be, inner), "protocol",
		cgnat_protocol_name(record->protocol), "inner_port", (int)ntohs(record->inner_port_be),
		"public", address_format(maps->pool_address[record->port >> 16].address_be, public),
		"public_port", (int)(record->port & 0xffff), "lifetime_s", (json_int_t)lease_seconds(left),
		"map_s", left_json(record->map_tick, tick), "peer_s", left_json(record->peer_tick, tick));
}

static bool is_shown(const struct maps *maps, const struct bng_pcp *record, uint32_t address_be,
		     uint32_t tick)
{
	return lease_is_live(record, tick) && record->answer == BNG_INJECT_PIN &&
	       record->slot < maps_entries(maps, MAP_subscriber) &&
	       record->port >> 16 < maps_entries(maps, MAP_pool_address) &&
	       (!address_be || maps->subscriber[record->slot].address_be == address_be);
}

static json_t *results_json(const struct bng_pcp_counts *counts)
{
	json_t *results = json_object();

	for (int i = 0; i < BNG_PCP_RESULTS; i++)
		json_object_set_new(results, pcp_result_name(i), json_integer((json_int_t)counts->result[i]));
	return results;
}

static void handle_pcp(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"address", "limit", NULL};
	static const struct bng_pcp_counts none;
	struct controld *controld = context;
	const struct maps *maps = controld->maps;
	const struct bng_pcp_counts *counts = controld->pcp->leases ? pcp_counts(controld) : &none;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members), *list;
	uint32_t address_be = 0, tick = maps_tick(maps);
	size_t limit, total = 0;

	if (!params)
		return;
	limit = (size_t)json_read_integer_or(&reader, params, "limit", 0, LIST_MAX, LIST_DEFAULT);
	if (json_object_get(params, "address"))
		address_be = config_address(&reader, params, "address");
	if (ctl_refused(request, &reader))
		return;
	list = json_array();
	for (uint32_t i = 1; i < maps->meta->pcp_high && i < maps_entries(maps, MAP_pcp); i++)
		if (is_shown(maps, &maps->pcp[i], address_be, tick) && total++ < limit)
			json_array_append_new(list, lease_json(maps, &maps->pcp[i], tick));
	rpc_reply(request,
		  json_pack("{s:o, s:I, s:o, s:I, s:I}", "mappings", list, "total", (json_int_t)total,
			    "results", results_json(counts), "dropped", (json_int_t)counts->dropped,
			    "announced", (json_int_t)counts->announced),
		  NULL, 0);
}

const struct rpc_method pcp_methods[] = {
	{"cgnat.pcp", 0, handle_pcp},
	{0},
};
