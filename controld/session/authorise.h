/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * May this subscriber come up, and with what? Access protocols ask, whoever authorises
 * (controld/aaa) answers, once. The two meet here and do not know each other.
 *
 * A question survives a restart of controld: the answer comes to the handler of the
 * ticket's owner, with the ticket as it was. Killed between an answer's handling and its
 * end, it may come twice.
 */
#ifndef BNG_CONTROLD_SESSION_AUTHORISE_H
#define BNG_CONTROLD_SESSION_AUTHORISE_H

#include <stddef.h>
#include <stdint.h>

#include "controld/session/profile.h"
#include "controld/session/session.h"

#define AUTHORISE_TICKET   48
#define AUTHORISE_LINE_MAX 253 /* bytes of a circuit or remote id */

enum authorise_owner {
	AUTHORISE_DHCP4,
	AUTHORISE_PPPOE,
	AUTHORISE_FIRST_PACKET,
	AUTHORISE_OWNERS,
};

struct authorise_ticket {
	uint32_t owner; /* enum authorise_owner */
	uint32_t reserved;
	uint8_t context[AUTHORISE_TICKET]; /* the owner's; starts with what identifies the subscriber */
};

enum credential {
	CREDENTIAL_LINE, /* MAC, VLANs, circuit: no password */
	CREDENTIAL_PAP,
	CREDENTIAL_CHAP,
	CREDENTIAL_MSCHAP2,
};

struct credentials {
	enum credential kind;
	uint8_t id; /* of the CHAP exchange */
	const uint8_t *challenge;
	size_t challenge_length;
	/* PAP: the password; CHAP: 16 bytes; MS-CHAPv2: peer challenge (16), 8 zero bytes,
	 * NT-Response (24), flags (1), as RFC 2759 section 4 has them. */
	const uint8_t *response;
	size_t response_length;
};

struct authorise_question {
	uint8_t kind; /* enum bng_session_kind */
	struct session_client client;
	uint64_t session_id; /* session_new_id(): Acct-Session-Id from the first request on; 0: none */
	const char *user;    /* as the subscriber gave it; NULL: the configuration says how it is made */
	struct credentials credentials;
	struct session_line line;
	uint32_t address_be; /* it has, or asks for; 0: none */
};

enum authorise_outcome {
	AUTHORISE_GRANTED,
	AUTHORISE_DENIED,      /* by who knows */
	AUTHORISE_UNANSWERED,  /* nobody answered: it may ask again later */
	AUTHORISE_UNAVAILABLE, /* nobody to ask, or too many ask */
};

struct authorise_answer {
	enum authorise_outcome outcome;
	struct session_profile *profile; /* GRANTED: the handler may take what is in it (and zero it) */
	const char *source;              /* "local", or the server's name */
	const char *message;             /* Reply-Message, or why not; never NULL */
	const char *mschap2_success;     /* "S=..." for CREDENTIAL_MSCHAP2 that was GRANTED, else NULL */
	const char *mschap2_error;       /* "E=..." where it was DENIED and the server gave one, else NULL */
};

typedef void authorise_handler(struct controld *controld, const struct authorise_answer *answer,
			       const struct authorise_ticket *ticket);
/* 0: the answer will come, never before this returns. It will not: -ENOTSUP, nobody is to be
 * asked, the configuration lets it come up as it is (never for PPPoE); -EALREADY, the client
 * (its place, MAC, PPPoE session and name) is asked about already, also by a question of
 * before a restart: drop what made it ask, it comes again; -ENOBUFS, too many ask; -EHOSTUNREACH, no server
 * is alive, or configured. */
typedef int authorise_backend(struct controld *controld, const struct authorise_question *question,
			      const struct authorise_ticket *ticket);

/* From a feature's init. */
void authorise_register(struct controld *controld, enum authorise_owner owner, authorise_handler *handler);
void authorise_set_backend(struct controld *controld, authorise_backend *backend);

int authorise_ask(struct controld *controld, const struct authorise_question *question,
		  const struct authorise_ticket *ticket);
/* What authorise_ask's -errno means, for operators and subscribers. */
const char *authorise_why_not(int failure);
/* For the backend. */
void authorise_answered(struct controld *controld, const struct authorise_answer *answer,
			const struct authorise_ticket *ticket);

#endif
