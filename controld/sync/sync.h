/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * controld's records on the bus (bngsync): who owns a topic registers it, is given what
 * the bus kept, and writes to it from then on. controld is the only writer of its topics.
 *
 * A bus that is away stops nothing: what is written waits, in order for each key, and
 * what it kept comes late.
 */
#ifndef BNG_CONTROLD_SYNC_H
#define BNG_CONTROLD_SYNC_H

#include <jansson.h>
#include <stdbool.h>

#include "bngsync/client.h"

struct controld;

/* A member of struct bng_feature. */
struct sync_topic {
	const char *name;
	/* What the bus kept (an object), once for each key, never what we wrote since this
	 * start. After every feature's init. `value` is valid during the call. NULL: nobody is
	 * given it; sync_received has it. */
	void (*record)(struct controld *controld, const char *key, struct json_slice value);
	/* That was all of it. Called once: before the configuration is applied, or later
	 * when the bus was away then. May be NULL. */
	void (*synced)(struct controld *controld);
	/* The bus has an empty store now, or another one: everything that is to be kept is to
	 * be written again. May be NULL. */
	void (*rewrite)(struct controld *controld);
	/* Whether so many records can be all that there were; if not, why: none is delivered
	 * then. Asked when the bus comes late. NULL: yes. */
	bool (*believes)(struct controld *controld, uint64_t records, char *why, size_t why_size);
};

/* The value becomes durable (steals it); `done`, which may be NULL, is told when, and is
 * never called before this returns. A later value of the same key may take this one's place;
 * `done` is told then too. 0; -ENOBUFS: too much waits; -ENOTCONN: there is no bus at all; -ENOMEM;
 * -EINVAL. */
int sync_put(struct controld *controld, const char *topic, const char *key, json_t *value,
	     sync_acknowledged *done, void *context);
int sync_delete(struct controld *controld, const char *topic, const char *key, sync_acknowledged *done,
		void *context);
/* Whether what is written becomes durable now. */
bool sync_is_up(const struct controld *controld);
/* Of the disk that holds the bus's store, or as large as that may grow, in bytes; 0: not told yet. */
uint64_t sync_store_room(const struct controld *controld);
/* How much is not durable yet. */
size_t sync_waiting(const struct controld *controld);
/* Whether `synced` was called: before, a key that is not known may be on the bus. */
bool sync_topic_is_synced(const struct controld *controld, const char *topic);

#endif
