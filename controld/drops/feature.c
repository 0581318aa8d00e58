/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What became of the packets: every verdict with its count, and how full the
 * maps are.
 */
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/drops/exhaustion.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"

/* The first word of the name. */
static json_t *kind_json(const char *name)
{
	return json_stringn(name, strcspn(name, "_"));
}

static void handle_drops(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct bng_count counts[BNG_VERDICT_COUNT];
	struct json_reader reader;
	json_t *list;

	if (!ctl_params(request, &reader, members))
		return;
	if (maps_counts(controld->maps, counts)) {
		rpc_fail(request, RPC_SYSTEM, NULL, "reading the map reason_count failed");
		return;
	}
	list = json_array();
	for (int i = 1; i < BNG_VERDICT_COUNT; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:s, s:I, s:I}", "name", maps_verdict_name(i), "kind",
					kind_json(maps_verdict_name(i)), "meaning", maps_verdict_meaning(i),
					"packets", (json_int_t)counts[i].packets, "bytes",
					(json_int_t)counts[i].bytes));
	rpc_reply(request, json_pack("{s:o}", "reasons", list), NULL, 0);
}

static void handle_maps(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct json_reader reader;
	json_t *list;

	if (!ctl_params(request, &reader, members))
		return;
	list = json_array();
	for (int i = 0; i < MAP_COUNT; i++) {
		uint64_t used, entries = maps_entries(controld->maps, i),
			       bytes = maps_entry_bytes(controld->maps, i);

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:o, s:I, s:I}", "name", maps_name(i),
						      "type", maps_type_name(controld->maps, i),
						      "max_entries", (json_int_t)entries, "used",
						      maps_used(controld->maps, i, &used)
							      ? json_integer((json_int_t)used)
							      : json_null(),
						      "entry_bytes", (json_int_t)bytes, "bytes",
						      (json_int_t)(entries * bytes)));
	}
	rpc_reply(request, json_pack("{s:o}", "maps", list), NULL, 0);
}

static const struct rpc_method methods[] = {
	{"drops", 0, handle_drops},
	{"maps", 0, handle_maps},
	{0},
};

const struct bng_feature drops_feature = {
	.name = "drops",
	.init = exhaustion_new,
	.free = exhaustion_free,
	.methods = methods,
};
