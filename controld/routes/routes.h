/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Prefixes that are routed to sessions (Framed-Route): entries of map slot_of_address
 * that name the session's slot and are not its own address.
 *
 * 1. The entries are what is routed; an owner is what is known of them, one for each
 *    session that has any or was refused any, rebuilt at start from the entries.
 * 2. An entry is added before BNG_SUBSCRIBER_ROUTES is set, and the flag goes after the
 *    last one. What stays is never touched.
 * 3. A prefix is routed as a whole or refused as a whole. No entry is another's.
 */
#ifndef BNG_ROUTES_H
#define BNG_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "controld/session/detail.h"
#include "controld/session/session.h"

#define ROUTE_LENGTH_MIN 24
#define ROUTE_ADDRESSES  (1 << (32 - ROUTE_LENGTH_MIN))

struct controld;
struct event;

/* Addresses in host byte order. */
struct route_span {
	uint32_t first;
	uint32_t last;
};

struct route_refused {
	struct route_span span;
	unsigned length; /* of the prefix */
	const char *why; /* one of a few constants */
};

struct route_owner {
	struct route_owner *next;
	uint32_t slot;
	uint32_t count;
	struct route_span *spans; /* routed to it */
	uint32_t refused_count;
	struct route_refused refused[PROFILE_ROUTES];
};

#define ROUTE_BUCKETS 4096

struct routes {
	struct route_owner *bucket[ROUTE_BUCKETS]; /* by slot */
	struct event *timer;                       /* what was refused is tried again */
};

/* owner.c */
struct route_owner *owner_find(const struct routes *routes, uint32_t slot);
/* NULL: no memory. */
struct route_owner *owner_make(struct routes *routes, uint32_t slot);
void owner_drop(struct routes *routes, uint32_t slot);
int owner_add(struct route_owner *owner, struct route_span span);
bool spans_hold(const struct route_span *spans, uint32_t count, uint32_t address);
/* Those that the entries say. 0 or -errno. */
int owners_adopt(struct controld *controld);
void owners_free(struct routes *routes);

/* entry.c */
struct route_span route_span_of(const struct profile_route *route);
/* Why the prefix can be nobody's; NULL: it can. */
const char *route_judge(const struct controld *controld, const struct profile_route *route);
/* All addresses of `span` that the owner has not: NULL, or why not, and then none. */
const char *route_add(const struct controld *controld, const struct session *session,
		      const struct route_owner *owner, struct route_span span);
/* Those of the owner that none of `keep` holds. */
void route_remove(const struct controld *controld, const struct session *session,
		  const struct route_owner *owner, const struct route_span *keep, uint32_t count);

#endif
