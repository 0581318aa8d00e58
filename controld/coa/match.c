/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Finding it by its id or its address where one of them is given, else by looking at all
 * sessions; then all that is given must be true.
 */
#include "controld/coa/match.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controld/controld.h"
#include "controld/radius/subscriber.h"
#include "controld/session/detail.h"

#define MAC_DIGITS 12

static bool is_text(const struct coa_value *value, const char *text)
{
	return text && strlen(text) == value->length && !memcmp(value->data, text, value->length);
}

static uint64_t parse_id(const struct coa_value *value)
{
	uint64_t id = 0;

	if (value->length != 16)
		return 0;
	for (size_t i = 0; i < value->length; i++) {
		uint8_t digit = value->data[i];

		if (!isxdigit(digit))
			return 0;
		id = id << 4 | (uint64_t)(isdigit(digit) ? digit - '0' : tolower(digit) - 'a' + 10);
	}
	return id;
}

/* As any of the forms in use has it: 02-00-00-00-00-01, 02:00:.., 0200.0000.0001. */
static bool is_mac(const struct coa_value *value, const uint8_t mac[static 6])
{
	char wanted[MAC_DIGITS + 1];
	size_t digits = 0;

	snprintf(wanted, sizeof(wanted), "%02x%02x%02x%02x%02x%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	for (size_t i = 0; i < value->length; i++) {
		uint8_t character = value->data[i];

		if (character == '-' || character == ':' || character == '.')
			continue;
		if (digits == MAC_DIGITS || tolower(character) != wanted[digits++])
			return false;
	}
	return digits == MAC_DIGITS;
}

static bool is_user(const struct coa_value *value, const struct session_detail *detail)
{
	if (!detail)
		return false;
	return is_text(value, detail->user) ||
	       (detail->profile.given & PROFILE_USER && is_text(value, detail->profile.user));
}

static bool is_meant(struct controld *controld, const struct coa_selection *selection,
		     const struct session *session)
{
	struct session_client client = session_client_of(session->record);
	char port[RADIUS_PORT_ID_TEXT];

	if (selection->session_id.data && parse_id(&selection->session_id) != session->record->session_id)
		return false;
	if (selection->address.data &&
	    memcmp(selection->address.data, &session->record->address_be, sizeof(uint32_t)))
		return false;
	if (selection->station.data && !is_mac(&selection->station, client.mac))
		return false;
	if (selection->port.data && !is_text(&selection->port, radius_port_id(controld, &client, port)))
		return false;
	return !selection->user.data || is_user(&selection->user, session_detail(controld, session));
}

static enum coa_cause match_all(struct controld *controld, const struct coa_selection *selection,
				struct session *session)
{
	struct session candidate;
	unsigned found = 0;
	uint32_t slot = 0;

	while (found < 2 && session_next(controld, &slot, &candidate)) {
		if (!is_meant(controld, selection, &candidate))
			continue;
		found++;
		*session = candidate;
	}
	return !found ? COA_CAUSE_SESSION_NOT_FOUND : found > 1 ? COA_CAUSE_SEVERAL_SESSIONS : COA_CAUSE_NONE;
}

enum coa_cause coa_match(struct controld *controld, const struct coa_selection *selection,
			 struct session *session)
{
	uint32_t address_be = 0;
	bool is_there;

	if (selection->session_id.data) {
		is_there = session_by_id(controld, parse_id(&selection->session_id), session);
	} else if (selection->address.data) {
		memcpy(&address_be, selection->address.data, sizeof(address_be));
		is_there = session_by_address(controld, address_be, session);
	} else {
		return match_all(controld, selection, session);
	}
	return is_there && is_meant(controld, selection, session) ? COA_CAUSE_NONE
								  : COA_CAUSE_SESSION_NOT_FOUND;
}
