/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPP towards one subscriber: LCP, authentication, IPCP, from the first packet to the
 * last. A library without memory, clock, sockets or chance of its own: who uses it brings
 * them, in struct ppp_out.
 *
 * struct ppp is plain data without pointers: it may lie in memory that survives this
 * process and go on in the next one. Work on a copy and publish that when the call came
 * back, so that what is found later is always whole.
 *
 * Order of things:
 *   ppp_start        LCP is negotiated, then the client says who it is
 *   > authenticate   ask, then call ppp_authorised: granted or denied
 *   > network_up     both sides agree on the addresses: bring the session up, then call
 *                    ppp_network_ready. Not before that is the client told that it may
 *                    send, so that its first packet finds a session
 *   > network_down   what network_up began is over (the client left, or negotiates anew)
 *   > ended          the link is over and struct ppp of no more use: PADT
 *
 * Found again after a restart: in PREPARE, the session is there, or has to be opened; then
 * ppp_network_ready. All else goes on with the next frame, answer or ppp_timer. Who asks
 * before struct ppp is published never loses a question: at worst the client, asked once
 * more, leads to a second one.
 *
 * Frames are sent as they come; the other callbacks are called last, when struct ppp is
 * whole: they may call the functions here for the same struct ppp.
 */
#ifndef BNG_CONTROLD_PPPOE_PPP_H
#define BNG_CONTROLD_PPPOE_PPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/session/authorise.h"

#define PPP_USER_MAX     253 /* bytes, as RADIUS has it */
#define PPP_NAME_MAX     32
#define PPP_AUTHS        3
#define PPP_CHALLENGE    16
#define PPP_SUCCESS_MAX  48   /* "S=" and 40 digits, and room */
#define PPP_FRAME_MAX    1502 /* protocol and packet, of what the engine sends */
#define PPP_MRU_STANDARD 1492 /* of PPPoE, where RFC 4638 was not asked for */
#define PPP_MRU_MIN      128
#define PPP_MRU_MAX      1500

enum ppp_protocol {
	PPP_IPV4 = 0x0021,
	PPP_IPCP = 0x8021,
	PPP_LCP = 0xc021,
	PPP_PAP = 0xc023,
	PPP_CHAP = 0xc223,
};

/* What the configuration says. A zeroed timer or limit: the default of RFC 1661. */
struct ppp_params {
	uint8_t auth[PPP_AUTHS]; /* enum credential, what is offered first first; CREDENTIAL_LINE
				  * ends it. None at all: nobody is asked for a name */
	uint8_t max_configure;   /* 10: Configure-Requests, challenges, in vain */
	uint8_t max_terminate;   /* 2 */
	uint8_t max_failure;     /* 5: Naks in a row */
	uint16_t mru;            /* 1492; up to 1500 as PPP-Max-Payload allows (RFC 4638) */
	uint16_t restart_ms;     /* 3000: until something is sent again */
	uint16_t setup_s;        /* 120: after which a link without network is ended */
	char name[PPP_NAME_MAX]; /* ours in a CHAP challenge; ends with a zero */
};

/* The automaton of RFC 1661 section 4, for LCP and for IPCP. */
struct ppp_fsm {
	uint8_t state;       /* enum ppp_state, ppp_fsm.h */
	uint8_t id;          /* of our last Configure- or Terminate-Request */
	uint8_t restarts;    /* left */
	uint8_t naks_sent;   /* in a row */
	uint8_t naks_got;    /* in a row */
	uint8_t refused;     /* our options that the client does not want: a bit for each */
	uint8_t acked_id;    /* of the client's request that was acknowledged last */
	uint8_t is_answered; /* our last Configure-Request; a second answer is none */
};

enum ppp_phase {
	PPP_DEAD, /* zeroed, or ended */
	PPP_ESTABLISH,
	PPP_AUTHENTICATE, /* the client's turn */
	PPP_AUTHORISE,    /* asked; ppp_authorised is awaited */
	PPP_NETWORK,      /* IPCP */
	PPP_PREPARE,      /* network_up was told; ppp_network_ready is awaited */
	PPP_OPEN,
	PPP_TERMINATE,
	PPP_PHASES,
};

struct ppp {
	uint8_t phase;         /* enum ppp_phase */
	uint8_t auth;          /* enum credential: what was agreed on, or is on offer */
	uint8_t auth_refused;  /* by the client: a bit for each enum credential */
	uint8_t auth_id;       /* of the exchange */
	uint8_t auth_restarts; /* left */
	uint8_t loops;         /* requests in a row that were our own */
	uint8_t cause;         /* enum session_end, once it is ending */
	uint8_t code_id;       /* of the next reject or echo */
	uint16_t mru;          /* ours, as negotiated */
	uint16_t mtu;          /* largest packet that the client takes */
	uint32_t magic;        /* ours; 0: the client does not want one */
	uint32_t peer_magic;
	uint32_t address_be; /* the client's */
	uint32_t gateway_be; /* ours; 0: not told */
	uint32_t dns_be[2];
	struct ppp_fsm lcp;
	struct ppp_fsm ipcp;
	uint64_t timer_ns; /* when something is sent again; 0: nothing is */
	uint64_t setup_ns; /* when patience ends; 0: the network is up */
	struct ppp_params params;
	uint8_t held_id; /* the client's last IPCP request, if it waits for ppp_network_ready */
	uint8_t held_length;
	uint8_t held[18];
	uint8_t challenge[PPP_CHALLENGE]; /* zeroed as soon as it was answered */
	char success[PPP_SUCCESS_MAX];    /* said once more where the first was lost */
	char user[PPP_USER_MAX + 1];      /* as the client gave it; "": it gave none */
	char text[56];                    /* why it is ending */
};

/* Who uses the engine. Frames and texts are valid during the call only. */
struct ppp_out {
	void *context;
	uint64_t now_ns; /* CLOCK_BOOTTIME */
	void (*random)(void *context, void *bytes, size_t length);
	/* Protocol and packet, to be put behind the PPPoE header. */
	void (*send)(void *context, const uint8_t *frame, size_t length);
	/* `user` is NULL with CREDENTIAL_LINE. A password lies in the frame that came in, and
	 * nowhere else. */
	void (*authenticate)(void *context, const char *user, const struct credentials *credentials);
	void (*network_up)(void *context);
	void (*network_down)(void *context, enum session_end cause, const char *text);
	void (*ended)(void *context, enum session_end cause, const char *text);
	void (*trace)(void *context, const char *text); /* NULL: nobody looks */
};

struct ppp_verdict {
	bool is_granted;
	const char *message;    /* for the client; NULL: none */
	const char *mschap2;    /* "S=..." where granted, "E=..." where denied; NULL: none */
	enum session_end cause; /* denied: 0 is USER_ERROR */
	uint32_t address_be;
	uint32_t gateway_be; /* our end, for IPCP; 0: none */
	uint32_t dns_be[2];
};

void ppp_start(struct ppp *ppp, const struct ppp_params *params, const struct ppp_out *out);
/* A link whose session is up, made again of what the session knows. One that is OPEN and has
 * no deadline may be forgotten and restored when it is needed. */
void ppp_restore(struct ppp *ppp, const struct ppp_params *params, uint32_t magic, uint16_t mtu,
		 const struct ppp_verdict *granted);
/* `frame`: protocol and packet, and maybe padding. */
void ppp_input(struct ppp *ppp, const uint8_t *frame, size_t length, const struct ppp_out *out);
/* CLOCK_BOOTTIME when ppp_timer has something to do; 0: never. */
uint64_t ppp_deadline(const struct ppp *ppp);
void ppp_timer(struct ppp *ppp, const struct ppp_out *out);
/* The answer to `authenticate`; ignored in every other phase. */
void ppp_authorised(struct ppp *ppp, const struct ppp_verdict *verdict, const struct ppp_out *out);
/* The session is up; ignored in every phase but PREPARE. */
void ppp_network_ready(struct ppp *ppp, const struct ppp_out *out);
/* Takes leave of the client; `ended` follows when it has answered, or did not in time. No
 * network_down: who closes knows. */
void ppp_close(struct ppp *ppp, enum session_end cause, const char *why, const struct ppp_out *out);

/* An LCP Echo-Request to a session that is open; needs no struct ppp. The length. */
#define PPP_ECHO_LENGTH 10
size_t ppp_echo_request(uint32_t magic, uint8_t id, uint8_t frame[static PPP_ECHO_LENGTH]);

/* False: no struct ppp of this layout, or never filled in. */
bool ppp_is_whole(const struct ppp *ppp);
const char *ppp_phase_name(const struct ppp *ppp);

_Static_assert(sizeof(struct ppp) <= 512, "a link in setup stays small");

#endif
