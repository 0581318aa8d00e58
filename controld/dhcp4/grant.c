/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From a client's question to its session: whoever authorises is asked, once; the client's
 * packet waits for the answer, and then for the session to be durable.
 *
 * 1. A setup is ASKED from authorise_ask until the answer or its time is over, and OPENING
 *    from session_open_durable until that says how it went.
 * 2. The address of a session that is OPENING is reserved as if it were offered.
 * 3. An answer that nobody waits for, as after a restart, is kept for the client's next
 *    packet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/names.h"
#include "controld/punt/punt.h"
#include "controld/session/detail.h"
#include "lib/clock.h"
#include "server.h"

#define TPID_AD 0x88a8

/* What comes back with an answer. */
struct context {
	struct session_client client;
	uint16_t reserved;
	uint64_t session_id;
};

_Static_assert(sizeof(struct context) == 24 && sizeof(struct context) <= AUTHORISE_TICKET,
	       "part of a layout");

/* ---- Asking ---------------------------------------------------------------------- */

static int ask_backend(const struct dhcp4_exchange *exchange, const struct setup *setup)
{
	const struct reservation *before =
		reservation_of_client(exchange->dhcp4->previous, &exchange->client, exchange->now_ns);
	uint32_t wanted_be = exchange->packet.message.requested_be;
	const struct authorise_question question = {
		.kind = BNG_SESSION_DHCP,
		.client = exchange->client,
		.session_id = setup->session_id,
		.credentials = {.kind = CREDENTIAL_LINE},
		.line = exchange->line,
		.address_be = wanted_be || !before ? wanted_be : before->address_be,
	};
	const struct context context = {.client = exchange->client, .session_id = setup->session_id};
	struct authorise_ticket ticket = {.owner = AUTHORISE_DHCP4};

	memcpy(ticket.context, &context, sizeof(context));
	return authorise_ask(exchange->dhcp4->controld, &question, &ticket);
}

/* Nobody is to be asked: granted as the configuration has it. */
static enum dhcp4_refusal grant_at_once(struct dhcp4_exchange *exchange, enum dhcp4_event event)
{
	setup_move(exchange->dhcp4->setups, exchange->setup, SETUP_GRANTED, exchange->now_ns);
	exchange->state = DHCP4_STATE_GRANTED;
	return dhcp4_act(exchange, event);
}

static enum dhcp4_refusal not_asked(struct dhcp4_exchange *exchange, int failure)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;

	session_event(dhcp4->controld, exchange->setup->session_id, &exchange->client, "not authorised: %s",
		      authorise_why_not(failure));
	setup_remove(dhcp4->setups, exchange->setup);
	exchange->setup = NULL;
	return failure == -ENOBUFS ? DHCP4_REFUSED_BUSY : DHCP4_REFUSED_UNANSWERED;
}

enum dhcp4_refusal dhcp4_ask(struct dhcp4_exchange *exchange, enum dhcp4_event event)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	int failure;

	if (dhcp4->config->option82.policy == OPTION82_REQUIRE && !exchange->line.circuit_id &&
	    !exchange->line.remote_id)
		return DHCP4_REFUSED_NO_LINE;
	exchange->setup = setup_add(dhcp4->setups, &exchange->client, SETUP_ASKED, exchange->now_ns);
	if (!exchange->setup)
		return DHCP4_REFUSED_BUSY;
	exchange->setup->session_id = session_new_id(dhcp4->controld);
	failure = setup_keep_line(exchange->setup, &exchange->line) ? ask_backend(exchange, exchange->setup)
								    : -ENOMEM;
	if (failure == -ENOTSUP)
		return grant_at_once(exchange, event);
	if (failure)
		return not_asked(exchange, failure);
	exchange->state = DHCP4_STATE_ASKED;
	setup_keep_frame(exchange->setup, exchange->frame, exchange->frame_length);
	dhcp4->stats.asked++;
	return DHCP4_ACCEPTED;
}

/* ---- The answer ------------------------------------------------------------------ */

/* The packet that waited, if any did, with the setup in its new state. */
static void go_on(struct dhcp4 *dhcp4, struct setup *setup, uint64_t now_ns)
{
	size_t length;
	uint8_t *frame = setup_take_frame(setup, &length);

	if (frame)
		dhcp4_serve_again(dhcp4, setup->client.interface, frame, length, now_ns);
	free(frame);
}

static void granted(struct dhcp4 *dhcp4, struct setup *setup, const struct authorise_answer *answer,
		    uint64_t now_ns)
{
	dhcp4->stats.granted++;
	setup->profile = *answer->profile;
	*answer->profile = (struct session_profile){0};
	setup->source = answer->source ? strdup(answer->source) : NULL;
	setup_move(dhcp4->setups, setup, SETUP_GRANTED, now_ns);
	session_event(dhcp4->controld, setup->session_id, &setup->client, "authorised by %s",
		      answer->source ? answer->source : "nobody");
	go_on(dhcp4, setup, now_ns);
}

static void not_granted(struct dhcp4 *dhcp4, struct setup *setup, const struct authorise_answer *answer,
			uint64_t now_ns)
{
	static const enum dhcp4_refusal refusals[] = {
		[AUTHORISE_DENIED] = DHCP4_REFUSED_DENIED,
		[AUTHORISE_UNANSWERED] = DHCP4_REFUSED_UNANSWERED,
		[AUTHORISE_UNAVAILABLE] = DHCP4_REFUSED_UNANSWERED,
	};
	enum dhcp4_refusal why = refusals[answer->outcome];
	struct dhcp4_exchange exchange;
	size_t length;
	uint8_t *frame = setup_take_frame(setup, &length);

	session_event(dhcp4->controld, setup->session_id, &setup->client, "not authorised: %s",
		      answer->message);
	/* A client whose REQUEST is denied starts again; one that nobody knows anything of asks again. */
	if (frame && dhcp4_resume(dhcp4, setup->client.interface, frame, length, now_ns, &exchange) &&
	    why == DHCP4_REFUSED_DENIED && exchange.packet.message.type == DHCP4_REQUEST)
		why = dhcp4_refuse(&exchange, why);
	dhcp4_count_refusal(dhcp4, why);
	setup_remove(dhcp4->setups, setup);
	free(frame);
}

void dhcp4_on_answer(struct controld *controld, const struct authorise_answer *answer,
		     const struct authorise_ticket *ticket)
{
	struct dhcp4 *dhcp4 = controld->dhcp4;
	uint64_t now_ns = clock_boottime_ns();
	struct context context;
	struct session session;
	struct setup *setup;

	memcpy(&context, ticket->context, sizeof(context));
	if (session_by_client(controld, &context.client, &session))
		return;
	setup = setup_find(dhcp4->setups, &context.client, now_ns);
	if (setup && setup->state != SETUP_ASKED)
		return; /* the same answer again */
	if (!setup)
		setup = setup_add(dhcp4->setups, &context.client, SETUP_ASKED, now_ns);
	if (!setup)
		return;
	setup->session_id = context.session_id;
	if (answer->outcome == AUTHORISE_GRANTED)
		granted(dhcp4, setup, answer, now_ns);
	else
		not_granted(dhcp4, setup, answer, now_ns);
}

/* ---- Opening --------------------------------------------------------------------- */

/* The NAT pool that was granted, or the DHCP pool's. */
static const char *nat_pool_of(const struct session_profile *profile, const struct config_dhcp4_pool *pool)
{
	return profile->given & PROFILE_NAT_POOL ? profile->nat_pool : pool->nat_pool;
}

static enum dhcp4_refusal fill_spec(const struct dhcp4_exchange *exchange,
				    const struct config_dhcp4_pool *pool, uint32_t address_be,
				    struct session_spec *spec)
{
	const struct frame_link *link = &exchange->packet.link;
	const struct session_profile *profile = &exchange->setup->profile;
	const char *name = nat_pool_of(profile, pool);
	int nat_pool = name[0] ? names_pool_index(exchange->dhcp4->controld, name) : NAMES_NO_POOL;

	if (nat_pool < 0)
		return DHCP4_REFUSED_GRANT;
	*spec = (struct session_spec){
		.address_be = address_be,
		.client = exchange->client,
		.kind = BNG_SESSION_DHCP,
		.pool = (uint8_t)nat_pool,
		.lease_seconds = dhcp4_lease_seconds(exchange, pool),
		.mss = pool->mss,
		.session_id = exchange->setup->session_id,
	};
	if (profile->given & PROFILE_MAX_BLOCKS)
		spec->max_blocks =
			(uint8_t)(profile->max_blocks > BNG_BLOCKS_PER_SUBSCRIBER ? BNG_BLOCKS_PER_SUBSCRIBER
										  : profile->max_blocks);
	if (profile->given & PROFILE_MAX_MAPPINGS)
		spec->max_mappings = profile->max_mappings;
	if (!name[0])
		spec->flags |= BNG_SUBSCRIBER_EXEMPT;
	if (link->tags > 0 && link->tag[0].tpid == TPID_AD)
		spec->flags |= BNG_SUBSCRIBER_OUTER_AD;
	if (link->tags > 1 && link->tag[1].tpid == TPID_AD)
		spec->flags |= BNG_SUBSCRIBER_INNER_AD;
	return DHCP4_ACCEPTED;
}

/* The setup's knowledge becomes the session's. NULL: no memory. */
static struct session_detail *make_detail(struct setup *setup)
{
	struct session_detail *detail = session_detail_new(setup->session_id);

	if (!detail)
		return NULL;
	detail->profile = setup->profile;
	detail->line = setup->line;
	detail->source = setup->source;
	setup->profile = (struct session_profile){0};
	setup->line = (struct session_line){0};
	setup->source = NULL;
	if (detail->profile.given & PROFILE_USER && detail->profile.user)
		detail->user = strdup(detail->profile.user);
	return detail;
}

/* Why a session could not be opened, told to the client where it helps. */
static enum dhcp4_refusal not_opened(struct dhcp4_exchange *exchange, int failure, bool is_reply)
{
	enum dhcp4_refusal why = failure == -EADDRINUSE ? DHCP4_REFUSED_ADDRESS_TAKEN
				 : failure == -ENOSPC   ? DHCP4_REFUSED_SESSION_LIMIT
							: DHCP4_REFUSED_SYSTEM;

	return why == DHCP4_REFUSED_SYSTEM || is_reply ? why : dhcp4_refuse(exchange, why);
}

/* The reply of another server, kept until now. */
static void send_reply(struct dhcp4 *dhcp4, uint16_t interface, int failure, const uint8_t *frame,
		       size_t length)
{
	if (failure)
		dhcp4_count_refusal(dhcp4, not_opened(NULL, failure, true));
	else if (punt_send(dhcp4->controld, interface, frame, length))
		dhcp4_count_refusal(dhcp4, DHCP4_REFUSED_SYSTEM);
	else
		dhcp4->stats.returned++;
}

static void on_opened(struct controld *controld, int failure, const struct session *session, void *context)
{
	struct dhcp4 *dhcp4 = controld->dhcp4;
	struct setup *setup = context;
	uint64_t now_ns = clock_boottime_ns();
	struct dhcp4_exchange exchange;
	size_t length;

	if (!dhcp4)
		return;
	uint16_t interface = setup->client.interface;
	bool is_reply = setup->is_reply;
	uint8_t *frame = setup_take_frame(setup, &length);
	reservation_remove_client(dhcp4->offers, &setup->client);
	setup_remove(dhcp4->setups, setup);
	dhcp4->stats.bound += !failure;
	if (frame && is_reply)
		send_reply(dhcp4, interface, failure, frame, length);
	else if (frame && dhcp4_resume(dhcp4, interface, frame, length, now_ns, &exchange))
		dhcp4_count_refusal(dhcp4,
				    failure ? not_opened(&exchange, failure, false)
					    : dhcp4_reply(&exchange, DHCP4_ACK, session->record->address_be));
	free(frame);
}

/* `frame` waits until the session is up. */
static enum dhcp4_refusal open_session(struct dhcp4_exchange *exchange, const struct session_spec *spec,
				       const uint8_t *frame, size_t length, bool is_reply)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	struct setup *setup = exchange->setup;
	struct session_detail *detail = make_detail(setup);
	int failure =
		detail ? session_open_durable(dhcp4->controld, spec, detail, on_opened, setup) : -ENOMEM;

	if (failure) {
		setup_remove(dhcp4->setups, setup);
		exchange->setup = NULL;
		return not_opened(exchange, failure, is_reply);
	}
	setup_move(dhcp4->setups, setup, SETUP_OPENING, exchange->now_ns);
	setup->address_be = spec->address_be;
	setup->is_reply = is_reply;
	setup_keep_frame(setup, frame, length);
	reservation_add(dhcp4->offers, &exchange->client, spec->address_be, exchange->now_ns);
	exchange->state = DHCP4_STATE_OPENING;
	return DHCP4_ACCEPTED;
}

enum dhcp4_refusal dhcp4_bind(struct dhcp4_exchange *exchange, uint32_t address_be)
{
	const struct config_dhcp4_pool *pool = dhcp4_pool_granting(exchange, address_be);
	struct session_spec spec;
	enum dhcp4_refusal why = DHCP4_ACCEPTED;

	reservation_remove_client(exchange->dhcp4->offers, &exchange->client);
	if (!pool || !dhcp4_address_available(exchange, address_be))
		return dhcp4_refuse(exchange, DHCP4_REFUSED_ADDRESS_TAKEN);
	if (!dhcp4_has_room(exchange, pool))
		return dhcp4_refuse(exchange, DHCP4_REFUSED_INTERFACE_LIMIT);
	why = fill_spec(exchange, pool, address_be, &spec);
	return why ? why : open_session(exchange, &spec, exchange->frame, exchange->frame_length, false);
}

enum dhcp4_refusal dhcp4_bind_reply(struct dhcp4_exchange *exchange, uint32_t address_be,
				    uint32_t lease_seconds, const uint8_t *frame, size_t length)
{
	const struct config_dhcp4_pool *pool = dhcp4_pool_granting(exchange, address_be);
	struct session_spec spec;
	enum dhcp4_refusal why;

	if (!pool)
		return DHCP4_REFUSED_GRANT;
	if (!dhcp4_address_available(exchange, address_be))
		return DHCP4_REFUSED_ADDRESS_TAKEN;
	if (!dhcp4_has_room(exchange, pool))
		return DHCP4_REFUSED_INTERFACE_LIMIT;
	why = fill_spec(exchange, pool, address_be, &spec);
	if (why)
		return why;
	spec.lease_seconds = lease_seconds;
	return open_session(exchange, &spec, frame, length, true);
}
