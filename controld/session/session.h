/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions: the one place where a subscriber comes up, changes or goes down.
 *
 * The record in map `subscriber` (dataplane/abi/subscriber.h) is the session;
 * what is kept here are only indexes over it (by id, by client), rebuilt at
 * start from the records. A record pointer is into the shared mapping: the data
 * plane changes counters and blocks under the reader.
 */
#ifndef BNG_CONTROLD_SESSION_H
#define BNG_CONTROLD_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/subscriber.h"

struct controld;

struct session {
	uint32_t slot;
	struct bng_subscriber *record;
};

/* Where a client is: at most one session for each. */
struct session_client {
	uint16_t interface; /* interface index */
	uint16_t outer_vid;
	uint16_t inner_vid;
	uint8_t mac[6];
	uint16_t pppoe_session; /* 0: IPoE */
};

/* What the access node says of the line (Option 82, PPPoE tags). Bytes, not text. */
struct session_line {
	uint8_t *circuit_id; /* NULL: none */
	uint8_t *remote_id;
	uint16_t circuit_id_length;
	uint16_t remote_id_length;
};

/* Why a session ended: our name, what RADIUS calls it (RFC 2866 section 5.10). */
/* clang-format off */
#define SESSION_ENDS(X) \
	X(USER_REQUEST,    user_request,     1) /* released, terminated by the subscriber */ \
	X(LOST_CARRIER,    lost_carrier,     2) /* no answer to keepalives, lease ran out */ \
	X(IDLE_TIMEOUT,    idle_timeout,     4) \
	X(SESSION_TIMEOUT, session_timeout,  5) \
	X(ADMIN_RESET,     admin_reset,      6) /* by the operator, Disconnect-Request */ \
	X(NAS_ERROR,       nas_error,        9) \
	X(NAS_REQUEST,     nas_request,     10) /* the configuration says so */ \
	X(USER_ERROR,      user_error,      17) /* the subscriber broke the protocol */
/* clang-format on */

enum session_end {
#define SESSION_END_ENUM(name, text, cause) SESSION_END_##name = (cause),
	SESSION_ENDS(SESSION_END_ENUM)
#undef SESSION_END_ENUM
};

struct session_client session_client_of(const struct bng_subscriber *record);

struct session_spec {
	uint32_t address_be;
	struct session_client client;
	uint8_t flags;          /* enum bng_subscriber_flag */
	uint8_t kind;           /* enum bng_session_kind */
	uint8_t pool;           /* NAT pool index */
	uint8_t max_blocks;     /* 0: the pool's default */
	uint32_t max_mappings;  /* 0: the pool's default */
	uint32_t lease_seconds; /* 0: no lease */
	uint16_t mss;           /* largest TCP MSS; 0: as it is */
	uint16_t mtu;           /* PPPoE: largest IP packet to the subscriber */
	uint32_t ppp_magic;     /* PPPoE: ours, for echo replies */
	uint64_t session_id;    /* of session_new_id(); 0: a new one */
};

/* An id that no session has or had. */
uint64_t session_new_id(struct controld *controld);

/* 0 and *session; -EEXIST: the client has a session; -EADDRINUSE: the address
 * has one, or its last one is still being released; -ENOSPC: no slot. */
int session_open(struct controld *controld, const struct session_spec *spec, struct session *session);
/* Extends the lease from now. */
void session_renew(struct controld *controld, const struct session *session, uint32_t lease_seconds);
void session_set_mss(const struct session *session, uint16_t mss);
/* The data plane drops its packets at once; its port blocks go back within a second. */
int session_close(struct controld *controld, const struct session *session, enum session_end end,
		  const char *why);
const char *session_end_name(enum session_end end);

uint64_t session_age_s(const struct session *session, uint64_t now_ns);
/* Since the last packet from the subscriber. */
uint64_t session_idle_s(const struct controld *controld, const struct session *session);

/* Only ACTIVE sessions are found. */
bool session_by_address(struct controld *controld, uint32_t address_be, struct session *session);
bool session_by_id(struct controld *controld, uint64_t id, struct session *session);
bool session_by_client(struct controld *controld, const struct session_client *client,
		       struct session *session);
/* True while the address can be opened: no session, nothing left to release. */
bool session_address_free(struct controld *controld, uint32_t address_be);
uint32_t session_count(const struct controld *controld);
uint32_t session_count_interface(const struct controld *controld, uint16_t interface);

/* Every ACTIVE session from slot `*slot` upwards (start with 0): true and the
 * next one, false at the end. */
bool session_next(struct controld *controld, uint32_t *slot, struct session *session);

#endif
