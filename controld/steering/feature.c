/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Steering by configuration and by RPC: the mode, and when a round is due.
 *
 * The mode is kept in bng_meta beside the one that the configuration had when it was
 * set: a mode set by RPC stays until the configuration's changes, restarts or not.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/steering/steering.h"
#include "dataplane/abi/meta.h"
#include "lib/clock.h"
#include "lib/log.h"

#define NS_PER_S 1000000000ULL

struct plan_policy steering_policy(const struct config_steering *config)
{
	return (struct plan_policy){
		.score =
			{
				.weight =
					{
						[SCORE_FAILURES] = config->weight_failures,
						[SCORE_LIMIT_HITS] = config->weight_limit_hits,
						[SCORE_DROPS] = config->weight_drops,
					},
				.half_life_s = config->half_life_s,
				.pressured_below = config->pressured_below,
				.degraded_below = config->degraded_below,
			},
		.threshold = config->threshold,
		.share = config->share,
		.margin = config->margin,
		.fill = config->max_fill,
		.hold_down_ns = config->hold_down_s * NS_PER_S,
	};
}

uint8_t steering_mode(const struct controld *controld)
{
	return controld->maps->meta->steering_mode;
}

uint64_t steering_due_ns(const struct controld *controld)
{
	const struct bng_meta *meta = controld->maps->meta;
	uint64_t interval = controld->steering->config.interval_s * NS_PER_S;
	uint64_t since = (uint64_t)(maps_tick(controld->maps) - meta->steered_tick) << BNG_TICK_SHIFT;

	return meta->steered_tick && since < interval ? interval - since : 0;
}

static void set_timer(struct controld *controld)
{
	uint64_t due = steering_due_ns(controld);
	struct timeval wait = {.tv_sec = (time_t)(due / NS_PER_S),
			       .tv_usec = (suseconds_t)(due % NS_PER_S / 1000)};

	if (controld->steering->timer)
		event_add(controld->steering->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	steering_round(context);
	set_timer(context);
}

static void set_mode(struct controld *controld, uint8_t mode, const char *by)
{
	struct bng_meta *meta = controld->maps->meta;
	const char *before = config_steering_mode_name(meta->steering_mode);
	char when[CLOCK_TEXT];

	if (mode == meta->steering_mode)
		return;
	__atomic_store_n(&meta->steering_mode, mode, __ATOMIC_RELAXED);
	log_notice("steering: %s -> %s by %s", before, config_steering_mode_name(mode), by);
	ctl_event(controld, json_pack("{s:s, s:s, s:s, s:s, s:s}", "time",
				      clock_format(clock_boottime_ns(), when), "type", "steering_mode",
				      "from", before, "to", config_steering_mode_name(mode), "by", by));
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct bng_meta *meta = controld->maps->meta;
	uint8_t mode = next->steering.mode;

	(void)old;
	controld->steering->config = next->steering;
	controld->steering->policy = steering_policy(&next->steering);
	if (meta->steering_configured != mode) {
		set_mode(controld, mode, "the configuration");
		__atomic_store_n(&meta->steering_configured, mode, __ATOMIC_RELAXED);
	}
	set_timer(controld);
	return 0;
}

static void handle_set(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"mode", NULL};
	struct controld *controld = context;
	uint8_t before = steering_mode(controld), mode;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);

	if (!params)
		return;
	mode = config_steering_mode(&reader, params, "mode", NULL);
	if (ctl_refused(request, &reader))
		return;
	set_mode(controld, mode, "RPC");
	rpc_reply(request,
		  json_pack("{s:s, s:s}", "mode", config_steering_mode_name(mode), "was",
			    config_steering_mode_name(before)),
		  NULL, 0);
}

static int init(struct controld *controld)
{
	unsigned finished = steering_finish_moves(controld->maps);

	controld->steering = calloc(1, sizeof(*controld->steering));
	if (!controld->steering)
		return -ENOMEM;
	if (finished)
		log_notice("steering: %u moves of an earlier controller finished", finished);
	if (!controld->base)
		return 0; /* unit tests take their rounds by hand */
	controld->steering->timer = evtimer_new(controld->base, on_timer, controld);
	return controld->steering->timer ? 0 : -ENOMEM;
}

static void done(struct controld *controld)
{
	if (controld->steering && controld->steering->timer)
		event_free(controld->steering->timer);
	free(controld->steering);
	controld->steering = NULL;
}

static const struct rpc_method methods[] = {
	{"cgnat.reputation", 0, steering_handle_reputation},
	{"cgnat.steering", 0, steering_handle_show},
	{"cgnat.steering.set", 0, handle_set},
	{0},
};

const struct bng_feature steering_feature = {
	.name = "steering",
	.init = init,
	.free = done,
	.apply = apply,
	.methods = methods,
};
