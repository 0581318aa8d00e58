/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What is known of a session and is in no map: who it is, what it was granted, what is
 * owed to accounting, what happened to it. Every change is published on the bus (topic
 * `session`, key: the id in 16 hexadecimal digits); a starting controld has it from there.
 *
 * A session whose record the bus has lost goes on without: session_detail is NULL.
 */
#ifndef BNG_CONTROLD_SESSION_DETAIL_H
#define BNG_CONTROLD_SESSION_DETAIL_H

#include <jansson.h>

#include "controld/session/profile.h"
#include "controld/session/session.h"

#define DETAIL_HISTORY      8
#define DETAIL_HISTORY_TEXT 80

struct detail_event {
	int64_t time_s; /* Unix */
	char text[DETAIL_HISTORY_TEXT];
};

/* What accounting keeps of a session; see controld/accounting. */
struct detail_accounting {
	uint8_t state;     /* enum accounting_state */
	uint32_t sequence; /* of the last interim record delivered */
	int64_t last_s;    /* Unix: when the last one delivered was made */
};

struct session_detail {
	struct session_detail *next; /* the session folder's own */
	uint64_t session_id;
	uint8_t kind; /* enum bng_session_kind; this and the next two as in the session's record */
	uint32_t address_be;
	struct session_client client;
	char *user;   /* as authorised: profile.user, or what was asked with; NULL: nobody asked */
	char *source; /* who authorised: "local", or the server's name; NULL: nobody */
	struct session_line line; /* owned */
	struct session_profile profile;
	int64_t opened_s; /* Unix */
	struct detail_accounting accounting;
	uint32_t event_count;                      /* ever */
	struct detail_event event[DETAIL_HISTORY]; /* the last ones, at event_count % HISTORY */
};

/* Zeroed but for the id; session_open_durable fills kind, address, client and times. NULL:
 * no memory. */
struct session_detail *session_detail_new(uint64_t session_id);
void session_detail_free(struct session_detail *detail);

/* Of an ACTIVE session; NULL: nothing is known. Valid until the session ends. */
struct session_detail *session_detail(struct controld *controld, const struct session *session);
/* Whether what it was granted is known: somebody granted it, and it is there; or nobody ever
 * does, because it is by configuration or by RPC. */
bool session_grant_is_known(struct controld *controld, const struct session *session);
/* The detail was changed: publishes it. */
void session_detail_save(struct controld *controld, const struct session *session);

/* Tells who traces, and keeps it in the history if there is a session. Not published by
 * itself: the next save takes it along. */
void session_event(struct controld *controld, uint64_t session_id, const struct session_client *client,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for what comes too often to be kept: each packet of a protocol. */
void session_tell(struct controld *controld, uint64_t session_id, const struct session_client *client,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

json_t *session_detail_json(const struct session_detail *detail);
/* What session_detail_json made, as text. NULL: it is not that, or no memory. */
struct session_detail *session_detail_parse(struct json_slice value);

/* All that is known of a session that is up. New reference. */
json_t *session_describe(struct controld *controld, const struct session *session);

/* ---- Up, changed, down --------------------------------------------------------- */

/* 0: up; else -errno of session_open, -ECANCELED: cancelled. `session` is NULL then. */
typedef void session_opened(struct controld *controld, int failure, const struct session *session,
			    void *context);

/* Prepares the session at once (0 or what session_open says, and then `opened` is not
 * called), brings it up as soon as its record is durable (at once when the bus is away),
 * then calls `opened`, never before this returns. Takes `detail` in every case; its
 * session_id, from session_new_id(), becomes the session's. */
int session_open_durable(struct controld *controld, const struct session_spec *spec,
			 struct session_detail *detail, session_opened *opened, void *context);
/* The one that has not come up yet; `opened` is told -ECANCELED. */
void session_open_cancel(struct controld *controld, uint64_t session_id);

/* Takes over what `changes` gives (rates, timeouts, filter, NAT pool, ...), tells the
 * hooks, publishes. A session timeout counts from now. 0; -ENOMEM; -ENOENT: a NAT pool or a
 * filter of that name is not configured; -EINVAL: its port blocks have another size, or the session
 * is not translated. Nothing was changed then. */
int session_change(struct controld *controld, const struct session *session,
		   const struct session_profile *changes, const char *why);

#endif
