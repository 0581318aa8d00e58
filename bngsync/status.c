/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * sync.status: what is stored, who reads it and how far behind, what went wrong.
 */
#include <unistd.h>

#include "bngsync/sync.h"
#include "lib/clock.h"

static json_t *store_status(struct sync *sync)
{
	static const struct store_facts none = {.state = "closed"};
	const struct store_facts *facts = sync->failure.code ? &none : store_facts(sync->topics.store);
	const char *error = sync->failure.code ? sync->failure.text : facts->error;
	return json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "file",
			 sync->options.store, "state", facts->state, "id", facts->id, "error",
			 error[0] ? rpc_text(error) : json_null(), "bytes", (json_int_t)facts->bytes,
			 "max_bytes", (json_int_t)sync->options.max_bytes, "disk_bytes",
			 (json_int_t)facts->disk_bytes, "disk_free", (json_int_t)facts->disk_free, "commits",
			 (json_int_t)facts->commits, "rows_written", (json_int_t)facts->rows_written,
			 "errors", (json_int_t)facts->errors, "damaged", (json_int_t)facts->damaged,
			 "foreign", (json_int_t)facts->foreign);
}

static json_t *topics_status(const struct topics *topics)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < TOPIC_COUNT; i++) {
		const struct topic *topic = &topics->list[i];
		json_array_append_new(
			list, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "name", topic->name, "revision",
					(json_int_t)topic->revision, "floor", (json_int_t)topic->floor,
					"records", (json_int_t)topic->records, "tombstones",
					(json_int_t)topic->tombstones, "bytes", (json_int_t)topic->bytes));
	}
	return list;
}

static json_t *subscribers_status(const struct subscribers *subscribers)
{
	json_t *list = json_array();
	const struct subscriber *at;
	LIST_FOREACH(at, &subscribers->list, next)
	json_array_append_new(list,
			      json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:b, s:I, s:I}", "topic",
					at->topic->name, "pid", (int)rpc_peer_credentials(at->peer)->pid,
					"state", subscriber_state(at), "revision", (json_int_t)at->cursor,
					"lag", (json_int_t)(at->topic->revision - at->cursor), "unsent",
					(json_int_t)rpc_peer_unsent(at->peer), "paused", at->paused, "pauses",
					(json_int_t)at->pauses, "fallbacks", (json_int_t)at->fallbacks));
	return list;
}

json_t *sync_status(struct sync *sync)
{
	char started[CLOCK_TEXT];
	return json_pack("{s:s, s:i, s:s, s:I, s:o, s:o, s:o}", "version", BNG_VERSION, "pid", (int)getpid(),
			 "started", clock_format(sync->started_ns, started), "uptime_ns",
			 (json_int_t)(clock_boottime_ns() - sync->started_ns), "store", store_status(sync),
			 "topics", topics_status(&sync->topics), "subscribers",
			 subscribers_status(&sync->subscribers));
}
