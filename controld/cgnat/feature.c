/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CGNAT by configuration: pools, hold-down, exempt destinations. Addresses that
 * were taken out and are still in use are looked at again by a timer.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "controld/cgnat/cgnat.h"
#include "controld/cgnat/deterministic.h"
#include "controld/cgnat/exempt.h"
#include "controld/cgnat/held.h"
#include "controld/cgnat/plan.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/fixed.h"
#include "lib/log.h"

#define DRAIN_SECONDS 5
#define SETTLE_ROUNDS 12 /* a minute */

struct cgnat {
	struct event *timer;
	struct exempt *exempt;
	bool draining;
	bool strays;     /* a change of a rule may have left some: look again */
	unsigned rounds; /* of the timer */
};

static int check(struct controld *controld, const struct config *old, const struct config *next, char *error,
		 size_t size)
{
	struct cgnat_plan plan;
	int failure = cgnat_plan_make(controld, next, &plan, error, size);

	if (!failure)
		cgnat_plan_done(&plan);
	/* At a start, a bad file of exempt destinations is no reason to stay away. */
	return failure || !old ? failure : exempt_check(controld, next, error, size);
}

static int apply_pools(struct controld *controld, const struct config *config)
{
	char error[CONFIG_ERROR_TEXT];
	struct cgnat_plan plan;
	int failure = cgnat_plan_make(controld, config, &plan, error, sizeof(error));

	if (failure) {
		log_error("%s", error);
		return failure;
	}
	cgnat_plan_write(controld, &plan);
	controld->cgnat->draining = plan.draining;
	cgnat_plan_done(&plan);
	deterministic_tell_strays(controld);
	controld->cgnat->strays = true;
	return 0;
}

/* Buckets that packets use, whatever the size of the map: a power of two. */
static void apply_flow_mask(struct maps *maps)
{
	uint32_t buckets = 1;

	while (buckets <= maps_entries(maps, MAP_flow) / 2)
		buckets *= 2;
	if (maps->meta->flow_mask != buckets - 1)
		__atomic_store_n(&maps->meta->flow_mask, buckets - 1, __ATOMIC_RELEASE);
}

static void apply_hold_down(struct bng_meta *meta, const struct config *config)
{
	__atomic_store_n(&meta->hold_down_ticks, BNG_TICKS_OF_SECONDS(config->hold_down_s), __ATOMIC_RELAXED);
	__atomic_store_n(&meta->hold_down_blocks, config->hold_down_blocks, __ATOMIC_RELAXED);
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	int failure;

	apply_flow_mask(controld->maps);
	failure = apply_pools(controld, next);
	if (!failure)
		failure = exempt_apply(controld, controld->cgnat->exempt, old, next);
	if (!failure)
		apply_hold_down(controld->maps->meta, next);
	return failure;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;

	(void)fd;
	(void)what;
	deterministic_keep_blocks(controld->maps);
	if (controld->cgnat->strays)
		deterministic_tell_strays(controld);
	controld->cgnat->strays = false;
	if (controld->cgnat->draining && controld->config)
		apply_pools(controld, controld->config);
	if (++controld->cgnat->rounds % SETTLE_ROUNDS)
		return;
	exempt_settle(controld, controld->cgnat->exempt);
	held_recount(controld->maps);
}

static int init(struct controld *controld)
{
	struct timeval interval = {.tv_sec = DRAIN_SECONDS};
	struct cgnat *cgnat = calloc(1, sizeof(*cgnat));

	controld->cgnat = cgnat;
	if (!cgnat || exempt_new(&cgnat->exempt))
		return -ENOMEM;
	if (!controld->base)
		return 0; /* unit tests apply by hand */
	cgnat->timer = event_new(controld->base, -1, EV_PERSIST, on_timer, controld);
	return cgnat->timer && !event_add(cgnat->timer, &interval) ? 0 : -ENOMEM;
}

static void done(struct controld *controld)
{
	if (controld->cgnat && controld->cgnat->timer)
		event_free(controld->cgnat->timer);
	for (uint8_t i = 0; controld->cgnat && i < BNG_POOLS; i++)
		fixed_set_rule(controld, i, NULL);
	if (controld->cgnat)
		exempt_free(controld->cgnat->exempt);
	free(controld->cgnat);
	controld->cgnat = NULL;
}

static const struct rpc_method methods[] = {
	{"cgnat.pools", 0, cgnat_handle_pools},
	{"cgnat.blocks", 0, cgnat_handle_blocks},
	{"cgnat.mappings", 0, cgnat_handle_mappings},
	{"cgnat.tunnels", 0, cgnat_handle_tunnels},
	{"cgnat.digest", 0, cgnat_handle_digest},
	{"cgnat.lookup", 0, cgnat_handle_lookup},
	{0},
};

const struct bng_feature cgnat_feature = {
	.name = "cgnat",
	.init = init,
	.free = done,
	.check = check,
	.apply = apply,
	.methods = methods,
};
