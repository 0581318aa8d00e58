/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Each turn every subscriber that may be told something gets up to a share, then
 * the sockets are looked at again.
 */
#include "bngsync/subscriber.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (64u << 10)  /* of records in one line */
#define TURN_BYTES  (512u << 10) /* to one subscriber in one turn */

static void on_turn(evutil_socket_t fd, short events, void *context);

int subscribers_init(struct subscribers *subscribers, struct event_base *base, struct topics *topics)
{
	*subscribers = (struct subscribers){.topics = topics};
	LIST_INIT(&subscribers->list);
	subscribers->turn = event_new(base, -1, 0, on_turn, subscribers);
	return subscribers->turn ? 0 : -ENOMEM;
}

void subscribers_done(struct subscribers *subscribers)
{
	while (!LIST_EMPTY(&subscribers->list))
		unsubscribe(subscribers, LIST_FIRST(&subscribers->list)->peer);
	if (subscribers->turn)
		event_free(subscribers->turn);
	free(subscribers->chunk.line);
}

/* A timer, so that the sockets come between two turns. */
void subscribers_wake(struct subscribers *subscribers)
{
	static const struct timeval now = {0};
	if (!LIST_EMPTY(&subscribers->list))
		event_add(subscribers->turn, &now);
}

void unsubscribe(struct subscribers *subscribers, const struct rpc_peer *peer)
{
	struct subscriber *at = LIST_FIRST(&subscribers->list), *next;
	for (; at; at = next) {
		next = LIST_NEXT(at, next);
		if (at->peer == peer) {
			LIST_REMOVE(at, next);
			free(at);
		}
	}
}

static struct subscriber *find(const struct subscribers *subscribers, const struct rpc_peer *peer,
			       const struct topic *topic)
{
	struct subscriber *at;
	LIST_FOREACH(at, &subscribers->list, next)
	if (at->peer == peer && at->topic == topic)
		return at;
	return NULL;
}

static void begin_snapshot(struct subscriber *subscriber)
{
	subscriber->walk = WALK_SNAPSHOT;
	subscriber->cursor = 0;
	subscriber->begin = subscriber->topic->revision;
}

const struct subscriber *subscribe(struct subscribers *subscribers, struct rpc_peer *peer,
				   struct topic *topic, int64_t since)
{
	struct subscriber *subscriber = find(subscribers, peer, topic);
	if (!subscriber) {
		subscriber = calloc(1, sizeof(*subscriber));
		if (!subscriber)
			return NULL;
		subscriber->peer = peer;
		subscriber->topic = topic;
		LIST_INSERT_HEAD(&subscribers->list, subscriber, next);
	}
	if (since < topic->floor || since > topic->revision) {
		begin_snapshot(subscriber);
	} else {
		subscriber->walk = WALK_DELTA;
		subscriber->cursor = since;
		subscriber->begin = 0;
	}
	subscribers_wake(subscribers);
	return subscriber;
}

void subscribers_drained(struct subscribers *subscribers, const struct rpc_peer *peer)
{
	struct subscriber *at;
	LIST_FOREACH(at, &subscribers->list, next)
	if (at->peer == peer)
		at->paused = false;
	subscribers_wake(subscribers);
}

const char *subscriber_state(const struct subscriber *subscriber)
{
	static const char *const states[] = {
		[WALK_SNAPSHOT] = "snapshot", [WALK_DELTA] = "delta", [WALK_DONE] = "live"};
	return states[subscriber->walk];
}

/* ---- Lines ------------------------------------------------------------------- */

static bool reserve(struct chunk *chunk, size_t more)
{
	if (chunk->length + more <= chunk->capacity)
		return true;
	size_t capacity = (chunk->length + more) * 2;
	char *line = realloc(chunk->line, capacity);
	if (!line)
		return false;
	chunk->line = line;
	chunk->capacity = capacity;
	return true;
}

static bool append(struct chunk *chunk, const void *data, size_t length)
{
	if (!reserve(chunk, length))
		return false;
	memcpy(chunk->line + chunk->length, data, length);
	chunk->length += length;
	return true;
}

__attribute__((format(printf, 2, 3))) static bool append_text(struct chunk *chunk, const char *format, ...)
{
	char text[256];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	return append(chunk, text, (size_t)length);
}

/* Keys need no escapes, values are JSON already (bngsync/changes.h). */
static bool append_record(struct chunk *chunk, const struct record *record, bool first)
{
	static const struct json_slice null = {"null", 4};
	struct json_slice value = record->value.text ? record->value : null;
	return append_text(chunk, "%s{\"key\":\"", first ? "" : ",") &&
	       append(chunk, record->key.text, record->key.length) &&
	       append_text(chunk, "\",\"rev\":%" PRId64 ",\"value\":", record->rev) &&
	       append(chunk, value.text, value.length) && append_text(chunk, "}");
}

/* The records behind `from`, up to a chunk; no deletions up to `skip`. False: out of
 * memory. A chunk without records has length 0, and says how far there are none. */
static bool chunk_build(struct chunk *chunk, const struct topic *topic, int64_t from, int64_t skip)
{
	if (chunk->topic == topic && chunk->from == from && chunk->skip == skip &&
	    chunk->revision == topic->revision)
		return true;
	chunk->topic = NULL;
	chunk->length = 0;
	chunk->to = from;
	bool ok = append_text(chunk,
			      "{\"jsonrpc\":\"2.0\",\"method\":\"sync.records\",\"params\":{\"topic\":\"%s\","
			      "\"records\":[",
			      topic->name);
	const struct record *record;
	size_t count = 0;
	while (ok && chunk->length < CHUNK_BYTES && (record = topic_after(topic, chunk->to))) {
		chunk->to = record->rev;
		if (record->value.text || record->rev > skip)
			ok = append_record(chunk, record, !count++);
	}
	ok = ok && append_text(chunk, "],\"revision\":%" PRId64 "}}\n", chunk->to);
	if (!count)
		chunk->length = 0;
	chunk->topic = ok ? topic : NULL;
	chunk->from = from;
	chunk->skip = skip;
	chunk->revision = topic->revision;
	return ok;
}

/* ---- Telling ------------------------------------------------------------------- */

/* A line with the topic, its store, its revision; returns its length. */
static size_t tell(struct subscribers *subscribers, const struct subscriber *subscriber, const char *method)
{
	const struct store_facts *facts = store_facts(subscribers->topics->store);
	char *line = NULL;
	int length = asprintf(&line,
			      "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{\"topic\":\"%s\",\"store\":"
			      "\"%s\",\"revision\":%" PRId64 ",\"damaged\":%zu}}\n",
			      method, subscriber->topic->name, facts->id, subscriber->topic->revision,
			      facts->damaged);
	rpc_notify_line(subscriber->peer, length < 0 ? NULL : line, length < 0 ? 0 : (size_t)length);
	return length < 0 ? 0 : (size_t)length;
}

static bool fell_behind(const struct subscriber *subscriber)
{
	return subscriber->topic->floor > subscriber->cursor && subscriber->topic->floor > subscriber->begin;
}

/* One line, if there is anything to say; bytes said, 0: it knows everything. */
static size_t tell_next(struct subscribers *subscribers, struct subscriber *subscriber)
{
	struct chunk *chunk = &subscribers->chunk;
	if (fell_behind(subscriber)) {
		begin_snapshot(subscriber);
		subscriber->fallbacks++;
		return tell(subscribers, subscriber, "sync.snapshot");
	}
	int64_t skip = subscriber->begin > subscriber->cursor ? subscriber->begin : 0;
	bool ok = chunk_build(chunk, subscriber->topic, subscriber->cursor, skip);
	char *copy = ok && chunk->length ? malloc(chunk->length) : NULL;
	if (!ok || (chunk->length && !copy)) {
		rpc_notify_line(subscriber->peer, NULL, 0); /* cut off: it connects again */
		return 0;
	}
	subscriber->cursor = chunk->to;
	if (copy) {
		memcpy(copy, chunk->line, chunk->length);
		rpc_notify_line(subscriber->peer, copy, chunk->length);
		return chunk->length;
	}
	if (subscriber->walk == WALK_DONE)
		return 0;
	subscriber->walk = WALK_DONE;
	return tell(subscribers, subscriber, "sync.snapshot_done");
}

/* Whether there is more to say at once. */
static bool serve(struct subscribers *subscribers, struct subscriber *subscriber)
{
	for (size_t told = 0; told < TURN_BYTES;) {
		if (subscriber->paused)
			return false;
		size_t bytes = tell_next(subscribers, subscriber);
		if (!bytes)
			return false;
		told += bytes;
		if (rpc_peer_unsent(subscriber->peer) > SUBSCRIBER_HIGH) {
			subscriber->paused = true;
			subscriber->pauses++;
		}
	}
	return true;
}

static void on_turn(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct subscribers *subscribers = context;
	struct subscriber *at;
	bool more = false;
	LIST_FOREACH(at, &subscribers->list, next)
	more = serve(subscribers, at) || more;
	if (more)
		subscribers_wake(subscribers);
}
