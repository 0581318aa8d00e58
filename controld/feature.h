/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a feature of bng-controld gives to the rest: one const struct, listed in
 * features.c. The list's order is the order of init and apply; free runs
 * backwards. A feature reaches others only through what is handed to it here:
 * config, ctl, maps, session.
 */
#ifndef BNG_CONTROLD_FEATURE_H
#define BNG_CONTROLD_FEATURE_H

#include "controld/session/session.h"
#include "lib/rpc.h"

struct bng_event; /* dataplane/abi/event.h */
struct config;
struct controld; /* event base, maps, sessions, rpc server, holder client: controld.h */
struct session_detail;
struct sync_topic;

/* A session came up, changed or is about to go down. Adopted sessions (found in the maps
 * at start-up) are not announced with `up`, but with `adopted`, once, when the
 * configuration and what the bus knows of them are there too. `gone`: nobody remembers it any more: the bus
 * has forgotten its record, durably. */
struct session_hooks {
	void (*up)(struct controld *controld, const struct session *session);
	void (*adopted)(struct controld *controld, const struct session *session);
	void (*change)(struct controld *controld, const struct session *session);
	void (*down)(struct controld *controld, const struct session *session, enum session_end end,
		     const char *why);
	/* The record of a session that ended while nobody looked: as `down` would have told
	 * it. `record`: the slot's, if still of this session, else NULL. */
	void (*ended)(struct controld *controld, const struct session_detail *detail,
		      const struct bng_subscriber *record);
	void (*gone)(struct controld *controld, uint64_t session_id);
};

/* What the data plane told, in its order. An event that was handed over is gone
 * from the ring. `drained` follows after each look at the ring. */
struct event_hooks {
	void (*event)(struct controld *controld, const struct bng_event *event);
	void (*drained)(struct controld *controld);
};

struct bng_feature {
	const char *name;
	/* 0 or -errno; says why in the log. After maps are open, before adoption. */
	int (*init)(struct controld *controld);
	void (*free)(struct controld *controld);
	/* Refuse what cannot be applied live, before anything changes: 0, or -errno
	 * and a message with a JSON pointer in `error`. `old` is NULL at start. */
	int (*check)(struct controld *controld, const struct config *old, const struct config *next,
		     char *error, size_t error_size);
	/* Make the maps say what `next` says; compares, never clears and refills. */
	int (*apply)(struct controld *controld, const struct config *old, const struct config *next);
	const struct rpc_method *methods;  /* or NULL; context is the struct controld */
	const struct session_hooks *hooks; /* or NULL */
	const struct event_hooks *events;  /* or NULL */
	const struct sync_topic *topic;    /* kept on the bus, controld/sync/sync.h; or NULL */
};

extern const struct bng_feature *const bng_features[]; /* ends with NULL */

#endif
