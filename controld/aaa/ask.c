/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Questions: to RADIUS, or answered here. Answers of our own wait until the loop turns, so
 * that who asks has finished asking; killed before, the subscriber asks again.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/aaa/aaa.h"
#include "controld/controld.h"
#include "controld/radius/requests.h"
#include "controld/radius/seal.h"
#include "controld/radius/subscriber.h"
#include "controld/session/trace.h"
#include "lib/address.h"
#include "lib/clock.h"

#define NS_PER_SECOND 1000000000ull

struct local_answer {
	TAILQ_ENTRY(local_answer) next;
	struct authorise_ticket ticket;
	enum authorise_outcome outcome;
	struct session_profile profile;
	char source[CONFIG_NAME_MAX];
	char message[AAA_MESSAGE_TEXT];
};

/* ---- Tickets ----------------------------------------------------------------------------- */

#define PPPOE_BIT 0x80

struct packed_ticket {
	uint8_t owner;
	uint8_t credential; /* and PPPOE_BIT */
	uint8_t client[6];
	uint8_t context[AUTHORISE_TICKET];
};

_Static_assert(sizeof(struct packed_ticket) == RADIUS_CONTEXT, "it fills a RADIUS ticket");

void ticket_pack(const struct authorise_ticket *ticket, uint8_t credential, bool is_pppoe, uint64_t client,
		 struct radius_ticket *packed)
{
	struct packed_ticket whole = {.owner = (uint8_t)ticket->owner,
				      .credential = (uint8_t)(credential | (is_pppoe ? PPPOE_BIT : 0))};

	memcpy(whole.client, &client, sizeof(whole.client));
	memcpy(whole.context, ticket->context, sizeof(whole.context));
	*packed = (struct radius_ticket){.owner = RADIUS_OWNER_AAA};
	memcpy(packed->context, &whole, sizeof(whole));
}

struct aaa_ticket ticket_unpack(const struct radius_ticket *packed)
{
	struct packed_ticket whole;
	struct aaa_ticket ticket = {.client = 0};

	memcpy(&whole, packed->context, sizeof(whole));
	ticket.ticket.owner = whole.owner;
	memcpy(ticket.ticket.context, whole.context, sizeof(whole.context));
	ticket.credential = whole.credential & (AAA_METHODS - 1);
	ticket.is_pppoe = whole.credential & PPPOE_BIT;
	memcpy(&ticket.client, whole.client, sizeof(whole.client));
	return ticket;
}

/* ---- Answers of our own -------------------------------------------------------------------- */

static void give_soon(struct aaa *aaa)
{
	const struct timeval now = {0, 0};

	event_add(aaa->soon, &now);
}

static struct local_answer *local_answer_new(struct aaa *aaa, enum authorise_outcome outcome,
					     const struct authorise_ticket *ticket)
{
	struct local_answer *answer = calloc(1, sizeof(*answer));

	if (!answer)
		return NULL;
	answer->ticket = *ticket;
	answer->outcome = outcome;
	snprintf(answer->source, sizeof(answer->source), "local");
	TAILQ_INSERT_TAIL(&aaa->local, answer, next);
	give_soon(aaa);
	return answer;
}

static int deny(struct aaa *aaa, const struct authorise_ticket *ticket, const char *source, const char *why)
{
	struct local_answer *answer = local_answer_new(aaa, AUTHORISE_DENIED, ticket);

	if (!answer)
		return -ENOBUFS;
	snprintf(answer->source, sizeof(answer->source), "%s", source);
	snprintf(answer->message, sizeof(answer->message), "%s", why);
	return 0;
}

/* Takes what is in the profile, also when it fails. */
static int grant(struct aaa *aaa, const char *user, struct session_profile *profile,
		 const struct authorise_ticket *ticket)
{
	char *name = strdup(user);
	struct local_answer *answer = name ? local_answer_new(aaa, AUTHORISE_GRANTED, ticket) : NULL;

	if (!answer) {
		free(name);
		profile_done(profile);
		return -ENOBUFS;
	}
	answer->profile = *profile;
	answer->profile.user = name;
	answer->profile.given |= PROFILE_USER;
	return 0;
}

int aaa_grant_local(struct aaa *aaa, const char *user, const struct authorise_ticket *ticket)
{
	struct session_profile profile;

	if (answer_defaults(&aaa->controld->config->aaa, "", &profile))
		return -ENOBUFS;
	return grant(aaa, user, &profile, ticket);
}

static void give(struct aaa *aaa, struct local_answer *local)
{
	struct authorise_answer answer = {
		.outcome = local->outcome,
		.profile = local->outcome == AUTHORISE_GRANTED ? &local->profile : NULL,
		.source = local->source,
		.message = local->message,
	};

	authorise_answered(aaa->controld, &answer, &local->ticket);
}

static void end_first(struct aaa *aaa, bool is_given)
{
	struct local_answer *local = TAILQ_FIRST(&aaa->local);

	TAILQ_REMOVE(&aaa->local, local, next);
	if (is_given)
		give(aaa, local);
	profile_done(&local->profile);
	free(local);
}

/* Only those of now: a handler may ask again. */
void local_answers_give(evutil_socket_t fd, short what, void *context)
{
	struct aaa *aaa = context;
	const struct local_answer *last = TAILQ_LAST(&aaa->local, local_answers);
	bool was_last = !last;

	(void)fd;
	(void)what;
	while (!was_last) {
		was_last = TAILQ_FIRST(&aaa->local) == last;
		end_first(aaa, true);
	}
	if (!TAILQ_EMPTY(&aaa->local))
		give_soon(aaa);
}

void local_answers_drop(struct aaa *aaa)
{
	while (!TAILQ_EMPTY(&aaa->local))
		end_first(aaa, false);
}

/* ---- Asking ----------------------------------------------------------------------------------- */

/* Not longer than the configuration says now. */
static const struct hold_off *held_off(const struct aaa *aaa, uint64_t client, uint64_t now_ns)
{
	const struct hold_off *held = hold_off_find(aaa, client, now_ns);

	return held && held->until_ns - now_ns <= aaa->controld->config->aaa.hold_off_s * NS_PER_SECOND
		       ? held
		       : NULL;
}

static int deny_again(struct aaa *aaa, const struct hold_off *held, uint64_t now_ns,
		      const struct authorise_ticket *ticket)
{
	char why[AAA_MESSAGE_TEXT];

	aaa->kept->counts.held_off++;
	snprintf(why, sizeof(why), "%s (not asked again for %llu s)", held->message,
		 (unsigned long long)((held->until_ns - now_ns + NS_PER_SECOND - 1) / NS_PER_SECOND));
	return deny(aaa, ticket, held->source, why);
}

static int deny_malformed(struct aaa *aaa, const struct authorise_ticket *ticket, const char *why)
{
	aaa->kept->counts.malformed++;
	return deny(aaa, ticket, "local", why);
}

/* What radius_submit says, as authorise_backend says it. */
static int not_asked(struct aaa *aaa, int failure, const struct config_aaa_access *access, const char *user,
		     const struct authorise_ticket *ticket)
{
	if (failure == -EMSGSIZE)
		return deny_malformed(aaa, ticket, "name, password and line do not fit into a request");
	if (failure == -EHOSTUNREACH && access->falls_back) {
		aaa->kept->counts.fallback++;
		return aaa_grant_local(aaa, user, ticket);
	}
	if (failure == -EHOSTUNREACH || failure == -ENOTSUP) {
		aaa->kept->counts.no_server++;
		return -EHOSTUNREACH;
	}
	aaa->kept->counts.queue_full++;
	return -ENOBUFS;
}

static int ask_radius(struct aaa *aaa, const struct authorise_question *question, const char *user,
		      uint64_t client, const struct authorise_ticket *ticket)
{
	const struct controld *controld = aaa->controld;
	uint8_t packet[RADIUS_REQUEST_MAX], credential = (uint8_t)question->credentials.kind;
	struct radius_ticket packed;
	const char *why = "";
	size_t length = question_build(controld, question, user, packet, sizeof(packet), &why);
	int failure = 0;

	if (length) {
		ticket_pack(ticket, credential, question->kind == BNG_SESSION_PPPOE, client, &packed);
		failure = radius_submit(controld->radius, packet, length, &packed);
	}
	radius_forget(packet, sizeof(packet));
	if (!length)
		return deny_malformed(aaa, ticket, why);
	if (failure)
		return not_asked(aaa, failure, question_access(controld->config, question->kind), user,
				 ticket);
	under_way_add(&aaa->under_way, client);
	aaa->kept->counts.method[credential].asked++;
	return 0;
}

static int ask_about(struct aaa *aaa, const struct authorise_question *question, const char *user,
		     const struct authorise_ticket *ticket)
{
	const struct session_client *place = &question->client;
	char port[RADIUS_PORT_ID_TEXT], mac[MAC_TEXT];
	uint64_t client, now_ns = clock_boottime_ns();
	const struct hold_off *held;

	radius_port_id(aaa->controld, place, port);
	mac_format(place->mac, mac);
	client = client_of(aaa, port, mac, user, place->pppoe_session);
	if (under_way_has(&aaa->under_way, client)) {
		aaa->kept->counts.repeated++;
		return -EALREADY;
	}
	held = held_off(aaa, client_of(aaa, port, mac, user, 0), now_ns);
	if (held)
		return deny_again(aaa, held, now_ns, ticket);
	return ask_radius(aaa, question, user, client, ticket);
}

/* Whoever comes up comes up; a PPP subscriber still wants to hear so. */
static int ask_nobody(struct aaa *aaa, const struct authorise_question *question, uint8_t method,
		      const char *user, const struct authorise_ticket *ticket)
{
	struct session_profile nothing = {.given = 0};

	if (question->credentials.kind == CREDENTIAL_MSCHAP2)
		return deny_malformed(aaa, ticket, "MS-CHAPv2 needs a server that knows the password");
	aaa->kept->counts.local++;
	return method == CONFIG_AAA_LOCAL ? aaa_grant_local(aaa, user, ticket)
					  : grant(aaa, user, &nothing, ticket);
}

int aaa_ask(struct controld *controld, const struct authorise_question *question,
	    const struct authorise_ticket *ticket)
{
	struct aaa *aaa = controld->aaa;
	uint8_t method = question_access(controld->config, question->kind)->method;
	char user[AAA_USER_TEXT];
	const char *why;

	if (method == CONFIG_AAA_NONE && question->kind != BNG_SESSION_PPPOE)
		return -ENOTSUP;
	if (question_user(controld, question, user, &why))
		return deny_malformed(aaa, ticket, why);
	trace_asked(controld, &question->client, user);
	if (method == CONFIG_AAA_RADIUS)
		return ask_about(aaa, question, user, ticket);
	return ask_nobody(aaa, question, method, user, ticket);
}
