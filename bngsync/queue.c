/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One list in order and a hash of each key's newest item.
 */
#include "bngsync/queue.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_ITEMS  4096
#define BATCH_BYTES  (2u << 20)
#define RECORD_EXTRA 24 /* {"key":"","value":null}, */
#define HEAD_TEXT    256

void queue_init(struct queue *queue, const char *topic, size_t max)
{
	memset(queue, 0, sizeof(*queue));
	snprintf(queue->topic, sizeof(queue->topic), "%s", topic);
	queue->max = max;
	TAILQ_INIT(&queue->items);
	STAILQ_INIT(&queue->batches);
}

/* Where the pointer to the key's newest item is, or would be. */
static struct queue_item **place_of(struct queue *queue, const char *key, size_t length)
{
	uint64_t hash = 14695981039346656037u;
	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)key[i]) * 1099511628211u;
	struct queue_item **at = &queue->buckets[(hash ^ hash >> 32) % QUEUE_BUCKETS];
	while (*at && ((*at)->key_length != length || memcmp((*at)->key, key, length) != 0))
		at = &(*at)->chain;
	return at;
}

static int add_waiter(struct queue *queue, struct queue_item *item, queue_told *told, void *context)
{
	struct queue_waiter *waiter = told ? malloc(sizeof(*waiter)) : NULL;
	if (!told)
		return 0;
	if (!waiter)
		return -ENOMEM;
	*waiter = (struct queue_waiter){.told = told, .context = context};
	STAILQ_INSERT_TAIL(&item->waiters, waiter, next);
	queue->count++;
	return 0;
}

static struct queue_item *item_new(struct json_slice key)
{
	struct queue_item *item = calloc(1, sizeof(*item) + key.length);
	if (!item)
		return NULL;
	STAILQ_INIT(&item->waiters);
	item->key_length = key.length;
	memcpy(item->key, key.text, key.length);
	return item;
}

static void append_item(struct queue *queue, struct queue_item **at, struct queue_item *item)
{
	item->chain = *at ? (*at)->chain : NULL;
	*at = item;
	TAILQ_INSERT_TAIL(&queue->items, item, next);
	queue->first_waiting = queue->first_waiting ? queue->first_waiting : item;
	queue->count++;
}

int queue_put(struct queue *queue, struct json_slice key, struct json_slice value, queue_told *told,
	      void *context)
{
	struct queue_item **at = place_of(queue, key.text, key.length);
	bool added = !*at || (*at)->in_flight;
	if (queue->count + added + (told != NULL) > queue->max)
		return -ENOBUFS;
	struct queue_item *item = added ? item_new(key) : *at;
	char *copy = value.text ? malloc(value.length) : NULL;
	if (!item || (value.text && !copy) || add_waiter(queue, item, told, context)) {
		if (added)
			free(item);
		free(copy);
		return -ENOMEM;
	}
	if (copy)
		memcpy(copy, value.text, value.length);
	free(item->value);
	item->value = copy;
	item->value_length = copy ? value.length : 0;
	if (added)
		append_item(queue, at, item);
	return 0;
}

/* ---- Sending ------------------------------------------------------------------ */

static size_t choose(const struct queue *queue, size_t *count)
{
	size_t bytes = 0;
	*count = 0;
	for (const struct queue_item *item = queue->first_waiting;
	     item && *count < BATCH_ITEMS && bytes < BATCH_BYTES; item = TAILQ_NEXT(item, next)) {
		bytes += RECORD_EXTRA + item->key_length + item->value_length;
		(*count)++;
	}
	return bytes;
}

static char *put_text(char *at, const char *text, size_t length)
{
	memcpy(at, text, length);
	return at + length;
}

static char *put_record(char *at, const struct queue_item *item, bool last)
{
	at = put_text(at, "{\"key\":\"", 8);
	at = put_text(at, item->key, item->key_length);
	at = put_text(at, "\",\"value\":", 10);
	at = item->value ? put_text(at, item->value, item->value_length) : put_text(at, "null", 4);
	return put_text(at, last ? "}" : "},", last ? 1 : 2);
}

char *queue_take(struct queue *queue, int64_t id, size_t *length)
{
	size_t count, bytes = choose(queue, &count);
	struct queue_batch *batch = count ? malloc(sizeof(*batch)) : NULL;
	char *line = batch ? malloc(HEAD_TEXT + bytes) : NULL;
	if (!line) {
		free(batch);
		return NULL;
	}
	char *at = line + snprintf(line, HEAD_TEXT,
				   "{\"jsonrpc\":\"2.0\",\"id\":%" PRId64 ",\"method\":\"sync.publish\","
				   "\"params\":{\"topic\":\"%s\",\"records\":[",
				   id, queue->topic);
	for (size_t i = 0; i < count; i++) {
		queue->first_waiting->in_flight = true;
		at = put_record(at, queue->first_waiting, i == count - 1);
		queue->first_waiting = TAILQ_NEXT(queue->first_waiting, next);
	}
	at = put_text(at, "]}}\n", 4);
	*length = (size_t)(at - line);
	*batch = (struct queue_batch){.id = id, .count = count};
	STAILQ_INSERT_TAIL(&queue->batches, batch, next);
	queue->batch_count++;
	return line;
}

/* ---- Answers ------------------------------------------------------------------ */

/* Takes the first item out, then tells who waits: they may put more. */
static void finish_first(struct queue *queue, int error, const char *reason)
{
	struct queue_item *item = TAILQ_FIRST(&queue->items);
	struct queue_item **at = place_of(queue, item->key, item->key_length);
	struct queue_waiter *waiter;
	if (*at == item)
		*at = item->chain;
	if (queue->first_waiting == item)
		queue->first_waiting = TAILQ_NEXT(item, next);
	TAILQ_REMOVE(&queue->items, item, next);
	queue->count--;
	while ((waiter = STAILQ_FIRST(&item->waiters))) {
		STAILQ_REMOVE_HEAD(&item->waiters, next);
		queue->count--;
		waiter->told(waiter->context, error, reason);
		free(waiter);
	}
	free(item->value);
	free(item);
}

static void drop_batch(struct queue *queue)
{
	struct queue_batch *batch = STAILQ_FIRST(&queue->batches);
	STAILQ_REMOVE_HEAD(&queue->batches, next);
	queue->batch_count--;
	free(batch);
}

bool queue_sent(const struct queue *queue, int64_t id)
{
	const struct queue_batch *batch = STAILQ_FIRST(&queue->batches);
	return batch && batch->id == id;
}

bool queue_answered(struct queue *queue, int64_t id, int error, const char *reason)
{
	if (!queue_sent(queue, id))
		return false;
	size_t count = STAILQ_FIRST(&queue->batches)->count;
	drop_batch(queue);
	while (count--)
		finish_first(queue, error, reason);
	return true;
}

void queue_rewind(struct queue *queue)
{
	struct queue_item *item;
	while (queue->batch_count)
		drop_batch(queue);
	TAILQ_FOREACH(item, &queue->items, next)
	{
		if (!item->in_flight)
			break;
		item->in_flight = false;
	}
	queue->first_waiting = TAILQ_FIRST(&queue->items);
}

void queue_done(struct queue *queue)
{
	queue_rewind(queue);
	while (!TAILQ_EMPTY(&queue->items))
		finish_first(queue, -ECANCELED, "the client ended");
}
