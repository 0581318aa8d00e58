/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Details: one for each session, by slot; as JSON, on the bus.
 */
#include "controld/session/detail.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controld/controld.h"
#include "controld/session/sessions.h"
#include "controld/session/trace.h"
#include "controld/sync/sync.h"
#include "lib/address.h"
#include "lib/bytes.h"
#include "lib/log.h"

struct session_detail *session_detail_new(uint64_t session_id)
{
	struct session_detail *detail = calloc(1, sizeof(*detail));

	if (detail)
		detail->session_id = session_id;
	return detail;
}

void session_detail_free(struct session_detail *detail)
{
	if (!detail)
		return;
	profile_done(&detail->profile);
	free(detail->user);
	free(detail->source);
	free(detail->line.circuit_id);
	free(detail->line.remote_id);
	free(detail);
}

/* ---- By session --------------------------------------------------------------------- */

struct session_detail *session_detail(struct controld *controld, const struct session *session)
{
	struct session_detail *detail = controld->sessions->details[session->slot];

	return detail && detail->session_id == session->record->session_id ? detail : NULL;
}

bool session_grant_is_known(struct controld *controld, const struct session *session)
{
	const struct session_detail *detail = session_detail(controld, session);
	uint8_t kind = session->record->kind;

	return kind == BNG_SESSION_STATIC || kind == BNG_SESSION_ADDED ||
	       (detail && (detail->source || detail->profile.given));
}

void sessions_detail_set(struct sessions *sessions, const struct session *session,
			 struct session_detail *detail)
{
	const struct bng_subscriber *record = session->record;

	session_detail_free(sessions->details[session->slot]);
	sessions->details[session->slot] = detail;
	if (!detail)
		return;
	detail->session_id = record->session_id;
	detail->kind = record->kind;
	detail->address_be = record->address_be;
	detail->client = session_client_of(record);
	if (!detail->opened_s)
		detail->opened_s = time(NULL);
}

void session_key(uint64_t session_id, char key[static SESSION_KEY])
{
	snprintf(key, SESSION_KEY, "%016" PRIx64, session_id);
}

int sessions_detail_put(struct controld *controld, const struct session_detail *detail,
			sync_acknowledged *done, void *context)
{
	char key[SESSION_KEY];

	session_key(detail->session_id, key);
	return sync_put(controld, SESSION_TOPIC, key, session_detail_json(detail), done, context);
}

void session_detail_save(struct controld *controld, const struct session *session)
{
	const struct session_detail *detail = session_detail(controld, session);

	if (detail && session->record->state == BNG_SUBSCRIBER_ACTIVE)
		sessions_detail_put(controld, detail, NULL, NULL);
}

/* ---- History ------------------------------------------------------------------------ */

void session_event(struct controld *controld, uint64_t session_id, const struct session_client *client,
		   const char *format, ...)
{
	uint32_t slot = session_id ? sessions_slot_of_id(controld->sessions, session_id) : 0;
	struct session_detail *detail = slot ? controld->sessions->details[slot] : NULL;
	char text[DETAIL_HISTORY_TEXT], mac[MAC_TEXT];
	struct detail_event *event;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_debug("session %" PRIu64 " of %s: %s", session_id, client ? mac_format(client->mac, mac) : "-",
		  text);
	trace_tell(controld, session_id, client, text);
	if (!detail || detail->session_id != session_id)
		return;
	event = &detail->event[detail->event_count++ % DETAIL_HISTORY];
	event->time_s = time(NULL);
	memcpy(event->text, text, sizeof(text));
}

/* ---- As JSON ------------------------------------------------------------------------ */

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

/* False: no memory, or no text. What is absent stays NULL. */
static bool get_bytes(const json_t *object, const char *name, uint8_t **bytes, uint16_t *length)
{
	const json_t *json = json_object_get(object, name);
	size_t size = 0;

	if (!json)
		return true;
	*bytes = json_is_string(json) ? bytes_parse(json_string_value(json), &size) : NULL;
	*length = (uint16_t)size;
	return *bytes && size <= UINT16_MAX;
}

static bool get_text(const json_t *object, const char *name, char **text)
{
	uint8_t *bytes = NULL;
	uint16_t length = 0;

	if (!get_bytes(object, name, &bytes, &length))
		return false;
	*text = bytes ? strndup((const char *)bytes, length) : NULL;
	free(bytes);
	return *text || !json_object_get(object, name);
}

static bool get_history(const json_t *array, struct session_detail *detail)
{
	const json_t *event;
	size_t i;

	json_array_foreach(array, i, event)
	{
		struct detail_event *to = &detail->event[detail->event_count % DETAIL_HISTORY];
		char *text = NULL;

		if (i >= DETAIL_HISTORY || !get_text(event, "text", &text))
			return false;
		to->time_s = json_integer_value(json_object_get(event, "at"));
		snprintf(to->text, sizeof(to->text), "%s", text ? text : "");
		detail->event_count++;
		free(text);
	}
	return true;
}

static bool get_number(const json_t *object, const char *name, json_int_t max, json_int_t *number)
{
	const json_t *json = json_object_get(object, name);

	*number = json_integer_value(json);
	return json_is_integer(json) && *number >= 0 && *number <= max;
}

static bool get_accounting(const json_t *object, struct detail_accounting *accounting)
{
	json_int_t state, sequence, last;

	if (!get_number(object, "state", UINT8_MAX, &state) ||
	    !get_number(object, "sequence", UINT32_MAX, &sequence) ||
	    !get_number(object, "last", INT64_MAX, &last))
		return false;
	*accounting = (struct detail_accounting){(uint8_t)state, (uint32_t)sequence, last};
	return true;
}

static bool get_identity(const json_t *json, struct session_detail *detail)
{
	const char *id = json_string_value(json_object_get(json, "id"));
	const char *mac = json_string_value(json_object_get(json, "mac"));
	const char *address = json_string_value(json_object_get(json, "address"));
	const json_t *at = json_object_get(json, "at");
	json_int_t kind;
	int end = 0;

	if (!id || sscanf(id, "%16" SCNx64 "%n", &detail->session_id, &end) != 1 || end != 16 || id[end])
		return false;
	for (size_t i = 0; i < 4; i++) {
		const json_t *number = json_array_get(at, i);

		if (!json_is_integer(number) || json_integer_value(number) < 0 ||
		    json_integer_value(number) > UINT16_MAX)
			return false;
	}
	detail->client.interface = (uint16_t)json_integer_value(json_array_get(at, 0));
	detail->client.outer_vid = (uint16_t)json_integer_value(json_array_get(at, 1));
	detail->client.inner_vid = (uint16_t)json_integer_value(json_array_get(at, 2));
	detail->client.pppoe_session = (uint16_t)json_integer_value(json_array_get(at, 3));
	if (!get_number(json, "kind", UINT8_MAX, &kind))
		return false;
	detail->kind = (uint8_t)kind;
	return mac && !mac_parse(mac, detail->client.mac) && address &&
	       !address_parse(address, &detail->address_be);
}

struct session_detail *session_detail_parse(const json_t *json)
{
	struct session_detail *detail = session_detail_new(0);
	json_int_t opened;

	if (detail && get_identity(json, detail) && get_number(json, "opened", INT64_MAX, &opened) &&
	    get_text(json, "user", &detail->user) && get_text(json, "source", &detail->source) &&
	    get_bytes(json, "circuit_id", &detail->line.circuit_id, &detail->line.circuit_id_length) &&
	    get_bytes(json, "remote_id", &detail->line.remote_id, &detail->line.remote_id_length) &&
	    get_accounting(json_object_get(json, "accounting"), &detail->accounting) &&
	    get_history(json_object_get(json, "history"), detail) &&
	    !profile_parse(json_object_get(json, "profile"), &detail->profile)) {
		detail->opened_s = opened;
		return detail;
	}
	session_detail_free(detail);
	return NULL;
}
