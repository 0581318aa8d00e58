/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The bus from a program's side, on its libevent loop. It connects, and connects
 * again when it must; what was published waits meanwhile, and subscriptions go on
 * from the revision they had. Nothing here blocks.
 *
 * Callbacks may call anything here but sync_client_free().
 */
#ifndef BNG_SYNC_CLIENT_H
#define BNG_SYNC_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json_scan.h"

#define SYNC_ATTEMPTS_KEPT 64

struct sync_client;

struct sync_client_options {
	const char *path;  /* of the socket */
	size_t queue_max;  /* records (and callbacks) of one topic that wait; 0: 131072 */
	uint32_t base_ms;  /* of the pauses between attempts; 0: 50 */
	uint32_t cap_ms;   /* 0: 5000 */
	uint32_t quiet_ms; /* given up when an answer takes longer; 0: 30000 */
	/* May be NULL: whether records become durable now, and if not, why. */
	void (*on_state)(void *context, bool up, const char *reason);
	void *context;
};

struct sync_client *sync_client_new(struct event_base *base, const struct sync_client_options *options);
/* Whoever waits for an acknowledgement is told -ECANCELED. */
void sync_client_free(struct sync_client *client);
/* Whether the server is to stop sending: the rest waits there. */
void sync_client_pause(struct sync_client *client, bool paused);

/* ---- Publishing --------------------------------------------------------------- */

/* error 0: durable (this value or a newer one of the key); -EINVAL: refused, and
 * `reason` says why; -ECANCELED. A full or broken store is no error: it waits. */
typedef void sync_acknowledged(void *context, int error, const char *reason);

/* `value`: a JSON object as text, copied; text NULL: delete the key. `done` may be NULL.
 * 0; -EINVAL: topic, key or value are not what the bus takes; -ENOBUFS: too much waits. */
int sync_publish(struct sync_client *client, const char *topic, const char *key, struct json_slice value,
		 sync_acknowledged *done, void *context);

/* ---- Subscribing -------------------------------------------------------------- */

struct sync_subscriber {
	/* What follows is everything (snapshot), or what changed. `other_store`: not the
	 * store of last time: that it lacks something means nothing. */
	void (*on_begin)(void *context, bool snapshot, bool other_store);
	/* `value`, text NULL: deleted; valid during the call. */
	void (*on_record)(void *context, struct json_slice key, int64_t rev, struct json_slice value);
	/* Up to date: after a snapshot, what was not told is not there, unless records
	 * are damaged. What comes from now on is live. */
	void (*on_done)(void *context, int64_t revision, int64_t damaged);
	void *context;
};

/* Once for a topic. `store` and `since`: what on_done said last time (in another
 * life of this process); NULL: from the beginning. */
int sync_subscribe(struct sync_client *client, const char *topic, const struct sync_subscriber *subscriber,
		   const char *store, int64_t since);

/* ---- What it does ---------------------------------------------------------------- */

struct sync_client_status {
	bool connected;
	bool up; /* and the bus takes records */
	char reason[256];
	uint64_t attempts;                   /* to connect */
	uint64_t due_ns[SYNC_ATTEMPTS_KEPT]; /* boottime; 0: at once; attempt n at n % KEPT, from 0 */
	size_t queued;                       /* also in flight */
	uint64_t acknowledged;               /* batches */
	uint64_t retried;                    /* answers that said: later */
	uint64_t records;                    /* received */
	uint64_t snapshots;
	/* What the bus said of its store last. */
	uint64_t disk_bytes; /* of the disk that holds it; 0: not told yet */
	uint64_t max_bytes;  /* that it may grow to; 0: no limit */
};

const struct sync_client_status *sync_client_status(struct sync_client *client);
/* Where a topic's subscription stands: -1 before the first on_done; else the revision,
 * and *store says of which store. */
int64_t sync_client_revision(const struct sync_client *client, const char *topic, const char **store);

#endif
