/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One request: is it genuine, current, new; then its effect, then its answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controld/coa/coa.h"
#include "controld/coa/match.h"
#include "controld/controld.h"
#include "controld/maps/filter.h"
#include "controld/radius/profile.h"
#include "controld/radius/radius.h"
#include "controld/session/detail.h"
#include "lib/address.h"
#include "lib/log.h"

#define TYPE_PROXY_STATE     33
#define TYPE_EVENT_TIMESTAMP 55
#define TYPE_ERROR_CAUSE     101

/* What a session that is up can take over. */
#define CHANGEABLE                                                                                           \
	(PROFILE_SESSION_TIMEOUT | PROFILE_IDLE_TIMEOUT | PROFILE_INTERIM | PROFILE_RATE_UP |                \
	 PROFILE_RATE_DOWN | PROFILE_FILTER | PROFILE_NAT_POOL | PROFILE_MAX_MAPPINGS | PROFILE_MAX_BLOCKS | \
	 PROFILE_CLASS)
/* What says whom it is about. */
#define SELECTING (PROFILE_USER | PROFILE_ADDRESS)

/* ---- Its effect --------------------------------------------------------------------------- */

static enum coa_cause change_with(struct controld *controld, const struct session *session,
				  struct session_profile *profile, const char *why)
{
	profile->given &= ~(uint32_t)SELECTING;
	if (profile->given & ~(uint32_t)CHANGEABLE)
		return COA_CAUSE_UNSUPPORTED_ATTRIBUTE;
	if (!profile->given)
		return COA_CAUSE_MISSING_ATTRIBUTE;
	switch (session_change(controld, session, profile, why)) {
	case 0:
		return COA_CAUSE_NONE;
	case -ENOENT:
	case -EINVAL:
		return COA_CAUSE_INVALID_VALUE;
	default:
		return COA_CAUSE_RESOURCES;
	}
}

static enum coa_cause change(struct coa *coa, const struct session *session, const uint8_t *packet,
			     size_t length, const char *why)
{
	struct controld *controld = coa->controld;
	struct profile_reading reading;
	enum coa_cause cause = COA_CAUSE_RESOURCES;

	if (!profile_read(radius_attribute_map(controld->radius), controld->config, packet, length, &reading))
		cause = reading.wrong ? COA_CAUSE_INVALID_VALUE
				      : change_with(controld, session, &reading.profile, why);
	if (reading.unknown_filters)
		filter_count_unknown(controld->maps);
	if (reading.wrong)
		log_notice("CoA-Request for session %" PRIu64 " refused: %s",
			   (uint64_t)session->record->session_id, reading.trouble);
	profile_done(&reading.profile);
	return cause;
}

static bool is_change(void *context, const struct radius_attribute *attribute)
{
	const struct coa *coa = context;
	const struct attribute_row *row = attribute_find(radius_attribute_map(coa->controld->radius),
							 attribute->vendor, attribute->type);

	return row && row->target != TARGET_NOTHING;
}

static enum coa_cause apply(struct coa *coa, uint32_t from_be, const uint8_t *packet, size_t length)
{
	const struct config_radius *nas = &coa->controld->config->radius;
	struct coa_request request;
	struct session session;
	char why[48], from[ADDRESS_TEXT];
	enum coa_cause cause =
		coa_read(packet, length, nas->nas_identifier, nas->nas_address_be, is_change, coa, &request);

	if (!cause)
		cause = coa_match(coa->controld, &request.selection, &session);
	if (cause)
		return cause;
	snprintf(why, sizeof(why), "%s from %s",
		 request.code == COA_REQUEST ? "CoA-Request" : "Disconnect-Request",
		 address_format(from_be, from));
	if (request.code == COA_REQUEST)
		return change(coa, &session, packet, length, why);
	session_close(coa->controld, &session, SESSION_END_ADMIN_RESET, why);
	return COA_CAUSE_NONE;
}

/* ---- Its answer --------------------------------------------------------------------------- */

static uint8_t answer_code(uint8_t request, enum coa_cause cause)
{
	if (request == COA_REQUEST)
		return cause ? COA_NAK : COA_ACK;
	return cause ? COA_DISCONNECT_NAK : COA_DISCONNECT_ACK;
}

/* Proxy-State goes back as it came, in its order (section 3.1). 0: it did not work. */
static size_t build_answer(const struct coa_client *client, const uint8_t *packet, size_t length,
			   const struct coa_answered *answered, uint8_t *reply)
{
	static const uint8_t empty[RADIUS_DIGEST];
	struct radius_cursor cursor = radius_attributes(packet, length);
	struct radius_attribute attribute;
	struct radius_builder builder;
	size_t built;

	radius_begin(&builder, reply, RADIUS_PACKET_MAX, (enum radius_code)answered->code);
	radius_add(&builder, RADIUS_MESSAGE_AUTHENTICATOR, empty, sizeof(empty));
	while (radius_next(&cursor, &attribute))
		if (!attribute.vendor && attribute.type == TYPE_PROXY_STATE)
			radius_add(&builder, TYPE_PROXY_STATE, attribute.value, attribute.length);
	if (answered->cause)
		radius_add_integer(&builder, TYPE_ERROR_CAUSE, answered->cause);
	built = radius_end(&builder);
	return built && !radius_seal_reply(reply, built, packet, &client->secret) ? built : 0;
}

static void count(struct coa *coa, const struct coa_answered *answered)
{
	switch (answered->code) {
	case COA_ACK:
		coa->counts.coa_acks++;
		break;
	case COA_NAK:
		coa->counts.coa_naks++;
		break;
	case COA_DISCONNECT_ACK:
		coa->counts.disconnect_acks++;
		break;
	default:
		coa->counts.disconnect_naks++;
		break;
	}
	if (answered->cause <= COA_CAUSE_SEVERAL_SESSIONS)
		coa->counts.nak[answered->cause]++;
}

/* ---- May it have one? --------------------------------------------------------------------- */

static const struct coa_client *find_client(const struct coa *coa, uint32_t from_be)
{
	uint32_t from = ntohl(from_be);

	for (size_t i = 0; i < coa->client_count; i++)
		if (from >= coa->clients[i].prefix.first && from <= coa->clients[i].prefix.last)
			return &coa->clients[i];
	return NULL;
}

static enum coa_drop verify(const struct coa_client *client, uint8_t *packet, size_t *length)
{
	static const enum coa_drop drops[] = {
		[RADIUS_GENUINE] = COA_ANSWERED,
		[RADIUS_MALFORMED] = COA_DROP_MALFORMED,
		[RADIUS_BAD_AUTHENTICATOR] = COA_DROP_BAD_AUTHENTICATOR,
		[RADIUS_NO_MESSAGE_AUTHENTICATOR] = COA_DROP_NO_MESSAGE_AUTHENTICATOR,
		[RADIUS_WRONG_CODE] = COA_DROP_UNKNOWN_CODE,
	};
	enum coa_drop drop;

	if (!client->secret.length)
		return COA_DROP_UNKNOWN_CLIENT; /* its secret could not be read */
	drop = drops[radius_verify_request(packet, length, &client->secret,
					   client->needs_message_authenticator)];
	if (drop == COA_ANSWERED && packet[RADIUS_AT_CODE] != COA_REQUEST &&
	    packet[RADIUS_AT_CODE] != COA_DISCONNECT_REQUEST)
		drop = COA_DROP_UNKNOWN_CODE;
	return drop;
}

static enum coa_drop check_time(const struct coa *coa, uint8_t *packet, size_t length, uint64_t now_s)
{
	size_t size = 0;
	const uint8_t *value = radius_find(packet, length, TYPE_EVENT_TIMESTAMP, &size);
	uint32_t time_be;
	uint64_t time_s;

	if (!value)
		return coa->needs_timestamp ? COA_DROP_NO_TIMESTAMP : COA_ANSWERED;
	if (size != sizeof(time_be))
		return COA_DROP_MALFORMED;
	memcpy(&time_be, value, sizeof(time_be));
	time_s = ntohl(time_be);
	return time_s + coa->window_s < now_s || time_s > now_s + coa->window_s ? COA_DROP_OLD : COA_ANSWERED;
}

/* What it was answered before, or is now. */
static enum coa_drop serve_genuine(struct coa *coa, uint32_t from_be, uint8_t *packet, size_t length,
				   uint64_t now_s, struct coa_answered *answered)
{
	const uint8_t *authenticator = packet + RADIUS_AT_AUTHENTICATOR;
	const struct coa_answered *before = coa_replay_find(coa->replay, from_be, authenticator, now_s);
	enum coa_drop drop;

	if (before) {
		*answered = *before;
		coa->counts.repeated++;
		return COA_ANSWERED;
	}
	drop = check_time(coa, packet, length, now_s);
	if (drop == COA_ANSWERED && !coa_replay_has_room(coa->replay, authenticator, now_s))
		drop = COA_DROP_TOO_MANY;
	if (drop != COA_ANSWERED)
		return drop;
	/* One of the future is current for twice the window. */
	*answered = (struct coa_answered){.until_s = now_s + 2 * coa->window_s, .client_be = from_be};
	memcpy(answered->authenticator, authenticator, sizeof(answered->authenticator));
	answered->cause = (uint16_t)apply(coa, from_be, packet, length);
	answered->code = answer_code(packet[RADIUS_AT_CODE], answered->cause);
	coa_replay_add(coa->replay, answered, now_s);
	return COA_ANSWERED;
}

enum coa_drop coa_serve(struct coa *coa, uint32_t from_be, uint8_t *packet, size_t length, uint64_t now_s,
			uint8_t *reply, size_t *reply_length)
{
	const struct coa_client *client = find_client(coa, from_be);
	struct coa_answered answered;
	enum coa_drop drop = client ? verify(client, packet, &length) : COA_DROP_UNKNOWN_CLIENT;

	if (drop == COA_ANSWERED)
		drop = serve_genuine(coa, from_be, packet, length, now_s, &answered);
	if (drop == COA_ANSWERED) {
		count(coa, &answered);
		*reply_length = build_answer(client, packet, length, &answered, reply);
		if (!*reply_length)
			drop = COA_DROP_UNSENT;
	}
	if (drop != COA_ANSWERED)
		coa->counts.drop[drop]++;
	return drop;
}
