/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The topics of the features, on one connection to the bus.
 *
 * What the bus kept is received first, before there is anybody to give it to, and
 * delivered when there is. After that nothing is taken from the bus: controld is the one
 * that writes, and what comes is its own echo.
 */
#include "controld/sync/sync.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/sync/resync.h"
#include "lib/clock.h"
#include "lib/log.h"

#define TOPICS_MAX 8

struct topic {
	struct controld *controld;
	const struct sync_topic *owner;
	json_t *received; /* key -> value, as text: a tree is many times as large; NULL once delivered */
	json_t *written;  /* keys, since this start; NULL once delivered */
	bool is_whole;    /* all was received */
	bool is_other;    /* what is received is of another store than what was delivered */
	uint64_t records;
	uint64_t damaged;
};

struct sync {
	struct sync_client *client;
	struct topic topics[TOPICS_MAX];
	size_t count;
	bool is_delivering; /* there is somebody to deliver to */
};

static struct topic *topic_find(const struct sync *sync, const char *name)
{
	for (size_t i = 0; sync && i < sync->count; i++)
		if (!strcmp(sync->topics[i].owner->name, name))
			return (struct topic *)(uintptr_t)&sync->topics[i];
	return NULL;
}

/* ---- Receiving ------------------------------------------------------------------------ */

static void deliver(struct topic *topic)
{
	json_t *received = topic->received, *written = topic->written, *text;
	const char *key;

	topic->received = topic->written = NULL;
	json_object_foreach(received, key, text)
	{
		if (!topic->owner->record || json_object_get(written, key))
			continue;
		topic->owner->record(topic->controld, key,
				     (struct json_slice){json_string_value(text), json_string_length(text)});
		topic->records++;
	}
	json_decref(received);
	json_decref(written);
	if (topic->owner->synced)
		topic->owner->synced(topic->controld);
}

static void on_begin(void *context, bool snapshot, bool other_store)
{
	struct topic *topic = context;

	if (topic->received && snapshot)
		json_object_clear(topic->received);
	topic->is_other = !topic->received && other_store;
}

static void on_record(void *context, struct json_slice key, int64_t rev, struct json_slice value)
{
	struct topic *topic = context;

	(void)rev;
	if (!topic->received)
		return;
	if (value.text)
		json_object_setn_new_nocheck(topic->received, key.text, key.length,
					     json_stringn_nocheck(value.text, value.length));
	else
		json_object_deln(topic->received, key.text, key.length);
}

/* A bus that was away at the start may come back with another store than it had. */
static bool is_believed(struct topic *topic)
{
	uint64_t records = json_object_size(topic->received) + topic->damaged;
	char why[256];

	if (!topic->owner->believes || topic->owner->believes(topic->controld, records, why, sizeof(why)))
		return true;
	log_error(
		"bngsync is there, but what it kept is not believed: %s. Give it its store back; or, if this "
		"is meant, start bng-controld with --accept-empty",
		why);
	return false;
}

static void on_done(void *context, int64_t revision, int64_t damaged)
{
	struct topic *topic = context;

	(void)revision;
	if (damaged)
		log_error("bngsync: %" PRId64 " records of the topic %s are damaged and left out", damaged,
			  topic->owner->name);
	topic->is_whole = true;
	topic->damaged = (uint64_t)damaged;
	if (topic->received && topic->controld->sync->is_delivering && is_believed(topic)) {
		log_notice("bngsync is there: the topic %s has what it kept", topic->owner->name);
		deliver(topic);
	}
	if (topic->is_other && topic->owner->rewrite) {
		log_warning("bngsync has another store than before: the records of the topic %s are written "
			    "again",
			    topic->owner->name);
		topic->owner->rewrite(topic->controld);
	}
	topic->is_other = false;
}

/* ---- The connection ------------------------------------------------------------------- */

static void on_state(void *context, bool up, const char *reason)
{
	struct controld *controld = context;

	if (up)
		log_info("bngsync takes records");
	else
		log_warning("bngsync takes no records (%s): serving from memory and maps, what changes waits",
			    reason);
	if (controld->ctl && ctl_followed(controld))
		ctl_event(controld,
			  json_pack("{s:s, s:s}", "type", up ? "sync_up" : "sync_away", "reason", reason));
}

static int subscribe(struct controld *controld, struct sync *sync, const struct sync_topic *owner)
{
	struct topic *topic = &sync->topics[sync->count];
	struct sync_subscriber subscriber = {on_begin, on_record, on_done, topic};

	if (sync->count == TOPICS_MAX)
		return -ENOBUFS;
	*topic = (struct topic){
		.controld = controld, .owner = owner, .received = json_object(), .written = json_object()};
	sync->count++;
	return topic->received && topic->written
		       ? sync_subscribe(sync->client, owner->name, &subscriber, NULL, 0)
		       : -ENOMEM;
}

int sync_new(struct controld *controld, const char *path)
{
	struct sync_client_options options = {.path = path, .on_state = on_state, .context = controld};
	struct sync *sync = calloc(1, sizeof(*sync));
	int failure = 0;

	controld->sync = sync;
	if (sync)
		sync->client = sync_client_new(controld->base, &options);
	if (!sync || !sync->client)
		return -ENOMEM;
	for (int i = 0; !failure && bng_features[i]; i++)
		if (bng_features[i]->topic)
			failure = subscribe(controld, sync, bng_features[i]->topic);
	return failure;
}

void sync_free(struct controld *controld)
{
	struct sync *sync = controld->sync;

	if (!sync)
		return;
	sync_client_free(sync->client);
	for (size_t i = 0; i < sync->count; i++) {
		json_decref(sync->topics[i].received);
		json_decref(sync->topics[i].written);
	}
	free(sync);
	controld->sync = NULL;
}

static bool is_whole(const struct sync *sync)
{
	for (size_t i = 0; i < sync->count; i++)
		if (!sync->topics[i].is_whole)
			return false;
	return true;
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	(void)context;
}

bool sync_receive(struct controld *controld, uint32_t quiet_ms)
{
	const struct timeval tick = {.tv_usec = 20000};
	struct sync *sync = controld->sync;
	struct event *timer = event_new(controld->base, -1, EV_PERSIST, on_tick, NULL);
	uint64_t records = 0, heard_ns = clock_boottime_ns();
	const struct sync_client_status *status = sync_client_status(sync->client);

	if (timer)
		event_add(timer, &tick);
	while (!is_whole(sync)) {
		event_base_loop(controld->base, EVLOOP_ONCE);
		status = sync_client_status(sync->client);
		if (status->attempts && !status->connected)
			break;
		if (status->records != records) {
			records = status->records;
			heard_ns = clock_boottime_ns();
		}
		if (clock_boottime_ns() - heard_ns > quiet_ms * 1000000ULL)
			break;
	}
	if (timer)
		event_free(timer);
	return is_whole(sync);
}

bool sync_received_count(const struct controld *controld, const char *name, uint64_t *count)
{
	const struct topic *topic = topic_find(controld->sync, name);

	if (!topic || !topic->is_whole)
		return false;
	*count = json_object_size(topic->received) + topic->damaged;
	return true;
}

json_t *sync_received(const struct controld *controld, const char *name, const char *key)
{
	const struct topic *topic = topic_find(controld->sync, name);
	const json_t *text = topic && topic->is_whole ? json_object_get(topic->received, key) : NULL;

	return text ? json_loadb(json_string_value(text), json_string_length(text), 0, NULL) : NULL;
}

uint64_t sync_deliver(struct controld *controld)
{
	struct sync *sync = controld->sync;
	uint64_t records = 0;

	sync->is_delivering = true;
	for (size_t i = 0; i < sync->count; i++) {
		if (sync->topics[i].is_whole)
			deliver(&sync->topics[i]);
		records += sync->topics[i].records;
	}
	return records;
}

/* ---- For the features ----------------------------------------------------------------- */

static int put(struct controld *controld, const char *name, const char *key, struct json_slice value,
	       sync_acknowledged *done, void *context)
{
	struct topic *topic = topic_find(controld->sync, name);
	int failure;

	if (!topic)
		return -ENOTCONN;
	failure = sync_publish(controld->sync->client, name, key, value, done, context);
	if (!failure && topic->written)
		json_object_set_new(topic->written, key, json_true());
	return failure;
}

int sync_put(struct controld *controld, const char *topic, const char *key, json_t *value,
	     sync_acknowledged *done, void *context)
{
	char *text = json_dumps(value, JSON_COMPACT);
	int failure = text ? put(controld, topic, key, (struct json_slice){text, strlen(text)}, done, context)
			   : -ENOMEM;

	free(text);
	json_decref(value);
	return failure;
}

int sync_delete(struct controld *controld, const char *topic, const char *key, sync_acknowledged *done,
		void *context)
{
	return put(controld, topic, key, (struct json_slice){NULL, 0}, done, context);
}

bool sync_is_up(const struct controld *controld)
{
	return controld->sync && sync_client_status(controld->sync->client)->up;
}

uint64_t sync_store_room(const struct controld *controld)
{
	const struct sync_client_status *status =
		controld->sync ? sync_client_status(controld->sync->client) : NULL;

	if (!status)
		return 0;
	return status->max_bytes && status->max_bytes < status->disk_bytes ? status->max_bytes
									   : status->disk_bytes;
}

size_t sync_waiting(const struct controld *controld)
{
	return controld->sync ? sync_client_status(controld->sync->client)->queued : 0;
}

bool sync_topic_is_synced(const struct controld *controld, const char *name)
{
	const struct topic *topic = topic_find(controld->sync, name);

	return topic && !topic->received;
}

json_t *sync_json(const struct controld *controld)
{
	struct sync *sync = controld->sync;
	const struct sync_client_status *status = sync_client_status(sync->client);
	bool is_synced = true;

	for (size_t i = 0; i < sync->count; i++)
		is_synced = is_synced && !sync->topics[i].received;
	return json_pack("{s:b, s:b, s:s, s:I}", "up", status->up, "synced", is_synced, "reason",
			 status->up ? "" : status->reason, "waiting", (json_int_t)status->queued);
}
