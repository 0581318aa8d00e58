/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE's place in the daemon: frames from the punt socket, a second's timer, the memory
 * that the holder keeps, and sessions that come up and go down.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/pppoe/pppoe.h"
#include "controld/punt/punt.h"
#include "lib/clock.h"
#include "lib/log.h"

#define LINKS_NAME "controld.pppoe.links"

/* ---- Memory that is kept -------------------------------------------------------------------- */

static void keep(struct pppoe *pppoe)
{
	struct holder *holder = pppoe->controld->holder;
	int failure = holder ? holder_keep(holder, LINKS_NAME, pppoe->links->fd) : 0;

	if (failure)
		log_warning("PPPoE: bpfholder does not keep the sessions in setup (%s): they would be lost "
			    "with this process",
			    strerror(-failure));
}

static int make_links(struct pppoe *pppoe)
{
	int failure = links_new(&pppoe->links);
	uint16_t start = 0;

	if (failure)
		return failure;
	if (getrandom(&start, sizeof(start), GRND_NONBLOCK) == sizeof(start))
		pppoe->links->header->next_id = start;
	return 0;
}

/* Those of an earlier start, or room for new ones. */
static int open_links(struct pppoe *pppoe)
{
	struct holder *holder = pppoe->controld->holder;
	int fd, failure = -ENOENT;

	if (holder && !holder_take(holder, LINKS_NAME, &fd)) {
		failure = links_adopt(fd, &pppoe->links);
		if (failure == -EINVAL)
			log_warning(
				"PPPoE: what the last start left in setup has another layout; it is lost");
		else if (failure)
			return failure;
	}
	if (failure)
		failure = make_links(pppoe);
	if (!failure)
		keep(pppoe);
	return failure;
}

/* ---- Packets, time --------------------------------------------------------------------------- */

static void on_discovery(struct controld *controld, const struct bng_punt *punt, const uint8_t *frame,
			 size_t length, void *context)
{
	struct pppoe *pppoe = context;

	(void)controld;
	if (pppoe->links)
		pppoe_discover(pppoe, punt->interface, frame, length, punt->time_ns);
}

static void on_session(struct controld *controld, const struct bng_punt *punt, const uint8_t *frame,
		       size_t length, void *context)
{
	struct pppoe *pppoe = context;

	(void)controld;
	if (pppoe->links)
		pppoe_session_frame(pppoe, punt->interface, frame, length);
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
	struct pppoe *pppoe = context;

	(void)fd;
	(void)what;
	if (pppoe->links)
		keepalive_second(pppoe, clock_boottime_ns());
}

/* ---- Sessions -------------------------------------------------------------------------------- */

/* By whoever closes it. A link that is on its own way to the end, or to a new beginning,
 * goes on; any other takes its leave. */
static void on_down(struct controld *controld, const struct session *session, enum session_end end,
		    const char *why)
{
	struct pppoe *pppoe = controld->pppoe;
	struct session_client client = session_client_of(session->record);
	struct peer *peer;

	if (session->record->kind != BNG_SESSION_PPPOE || !pppoe->links)
		return;
	peer = peer_find(pppoe, &client);
	if (!peer || peer->slot != session->slot)
		return;
	pppoe->stats.ended++;
	if (!peer->setup && !peer->is_silent && peer_take_record(peer, session)) {
		pppoe_send_padt(pppoe, &client, peer->tag_flags, why);
		peer->is_silent = true;
	}
	peer->slot = 0;
	if (peer->is_silent)
		peer_remove(peer);
	else if (peer_phase(peer) == PPP_OPEN || peer_phase(peer) == PPP_PREPARE)
		peer_close(peer, end, why);
}

static const struct session_hooks hooks = {.down = on_down};

/* ---- The feature ----------------------------------------------------------------------------- */

int pppoe_new(struct controld *controld, struct pppoe **pppoe)
{
	struct pppoe *new = calloc(1, sizeof(*new));
	int failure = new ? peers_init(new) : -ENOMEM;

	if (new)
		new->controld = controld;
	if (failure && new)
		pppoe_free(new);
	else if (!failure)
		*pppoe = new;
	return failure;
}

void pppoe_free(struct pppoe *pppoe)
{
	if (!pppoe)
		return;
	if (pppoe->second)
		event_free(pppoe->second);
	peers_done(pppoe);
	links_free(pppoe->links);
	free(pppoe);
}

static void feature_free(struct controld *controld)
{
	pppoe_free(controld->pppoe);
	controld->pppoe = NULL;
}

static int feature_init(struct controld *controld)
{
	static const struct timeval second = {.tv_sec = 1};
	int failure = pppoe_new(controld, &controld->pppoe);

	if (failure)
		return failure;
	controld->pppoe->second = event_new(controld->base, -1, EV_PERSIST, on_second, controld->pppoe);
	if (!controld->pppoe->second || event_add(controld->pppoe->second, &second)) {
		feature_free(controld);
		return -ENOMEM;
	}
	punt_register(controld, BNG_PUNT_REASON_PPPOE_DISCOVERY, on_discovery, controld->pppoe);
	punt_register(controld, BNG_PUNT_REASON_PPPOE_SESSION, on_session, controld->pppoe);
	authorise_register(controld, AUTHORISE_PPPOE, grant_answer);
	return 0;
}

static bool has_peers(const struct pppoe *pppoe, uint16_t interface)
{
	const struct peer *peer;

	TAILQ_FOREACH(peer, &pppoe->peers, order)
	{
		if (peer->client.interface == interface)
			return true;
	}
	return false;
}

/* Where PPPoE is not offered any more, what is open goes on. */
static void apply_interfaces(struct pppoe *pppoe)
{
	for (uint16_t i = 1; i < BNG_INTERFACE_PUNT; i++) {
		struct bng_interface *record = &pppoe->controld->maps->interface[i];
		bool wanted =
			record->role == BNG_ROLE_ACCESS && (pppoe_is_served(pppoe, i) || has_peers(pppoe, i));
		uint8_t flags = (uint8_t)(wanted ? record->flags | BNG_INTERFACE_PPPOE
						 : record->flags & ~BNG_INTERFACE_PPPOE);

		if (record->flags != flags)
			__atomic_store_n(&record->flags, flags, __ATOMIC_RELAXED);
	}
}

static void apply_limits(struct controld *controld, const struct config *next)
{
	punt_limit(controld, BNG_PUNT_REASON_PPPOE_DISCOVERY, next->pppoe_discovery_rate,
		   next->pppoe_discovery_burst);
	punt_limit(controld, BNG_PUNT_REASON_PPPOE_SESSION, next->pppoe_session_rate,
		   next->pppoe_session_burst);
	for (int i = 0; i < BNG_PPPOE_LIMITS; i++) {
		struct bng_pppoe_limit *limit = &controld->maps->pppoe_limit[i];

		__atomic_store_n(&limit->rate, next->pppoe.limits[i].rate, __ATOMIC_RELAXED);
		__atomic_store_n(&limit->burst, next->pppoe.limits[i].burst, __ATOMIC_RELAXED);
		while (!limit->seed)
			if (getrandom(&limit->seed, sizeof(limit->seed), 0) < 0)
				break;
	}
}

/* Of a start when PPPoE was configured. */
static bool has_sessions(struct controld *controld)
{
	struct session session;
	uint32_t slot = 0;

	while (session_next(controld, &slot, &session))
		if (session.record->kind == BNG_SESSION_PPPOE)
			return true;
	return false;
}

static int first_apply(struct pppoe *pppoe)
{
	int failure = open_links(pppoe);

	if (failure)
		log_error("PPPoE: no memory for sessions in setup: %s", strerror(-failure));
	else
		pppoe_adopt(pppoe);
	return failure;
}

/* Sessions that are open stay, whatever is configured. */
static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct pppoe *pppoe = controld->pppoe;
	int failure = 0;

	(void)old;
	pppoe->config = next;
	memset(pppoe->searches, 0, sizeof(pppoe->searches));
	if (!pppoe->links && (next->pppoe.on || has_sessions(controld)))
		failure = first_apply(pppoe);
	apply_interfaces(pppoe);
	apply_limits(controld, next);
	return failure;
}

const struct bng_feature pppoe_feature = {
	.name = "pppoe",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.methods = pppoe_methods,
	.hooks = &hooks,
};
