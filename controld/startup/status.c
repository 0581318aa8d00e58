/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The method `status`: the gateway on one page.
 */
#include <string.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/reload.h"
#include "controld/feature.h"
#include "controld/startup/phases.h"
#include "controld/startup/seen.h"
#include "controld/sync/resync.h"
#include "lib/clock.h"

static json_t *start_json(const struct startup *startup)
{
	json_t *phases = json_array();

	for (size_t i = 0; i < startup->count; i++)
		json_array_append_new(
			phases, json_pack("{s:s, s:s, s:f, s:i}", "name", startup->outcome[i].name, "detail",
					  startup->outcome[i].detail, "ms", startup->outcome[i].ms,
					  "deadline_s", (int)startup->outcome[i].deadline_s));
	return json_pack(
		"{s:o, s:f, s:o, s:b, s:{s:I, s:I, s:I}}", "phases", phases, "away_ms", startup->away_ms,
		"failed", attempt_json(startup->attempt), "in_place", startup->attempt->is_in_place,
		"adopted", "sessions", (json_int_t)startup->sessions.active, "blocks",
		(json_int_t)startup->blocks.allocated, "mappings", (json_int_t)startup->blocks.mappings);
}

static json_t *totals_json(struct maps *maps)
{
	struct bng_count counts[BNG_VERDICT_COUNT] = {0};

	maps_counts(maps, counts);
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "forwarded",
			 (json_int_t)maps_count_kind(counts, "forward"), "answered",
			 (json_int_t)maps_count_kind(counts, "answer"), "punted",
			 (json_int_t)maps_count_kind(counts, "punt"), "passed",
			 (json_int_t)maps_count_kind(counts, "pass"), "dropped",
			 (json_int_t)maps_count_kind(counts, "drop"));
}

/* Interfaces whose program was detached behind the holder's back. */
static json_t *detached_json(const json_t *links)
{
	json_t *names = json_array(), *link;
	size_t i;

	json_array_foreach(links, i, link)
	{
		const char *state = json_string_value(json_object_get(link, "state"));

		if (state && !strcmp(state, "detached"))
			json_array_append(names, json_object_get(link, "interface"));
	}
	return names;
}

/* Programs of the current generation; null while the holder is away. */
static void set_generation(struct controld *controld, json_t *object)
{
	static const char *const temporary[] = {"trial", "canary", "migration"};
	json_t *generations, *generation, *current, *programs = json_null();
	struct rpc_result status;
	size_t i;

	holder_call(controld->holder, "holder.status", NULL, NULL, 0, &status);
	current = json_object_get(status.value, "generation");
	generations = json_object_get(status.value, "generations");
	json_array_foreach(generations, i,
			   generation) if (json_equal(json_object_get(generation, "generation"), current))
		programs = json_object_get(generation, "programs");
	json_object_set(object, "generation", current ? current : json_null());
	json_object_set(object, "programs", programs);
	for (size_t k = 0; k < sizeof(temporary) / sizeof(temporary[0]); k++)
		json_object_set(object, temporary[k],
				json_object_get(status.value, temporary[k]) ?: json_null());
	json_object_set_new(object, "detached", detached_json(json_object_get(status.value, "links")));
	rpc_result_done(&status);
}

static json_t *counts_json(struct controld *controld)
{
	struct maps_blocks blocks;

	maps_blocks_count(controld->maps, &blocks);
	return json_pack("{s:{s:I, s:I, s:I}, s:I, s:{s:I, s:I, s:I}}", "sessions", "active",
			 (json_int_t)session_count(controld), "closing",
			 (json_int_t)sessions_closing(controld->sessions), "capacity",
			 (json_int_t)maps_entries(controld->maps, MAP_subscriber) - 1, "mappings",
			 (json_int_t)blocks.mappings, "blocks", "allocated", (json_int_t)blocks.allocated,
			 "held", (json_int_t)blocks.held, "free", (json_int_t)blocks.free);
}

static void handle_status(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct json_reader reader;
	char started[CLOCK_TEXT], loaded[CLOCK_TEXT];
	json_t *result;

	if (!ctl_params(request, &reader, members))
		return;
	result =
		json_pack("{s:s, s:i, s:I, s:s, s:I}", "version", BNG_VERSION, "pid", (int)getpid(), "epoch",
			  (json_int_t)controld->epoch, "started", clock_format(controld->started_ns, started),
			  "uptime_ns", (json_int_t)(clock_boottime_ns() - controld->started_ns));
	json_object_update_new(result, counts_json(controld));
	set_generation(controld, result);
	json_object_set_new(result, "config",
			    json_pack("{s:s, s:s, s:s}", "file", reload_file(controld), "loaded",
				      clock_format(reload_loaded_ns(controld), loaded), "hash",
				      controld->config->sha256));
	json_object_set_new(result, "start", start_json(controld->startup));
	json_object_set_new(result, "holder",
			    json_pack("{s:i, s:b}", "pid", (int)holder_pid(controld->holder), "connected",
				      holder_connected(controld->holder)));
	json_object_set_new(result, "sync", sync_json(controld));
	json_object_set_new(result, "totals", totals_json(controld->maps));
	rpc_reply(request, result, NULL, 0);
}

static const struct rpc_method methods[] = {
	{"status", 0, handle_status},
	{0},
};

static int on_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	seen_config(controld, next);
	return 0;
}

const struct bng_feature startup_feature = {
	.name = "startup",
	.apply = on_apply,
	.hooks = &seen_hooks,
	.topic = &seen_topic,
	.methods = methods,
};
