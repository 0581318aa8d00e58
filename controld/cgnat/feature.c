/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CGNAT by configuration: pools, hold-down, exempt destinations. Addresses that
 * were taken out and are still in use are looked at again by a timer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "controld/cgnat/cgnat.h"
#include "controld/cgnat/plan.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "lib/log.h"

#define DRAIN_SECONDS 5

struct cgnat {
	struct event *timer;
	bool draining;
};

static int check(struct controld *controld, const struct config *old, const struct config *next, char *error,
		 size_t size)
{
	struct cgnat_plan plan;
	int failure = cgnat_plan_make(controld, next, &plan, error, size);

	(void)old;
	if (!failure)
		cgnat_plan_done(&plan);
	return failure;
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
	return 0;
}

static struct bng_exempt_key exempt_key(const struct config_prefix *prefix)
{
	return (struct bng_exempt_key){.prefix_length = prefix->length, .address_be = htonl(prefix->first)};
}

static int key_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct bng_exempt_key));
}

/* What the configuration no longer names goes, or stays as a dynamic entry. */
static uint32_t drop_exempt(struct maps *maps, const struct bng_exempt_key *wanted, size_t wanted_count)
{
	uint32_t count = 0, left = 0;
	void *keys, *values;

	if (maps_snapshot(maps, MAP_exempt, &keys, &values, &count))
		return maps->meta->exempt_count;
	left = count;
	for (uint32_t i = 0; i < count; i++) {
		const struct bng_exempt_key *key = &((struct bng_exempt_key *)keys)[i];
		uint32_t flags = ((uint32_t *)values)[i];

		if (!(flags & BNG_EXEMPT_PERMANENT) ||
		    (wanted_count && bsearch(key, wanted, wanted_count, sizeof(*key), key_compare)))
			continue;
		flags &= ~(uint32_t)BNG_EXEMPT_PERMANENT;
		if (flags)
			maps_set(maps, MAP_exempt, key, &flags);
		else if (!maps_delete(maps, MAP_exempt, key))
			left--;
	}
	free(keys);
	free(values);
	return left;
}

/* New entries are there before stale ones go. */
static int apply_exempt(struct controld *controld, const struct config *next)
{
	struct bng_exempt_key *wanted = calloc(next->exempt_count + 1, sizeof(*wanted));
	struct maps *maps = controld->maps;
	int failure = wanted ? 0 : -ENOMEM;

	for (size_t i = 0; !failure && i < next->exempt_count; i++) {
		uint32_t flags = 0;

		wanted[i] = exempt_key(&next->exempt[i]);
		maps_get(maps, MAP_exempt, &wanted[i], &flags);
		/* A lookup finds the longest prefix that holds it, perhaps another entry:
		 * writing what is there already does no harm. */
		flags = BNG_EXEMPT_PERMANENT | (flags & BNG_EXEMPT_DYNAMIC);
		failure = maps_set(maps, MAP_exempt, &wanted[i], &flags);
	}
	if (failure) {
		log_error("/cgnat/exempt: writing %zu prefixes failed: %s", next->exempt_count,
			  strerror(-failure));
		free(wanted);
		return failure;
	}
	__atomic_store_n(&maps->meta->exempt_count, maps->meta->exempt_count + (uint32_t)next->exempt_count,
			 __ATOMIC_RELEASE);
	qsort(wanted, next->exempt_count, sizeof(*wanted), key_compare);
	__atomic_store_n(&maps->meta->exempt_count, drop_exempt(maps, wanted, next->exempt_count),
			 __ATOMIC_RELEASE);
	free(wanted);
	return 0;
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	uint32_t hold_down = BNG_TICKS_OF_SECONDS(next->hold_down_s);
	int failure = apply_pools(controld, next);

	(void)old;
	if (!failure)
		failure = apply_exempt(controld, next);
	if (!failure)
		__atomic_store_n(&controld->maps->meta->hold_down_ticks, hold_down, __ATOMIC_RELAXED);
	return failure;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;

	(void)fd;
	(void)what;
	if (controld->cgnat->draining && controld->config)
		apply_pools(controld, controld->config);
}

static int init(struct controld *controld)
{
	struct timeval interval = {.tv_sec = DRAIN_SECONDS};
	struct cgnat *cgnat = calloc(1, sizeof(*cgnat));

	controld->cgnat = cgnat;
	if (!cgnat)
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
	free(controld->cgnat);
	controld->cgnat = NULL;
}

static const struct rpc_method methods[] = {
	{"cgnat.pools", 0, cgnat_handle_pools},
	{"cgnat.blocks", 0, cgnat_handle_blocks},
	{"cgnat.mappings", 0, cgnat_handle_mappings},
	{"cgnat.digest", 0, cgnat_handle_digest},
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
