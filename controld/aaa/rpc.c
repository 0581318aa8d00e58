/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * aaa.stats: what was asked and how it ended, counted across restarts.
 */
#include "controld/aaa/aaa.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "lib/clock.h"

static json_t *method_json(const struct aaa_method_counts *counts)
{
	json_t *object = json_object();

#define ADD_COUNT(name) json_set_count(object, #name, counts->name);
	AAA_METHOD_COUNTS(ADD_COUNT)
#undef ADD_COUNT
	return object;
}

static void handle_stats(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	static const char *const methods[] = {[CREDENTIAL_LINE] = "line",
					      [CREDENTIAL_PAP] = "pap",
					      [CREDENTIAL_CHAP] = "chap",
					      [CREDENTIAL_MSCHAP2] = "mschap2"};
	struct controld *controld = context;
	const struct aaa *aaa = controld->aaa;
	const struct aaa_counts *counts = &aaa->kept->counts;
	struct json_reader reader;
	json_t *list, *result;

	if (!ctl_params(request, &reader, members))
		return;
	list = json_array();
	for (size_t i = 0; i < AAA_METHODS; i++) {
		json_t *method = method_json(&counts->method[i]);

		json_object_set_new(method, "method", json_string(methods[i]));
		json_array_append_new(list, method);
	}
	result = json_pack("{s:o}", "methods", list);
#define ADD_COUNT(name) json_set_count(result, #name, counts->name);
	AAA_COUNTS(ADD_COUNT)
#undef ADD_COUNT
	json_set_count(result, "under_way", aaa->under_way.count);
	json_set_count(result, "holding_off", hold_off_count(aaa, clock_boottime_ns()));
	rpc_reply(request, result, NULL, 0);
}

const struct rpc_method aaa_methods[] = {
	{"aaa.stats", 0, handle_stats},
	{"radius.test", 0, handle_test},
	{0},
};
