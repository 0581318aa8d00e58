/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A request to change or end a session (RFC 5176), as its attributes say: whom it is
 * about, and whether we are the one who is meant. Nothing here has an effect.
 */
#ifndef BNG_CONTROLD_COA_REQUEST_H
#define BNG_CONTROLD_COA_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/radius/packet.h"

enum coa_code {
	COA_DISCONNECT_REQUEST = 40,
	COA_DISCONNECT_ACK = 41,
	COA_DISCONNECT_NAK = 42,
	COA_REQUEST = 43,
	COA_ACK = 44,
	COA_NAK = 45,
};

/* Values of Error-Cause (RFC 5176 section 3.6). */
/* clang-format off */
#define COA_CAUSES(X) \
	X(NONE,                   0, none) \
	X(UNSUPPORTED_ATTRIBUTE,  401, unsupported_attribute) \
	X(MISSING_ATTRIBUTE,      402, missing_attribute) \
	X(NAS_MISMATCH,           403, nas_mismatch) \
	X(INVALID_REQUEST,        404, invalid_request) \
	X(UNSUPPORTED_SERVICE,    405, unsupported_service) \
	X(INVALID_VALUE,          407, invalid_value) \
	X(SESSION_NOT_FOUND,      503, session_not_found) \
	X(RESOURCES,              506, resources_unavailable) \
	X(SEVERAL_SESSIONS,       508, several_sessions)
/* clang-format on */

enum coa_cause {
#define COA_CAUSE_ENUM(name, number, text) COA_CAUSE_##name = (number),
	COA_CAUSES(COA_CAUSE_ENUM)
#undef COA_CAUSE_ENUM
};

/* One attribute's bytes, in the packet; NULL: it is not there. */
struct coa_value {
	const uint8_t *data;
	uint8_t length;
};

/* Whom it is about: all that is given must be true of the session. */
struct coa_selection {
	struct coa_value session_id; /* Acct-Session-Id */
	struct coa_value user;
	struct coa_value address; /* Framed-IP-Address, 4 bytes */
	struct coa_value port;    /* NAS-Port-Id */
	struct coa_value station; /* Calling-Station-Id */
};

struct coa_request {
	enum coa_code code;
	struct coa_selection selection;
	bool has_time;
	uint32_t time_s; /* Event-Timestamp, Unix */
};

/* Over a packet whose length radius_length gave. The cause why it cannot be served, or
 * COA_CAUSE_NONE. `identifier` and `address_be` are ours, "" and 0: any. `is_change` says of
 * an attribute that it changes a session; of a Disconnect-Request none may. */
enum coa_cause coa_read(const uint8_t *packet, size_t length, const char *identifier, uint32_t address_be,
			bool (*is_change)(void *context, const struct radius_attribute *attribute),
			void *context, struct coa_request *request);

const char *coa_cause_name(enum coa_cause cause);

#endif
