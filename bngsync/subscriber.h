/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who wants a topic, and how far each has got. A subscriber is a cursor: a revision
 * up to which it was told everything. There is no queue for it, so one that reads
 * slowly or not at all costs nothing and holds up nobody; it is told the latest of
 * what it missed when it reads again.
 *
 * A snapshot is a walk from revision 0, a delta one from where the reader was; both
 * end with sync.snapshot_done and go on as they are, live. A cursor that the topic's
 * floor has overtaken starts again with a snapshot.
 */
#ifndef BNG_SYNC_SUBSCRIBER_H
#define BNG_SYNC_SUBSCRIBER_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>

#include "bngsync/topics.h"
#include "lib/rpc.h"

/* A subscriber with more than HIGH bytes unsent is told nothing until LOW are left. */
#define SUBSCRIBER_HIGH (1u << 20)
#define SUBSCRIBER_LOW  (256u << 10)

enum subscriber_walk { WALK_SNAPSHOT, WALK_DELTA, WALK_DONE };

struct subscriber {
	LIST_ENTRY(subscriber) next;
	struct rpc_peer *peer;
	struct topic *topic;
	int64_t cursor;
	int64_t begin; /* of a snapshot: the topic's revision then; older deletions concern nobody */
	enum subscriber_walk walk;
	bool paused; /* above the high mark */
	uint64_t pauses;
	uint64_t fallbacks; /* snapshots because it was too far behind */
};

struct chunk {
	char *line;
	size_t length;
	size_t capacity;
	const struct topic *topic; /* what it was made of; NULL: nothing */
	int64_t from;
	int64_t skip;
	int64_t revision; /* of the topic */
	int64_t to;
};

struct subscribers {
	struct topics *topics;
	struct event *turn;
	LIST_HEAD(, subscriber) list;
	struct chunk chunk; /* the last one: others often want the same */
};

int subscribers_init(struct subscribers *subscribers, struct event_base *base, struct topics *topics);
void subscribers_done(struct subscribers *subscribers);
/* From now on `peer` is told of the topic. `since` < 0: from the beginning. One
 * that subscribed already starts again. NULL: out of memory. */
const struct subscriber *subscribe(struct subscribers *subscribers, struct rpc_peer *peer,
				   struct topic *topic, int64_t since);
void unsubscribe(struct subscribers *subscribers, const struct rpc_peer *peer);
/* Records have changed. */
void subscribers_wake(struct subscribers *subscribers);
/* The peer has read down to the low mark. */
void subscribers_drained(struct subscribers *subscribers, const struct rpc_peer *peer);
const char *subscriber_state(const struct subscriber *subscriber);

#endif
