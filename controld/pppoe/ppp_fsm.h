/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The option negotiation automaton (RFC 1661 section 4): what an event means in a state,
 * and nothing of how it is done.
 */
#ifndef BNG_CONTROLD_PPPOE_PPP_FSM_H
#define BNG_CONTROLD_PPPOE_PPP_FSM_H

#include "controld/pppoe/ppp.h"

/* In the order, and with the numbers, of section 4.2. */
/* clang-format off */
#define PPP_FSM_STATES(X) \
	X(INITIAL,  "initial") \
	X(STARTING, "starting") \
	X(CLOSED,   "closed") \
	X(STOPPED,  "stopped") \
	X(CLOSING,  "closing") \
	X(STOPPING, "stopping") \
	X(REQ_SENT, "request sent") \
	X(ACK_RCVD, "ack received") \
	X(ACK_SENT, "ack sent") \
	X(OPENED,   "opened")

#define PPP_FSM_EVENTS(X) \
	X(UP,        "up") \
	X(DOWN,      "down") \
	X(OPEN,      "open") \
	X(CLOSE,     "close") \
	X(TO_PLUS,   "timeout") \
	X(TO_MINUS,  "last timeout") \
	X(RCR_PLUS,  "good request") \
	X(RCR_MINUS, "bad request") \
	X(RCA,       "ack") \
	X(RCN,       "nak or reject") \
	X(RTR,       "terminate request") \
	X(RTA,       "terminate ack") \
	X(RUC,       "unknown code") \
	X(RXJ_PLUS,  "tolerable reject") \
	X(RXJ_MINUS, "fatal reject") \
	X(RXR,       "echo or discard")
/* clang-format on */

enum ppp_state {
#define PPP_FSM_STATE_ENUM(name, text) PPP_##name,
	PPP_FSM_STATES(PPP_FSM_STATE_ENUM)
#undef PPP_FSM_STATE_ENUM
		PPP_STATES
};

enum ppp_event {
#define PPP_FSM_EVENT_ENUM(name, text) PPP_EVENT_##name,
	PPP_FSM_EVENTS(PPP_FSM_EVENT_ENUM)
#undef PPP_FSM_EVENT_ENUM
		PPP_EVENTS
};

/* In the order in which the actions of one event are taken. */
enum ppp_action {
	PPP_TLD = 1 << 0, /* this layer down */
	PPP_IRC = 1 << 1, /* initialise the restart counter */
	PPP_ZRC = 1 << 2, /* zero it */
	PPP_SCR = 1 << 3, /* send Configure-Request */
	PPP_STR = 1 << 4, /* Terminate-Request */
	PPP_SCA = 1 << 5, /* Configure-Ack */
	PPP_SCN = 1 << 6, /* Configure-Nak or -Reject */
	PPP_STA = 1 << 7, /* Terminate-Ack */
	PPP_SCJ = 1 << 8, /* Code-Reject */
	PPP_SER = 1 << 9, /* Echo-Reply */
	PPP_TLS = 1 << 10,
	PPP_TLU = 1 << 11,
	PPP_TLF = 1 << 12,
};

/* Goes to the next state; the actions to take. An event that cannot be: none, and the
 * state stays. */
uint32_t ppp_fsm_step(struct ppp_fsm *fsm, enum ppp_event event);
/* The restart timer runs. */
bool ppp_fsm_is_timed(const struct ppp_fsm *fsm);
const char *ppp_state_name(unsigned state);
const char *ppp_event_name(enum ppp_event event);

#endif
