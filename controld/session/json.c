/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A session as the RPC tells it.
 */
#include <stdlib.h>
#include <time.h>

#include "controld/controld.h"
#include "controld/maps/filter.h"
#include "controld/maps/names.h"
#include "controld/maps/rate.h"
#include "controld/session/select.h"
#include "controld/session/sessions.h"
#include "lib/address.h"
#include "lib/bytes.h"
#include "lib/clock.h"
#include "lib/json.h"

static int block_count(const struct bng_subscriber *record)
{
	int count = 0;

	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++)
		count += __atomic_load_n(&record->block[i], __ATOMIC_RELAXED) != 0;
	return count;
}

static void set_identity(const struct controld *controld, json_t *object, const struct bng_subscriber *record)
{
	char address[ADDRESS_TEXT], mac[MAC_TEXT];

	json_set_count(object, "id", record->session_id);
	json_object_set_new(object, "address", json_string(address_format(record->address_be, address)));
	json_object_set_new(object, "mac", json_string(mac_format(record->mac, mac)));
	json_object_set_new(object, "interface", json_string(names_interface(controld, record->interface)));
	json_set_count(object, "outer_vid", record->outer_vid);
	json_set_count(object, "inner_vid", record->inner_vid);
	json_object_set_new(object, "outer_tpid",
			    json_string(record->flags & BNG_SUBSCRIBER_OUTER_AD ? "802.1ad" : "802.1Q"));
	json_object_set_new(object, "inner_tpid",
			    json_string(record->flags & BNG_SUBSCRIBER_INNER_AD ? "802.1ad" : "802.1Q"));
	json_object_set_new(object, "kind", json_string(session_kind_name(record->kind)));
	json_object_set_new(object, "state",
			    json_string(record->state == BNG_SUBSCRIBER_ACTIVE ? "active" : "closing"));
}

/* The public address it is paired with, or null. */
static json_t *public_address(const struct controld *controld, const struct bng_subscriber *record)
{
	uint32_t index = record->address_index;
	char text[ADDRESS_TEXT];

	if (record->flags & BNG_SUBSCRIBER_EXEMPT || index >= maps_entries(controld->maps, MAP_pool_address))
		return json_null();
	return json_string(address_format(controld->maps->pool_address[index].address_be, text));
}

static void set_nat(const struct controld *controld, json_t *object, const struct bng_subscriber *record)
{
	bool exempt = record->flags & BNG_SUBSCRIBER_EXEMPT;

	json_object_set_new(object, "pool", json_string(exempt ? "" : names_pool(controld, record->pool)));
	json_object_set_new(object, "exempt", json_boolean(exempt));
	json_object_set_new(object, "public", public_address(controld, record));
	json_set_count(object, "block_count", (uint64_t)block_count(record));
	json_set_count(object, "mappings", __atomic_load_n(&record->mappings, __ATOMIC_RELAXED));
	json_set_count(object, "max_blocks", record->max_blocks);
	json_set_count(object, "max_mappings", record->max_mappings);
	json_set_count(object, "mss", record->mss);
}

static void set_times(const struct controld *controld, json_t *object, const struct bng_subscriber *record)
{
	uint64_t now = clock_boottime_ns();
	const struct session session = {0, (struct bng_subscriber *)(uintptr_t)record};
	char text[CLOCK_TEXT];

	json_object_set_new(object, "opened", json_string(clock_format(record->opened_ns, text)));
	json_set_count(object, "uptime_s", (now - record->opened_ns) / 1000000000);
	json_set_count(object, "idle_s", session_idle_s(controld, &session));
	json_set_count(object, "lease_seconds", record->lease_seconds);
	json_object_set_new(object, "lease_expires",
			    record->lease_expires_ns
				    ? json_string(clock_format(record->lease_expires_ns, text))
				    : json_null());
}

static void set_rates(json_t *object, const struct bng_subscriber *record)
{
	json_object_set_new(object, "rate_up", rate_json(record->rate_up.limit));
	json_object_set_new(object, "rate_down", rate_json(record->rate_down.limit));
	json_set_count(object, "rate_up_drops", record->rate_up_drops);
	json_set_count(object, "rate_down_drops", record->rate_down_drops);
}

/* What is in force: the name, or null. */
static void set_filter(const struct controld *controld, json_t *object, const struct bng_subscriber *record)
{
	const char *name = filter_name(controld->maps, record->filter);

	if (record->filter && !name[0])
		name = "(not configured: nothing passes)";
	json_object_set_new(object, "filter", record->filter ? json_string(name) : json_null());
}

static void set_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, text ? json_sprintf("%s", text) : json_null());
	if (!json_object_get(object, name)) /* no UTF-8 */
		json_object_set_new(object, name, json_string("?"));
}

json_t *session_json(struct controld *controld, const struct session *session)
{
	const struct session_detail *detail = session_detail(controld, session);
	const struct bng_subscriber *record = session->record;
	json_t *object = json_object();

	set_identity(controld, object, record);
	set_text(object, "user", detail ? detail->user : NULL);
	json_set_count(object, "slot", session->slot);
	set_nat(controld, object, record);
	set_times(controld, object, record);
	json_set_count(object, "up_packets", record->up_packets);
	json_set_count(object, "up_bytes", record->up_bytes);
	json_set_count(object, "down_packets", record->down_packets);
	json_set_count(object, "down_bytes", record->down_bytes);
	json_set_count(object, "drop_packets", record->drop_packets);
	set_rates(object, record);
	set_filter(controld, object, record);
	return object;
}

/* ---- All that is known ----------------------------------------------------------------- */

static json_t *bytes_json(const uint8_t *bytes, size_t length)
{
	char *text = bytes ? bytes_format(bytes, length) : NULL;
	json_t *json = text ? json_string(text) : json_null();

	free(text);
	return json;
}

static json_t *time_json(int64_t unix_s)
{
	struct tm tm;
	char text[CLOCK_TEXT];
	time_t time = (time_t)unix_s;

	if (!unix_s || !gmtime_r(&time, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return json_null();
	return json_string(text);
}

static json_t *left_json(uint64_t limit_s, uint64_t passed_s)
{
	if (!limit_s)
		return json_null();
	return json_integer(limit_s > passed_s ? (json_int_t)(limit_s - passed_s) : 0);
}

static json_t *timers_json(const struct controld *controld, const struct session *session,
			   const struct session_detail *detail)
{
	const struct bng_subscriber *record = session->record;
	uint64_t now = clock_boottime_ns(), expires = record->lease_expires_ns;

	return json_pack("{s:o, s:o, s:o}", "session_left_s",
			 left_json(detail->profile.session_timeout_s, session_age_s(session, now)),
			 "idle_left_s",
			 left_json(detail->profile.idle_timeout_s, session_idle_s(controld, session)),
			 "lease_left_s", left_json(expires / 1000000000, now / 1000000000));
}

static json_t *history_json(const struct session_detail *detail)
{
	uint32_t count = detail->event_count < DETAIL_HISTORY ? detail->event_count : DETAIL_HISTORY;
	json_t *array = json_array();

	for (uint32_t i = detail->event_count - count; i != detail->event_count; i++) {
		const struct detail_event *event = &detail->event[i % DETAIL_HISTORY];
		json_t *entry = json_pack("{s:o}", "time", time_json(event->time_s));

		set_text(entry, "text", event->text);
		json_array_append_new(array, entry);
	}
	return array;
}

static void add_all(struct controld *controld, const struct session *session, json_t *object)
{
	const struct session_detail *detail = session_detail(controld, session);
	const struct bng_subscriber *record = session->record;
	char key[SESSION_KEY];

	session_key(record->session_id, key);
	json_object_set_new(object, "acct_session_id", json_string(key));
	json_set_count(object, "pppoe_session", record->pppoe_session);
	json_set_count(object, "mtu", record->mtu);
	if (!detail) {
		json_object_set_new(object, "known", json_false());
		return;
	}
	json_object_set_new(object, "known", json_true());
	set_text(object, "authorised_by", detail->source);
	json_object_set_new(object, "circuit_id",
			    bytes_json(detail->line.circuit_id, detail->line.circuit_id_length));
	json_object_set_new(object, "remote_id",
			    bytes_json(detail->line.remote_id, detail->line.remote_id_length));
	json_object_set_new(object, "profile", profile_json(&detail->profile));
	json_object_set_new(object, "timers", timers_json(controld, session, detail));
	json_object_set_new(object, "accounting",
			    json_pack("{s:I, s:o}", "interim_records",
				      (json_int_t)detail->accounting.sequence, "last_record",
				      time_json(detail->accounting.last_s)));
	json_object_set_new(object, "history", history_json(detail));
}

json_t *session_describe(struct controld *controld, const struct session *session)
{
	json_t *object = session_json(controld, session);

	add_all(controld, session, object);
	return object;
}
