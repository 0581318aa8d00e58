/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * IPCP: the client's address (RFC 1332) and its DNS servers (RFC 1877), all of them what
 * it was granted; it may only agree.
 *
 * A request it gets acknowledged opens its side, and its next frame may be a packet. So
 * the first good request is held until the client has agreed to ours, too, and then until
 * the session is up.
 */
#include <arpa/inet.h>
#include <string.h>

#include "controld/pppoe/ppp_run.h"

enum ipcp_option { IPCP_ADDRESS = 3, IPCP_DNS_1 = 129, IPCP_DNS_2 = 131 };
enum ipcp_row { ROW_ADDRESS, ROW_DNS_1, ROW_DNS_2 };
enum ipcp_refused { REFUSED_ADDRESS = 1 };

static struct ppp_fsm *ipcp_fsm(struct ppp *ppp)
{
	return &ppp->ipcp;
}

static bool is_up(const struct ppp *ppp)
{
	return ppp->phase == PPP_OPEN;
}

/* ---- The client's options --------------------------------------------------------------- */

static enum ppp_code judge_address(const struct ppp_run *run, uint32_t value, uint32_t *wish)
{
	*wish = ntohl(run->ppp->address_be);
	return value == *wish ? PPP_CONFIGURE_ACK : PPP_CONFIGURE_NAK;
}

static enum ppp_code judge_dns(const struct ppp_run *run, uint32_t server_be, uint32_t value, uint32_t *wish)
{
	*wish = ntohl(server_be);
	if (!server_be)
		return PPP_CONFIGURE_REJECT;
	return value == *wish ? PPP_CONFIGURE_ACK : ppp_nak_or_reject(run, &run->ppp->ipcp);
}

static enum ppp_code judge_dns_1(const struct ppp_run *run, uint32_t value, uint32_t *wish)
{
	return judge_dns(run, run->ppp->dns_be[0], value, wish);
}

static enum ppp_code judge_dns_2(const struct ppp_run *run, uint32_t value, uint32_t *wish)
{
	return judge_dns(run, run->ppp->dns_be[1], value, wish);
}

/* Who does not ask for an address is told to; who insists on another one is ended. */
static void ipcp_judged(struct ppp_run *run)
{
	const struct ppp *ppp = run->ppp;
	struct ppp_answer *answer = &run->answer;

	if (!(run->given & 1U << ROW_ADDRESS) && answer->code != PPP_CONFIGURE_REJECT) {
		if (answer->code == PPP_CONFIGURE_ACK)
			answer->length = 0;
		answer->code = PPP_CONFIGURE_NAK;
		answer->length += ppp_option_put(answer->options + answer->length, IPCP_ADDRESS,
						 ntohl(ppp->address_be), 4);
	}
	if (answer->code == PPP_CONFIGURE_NAK && ppp->ipcp.naks_sent >= ppp->params.max_failure)
		ppp_leave(run, SESSION_END_USER_ERROR, "IPCP: the client insists on another address");
}

static void prepare(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;

	if (ppp->phase != PPP_NETWORK || !ppp->held_length || ppp->ipcp.state != PPP_ACK_RCVD)
		return;
	ppp->timer_ns = 0;
	run->due |= PPP_DUE_NETWORK_UP;
	ppp_enter(run, PPP_PREPARE);
}

static bool ipcp_hold(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;

	ppp->held_length = 0;
	if (is_up(ppp) || run->answer.code != PPP_CONFIGURE_ACK || run->packet.length > sizeof(ppp->held))
		return false;
	ppp->held_id = run->packet.id;
	ppp->held_length = (uint8_t)run->packet.length;
	memcpy(ppp->held, run->packet.data, run->packet.length);
	prepare(run);
	return true;
}

/* ---- Ours -------------------------------------------------------------------------------- */

static size_t ipcp_request(const struct ppp *ppp, uint8_t *options)
{
	if (!ppp->gateway_be || ppp->ipcp.refused & REFUSED_ADDRESS)
		return 0;
	return ppp_option_put(options, IPCP_ADDRESS, ntohl(ppp->gateway_be), 4);
}

/* Our address is ours: what the client would have instead is left out. */
static void ipcp_naked(struct ppp_run *run, uint8_t type, const uint8_t *value, size_t size)
{
	(void)value;
	(void)size;
	if (type == IPCP_ADDRESS && run->ppp->ipcp.naks_got + 1 >= run->ppp->params.max_failure)
		run->ppp->ipcp.refused = REFUSED_ADDRESS;
}

static void ipcp_refused(struct ppp_run *run, uint8_t type)
{
	if (type == IPCP_ADDRESS)
		run->ppp->ipcp.refused = REFUSED_ADDRESS;
}

static void ipcp_acked(struct ppp_run *run)
{
	prepare(run);
}

/* ---- The network ------------------------------------------------------------------------- */

static void ipcp_up(struct ppp_run *run)
{
	run->ppp->setup_ns = 0;
}

/* The client negotiates the address it has once more: the session stays. */
static void ipcp_down(struct ppp_run *run, enum session_end cause, const char *why)
{
	(void)run;
	(void)cause;
	(void)why;
}

static void ipcp_finished(struct ppp_run *run, enum session_end cause, const char *why)
{
	ppp_leave(run, cause, "IPCP: %s", why);
}

static void ipcp_terminated(struct ppp_run *run)
{
	ppp_leave(run, SESSION_END_USER_REQUEST, "IPCP: terminated by the subscriber");
}

static const struct ppp_option ipcp_options[] = {
	[ROW_ADDRESS] = {IPCP_ADDRESS, 4, judge_address},
	[ROW_DNS_1] = {IPCP_DNS_1, 4, judge_dns_1},
	[ROW_DNS_2] = {IPCP_DNS_2, 4, judge_dns_2},
};

const struct ppp_layer ppp_ipcp = {
	.protocol = PPP_IPCP,
	.name = "IPCP",
	.fsm = ipcp_fsm,
	.options = ipcp_options,
	.option_count = sizeof(ipcp_options) / sizeof(ipcp_options[0]),
	.request = ipcp_request,
	.judged = ipcp_judged,
	.hold = ipcp_hold,
	.naked = ipcp_naked,
	.refused = ipcp_refused,
	.acked = ipcp_acked,
	.up = ipcp_up,
	.down = ipcp_down,
	.finished = ipcp_finished,
	.terminated = ipcp_terminated,
};
