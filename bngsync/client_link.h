/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One connection to the server, line by line, on a libevent loop.
 */
#ifndef BNG_SYNC_CLIENT_LINK_H
#define BNG_SYNC_CLIENT_LINK_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/rpc_wire.h"

struct link;

/* -errno: the connection is useless. */
typedef int link_line(void *context, const char *line, size_t length);
typedef void link_ended(void *context, int error);

struct link {
	int fd;
	struct event *readable;
	struct event *writable;
	struct rpc_reader reader;
	char *out;
	size_t out_start;
	size_t out_end;
	size_t out_capacity;
	bool paused;
	link_line *on_line;
	link_ended *on_ended; /* may call link_close */
	void *context;
};

/* 0 or -errno; connecting to a Unix socket is done at once or not at all. */
int link_open(struct link *link, struct event_base *base, const char *path);
void link_close(struct link *link);
/* Takes `line`. -ENOMEM. */
int link_send(struct link *link, char *line, size_t length);
void link_pause(struct link *link, bool paused);

#endif
