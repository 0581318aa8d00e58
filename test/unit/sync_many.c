/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A hundred clients lose their bngsync at the same moment: their attempts to connect
 * are due at different times, all come back, and all are told everything.
 */
#include "run.h"
#include "test/unit/sync_fixture.h"

#define CLIENTS   100
#define BASE_MS   50
#define WINDOW_NS 10000000u /* 10 ms */

static struct reader readers[CLIENTS];

static size_t ready(int done)
{
	size_t count = 0;
	for (int i = 0; i < CLIENTS; i++)
		count += readers[i].done >= done;
	return count;
}

static void start_readers(void)
{
	struct sync_subscriber subscriber = {reader_begin, reader_record, reader_done, NULL};
	for (int i = 0; i < CLIENTS; i++) {
		readers[i] = (struct reader){.records = json_object(), .before = json_object()};
		readers[i].client = client_new(BASE_MS);
		subscriber.context = &readers[i];
		ck_assert_int_eq(sync_subscribe(readers[i].client, "session", &subscriber, NULL, -1), 0);
	}
}

static int by_time(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

/* When attempts of all clients were due after `since`, sorted. */
static size_t attempts_after(uint64_t since_ns, uint64_t *times, size_t size)
{
	size_t count = 0;
	for (int i = 0; i < CLIENTS; i++) {
		const struct sync_client_status *status = sync_client_status(readers[i].client);
		ck_assert_uint_le(status->attempts, SYNC_ATTEMPTS_KEPT);
		for (uint64_t n = 0; n < status->attempts; n++)
			if (status->due_ns[n] > since_ns && count < size)
				times[count++] = status->due_ns[n];
	}
	qsort(times, count, sizeof(*times), by_time);
	return count;
}

/* The most attempts in any window. */
static size_t crowd(const uint64_t *times, size_t count)
{
	size_t most = 0;
	for (size_t first = 0, last = 0; last < count; last++) {
		while (times[last] - times[first] >= WINDOW_NS)
			first++;
		most = last - first + 1 > most ? last - first + 1 : most;
	}
	return most;
}

START_TEST(a_hundred_come_back_one_by_one)
{
	static uint64_t times[CLIENTS * SYNC_ATTEMPTS_KEPT];
	struct sync_client *client = client_new(5);
	struct counts counts = {0};
	publish_range(client, 1, 200, 1, &counts);
	run_until(counts.durable == 200);
	start_readers();
	run_until(ready(1) == CLIENTS);
	uint64_t lost_ns = clock_boottime_ns();
	stop_daemon();
	run_for(1000);
	run_until(attempts_after(lost_ns, times, CLIENTS * SYNC_ATTEMPTS_KEPT) >= 2 * CLIENTS);
	size_t count = attempts_after(lost_ns, times, CLIENTS * SYNC_ATTEMPTS_KEPT);
	uint64_t back_ns = clock_boottime_ns();
	start_daemon();
	publish_range(client, 1, 5, 2, &counts);
	run_until(ready(2) == CLIENTS && counts.durable == 205);
	double took = (double)(clock_boottime_ns() - back_ns) / 1e9;
	/* The first attempts fall into 100 ms, the next into ever longer times. Without
	 * jitter one window would hold them all. */
	ck_assert_msg(crowd(times, count) < CLIENTS * 4 / 10, "%zu at once", crowd(times, count));
	for (int i = 0; i < CLIENTS; i++) {
		run_until(is_same(&readers[i]));
		ck_assert_int_eq(readers[i].snapshots, 1);
		ck_assert_uint_eq(sync_client_status(readers[i].client)->records, 205);
	}
	printf("%zu attempts while it was away, at most %zu in 10 ms; all back after %.1f s\n", count,
	       crowd(times, count), took);
	for (int i = 0; i < CLIENTS; i++)
		reader_stop(&readers[i]);
	sync_client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sync_many");
	TCase *tests = tcase_create("sync_many");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_hundred_come_back_one_by_one);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
