/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The steps of an upgrade, in the order in which an operator reads them. Every
 * step before the swap can fail without a trace: what was staged is dropped.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/issu/canary.h"
#include "controld/issu/migrate.h"
#include "controld/issu/upgrade.h"
#include "controld/maps/sizes.h"
#include "controld/session/digest.h"
#include "controld/session/session.h"

#define SETTLE_MS 300 /* traffic is watched that long after the swap */

static json_int_t integer_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

__attribute__((format(printf, 2, 3))) static void say(struct upgrade *upgrade, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(upgrade->detail, sizeof(upgrade->detail), format, arguments);
	va_end(arguments);
}

/* Takes over what the holder said against it. */
static int holder_refused(struct upgrade *upgrade, struct rpc_result *result, int failure)
{
	upgrade->code = result->code ? result->code : RPC_UNAVAILABLE;
	upgrade->data = json_incref(result->data);
	say(upgrade, "%s", result->message);
	rpc_result_done(result);
	return failure;
}

static int ask(struct upgrade *upgrade, const char *method, json_t *params, int fd, struct rpc_result *result)
{
	int failure = holder_call(upgrade->controld->holder, method, params, &fd, fd >= 0 ? 1 : 0, result);

	return failure ? holder_refused(upgrade, result, failure) : 0;
}

/* {generation, program_ids} of one of holder.status's generations. */
static json_t *generation_json(const json_t *status, json_int_t number)
{
	json_t *ids = json_array(), *generation, *program;
	size_t i, k;

	json_array_foreach(json_object_get(status, "generations"), i, generation)
	{
		if (integer_of(generation, "generation") != number)
			continue;
		json_array_foreach(json_object_get(generation, "programs"), k, program)
			json_array_append(ids, json_object_get(program, "id"));
	}
	return json_pack("{s:I, s:o}", "generation", number, "program_ids", ids);
}

static bool is_bridge(const json_t *status, json_int_t number)
{
	json_t *generation;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(status, "generations"), i, generation)
	{
		found |= integer_of(generation, "generation") == number &&
			 json_is_true(json_object_get(generation, "bridge"));
	}
	return found;
}

/* One that runs no program would stop the swap; said before seconds were spent. */
static int refuse_detached(struct upgrade *upgrade, const json_t *status)
{
	json_t *link;
	size_t i;

	json_array_foreach(json_object_get(status, "links"), i, link)
	{
		const char *state = json_string_value(json_object_get(link, "state"));

		if (!state || strcmp(state, "detached") != 0)
			continue;
		say(upgrade,
		    "%s runs no program, it was detached behind bpfholder's back: attach it again "
		    "(bngcli config reload), then upgrade",
		    json_string_value(json_object_get(link, "interface")));
		upgrade->code = RPC_CONFLICT;
		return -ENOLINK;
	}
	return 0;
}

/* The holder would say so at the swap; whoever wants another object hears it at once. */
static int refuse_tried(struct upgrade *upgrade, const json_t *status)
{
	const json_t *trial = json_object_get(status, "trial"), *canary = json_object_get(status, "canary");
	const char *state = json_string_value(json_object_get(canary, "state"));
	bool is_canary = state && !strcmp(state, "running");

	if (upgrade->object < 0 || upgrade->is_plan || upgrade->is_migration ||
	    (!is_canary && !json_is_object(trial)))
		return 0;
	say(upgrade,
	    is_canary ? "generation %" JSON_INTEGER_FORMAT
			" is a canary: let it end, or end it (bngcli issu rollback)"
		      : "generation %" JSON_INTEGER_FORMAT
			" is on trial: confirm it (bngcli issu confirm) or go back (bngcli issu rollback)",
	    integer_of(is_canary ? canary : trial, "generation"));
	upgrade->code = RPC_CONFLICT;
	return -EBUSY;
}

int step_links(struct upgrade *upgrade)
{
	struct rpc_result status;
	int failure = ask(upgrade, "holder.status", NULL, -1, &status);
	char *text = upgrade->detail;
	json_t *link;
	size_t i, used = 0;

	if (failure)
		return failure;
	upgrade->generation_before = (uint64_t)integer_of(status.value, "generation");
	text[0] = '\0';
	json_array_foreach(json_object_get(status.value, "links"), i, link)
	{
		const char *name = json_string_value(json_object_get(link, "interface"));
		const char *role = json_string_value(json_object_get(link, "role"));

		if (used < sizeof(upgrade->detail))
			used += (size_t)snprintf(text + used, sizeof(upgrade->detail) - used,
						 "%s%s (%s, program %" JSON_INTEGER_FORMAT ")", i ? ", " : "",
						 name ? name : "?", role ? role : "?",
						 integer_of(link, "program_id"));
	}
	if (upgrade->is_plan)
		json_object_set(upgrade->report, "links", json_object_get(status.value, "links"));
	upgrade->is_from_bridge = is_bridge(status.value, (json_int_t)upgrade->generation_before);
	json_object_set_new(upgrade->report, "from",
			    generation_json(status.value, (json_int_t)upgrade->generation_before));
	failure = refuse_detached(upgrade, status.value);
	if (!failure)
		failure = refuse_tried(upgrade, status.value);
	rpc_result_done(&status);
	return failure ? failure : drops_read(upgrade->controld->maps, &upgrade->start);
}

/* Swapping to a bridge would begin with empty maps. */
static int check_bridge(struct upgrade *upgrade)
{
	if (upgrade->next || !maps_is_bridge(upgrade->object))
		return 0;
	if (upgrade->is_plan)
		return migrate_prepare(upgrade);
	say(upgrade, "%s is a bridge, which moves maps at a start of bng-controld: bngcli issu migrate",
	    upgrade->name);
	upgrade->code = RPC_CONFLICT;
	return -EBUSY;
}

int step_stage(struct upgrade *upgrade)
{
	struct rpc_result status, result;
	const char *key;
	json_t *sizes;
	int failure = check_bridge(upgrade);

	if (!failure)
		failure = ask(upgrade, "holder.status", NULL, -1, &status);
	if (failure)
		return failure;
	sizes = maps_sizes(upgrade->next ? upgrade->next : upgrade->controld->config, upgrade->object,
			   json_object_get(status.value, "maps"));
	rpc_result_done(&status);
	failure = ask(upgrade, "object.stage",
		      json_pack("{s:s, s:o, s:s*, s:b}", "name", upgrade->name, "max_entries", sizes,
				"signature", upgrade->signature, "canary", upgrade->canary != NULL),
		      upgrade->object, &result);
	if (failure)
		return failure;
	upgrade->generation = (uint64_t)integer_of(result.value, "generation");
	json_object_set(upgrade->report, "maps", json_object_get(result.value, "maps"));
	if (upgrade->is_plan)
		json_object_set(upgrade->report, "programs", json_object_get(result.value, "programs"));
	key = json_string_value(json_object_get(json_object_get(result.value, "signature"), "key"));
	say(upgrade, "%s is generation %" PRIu64 ", %zu programs accepted by the verifier%s%s", upgrade->name,
	    upgrade->generation, json_array_size(json_object_get(result.value, "programs")),
	    key ? ", signed by key " : "", key ? key : "");
	rpc_result_done(&result);
	return 0;
}

int step_maps(struct upgrade *upgrade)
{
	static const char *const kinds[] = {"same", "compatible", "new", "scratch", "migrate"};
	int counts[5] = {0};
	struct maps_blocks blocks;
	json_t *map;
	size_t i;

	json_array_foreach(json_object_get(upgrade->report, "maps"), i, map)
	{
		const char *result = json_string_value(json_object_get(map, "result"));

		for (int k = 0; result && k < 5; k++)
			counts[k] += !strcmp(result, kinds[k]);
	}
	maps_blocks_count(upgrade->controld->maps, &blocks);
	say(upgrade,
	    "%d same, %d compatible, %d new, %d scratch, %d to migrate; %u sessions, %" PRIu64
	    " port blocks, %" PRIu64 " mappings",
	    counts[0], counts[1], counts[2], counts[3], counts[4], session_count(upgrade->controld),
	    blocks.allocated, blocks.mappings);
	return upgrade->next ? migrate_changes(upgrade) : 0;
}

/* A digest goes into the report under `when`. */
static int add_digest(struct upgrade *upgrade, const char *when)
{
	json_t *digest = session_digest(upgrade->controld), *both;

	if (!digest) {
		say(upgrade, "out of memory for the digest of sessions and mappings");
		return -ENOMEM;
	}
	both = json_object_get(upgrade->report, "digest");
	if (!both) {
		both = json_object();
		json_object_set_new(upgrade->report, "digest", both);
	}
	json_object_set_new(both, when, digest);
	say(upgrade, "%" JSON_INTEGER_FORMAT " sessions, %" JSON_INTEGER_FORMAT " mappings, sha256 %.12s...",
	    integer_of(json_object_get(digest, "sessions"), "count"),
	    integer_of(json_object_get(digest, "mappings"), "count"),
	    json_string_value(json_object_get(json_object_get(digest, "mappings"), "sha256")));
	return 0;
}

int step_record(struct upgrade *upgrade)
{
	int failure = add_digest(upgrade, "before");

	if (failure)
		return failure;
	upgrade->kept = kept_record(upgrade->controld);
	if (!upgrade->kept) {
		say(upgrade, "out of memory for the list of sessions and mappings");
		return -ENOMEM;
	}
	return passage_read(upgrade->controld, &upgrade->passage);
}

static json_t *swap_params(const struct upgrade *upgrade)
{
	json_t *params = json_object();

	if (upgrade->generation)
		json_object_set_new(params, "generation", json_integer((json_int_t)upgrade->generation));
	if (upgrade->object >= 0)
		json_object_set_new(params, "expected", json_integer((json_int_t)upgrade->generation_before));
	if (upgrade->confirm_s)
		json_object_set_new(params, "confirm_within_s", json_integer(upgrade->confirm_s));
	if (upgrade->canary)
		json_object_set(params, "canary", upgrade->canary);
	return params;
}

static void describe_swap(struct upgrade *upgrade, const json_t *result)
{
	char programs[256] = "";
	size_t i, used = 0;
	json_t *link;

	json_array_foreach(json_object_get(result, "links"), i, link)
	{
		const char *name = json_string_value(json_object_get(link, "interface"));

		if (used < sizeof(programs))
			used += (size_t)snprintf(programs + used, sizeof(programs) - used,
						 "%s%s %" JSON_INTEGER_FORMAT " -> %" JSON_INTEGER_FORMAT,
						 i ? ", " : "", name ? name : "?",
						 integer_of(link, "old_program"),
						 integer_of(link, "new_program"));
	}
	say(upgrade, "%s; %.1f us from the first to the last", programs,
	    json_number_value(json_object_get(result, "skew_us")));
}

static int step_swap(struct upgrade *upgrade)
{
	const char *method = upgrade->object >= 0 ? "swap.commit" : "swap.rollback";
	struct sampler *sampler = sampler_start(upgrade->controld->maps);
	struct rpc_result result;
	json_int_t to;
	int failure = drops_read(upgrade->controld->maps, &upgrade->swap);

	if (!failure)
		failure = ask(upgrade, method, swap_params(upgrade), -1, &result);
	sampler_stop(sampler, &upgrade->sample);
	if (failure)
		return failure;
	upgrade->swapped = !upgrade->canary;
	to = integer_of(result.value, "to");
	json_object_set(upgrade->report, "skew_us", json_object_get(result.value, "skew_us"));
	describe_swap(upgrade, result.value);
	rpc_result_done(&result);
	upgrade->generation = (uint64_t)to;
	return 0;
}

/* The swap cannot be undone by failing here: the report tells what was seen. */
static int step_traffic(struct upgrade *upgrade)
{
	int failure = drops_read(upgrade->controld->maps, &upgrade->end);
	struct rpc_result status;

	if (failure)
		upgrade->end = upgrade->swap;
	if (!passage_read(upgrade->controld, &upgrade->passage_end))
		json_object_set_new(upgrade->report, "traffic",
				    passage_json(&upgrade->passage, &upgrade->passage_end));
	say(upgrade,
	    "%" PRIu64 " packets forwarded during the swap, longest gap %.1f ms, %" PRIu64 " dropped",
	    upgrade->sample.packets, (double)upgrade->sample.longest_gap_ns / 1e6,
	    drops_between(&upgrade->swap, &upgrade->end));
	if (!holder_call(upgrade->controld->holder, "holder.status", NULL, NULL, 0, &status))
		json_object_set_new(upgrade->report, "to",
				    generation_json(status.value, (json_int_t)upgrade->generation));
	else
		json_object_set_new(upgrade->report, "to",
				    json_pack("{s:I, s:[]}", "generation", (json_int_t)upgrade->generation,
					      "program_ids"));
	rpc_result_done(&status);
	return 0;
}

int step_compare(struct upgrade *upgrade)
{
	const struct kept_result *kept = &upgrade->kept_result;
	int failure;

	kept_compare(upgrade->kept, &upgrade->kept_result);
	upgrade->kept = NULL;
	failure = add_digest(upgrade, "after");
	if (!failure)
		say(upgrade,
		    "%" PRIu64 " of %" PRIu64 " sessions and %" PRIu64 " of %" PRIu64
		    " mappings as before, %" PRIu64 " ended by themselves",
		    kept->sessions - kept->sessions_lost - kept->sessions_ended, kept->sessions,
		    kept->mappings - kept->mappings_lost - kept->mappings_ended, kept->mappings,
		    kept->sessions_ended + kept->mappings_ended);
	return failure;
}

const struct upgrade_step upgrade_steps[] = {
	{"links found", step_links, 0},
	{"object staged", step_stage, 0},
	{"maps adopted", step_maps, 0},
	{"packets compared", step_verify, 0},
	{"state recorded", step_record, SETTLE_MS},
	{"program swapped", step_swap, 0},
	{"traffic watched", step_traffic, SETTLE_MS},
	{"state compared", step_compare, 0},
	{0},
};

const struct upgrade_step canary_steps[] = {
	{"links found", step_links, 0},
	{"object staged", step_stage, 0},
	{"maps adopted", step_maps, 0},
	{"packets compared", step_verify, 0},
	{"state recorded", step_record, SETTLE_MS},
	{"canary begun", step_swap, 0},
	{"canary", step_canary, 0},
	{"traffic watched", step_traffic, SETTLE_MS},
	{"state compared", step_compare, 0},
	{0},
};

const struct upgrade_step plan_steps[] = {
	{"links found", step_links, 0},
	{"object staged", step_stage, 0},
	{"maps compared", step_maps, 0},
	{"packets compared", step_verify, 0},
	{0},
};

const struct upgrade_step rollback_steps[] = {
	{"links found", step_links, 0},      {"state recorded", step_record, SETTLE_MS},
	{"program swapped", step_swap, 0},   {"traffic watched", step_traffic, SETTLE_MS},
	{"state compared", step_compare, 0}, {0},
};

void upgrade_judge(struct upgrade *upgrade)
{
	const struct kept_result *kept = &upgrade->kept_result;
	const char *reason;
	uint64_t dropped = drops_unexpected(&upgrade->start, &upgrade->swap, &upgrade->end, &reason);
	uint64_t unnamed, uncertain;
	bool hitless =
		!passage_lost(&upgrade->passage, &upgrade->passage_end, &unnamed, &uncertain) || !unnamed;

	hitless = hitless && !dropped && !kept->sessions_lost && !kept->mappings_lost;
	char lost[256] = "";

	if (!hitless)
		snprintf(lost, sizeof(lost),
			 "%" PRIu64 " sessions, %" PRIu64 " mappings, %" PRIu64
			 " packets more dropped than before%s%s, %" PRIu64 " lost without a name",
			 kept->sessions_lost, kept->mappings_lost, dropped, reason[0] ? ", most by " : "",
			 reason, unnamed);
	json_object_set_new(upgrade->report, "hitless", json_boolean(hitless));
	json_object_set_new(upgrade->report, "lost", json_string(lost));
	json_object_set_new(upgrade->report, "swap",
			    json_pack("{s:O?, s:I, s:I, s:I}", "skew_us",
				      json_object_get(upgrade->report, "skew_us"), "packets",
				      (json_int_t)upgrade->sample.packets, "dropped",
				      (json_int_t)drops_between(&upgrade->swap, &upgrade->end),
				      "longest_gap_us", (json_int_t)(upgrade->sample.longest_gap_ns / 1000)));
	json_object_del(upgrade->report, "skew_us");
}
