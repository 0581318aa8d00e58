/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the data plane cannot keep for itself is kept here for a moment and handed back
 * (dataplane/hold.h). What this process loses when it ends is packets, nothing else.
 */
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/hold/fragments.h"
#include "controld/hold/syns.h"
#include "controld/maps/maps.h"
#include "controld/punt/punt.h"
#include "lib/clock.h"
#include "lib/log.h"

#define NS_PER_SECOND 1000000000ULL
#define LOOK_US       1000 /* at fragments, while there are any */
#define RETRY_NS      1000000ULL
/* RFC 5382 REQ-4: no answer for six seconds. The data plane's clock has steps of 4 ms
 * and may be as much behind. */
#define SYN_DELAY_NS (6 * NS_PER_SECOND + 50000000ULL)

/* A datagram of 65,535 bytes is 45 fragments on an Ethernet. */
static const struct fragments_limits fragment_limits = {
	.packets = 1024,
	.packets_of_source = 64,
	.bytes = 1024 * HOLD_FRAME_MAX,
	.lifetime_ns = 2 * NS_PER_SECOND,
};

static const struct syns_limits syn_limits = {
	.packets = 4096,
	.bytes = 1 << 20,
	.delay_ns = SYN_DELAY_NS,
};

enum direction {
	UP,
	DOWN,
	DIRECTIONS,
};

struct hold {
	struct controld *controld;
	struct fragments *fragments[DIRECTIONS];
	struct syns *syns;
	struct event *look; /* at the fragments */
	struct event *due;  /* of the next SYN */
	uint64_t unsent;    /* refused fragments that could not even be handed back */
};

static int hand_back(const struct bng_punt *header, const uint8_t *frame, size_t length, void *context)
{
	return punt_back(context, header, frame, length);
}

static bool is_noted_up(const struct hold_packet *packet, void *context)
{
	const struct controld *controld = context;

	return maps_fragment_noted(controld->maps, packet->source_be, packet->destination_be,
				   bng_fragment_rest(packet->id_be, packet->ip_protocol, BNG_FRAGMENT_UP));
}

static bool is_noted_down(const struct hold_packet *packet, void *context)
{
	const struct controld *controld = context;

	return maps_fragment_noted(controld->maps, packet->source_be, packet->destination_be,
				   bng_fragment_rest(packet->id_be, packet->ip_protocol, BNG_FRAGMENT_DOWN));
}

static fragments_noted *const is_noted[DIRECTIONS] = {[UP] = is_noted_up, [DOWN] = is_noted_down};

static struct fragments_ways ways_of(struct hold *hold, enum direction direction)
{
	return (struct fragments_ways){is_noted[direction], hand_back, hold->controld};
}

static void look_again(struct hold *hold)
{
	static const struct timeval soon = {.tv_usec = LOOK_US};

	if (fragments_stats(hold->fragments[UP])->held || fragments_stats(hold->fragments[DOWN])->held)
		evtimer_add(hold->look, &soon);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	struct hold *hold = context;

	(void)fd;
	(void)what;
	for (enum direction i = UP; i < DIRECTIONS; i++) {
		struct fragments_ways ways = ways_of(hold, i);

		fragments_look(hold->fragments[i], clock_boottime_ns(), &ways);
	}
	look_again(hold);
}

static void on_fragment(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
			size_t length, void *context)
{
	enum direction direction = header->reason == BNG_PUNT_REASON_FRAGMENT_UP ? UP : DOWN;
	struct bng_punt refused = *header;
	struct hold *hold = context;

	if (fragments_put(hold->fragments[direction], header, frame, length, clock_boottime_ns())) {
		refused.flags |= BNG_PUNT_REFUSED;
		hold->unsent += punt_back(controld, &refused, frame, length) != 0;
	}
	if (!evtimer_pending(hold->look, NULL))
		look_again(hold);
}

static void wait_until(struct hold *hold, uint64_t due_ns, uint64_t now_ns)
{
	uint64_t left_ns = due_ns > now_ns ? due_ns - now_ns : RETRY_NS;
	struct timeval left = {.tv_sec = (time_t)(left_ns / NS_PER_SECOND),
			       .tv_usec = (suseconds_t)(left_ns % NS_PER_SECOND / 1000)};

	evtimer_add(hold->due, &left);
}

static void on_due(evutil_socket_t fd, short what, void *context)
{
	struct hold *hold = context;
	uint64_t now_ns = clock_boottime_ns(), next_ns;

	(void)fd;
	(void)what;
	next_ns = syns_look(hold->syns, now_ns, hand_back, hold->controld);
	if (next_ns)
		wait_until(hold, next_ns, now_ns);
}

static void on_syn(struct controld *controld, const struct bng_punt *header, const uint8_t *frame,
		   size_t length, void *context)
{
	struct hold *hold = context;

	(void)controld;
	/* Refused or not: it has been dropped and counted, only the answer is at stake. */
	if (!syns_put(hold->syns, header, frame, length, clock_boottime_ns()) &&
	    !evtimer_pending(hold->due, NULL))
		on_due(-1, 0, hold);
}

/* What is held is dropped by the data plane, or passes: nothing ends unseen. */
static void feature_free(struct controld *controld)
{
	struct hold *hold = controld->hold;

	if (!hold)
		return;
	for (enum direction i = UP; i < DIRECTIONS; i++) {
		struct fragments_ways ways = ways_of(hold, i);

		if (hold->fragments[i])
			fragments_flush(hold->fragments[i], &ways);
		fragments_free(hold->fragments[i]);
	}
	syns_free(hold->syns);
	if (hold->look)
		event_free(hold->look);
	if (hold->due)
		event_free(hold->due);
	free(hold);
	controld->hold = NULL;
}

static int feature_init(struct controld *controld)
{
	struct hold *hold = calloc(1, sizeof(*hold));

	controld->hold = hold;
	if (hold) {
		hold->controld = controld;
		hold->fragments[UP] = fragments_new(&fragment_limits);
		hold->fragments[DOWN] = fragments_new(&fragment_limits);
		hold->syns = syns_new(&syn_limits);
		hold->look = evtimer_new(controld->base, on_look, hold);
		hold->due = evtimer_new(controld->base, on_due, hold);
	}
	if (!hold || !hold->fragments[UP] || !hold->fragments[DOWN] || !hold->syns || !hold->look ||
	    !hold->due) {
		feature_free(controld);
		return -ENOMEM;
	}
	punt_register(controld, BNG_PUNT_REASON_FRAGMENT_UP, on_fragment, hold);
	punt_register(controld, BNG_PUNT_REASON_FRAGMENT_DOWN, on_fragment, hold);
	punt_register(controld, BNG_PUNT_REASON_SYN, on_syn, hold);
	return 0;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	punt_limit(controld, BNG_PUNT_REASON_FRAGMENT_UP, next->fragment_rate, next->fragment_burst);
	punt_limit(controld, BNG_PUNT_REASON_FRAGMENT_DOWN, next->fragment_rate, next->fragment_burst);
	punt_limit(controld, BNG_PUNT_REASON_SYN, next->syn_rate, next->syn_burst);
	return 0;
}

static json_t *queue_json(const char *name, const struct hold_stats *stats, uint32_t room,
			  uint64_t room_bytes)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "name", name, "held",
			 (json_int_t)stats->held, "room", (json_int_t)room, "bytes", (json_int_t)stats->bytes,
			 "room_bytes", (json_int_t)room_bytes, "released", (json_int_t)stats->released,
			 "expired", (json_int_t)stats->expired, "repeated", (json_int_t)stats->repeated,
			 "refused", (json_int_t)stats->refused);
}

static json_t *fragments_json(const char *name, const struct fragments *fragments)
{
	return queue_json(name, fragments_stats(fragments), fragment_limits.packets, fragment_limits.bytes);
}

static void handle_status(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct hold *hold = controld->hold;
	struct json_reader reader;

	if (!ctl_params(request, &reader, members))
		return;
	rpc_reply(request,
		  json_pack("{s:[o, o, o], s:I}", "queues",
			    fragments_json("fragments_up", hold->fragments[UP]),
			    fragments_json("fragments_down", hold->fragments[DOWN]),
			    queue_json("syns", syns_stats(hold->syns), syn_limits.packets, syn_limits.bytes),
			    "lost", (json_int_t)(punt_lost(controld) + hold->unsent)),
		  NULL, 0);
}

static const struct rpc_method methods[] = {
	{"hold.status", 0, handle_status},
	{0},
};

const struct bng_feature hold_feature = {
	.name = "hold",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.methods = methods,
};
