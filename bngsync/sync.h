/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The daemon: one loop, one store, one socket. While the store cannot be opened it
 * answers sync.status, says why to everything else, and tries again.
 */
#ifndef BNG_SYNC_SYNC_H
#define BNG_SYNC_SYNC_H

#include "bngsync/subscriber.h"
#include "bngsync/writer.h"
#include "lib/rpc.h"

#define SYNC_TOMBSTONES_MAX 16384

struct sync_options {
	const char *socket;
	const char *store;
	gid_t group;
	uint64_t max_bytes;    /* of the store; 0: no limit */
	size_t tombstones_max; /* of one topic; 0: SYNC_TOMBSTONES_MAX */
};

struct sync {
	struct sync_options options;
	struct event_base *base;
	struct rpc_server *server;
	struct topics topics;
	struct writer writer;
	struct subscribers subscribers;
	struct problem failure; /* why the store is not open; code 0: it is */
	struct event *retry;
	unsigned retries;
	int64_t seen_ctime_ns; /* of the file, when it was refused */
	uint64_t started_ns;
};

/* 0 or -errno and a line in the log. */
int sync_start(struct sync *sync, struct event_base *base, const struct sync_options *options);
void sync_stop(struct sync *sync);

/* In server.c and status.c: */
int sync_listen(struct sync *sync);
json_t *sync_status(struct sync *sync);

#endif
