/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A UDP server that is restarted by starting the next one: one process is one generation
 * of a group. It answers each datagram with its generation in front, leaves on SIGTERM when
 * every flow that it has begun has said its last word, and says what it did on its last line.
 *
 *   bng-group-server HOLDER_SOCKET GROUP GENERATION PORT SOCKETS
 *
 * A datagram: flow (4 bytes), number in it (4 bytes), 1 if it is the last (1 byte).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/holdfast/group.h"

#define FLOWS     65536
#define PERIOD_MS 20
#define DATAGRAM  9
#define TRIES     500
#define TRY_US    20000

struct server {
	struct holdfast holder;
	const char *path, *group;
	int64_t generation;
	int sockets[HOLDFAST_GROUP_SOCKETS];
	size_t count;
	bool open[FLOWS];
	unsigned flows; /* open ones */
	unsigned long served, begun;
};

static volatile sig_atomic_t is_leaving;

static void on_signal(int number)
{
	(void)number;
	is_leaving = 1;
}

static void die(const struct server *server, const char *what)
{
	fprintf(stderr, "generation %lld: %s: %s\n", (long long)server->generation, what,
		server->holder.error);
	exit(1);
}

/* ---- The holder, which may be away for a while ------------------------------------------------ */

static int enlist(struct server *server)
{
	static const struct holdfast_group_options options = {.mode = "flow", .timeout_s = 60, .flows = 8192};

	holdfast_close(&server->holder);
	if (holdfast_open(&server->holder, server->path))
		return -1;
	return holdfast_group_register(&server->holder, server->group, server->generation, &options,
				       server->sockets, server->count, NULL);
}

static void insist(struct server *server, int (*ask)(struct holdfast *, const char *, int64_t),
		   const char *what)
{
	for (int i = 0; i < TRIES; i++) {
		int error = ask ? ask(&server->holder, server->group, server->generation) : enlist(server);

		/* What was done before the answer was lost need not be done again. */
		if (!error || (i && error == -ENOENT && ask == holdfast_group_drop))
			return;
		usleep(TRY_US);
		if (ask && (server->holder.fd < 0 || error == -EPIPE || error == -ECONNRESET))
			enlist(server);
	}
	die(server, what);
}

static void notice_holder(struct server *server)
{
	struct pollfd poller = {.fd = server->holder.fd, .events = POLLIN};

	if (server->holder.fd < 0 || poll(&poller, 1, 0))
		enlist(server);
}

/* ---- Datagrams -------------------------------------------------------------------------------- */

static void account(struct server *server, const uint8_t *datagram)
{
	uint32_t flow;

	memcpy(&flow, datagram, sizeof(flow));
	flow = ntohl(flow) % FLOWS;
	server->served++;
	if (!server->open[flow]) {
		server->open[flow] = true;
		server->flows++;
		server->begun++;
	}
	if (datagram[8]) {
		server->open[flow] = false;
		server->flows--;
	}
}

static void serve(struct server *server, int fd)
{
	uint8_t datagram[8 + DATAGRAM];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);

	while (recvfrom(fd, datagram + 8, DATAGRAM, MSG_DONTWAIT, (struct sockaddr *)&from, &size) ==
	       DATAGRAM) {
		account(server, datagram + 8);
		for (int i = 0; i < 8; i++)
			datagram[i] = (uint8_t)(server->generation >> (56 - 8 * i));
		if (sendto(fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, size) < 0)
			die(server, "sendto");
	}
}

static void serve_all(struct server *server, int timeout_ms)
{
	struct pollfd pollers[HOLDFAST_GROUP_SOCKETS];

	for (size_t i = 0; i < server->count; i++)
		pollers[i] = (struct pollfd){.fd = server->sockets[i], .events = POLLIN};
	poll(pollers, server->count, timeout_ms);
	for (size_t i = 0; i < server->count; i++)
		serve(server, server->sockets[i]);
}

int main(int argc, char **argv)
{
	static struct server server = {.holder.fd = -1};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (argc != 6)
		return 2;
	server.path = argv[1];
	server.group = argv[2];
	server.generation = atoll(argv[3]);
	address.sin_port = htons((uint16_t)atoi(argv[4]));
	for (server.count = 0; server.count < (size_t)atoi(argv[5]); server.count++)
		server.sockets[server.count] =
			holdfast_udp_socket((struct sockaddr *)&address, sizeof(address));
	signal(SIGTERM, on_signal);
	insist(&server, NULL, "registering");
	insist(&server, holdfast_group_set_working, "setting to work");
	puts("working");
	fflush(stdout);
	for (bool was_told = false; !was_told || server.flows;) {
		was_told = is_leaving; /* new flows had gone elsewhere before: what waits is the rest */
		serve_all(&server, was_told ? 0 : PERIOD_MS);
		notice_holder(&server);
	}
	insist(&server, holdfast_group_drop, "dropping");
	serve_all(&server, 0);
	printf("served %lu begun %lu open %u\n", server.served, server.begun, server.flows);
	return 0;
}
