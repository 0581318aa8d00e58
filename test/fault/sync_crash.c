/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * No acknowledged record is lost, whoever dies when: sync_crash FOLDER SECONDS
 * [ROUNDS] [SEED]. SECONDS 0: until interrupted.
 *
 * A bngsync and a publisher are processes of their own and are killed at random
 * moments, either or both. The publisher notes in shared memory what it published
 * and what it was told is durable: a counter for each key, every seventh change a
 * deletion. Each round ends with reading all from a bngsync and comparing: a key's
 * counter is not below what was acknowledged, nor above what was published.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bngsync/client.h"
#include "bngsync/sync.h"
#include "lib/clock.h"
#include "lib/log.h"

#define KEYS           200
#define WAITING_MAX    100 /* of the publisher */
#define DELETE_EACH    7
#define TOMBSTONES     40
#define KILL_AFTER     6000 /* us at most */
#define TIMEOUT_MS     20000
#define DAEMON_DIES    1
#define PUBLISHER_DIES 2

struct shared {
	uint32_t published[KEYS];
	uint32_t acknowledged[KEYS];
	uint64_t acknowledgements;
};

struct crash {
	const char *folder;
	char socket[4096];
	char store[4096];
	struct shared *shared;
	pid_t daemon;
	pid_t publisher;
	int64_t revision; /* seen in the last round */
	uint64_t rounds;
	uint64_t kills[4]; /* by who died */
};

static _Noreturn void fail(const struct crash *crash, const char *what, int key)
{
	fprintf(stderr, "sync_crash: round %llu: %s", (unsigned long long)crash->rounds, what);
	if (key >= 0)
		fprintf(stderr, " (key %d: acknowledged %u, published %u)", key,
			crash->shared->acknowledged[key], crash->shared->published[key]);
	fputc('\n', stderr);
	exit(1);
}

/* ---- The two that die --------------------------------------------------------------- */

static pid_t fork_child(void)
{
	pid_t child = fork();
	if (!child)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static pid_t start_daemon(struct crash *crash)
{
	pid_t child = fork_child();
	if (child)
		return child;
	static struct sync sync;
	struct event_base *base = event_base_new();
	struct sync_options options = {.socket = crash->socket,
				       .store = crash->store,
				       .group = getgid(),
				       .tombstones_max = TOMBSTONES};
	if (sync_start(&sync, base, &options))
		_exit(1);
	event_base_dispatch(base);
	_exit(1);
}

struct publisher {
	struct shared *shared;
	struct sync_client *client;
	struct event *more;
	unsigned waiting;
	unsigned next;
	struct note {
		struct publisher *publisher;
		int key;
		uint32_t number;
	} notes[WAITING_MAX];
	bool used[WAITING_MAX];
};

static void on_told(void *context, int error, const char *reason)
{
	struct note *note = context;
	struct publisher *publisher = note->publisher;
	(void)reason;
	if (error)
		_exit(2);
	publisher->shared->acknowledged[note->key] = note->number;
	publisher->shared->acknowledgements++;
	publisher->used[note - publisher->notes] = false;
	publisher->waiting--;
	event_active(publisher->more, 0, 0);
}

static void publish_one(struct publisher *publisher, unsigned slot)
{
	char key[16], value[32];
	int i = (int)(publisher->next++ * 61 % KEYS);
	uint32_t number = ++publisher->shared->published[i];
	struct json_slice slice = {value, (size_t)snprintf(value, sizeof(value), "{\"n\":%u}", number)};
	if (number % DELETE_EACH == 0)
		slice = (struct json_slice){NULL, 0};
	snprintf(key, sizeof(key), "key%d", i);
	publisher->notes[slot] = (struct note){publisher, i, number};
	publisher->used[slot] = true;
	publisher->waiting++;
	if (sync_publish(publisher->client, "session", key, slice, on_told, &publisher->notes[slot]))
		_exit(3);
}

static void on_more(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct publisher *publisher = context;
	for (unsigned slot = 0; slot < WAITING_MAX; slot++)
		if (!publisher->used[slot])
			publish_one(publisher, slot);
}

static pid_t start_publisher(struct crash *crash)
{
	pid_t child = fork_child();
	if (child)
		return child;
	static struct publisher publisher;
	struct event_base *base = event_base_new();
	struct sync_client_options options = {.path = crash->socket, .base_ms = 1, .cap_ms = 5};
	publisher.shared = crash->shared;
	publisher.next = (unsigned)crash->rounds;
	publisher.client = sync_client_new(base, &options);
	publisher.more = event_new(base, -1, 0, on_more, &publisher);
	event_active(publisher.more, 0, 0);
	event_base_dispatch(base);
	_exit(1);
}

static void end(struct crash *crash, pid_t *process)
{
	int status;
	if (!*process)
		return;
	kill(*process, SIGKILL);
	if (waitpid(*process, &status, 0) != *process)
		fail(crash, "a child is gone", -1);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail(crash, "a child ended by itself", -1);
	*process = 0;
}

/* ---- The one that compares ------------------------------------------------------------ */

static struct rpc_client *reader_open(struct crash *crash)
{
	struct rpc_client *client;
	for (int i = 0; i < TIMEOUT_MS; i++) {
		if (!rpc_client_open(crash->socket, TIMEOUT_MS, &client))
			return client;
		usleep(1000);
	}
	fail(crash, "bngsync does not come", -1);
}

/* The counters as they are stored; 0: not there. */
static void read_all(struct crash *crash, struct rpc_client *client, uint32_t stored[KEYS])
{
	struct rpc_result result;
	bool done = false;
	if (rpc_call(client, "sync.subscribe", json_pack("{s:s}", "topic", "session"), NULL, 0, &result) ||
	    result.code)
		fail(crash, result.message, -1);
	int64_t revision = json_integer_value(json_object_get(result.value, "revision"));
	rpc_result_done(&result);
	if (revision < crash->revision)
		fail(crash, "the revision went back", -1);
	crash->revision = revision;
	while (!done) {
		json_t *line, *record;
		size_t i;
		if (rpc_client_next(client, TIMEOUT_MS, &line) != 1)
			fail(crash, "no snapshot", -1);
		json_t *params = json_object_get(line, "params");
		json_array_foreach(json_object_get(params, "records"), i, record)
		{
			int key = atoi(json_string_value(json_object_get(record, "key")) + 3);
			json_t *number = json_object_get(json_object_get(record, "value"), "n");
			stored[key] = (uint32_t)json_integer_value(number);
		}
		done = !strcmp(json_string_value(json_object_get(line, "method")), "sync.snapshot_done");
		if (done && json_integer_value(json_object_get(params, "damaged")))
			fail(crash, "damaged rows", -1);
		json_decref(line);
	}
}

static void compare(struct crash *crash, const uint32_t stored[KEYS])
{
	for (int i = 0; i < KEYS; i++) {
		uint32_t told = crash->shared->acknowledged[i], published = crash->shared->published[i];
		/* Absent: the last one stored was a deletion, one not older than acknowledged. */
		bool deleted = !told || published / DELETE_EACH * DELETE_EACH >= told;
		if (!stored[i] && !deleted)
			fail(crash, "an acknowledged record is gone", i);
		if (stored[i] && (stored[i] < told || stored[i] > published))
			fail(crash, "a record is not what was published last", i);
	}
}

/* ---- Rounds ------------------------------------------------------------------------------ */

static void run_round(struct crash *crash)
{
	uint32_t stored[KEYS] = {0};
	int who = 1 + (int)(random() % 3);
	if (!crash->daemon)
		crash->daemon = start_daemon(crash);
	if (!crash->publisher)
		crash->publisher = start_publisher(crash);
	usleep((useconds_t)(random() % KILL_AFTER));
	if (who & DAEMON_DIES)
		end(crash, &crash->daemon);
	if (who & PUBLISHER_DIES)
		end(crash, &crash->publisher);
	crash->kills[who]++;
	if (!crash->daemon)
		crash->daemon = start_daemon(crash);
	struct rpc_client *client = reader_open(crash);
	if (crash->publisher) { /* connects again, sends again; ends before it is compared */
		usleep((useconds_t)(random() % KILL_AFTER));
		end(crash, &crash->publisher);
	}
	read_all(crash, client, stored);
	compare(crash, stored);
	rpc_client_close(client);
	crash->rounds++;
}

int main(int argc, char **argv)
{
	struct crash crash = {.folder = argc > 1 ? argv[1] : ""};
	double seconds = argc > 2 ? atof(argv[2]) : 0;
	uint64_t rounds = argc > 3 ? strtoull(argv[3], NULL, 10) : UINT64_MAX;
	if (argc < 3) {
		fputs("usage: sync_crash FOLDER SECONDS [ROUNDS] [SEED]\n", stderr);
		return 2;
	}
	srandom(argc > 4 ? (unsigned)atoi(argv[4]) : (unsigned)getpid());
	log_init("sync_crash", LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(crash.socket, sizeof(crash.socket), "%s/sock", crash.folder);
	snprintf(crash.store, sizeof(crash.store), "%s/sync.db", crash.folder);
	crash.shared =
		mmap(NULL, sizeof(*crash.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (crash.shared == MAP_FAILED)
		return 1;
	uint64_t begun_ns = clock_boottime_ns();
	while (crash.rounds < rounds &&
	       (!seconds || (double)(clock_boottime_ns() - begun_ns) / 1e9 < seconds))
		run_round(&crash);
	end(&crash, &crash.daemon);
	end(&crash, &crash.publisher);
	printf("%llu rounds, killed: bngsync %llu, publisher %llu, both %llu; %llu records acknowledged, "
	       "none lost\n",
	       (unsigned long long)crash.rounds, (unsigned long long)crash.kills[DAEMON_DIES],
	       (unsigned long long)crash.kills[PUBLISHER_DIES], (unsigned long long)crash.kills[3],
	       (unsigned long long)crash.shared->acknowledgements);
	return 0;
}
