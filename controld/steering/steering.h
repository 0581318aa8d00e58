/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Steering: subscribers of public addresses in trouble get their new mappings from
 * others (docs/steering.md).
 *
 * 1. What is remembered lies in the maps: scores in bng_pool_address, moves and pins
 *    in bng_subscriber, the mode and the time of the last round in bng_meta. A
 *    restarted controld goes on where the one before was.
 * 2. A round takes scores, in every mode; then `observe` tells the moves that the plan
 *    has, `enforce` carries them out. Rounds are an interval apart, restarts or not.
 * 3. The data plane reads none of it but bng_subscriber.address_index.
 */
#ifndef BNG_CONTROLD_STEERING_H
#define BNG_CONTROLD_STEERING_H

#include <jansson.h>

#include "controld/config/config.h"
#include "controld/steering/move.h"

struct controld;
struct event;
struct rpc_request;

struct steering {
	struct event *timer;
	struct config_steering config;
	struct plan_policy policy;
	uint64_t told[BNG_POOLS]; /* what would move when it was logged last */
};

struct plan_policy steering_policy(const struct config_steering *config);
/* enum bng_steering_mode */
uint8_t steering_mode(const struct controld *controld);
/* Nanoseconds until the next round is due. */
uint64_t steering_due_ns(const struct controld *controld);
/* One round, now. */
void steering_round(struct controld *controld);

/* A move for people and programs: {pool, session, address, from, to, why, ...}. */
json_t *steering_move_json(const struct controld *controld, const struct plan_move *move, uint32_t from_be,
			   uint32_t to_be);

/* report.c */
void steering_handle_reputation(struct rpc_request *request, void *context);
void steering_handle_show(struct rpc_request *request, void *context);

#endif
