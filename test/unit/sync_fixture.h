/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A bngsync and its clients on one loop: what happens is what the loop was run for.
 */
#ifndef BNG_TEST_SYNC_FIXTURE_H
#define BNG_TEST_SYNC_FIXTURE_H

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bngsync/client.h"
#include "bngsync/sync.h"
#include "lib/clock.h"
#include "lib/log.h"

#define TOMBSTONES_MAX 200
#define MAX_BYTES      (1ull << 40)

static char folder[64];
static char socket_path[80];
static char store_path[80];
static struct event_base *base;
static struct sync daemon_state;
static bool daemon_runs;

static inline void start_daemon(void)
{
	struct sync_options options = {.socket = socket_path,
				       .store = store_path,
				       .group = getgid(),
				       .max_bytes = MAX_BYTES,
				       .tombstones_max = TOMBSTONES_MAX};
	ck_assert_int_eq(sync_start(&daemon_state, base, &options), 0);
	daemon_runs = true;
}

/* As when it dies: the socket stays and refuses. */
static inline void stop_daemon(void)
{
	sync_stop(&daemon_state);
	daemon_runs = false;
}

static inline void setup(void)
{
	strcpy(folder, "/dev/shm/check-sync-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(socket_path, sizeof(socket_path), "%s/sock", folder);
	snprintf(store_path, sizeof(store_path), "%s/sync.db", folder);
	log_init("check", LOG_LEVEL_ERROR);
	base = event_base_new();
	start_daemon();
}

static inline void teardown(void)
{
	char command[128];
	if (daemon_runs)
		stop_daemon();
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* Runs the loop until the condition holds; fails after 60 s. */
#define run_until(condition)                                                                                 \
	do {                                                                                                 \
		uint64_t limit_ns_ = clock_boottime_ns() + 60000000000ull;                                   \
		while (!(condition)) {                                                                       \
			ck_assert_msg(clock_boottime_ns() < limit_ns_, "never: %s", #condition);             \
			run_for(1);                                                                          \
		}                                                                                            \
	} while (0)

static inline void run_for(int ms)
{
	struct timeval pause = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	event_base_loopexit(base, &pause);
	event_base_dispatch(base);
}

static inline struct json_slice slice(const char *text)
{
	return (struct json_slice){text, text ? strlen(text) : 0};
}

/* ---- A subscriber that keeps what it was told -------------------------------------- */

struct reader {
	struct sync_client *client;
	json_t *records; /* key: value as text */
	json_t *before;  /* of a snapshot: keys not told again yet */
	int begun;
	int snapshots;
	int other_stores;
	int done;
	size_t told;
	int64_t revision;
	int64_t last_rev;
};

static inline void reader_begin(void *context, bool snapshot, bool other_store)
{
	struct reader *reader = context;
	reader->begun++;
	reader->snapshots += snapshot;
	reader->other_stores += other_store;
	reader->last_rev = 0;
	if (!snapshot)
		return;
	json_decref(reader->before);
	reader->before = json_copy(reader->records);
}

static inline void reader_record(void *context, struct json_slice key, int64_t rev, struct json_slice value)
{
	struct reader *reader = context;
	char name[256];
	snprintf(name, sizeof(name), "%.*s", (int)key.length, key.text);
	ck_assert_int_gt(rev, reader->last_rev);
	reader->last_rev = rev;
	reader->told++;
	json_object_del(reader->before, name);
	if (value.text)
		json_object_set_new(reader->records, name, json_stringn(value.text, value.length));
	else
		json_object_del(reader->records, name);
}

static inline void reader_done(void *context, int64_t revision, int64_t damaged)
{
	struct reader *reader = context;
	const char *key;
	json_t *value;
	ck_assert_int_eq(damaged, 0);
	json_object_foreach(reader->before, key, value) json_object_del(reader->records, key);
	json_object_clear(reader->before);
	reader->revision = revision;
	reader->done++;
}

static inline struct sync_client *client_new(uint32_t base_ms)
{
	struct sync_client_options options = {
		.path = socket_path, .base_ms = base_ms, .cap_ms = base_ms * 20};
	struct sync_client *client = sync_client_new(base, &options);
	ck_assert_ptr_nonnull(client);
	return client;
}

static inline void reader_start(struct reader *reader, const char *store, int64_t since)
{
	struct sync_subscriber subscriber = {reader_begin, reader_record, reader_done, reader};
	reader->records = reader->records ? reader->records : json_object();
	reader->before = reader->before ? reader->before : json_object();
	reader->client = client_new(5);
	ck_assert_int_eq(sync_subscribe(reader->client, "session", &subscriber, store, since), 0);
}

static inline void reader_stop(struct reader *reader)
{
	sync_client_free(reader->client);
	json_decref(reader->records);
	json_decref(reader->before);
	*reader = (struct reader){0};
}

/* What the daemon has, and what the reader was told, are the same. */
static inline bool is_same(const struct reader *reader)
{
	const struct topic *topic = &daemon_state.topics.list[TOPIC_session];
	const char *key;
	json_t *value;
	if (json_object_size(reader->records) != topic->records)
		return false;
	json_object_foreach(reader->records, key, value)
	{
		const struct record *record = topic_get(topic, slice(key));
		if (!record || !json_slice_is(record->value, json_string_value(value)))
			return false;
	}
	return true;
}

/* ---- A publisher that counts ---------------------------------------------------------- */

struct counts {
	int durable;
	int refused;
	int canceled;
};

static inline void count_told(void *context, int error, const char *reason)
{
	struct counts *counts = context;
	(void)reason;
	counts->durable += !error;
	counts->refused += error == -EINVAL;
	counts->canceled += error == -ECANCELED;
}

/* Keys first..last, each with {"n":number}. */
static inline void publish_range(struct sync_client *client, int first, int last, int number,
				 struct counts *counts)
{
	char key[32], value[32];
	for (int i = first; i <= last; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		snprintf(value, sizeof(value), "{\"n\":%d}", number);
		ck_assert_int_eq(sync_publish(client, "session", key, slice(value),
					      counts ? count_told : NULL, counts),
				 0);
	}
}

static inline void delete_range(struct sync_client *client, int first, int last, struct counts *counts)
{
	char key[32];
	for (int i = first; i <= last; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		ck_assert_int_eq(
			sync_publish(client, "session", key, slice(NULL), counts ? count_told : NULL, counts),
			0);
	}
}

#endif
