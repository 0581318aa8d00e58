/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * waiting -> writing -> answered. The event runs after all sockets that were ready
 * in this turn of the loop, and again while something waits.
 */
#include "bngsync/writer.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/log.h"
#include "lib/rpc.h"

#define BATCH_ROWS 8192 /* one transaction; bounds how long the loop is away */

static void on_flush(evutil_socket_t fd, short events, void *context);

int writer_init(struct writer *writer, struct event_base *base, struct topics *topics,
		void (*changed)(void *context), void *context)
{
	*writer = (struct writer){.topics = topics, .changed = changed, .context = context};
	STAILQ_INIT(&writer->waiting);
	STAILQ_INIT(&writer->writing);
	writer->flush = event_new(base, -1, 0, on_flush, writer);
	return writer->flush ? 0 : -ENOMEM;
}

int writer_add(struct writer *writer, struct topic *topic, struct changes *changes, writer_done *done,
	       void *context)
{
	struct writer_job *job = malloc(sizeof(*job));
	if (!job) {
		changes_done(changes);
		return -ENOMEM;
	}
	*job = (struct writer_job){.topic = topic, .changes = *changes, .done = done, .context = context};
	*changes = (struct changes){.topic = {NULL, 0}};
	STAILQ_INSERT_TAIL(&writer->waiting, job, next);
	event_active(writer->flush, 0, 0);
	return 0;
}

static void answer(struct writer_job *job, const struct problem *problem, int64_t revision)
{
	job->done(job->context, problem, revision);
	changes_done(&job->changes);
	free(job);
}

/* Takes the first job, and those behind it that still fit. Those that go alone are in front. */
static void choose(struct writer *writer)
{
	struct writer_job *job;
	size_t rows = 0;
	while ((job = STAILQ_FIRST(&writer->waiting))) {
		if (rows && rows + job->changes.count > BATCH_ROWS)
			return;
		STAILQ_REMOVE_HEAD(&writer->waiting, next);
		STAILQ_INSERT_TAIL(&writer->writing, job, next);
		rows += job->changes.count;
		if (job->alone)
			return;
	}
}

static int make_room(struct writer *writer)
{
	const struct writer_job *job;
	size_t needed = 0;
	STAILQ_FOREACH(job, &writer->writing, next) needed += job->changes.count;
	if (needed <= writer->row_capacity)
		return 0;
	struct store_row *rows = realloc(writer->rows, needed * sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	writer->rows = rows;
	writer->row_capacity = needed;
	return 0;
}

static void fill_rows(struct writer *writer)
{
	const struct writer_job *job;
	int64_t rev[TOPIC_COUNT];
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		rev[i] = writer->topics->list[i].revision;
	writer->row_count = 0;
	STAILQ_FOREACH(job, &writer->writing, next)
	{
		unsigned topic = job->topic->number;
		for (size_t i = 0; i < job->changes.count; i++)
			writer->rows[writer->row_count++] =
				(struct store_row){.topic = topic,
						   .rev = ++rev[topic],
						   .key = job->changes.list[i].key,
						   .value = job->changes.list[i].value};
	}
}

static void durable(struct writer *writer)
{
	struct writer_job *job;
	if (topics_apply(writer->topics, writer->rows, writer->row_count)) {
		/* The store has it all; the next start reads it from there. */
		log_error("out of memory: ending, so that the next start reads the store");
		abort();
	}
	while ((job = STAILQ_FIRST(&writer->writing))) {
		STAILQ_REMOVE_HEAD(&writer->writing, next);
		answer(job, NULL, job->topic->revision);
	}
	writer->changed(writer->context);
}

/* A call that is alone is refused; others go back to the front, in their order. */
static void refused(struct writer *writer, const struct problem *problem)
{
	struct writer_job *job = STAILQ_FIRST(&writer->writing);
	if (!STAILQ_NEXT(job, next)) {
		STAILQ_REMOVE_HEAD(&writer->writing, next);
		answer(job, problem, 0);
		return;
	}
	STAILQ_FOREACH(job, &writer->writing, next) job->alone = true;
	STAILQ_CONCAT(&writer->writing, &writer->waiting);
	STAILQ_CONCAT(&writer->waiting, &writer->writing);
}

static void on_written(const struct problem *problem, void *context)
{
	struct writer *writer = context;
	if (problem)
		refused(writer, problem);
	else
		durable(writer);
	if (!STAILQ_EMPTY(&writer->waiting))
		event_active(writer->flush, 0, 0);
}

static void on_flush(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct writer *writer = context;
	if (!STAILQ_EMPTY(&writer->writing) || STAILQ_EMPTY(&writer->waiting))
		return;
	choose(writer);
	if (make_room(writer)) {
		struct problem problem = {.code = RPC_INTERNAL, .text = "out of memory"};
		on_written(&problem, writer);
		return;
	}
	fill_rows(writer);
	store_write(writer->topics->store, writer->rows, writer->row_count, on_written, writer);
}

void writer_refuse_all(struct writer *writer, const struct problem *problem)
{
	struct writer_job *job;
	STAILQ_CONCAT(&writer->writing, &writer->waiting);
	while ((job = STAILQ_FIRST(&writer->writing))) {
		STAILQ_REMOVE_HEAD(&writer->writing, next);
		answer(job, problem, 0);
	}
}

void writer_done_all(struct writer *writer)
{
	if (writer->flush)
		event_free(writer->flush);
	free(writer->rows);
}
