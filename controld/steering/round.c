/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One round: scores from the counters, a plan for each pool, and its moves carried
 * out or told.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/names.h"
#include "controld/steering/steering.h"
#include "dataplane/abi/meta.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"

#define WHY_TEXT     160
#define LOGGED_MOVES 20 /* of a pool in a round; events tell all */

static void take_scores(struct maps *maps, const struct score_policy *policy, uint64_t now_ns)
{
	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++) {
		struct bng_pool_address *record = &maps->pool_address[i];
		const uint64_t counters[SCORE_SIGNALS] = {
			[SCORE_FAILURES] = __atomic_load_n(&record->alloc_failures, __ATOMIC_RELAXED),
			[SCORE_LIMIT_HITS] = __atomic_load_n(&record->limit_hits, __ATOMIC_RELAXED),
			[SCORE_DROPS] = __atomic_load_n(&record->drops, __ATOMIC_RELAXED),
		};
		struct score score;

		if (!record->address_be)
			continue;
		score = steering_score(record);
		score_observe(&score, policy, counters, now_ns);
		memcpy(record->score, &score, sizeof(score));
	}
}

json_t *steering_move_json(const struct controld *controld, const struct plan_move *move, uint32_t from_be,
			   uint32_t to_be)
{
	const struct bng_subscriber *record = &controld->maps->subscriber[move->slot];
	char address[ADDRESS_TEXT], from[ADDRESS_TEXT], to[ADDRESS_TEXT], why[WHY_TEXT];

	plan_move_text(move, &controld->steering->policy, why, sizeof(why));
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "session", (json_int_t)record->session_id,
			 "address", address_format(record->address_be, address), "pool",
			 names_pool(controld, record->pool), "from", address_format(from_be, from), "to",
			 address_format(to_be, to), "why", why);
}

static void tell(struct controld *controld, const char *type, const struct plan_move *move, uint32_t from_be,
		 uint32_t to_be, uint64_t now_ns)
{
	json_t *event;
	char when[CLOCK_TEXT];

	if (!ctl_followed(controld))
		return;
	event = json_pack("{s:s, s:s}", "time", clock_format(now_ns, when), "type", type);
	json_object_update_new(event, steering_move_json(controld, move, from_be, to_be));
	ctl_event(controld, event);
}

static void log_move(const struct controld *controld, const char *what, const struct plan_move *move,
		     uint32_t from_be, uint32_t to_be)
{
	const struct bng_subscriber *record = &controld->maps->subscriber[move->slot];
	char address[ADDRESS_TEXT], from[ADDRESS_TEXT], to[ADDRESS_TEXT], why[WHY_TEXT];

	plan_move_text(move, &controld->steering->policy, why, sizeof(why));
	log_info("steering: %s %s from %s to %s: %s", address_format(record->address_be, address), what,
		 address_format(from_be, from), address_format(to_be, to), why);
}

/* In `observe`, what would be done counts as done. */
static size_t do_moves(struct controld *controld, const struct steering_pool *pool, const struct plan *plan,
		       bool enforce, bool logged, uint64_t now_ns)
{
	const struct bng_pool_address *addresses = controld->maps->pool_address;
	size_t done = 0;

	for (size_t i = 0; i < plan->move_count; i++) {
		const struct plan_move *move = &plan->moves[i];
		uint32_t from_be = addresses[pool->indexes[move->from]].address_be;
		uint32_t to_be = addresses[pool->indexes[move->to]].address_be;

		if (enforce && !steering_move(controld->maps, pool, move, now_ns))
			continue;
		if (done++ < LOGGED_MOVES && logged)
			log_move(controld, enforce ? "moved" : "would move", move, from_be, to_be);
		tell(controld, enforce ? "steering_move" : "steering_would_move", move, from_be, to_be,
		     now_ns);
	}
	return done;
}

/* What would move is the same in round after round: logged when it is something new. */
static bool is_news(struct steering *steering, uint8_t pool, const struct plan *plan)
{
	uint64_t hash = 0, before = steering->told[pool];

	for (size_t i = 0; i < plan->move_count; i++)
		hash = (hash ^ plan->moves[i].slot ^ (uint64_t)plan->moves[i].to << 32) * 0x100000001b3ULL;
	steering->told[pool] = hash;
	return hash != before;
}

static void steer_pool(struct controld *controld, const struct steering_pool *pool, uint64_t now_ns)
{
	bool enforce = steering_mode(controld) == BNG_STEERING_ENFORCE, logged;
	struct plan plan;
	size_t done;

	if (steering_view_plan(pool, &controld->steering->policy, now_ns, &plan)) {
		log_error("steering pool %s failed: out of memory", names_pool(controld, pool->pool));
		return;
	}
	logged = is_news(controld->steering, pool->pool, &plan) || enforce;
	done = do_moves(controld, pool, &plan, enforce, logged, now_ns);
	if (done && logged)
		log_info("steering: %zu subscribers of pool %s %s to another public address (%zu eligible, "
			 "%zu held down, %zu without a target)",
			 done, names_pool(controld, pool->pool), enforce ? "moved" : "would move",
			 plan.counts.eligible, plan.counts.held_down, plan.counts.no_room);
	plan_done(&plan);
}

/* Is an address of any pool below the threshold? Else there is nothing to plan. */
static bool is_pressed(const struct maps *maps, const struct plan_policy *policy)
{
	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++) {
		const struct score score = steering_score(&maps->pool_address[i]);

		if (maps->pool_address[i].address_be && score_known(&score) &&
		    score_value(&policy->score, &score) < policy->threshold)
			return true;
	}
	return false;
}

void steering_round(struct controld *controld)
{
	const struct plan_policy *policy = &controld->steering->policy;
	uint64_t now_ns = clock_boottime_ns();
	struct steering_view view;

	take_scores(controld->maps, &policy->score, now_ns);
	__atomic_store_n(&controld->maps->meta->steered_tick, maps_tick(controld->maps), __ATOMIC_RELAXED);
	if (steering_mode(controld) == BNG_STEERING_OFF || !is_pressed(controld->maps, policy))
		return;
	if (steering_view_make(controld->maps, &view)) {
		log_error("steering failed: out of memory");
		return;
	}
	for (int i = 0; i < BNG_POOLS; i++)
		if (view.pools[i].address_count)
			steer_pool(controld, &view.pools[i], now_ns);
	steering_view_done(&view);
}
