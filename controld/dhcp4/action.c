/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What is done about a client's packet, by the client's state and the event that the
 * packet is. What needs a grant or a session goes on in grant.c.
 */
#include "controld/session/detail.h"
#include "server.h"

typedef enum dhcp4_refusal action(struct dhcp4_exchange *exchange);

static enum dhcp4_refusal offer(struct dhcp4_exchange *exchange, uint32_t address_be)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;

	reservation_add(dhcp4->offers, &exchange->client, address_be, exchange->now_ns);
	setup_move(dhcp4->setups, exchange->setup, SETUP_GRANTED, exchange->now_ns);
	return dhcp4_reply(exchange, DHCP4_OFFER, address_be);
}

static enum dhcp4_refusal offer_new(struct dhcp4_exchange *exchange)
{
	uint32_t address_be;
	enum dhcp4_refusal why = dhcp4_address_choose(exchange, &address_be);

	if (why)
		session_event(exchange->dhcp4->controld, exchange->setup->session_id, &exchange->client,
			      "no address: %s", dhcp4_refusal_text(why));
	return why ? why : offer(exchange, address_be);
}

static enum dhcp4_refusal offer_again(struct dhcp4_exchange *exchange)
{
	if (dhcp4_address_available(exchange, exchange->offered_be))
		return offer(exchange, exchange->offered_be);
	reservation_remove_client(exchange->dhcp4->offers, &exchange->client);
	return offer_new(exchange);
}

static bool is_leased(const struct dhcp4_exchange *exchange)
{
	return exchange->session.record->kind == BNG_SESSION_DHCP;
}

/* The pool that goes on giving a session its address. Where nothing is known of what was
 * granted, any pool around the address may have: a session is not ended for that. */
static const struct config_dhcp4_pool *pool_of_session(const struct dhcp4_exchange *exchange)
{
	const struct session_profile *profile = dhcp4_profile(exchange);
	uint32_t address_be = exchange->session.record->address_be;

	return !profile || profile->given & PROFILE_ADDRESS ? dhcp4_pool_around(exchange, address_be)
							    : dhcp4_pool_leasing(exchange, address_be);
}

/* The client has a session. It lost its memory, or the configuration moved on. */
static enum dhcp4_refusal offer_bound(struct dhcp4_exchange *exchange)
{
	if (!is_leased(exchange) || pool_of_session(exchange))
		return dhcp4_reply(exchange, DHCP4_OFFER, exchange->session.record->address_be);
	session_close(exchange->dhcp4->controld, &exchange->session, SESSION_END_NAS_REQUEST,
		      "its address is in no pool any more");
	return dhcp4_ask(exchange, DHCP4_EVENT_DISCOVER);
}

static enum dhcp4_refusal ask_discover(struct dhcp4_exchange *exchange)
{
	return dhcp4_ask(exchange, DHCP4_EVENT_DISCOVER);
}

static enum dhcp4_refusal ask_select(struct dhcp4_exchange *exchange)
{
	return dhcp4_ask(exchange, DHCP4_EVENT_SELECT);
}

static enum dhcp4_refusal select_new(struct dhcp4_exchange *exchange)
{
	return dhcp4_bind(exchange, exchange->packet.message.requested_be);
}

/* SELECTING or INIT-REBOOT with an open offer. */
static enum dhcp4_refusal bind_offered(struct dhcp4_exchange *exchange)
{
	if (exchange->packet.message.requested_be == exchange->offered_be)
		return dhcp4_bind(exchange, exchange->offered_be);
	reservation_remove_client(exchange->dhcp4->offers, &exchange->client);
	return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_ADDRESS);
}

/* SELECTING, INIT-REBOOT, RENEWING and REBINDING with a session. Who has one was
 * authorised: nobody is asked again. */
static enum dhcp4_refusal extend(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	const struct dhcp4_message *request = &exchange->packet.message;
	uint32_t asked_be = request->header.ciaddr_be ? request->header.ciaddr_be : request->requested_be;
	uint32_t address_be = exchange->session.record->address_be;
	const struct config_dhcp4_pool *pool = pool_of_session(exchange);

	if (asked_be != address_be)
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_ADDRESS);
	if (!is_leased(exchange))
		return dhcp4_reply(exchange, DHCP4_ACK, address_be);
	if (!pool) {
		session_close(dhcp4->controld, &exchange->session, SESSION_END_NAS_REQUEST,
			      "its address is in no pool any more");
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_NETWORK);
	}
	session_renew(dhcp4->controld, &exchange->session, dhcp4_lease_seconds(exchange, pool));
	dhcp4->stats.renewed++;
	return dhcp4_reply(exchange, DHCP4_ACK, address_be);
}

/* INIT-REBOOT without lease or offer: silent unless we know better (RFC 2131
 * section 4.3.2): the wrong network, or the address that was the client's. */
static enum dhcp4_refusal reboot_unknown(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	uint32_t asked_be = exchange->packet.message.requested_be;
	const struct reservation *before =
		reservation_of_client(dhcp4->previous, &exchange->client, exchange->now_ns);

	if (!dhcp4_pool_around(exchange, asked_be))
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_NETWORK);
	if (!before)
		return DHCP4_REFUSED_NO_BINDING;
	if (before->address_be != asked_be)
		return dhcp4_refuse(exchange, DHCP4_REFUSED_WRONG_ADDRESS);
	return exchange->state == DHCP4_STATE_NONE ? dhcp4_ask(exchange, DHCP4_EVENT_REBOOT)
						   : dhcp4_bind(exchange, asked_be);
}

/* The answer, or the session, is under way, and the packet before this one waits for it. */
static enum dhcp4_refusal wait(struct dhcp4_exchange *exchange)
{
	exchange->dhcp4->stats.repeated++;
	return DHCP4_ACCEPTED;
}

/* The same; this packet is what the client says now. */
static enum dhcp4_refusal wait_anew(struct dhcp4_exchange *exchange)
{
	setup_keep_frame(exchange->setup, exchange->frame, exchange->frame_length);
	return wait(exchange);
}

/* We gave every lease here: who has none must start again at once. */
static enum dhcp4_refusal extend_unknown(struct dhcp4_exchange *exchange)
{
	return dhcp4_refuse(exchange, DHCP4_REFUSED_NO_BINDING);
}

static enum dhcp4_refusal no_binding(struct dhcp4_exchange *exchange)
{
	(void)exchange;
	return DHCP4_REFUSED_NO_BINDING;
}

static enum dhcp4_refusal withdraw_offer(struct dhcp4_exchange *exchange)
{
	reservation_remove_client(exchange->dhcp4->offers, &exchange->client);
	setup_remove(exchange->dhcp4->setups, exchange->setup);
	return DHCP4_REFUSED_OTHER_SERVER;
}

static enum dhcp4_refusal other_server(struct dhcp4_exchange *exchange)
{
	(void)exchange;
	return DHCP4_REFUSED_OTHER_SERVER;
}

static enum dhcp4_refusal decline_offer(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;

	if (exchange->packet.message.requested_be != exchange->offered_be)
		return DHCP4_REFUSED_WRONG_ADDRESS;
	reservation_remove_client(dhcp4->offers, &exchange->client);
	dhcp4_quarantine(dhcp4, exchange->offered_be, exchange->now_ns);
	return DHCP4_ACCEPTED;
}

static enum dhcp4_refusal decline_bound(struct dhcp4_exchange *exchange)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	uint32_t address_be = exchange->session.record->address_be;

	if (exchange->packet.message.requested_be != address_be)
		return DHCP4_REFUSED_WRONG_ADDRESS;
	if (!is_leased(exchange))
		return DHCP4_REFUSED_NOT_LEASED;
	dhcp4_quarantine(dhcp4, address_be, exchange->now_ns);
	return session_close(dhcp4->controld, &exchange->session, SESSION_END_USER_ERROR,
			     "client declined its address")
		       ? DHCP4_REFUSED_SYSTEM
		       : DHCP4_ACCEPTED;
}

static enum dhcp4_refusal release(struct dhcp4_exchange *exchange)
{
	if (exchange->packet.message.header.ciaddr_be != exchange->session.record->address_be)
		return DHCP4_REFUSED_WRONG_ADDRESS;
	if (!is_leased(exchange))
		return DHCP4_REFUSED_NOT_LEASED;
	return session_close(exchange->dhcp4->controld, &exchange->session, SESSION_END_USER_REQUEST,
			     "released by the client")
		       ? DHCP4_REFUSED_SYSTEM
		       : DHCP4_ACCEPTED;
}

static enum dhcp4_refusal inform(struct dhcp4_exchange *exchange)
{
	if (!exchange->packet.message.header.ciaddr_be)
		return DHCP4_REFUSED_MALFORMED;
	return dhcp4_reply(exchange, DHCP4_ACK, 0);
}

/* clang-format off */
static action *const transitions[DHCP4_STATES][DHCP4_EVENTS] = {
	[DHCP4_STATE_NONE] = {
		[DHCP4_EVENT_DISCOVER]     = ask_discover,
		[DHCP4_EVENT_SELECT]       = ask_select,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = reboot_unknown,
		[DHCP4_EVENT_RENEW]        = extend_unknown,
		[DHCP4_EVENT_REBIND]       = extend_unknown,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = inform,
	},
	[DHCP4_STATE_ASKED] = {
		[DHCP4_EVENT_DISCOVER]     = wait_anew,
		[DHCP4_EVENT_SELECT]       = wait_anew,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = wait_anew,
		[DHCP4_EVENT_RENEW]        = extend_unknown,
		[DHCP4_EVENT_REBIND]       = extend_unknown,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = inform,
	},
	[DHCP4_STATE_GRANTED] = {
		[DHCP4_EVENT_DISCOVER]     = offer_new,
		[DHCP4_EVENT_SELECT]       = select_new,
		[DHCP4_EVENT_SELECT_OTHER] = withdraw_offer,
		[DHCP4_EVENT_REBOOT]       = reboot_unknown,
		[DHCP4_EVENT_RENEW]        = extend_unknown,
		[DHCP4_EVENT_REBIND]       = extend_unknown,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = inform,
	},
	[DHCP4_STATE_OFFERED] = {
		[DHCP4_EVENT_DISCOVER]     = offer_again,
		[DHCP4_EVENT_SELECT]       = bind_offered,
		[DHCP4_EVENT_SELECT_OTHER] = withdraw_offer,
		[DHCP4_EVENT_REBOOT]       = bind_offered,
		[DHCP4_EVENT_RENEW]        = extend_unknown,
		[DHCP4_EVENT_REBIND]       = extend_unknown,
		[DHCP4_EVENT_DECLINE]      = decline_offer,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = inform,
	},
	[DHCP4_STATE_OPENING] = {
		[DHCP4_EVENT_DISCOVER]     = wait,
		[DHCP4_EVENT_SELECT]       = wait,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = wait,
		[DHCP4_EVENT_RENEW]        = wait,
		[DHCP4_EVENT_REBIND]       = wait,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = inform,
	},
	[DHCP4_STATE_BOUND] = {
		[DHCP4_EVENT_DISCOVER]     = offer_bound,
		[DHCP4_EVENT_SELECT]       = extend,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = extend,
		[DHCP4_EVENT_RENEW]        = extend,
		[DHCP4_EVENT_REBIND]       = extend,
		[DHCP4_EVENT_DECLINE]      = decline_bound,
		[DHCP4_EVENT_RELEASE]      = release,
		[DHCP4_EVENT_INFORM]       = inform,
	},
};
/* clang-format on */

/* ---- Relayed ------------------------------------------------------------------ */

static enum dhcp4_refusal ask_reboot(struct dhcp4_exchange *exchange)
{
	return dhcp4_ask(exchange, DHCP4_EVENT_REBOOT);
}

static enum dhcp4_refusal ask_renew(struct dhcp4_exchange *exchange)
{
	return dhcp4_ask(exchange, DHCP4_EVENT_RENEW);
}

static enum dhcp4_refusal ask_rebind(struct dhcp4_exchange *exchange)
{
	return dhcp4_ask(exchange, DHCP4_EVENT_REBIND);
}

static enum dhcp4_refusal relay_bound(struct dhcp4_exchange *exchange)
{
	return is_leased(exchange) ? dhcp4_relay(exchange) : DHCP4_REFUSED_NOT_LEASED;
}

/* Its server hears of it, whatever becomes of that. */
static enum dhcp4_refusal relay_release(struct dhcp4_exchange *exchange)
{
	dhcp4_relay(exchange);
	return release(exchange);
}

static enum dhcp4_refusal relay_decline(struct dhcp4_exchange *exchange)
{
	dhcp4_relay(exchange);
	return decline_bound(exchange);
}

#define RELAYED_GRANTED                                                                                      \
	{                                                                                                    \
		[DHCP4_EVENT_DISCOVER] = dhcp4_relay, [DHCP4_EVENT_SELECT] = dhcp4_relay,                    \
		[DHCP4_EVENT_SELECT_OTHER] = other_server, [DHCP4_EVENT_REBOOT] = dhcp4_relay,               \
		[DHCP4_EVENT_RENEW] = dhcp4_relay, [DHCP4_EVENT_REBIND] = dhcp4_relay,                       \
		[DHCP4_EVENT_DECLINE] = dhcp4_relay, [DHCP4_EVENT_RELEASE] = no_binding,                     \
		[DHCP4_EVENT_INFORM] = dhcp4_relay,                                                          \
	}

/* clang-format off */
static action *const relayed[DHCP4_STATES][DHCP4_EVENTS] = {
	[DHCP4_STATE_NONE] = {
		[DHCP4_EVENT_DISCOVER]     = ask_discover,
		[DHCP4_EVENT_SELECT]       = ask_select,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = ask_reboot,
		[DHCP4_EVENT_RENEW]        = ask_renew,
		[DHCP4_EVENT_REBIND]       = ask_rebind,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = dhcp4_relay,
	},
	[DHCP4_STATE_ASKED] = {
		[DHCP4_EVENT_DISCOVER]     = wait_anew,
		[DHCP4_EVENT_SELECT]       = wait_anew,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = wait_anew,
		[DHCP4_EVENT_RENEW]        = wait_anew,
		[DHCP4_EVENT_REBIND]       = wait_anew,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = dhcp4_relay,
	},
	[DHCP4_STATE_GRANTED] = RELAYED_GRANTED,
	[DHCP4_STATE_OFFERED] = RELAYED_GRANTED,
	[DHCP4_STATE_OPENING] = {
		[DHCP4_EVENT_DISCOVER]     = wait,
		[DHCP4_EVENT_SELECT]       = wait,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = wait,
		[DHCP4_EVENT_RENEW]        = wait,
		[DHCP4_EVENT_REBIND]       = wait,
		[DHCP4_EVENT_DECLINE]      = no_binding,
		[DHCP4_EVENT_RELEASE]      = no_binding,
		[DHCP4_EVENT_INFORM]       = dhcp4_relay,
	},
	[DHCP4_STATE_BOUND] = {
		[DHCP4_EVENT_DISCOVER]     = relay_bound,
		[DHCP4_EVENT_SELECT]       = relay_bound,
		[DHCP4_EVENT_SELECT_OTHER] = other_server,
		[DHCP4_EVENT_REBOOT]       = relay_bound,
		[DHCP4_EVENT_RENEW]        = relay_bound,
		[DHCP4_EVENT_REBIND]       = relay_bound,
		[DHCP4_EVENT_DECLINE]      = relay_decline,
		[DHCP4_EVENT_RELEASE]      = relay_release,
		[DHCP4_EVENT_INFORM]       = dhcp4_relay,
	},
};
/* clang-format on */

enum dhcp4_refusal dhcp4_act(struct dhcp4_exchange *exchange, enum dhcp4_event event)
{
	action *const(*table)[DHCP4_EVENTS] = dhcp4_is_relayed(exchange) ? relayed : transitions;

	return table[exchange->state][event](exchange);
}
