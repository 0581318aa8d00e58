/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What one topic has yet to be told, in order, until it is acknowledged.
 *
 *  1. The first items are in flight, in batches; the others wait.
 *  2. A key that waits has one item: a newer value takes the older one's place, so
 *     the queue is bounded by the keys that change, not by how long the bus is away.
 *  3. Batches are answered in order. When one fails all go back (queue_rewind), and
 *     answers to what was sent before are no longer known: an older value never
 *     comes after a newer one.
 */
#ifndef BNG_SYNC_QUEUE_H
#define BNG_SYNC_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/json_scan.h"

/* error 0: durable; -EINVAL: refused, `reason` says why; -ECANCELED: the client ended. */
typedef void queue_told(void *context, int error, const char *reason);

struct queue_waiter {
	STAILQ_ENTRY(queue_waiter) next;
	queue_told *told;
	void *context;
};

struct queue_item {
	TAILQ_ENTRY(queue_item) next;
	struct queue_item *chain; /* of the newest items with the same hash */
	STAILQ_HEAD(, queue_waiter) waiters;
	bool in_flight;
	char *value; /* JSON; NULL: delete */
	size_t value_length;
	size_t key_length;
	char key[];
};

struct queue_batch {
	STAILQ_ENTRY(queue_batch) next;
	int64_t id; /* of the request */
	size_t count;
};

#define QUEUE_BUCKETS 16384

struct queue {
	char topic[64];
	TAILQ_HEAD(, queue_item) items;
	struct queue_item *first_waiting;
	STAILQ_HEAD(, queue_batch) batches;
	size_t batch_count;
	size_t count; /* items and waiters */
	size_t max;
	struct queue_item *buckets[QUEUE_BUCKETS];
};

void queue_init(struct queue *queue, const char *topic, size_t max);
/* -ENOBUFS: full; -ENOMEM. `told` may be NULL. */
int queue_put(struct queue *queue, struct json_slice key, struct json_slice value, queue_told *told,
	      void *context);
/* The next batch as the line of request `id`; the caller frees it. NULL: nothing
 * waits, or no memory. */
char *queue_take(struct queue *queue, int64_t id, size_t *length);
/* Request `id` was answered for good. False: it is not one of this queue's. */
bool queue_answered(struct queue *queue, int64_t id, int error, const char *reason);
bool queue_sent(const struct queue *queue, int64_t id);
/* What is in flight waits again. */
void queue_rewind(struct queue *queue);
/* Everybody is told -ECANCELED. */
void queue_done(struct queue *queue);

#endif
