/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Is a subscriber still there? Each second a share of the open sessions is looked at, so
 * that each one's turn comes once in the interval. Who has sent nothing for that long gets
 * an LCP Echo-Request; the data plane notes the reply, and whatever else comes, in the
 * session's record.
 *
 * What was not answered is counted here and nowhere else: silence before a start of
 * controld, and silence while it is away, is held against nobody.
 */
#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/pppoe/pppoe.h"
#include "dataplane/abi/meta.h"
#include "dataplane/abi/pppoe.h"
#include "lib/clock.h"

#define SECOND_NS 1000000000ull
#define SLACK_NS  (SECOND_NS / 2)          /* of our own timer */
#define GRAIN_NS  (1ull << BNG_TICK_SHIFT) /* of what the data plane notes */

/* How long ago a tick was; one that is later than our reading is now. */
static uint64_t age_ns(uint32_t now_tick, uint32_t tick)
{
	uint32_t ticks = now_tick - tick;

	return ticks > UINT32_MAX / 2 ? 0 : (uint64_t)ticks << BNG_TICK_SHIFT;
}

static uint64_t silence_ns(const struct pppoe *pppoe, const struct bng_subscriber *record)
{
	uint32_t now_tick = maps_tick(pppoe->controld->maps);
	uint16_t alive = __atomic_load_n(&record->ppp_alive, __ATOMIC_RELAXED);
	uint64_t data = age_ns(now_tick, __atomic_load_n(&record->last_up_tick, __ATOMIC_RELAXED));
	uint64_t echo = age_ns(now_tick, bng_ppp_alive_tick(alive, now_tick));

	return data < echo ? data : echo;
}

static void send_echo(struct peer *peer, const struct bng_subscriber *record, uint64_t now_ns)
{
	uint8_t frame[PPP_ECHO_LENGTH];
	uint64_t sent = peer->pppoe->stats.sent[PPPOE_SENT_ECHO];

	peer_send(peer, frame, ppp_echo_request(record->ppp_magic, ++peer->echo_id, frame), PPPOE_SENT_ECHO);
	if (peer->pppoe->stats.sent[PPPOE_SENT_ECHO] == sent)
		return; /* it did not leave: no reason to miss an answer */
	peer->echo_ns = now_ns;
	peer->missed++;
}

/* Its session may be closed here, and the peer be gone. */
static void look_at(struct peer *peer, uint64_t now_ns)
{
	const struct config_pppoe *config = &peer->pppoe->config->pppoe;
	struct controld *controld = peer->pppoe->controld;
	uint64_t interval_ns = config->keepalive_s * SECOND_NS, silent_ns;
	struct session session;

	if (!peer->slot || !session_by_client(controld, &peer->client, &session))
		return;
	silent_ns = silence_ns(peer->pppoe, session.record);
	if (silent_ns + SLACK_NS < interval_ns ||
	    (peer->missed && silent_ns < now_ns - peer->echo_ns + GRAIN_NS)) {
		peer->missed = 0;
		return;
	}
	if (peer->missed && now_ns - peer->echo_ns + SLACK_NS < interval_ns)
		return;
	if (peer->missed < config->keepalive_missed) {
		send_echo(peer, session.record, now_ns);
		return;
	}
	peer->pppoe->stats.lost++;
	session_close(controld, &session, SESSION_END_LOST_CARRIER, "no answer to LCP Echo-Requests");
}

void keepalive_second(struct pppoe *pppoe, uint64_t now_ns)
{
	uint32_t interval_s = pppoe->config->pppoe.keepalive_s, share;

	if (!interval_s)
		return;
	share = (pppoe->peer_count + interval_s - 1) / interval_s;
	while (share--) {
		struct peer *peer = TAILQ_FIRST(&pppoe->peers);

		if (!peer)
			return;
		TAILQ_REMOVE(&pppoe->peers, peer, order);
		TAILQ_INSERT_TAIL(&pppoe->peers, peer, order);
		look_at(peer, now_ns);
	}
}
