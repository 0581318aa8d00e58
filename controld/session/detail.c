/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Details: one for each session, by slot.
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

void session_tell(struct controld *controld, uint64_t session_id, const struct session_client *client,
		  const char *format, ...)
{
	char text[DETAIL_HISTORY_TEXT];
	va_list arguments;

	if (!trace_is_followed(controld))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	trace_tell(controld, session_id, client, text);
}
