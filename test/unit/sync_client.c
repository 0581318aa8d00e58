/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bngsync and its client library against each other: acknowledgements, snapshots,
 * deltas, readers that are slow, a daemon that goes and comes back.
 */
#include "run.h"
#include "test/unit/sync_fixture.h"

START_TEST(acknowledged_is_durable)
{
	struct sync_client *client = client_new(5);
	struct counts counts = {0};
	publish_range(client, 1, 1000, 1, &counts);
	ck_assert_int_eq(counts.durable, 0);
	run_until(counts.durable == 1000);
	ck_assert_uint_eq(daemon_state.topics.list[TOPIC_session].records, 1000);
	ck_assert_uint_eq(store_facts(daemon_state.topics.store)->rows_written, 1000);
	ck_assert_uint_le(store_facts(daemon_state.topics.store)->commits, 5);
	ck_assert_uint_eq(sync_client_status(client)->queued, 0);
	ck_assert(sync_client_status(client)->up);
	ck_assert_uint_eq(sync_client_status(client)->disk_bytes, 0); /* who reads nothing is told nothing */
	stop_daemon();
	start_daemon();
	ck_assert_uint_eq(daemon_state.topics.list[TOPIC_session].records, 1000);
	sync_client_free(client);
}
END_TEST

static const struct {
	const char *topic, *key, *value;
} wrong[] = {
	{"session", "", "{}"},
	{"session", "a b", "{}"},
	{"session", "a\"", "{}"},
	{"session", "a", "[]"},
	{"session", "a", "1"},
	{"session", "a", "{"},
	{"session", "a", "{} {}"},
	{"session", "a", "{\"a\":\n1}"},
	{"", "a", "{}"},
	{"session topic", "a", "{}"},
	{"session", "a", "{\"a\":1e999}"},
	{"session", "a", ""},
};

START_TEST(wrong_records_are_refused_at_once)
{
	struct sync_client *client = client_new(5);
	ck_assert_int_eq(
		sync_publish(client, wrong[_i].topic, wrong[_i].key, slice(wrong[_i].value), NULL, NULL),
		-EINVAL);
	sync_client_free(client);
}
END_TEST

START_TEST(an_unknown_topic_is_refused)
{
	struct sync_client *client = client_new(5);
	struct counts counts = {0};
	ck_assert_int_eq(sync_publish(client, "weather", "a", slice("{}"), count_told, &counts), 0);
	publish_range(client, 1, 3, 1, &counts);
	run_until(counts.durable == 3 && counts.refused == 1);
	sync_client_free(client);
}
END_TEST

START_TEST(snapshot_then_live)
{
	struct sync_client *client = client_new(5);
	struct reader reader = {0};
	struct counts counts = {0};
	struct statvfs disk;
	publish_range(client, 1, 5000, 1, &counts);
	delete_range(client, 1, 100, &counts);
	run_until(counts.durable == 5100);
	reader_start(&reader, NULL, -1);
	run_until(reader.done == 1);
	ck_assert_int_eq(reader.snapshots, 1);
	ck_assert_int_eq(statvfs(folder, &disk), 0);
	ck_assert_uint_eq(sync_client_status(reader.client)->disk_bytes, disk.f_blocks * disk.f_frsize);
	ck_assert_uint_eq(sync_client_status(reader.client)->max_bytes, MAX_BYTES);
	ck_assert_uint_eq(reader.told, 4900); /* old deletions concern nobody */
	ck_assert(is_same(&reader));
	publish_range(client, 50, 60, 2, &counts);
	delete_range(client, 200, 210, &counts);
	run_until(counts.durable == 5122);
	run_until(is_same(&reader));
	ck_assert_uint_eq(reader.told, 4922);
	ck_assert_int_eq(reader.done, 1);
	ck_assert_int_eq(sync_client_revision(reader.client, "session", NULL),
			 daemon_state.topics.list[TOPIC_session].revision);
	reader_stop(&reader);
	sync_client_free(client);
}
END_TEST

/* The daemon goes; what is published meanwhile waits; the reader gets the difference. */
START_TEST(delta_after_a_restart)
{
	struct sync_client *client = client_new(5);
	struct reader reader = {0};
	struct counts counts = {0};
	publish_range(client, 1, 300, 1, &counts);
	reader_start(&reader, NULL, -1);
	run_until(counts.durable == 300 && reader.done == 1 && is_same(&reader));
	size_t told = reader.told;
	stop_daemon();
	publish_range(client, 1, 10, 2, &counts);
	publish_range(client, 1, 10, 3, &counts);
	delete_range(client, 20, 24, &counts);
	run_for(30);
	ck_assert(!sync_client_status(client)->connected);
	ck_assert_uint_eq(sync_client_status(client)->queued, 15 + 25);
	ck_assert_int_eq(counts.durable, 300);
	start_daemon();
	run_until(counts.durable == 325);
	run_until(reader.done == 2 && is_same(&reader));
	ck_assert_int_eq(reader.snapshots, 1);
	ck_assert_int_eq(reader.other_stores, 0);
	ck_assert_uint_eq(reader.told - told, 15);
	ck_assert_int_eq(counts.durable, 325);
	reader_stop(&reader);
	sync_client_free(client);
}
END_TEST

/* A reader's next life goes on from what its last one had. */
START_TEST(since_a_known_revision)
{
	struct sync_client *client = client_new(5);
	struct reader reader = {0};
	struct counts counts = {0};
	const char *store;
	char id[64];
	publish_range(client, 1, 100, 1, &counts);
	run_until(counts.durable == 100);
	reader_start(&reader, NULL, -1);
	run_until(reader.done == 1);
	int64_t revision = sync_client_revision(reader.client, "session", &store);
	strcpy(id, store);
	sync_client_free(reader.client);
	delete_range(client, 5, 9, &counts);
	run_until(counts.durable == 105);
	reader.told = 0;
	reader_start(&reader, id, revision);
	run_until(reader.done == 2);
	ck_assert_uint_eq(reader.told, 5);
	ck_assert_int_eq(reader.snapshots, 1);
	ck_assert(is_same(&reader));
	sync_client_free(reader.client);
	/* A revision of another store, and one that was never reached, mean nothing. */
	reader_start(&reader, "0123456789abcdef0123456789abcdef", revision);
	run_until(reader.done == 3);
	ck_assert_int_eq(reader.snapshots, 2);
	ck_assert_int_eq(reader.other_stores, 1);
	sync_client_free(reader.client);
	reader_start(&reader, id, revision + 1000);
	run_until(reader.done == 4);
	ck_assert_int_eq(reader.snapshots, 3);
	ck_assert_int_eq(reader.other_stores, 1);
	ck_assert(is_same(&reader));
	reader_stop(&reader);
	sync_client_free(client);
}
END_TEST

START_TEST(too_far_behind_gets_a_snapshot)
{
	struct sync_client *client = client_new(5);
	struct reader reader = {0};
	struct counts counts = {0};
	const char *store;
	char id[64];
	publish_range(client, 1, 1000, 1, &counts);
	run_until(counts.durable == 1000);
	reader_start(&reader, NULL, -1);
	run_until(reader.done == 1);
	int64_t revision = sync_client_revision(reader.client, "session", &store);
	strcpy(id, store);
	sync_client_free(reader.client);
	delete_range(client, 1, TOMBSTONES_MAX + 1, &counts);
	run_until(counts.durable == 1000 + TOMBSTONES_MAX + 1);
	reader_start(&reader, id, revision);
	run_until(reader.done == 2);
	ck_assert_int_eq(reader.snapshots, 2);
	ck_assert_int_eq(reader.other_stores, 0);
	ck_assert(is_same(&reader));
	reader_stop(&reader);
	sync_client_free(client);
}
END_TEST

/* ---- Slow readers ---------------------------------------------------------------- */

/* Keys of a kilobyte each, so that marks are reached. */
static void publish_large(struct sync_client *client, int count, int number, struct counts *counts)
{
	char key[32], value[1024];
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "large%d", i);
		snprintf(value, sizeof(value), "{\"n\":%d,\"text\":\"%0900d\"}", number, i);
		ck_assert_int_eq(sync_publish(client, "session", key, slice(value), count_told, counts), 0);
	}
}

static const struct subscriber *subscriber_with_lag(void)
{
	const struct subscriber *at;
	LIST_FOREACH(at, &daemon_state.subscribers.list, next)
	if (at->topic->revision > at->cursor)
		return at;
	return NULL;
}

START_TEST(a_slow_reader_holds_up_nobody)
{
	struct sync_client *client = client_new(5);
	struct reader slow = {0}, quick = {0};
	struct counts counts = {0};
	reader_start(&slow, NULL, -1);
	reader_start(&quick, NULL, -1);
	run_until(slow.done && quick.done);
	sync_client_pause(slow.client, true);
	for (int round = 1; round <= 5; round++) {
		publish_large(client, 4000, round, &counts);
		run_until(counts.durable == 4000 * round);
		run_until(is_same(&quick));
	}
	ck_assert_uint_eq(quick.told, 20000);
	const struct subscriber *behind = subscriber_with_lag();
	ck_assert_ptr_nonnull(behind);
	ck_assert(behind->paused);
	ck_assert_uint_le(rpc_peer_unsent(behind->peer), SUBSCRIBER_HIGH + (128u << 10));
	sync_client_pause(slow.client, false);
	run_until(is_same(&slow));
	/* The latest of each, not every change; and no snapshot. */
	ck_assert_uint_lt(slow.told, 4000 + 2500);
	ck_assert_int_eq(slow.snapshots, 1);
	run_until(!subscriber_with_lag());
	reader_stop(&slow);
	reader_stop(&quick);
	sync_client_free(client);
}
END_TEST

START_TEST(a_slow_reader_falls_back_to_a_snapshot)
{
	struct sync_client *client = client_new(5);
	struct reader slow = {0};
	struct counts counts = {0};
	publish_large(client, 4000, 1, &counts);
	run_until(counts.durable == 4000);
	reader_start(&slow, NULL, -1);
	run_until(slow.done);
	sync_client_pause(slow.client, true);
	publish_large(client, 4000, 2, &counts);
	run_until(counts.durable == 8000);
	publish_range(client, 0, TOMBSTONES_MAX, 1, &counts);
	delete_range(client, 0, TOMBSTONES_MAX, &counts);
	run_until(sync_client_status(client)->queued == 0);
	ck_assert_int_eq(daemon_state.topics.list[TOPIC_session].tombstones, TOMBSTONES_MAX / 2);
	sync_client_pause(slow.client, false);
	run_until(slow.done == 2);
	ck_assert_int_eq(slow.snapshots, 2);
	ck_assert_int_eq(slow.other_stores, 0);
	ck_assert(is_same(&slow));
	ck_assert_uint_eq(LIST_FIRST(&daemon_state.subscribers.list)->fallbacks, 1);
	reader_stop(&slow);
	sync_client_free(client);
}
END_TEST

/* Records change under a snapshot that is under way: none is missed, none is told old after new. */
START_TEST(changes_during_a_snapshot)
{
	struct sync_client *client = client_new(5);
	struct reader reader = {0};
	struct counts counts = {0};
	publish_large(client, 6000, 1, &counts);
	run_until(counts.durable == 6000);
	reader_start(&reader, NULL, -1);
	run_until(reader.told > 500);
	sync_client_pause(reader.client, true);
	publish_large(client, 3000, 2, &counts);
	char key[32];
	for (int i = 0; i < 150; i++) {
		snprintf(key, sizeof(key), "large%d", 5999 - i);
		sync_publish(client, "session", key, slice(NULL), count_told, &counts);
	}
	run_until(counts.durable == 9150);
	ck_assert_int_eq(reader.done, 0);
	sync_client_pause(reader.client, false);
	run_until(reader.done == 1);
	ck_assert(is_same(&reader));
	ck_assert_int_eq(reader.snapshots, 1);
	reader_stop(&reader);
	sync_client_free(client);
}
END_TEST

/* Half a snapshot is nothing to go on from: what the other half would have shown to be gone stays. */
START_TEST(a_snapshot_that_breaks_off)
{
	struct sync_client *client = client_new(5);
	struct reader reader = {.records = json_pack("{s:s}", "gone", "{}")};
	struct counts counts = {0};
	publish_large(client, 6000, 1, &counts);
	run_until(counts.durable == 6000);
	reader_start(&reader, NULL, -1);
	run_until(reader.told > 500);
	stop_daemon();
	run_for(20);
	ck_assert_int_eq(reader.done, 0);
	ck_assert_uint_lt(reader.told, 6000);
	start_daemon();
	run_until(reader.done == 1);
	ck_assert_int_eq(reader.snapshots, 2);
	ck_assert(is_same(&reader));
	reader_stop(&reader);
	sync_client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_client");
	TCase *tests = tcase_create("sync_client");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, acknowledged_is_durable);
	tcase_add_loop_test(tests, wrong_records_are_refused_at_once, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tests, an_unknown_topic_is_refused);
	tcase_add_test(tests, snapshot_then_live);
	tcase_add_test(tests, delta_after_a_restart);
	tcase_add_test(tests, since_a_known_revision);
	tcase_add_test(tests, too_far_behind_gets_a_snapshot);
	tcase_add_test(tests, a_slow_reader_holds_up_nobody);
	tcase_add_test(tests, a_slow_reader_falls_back_to_a_snapshot);
	tcase_add_test(tests, changes_during_a_snapshot);
	tcase_add_test(tests, a_snapshot_that_breaks_off);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
