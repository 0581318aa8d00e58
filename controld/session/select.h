/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which sessions an operator means: all that a filter lets through, or one by its id,
 * address, MAC or user.
 */
#ifndef BNG_CONTROLD_SESSION_SELECT_H
#define BNG_CONTROLD_SESSION_SELECT_H

#include "controld/session/session.h"
#include "lib/json.h"
#include "lib/rpc.h"

struct session_filter {
	uint32_t address_be; /* 0: any */
	bool has_mac;
	uint8_t mac[6];
	uint16_t interface;
	bool has_interface;
	int64_t vlan;     /* outer or inner; -1: any */
	uint8_t state;    /* BNG_SUBSCRIBER_FREE: any */
	uint8_t kind;     /* enum bng_session_kind; 0: any */
	const char *user; /* NULL: any; with '*' at its end, the beginning of it */
};

/* The member `filter` of `params`; without it, all. Texts are the parameters' own. */
void session_filter_read(const struct controld *controld, struct json_reader *reader, json_t *params,
			 struct session_filter *filter);
bool session_filter_matches(struct controld *controld, const struct session_filter *filter,
			    const struct session *session);

/* Whether `wanted`, perhaps with '*' at its end, is this name; `user` NULL: no name. */
bool session_is_user(const char *wanted, const char *user);
/* Whether `user`, perhaps with '*' at its end, is the session's name or billing name. */
bool session_has_user(struct controld *controld, const struct session *session, const char *user);

/* The session that {id}, {address}, {mac} or {user} names; false after the request was
 * refused. */
bool session_select(struct controld *controld, struct rpc_request *request, struct session *session);

/* "dhcp", ...; for a number that is none, "unknown". */
const char *session_kind_name(uint8_t kind);

#endif
