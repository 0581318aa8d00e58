/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Tells management of mappings that were refused (RFC 6888 REQ-11c): no port block
 * left, or a subscriber's limit. The data plane counts them for each public address;
 * here the counters are looked at every second, and what was refused is an event and
 * a line in the log, at most one in ten seconds for each pool, with the number.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "lib/clock.h"
#include "lib/log.h"

#define LOOK_SECONDS  1
#define QUIET_SECONDS 10

struct refused {
	uint64_t no_block;
	uint64_t limit;
};

struct refusals {
	struct event *timer;
	struct refused untold[BNG_POOLS]; /* since the last event */
	uint64_t quiet_until_ns[BNG_POOLS];
	uint32_t addresses;
	struct refused seen[]; /* by public address: the counters at the last look */
};

/* How far a counter went on; it begins again when its address becomes another pool's. */
static uint64_t advance(uint64_t *seen, uint64_t now)
{
	uint64_t step = now >= *seen ? now - *seen : now;

	*seen = now;
	return step;
}

static void look(const struct maps *maps, struct refusals *refusals)
{
	for (uint32_t i = 0; i < refusals->addresses; i++) {
		const struct bng_pool_address *record = &maps->pool_address[i];
		struct refused *pool = &refusals->untold[record->pool % BNG_POOLS];

		pool->no_block += advance(&refusals->seen[i].no_block,
					  __atomic_load_n(&record->alloc_failures, __ATOMIC_RELAXED));
		pool->limit += advance(&refusals->seen[i].limit,
				       __atomic_load_n(&record->limit_hits, __ATOMIC_RELAXED));
	}
}

static void tell(struct controld *controld, uint8_t pool, const struct refused *refused, uint64_t now_ns)
{
	const char *name = names_pool(controld, pool);
	char when[CLOCK_TEXT];

	log_warning("pool %s refused mappings: %llu for want of a port block, %llu by subscribers' limits",
		    name, (unsigned long long)refused->no_block, (unsigned long long)refused->limit);
	if (ctl_followed(controld))
		ctl_event(controld,
			  json_pack("{s:s, s:s, s:s, s:I, s:I}", "time", clock_format(now_ns, when), "type",
				    "mappings_refused", "pool", name, "no_block",
				    (json_int_t)refused->no_block, "limit", (json_int_t)refused->limit));
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;
	struct refusals *refusals = controld->refusals;
	uint64_t now_ns = clock_boottime_ns();

	(void)fd;
	(void)what;
	look(controld->maps, refusals);
	for (uint8_t pool = 0; pool < BNG_POOLS; pool++) {
		struct refused *refused = &refusals->untold[pool];

		if ((!refused->no_block && !refused->limit) || now_ns < refusals->quiet_until_ns[pool])
			continue;
		tell(controld, pool, refused, now_ns);
		*refused = (struct refused){0};
		refusals->quiet_until_ns[pool] = now_ns + QUIET_SECONDS * 1000000000ULL;
	}
}

static int init(struct controld *controld)
{
	struct timeval interval = {.tv_sec = LOOK_SECONDS};
	uint32_t addresses = maps_entries(controld->maps, MAP_pool_address);
	struct refusals *refusals = calloc(1, sizeof(*refusals) + addresses * sizeof(refusals->seen[0]));

	controld->refusals = refusals;
	if (!refusals)
		return -ENOMEM;
	refusals->addresses = addresses;
	/* What was refused before this start was told by the one before. */
	look(controld->maps, refusals);
	for (uint8_t pool = 0; pool < BNG_POOLS; pool++)
		refusals->untold[pool] = (struct refused){0};
	refusals->timer = event_new(controld->base, -1, EV_PERSIST, on_timer, controld);
	return refusals->timer && !event_add(refusals->timer, &interval) ? 0 : -ENOMEM;
}

static void done(struct controld *controld)
{
	if (controld->refusals && controld->refusals->timer)
		event_free(controld->refusals->timer);
	free(controld->refusals);
	controld->refusals = NULL;
}

const struct bng_feature refusals_feature = {
	.name = "refusals",
	.init = init,
	.free = done,
};
