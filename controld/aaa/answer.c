/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a reply of a RADIUS server, or its absence, means for who asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/aaa/aaa.h"
#include "controld/controld.h"
#include "controld/maps/filter.h"
#include "controld/radius/mschap.h"
#include "controld/radius/profile.h"
#include "lib/clock.h"
#include "lib/log.h"

#define NS_PER_SECOND 1000000000ull
#define TEXT_MAX      (RADIUS_VALUE_MAX + 1)

/* ---- Defaults ------------------------------------------------------------------------- */

static const struct config_aaa_profile *find_profile(const struct config_aaa *config, const char *pool)
{
	const struct config_aaa_profile *found = NULL;

	for (size_t i = 0; i < config->profile_count; i++)
		if (!strcmp(config->profiles[i].pool, pool))
			return &config->profiles[i];
		else if (!config->profiles[i].pool[0])
			found = &config->profiles[i];
	return found;
}

static void take_number(struct session_profile *profile, int64_t value, uint32_t field, uint32_t *to)
{
	if (value < 0)
		return;
	*to = (uint32_t)value;
	profile->given |= field;
}

static void take_rate(struct session_profile *profile, int64_t bits_s, int64_t burst, uint32_t field,
		      struct profile_rate *to)
{
	if (bits_s < 0)
		return;
	*to = (struct profile_rate){(uint64_t)bits_s, burst < 0 ? 0 : (uint32_t)burst};
	profile->given |= field;
}

int answer_defaults(const struct config_aaa *config, const char *pool, struct session_profile *to)
{
	const struct config_aaa_profile *from = find_profile(config, pool);

	*to = (struct session_profile){.given = 0};
	if (!from)
		return 0;
	take_rate(to, from->rate_up, from->burst_up, PROFILE_RATE_UP, &to->up);
	take_rate(to, from->rate_down, from->burst_down, PROFILE_RATE_DOWN, &to->down);
	take_number(to, from->session_timeout, PROFILE_SESSION_TIMEOUT, &to->session_timeout_s);
	take_number(to, from->idle_timeout, PROFILE_IDLE_TIMEOUT, &to->idle_timeout_s);
	take_number(to, from->interim, PROFILE_INTERIM, &to->interim_s);
	take_number(to, from->max_mappings, PROFILE_MAX_MAPPINGS, &to->max_mappings);
	take_number(to, from->max_blocks, PROFILE_MAX_BLOCKS, &to->max_blocks);
	if (from->has_nat_pool) {
		memcpy(to->nat_pool, from->nat_pool, sizeof(to->nat_pool));
		to->given |= PROFILE_NAT_POOL;
	}
	for (size_t i = 0; i < from->dns_count; i++)
		to->dns_be[i] = from->dns_be[i];
	if (from->dns_count)
		to->given |= PROFILE_DNS;
	if (!from->filter[0])
		return 0;
	to->given |= PROFILE_FILTER;
	to->filter = strdup(from->filter);
	return to->filter ? 0 : -ENOMEM;
}

/* ---- Parts of packets ------------------------------------------------------------------- */

/* The first of its kind as text; false: there is none, or no text in it. */
static bool find_text(const uint8_t *packet, size_t length, uint32_t vendor, uint8_t type, size_t skip,
		      char text[static TEXT_MAX])
{
	struct radius_cursor cursor = radius_attributes(packet, length);
	struct radius_attribute attribute;

	while (radius_next(&cursor, &attribute)) {
		if (attribute.vendor != vendor || attribute.type != type || attribute.length < skip)
			continue;
		memcpy(text, attribute.value + skip, attribute.length - skip);
		text[attribute.length - skip] = '\0';
		return text[0] && strlen(text) == attribute.length - skip;
	}
	return false;
}

/* Behind one byte of Ident (RFC 2548 sections 2.1.5 and 2.3.3); some leave it out. */
static const char *find_mschap(const struct radius_answer *answer, uint8_t type, const char *start,
			       char text[static TEXT_MAX])
{
	for (size_t skip = 0; skip <= 1; skip++)
		if (find_text(answer->packet, answer->length, MSCHAP_VENDOR, type, skip, text) &&
		    !strncmp(text, start, strlen(start)))
			return text;
	return NULL;
}

/* ---- Answers -------------------------------------------------------------------------------- */

struct reply {
	struct aaa *aaa;
	const struct radius_answer *radius;
	struct aaa_ticket ticket;
	struct aaa_method_counts *counts;
	struct authorise_answer answer; /* what it comes to */
	char message[AAA_MESSAGE_TEXT];
	char proof[TEXT_MAX];
};

/* Who was asked about, as its request says. */
static uint64_t denied_client(const struct reply *reply)
{
	const uint8_t *request = reply->radius->request;
	size_t length = reply->radius->request_length;
	char port[TEXT_MAX] = "", mac[TEXT_MAX] = "", user[TEXT_MAX] = "";

	find_text(request, length, 0, RADIUS_NAS_PORT_ID, 0, port);
	find_text(request, length, 0, RADIUS_CALLING_STATION_ID, 0, mac);
	find_text(request, length, 0, RADIUS_USER_NAME, 0, user);
	return client_of(reply->aaa, port, mac, user, 0);
}

/* Nobody asks about this client again for a while. */
static void deny(struct reply *reply, const char *why)
{
	struct aaa *aaa = reply->aaa;
	const struct config_aaa *config = &aaa->controld->config->aaa;
	uint64_t now_ns = clock_boottime_ns();

	reply->counts->denied++;
	reply->answer.outcome = AUTHORISE_DENIED;
	reply->answer.profile = NULL;
	reply->answer.message = why;
	if (config->hold_off_s)
		hold_off_add(aaa, denied_client(reply), now_ns, now_ns + config->hold_off_s * NS_PER_SECOND,
			     reply->answer.source, why);
}

bool aaa_passes(const struct config *config, const struct profile_reading *reading)
{
	return !reading->wrong || (config->aaa.ignores_invalid && !reading->unknown_filters);
}

/* False: the session is refused for values that make no sense. */
static bool judge_values(struct reply *reply, const struct profile_reading *reading)
{
	struct aaa *aaa = reply->aaa;
	const char *server = reply->answer.source;
	bool ignores = aaa_passes(aaa->controld->config, reading);
	char user[TEXT_MAX] = "";
	static uint64_t told_s;
	uint64_t now_s = clock_boottime_ns() / NS_PER_SECOND;

	if (!reading->wrong)
		return true;
	aaa->kept->counts.invalid_values += reading->wrong;
	if (reading->unknown_filters)
		filter_count_unknown(aaa->controld->maps);
	find_text(reply->radius->request, reply->radius->request_length, 0, RADIUS_USER_NAME, 0, user);
	if (now_s != told_s)
		log_warning("RADIUS server %s, user %s: %s: %s", server, user, reading->trouble,
			    ignores ? "left out" : "the session is refused");
	told_s = now_s;
	if (ignores)
		return true;
	aaa->kept->counts.refused_values++;
	snprintf(reply->message, sizeof(reply->message), "%s said %s", server, reading->trouble);
	deny(reply, reply->message);
	return false;
}

/* What the answer gives goes over the defaults; a name it has in any case. */
static int complete(struct reply *reply, struct profile_reading *reading, struct session_profile *profile)
{
	const struct config_aaa *config = &reply->aaa->controld->config->aaa;
	struct session_profile *given = &reading->profile;
	char user[TEXT_MAX];

	if (!(given->given & PROFILE_USER) &&
	    find_text(reply->radius->request, reply->radius->request_length, 0, RADIUS_USER_NAME, 0, user)) {
		given->user = strdup(user);
		given->given |= given->user ? PROFILE_USER : 0;
	}
	if (answer_defaults(config, given->given & PROFILE_POOL ? given->pool : "", profile))
		return -ENOMEM;
	if (!profile_merge(profile, given))
		return 0;
	profile_done(profile);
	return -ENOMEM;
}

static void grant(struct reply *reply, struct profile_reading *reading)
{
	struct session_profile profile;

	if (complete(reply, reading, &profile)) {
		reply->answer.outcome = AUTHORISE_UNAVAILABLE;
		reply->answer.message = "out of memory";
		authorise_answered(reply->aaa->controld, &reply->answer, &reply->ticket.ticket);
		return;
	}
	reply->counts->granted++;
	reply->answer.outcome = AUTHORISE_GRANTED;
	reply->answer.profile = &profile;
	profile_message(reply->radius->packet, reply->radius->length, reply->message, sizeof(reply->message));
	reply->answer.message = reply->message;
	authorise_answered(reply->aaa->controld, &reply->answer, &reply->ticket.ticket);
	profile_done(&profile);
}

static void on_accepted(struct reply *reply)
{
	struct controld *controld = reply->aaa->controld;
	const struct radius_answer *radius = reply->radius;
	struct profile_reading reading;
	int failure = profile_read(radius_attribute_map(controld->radius), controld->config, radius->packet,
				   radius->length, &reading);

	if (reply->ticket.credential == CREDENTIAL_MSCHAP2)
		reply->answer.mschap2_success = find_mschap(radius, MSCHAP2_SUCCESS, "S=", reply->proof);
	if (failure) {
		reply->answer.outcome = AUTHORISE_UNAVAILABLE;
		reply->answer.message = "out of memory";
	} else if (reply->ticket.credential == CREDENTIAL_MSCHAP2 && !reply->answer.mschap2_success) {
		snprintf(reply->message, sizeof(reply->message),
			 "%s accepted without MS-CHAP2-Success: the subscriber would not believe it",
			 reply->answer.source);
		deny(reply, reply->message);
	} else if (judge_values(reply, &reading)) {
		grant(reply, &reading);
		profile_done(&reading.profile);
		return;
	}
	profile_done(&reading.profile);
	authorise_answered(controld, &reply->answer, &reply->ticket.ticket);
}

static void on_rejected(struct reply *reply)
{
	const struct radius_answer *radius = reply->radius;

	profile_message(radius->packet, radius->length, reply->message, sizeof(reply->message));
	if (!reply->message[0])
		snprintf(reply->message, sizeof(reply->message), "refused by %s", reply->answer.source);
	if (reply->ticket.credential == CREDENTIAL_MSCHAP2)
		reply->answer.mschap2_error = find_mschap(radius, MSCHAP_ERROR, "E=", reply->proof);
	deny(reply, reply->message);
	authorise_answered(reply->aaa->controld, &reply->answer, &reply->ticket.ticket);
}

static void on_challenged(struct reply *reply)
{
	snprintf(reply->message, sizeof(reply->message),
		 "%s asks for one more answer (Access-Challenge), "
		 "which PPP and DHCP cannot give",
		 reply->answer.source);
	deny(reply, reply->message);
	authorise_answered(reply->aaa->controld, &reply->answer, &reply->ticket.ticket);
}

/* Its request says which name it had. */
static bool fall_back(struct reply *reply)
{
	struct aaa *aaa = reply->aaa;
	const struct config_aaa *config = &aaa->controld->config->aaa;
	char user[TEXT_MAX];

	if (!(reply->ticket.is_pppoe ? &config->pppoe : &config->ipoe)->falls_back ||
	    !find_text(reply->radius->request, reply->radius->request_length, 0, RADIUS_USER_NAME, 0, user) ||
	    aaa_grant_local(aaa, user, &reply->ticket.ticket))
		return false;
	aaa->kept->counts.fallback++;
	return true;
}

static void on_unanswered(struct reply *reply)
{
	reply->counts->unanswered++;
	if (fall_back(reply))
		return;
	reply->answer.outcome = AUTHORISE_UNANSWERED;
	reply->answer.message = "no RADIUS server answered";
	authorise_answered(reply->aaa->controld, &reply->answer, &reply->ticket.ticket);
}

static void on_no_server(struct reply *reply)
{
	reply->counts->unanswered++;
	if (fall_back(reply))
		return;
	reply->answer.outcome = AUTHORISE_UNAVAILABLE;
	reply->answer.message = "no RADIUS server is alive";
	authorise_answered(reply->aaa->controld, &reply->answer, &reply->ticket.ticket);
}

void on_radius_answer(struct controld *controld, const struct radius_answer *answer,
		      const struct radius_ticket *ticket)
{
	static void (*const handlers[])(struct reply * reply) = {
		[RADIUS_ACCEPTED] = on_accepted,     [RADIUS_REJECTED] = on_rejected,
		[RADIUS_CHALLENGED] = on_challenged, [RADIUS_UNANSWERED] = on_unanswered,
		[RADIUS_NO_SERVER] = on_no_server,   [RADIUS_ACCOUNTED] = NULL, /* no reply to a question */
	};
	struct aaa *aaa = controld->aaa;
	struct reply reply = {.aaa = aaa, .radius = answer, .ticket = ticket_unpack(ticket)};

	reply.counts = &aaa->kept->counts.method[reply.ticket.credential];
	reply.answer.source = answer->server ? answer->server : "local";
	under_way_remove(&aaa->under_way, reply.ticket.client);
	if (handlers[answer->outcome])
		handlers[answer->outcome](&reply);
}
