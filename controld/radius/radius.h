/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Asking RADIUS servers, for the rest of controld.
 *
 * Whoever has a request submits it open (packet.h) with a ticket; the answer comes, once,
 * to the handler of the ticket's owner, also when controld was restarted meanwhile. Killed
 * between an answer's handling and its end, it may come twice.
 */
#ifndef BNG_CONTROLD_RADIUS_H
#define BNG_CONTROLD_RADIUS_H

#include "controld/radius/packet.h"
#include "controld/radius/requests.h"

struct attribute_map;
struct controld;
struct dictionary;
struct radius;

enum radius_owner {
	RADIUS_OWNER_TEST,       /* radius.test */
	RADIUS_OWNER_ACCOUNTING, /* controld/accounting */
	RADIUS_OWNER_AAA,        /* controld/aaa */
	RADIUS_OWNERS,
};

enum radius_outcome {
	RADIUS_ACCEPTED,
	RADIUS_REJECTED,
	RADIUS_CHALLENGED,
	RADIUS_ACCOUNTED,
	RADIUS_UNANSWERED, /* by any server */
	RADIUS_NO_SERVER,  /* that is alive */
};

struct radius_answer {
	enum radius_outcome outcome;
	const char *server;    /* its name, NULL: none answered */
	uint32_t tries;        /* at that server */
	uint64_t took_ns;      /* from submitting it */
	const uint8_t *packet; /* genuine; NULL: none */
	size_t length;
	const uint8_t *request; /* as it was sealed last: its attributes but the password can be read */
	size_t request_length;
};

/* `answer` and `ticket` are valid during the call. */
typedef void radius_handler(struct controld *controld, const struct radius_answer *answer,
			    const struct radius_ticket *ticket);

void radius_register(struct radius *radius, enum radius_owner owner, radius_handler *handler);

/* NAS-Identifier and NAS-IP-Address of the configuration. */
void radius_add_nas(const struct controld *controld, struct radius_builder *builder);

/* `packet` is what radius_end ended. 0, and the answer will come; -ENOBUFS: the queue is
 * full; -EHOSTUNREACH: no server is alive; -ENOTSUP: none is configured; -EMSGSIZE. */
int radius_submit(struct radius *radius, const uint8_t *packet, size_t length,
		  const struct radius_ticket *ticket);

/* The tickets of an owner's requests whose answers will come; also of those that were
 * adopted, from the first configuration on. False: its answer is known, or not wanted any
 * more, and will not come. */
typedef bool radius_visitor(void *context, const struct radius_ticket *ticket);
void radius_each(struct radius *radius, enum radius_owner owner, radius_visitor *visit, void *context);
/* For a handler: nobody waits for this answer any more. */
void radius_count_orphan(struct radius *radius);

/* As configured; valid until the next configuration is applied. */
const struct dictionary *radius_dictionary(const struct radius *radius);
const struct attribute_map *radius_attribute_map(const struct radius *radius);

#endif
