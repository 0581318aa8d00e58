/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The client between its parts: client.c (connecting, asking) and client_read.c
 * (what the server says).
 */
#ifndef BNG_SYNC_CLIENT_STATE_H
#define BNG_SYNC_CLIENT_STATE_H

#include <sys/queue.h>

#include "bngsync/backoff.h"
#include "bngsync/client.h"
#include "bngsync/client_link.h"
#include "bngsync/queue.h"

#define SYNC_STORE_TEXT 64

struct subscription {
	LIST_ENTRY(subscription) next;
	char topic[64];
	char store[SYNC_STORE_TEXT]; /* "": none yet */
	int64_t revision;            /* told everything up to here; -1: never */
	int64_t asked;               /* id of the request that waits for its answer; 0: none */
	bool subscribed;
	bool walking;  /* between on_begin and on_done */
	bool snapshot; /* of that walk */
	struct sync_subscriber subscriber;
};

struct topic_queue {
	LIST_ENTRY(topic_queue) next;
	struct queue queue;
};

struct sync_client {
	struct event_base *base;
	struct sync_client_options options;
	char *path;
	struct link link;
	struct backoff backoff;
	struct event *again; /* connect, or ask again what was refused for now */
	uint64_t due_ns;     /* when to connect again, boottime; 0: at once */
	struct event *send;
	struct event *quiet;
	bool heard;   /* since `quiet` last looked */
	bool holding; /* the server said: later */
	int64_t last_id;
	LIST_HEAD(, subscription) subscriptions;
	LIST_HEAD(, topic_queue) queues;
	struct sync_client_status status;
};

/* client.c */
void client_state(struct sync_client *client, bool up, const char *reason);
/* Asks again later; the connection stays. */
void client_hold(struct sync_client *client, const char *reason);
void client_worked(struct sync_client *client);

/* client_read.c: 0 or -errno, then the connection is of no use. */
int client_line(void *context, const char *line, size_t length);

#endif
