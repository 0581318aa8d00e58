/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Group commit: what was asked for while the store was busy, or in one turn of the
 * loop, becomes one batch. A batch that is refused is tried again call by call, so
 * that one too large for what is left does not take the others with it.
 *
 * Calls become durable in the order they came; a call is whole or not at all.
 */
#ifndef BNG_SYNC_WRITER_H
#define BNG_SYNC_WRITER_H

#include <event2/event.h>

#include "bngsync/changes.h"
#include "bngsync/topics.h"

/* What became of a call: NULL: durable, and the topic's revision is `revision`. */
typedef void writer_done(void *context, const struct problem *problem, int64_t revision);

struct writer_job {
	STAILQ_ENTRY(writer_job) next;
	struct topic *topic;
	struct changes changes; /* the text it points to is the caller's until `done` */
	writer_done *done;
	void *context;
	bool alone; /* was in a batch that was refused */
};

STAILQ_HEAD(writer_jobs, writer_job);

struct writer {
	struct topics *topics;
	struct event *flush;
	struct writer_jobs waiting;
	struct writer_jobs writing; /* in the store now */
	struct store_row *rows;     /* of those */
	size_t row_count;
	size_t row_capacity;
	void (*changed)(void *context); /* records have changed */
	void *context;
};

int writer_init(struct writer *writer, struct event_base *base, struct topics *topics,
		void (*changed)(void *context), void *context);
/* Takes the changes, also when it says -ENOMEM. */
int writer_add(struct writer *writer, struct topic *topic, struct changes *changes, writer_done *done,
	       void *context);
/* Every waiting call is refused with this problem. */
void writer_refuse_all(struct writer *writer, const struct problem *problem);
void writer_done_all(struct writer *writer);

#endif
