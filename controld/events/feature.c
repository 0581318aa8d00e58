/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the data plane tells, handed on to whoever follows.
 *
 * The data plane rarely wakes anybody: a timer drains the ring ten times a
 * second. Events that were written while controld was away are drained first.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"

#define DRAIN_US    100000
#define DRAIN_LIMIT 65536 /* in one turn of the loop */

struct events {
	struct event *timer;
	struct event *woken;
	uint64_t lost; /* bng_meta.events_lost when it was last reported */
};

static const char *type_name(uint32_t type)
{
	switch (type) {
	case BNG_EVENT_BLOCK_ALLOCATED:
		return "block_allocated";
	case BNG_EVENT_BLOCK_FREED:
		return "block_freed";
	case BNG_EVENT_SESSION_RELEASED:
		return "session_released";
	case BNG_EVENT_SUBSCRIBER_REFUSED:
		return "subscriber_refused";
	default:
		return "unknown";
	}
}

static json_t *event_json(const struct controld *controld, const struct bng_event *event)
{
	char when[CLOCK_TEXT], inner[ADDRESS_TEXT], public[ADDRESS_TEXT];
	json_t *object = json_pack("{s:s, s:s, s:I, s:s}", "time", clock_format(event->time_ns, when), "type",
				   type_name(event->type), "session", (json_int_t)event->session_id,
				   "address", address_format(event->inner_be, inner));

	if (event->type == BNG_EVENT_SUBSCRIBER_REFUSED)
		json_object_set_new(object, "reason", json_string(maps_verdict_name(event->verdict)));
	if (!event->public_be)
		return object;
	json_object_set_new(object, "public", json_string(address_format(event->public_be, public)));
	if (event->type != BNG_EVENT_SUBSCRIBER_REFUSED) {
		json_object_set_new(object, "first", json_integer(event->port_first));
		json_object_set_new(object, "last", json_integer(event->port_last));
	}
	json_object_set_new(object, "pool", json_string(names_pool(controld, event->pool)));
	json_object_set_new(object, "deterministic", json_boolean(event->flags & BNG_EVENT_DETERMINISTIC));
	return object;
}

static void on_event(const struct bng_event *event, void *context)
{
	struct controld *controld = context;

	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->events)
			bng_features[i]->events->event(controld, event);
	if (ctl_followed(controld))
		ctl_event(controld, event_json(controld, event));
}

static void drain(struct controld *controld)
{
	uint64_t lost = controld->maps->meta->events_lost;

	maps_events_drain(controld->maps, DRAIN_LIMIT);
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->events)
			bng_features[i]->events->drained(controld);
	if (lost == controld->events->lost)
		return;
	log_warning("the event ring was full: %llu events are lost",
		    (unsigned long long)(lost - controld->events->lost));
	controld->events->lost = lost;
}

static void on_drain(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	drain(context);
}

static void done(struct controld *controld)
{
	struct events *events = controld->events;

	if (events && events->timer)
		event_free(events->timer);
	if (events && events->woken)
		event_free(events->woken);
	free(events);
	controld->events = NULL;
}

static int init(struct controld *controld)
{
	struct timeval interval = {.tv_usec = DRAIN_US};
	struct events *events = calloc(1, sizeof(*events));
	int failure;

	controld->events = events;
	if (!events)
		return -ENOMEM;
	events->lost = controld->maps->meta->events_lost;
	failure = maps_events_open(controld->maps, on_event, controld);
	if (failure) {
		log_error("opening the event ring failed: error %d", -failure);
		return failure;
	}
	events->timer = event_new(controld->base, -1, EV_PERSIST, on_drain, controld);
	events->woken = event_new(controld->base, maps_events_fd(controld->maps), EV_READ | EV_PERSIST,
				  on_drain, controld);
	return events->timer && events->woken && !event_add(events->timer, &interval) &&
			       !event_add(events->woken, NULL)
		       ? 0
		       : -ENOMEM;
}

static void handle_follow(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct rpc_peer *peer = rpc_request_peer(request);

	if (!ctl_params(request, &reader, members))
		return;
	/* What waits in the ring happened before: it is not for the new follower. */
	drain(controld);
	rpc_reply(request, json_object(), NULL, 0);
	if (peer)
		ctl_follow(controld, peer);
}

static const struct rpc_method methods[] = {
	{"events.follow", 0, handle_follow},
	{0},
};

const struct bng_feature events_feature = {
	.name = "events",
	.init = init,
	.free = done,
	.methods = methods,
};
