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
};

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
};

/* 0 and *session; -EEXIST: the client has a session; -EADDRINUSE: the address
 * has one, or its last one is still being released; -ENOSPC: no slot. */
int session_open(struct controld *controld, const struct session_spec *spec, struct session *session);
/* Extends the lease from now. */
void session_renew(struct controld *controld, const struct session *session, uint32_t lease_seconds);
void session_set_mss(const struct session *session, uint16_t mss);
/* The data plane drops its packets at once; its port blocks go back within a second. */
int session_close(struct controld *controld, const struct session *session, const char *why);

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
