/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The server's place in the daemon: packets from the punt socket, a timer for
 * leases, sessions that went down, and the counters by RPC.
 */
#include "memory.h"
#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/punt/punt.h"
#include "lib/clock.h"
#include "lib/log.h"

#define EXPIRE_BUDGET 16384 /* sessions looked at in one second */
#define GRACE_SECONDS 5     /* after a start: renewals that waited for us come first */

static void on_packet(struct controld *controld, const struct bng_punt *punt, const uint8_t *frame,
		      size_t length, void *context)
{
	(void)controld;
	dhcp4_serve(context, punt->interface, frame, length, clock_boottime_ns());
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
	static const struct timeval second = {.tv_sec = 1};
	struct dhcp4 *dhcp4 = context;

	(void)fd;
	(void)what;
	dhcp4_expire(dhcp4, EXPIRE_BUDGET, clock_boottime_ns());
	evtimer_add(dhcp4->timer, &second);
}

static void feature_free(struct controld *controld)
{
	if (controld->dhcp4 && controld->dhcp4->timer)
		event_free(controld->dhcp4->timer);
	if (controld->dhcp4)
		dhcp4_relay_close(controld->dhcp4);
	dhcp4_free(controld->dhcp4);
	controld->dhcp4 = NULL;
}

static int feature_init(struct controld *controld)
{
	static const struct timeval grace = {.tv_sec = GRACE_SECONDS};
	int err = dhcp4_new(controld, &controld->dhcp4);

	if (!err)
		controld->dhcp4->timer = evtimer_new(controld->base, on_second, controld->dhcp4);
	if (!err && (!controld->dhcp4->timer || evtimer_add(controld->dhcp4->timer, &grace)))
		err = -ENOMEM;
	if (err) {
		feature_free(controld);
		log_error("DHCP server: cannot start: out of memory");
		return err;
	}
	punt_register(controld, BNG_PUNT_REASON_DHCP4, on_packet, controld->dhcp4);
	memory_start(controld->dhcp4);
	authorise_register(controld, AUTHORISE_DHCP4, dhcp4_on_answer);
	return 0;
}

static const struct config_dhcp4_pool *pool_of(const struct config *config, uint32_t address)
{
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (address >= config->dhcp4_pools[i].prefix.first &&
		    address <= config->dhcp4_pools[i].prefix.last)
			return &config->dhcp4_pools[i];
	return NULL;
}

/* Sessions that are open follow their pool. */
static void apply_mss(struct controld *controld, const struct config *config)
{
	struct session session;
	uint32_t slot = 0;

	while (session_next(controld, &slot, &session)) {
		const struct config_dhcp4_pool *pool =
			session.record->kind == BNG_SESSION_DHCP
				? pool_of(config, ntohl(session.record->address_be))
				: NULL;

		if (pool)
			session_set_mss(&session, pool->mss);
	}
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	int failure = dhcp4_configure(controld->dhcp4, next);

	(void)old;
	if (!failure) {
		memory_restore(controld->dhcp4, clock_boottime_ns());
		failure = dhcp4_relay_open(controld->dhcp4);
		apply_mss(controld, next);
	}
	return failure;
}

static void on_session_down(struct controld *controld, const struct session *session, enum session_end end,
			    const char *why)
{
	(void)end;
	(void)why;
	dhcp4_remember(controld->dhcp4, session, clock_boottime_ns());
}

#define NAME_OF(type, name) [DHCP4_##type] = #name,
static const char *const received_names[DHCP4_INFORM + 1] = {DHCP4_RECEIVED(NAME_OF)};
static const char *const sent_names[DHCP4_INFORM + 1] = {DHCP4_SENT(NAME_OF)};
#undef NAME_OF
#define NAME_OF(refusal, name) [DHCP4_REFUSED_##refusal] = #name,
static const char *const refusal_names[DHCP4_REFUSAL_COUNT] = {DHCP4_REFUSALS(NAME_OF)};
#undef NAME_OF

static json_t *authorisation_json(const struct dhcp4 *dhcp4)
{
	json_t *object = json_object();

	json_set_count(object, "asked", dhcp4->stats.asked);
	json_set_count(object, "granted", dhcp4->stats.granted);
	json_set_count(object, "repeated", dhcp4->stats.repeated);
	json_set_count(object, "relayed", dhcp4->stats.relayed);
	json_set_count(object, "returned", dhcp4->stats.returned);
	json_set_count(object, "waiting", setups_count(dhcp4->setups, SETUP_ASKED));
	json_set_count(object, "opening", setups_count(dhcp4->setups, SETUP_OPENING));
	return object;
}

static void handle_stats(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct dhcp4 *dhcp4 = controld->dhcp4;
	const struct dhcp4_stats *stats = &dhcp4->stats;
	struct json_reader reader;
	uint64_t now_ns = clock_boottime_ns();

	if (!ctl_params(request, &reader, members))
		return;
	json_t *leases = json_object(), *result = json_object();
	json_set_count(leases, "bound", stats->bound);
	json_set_count(leases, "renewed", stats->renewed);
	json_set_count(leases, "expired", stats->expired);
	json_object_set_new(result, "received",
			    json_counts(received_names, stats->received, DHCP4_INFORM + 1));
	json_object_set_new(result, "sent", json_counts(sent_names, stats->sent, DHCP4_INFORM + 1));
	json_object_set_new(result, "refused",
			    json_counts(refusal_names, stats->refused, DHCP4_REFUSAL_COUNT));
	json_object_set_new(result, "leases", leases);
	json_object_set_new(result, "authorisation", authorisation_json(dhcp4));
	json_set_count(result, "offers", reservations_count(dhcp4->offers, now_ns));
	json_set_count(result, "quarantined", reservations_count(dhcp4->declined, now_ns));
	rpc_reply(request, result, NULL, 0);
}

static const struct rpc_method methods[] = {
	{"dhcp4.stats", 0, handle_stats},
	{0},
};

static const struct session_hooks hooks = {.down = on_session_down};

const struct bng_feature dhcp4_feature = {
	.name = "dhcp4",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.methods = methods,
	.hooks = &hooks,
	.topic = &memory_topic,
};
