/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * LCP (RFC 1661 sections 5 and 6): MRU, Authentication-Protocol and Magic-Number, and what
 * only LCP has: Protocol-Reject, Echo, Discard. Compression of fields is refused as
 * PPPoE demands (RFC 2516 section 7), and so is being asked who we are.
 */
#include "controld/pppoe/ppp_run.h"

#define LCP_MRU_DEFAULT 1500 /* of a client that says nothing */

enum lcp_option { LCP_MRU = 1, LCP_AUTH = 3, LCP_MAGIC = 5 };
enum lcp_row { ROW_MRU, ROW_MAGIC };

static struct ppp_fsm *lcp_fsm(struct ppp *ppp)
{
	return &ppp->lcp;
}

/* ---- The client's options ------------------------------------------------------------- */

static enum ppp_code judge_mru(const struct ppp_run *run, uint32_t value, uint32_t *wish)
{
	if (value >= PPP_MRU_MIN && value <= run->ppp->params.mru)
		return PPP_CONFIGURE_ACK;
	*wish = run->ppp->params.mru;
	return ppp_nak_or_reject(run, &run->ppp->lcp);
}

static uint32_t random_number(const struct ppp_run *run)
{
	uint32_t number = 0;

	run->out->random(run->out->context, &number, sizeof(number));
	return number ? number : 1;
}

static enum ppp_code judge_magic(const struct ppp_run *run, uint32_t value, uint32_t *wish)
{
	if (value && value != run->ppp->magic)
		return PPP_CONFIGURE_ACK;
	*wish = random_number(run);
	return ppp_nak_or_reject(run, &run->ppp->lcp);
}

/* A request with our own number is most likely our own, come back. Whatever it says, only
 * another number is asked for: a reject of the rest would come back, too. */
static void lcp_judged(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;

	if (!ppp->magic || !(run->given & 1U << ROW_MAGIC) || run->wanted[ROW_MAGIC] != ppp->magic) {
		ppp->loops = 0;
		return;
	}
	if (++ppp->loops > ppp->params.max_failure) {
		ppp_leave(run, SESSION_END_LOST_CARRIER, "LCP: the line is looped back");
		return;
	}
	run->answer.code = PPP_CONFIGURE_NAK;
	run->answer.length = ppp_option_put(run->answer.options, LCP_MAGIC, random_number(run), 4);
}

/* A client that starts anew has another number. */
static bool lcp_is_repeated(const struct ppp_run *run)
{
	return run->given & 1U << ROW_MAGIC && run->wanted[ROW_MAGIC] == run->ppp->peer_magic;
}

static void lcp_accept(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;
	uint32_t mtu = run->given & 1U << ROW_MRU ? run->wanted[ROW_MRU] : LCP_MRU_DEFAULT;

	ppp->mtu = (uint16_t)(mtu < ppp->params.mru ? mtu : ppp->params.mru);
	ppp->peer_magic = run->given & 1U << ROW_MAGIC ? run->wanted[ROW_MAGIC] : 0;
}

/* ---- Ours ----------------------------------------------------------------------------- */

static bool is_refused(const struct ppp *ppp, enum lcp_option option)
{
	return ppp->lcp.refused & 1U << option;
}

static size_t lcp_request(const struct ppp *ppp, uint8_t *options)
{
	size_t length = 0;

	if (!is_refused(ppp, LCP_MRU))
		length += ppp_option_put(options, LCP_MRU, ppp->mru, 2);
	length += ppp_auth_option(ppp, options + length);
	if (!is_refused(ppp, LCP_MAGIC))
		length += ppp_option_put(options + length, LCP_MAGIC, ppp->magic, 4);
	return length;
}

static void choose_auth(struct ppp_run *run, const uint8_t *value, size_t size)
{
	if (run->ppp->auth == CREDENTIAL_LINE)
		return;
	if (ppp_auth_next(run->ppp, value, size))
		ppp_trace(run, "LCP: authentication by %s is offered next", ppp_auth_name(run->ppp));
	else
		ppp_leave(run, SESSION_END_USER_ERROR, "LCP: no authentication in common");
}

/* What it would rather have of what we did not ask for is of no interest. */
static void lcp_naked(struct ppp_run *run, uint8_t type, const uint8_t *value, size_t size)
{
	struct ppp *ppp = run->ppp;

	if (type == LCP_AUTH) {
		choose_auth(run, value, size);
	} else if (type == LCP_MAGIC && ppp->magic) {
		ppp->magic = random_number(run);
	} else if (type == LCP_MRU && size == 2) {
		uint32_t mru = ppp_get(value, size);

		if (mru >= PPP_MRU_MIN && mru <= ppp->params.mru)
			ppp->mru = (uint16_t)mru;
	}
}

static void lcp_refused(struct ppp_run *run, uint8_t type)
{
	struct ppp *ppp = run->ppp;

	if (type == LCP_AUTH) {
		choose_auth(run, NULL, 0);
		return;
	}
	if (type == LCP_MAGIC)
		ppp->magic = 0;
	if (type == LCP_MAGIC || type == LCP_MRU)
		ppp->lcp.refused |= (uint8_t)(1U << type);
}

void ppp_lcp_reset(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;

	ppp->mru = ppp->params.mru;
	ppp->mtu = ppp->params.mru;
	ppp->magic = random_number(run);
	ppp->peer_magic = 0;
	ppp->auth = ppp->params.auth[0];
	ppp->auth_refused = 0;
	ppp->lcp.refused = 0;
	ppp->lcp.naks_sent = 0;
	ppp->lcp.naks_got = 0;
}

/* ---- Other codes ---------------------------------------------------------------------- */

static void on_protocol_reject(struct ppp_run *run)
{
	const struct ppp *ppp = run->ppp;

	if (run->packet.length < 2 || ppp->lcp.state != PPP_OPENED)
		return;
	uint32_t protocol = ppp_get(run->packet.data, 2);
	if (protocol == PPP_LCP)
		ppp_control_event(run, &ppp_lcp, PPP_EVENT_RXJ_MINUS);
	else if (protocol == PPP_IPCP && ppp->phase >= PPP_NETWORK)
		ppp_leave(run, SESSION_END_USER_ERROR, "IPCP: the client does not speak it");
	else if (protocol == ppp_auth_protocol(ppp) && ppp->phase == PPP_AUTHENTICATE)
		ppp_leave(run, SESSION_END_USER_ERROR, "%s: the client does not speak it",
			  ppp_auth_name(ppp));
	else
		ppp_control_event(run, &ppp_lcp, PPP_EVENT_RXJ_PLUS);
}

static void on_echo_or_discard(struct ppp_run *run)
{
	ppp_control_event(run, &ppp_lcp, PPP_EVENT_RXR);
}

static void on_information(struct ppp_run *run)
{
	(void)run; /* asks for nothing */
}

static bool lcp_other(struct ppp_run *run)
{
	static void (*const handlers[])(struct ppp_run *) = {
		[PPP_PROTOCOL_REJECT] = on_protocol_reject, [PPP_ECHO_REQUEST] = on_echo_or_discard,
		[PPP_ECHO_REPLY] = on_echo_or_discard,      [PPP_DISCARD_REQUEST] = on_echo_or_discard,
		[PPP_IDENTIFICATION] = on_information,      [PPP_TIME_REMAINING] = on_information,
	};
	uint8_t code = run->packet.code;

	if (code >= sizeof(handlers) / sizeof(handlers[0]) || !handlers[code])
		return false;
	handlers[code](run);
	return true;
}

/* ---- The link -------------------------------------------------------------------------- */

static void lcp_up(struct ppp_run *run)
{
	const struct ppp *ppp = run->ppp;

	ppp_trace(run, "LCP: MRU %u, the client's %u, authentication by %s", ppp->mru, ppp->mtu,
		  ppp_auth_name(ppp));
	ppp_auth_begin(run);
}

static void lcp_down(struct ppp_run *run, enum session_end cause, const char *why)
{
	struct ppp *ppp = run->ppp;

	ppp_network_lost(run, cause, why);
	if (ppp->phase == PPP_TERMINATE)
		return;
	if (ppp->lcp.state == PPP_STOPPING) {
		ppp_note_end(run, cause, "LCP: %s", why);
		ppp_enter(run, PPP_TERMINATE);
		return;
	}
	ppp_lcp_reset(run);
	ppp_enter(run, PPP_ESTABLISH);
}

static void lcp_finished(struct ppp_run *run, enum session_end cause, const char *why)
{
	ppp_note_end(run, cause, "LCP: %s", why);
	ppp_over(run);
}

/* RFC 1661 would wait for the Terminate-Request to come again; PADT says as much as a
 * second Terminate-Ack. */
static void lcp_terminated(struct ppp_run *run)
{
	ppp_note_end(run, SESSION_END_USER_REQUEST, "LCP: terminated by the subscriber");
	ppp_over(run);
}

static const struct ppp_option lcp_options[] = {
	[ROW_MRU] = {LCP_MRU, 2, judge_mru},
	[ROW_MAGIC] = {LCP_MAGIC, 4, judge_magic},
};

const struct ppp_layer ppp_lcp = {
	.protocol = PPP_LCP,
	.name = "LCP",
	.fsm = lcp_fsm,
	.options = lcp_options,
	.option_count = sizeof(lcp_options) / sizeof(lcp_options[0]),
	.request = lcp_request,
	.judged = lcp_judged,
	.is_repeated = lcp_is_repeated,
	.accept = lcp_accept,
	.naked = lcp_naked,
	.refused = lcp_refused,
	.other = lcp_other,
	.up = lcp_up,
	.down = lcp_down,
	.finished = lcp_finished,
	.terminated = lcp_terminated,
};
