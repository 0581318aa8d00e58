/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What LCP and IPCP have in common: packets become events, events become actions.
 *
 * An answer counts only if it has the id of our last request and is the first to it: a
 * request that is sent again has a new id. So what a frame says that was delivered
 * twice, or stood in a queue while this process was away, tears nothing down.
 */
#include <string.h>

#include "controld/pppoe/ppp_run.h"

/* ---- Actions ------------------------------------------------------------------------ */

/* What an event says of the end that it may bring. */
static const struct {
	enum session_end cause;
	const char *text;
} reasons[PPP_EVENTS] = {
	[PPP_EVENT_DOWN] = {SESSION_END_LOST_CARRIER, "down"},
	[PPP_EVENT_CLOSE] = {SESSION_END_NAS_REQUEST, "closed"},
	[PPP_EVENT_TO_MINUS] = {SESSION_END_LOST_CARRIER, "no answer"},
	[PPP_EVENT_RCR_PLUS] = {SESSION_END_USER_REQUEST, "negotiated anew"},
	[PPP_EVENT_RCR_MINUS] = {SESSION_END_USER_REQUEST, "negotiated anew"},
	[PPP_EVENT_RTR] = {SESSION_END_USER_REQUEST, "terminated by the subscriber"},
	[PPP_EVENT_RTA] = {SESSION_END_USER_REQUEST, "terminated by the subscriber"},
	[PPP_EVENT_RXJ_MINUS] = {SESSION_END_USER_ERROR, "what PPP needs was rejected"},
};

static void act_down(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	layer->down(run, reasons[event].cause, reasons[event].text);
}

static void act_up(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	(void)event;
	layer->up(run);
}

static void act_finished(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	layer->finished(run, reasons[event].cause, reasons[event].text);
}

static void act_init_restarts(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	const struct ppp_params *params = &run->ppp->params;

	(void)event;
	layer->fsm(run->ppp)->restarts =
		run->actions & PPP_STR ? params->max_terminate : params->max_configure;
}

static void act_no_restarts(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	(void)event;
	layer->fsm(run->ppp)->restarts = 0;
	run->ppp->timer_ns = ppp_restart_at(run);
}

static void send_request(struct ppp_run *run, const struct ppp_layer *layer, uint8_t code,
			 const uint8_t *options, size_t length)
{
	struct ppp_fsm *fsm = layer->fsm(run->ppp);

	fsm->id++;
	fsm->is_answered = false;
	if (fsm->restarts)
		fsm->restarts--;
	run->ppp->timer_ns = ppp_restart_at(run);
	ppp_send(run, layer->protocol, code, fsm->id, options, length);
}

static void act_configure(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	uint8_t options[PPP_OPTIONS_OURS];

	(void)event;
	send_request(run, layer, PPP_CONFIGURE_REQUEST, options, layer->request(run->ppp, options));
}

static void act_terminate(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	const char *text = run->ppp->text;

	(void)event;
	send_request(run, layer, PPP_TERMINATE_REQUEST, (const uint8_t *)text, strlen(text));
}

static void act_answer(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	struct ppp_fsm *fsm = layer->fsm(run->ppp);

	if (event == PPP_EVENT_RCR_PLUS) {
		if (layer->accept)
			layer->accept(run);
		fsm->acked_id = run->packet.id;
		fsm->naks_sent = 0;
	}
	ppp_send(run, layer->protocol, run->answer.code, run->packet.id, run->answer.options,
		 run->answer.length);
}

static void act_terminated(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	(void)event;
	ppp_send(run, layer->protocol, PPP_TERMINATE_ACK, run->packet.id, NULL, 0);
}

static void act_reject_code(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	const struct ppp_packet *packet = &run->packet;

	(void)event;
	ppp_send(run, layer->protocol, PPP_CODE_REJECT, run->ppp->code_id++, packet->data - PPP_HEADER,
		 packet->length + PPP_HEADER);
}

static void act_echo(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	const struct ppp_packet *packet = &run->packet;
	uint8_t data[PPP_OPTIONS_MAX];

	(void)event;
	if (packet->code != PPP_ECHO_REQUEST || packet->length < 4 || packet->length > sizeof(data))
		return;
	memcpy(data, packet->data, packet->length);
	ppp_put32(data, run->ppp->magic);
	ppp_send(run, layer->protocol, PPP_ECHO_REPLY, packet->id, data, packet->length);
}

static const struct {
	uint32_t action; /* enum ppp_action */
	void (*take)(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event);
} acts[] = {
	{PPP_TLD, act_down},       {PPP_IRC, act_init_restarts}, {PPP_ZRC, act_no_restarts},
	{PPP_SCR, act_configure},  {PPP_STR, act_terminate},     {PPP_SCA | PPP_SCN, act_answer},
	{PPP_STA, act_terminated}, {PPP_SCJ, act_reject_code},   {PPP_SER, act_echo},
	{PPP_TLU, act_up},         {PPP_TLF, act_finished},
};

void ppp_control_event(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event)
{
	struct ppp_fsm *fsm = layer->fsm(run->ppp);
	bool was_timed = ppp_fsm_is_timed(fsm);
	uint8_t before = fsm->state;
	uint32_t actions = ppp_fsm_step(fsm, event);

	if (was_timed && !ppp_fsm_is_timed(fsm))
		run->ppp->timer_ns = 0;
	if (fsm->state != before)
		ppp_trace(run, "%s: %s -> %s (%s)", layer->name, ppp_state_name(before),
			  ppp_state_name(fsm->state), ppp_event_name(event));
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		run->actions = actions;
		if (actions & acts[i].action)
			acts[i].take(run, layer, event);
	}
}

/* ---- Packets ------------------------------------------------------------------------ */

/* Our first request came before the client listened, as it may be right after PADS: now
 * that it speaks, it need not wait so long for the second. */
static void hasten(struct ppp_run *run, const struct ppp_fsm *fsm)
{
	struct ppp *ppp = run->ppp;
	uint64_t soon = run->out->now_ns + ppp->params.restart_ms * UINT64_C(1000000) / PPP_HASTE;

	if (fsm->state == PPP_REQ_SENT && fsm->restarts && fsm->restarts + 1 == ppp->params.max_configure &&
	    ppp->timer_ns > soon)
		ppp->timer_ns = soon;
}

static void on_request(struct ppp_run *run, const struct ppp_layer *layer)
{
	struct ppp_fsm *fsm = layer->fsm(run->ppp);

	if (!ppp_judge(run, layer) || run->is_left)
		return;
	bool is_good = run->answer.code == PPP_CONFIGURE_ACK;
	if (is_good && fsm->state == PPP_OPENED && fsm->acked_id && fsm->acked_id == run->packet.id &&
	    (!layer->is_repeated || layer->is_repeated(run))) {
		fsm->acked_id = 0;
		ppp_send(run, layer->protocol, PPP_CONFIGURE_ACK, run->packet.id, run->packet.data,
			 run->packet.length);
		return;
	}
	if (run->answer.code == PPP_CONFIGURE_NAK && fsm->naks_sent < UINT8_MAX)
		fsm->naks_sent++;
	hasten(run, fsm);
	if (!layer->hold || !layer->hold(run))
		ppp_control_event(run, layer, is_good ? PPP_EVENT_RCR_PLUS : PPP_EVENT_RCR_MINUS);
}

static bool is_answer(const struct ppp_run *run, struct ppp_fsm *fsm)
{
	return fsm->state >= PPP_REQ_SENT && run->packet.id == fsm->id && !fsm->is_answered;
}

static void on_ack(struct ppp_run *run, const struct ppp_layer *layer)
{
	struct ppp_fsm *fsm = layer->fsm(run->ppp);
	uint8_t asked[PPP_OPTIONS_OURS];
	size_t length = layer->request(run->ppp, asked);

	if (!is_answer(run, fsm) || run->packet.length != length || memcmp(run->packet.data, asked, length))
		return;
	fsm->is_answered = true;
	fsm->naks_got = 0;
	ppp_control_event(run, layer, PPP_EVENT_RCA);
	if (layer->acked)
		layer->acked(run);
}

static void on_nak_or_reject(struct ppp_run *run, const struct ppp_layer *layer)
{
	struct ppp_fsm *fsm = layer->fsm(run->ppp);
	const uint8_t *at = run->packet.data, *option;
	size_t left = run->packet.length, length;

	if (!is_answer(run, fsm) || !ppp_options_are_whole(at, left))
		return;
	fsm->is_answered = true;
	while (!run->is_left && (length = ppp_option_next(&at, &left, &option))) {
		if (run->packet.code == PPP_CONFIGURE_REJECT)
			layer->refused(run, option[0]);
		else
			layer->naked(run, option[0], option + 2, length - 2);
	}
	/* Each of them may be for another option, and then once more for its value. */
	if (++fsm->naks_got > 2 * run->ppp->params.max_failure)
		ppp_leave(run, SESSION_END_USER_ERROR, "%s: no agreement", layer->name);
	if (!run->is_left)
		ppp_control_event(run, layer, PPP_EVENT_RCN);
}

static void on_terminate_request(struct ppp_run *run, const struct ppp_layer *layer)
{
	ppp_control_event(run, layer, PPP_EVENT_RTR);
	layer->terminated(run);
}

static void on_terminate_ack(struct ppp_run *run, const struct ppp_layer *layer)
{
	ppp_control_event(run, layer, PPP_EVENT_RTA);
}

static void on_code_reject(struct ppp_run *run, const struct ppp_layer *layer)
{
	const struct ppp_packet *packet = &run->packet;

	if (packet->length < PPP_HEADER)
		return;
	uint8_t code = packet->data[0];
	bool is_needed = code >= PPP_CONFIGURE_REQUEST && code <= PPP_CODE_REJECT;
	ppp_control_event(run, layer, is_needed ? PPP_EVENT_RXJ_MINUS : PPP_EVENT_RXJ_PLUS);
}

void ppp_control_input(struct ppp_run *run, const struct ppp_layer *layer)
{
	static void (*const handlers[])(struct ppp_run *, const struct ppp_layer *) = {
		[PPP_CONFIGURE_REQUEST] = on_request,
		[PPP_CONFIGURE_ACK] = on_ack,
		[PPP_CONFIGURE_NAK] = on_nak_or_reject,
		[PPP_CONFIGURE_REJECT] = on_nak_or_reject,
		[PPP_TERMINATE_REQUEST] = on_terminate_request,
		[PPP_TERMINATE_ACK] = on_terminate_ack,
		[PPP_CODE_REJECT] = on_code_reject,
	};
	uint8_t code = run->packet.code;

	if (code < sizeof(handlers) / sizeof(handlers[0]) && handlers[code])
		handlers[code](run, layer);
	else if (!layer->other || !layer->other(run))
		ppp_control_event(run, layer, PPP_EVENT_RUC);
}

void ppp_control_timer(struct ppp_run *run, const struct ppp_layer *layer)
{
	bool is_last = !layer->fsm(run->ppp)->restarts;

	ppp_control_event(run, layer, is_last ? PPP_EVENT_TO_MINUS : PPP_EVENT_TO_PLUS);
}
