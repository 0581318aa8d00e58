/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Starting: the store first, so that whoever finds the socket finds the records,
 * and so that a second daemon never takes the socket of the first.
 */
#include "bngsync/sync.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/log.h"

#define RETRY_SECONDS 1
#define RETRY_ANYWAY  60 /* tries for one that looks as before */

static int64_t file_changed_ns(const struct sync *sync)
{
	struct stat file;
	if (stat(sync->options.store, &file))
		return -1;
	return file.st_ctim.tv_sec * 1000000000LL + file.st_ctim.tv_nsec;
}

static int open_store(struct sync *sync)
{
	struct store_options options = {
		.file = sync->options.store, .topics = topic_names, .max_bytes = sync->options.max_bytes};
	struct problem problem = {0};
	int error = topics_load(&sync->topics, &options, &problem);
	bool news = strcmp(problem.text, sync->failure.text) != 0;
	json_decref(sync->failure.data);
	sync->failure = problem;
	sync->seen_ctime_ns = file_changed_ns(sync);
	if (error && news)
		log_error("%s", problem.text);
	return error;
}

static void say_opened(struct sync *sync)
{
	const struct store_facts *facts = store_facts(sync->topics.store);
	size_t records = 0;
	for (unsigned i = 0; i < TOPIC_COUNT; i++)
		records += sync->topics.list[i].records;
	log_notice("%s: %s, %zu records", sync->options.store, facts->created ? "new" : "opened", records);
	if (facts->damaged)
		log_error("%s: %zu rows are damaged and left out: records are missing", sync->options.store,
			  facts->damaged);
	if (facts->foreign)
		log_warning("%s: %zu rows are of topics this version does not know; they are kept",
			    sync->options.store, facts->foreign);
}

static void try_later(struct sync *sync)
{
	static const struct timeval pause = {.tv_sec = RETRY_SECONDS};
	event_add(sync->retry, &pause);
}

/* A file that looks as it did when it was refused is not read again and again. */
static void on_retry(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct sync *sync = context;
	bool same = sync->seen_ctime_ns >= 0 && file_changed_ns(sync) == sync->seen_ctime_ns;
	if ((same && ++sync->retries % RETRY_ANYWAY) || open_store(sync))
		try_later(sync);
	else
		say_opened(sync);
}

static void on_changed(void *context)
{
	subscribers_wake(context);
}

int sync_start(struct sync *sync, struct event_base *base, const struct sync_options *options)
{
	*sync = (struct sync){.options = *options, .base = base, .started_ns = clock_boottime_ns()};
	topics_init(&sync->topics, options->tombstones_max ? options->tombstones_max : SYNC_TOMBSTONES_MAX);
	sync->retry = event_new(base, -1, 0, on_retry, sync);
	int error = sync->retry ? subscribers_init(&sync->subscribers, base, &sync->topics) : -ENOMEM;
	if (!error)
		error = writer_init(&sync->writer, base, &sync->topics, on_changed, &sync->subscribers);
	if (error)
		return error;
	error = open_store(sync);
	if (error == -EBUSY)
		return error;
	if (error)
		try_later(sync);
	else
		say_opened(sync);
	error = sync_listen(sync);
	if (error)
		log_error("%s: listening: %s", options->socket, strerror(-error));
	return error;
}

void sync_stop(struct sync *sync)
{
	static const struct problem ending = {.code = RPC_UNAVAILABLE, .text = "bngsync is ending"};
	writer_refuse_all(&sync->writer, &ending);
	rpc_server_free(sync->server);
	subscribers_done(&sync->subscribers);
	writer_done_all(&sync->writer);
	if (sync->retry)
		event_free(sync->retry);
	topics_done(&sync->topics);
	json_decref(sync->failure.data);
}
