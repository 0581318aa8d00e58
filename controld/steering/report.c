/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an operator can see: how each public address is, who would move, who has.
 * What would move is planned when it is asked for, from the last scores.
 */
#include <stdlib.h>

#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/names.h"
#include "controld/steering/steering.h"
#include "dataplane/abi/meta.h"
#include "lib/address.h"
#include "lib/clock.h"

#define LIST_DEFAULT 20
#define LIST_MAX     10000

static json_t *address_json(const struct controld *controld, const struct steering_pool *pool, size_t place)
{
	const struct bng_pool_address *record = &controld->maps->pool_address[pool->indexes[place]];
	const struct plan_address *address = &pool->addresses[place];
	const struct score_policy *policy = &controld->steering->policy.score;
	bool known = score_known(&address->score);
	double score = score_value(policy, &address->score);
	char text[ADDRESS_TEXT];

	return json_pack("{s:s, s:b, s:o, s:s, s:f, s:f, s:f, s:I, s:I, s:I}", "address",
			 address_format(record->address_be, text), "enabled", address->enabled, "score",
			 known ? json_real(score) : json_null(), "status",
			 known ? score_status_name(score_status(policy, score)) : "unknown", "failures_per_s",
			 (double)address->score.rate[SCORE_FAILURES], "limit_hits_per_s",
			 (double)address->score.rate[SCORE_LIMIT_HITS], "drops_per_s",
			 (double)address->score.rate[SCORE_DROPS], "subscribers",
			 (json_int_t)pool->subscribers_at[place], "blocks", (json_int_t)address->capacity,
			 "free", (json_int_t)address->free_blocks);
}

static json_t *pool_json(const struct controld *controld, const struct steering_pool *pool,
			 const struct plan *plan)
{
	const struct plan_counts *counts = &plan->counts;
	json_t *addresses = json_array();

	for (size_t i = 0; i < pool->address_count; i++)
		json_array_append_new(addresses, address_json(controld, pool, i));
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name",
			 names_pool(controld, pool->pool), "index", (int)pool->pool, "subscribers",
			 (json_int_t)pool->subscriber_count, "would_move", (json_int_t)plan->move_count,
			 "eligible", (json_int_t)counts->eligible, "held_down", (json_int_t)counts->held_down,
			 "no_margin", (json_int_t)counts->no_margin, "no_room", (json_int_t)counts->no_room,
			 "addresses", addresses);
}

static void out_of_memory(struct rpc_request *request)
{
	rpc_fail(request, RPC_INTERNAL, NULL, "looking at the pools failed: out of memory");
}

void steering_handle_reputation(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct steering_view view;
	struct json_reader reader;
	json_t *pools;

	if (!ctl_params(request, &reader, members))
		return;
	if (steering_view_make(controld->maps, &view)) {
		out_of_memory(request);
		return;
	}
	pools = json_array();
	for (int i = 0; i < BNG_POOLS; i++) {
		struct plan plan;

		if (!view.pools[i].address_count ||
		    steering_view_plan(&view.pools[i], &controld->steering->policy, clock_boottime_ns(),
				       &plan))
			continue;
		json_array_append_new(pools, pool_json(controld, &view.pools[i], &plan));
		plan_done(&plan);
	}
	steering_view_done(&view);
	rpc_reply(request,
		  json_pack("{s:s, s:o}", "mode", config_steering_mode_name(steering_mode(controld)), "pools",
			    pools),
		  NULL, 0);
}

/* Appends the pool's planned moves to `list`, which shall not become longer than
 * `limit`: how many there are. */
static size_t add_pending(const struct controld *controld, const struct steering_pool *pool, json_t *list,
			  size_t limit)
{
	const struct bng_pool_address *addresses = controld->maps->pool_address;
	struct plan plan;
	size_t count;

	if (steering_view_plan(pool, &controld->steering->policy, clock_boottime_ns(), &plan))
		return 0;
	for (size_t i = 0; i < plan.move_count && json_array_size(list) < limit; i++) {
		const struct plan_move *move = &plan.moves[i];

		json_array_append_new(list,
				      steering_move_json(controld, move,
							 addresses[pool->indexes[move->from]].address_be,
							 addresses[pool->indexes[move->to]].address_be));
	}
	count = plan.move_count;
	plan_done(&plan);
	return count;
}

/* False when out of memory. */
static bool set_pending(struct controld *controld, json_t *result, size_t limit)
{
	struct steering_view view;
	json_t *list = json_array();
	size_t count = 0;

	if (steering_view_make(controld->maps, &view)) {
		json_decref(list);
		return false;
	}
	for (int i = 0; i < BNG_POOLS; i++)
		if (view.pools[i].address_count)
			count += add_pending(controld, &view.pools[i], list, limit);
	steering_view_done(&view);
	json_object_set_new(result, "pending", list);
	json_object_set_new(result, "pending_total", json_integer((json_int_t)count));
	return true;
}

static bool set_moves(struct controld *controld, json_t *result, size_t limit)
{
	uint64_t now = clock_boottime_ns(), hold_down = controld->steering->policy.hold_down_ns;
	struct steering_moved *moves;
	json_t *list = json_array();
	size_t count, held = 0;

	if (steering_recent_moves(controld->maps, &moves, &count)) {
		json_decref(list);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		char when[CLOCK_TEXT];
		json_t *move;

		held += now - moves[i].at_ns < hold_down;
		if (i >= limit)
			continue;
		move = json_pack("{s:s}", "time", clock_format(moves[i].at_ns, when));
		json_object_update_new(
			move, steering_move_json(controld, &moves[i].move, moves[i].from_be, moves[i].to_be));
		json_array_append_new(list, move);
	}
	free(moves);
	json_object_set_new(result, "moves", list);
	json_object_set_new(result, "moves_total", json_integer((json_int_t)count));
	json_object_set_new(result, "held_down", json_integer((json_int_t)held));
	return true;
}

/* As /cgnat/steering of the configuration has it. */
static json_t *policy_json(const struct config_steering *config)
{
	return json_pack("{s:I, s:f, s:{s:f, s:f, s:f}, s:f, s:f, s:f, s:f, s:f, s:I, s:f}",
			 "interval_seconds", (json_int_t)config->interval_s, "half_life_seconds",
			 config->half_life_s, "weights", "alloc_failures", config->weight_failures,
			 "limit_hits", config->weight_limit_hits, "drops", config->weight_drops,
			 "pressured_below", config->pressured_below, "degraded_below", config->degraded_below,
			 "threshold", config->threshold, "share_per_interval", config->share,
			 "stability_margin", config->margin, "hold_down_seconds",
			 (json_int_t)config->hold_down_s, "max_fill", config->max_fill);
}

void steering_handle_show(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"limit", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members), *result;
	size_t limit;

	if (!params)
		return;
	limit = (size_t)json_read_integer_or(&reader, params, "limit", 0, LIST_MAX, LIST_DEFAULT);
	if (ctl_refused(request, &reader))
		return;
	result = json_pack("{s:s, s:s, s:f, s:o}", "mode", config_steering_mode_name(steering_mode(controld)),
			   "configured", config_steering_mode_name(controld->maps->meta->steering_configured),
			   "next_round_s", (double)steering_due_ns(controld) / 1e9, "policy",
			   policy_json(&controld->steering->config));
	if (set_pending(controld, result, limit) && set_moves(controld, result, limit)) {
		rpc_reply(request, result, NULL, 0);
		return;
	}
	json_decref(result);
	out_of_memory(request);
}
