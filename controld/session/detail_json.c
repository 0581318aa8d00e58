/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A detail as the bus has it: JSON. At a start there are as many to read as there are
 * sessions, so they are read in place, by tables of members.
 */
#include "controld/session/detail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/session/sessions.h"
#include "lib/address.h"
#include "lib/bytes.h"
#include "lib/json_take.h"

#define ID_DIGITS (SESSION_KEY - 1)

void session_key(uint64_t session_id, char key[static SESSION_KEY])
{
	snprintf(key, SESSION_KEY, "%016" PRIx64, session_id);
}

/* ---- Written -------------------------------------------------------------------------- */

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, json_string(text));
}

static void set_bytes(json_t *object, const char *name, const uint8_t *bytes, size_t length)
{
	char *text = bytes ? bytes_format(bytes, length) : NULL;

	set_text(object, name, text);
	free(text);
}

static json_t *history_json(const struct session_detail *detail)
{
	uint32_t count = detail->event_count < DETAIL_HISTORY ? detail->event_count : DETAIL_HISTORY;
	json_t *array = json_array();

	for (uint32_t i = detail->event_count - count; i != detail->event_count; i++) {
		const struct detail_event *event = &detail->event[i % DETAIL_HISTORY];
		char *text = bytes_format((const uint8_t *)event->text, strlen(event->text));

		json_array_append_new(array, json_pack("{s:I, s:s}", "at", (json_int_t)event->time_s, "text",
						       text ? text : ""));
		free(text);
	}
	return array;
}

json_t *session_detail_json(const struct session_detail *detail)
{
	const struct session_client *client = &detail->client;
	char id[SESSION_KEY], mac[MAC_TEXT], address[ADDRESS_TEXT];
	json_t *object;

	session_key(detail->session_id, id);
	object = json_pack("{s:s, s:i, s:s, s:s, s:[i,i,i,i], s:I, s:o, s:{s:i, s:I, s:I}, s:o}", "id", id,
			   "kind", detail->kind, "address", address_format(detail->address_be, address),
			   "mac", mac_format(client->mac, mac), "at", client->interface, client->outer_vid,
			   client->inner_vid, client->pppoe_session, "opened", (json_int_t)detail->opened_s,
			   "profile", profile_json(&detail->profile), "accounting", "state",
			   detail->accounting.state, "sequence", (json_int_t)detail->accounting.sequence,
			   "last", (json_int_t)detail->accounting.last_s, "history", history_json(detail));
	set_bytes(object, "user", (const uint8_t *)detail->user, detail->user ? strlen(detail->user) : 0);
	set_text(object, "source", detail->source);
	set_bytes(object, "circuit_id", detail->line.circuit_id, detail->line.circuit_id_length);
	set_bytes(object, "remote_id", detail->line.remote_id, detail->line.remote_id_length);
	return object;
}

/* ---- Read: who it is ------------------------------------------------------------------ */

static bool take_id(struct json_slice value, void *into)
{
	struct session_detail *detail = into;
	char text[SESSION_KEY];

	if (!json_take_chars(value, text, sizeof(text)) || strspn(text, "0123456789abcdef") != ID_DIGITS)
		return false;
	detail->session_id = strtoull(text, NULL, 16);
	return true;
}

static bool take_kind(struct json_slice value, void *into)
{
	struct session_detail *detail = into;
	int64_t kind;

	if (!json_take_integer(value, 0, UINT8_MAX, &kind))
		return false;
	detail->kind = (uint8_t)kind;
	return true;
}

static bool take_address(struct json_slice value, void *into)
{
	struct session_detail *detail = into;
	char text[ADDRESS_TEXT];

	return json_take_chars(value, text, sizeof(text)) && !address_parse(text, &detail->address_be);
}

static bool take_mac(struct json_slice value, void *into)
{
	struct session_detail *detail = into;
	char text[MAC_TEXT];

	return json_take_chars(value, text, sizeof(text)) && !mac_parse(text, detail->client.mac);
}

#define PLACES 4

struct place {
	uint16_t number[PLACES];
	size_t count;
};

static bool take_number(struct json_slice value, size_t index, void *context)
{
	struct place *place = context;
	int64_t number;

	if (index >= PLACES || !json_take_integer(value, 0, UINT16_MAX, &number))
		return false;
	place->number[index] = (uint16_t)number;
	place->count = index + 1;
	return true;
}

static bool take_at(struct json_slice value, void *into)
{
	struct session_client *client = &((struct session_detail *)into)->client;
	struct place place = {0};

	if (!json_take_array(value, take_number, &place) || place.count != PLACES)
		return false;
	client->interface = place.number[0];
	client->outer_vid = place.number[1];
	client->inner_vid = place.number[2];
	client->pppoe_session = place.number[3];
	return true;
}

static bool take_opened(struct json_slice value, void *into)
{
	struct session_detail *detail = into;

	return json_take_integer(value, 0, INT64_MAX, &detail->opened_s);
}

/* ---- Read: texts ---------------------------------------------------------------------- */

static bool take_bytes(struct json_slice value, uint8_t **bytes, uint16_t *length)
{
	char *text = json_take_string(value);
	size_t size = 0;

	*bytes = text ? bytes_parse(text, &size) : NULL;
	*length = (uint16_t)size;
	free(text);
	return *bytes && size <= UINT16_MAX;
}

static bool take_text(struct json_slice value, char **text)
{
	uint8_t *bytes;
	uint16_t length;
	bool is_text = take_bytes(value, &bytes, &length);

	*text = is_text ? strndup((const char *)bytes, length) : NULL;
	free(bytes);
	return *text;
}

static bool take_user(struct json_slice value, void *into)
{
	return take_text(value, &((struct session_detail *)into)->user);
}

static bool take_source(struct json_slice value, void *into)
{
	return take_text(value, &((struct session_detail *)into)->source);
}

static bool take_circuit_id(struct json_slice value, void *into)
{
	struct session_line *line = &((struct session_detail *)into)->line;

	return take_bytes(value, &line->circuit_id, &line->circuit_id_length);
}

static bool take_remote_id(struct json_slice value, void *into)
{
	struct session_line *line = &((struct session_detail *)into)->line;

	return take_bytes(value, &line->remote_id, &line->remote_id_length);
}

/* ---- Read: what has happened ------------------------------------------------------------ */

static bool take_event_time(struct json_slice value, void *into)
{
	return json_take_integer(value, INT64_MIN, INT64_MAX, &((struct detail_event *)into)->time_s);
}

static bool take_event_text(struct json_slice value, void *into)
{
	struct detail_event *event = into;
	char *text;

	if (!take_text(value, &text))
		return false;
	snprintf(event->text, sizeof(event->text), "%s", text);
	free(text);
	return true;
}

static bool take_event(struct json_slice value, size_t index, void *context)
{
	static const struct json_taker takers[] = {
		{"at", take_event_time, false},
		{"text", take_event_text, false},
	};
	struct session_detail *detail = context;

	return index < DETAIL_HISTORY && json_take_object(value, takers, sizeof(takers) / sizeof(takers[0]),
							  &detail->event[detail->event_count++]);
}

static bool take_history(struct json_slice value, void *into)
{
	return json_take_array(value, take_event, into);
}

static bool take_state(struct json_slice value, void *into)
{
	struct detail_accounting *accounting = into;
	int64_t state;

	if (!json_take_integer(value, 0, UINT8_MAX, &state))
		return false;
	accounting->state = (uint8_t)state;
	return true;
}

static bool take_sequence(struct json_slice value, void *into)
{
	struct detail_accounting *accounting = into;
	int64_t sequence;

	if (!json_take_integer(value, 0, UINT32_MAX, &sequence))
		return false;
	accounting->sequence = (uint32_t)sequence;
	return true;
}

static bool take_last(struct json_slice value, void *into)
{
	return json_take_integer(value, 0, INT64_MAX, &((struct detail_accounting *)into)->last_s);
}

static bool take_accounting(struct json_slice value, void *into)
{
	static const struct json_taker takers[] = {
		{"state", take_state, true},
		{"sequence", take_sequence, true},
		{"last", take_last, true},
	};
	struct session_detail *detail = into;

	return json_take_object(value, takers, sizeof(takers) / sizeof(takers[0]), &detail->accounting);
}

static bool take_profile(struct json_slice value, void *into)
{
	return !profile_parse(value, &((struct session_detail *)into)->profile);
}

/* ---- Read: all of it -------------------------------------------------------------------- */

struct session_detail *session_detail_parse(struct json_slice value)
{
	static const struct json_taker takers[] = {
		{"id", take_id, true},
		{"kind", take_kind, true},
		{"address", take_address, true},
		{"mac", take_mac, true},
		{"at", take_at, true},
		{"opened", take_opened, true},
		{"profile", take_profile, true},
		{"accounting", take_accounting, true},
		{"history", take_history, false},
		{"user", take_user, false},
		{"source", take_source, false},
		{"circuit_id", take_circuit_id, false},
		{"remote_id", take_remote_id, false},
	};
	struct session_detail *detail = session_detail_new(0);

	if (detail && json_take_object(value, takers, sizeof(takers) / sizeof(takers[0]), detail))
		return detail;
	session_detail_free(detail);
	return NULL;
}
