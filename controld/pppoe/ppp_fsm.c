/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The table of RFC 1661 section 4.1, laid out as it is printed there. It is the only
 * place that writes a state.
 */
#include "controld/pppoe/ppp_fsm.h"

/* A cell: the next state, counted from 1, and the actions above it; 0: cannot be. */
#define NEXT_BITS  4
#define NEXT_MASK  ((1U << NEXT_BITS) - 1)
#define DO(action) ((uint32_t)(action) << NEXT_BITS)

enum { S0 = PPP_INITIAL + 1, S1, S2, S3, S4, S5, S6, S7, S8, S9 };

#define tld DO(PPP_TLD)
#define irc DO(PPP_IRC)
#define zrc DO(PPP_ZRC)
#define scr DO(PPP_SCR)
#define str DO(PPP_STR)
#define sca DO(PPP_SCA)
#define scn DO(PPP_SCN)
#define sta DO(PPP_STA)
#define scj DO(PPP_SCJ)
#define ser DO(PPP_SER)
#define tls DO(PPP_TLS)
#define tlu DO(PPP_TLU)
#define tlf DO(PPP_TLF)

/* clang-format off */
static const uint32_t cells[PPP_EVENTS][PPP_STATES] = {
/*                       Initial   Starting      Closed      Stopped          Closing   Stopping */
/*                       Req-Sent       Ack-Rcvd      Ack-Sent      Opened */
[PPP_EVENT_UP] =        {S2,       irc|scr|S6,   0,          0,               0,        0,
			 0,             0,            0,            0},
[PPP_EVENT_DOWN] =      {0,        0,            S0,         tls|S1,          S0,       S1,
			 S1,            S1,           S1,           tld|S1},
[PPP_EVENT_OPEN] =      {tls|S1,   S1,           irc|scr|S6, S3,              S5,       S5,
			 S6,            S7,           S8,           S9},
[PPP_EVENT_CLOSE] =     {S0,       tlf|S0,       S2,         S2,              S4,       S4,
			 irc|str|S4,    irc|str|S4,   irc|str|S4,   tld|irc|str|S4},
[PPP_EVENT_TO_PLUS] =   {0,        0,            0,          0,               str|S4,   str|S5,
			 scr|S6,        scr|S6,       scr|S8,       0},
[PPP_EVENT_TO_MINUS] =  {0,        0,            0,          0,               tlf|S2,   tlf|S3,
			 tlf|S3,        tlf|S3,       tlf|S3,       0},
[PPP_EVENT_RCR_PLUS] =  {0,        0,            sta|S2,     irc|scr|sca|S8,  S4,       S5,
			 sca|S8,        sca|tlu|S9,   sca|S8,       tld|scr|sca|S8},
[PPP_EVENT_RCR_MINUS] = {0,        0,            sta|S2,     irc|scr|scn|S6,  S4,       S5,
			 scn|S6,        scn|S7,       scn|S6,       tld|scr|scn|S6},
[PPP_EVENT_RCA] =       {0,        0,            sta|S2,     sta|S3,          S4,       S5,
			 irc|S7,        scr|S6,       irc|tlu|S9,   tld|scr|S6},
[PPP_EVENT_RCN] =       {0,        0,            sta|S2,     sta|S3,          S4,       S5,
			 irc|scr|S6,    scr|S6,       irc|scr|S8,   tld|scr|S6},
[PPP_EVENT_RTR] =       {0,        0,            sta|S2,     sta|S3,          sta|S4,   sta|S5,
			 sta|S6,        sta|S6,       sta|S6,       tld|zrc|sta|S5},
[PPP_EVENT_RTA] =       {0,        0,            S2,         S3,              tlf|S2,   tlf|S3,
			 S6,            S6,           S8,           tld|scr|S6},
[PPP_EVENT_RUC] =       {0,        0,            scj|S2,     scj|S3,          scj|S4,   scj|S5,
			 scj|S6,        scj|S7,       scj|S8,       scj|S9},
[PPP_EVENT_RXJ_PLUS] =  {0,        0,            S2,         S3,              S4,       S5,
			 S6,            S6,           S8,           S9},
[PPP_EVENT_RXJ_MINUS] = {0,        0,            tlf|S2,     tlf|S3,          tlf|S2,   tlf|S3,
			 tlf|S3,        tlf|S3,       tlf|S3,       tld|irc|str|S5},
[PPP_EVENT_RXR] =       {0,        0,            S2,         S3,              S4,       S5,
			 S6,            S7,           S8,           ser|S9},
};
/* clang-format on */

uint32_t ppp_fsm_step(struct ppp_fsm *fsm, enum ppp_event event)
{
	uint32_t cell = cells[event][fsm->state];

	if (cell)
		fsm->state = (uint8_t)((cell & NEXT_MASK) - 1);
	return cell >> NEXT_BITS;
}

bool ppp_fsm_is_timed(const struct ppp_fsm *fsm)
{
	return fsm->state >= PPP_CLOSING && fsm->state <= PPP_ACK_SENT;
}

const char *ppp_state_name(unsigned state)
{
	static const char *const names[] = {
#define PPP_FSM_STATE_TEXT(name, text) text,
		PPP_FSM_STATES(PPP_FSM_STATE_TEXT)
#undef PPP_FSM_STATE_TEXT
	};

	return state < PPP_STATES ? names[state] : "?";
}

const char *ppp_event_name(enum ppp_event event)
{
	static const char *const names[] = {
#define PPP_FSM_EVENT_TEXT(name, text) text,
		PPP_FSM_EVENTS(PPP_FSM_EVENT_TEXT)
#undef PPP_FSM_EVENT_TEXT
	};

	return names[event];
}
