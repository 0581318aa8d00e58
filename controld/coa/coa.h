/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Changing and ending sessions from outside: CoA-Request and Disconnect-Request (RFC 5176).
 *
 * Whoever is not listed, or does not know the secret, gets no answer. What is served is
 * remembered before it is answered, so that it has an effect once.
 */
#ifndef BNG_CONTROLD_COA_H
#define BNG_CONTROLD_COA_H

#include "controld/coa/replay.h"
#include "controld/coa/request.h"
#include "controld/config/config.h"
#include "controld/ctl/kept.h"
#include "controld/radius/seal.h"

/* Why a request got no answer. */
/* clang-format off */
#define COA_DROPS(X) \
	X(UNKNOWN_CLIENT,           unknown_client) \
	X(MALFORMED,                malformed) \
	X(BAD_AUTHENTICATOR,        bad_authenticator)         /* also a wrong Message-Authenticator */ \
	X(NO_MESSAGE_AUTHENTICATOR, no_message_authenticator) \
	X(UNKNOWN_CODE,             unknown_code) \
	X(NO_TIMESTAMP,             no_timestamp) \
	X(OLD,                      old)                       /* or of the future */ \
	X(TOO_MANY,                 too_many)                  /* to remember: it may come again */ \
	X(UNSENT,                   unsent)                    /* the answer could not be sent */
/* clang-format on */

enum coa_drop {
#define COA_DROP_ENUM(name, text) COA_DROP_##name,
	COA_DROPS(COA_DROP_ENUM)
#undef COA_DROP_ENUM
		COA_DROP_COUNT,
	COA_ANSWERED,
};

struct coa_counts {
	uint64_t disconnect_acks, disconnect_naks;
	uint64_t coa_acks, coa_naks;
	uint64_t repeated;                            /* of these, answered again as before */
	uint64_t nak[COA_CAUSE_SEVERAL_SESSIONS + 1]; /* by cause */
	uint64_t drop[COA_DROP_COUNT];
};

struct coa_client {
	struct config_prefix prefix;
	struct radius_secret secret;
	bool needs_message_authenticator;
};

struct coa {
	struct controld *controld;
	struct served *served; /* NULL: not listening */
	struct coa_client *clients;
	size_t client_count;
	bool needs_timestamp;
	uint32_t window_s;
	struct kept kept;
	struct coa_replay *replay;
	struct coa_counts counts;
};

/* Serves one packet (its buffer is written to): counts and returns what became of it. With
 * COA_ANSWERED, `reply` (RADIUS_PACKET_MAX) has *reply_length bytes. */
enum coa_drop coa_serve(struct coa *coa, uint32_t from_be, uint8_t *packet, size_t length, uint64_t now_s,
			uint8_t *reply, size_t *reply_length);

/* socket.c: listens there from now on. 0 or -errno, and it listens where it did. */
int coa_listen(struct coa *coa, uint32_t address_be, uint16_t port);

#endif
