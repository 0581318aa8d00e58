/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "controld/drops/exhaustion.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/maps.h"
#include "lib/clock.h"
#include "lib/log.h"

#define REPEAT_SECONDS 60

static const enum bng_verdict watched[] = {
	BNG_DROP_CGNAT_FLOW_FULL,
	BNG_DROP_FRAGMENT_FULL,
	BNG_DROP_TUNNEL_FULL,
	BNG_DROP_PUNT_LIMIT,
};

#define WATCHED (sizeof(watched) / sizeof(watched[0]))

struct watch {
	uint64_t seen;    /* packets at the last look */
	uint64_t told;    /* packets at the last event */
	uint64_t moved_s; /* when it moved last */
	uint64_t told_s;
	bool active;
};

struct exhaustion {
	struct event *timer;
	struct watch watch[WATCHED];
};

/* Packets since the last event, which is now. */
static uint64_t since_told(struct watch *watch)
{
	uint64_t packets = watch->seen - watch->told;

	watch->told = watch->seen;
	return packets;
}

static void tell(struct controld *controld, const char *type, enum bng_verdict verdict, uint64_t packets)
{
	char when[CLOCK_TEXT];

	if (ctl_followed(controld))
		ctl_event(controld, json_pack("{s:s, s:s, s:s, s:I}", "time",
					      clock_format(clock_boottime_ns(), when), "type", type, "reason",
					      maps_verdict_name(verdict), "packets", (json_int_t)packets));
}

static void on_moved(struct controld *controld, enum bng_verdict verdict, struct watch *watch, uint64_t now_s)
{
	uint64_t packets;

	watch->moved_s = now_s;
	if (watch->active && now_s - watch->told_s < REPEAT_SECONDS)
		return;
	packets = since_told(watch);
	watch->told_s = now_s;
	watch->active = true;
	log_warning("%s: %llu packets refused: %s", maps_verdict_name(verdict), (unsigned long long)packets,
		    maps_verdict_meaning(verdict));
	tell(controld, "exhausted", verdict, packets);
}

static void on_quiet(struct controld *controld, enum bng_verdict verdict, struct watch *watch, uint64_t now_s)
{
	uint64_t packets;

	if (!watch->active || now_s - watch->moved_s < REPEAT_SECONDS)
		return;
	packets = since_told(watch);
	watch->active = false;
	log_info("%s: over, %llu more packets were refused", maps_verdict_name(verdict),
		 (unsigned long long)packets);
	tell(controld, "exhaustion_over", verdict, packets);
}

void exhaustion_look(struct controld *controld, uint64_t now_s)
{
	struct bng_count count;

	for (size_t i = 0; i < WATCHED; i++) {
		struct watch *watch = &controld->exhaustion->watch[i];

		if (maps_count(controld->maps, watched[i], &count))
			continue;
		if (count.packets == watch->seen) {
			on_quiet(controld, watched[i], watch, now_s);
			continue;
		}
		watch->seen = count.packets;
		on_moved(controld, watched[i], watch, now_s);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	exhaustion_look(context, clock_boottime_ns() / 1000000000);
}

int exhaustion_new(struct controld *controld)
{
	struct timeval interval = {.tv_sec = 1};
	struct exhaustion *exhaustion = calloc(1, sizeof(*exhaustion));
	struct bng_count count;

	controld->exhaustion = exhaustion;
	if (!exhaustion)
		return -ENOMEM;
	for (size_t i = 0; i < WATCHED; i++)
		if (!maps_count(controld->maps, watched[i], &count))
			exhaustion->watch[i].seen = exhaustion->watch[i].told = count.packets;
	if (!controld->base)
		return 0; /* unit tests look by hand */
	exhaustion->timer = event_new(controld->base, -1, EV_PERSIST, on_timer, controld);
	return exhaustion->timer && !event_add(exhaustion->timer, &interval) ? 0 : -ENOMEM;
}

void exhaustion_free(struct controld *controld)
{
	if (controld->exhaustion && controld->exhaustion->timer)
		event_free(controld->exhaustion->timer);
	free(controld->exhaustion);
	controld->exhaustion = NULL;
}
