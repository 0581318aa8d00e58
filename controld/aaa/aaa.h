/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who authorises: the parts of controld/aaa.
 *
 * A question is asked of RADIUS, or answered here when the loop turns. What a restart must
 * not lose is in kept memory: counters, and who was denied a moment ago. Questions under
 * way are RADIUS requests, which survive by themselves; each one's ticket says here whose
 * it is.
 */
#ifndef BNG_CONTROLD_AAA_H
#define BNG_CONTROLD_AAA_H

#include <event2/event.h>
#include <sys/queue.h>

#include "controld/config/config.h"
#include "controld/ctl/kept.h"
#include "controld/radius/profile.h"
#include "controld/radius/radius.h"
#include "controld/session/authorise.h"
#include "lib/rpc.h"

#define AAA_USER_TEXT    254
#define AAA_MESSAGE_TEXT 256
#define AAA_HOLD_OFFS    4096
#define AAA_METHODS      4 /* enum credential */

/* clang-format off */
#define AAA_METHOD_COUNTS(X) /* by how a subscriber proves who it is */ \
	X(asked)      /* RADIUS */ \
	X(granted) \
	X(denied) \
	X(unanswered)
#define AAA_COUNTS(X) \
	X(local)            /* granted without asking: /aaa says so */ \
	X(fallback)         /* granted because nobody answered */ \
	X(held_off)         /* denied again without asking, shortly after a denial */ \
	X(not_held_off)     /* denied, and no room to remember it */ \
	X(repeated)         /* asked again before the answer: refused */ \
	X(queue_full)       /* refused: as many requests wait as may */ \
	X(no_server)        /* refused: no server is alive, or configured */ \
	X(malformed)        /* denied: no request can be made of the question */ \
	X(invalid_values)   /* of attributes, in answers */ \
	X(refused_values)   /* denied because of them */
/* clang-format on */

#define AAA_COUNT_MEMBER(name) uint64_t name;

struct aaa_method_counts {
	AAA_METHOD_COUNTS(AAA_COUNT_MEMBER)
};

struct aaa_counts {
	struct aaa_method_counts method[AAA_METHODS];
	AAA_COUNTS(AAA_COUNT_MEMBER)
};

/* Somebody who was denied. */
struct hold_off {
	uint64_t client; /* client_of(), written last; 0: free */
	uint64_t until_ns;
	char source[CONFIG_NAME_MAX];
	char message[80];
};

struct aaa_kept {
	struct kept_header header;
	struct aaa_counts counts;
	struct hold_off hold_offs[AAA_HOLD_OFFS];
};

/* The clients that are asked about, by client_of(). */
struct under_way {
	uint64_t *clients; /* 0: free */
	uint32_t count;
};

struct local_answer;
struct test;

struct aaa {
	struct controld *controld;
	struct kept memory;
	struct aaa_kept *kept; /* in there */
	struct under_way under_way;
	uint8_t key[32]; /* of client_of(), the same until the machine starts again */
	TAILQ_HEAD(local_answers, local_answer) local; /* given when the loop turns */
	struct event *soon;
	TAILQ_HEAD(, test) tests; /* test.c */
	uint64_t next_test;
	uint32_t test_count;
};

/* ---- client.c: one question for each client ----------------------------------------- */

/* 48 bits, never 0, that stand for a client: where it is (NAS-Port-Id), its MAC and name. For
 * the questions under way each PPPoE session is one; who was denied is so in any (0). */
uint64_t client_of(const struct aaa *aaa, const char *port, const char *mac, const char *user,
		   uint16_t pppoe_session);
int under_way_new(struct under_way *under_way);
void under_way_free(struct under_way *under_way);
bool under_way_has(const struct under_way *under_way, uint64_t client);
void under_way_add(struct under_way *under_way, uint64_t client);
void under_way_remove(struct under_way *under_way, uint64_t client);

/* ---- holdoff.c: who was denied --------------------------------------------------------- */

/* NULL: it may be asked about. */
const struct hold_off *hold_off_find(const struct aaa *aaa, uint64_t client, uint64_t now_ns);
void hold_off_add(struct aaa *aaa, uint64_t client, uint64_t now_ns, uint64_t until_ns, const char *source,
		  const char *message);
uint32_t hold_off_count(const struct aaa *aaa, uint64_t now_ns);

/* ---- question.c: what is asked ------------------------------------------------------------ */

/* The name that is asked about. 0, or -EINVAL and why it has none. */
int question_user(const struct controld *controld, const struct authorise_question *question,
		  char user[static AAA_USER_TEXT], const char **why);
/* The Access-Request: its length, or 0 and why there is none. */
size_t question_build(const struct controld *controld, const struct authorise_question *question,
		      const char *user, uint8_t *packet, size_t size, const char **why);
const struct config_aaa_access *question_access(const struct config *config, uint8_t kind);

/* ---- answer.c: what it means ----------------------------------------------------------------- */

/* What is granted where an answer says nothing. 0, or -ENOMEM and nothing to free. */
int answer_defaults(const struct config_aaa *config, const char *pool, struct session_profile *profile);
/* False: a session that was accepted is denied, for values that make no sense. To leave out a
 * filter would let through what it keeps out: that is never done. */
bool aaa_passes(const struct config *config, const struct profile_reading *reading);
radius_handler on_radius_answer;

/* ---- ask.c -------------------------------------------------------------------------------------- */

authorise_backend aaa_ask;
/* Granted without RADIUS, when the loop turns. 0 or -ENOBUFS. */
int aaa_grant_local(struct aaa *aaa, const char *user, const struct authorise_ticket *ticket);
void local_answers_give(evutil_socket_t fd, short what, void *aaa);
void local_answers_drop(struct aaa *aaa);

/* What lies in a RADIUS ticket: whose question it is, and about whom. */
void ticket_pack(const struct authorise_ticket *ticket, uint8_t credential, bool is_pppoe, uint64_t client,
		 struct radius_ticket *packed);
struct aaa_ticket {
	struct authorise_ticket ticket;
	uint8_t credential; /* enum credential */
	bool is_pppoe;
	uint64_t client;
};
struct aaa_ticket ticket_unpack(const struct radius_ticket *packed);

/* ---- test.c: radius.test; rpc.c: aaa.stats --------------------------------------------------- */

radius_handler on_test_answer;
void handle_test(struct rpc_request *request, void *controld);
void tests_end(struct aaa *aaa);
extern const struct rpc_method aaa_methods[];

#endif
