/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records to a file, by a thread: a disk may take its time, the event loop may
 * not. The thread has one batch at a time and touches nothing but its own struct;
 * while it writes one, the next grows, so one fdatasync serves many records.
 */
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "controld/blocklog/blocklog.h"
#include "controld/blocklog/sink.h"
#include "lib/log.h"

#define BATCH_RECORDS 512
#define CLOSE_WAIT_MS 500

enum worker_state { WORKER_IDLE, WORKER_BUSY, WORKER_DONE, WORKER_END };

/* Shared with the thread, under `lock`; text and sink are the thread's while BUSY. */
struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum worker_state state;
	int done_fd; /* eventfd: DONE */
	struct sink sink;
	char path[256];
	char *rules; /* the sink's */
	char text[BATCH_RECORDS * RECORD_TEXT];
	size_t length;
	size_t lines; /* on the disk */
	int failure;
};

struct file {
	struct worker *worker;
	struct event *done;
	bool busy;                               /* a batch is being written, or a line of rules alone */
	unsigned rules;                          /* changes of rules that the worker knows of */
	size_t count;                            /* records in the batch */
	struct position position[BATCH_RECORDS]; /* after each of them */
};

static void *work(void *context)
{
	struct worker *worker = context;
	const uint64_t one = 1;

	pthread_mutex_lock(&worker->lock);
	while (worker->state != WORKER_END) {
		if (worker->state != WORKER_BUSY) {
			pthread_cond_wait(&worker->changed, &worker->lock);
			continue;
		}
		pthread_mutex_unlock(&worker->lock);
		worker->failure = sink_write(&worker->sink, worker->text, worker->length, &worker->lines);
		pthread_mutex_lock(&worker->lock);
		if (worker->state == WORKER_BUSY)
			worker->state = WORKER_DONE;
		pthread_cond_broadcast(&worker->changed);
		if (write(worker->done_fd, &one, sizeof(one)) != sizeof(one))
			worker->failure = worker->failure ? worker->failure : -EIO;
	}
	pthread_mutex_unlock(&worker->lock);
	sink_close(&worker->sink);
	return NULL;
}

static enum worker_state worker_state(struct worker *worker, enum worker_state from, enum worker_state to)
{
	enum worker_state state;

	pthread_mutex_lock(&worker->lock);
	if (worker->state == from) {
		worker->state = to;
		pthread_cond_broadcast(&worker->changed);
	}
	state = worker->state;
	pthread_mutex_unlock(&worker->lock);
	return state;
}

static void fill_batch(struct destination *d, struct file *file)
{
	struct worker *worker = file->worker;
	struct blocklog_record record;

	file->count = 0;
	worker->length = 0;
	while (file->count < BATCH_RECORDS && destination_take(d, &record)) {
		worker->length += record_json(&record, worker->text + worker->length);
		file->position[file->count++] = d->position;
	}
}

/* While the worker is idle. */
static void give_rules(struct destination *d, bool due)
{
	struct file *file = d->own;
	struct worker *worker = file->worker;

	free(worker->rules);
	worker->sink.rules = worker->rules = rules_text(&d->log->rules);
	worker->sink.rules_due |= due;
	file->rules = d->log->rules.changes;
}

static void wake(struct destination *d)
{
	struct file *file = d->own;

	if (d->failing && event_pending(d->timer, EV_TIMEOUT, NULL))
		return;
	if (worker_state(file->worker, WORKER_IDLE, WORKER_IDLE) != WORKER_IDLE)
		return;
	if (file->rules != d->log->rules.changes)
		give_rules(d, true);
	fill_batch(d, file);
	file->busy = file->count || (file->worker->sink.rules && file->worker->sink.rules_due);
	if (file->busy)
		worker_state(file->worker, WORKER_IDLE, WORKER_BUSY);
}

static void take_result(struct destination *d)
{
	struct file *file = d->own;
	struct worker *worker = file->worker;

	if (worker_state(worker, WORKER_DONE, WORKER_IDLE) != WORKER_IDLE || !file->busy)
		return;
	if (worker->lines)
		destination_ack(d, &file->position[worker->lines - 1]);
	if (worker->failure)
		destination_failed(d, worker->failure, worker->sink.doing);
	else
		destination_recovered(d);
	file->count = 0;
	file->busy = false;
}

static void on_done(evutil_socket_t fd, short what, void *context)
{
	struct destination *d = context;
	uint64_t count;

	(void)what;
	if (read((int)fd, &count, sizeof(count)) != sizeof(count))
		return;
	take_result(d);
	wake(d);
}

static void worker_free(struct worker *worker)
{
	if (worker->done_fd >= 0)
		close(worker->done_fd);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	free(worker->rules);
	free(worker);
}

/* Signals are the main thread's. */
static int start_thread(struct worker *worker)
{
	sigset_t all, before;
	int failure;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failure = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -failure;
}

static struct worker *worker_new(const struct config_log *config)
{
	struct worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return NULL;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	snprintf(worker->path, sizeof(worker->path), "%s", config->file.path);
	worker->sink = (struct sink){.path = worker->path,
				     .max_bytes = config->file.max_bytes,
				     .keep = config->file.keep,
				     .fd = -1,
				     .doing = "writing to"};
	worker->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->done_fd >= 0 && !start_thread(worker))
		return worker;
	worker_free(worker);
	return NULL;
}

/* A disk that hangs must not keep the daemon from ending: the thread then keeps
 * what is its own until the process is gone. */
static bool end_thread(struct worker *worker)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += CLOSE_WAIT_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&worker->lock);
	while (worker->state == WORKER_BUSY &&
	       !pthread_cond_timedwait(&worker->changed, &worker->lock, &until))
		;
	bool busy = worker->state == WORKER_BUSY;
	pthread_mutex_unlock(&worker->lock);
	return !busy;
}

static void close_file(struct destination *d)
{
	struct file *file = d->own;
	struct worker *worker = file->worker;

	if (file->done)
		event_free(file->done);
	if (worker && end_thread(worker)) {
		take_result(d);
		worker_state(worker, WORKER_IDLE, WORKER_END);
		pthread_join(worker->thread, NULL);
		worker_free(worker);
	} else if (worker) {
		worker_state(worker, WORKER_BUSY, WORKER_END);
		pthread_detach(worker->thread);
		log_warning("log of port blocks: %s hangs; what was not written is written by the next start",
			    d->target);
	}
	free(file);
	d->own = NULL;
}

static int open_file(struct destination *d, const struct config_log *config)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		return -ENOMEM;
	d->own = file;
	snprintf(d->target, sizeof(d->target), "%s", config->file.path);
	file->worker = worker_new(config);
	if (file->worker)
		give_rules(d, true);
	if (file->worker)
		file->done = event_new(d->log->base, file->worker->done_fd, EV_READ | EV_PERSIST, on_done, d);
	if (file->done && !event_add(file->done, NULL))
		return 0;
	close_file(d);
	return -ENOMEM;
}

static bool wanted(const struct config_log *config)
{
	return config->file.on;
}

static bool same(const struct config_log *a, const struct config_log *b)
{
	return !memcmp(&a->file, &b->file, sizeof(a->file));
}

const struct destination_type file_destination = {
	.name = "file",
	.wanted = wanted,
	.same = same,
	.open = open_file,
	.wake = wake,
	.close = close_file,
};
