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

struct exempt {
	struct bng_exempt_key key;
	uint32_t found; /* its flags in the map; 0: not there */
};

static int key_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct bng_exempt_key));
}

static struct exempt *exempt_wanted(const struct config *config)
{
	struct exempt *wanted = calloc(config->exempt_count + 1, sizeof(*wanted));

	for (size_t i = 0; wanted && i < config->exempt_count; i++)
		wanted[i].key = (struct bng_exempt_key){.prefix_length = config->exempt[i].length,
							.address_be = htonl(config->exempt[i].first)};
	if (wanted)
		qsort(wanted, config->exempt_count, sizeof(*wanted), key_compare);
	return wanted;
}

static int exempt_add(struct maps *maps, struct exempt *wanted, size_t count, uint32_t *entries)
{
	int failure = 0;

	for (size_t i = 0; !failure && i < count; i++) {
		uint32_t flags = wanted[i].found | BNG_EXEMPT_PERMANENT;

		if (wanted[i].found == flags)
			continue;
		failure = maps_set(maps, MAP_exempt, &wanted[i].key, &flags);
		if (!failure && !wanted[i].found)
			__atomic_store_n(&maps->meta->exempt_count, ++*entries, __ATOMIC_RELEASE);
	}
	return failure;
}

/* What the configuration no longer names goes, or stays as a dynamic entry. */
static void exempt_drop(struct maps *maps, const struct bng_exempt_key *key, uint32_t flags,
			uint32_t *entries)
{
	flags &= ~(uint32_t)BNG_EXEMPT_PERMANENT;
	if (flags)
		maps_set(maps, MAP_exempt, key, &flags);
	else if (!maps_delete(maps, MAP_exempt, key))
		--*entries;
}

/* New entries are there before stale ones go. */
static int apply_exempt(struct controld *controld, const struct config *next)
{
	struct exempt *wanted = exempt_wanted(next), *hit;
	struct maps *maps = controld->maps;
	struct bng_exempt_key *keys = NULL;
	uint32_t *flags = NULL, count = 0, entries;
	int failure =
		wanted ? maps_snapshot(maps, MAP_exempt, (void **)&keys, (void **)&flags, &count) : -ENOMEM;

	entries = count;
	for (uint32_t i = 0; !failure && i < count; i++) {
		hit = bsearch(&keys[i], wanted, next->exempt_count, sizeof(*wanted), key_compare);
		if (hit)
			hit->found = flags[i];
	}
	if (!failure)
		failure = exempt_add(maps, wanted, next->exempt_count, &entries);
	for (uint32_t i = 0; !failure && i < count; i++)
		if (flags[i] & BNG_EXEMPT_PERMANENT &&
		    !bsearch(&keys[i], wanted, next->exempt_count, sizeof(*wanted), key_compare))
			exempt_drop(maps, &keys[i], flags[i], &entries);
	if (failure)
		log_error("/cgnat/exempt: writing %zu prefixes failed: %s", next->exempt_count,
			  strerror(-failure));
	else
		__atomic_store_n(&maps->meta->exempt_count, entries, __ATOMIC_RELEASE);
	free(keys);
	free(flags);
	free(wanted);
	return failure;
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
