/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The phases of a link (RFC 1661 section 3), and the ways into the engine: each makes a
 * ppp_run, does its part, and ends with the callbacks that became due.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controld/pppoe/ppp_run.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* clang-format off */
static const char *const phase_names[PPP_PHASES] = {
	[PPP_DEAD] = "dead",         [PPP_ESTABLISH] = "establish", [PPP_AUTHENTICATE] = "authenticate",
	[PPP_AUTHORISE] = "authorise", [PPP_NETWORK] = "network",   [PPP_PREPARE] = "prepare",
	[PPP_OPEN] = "open",         [PPP_TERMINATE] = "terminate",
};
/* clang-format on */

const char *ppp_phase_name(const struct ppp *ppp)
{
	return ppp->phase < PPP_PHASES ? phase_names[ppp->phase] : "?";
}

/* ---- What the other files use ------------------------------------------------------- */

void ppp_trace(const struct ppp_run *run, const char *format, ...)
{
	char text[160];
	va_list arguments;

	if (!run->out->trace)
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	run->out->trace(run->out->context, text);
}

uint64_t ppp_restart_at(const struct ppp_run *run)
{
	return run->out->now_ns + run->ppp->params.restart_ms * NS_PER_MS;
}

/* Of a packet that is too long, as much as fits: only rejects quote what came. */
void ppp_send(const struct ppp_run *run, uint16_t protocol, uint8_t code, uint8_t id, const void *data,
	      size_t length)
{
	uint8_t frame[PPP_FRAME_MAX];
	size_t most = run->ppp->mtu - (size_t)PPP_HEADER;

	length = length < most ? length : most;
	frame[0] = (uint8_t)(protocol >> 8);
	frame[1] = (uint8_t)protocol;
	frame[2] = code;
	frame[3] = id;
	frame[4] = (uint8_t)((length + PPP_HEADER) >> 8);
	frame[5] = (uint8_t)(length + PPP_HEADER);
	if (length)
		memcpy(frame + 6, data, length);
	run->out->send(run->out->context, frame, length + 6);
}

void ppp_enter(struct ppp_run *run, enum ppp_phase phase)
{
	struct ppp *ppp = run->ppp;

	if (ppp->phase == phase)
		return;
	ppp_trace(run, "phase %s -> %s", phase_names[ppp->phase], phase_names[phase]);
	ppp->phase = (uint8_t)phase;
}

static bool has_network(const struct ppp *ppp)
{
	return ppp->phase == PPP_PREPARE || ppp->phase == PPP_OPEN;
}

static void note_end(struct ppp *ppp, enum session_end cause, const char *format, va_list arguments)
{
	if (ppp->cause)
		return;
	ppp->cause = (uint8_t)cause;
	vsnprintf(ppp->text, sizeof(ppp->text), format, arguments);
}

void ppp_note_end(struct ppp_run *run, enum session_end cause, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	note_end(run->ppp, cause, format, arguments);
	va_end(arguments);
}

void ppp_network_lost(struct ppp_run *run, enum session_end cause, const char *why)
{
	struct ppp *ppp = run->ppp;

	run->due &= ~(uint32_t)(PPP_DUE_AUTHENTICATE | PPP_DUE_NETWORK_UP);
	if (has_network(ppp)) {
		run->due |= PPP_DUE_DOWN;
		run->down_cause = cause;
		run->down_text = why;
	}
	if (!ppp->setup_ns)
		ppp->setup_ns = run->out->now_ns + ppp->params.setup_s * NS_PER_S;
	memset(&ppp->ipcp, 0, sizeof(ppp->ipcp));
	memset(ppp->dns_be, 0, sizeof(ppp->dns_be));
	ppp->address_be = 0;
	ppp->gateway_be = 0;
	ppp->held_length = 0;
	ppp_auth_forget(ppp);
}

void ppp_over(struct ppp_run *run)
{
	run->ppp->timer_ns = 0;
	run->ppp->setup_ns = 0;
	run->due |= PPP_DUE_ENDED;
	run->is_left = true;
	ppp_enter(run, PPP_DEAD);
}

/* The network goes first, so that LCP, when it goes down, finds none to tell of. */
static void terminate(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;

	run->is_left = true;
	ppp_network_lost(run, ppp->cause, ppp->text);
	ppp_enter(run, PPP_TERMINATE);
	ppp_control_event(run, &ppp_lcp, PPP_EVENT_CLOSE);
}

void ppp_leave(struct ppp_run *run, enum session_end cause, const char *format, ...)
{
	va_list arguments;

	if (run->ppp->phase == PPP_DEAD || run->ppp->phase == PPP_TERMINATE)
		return;
	va_start(arguments, format);
	note_end(run->ppp, cause, format, arguments);
	va_end(arguments);
	terminate(run);
}

/* ---- Ways in ------------------------------------------------------------------------ */

static void begin(struct ppp_run *run, struct ppp *ppp, const struct ppp_out *out)
{
	run->ppp = ppp;
	run->out = out;
	run->due = 0;
	run->actions = 0;
	run->is_left = false;
	run->given = 0;
	run->packet = (struct ppp_packet){0};
}

static void finish(struct ppp_run *run)
{
	const struct ppp_out *out = run->out;
	struct ppp *ppp = run->ppp;

	if (run->due & PPP_DUE_DOWN)
		out->network_down(out->context, run->down_cause, run->down_text);
	if (run->due & PPP_DUE_AUTHENTICATE)
		out->authenticate(out->context, ppp->user[0] ? ppp->user : NULL, &run->credentials);
	if (run->due & PPP_DUE_NETWORK_UP)
		out->network_up(out->context);
	if (run->due & PPP_DUE_ENDED)
		out->ended(out->context, ppp->cause, ppp->text);
	explicit_bzero(run->challenge, sizeof(run->challenge));
}

static uint8_t or_default8(uint8_t value, uint8_t standard)
{
	return value ? value : standard;
}

static uint16_t or_default16(uint16_t value, uint16_t standard)
{
	return value ? value : standard;
}

static void params_take(struct ppp *ppp, const struct ppp_params *params)
{
	struct ppp_params *own = &ppp->params;

	*own = *params;
	own->max_configure = or_default8(params->max_configure, 10);
	own->max_terminate = or_default8(params->max_terminate, 2);
	own->max_failure = or_default8(params->max_failure, 5);
	own->restart_ms = or_default16(params->restart_ms, 3000);
	own->setup_s = or_default16(params->setup_s, 120);
	own->mru = or_default16(params->mru, PPP_MRU_STANDARD);
	if (own->mru > PPP_MRU_MAX)
		own->mru = PPP_MRU_MAX;
	own->name[PPP_NAME_MAX - 1] = '\0';
}

void ppp_start(struct ppp *ppp, const struct ppp_params *params, const struct ppp_out *out)
{
	struct ppp_run run;

	begin(&run, ppp, out);
	memset(ppp, 0, sizeof(*ppp));
	params_take(ppp, params);
	ppp->setup_ns = out->now_ns + ppp->params.setup_s * NS_PER_S;
	ppp_lcp_reset(&run);
	ppp_enter(&run, PPP_ESTABLISH);
	ppp_control_event(&run, &ppp_lcp, PPP_EVENT_OPEN);
	ppp_control_event(&run, &ppp_lcp, PPP_EVENT_UP);
	finish(&run);
}

static void granted_take(struct ppp *ppp, const struct ppp_verdict *verdict)
{
	ppp->address_be = verdict->address_be;
	ppp->gateway_be = verdict->gateway_be;
	memcpy(ppp->dns_be, verdict->dns_be, sizeof(ppp->dns_be));
}

void ppp_restore(struct ppp *ppp, const struct ppp_params *params, uint32_t magic, uint16_t mtu,
		 const struct ppp_verdict *granted)
{
	memset(ppp, 0, sizeof(*ppp));
	params_take(ppp, params);
	granted_take(ppp, granted);
	ppp->mru = ppp->params.mru;
	ppp->mtu = mtu >= PPP_MRU_MIN && mtu <= PPP_MRU_MAX ? mtu : PPP_MRU_STANDARD;
	ppp->magic = magic;
	ppp->phase = PPP_OPEN;
	ppp->lcp.state = PPP_OPENED;
	ppp->lcp.restarts = ppp->params.max_configure;
	ppp->ipcp.state = PPP_OPENED;
	ppp->ipcp.restarts = ppp->params.max_configure;
}

/* Before the network phase, what is unknown is dropped without a word (section 3.5). */
static void reject_protocol(struct ppp_run *run, const uint8_t *frame, size_t length)
{
	if (run->ppp->phase >= PPP_NETWORK && run->ppp->phase <= PPP_OPEN)
		ppp_send(run, PPP_LCP, PPP_PROTOCOL_REJECT, run->ppp->code_id++, frame, length);
}

static bool packet_parse(const uint8_t *frame, size_t length, struct ppp_packet *packet)
{
	if (length < 2U + PPP_HEADER)
		return false;
	size_t told = (size_t)frame[4] << 8 | frame[5];
	if (told < PPP_HEADER || told > length - 2)
		return false;
	packet->code = frame[2];
	packet->id = frame[3];
	packet->data = frame + 6;
	packet->length = told - PPP_HEADER;
	return true;
}

void ppp_input(struct ppp *ppp, const uint8_t *frame, size_t length, const struct ppp_out *out)
{
	struct ppp_run run;

	if (length < 2 || ppp->phase == PPP_DEAD)
		return;
	begin(&run, ppp, out);
	run.packet.protocol = (uint16_t)(frame[0] << 8 | frame[1]);
	bool is_whole = packet_parse(frame, length, &run.packet);
	switch (run.packet.protocol) {
	case PPP_LCP:
		if (is_whole)
			ppp_control_input(&run, &ppp_lcp);
		break;
	case PPP_IPCP:
		if (is_whole && ppp->phase >= PPP_NETWORK && ppp->phase <= PPP_OPEN)
			ppp_control_input(&run, &ppp_ipcp);
		break;
	case PPP_PAP:
	case PPP_CHAP:
		if (is_whole)
			ppp_auth_input(&run);
		break;
	case PPP_IPV4:
		break; /* before there is a session */
	default:
		reject_protocol(&run, frame, length);
	}
	finish(&run);
}

uint64_t ppp_deadline(const struct ppp *ppp)
{
	if (!ppp->timer_ns || !ppp->setup_ns)
		return ppp->timer_ns | ppp->setup_ns;
	return ppp->timer_ns < ppp->setup_ns ? ppp->timer_ns : ppp->setup_ns;
}

/* Who was waited for, when patience ended. */
static void give_up(struct ppp_run *run)
{
	struct ppp *ppp = run->ppp;
	bool is_ours = ppp->phase == PPP_AUTHORISE || ppp->phase == PPP_PREPARE;

	ppp->setup_ns = 0;
	if (ppp->phase == PPP_TERMINATE)
		ppp_over(run);
	else
		ppp_leave(run, is_ours ? SESSION_END_NAS_ERROR : SESSION_END_LOST_CARRIER,
			  "not up in time: phase %s", ppp_phase_name(ppp));
}

void ppp_timer(struct ppp *ppp, const struct ppp_out *out)
{
	struct ppp_run run;

	begin(&run, ppp, out);
	if (ppp->setup_ns && out->now_ns >= ppp->setup_ns) {
		give_up(&run);
	} else if (ppp->timer_ns && out->now_ns >= ppp->timer_ns) {
		ppp->timer_ns = 0;
		if (ppp_fsm_is_timed(&ppp->lcp))
			ppp_control_timer(&run, &ppp_lcp);
		else if (ppp->phase == PPP_AUTHENTICATE)
			ppp_auth_timer(&run);
		else if (ppp_fsm_is_timed(&ppp->ipcp))
			ppp_control_timer(&run, &ppp_ipcp);
	}
	finish(&run);
}

void ppp_authorised(struct ppp *ppp, const struct ppp_verdict *verdict, const struct ppp_out *out)
{
	struct ppp_run run;

	if (ppp->phase != PPP_AUTHORISE)
		return;
	begin(&run, ppp, out);
	if (ppp_auth_verdict(&run, verdict)) {
		granted_take(ppp, verdict);
		ppp_enter(&run, PPP_NETWORK);
		ppp_control_event(&run, &ppp_ipcp, PPP_EVENT_OPEN);
		ppp_control_event(&run, &ppp_ipcp, PPP_EVENT_UP);
	}
	finish(&run);
}

void ppp_network_ready(struct ppp *ppp, const struct ppp_out *out)
{
	struct ppp_run run;
	uint8_t held[sizeof(ppp->held)];

	if (ppp->phase != PPP_PREPARE)
		return;
	begin(&run, ppp, out);
	ppp_enter(&run, PPP_OPEN);
	if (ppp_fsm_is_timed(&ppp->ipcp))
		ppp->timer_ns = ppp_restart_at(&run);
	if (ppp->held_length) {
		memcpy(held, ppp->held, sizeof(held));
		run.packet = (struct ppp_packet){PPP_IPCP, PPP_CONFIGURE_REQUEST, ppp->held_id, held,
						 ppp->held_length};
		ppp_control_input(&run, &ppp_ipcp);
	}
	finish(&run);
}

void ppp_close(struct ppp *ppp, enum session_end cause, const char *why, const struct ppp_out *out)
{
	struct ppp_run run;

	if (ppp->phase == PPP_DEAD || ppp->phase == PPP_TERMINATE)
		return;
	begin(&run, ppp, out);
	ppp_leave(&run, cause, "%s", why);
	run.due &= ~(uint32_t)PPP_DUE_DOWN;
	finish(&run);
}

size_t ppp_echo_request(uint32_t magic, uint8_t id, uint8_t frame[static PPP_ECHO_LENGTH])
{
	static const uint8_t head[] = {PPP_LCP >> 8,       PPP_LCP & 0xff, PPP_ECHO_REQUEST, 0, 0,
				       PPP_ECHO_LENGTH - 2};

	memcpy(frame, head, sizeof(head));
	frame[3] = id;
	ppp_put32(frame + sizeof(head), magic);
	return PPP_ECHO_LENGTH;
}

static bool is_text(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

bool ppp_is_whole(const struct ppp *ppp)
{
	const struct ppp_params *params = &ppp->params;

	for (size_t i = 0; i < PPP_AUTHS; i++)
		if (params->auth[i] > CREDENTIAL_MSCHAP2)
			return false;
	return ppp->phase > PPP_DEAD && ppp->phase < PPP_PHASES && ppp->lcp.state < PPP_STATES &&
	       ppp->ipcp.state < PPP_STATES && ppp->auth <= CREDENTIAL_MSCHAP2 &&
	       ppp->held_length <= sizeof(ppp->held) && ppp->mtu >= PPP_MRU_MIN && ppp->mtu <= PPP_MRU_MAX &&
	       params->mru <= PPP_MRU_MAX && ppp->mru >= PPP_MRU_MIN && params->max_configure &&
	       params->restart_ms && is_text(params->name, sizeof(params->name)) &&
	       is_text(ppp->success, sizeof(ppp->success)) && is_text(ppp->user, sizeof(ppp->user)) &&
	       is_text(ppp->text, sizeof(ppp->text));
}
