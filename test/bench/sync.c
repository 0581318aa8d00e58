/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the state bus does: bench_sync BNGSYNC FOLDER [SECONDS]. Starts a bngsync of
 * its own with its store in FOLDER, publishes session-like records through the
 * client library for SECONDS (each acknowledged, so durable), once in the order of
 * their keys and once shuffled, then reads a snapshot into a fresh client.
 *
 * Beside each figure stands what the machine did in the same run with the work left
 * out: the disk with the same bytes, the socket with the same bytes.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bngsync/client.h"
#include "lib/clock.h"

#define RECORDS      100000
#define WAITING_MAX  40000 /* published and not acknowledged */
#define STRIDE       61813 /* prime, and no divisor of RECORDS */
#define DISK_PIECE   (1u << 20)
#define DISK_PIECES  32
#define SOCKET_PIECE (64u << 10)

struct bench {
	struct event_base *base;
	struct sync_client *client;
	struct event *more;
	bool shuffled;
	uint64_t published;
	uint64_t acknowledged;
	uint64_t until_ns;
	uint64_t received;
	uint64_t bytes;
	bool done;
};

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "bench_sync: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double seconds_since(uint64_t begun_ns)
{
	return (double)(clock_boottime_ns() - begun_ns) / 1e9;
}

/* As a session's record may look: 17 members, about 400 bytes. */
static size_t value_of(uint64_t round, unsigned i, char *text, size_t size)
{
	return (size_t)snprintf(
		text, size,
		"{\"id\":%u,\"slot\":%u,\"address\":\"10.%u.%u.%u\",\"mac\":\"02:00:00:%02x:%02x:%02x\","
		"\"interface\":\"access0\",\"outer_vid\":%u,\"inner_vid\":%u,\"kind\":\"dhcp\",\"state\":"
		"\"active\",\"pool\":\"default\",\"user\":\"user%06u@example.net\",\"acct_session_id\":"
		"\"6740a1b2%08x\",\"opened\":\"2026-11-21T10:00:00.123Z\",\"lease_seconds\":3600,"
		"\"lease_expires\":\"2026-11-21T11:00:00.123Z\",\"circuit\":\"olt7 xpon "
		"0/1/%u:%u\",\"round\":"
		"%" PRIu64 "}",
		i, i, i >> 16, i >> 8 & 255, i & 255, i >> 16, i >> 8 & 255, i & 255, 100 + i % 8,
		i % 4094 + 1, i, i, i % 16, i % 128, round);
}

/* ---- The machine alone ------------------------------------------------------------ */

/* Bytes a second, each piece synchronised as a commit is. */
static double disk_alone(const char *folder)
{
	char path[4096];
	char *piece = calloc(1, DISK_PIECE);
	snprintf(path, sizeof(path), "%s/disk", folder);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (!piece || fd < 0)
		fail(path);
	uint64_t begun_ns = clock_boottime_ns();
	for (int i = 0; i < DISK_PIECES; i++)
		if (write(fd, piece, DISK_PIECE) != DISK_PIECE || fdatasync(fd))
			fail(path);
	double took = seconds_since(begun_ns);
	close(fd);
	unlink(path);
	free(piece);
	return DISK_PIECE * (double)DISK_PIECES / took;
}

/* Seconds for so many bytes from one process to another. */
static double socket_alone(uint64_t bytes)
{
	static char piece[SOCKET_PIECE];
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		fail("socketpair");
	uint64_t begun_ns = clock_boottime_ns();
	pid_t child = fork();
	if (!child) {
		for (uint64_t sent = 0; sent < bytes; sent += SOCKET_PIECE)
			if (write(pair[1], piece, SOCKET_PIECE) != SOCKET_PIECE)
				_exit(1);
		_exit(0);
	}
	close(pair[1]);
	while (read(pair[0], piece, SOCKET_PIECE) > 0)
		continue;
	double took = seconds_since(begun_ns);
	close(pair[0]);
	waitpid(child, NULL, 0);
	return took;
}

/* ---- Publishing ------------------------------------------------------------------- */

static void on_acknowledged(void *context, int error, const char *reason)
{
	struct bench *bench = context;
	if (error) {
		fprintf(stderr, "bench_sync: refused: %s\n", reason);
		exit(1);
	}
	bench->acknowledged++;
	if (bench->published - bench->acknowledged < WAITING_MAX / 2)
		event_active(bench->more, 0, 0);
}

static void on_more(evutil_socket_t fd, short events, void *context)
{
	(void)fd;
	(void)events;
	struct bench *bench = context;
	char key[32], text[1024];
	bool over = clock_boottime_ns() > bench->until_ns;
	while (!over && bench->published - bench->acknowledged < WAITING_MAX) {
		uint64_t n = bench->published;
		unsigned i = (unsigned)(bench->shuffled ? n * STRIDE % RECORDS : n % RECORDS);
		struct json_slice value = {text, value_of(n / RECORDS, i, text, sizeof(text))};
		snprintf(key, sizeof(key), "%08u", i);
		if (sync_publish(bench->client, "session", key, value, on_acknowledged, bench))
			break;
		bench->published++;
	}
	if (over && bench->acknowledged == bench->published)
		event_base_loopbreak(bench->base);
}

static struct sync_client *client_of(struct event_base *base, const char *socket)
{
	struct sync_client *client = sync_client_new(
		base, &(struct sync_client_options){.path = socket, .base_ms = 5, .cap_ms = 50});
	if (!client)
		fail("client");
	return client;
}

/* Seconds that a process has used. */
static double cpu_of(pid_t process)
{
	clockid_t clock;
	struct timespec used;
	if (clock_getcpuclockid(process, &clock) || clock_gettime(clock, &used))
		fail("processor time");
	return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static uint64_t publish(struct event_base *base, const char *socket, bool shuffled, double seconds)
{
	struct bench bench = {.base = base, .shuffled = shuffled, .client = client_of(base, socket)};
	uint64_t begun_ns = clock_boottime_ns();
	bench.until_ns = begun_ns + (uint64_t)(seconds * 1e9);
	bench.more = event_new(base, -1, 0, on_more, &bench);
	event_active(bench.more, 0, 0);
	event_base_dispatch(base);
	event_free(bench.more);
	sync_client_free(bench.client);
	return bench.acknowledged;
}

/* ---- A snapshot ---------------------------------------------------------------------- */

static void on_begin(void *context, bool snapshot, bool other_store)
{
	(void)context;
	(void)snapshot;
	(void)other_store;
}

static void on_record(void *context, struct json_slice key, int64_t rev, struct json_slice value)
{
	struct bench *bench = context;
	(void)rev;
	bench->received += value.text != NULL;
	bench->bytes += key.length + value.length;
}

static void on_done(void *context, int64_t revision, int64_t damaged)
{
	struct bench *bench = context;
	(void)revision;
	(void)damaged;
	bench->done = true;
	event_base_loopbreak(bench->base);
}

static double snapshot(struct event_base *base, const char *socket, struct bench *bench)
{
	struct sync_subscriber subscriber = {on_begin, on_record, on_done, bench};
	*bench = (struct bench){.base = base};
	uint64_t begun_ns = clock_boottime_ns();
	bench->client = client_of(base, socket);
	if (sync_subscribe(bench->client, "session", &subscriber, NULL, -1))
		fail("subscribe");
	event_base_dispatch(base);
	double took = seconds_since(begun_ns);
	sync_client_free(bench->client);
	return took;
}

/* ---- All of it ------------------------------------------------------------------------- */

static pid_t start_daemon(const char *program, const char *folder)
{
	char control[4096], store[4096];
	snprintf(control, sizeof(control), "%s/control", folder);
	snprintf(store, sizeof(store), "%s/sync.db", folder);
	if (mkdir(control, 0700) && errno != EEXIST)
		fail(control);
	pid_t child = fork();
	if (!child) {
		execl(program, program, "--state", folder, "--store", store, "--group", "root", (char *)NULL);
		_exit(127);
	}
	return child;
}

static void measure_publish(struct event_base *base, pid_t daemon, const char *socket, bool shuffled,
			    double seconds, double disk)
{
	double daemon_cpu = cpu_of(daemon), client_cpu = cpu_of(getpid());
	uint64_t begun_ns = clock_boottime_ns();
	double count = (double)publish(base, socket, shuffled, seconds);
	double rate = count / seconds_since(begun_ns);
	daemon_cpu = (cpu_of(daemon) - daemon_cpu) / count * 1e6;
	client_cpu = (cpu_of(getpid()) - client_cpu) / count * 1e6;
	printf("publish, keys %s: %.0f acknowledged records/s, %.2f of the disk alone; processor time of a "
	       "record: %.1f us bngsync, %.1f us client\n",
	       shuffled ? "shuffled" : "in order", rate, rate / disk, daemon_cpu, client_cpu);
}

static void measure(const char *folder, const char *socket, pid_t daemon, double seconds)
{
	struct event_base *base = event_base_new();
	struct bench bench;
	char text[1024];
	double disk = disk_alone(folder);
	double record = (double)value_of(0, RECORDS - 1, text, sizeof(text)) + 8;
	printf("records of %.0f bytes, %d keys; disk alone, 1 MiB and fdatasync: %.0f MB/s, %.0f records/s\n",
	       record, RECORDS, disk / 1e6, disk / record);
	for (int i = 0; i < 2; i++)
		measure_publish(base, daemon, socket, i, seconds, disk / record);
	double took = snapshot(base, socket, &bench);
	printf("snapshot: %" PRIu64
	       " records, %.1f MB in %.3f s; the same bytes over a socket alone: %.3f s\n",
	       bench.received, (double)bench.bytes / 1e6, took, socket_alone(bench.bytes));
	event_base_free(base);
}

int main(int argc, char **argv)
{
	char socket[4096];
	double seconds = argc > 3 ? atof(argv[3]) : 5;
	if (argc < 3 || seconds <= 0) {
		fputs("usage: bench_sync BNGSYNC FOLDER [SECONDS]\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(socket, sizeof(socket), "%s/control/bngsync.sock", argv[2]);
	pid_t daemon = start_daemon(argv[1], argv[2]);
	measure(argv[2], socket, daemon, seconds);
	kill(daemon, SIGTERM);
	int status;
	return waitpid(daemon, &status, 0) == daemon && status == 0 ? 0 : 1;
}
