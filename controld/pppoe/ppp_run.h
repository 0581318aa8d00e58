/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Between the files of the engine: one call of it, from the entry to the callbacks that
 * are due at its end; and what LCP and IPCP each bring to what they have in common.
 */
#ifndef BNG_CONTROLD_PPPOE_PPP_RUN_H
#define BNG_CONTROLD_PPPOE_PPP_RUN_H

#include "controld/pppoe/ppp_fsm.h"

#define PPP_HEADER      4 /* code, id, length */
#define PPP_PACKET_MAX  (PPP_FRAME_MAX - 2)
#define PPP_OPTIONS_MAX (PPP_PACKET_MAX - PPP_HEADER)

enum ppp_code {
	PPP_CONFIGURE_REQUEST = 1,
	PPP_CONFIGURE_ACK,
	PPP_CONFIGURE_NAK,
	PPP_CONFIGURE_REJECT,
	PPP_TERMINATE_REQUEST,
	PPP_TERMINATE_ACK,
	PPP_CODE_REJECT,
	PPP_PROTOCOL_REJECT, /* from here on LCP's only */
	PPP_ECHO_REQUEST,
	PPP_ECHO_REPLY,
	PPP_DISCARD_REQUEST,
	PPP_IDENTIFICATION, /* RFC 1570 */
	PPP_TIME_REMAINING,
};

/* The rest of the frame lies behind the header, so that it can be rejected whole. */
struct ppp_packet {
	uint16_t protocol;
	uint8_t code;
	uint8_t id;
	const uint8_t *data; /* behind the header */
	size_t length;       /* of data */
};

struct ppp_answer {
	uint8_t code; /* CONFIGURE_ACK, _NAK or _REJECT */
	size_t length;
	uint8_t options[PPP_OPTIONS_MAX];
};

enum ppp_due {
	PPP_DUE_DOWN = 1 << 0,
	PPP_DUE_AUTHENTICATE = 1 << 1,
	PPP_DUE_NETWORK_UP = 1 << 2,
	PPP_DUE_ENDED = 1 << 3,
};

#define PPP_OPTION_KINDS 3
#define PPP_OPTIONS_OURS 32 /* bytes of all that we ask for */
#define PPP_HASTE        10 /* of the restart timer: a part */

struct ppp_run {
	struct ppp *ppp;
	const struct ppp_out *out;
	uint32_t due;     /* enum ppp_due */
	uint32_t actions; /* under way */
	bool is_left;     /* the link began to end in this call */
	enum session_end down_cause;
	const char *down_text;
	struct credentials credentials;
	uint8_t challenge[PPP_CHALLENGE];
	struct ppp_packet packet;          /* that came */
	uint32_t given;                    /* which options it has: a bit for each row */
	uint32_t wanted[PPP_OPTION_KINDS]; /* and with what value */
	struct ppp_answer answer;          /* to it; not initialised before it is judged */
};

/* An option that we know: its value is one number. */
struct ppp_option {
	uint8_t type;
	uint8_t size; /* of the value: 2 or 4 */
	/* What we think of `value`; NAK: *wish is what we would take. */
	enum ppp_code (*judge)(const struct ppp_run *run, uint32_t value, uint32_t *wish);
};

struct ppp_layer {
	uint16_t protocol;
	const char *name;
	struct ppp_fsm *(*fsm)(struct ppp *ppp);
	const struct ppp_option *options; /* of the client's request; others are rejected */
	size_t option_count;
	/* Our own options: the length. */
	size_t (*request)(const struct ppp *ppp, uint8_t *options);
	/* The client's request was judged: a last word on the answer. */
	void (*judged)(struct ppp_run *run);
	/* Of an option of ours. */
	void (*naked)(struct ppp_run *run, uint8_t type, const uint8_t *value, size_t size);
	void (*refused)(struct ppp_run *run, uint8_t type);
	void (*up)(struct ppp_run *run);
	void (*down)(struct ppp_run *run, enum session_end cause, const char *why);
	void (*finished)(struct ppp_run *run, enum session_end cause, const char *why);
	void (*terminated)(struct ppp_run *run); /* by the client */
	/* ---- These may be NULL ---- */
	/* An acknowledged request came a second time, not a new one with the same id. */
	bool (*is_repeated)(const struct ppp_run *run);
	/* True: the request, good or bad, was dealt with: nothing is said to it now. */
	bool (*hold)(struct ppp_run *run);
	void (*accept)(struct ppp_run *run); /* a good request is about to be acknowledged */
	void (*acked)(struct ppp_run *run);  /* the client agreed to ours */
	bool (*other)(struct ppp_run *run);  /* another code than 1 to 7; false: unknown */
};

extern const struct ppp_layer ppp_lcp, ppp_ipcp;

/* ---- ppp_control.c: what LCP and IPCP have in common ------------------------------ */

void ppp_control_event(struct ppp_run *run, const struct ppp_layer *layer, enum ppp_event event);
/* run->packet is of this layer. */
void ppp_control_input(struct ppp_run *run, const struct ppp_layer *layer);
void ppp_control_timer(struct ppp_run *run, const struct ppp_layer *layer);

/* ---- ppp_options.c ---------------------------------------------------------------- */

/* Judges the request in run->packet: run->answer. False: it is malformed. */
bool ppp_judge(struct ppp_run *run, const struct ppp_layer *layer);
/* NAK, or REJECT where Naks did not help. */
enum ppp_code ppp_nak_or_reject(const struct ppp_run *run, const struct ppp_fsm *fsm);
/* The next option of `size` bytes at *options; its length, 0 at the end. */
size_t ppp_option_next(const uint8_t **options, size_t *size, const uint8_t **option);
bool ppp_options_are_whole(const uint8_t *options, size_t size);
/* In network byte order; the number at `at` of `size` bytes. */
uint32_t ppp_get(const uint8_t *at, size_t size);
void ppp_put32(uint8_t *at, uint32_t value);
size_t ppp_option_put(uint8_t *at, uint8_t type, uint32_t value, size_t size);

/* ---- ppp_lcp.c -------------------------------------------------------------------- */

/* Everything that is negotiated begins anew. */
void ppp_lcp_reset(struct ppp_run *run);

/* ---- ppp_auth.c ------------------------------------------------------------------- */

void ppp_auth_begin(struct ppp_run *run);
void ppp_auth_timer(struct ppp_run *run);
/* run->packet is of PAP or CHAP. */
void ppp_auth_input(struct ppp_run *run);
/* Tells the client. False: it was not granted, or cannot be; the link is ending. */
bool ppp_auth_verdict(struct ppp_run *run, const struct ppp_verdict *verdict);
void ppp_auth_forget(struct ppp *ppp);
const char *ppp_auth_name(const struct ppp *ppp);
/* Our Authentication-Protocol option; 0: nobody is asked. */
size_t ppp_auth_option(const struct ppp *ppp, uint8_t *option);
/* The client wants another one (or NULL: any). False: there is none in common. */
bool ppp_auth_next(struct ppp *ppp, const uint8_t *value, size_t size);
uint16_t ppp_auth_protocol(const struct ppp *ppp);

/* ---- ppp.c ------------------------------------------------------------------------ */

void ppp_send(const struct ppp_run *run, uint16_t protocol, uint8_t code, uint8_t id, const void *data,
	      size_t length);
void ppp_enter(struct ppp_run *run, enum ppp_phase phase);
/* Terminates the link from our side. */
void ppp_leave(struct ppp_run *run, enum session_end cause, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Why it is ending; the first reason stays. */
void ppp_note_end(struct ppp_run *run, enum session_end cause, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* It has ended. */
void ppp_over(struct ppp_run *run);
/* What network_up began, and what was negotiated above LCP, is over. */
void ppp_network_lost(struct ppp_run *run, enum session_end cause, const char *why);
void ppp_trace(const struct ppp_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
uint64_t ppp_restart_at(const struct ppp_run *run);

#endif
