/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Filters and names of sessions, see the header.
 */
#include "controld/session/select.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/names.h"
#include "controld/session/detail.h"
#include "controld/session/sessions.h"
#include "lib/address.h"

static const char *const kinds[] = {
	[BNG_SESSION_STATIC] = "static",
	[BNG_SESSION_DHCP] = "dhcp",
	[BNG_SESSION_ADDED] = "added",
	[BNG_SESSION_PPPOE] = "pppoe",
	[BNG_SESSION_FIRST_PACKET] = "first-packet",
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *session_kind_name(uint8_t kind)
{
	return kind < KINDS && kinds[kind] ? kinds[kind] : "unknown";
}

/* ---- Filter ------------------------------------------------------------------------------ */

bool session_is_user(const char *wanted, const char *user)
{
	size_t length = strlen(wanted);

	if (!user)
		return false;
	if (length && wanted[length - 1] == '*')
		return !strncmp(wanted, user, length - 1);
	return !strcmp(wanted, user);
}

bool session_has_user(struct controld *controld, const struct session *session, const char *user)
{
	const struct session_detail *detail = session_detail(controld, session);

	return detail &&
	       (session_is_user(user, detail->user) ||
		(detail->profile.given & PROFILE_USER && session_is_user(user, detail->profile.user)));
}

bool session_filter_matches(struct controld *controld, const struct session_filter *filter,
			    const struct session *session)
{
	const struct bng_subscriber *record = session->record;

	if (record->state == BNG_SUBSCRIBER_FREE || (filter->state && record->state != filter->state))
		return false;
	if (filter->kind && record->kind != filter->kind)
		return false;
	if (filter->address_be && record->address_be != filter->address_be)
		return false;
	if (filter->has_mac && memcmp(filter->mac, record->mac, 6) != 0)
		return false;
	if (filter->has_interface && record->interface != filter->interface)
		return false;
	if (filter->vlan >= 0 && record->outer_vid != filter->vlan && record->inner_vid != filter->vlan)
		return false;
	return !filter->user || session_has_user(controld, session, filter->user);
}

static void fail_at(struct json_reader *reader, json_t *object, const char *member, const char *expected)
{
	json_reader_fail(reader, json_enter(reader, object, member), "%s", expected);
	json_leave(reader);
}

static void read_state(struct json_reader *reader, json_t *object, struct session_filter *filter)
{
	const char *state = json_read_string_or(reader, object, "state", "");

	if (!strcmp(state, "active"))
		filter->state = BNG_SUBSCRIBER_ACTIVE;
	else if (!strcmp(state, "closing"))
		filter->state = BNG_SUBSCRIBER_CLOSING;
	else if (state[0])
		fail_at(reader, object, "state", "must be \"active\" or \"closing\"");
}

static void read_kind(struct json_reader *reader, json_t *object, struct session_filter *filter)
{
	const char *kind = json_read_string_or(reader, object, "kind", "");

	for (uint8_t i = 1; i < KINDS; i++)
		if (!strcmp(kind, session_kind_name(i)))
			filter->kind = i;
	if (kind[0] && !filter->kind)
		fail_at(reader, object, "kind",
			"must be \"static\", \"dhcp\", \"added\", \"pppoe\" or \"first-packet\"");
}

static void read_mac(struct json_reader *reader, json_t *object, uint8_t mac[static 6])
{
	if (mac_parse(json_read_string_or(reader, object, "mac", ""), mac))
		fail_at(reader, object, "mac", "must be a MAC such as \"02:00:00:00:00:02\"");
}

void session_filter_read(const struct controld *controld, struct json_reader *reader, json_t *params,
			 struct session_filter *filter)
{
	static const char *const members[] = {"address", "mac",  "interface", "vlan",
					      "state",   "user", "kind",      NULL};
	json_t *object = json_enter(reader, params, "filter");
	const char *interface;

	*filter = (struct session_filter){.vlan = -1};
	if (object) {
		json_read_only(reader, object, members);
		interface = json_read_string_or(reader, object, "interface", "");
		if (json_object_get(object, "address"))
			filter->address_be = config_address(reader, object, "address");
		filter->has_mac = json_object_get(object, "mac");
		if (filter->has_mac)
			read_mac(reader, object, filter->mac);
		filter->has_interface = interface[0];
		filter->interface = names_interface_index(controld, interface);
		filter->vlan = json_read_integer_or(reader, object, "vlan", 0, 4094, -1);
		filter->user = json_read_string_or(reader, object, "user", NULL);
		read_state(reader, object, filter);
		read_kind(reader, object, filter);
	}
	json_leave(reader);
}

/* ---- One ----------------------------------------------------------------------------------- */

/* How many match; *session is the first of them. */
static uint32_t count_matching(struct controld *controld, const struct session_filter *filter,
			       struct session *session)
{
	struct session candidate;
	uint32_t slot = 0, count = 0;

	while (session_next(controld, &slot, &candidate))
		if (session_filter_matches(controld, filter, &candidate) && !count++)
			*session = candidate;
	return count;
}

/* What the request calls it, for what is said of it. */
static void name_of(const json_t *params, char *text, size_t size)
{
	static const char *const members[] = {"address", "mac", "user"};

	if (json_object_get(params, "id"))
		snprintf(text, size, "id %" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(params, "id")));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (json_object_get(params, members[i]))
			snprintf(text, size, "%s %s", members[i],
				 json_string_value(json_object_get(params, members[i])));
}

static uint32_t find(struct controld *controld, uint64_t id, const struct session_filter *filter,
		     struct session *session)
{
	if (id)
		return session_by_id(controld, id, session);
	if (filter->address_be)
		return session_by_address(controld, filter->address_be, session);
	return count_matching(controld, filter, session);
}

bool session_select(struct controld *controld, struct rpc_request *request, struct session *session)
{
	static const char *const members[] = {"id", "address", "mac", "user", NULL};
	struct session_filter filter = {.vlan = -1};
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);
	char name[300] = "";
	uint32_t count;
	uint64_t id;

	if (!params)
		return false;
	id = (uint64_t)json_read_integer_or(&reader, params, "id", 1, INT64_MAX, 0);
	if (json_object_get(params, "address"))
		filter.address_be = config_address(&reader, params, "address");
	filter.has_mac = json_object_get(params, "mac");
	if (filter.has_mac)
		read_mac(&reader, params, filter.mac);
	filter.user = json_read_string_or(&reader, params, "user", NULL);
	if (json_object_size(params) != 1)
		json_reader_fail(&reader, params, "give one of id, address, mac and user");
	if (ctl_refused(request, &reader))
		return false;
	name_of(params, name, sizeof(name));
	count = find(controld, id, &filter, session);
	if (!count)
		rpc_fail(request, RPC_NOT_FOUND, NULL, "there is no session with %s", name);
	if (count > 1)
		rpc_fail(request, RPC_INVALID_PARAMS, NULL,
			 "%u sessions have %s: name one by its id or address", count, name);
	return count == 1;
}
