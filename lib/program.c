/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Its standard output and error are a pipe, read until it ends or its time is over.
 */
#include "lib/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"

/* What it says until it ends, in time: its wait status, or -1. */
static int listen_to(pid_t child, int fd, unsigned timeout_ms, char *says, size_t size)
{
	uint64_t end_ns = clock_boottime_ns() + timeout_ms * 1000000ULL;
	size_t used = 0;
	ssize_t got = 1;
	int status = -1;
	while (got > 0 && clock_boottime_ns() < end_ns) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		char rest[256];
		if (poll(&ready, 1, 100) <= 0)
			continue;
		got = used + 1 < size ? read(fd, says + used, size - 1 - used) : read(fd, rest, sizeof(rest));
		used += got > 0 && used + 1 < size ? (size_t)got : 0;
	}
	says[used] = '\0';
	while (used && says[used - 1] == '\n')
		says[--used] = '\0';
	for (char *end = says; (end = strchr(end, '\n'));)
		*end = ';';
	/* It may have closed its output and go on. */
	pid_t ended;
	while (!(ended = waitpid(child, &status, WNOHANG))) {
		if (clock_boottime_ns() >= end_ns)
			kill(child, SIGKILL);
		poll(NULL, 0, 10);
	}
	return ended == child ? status : -1;
}

int program_run(const struct program_order *order, char *says, size_t size)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid_t child = fork();
	if (!child) {
		unsetenv("NOTIFY_SOCKET"); /* it is no service of ours */
		if (order->keep >= 0)
			fcntl(order->keep, F_SETFD, 0);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		fexecve(order->binary, order->arguments, environ);
		dprintf(STDOUT_FILENO, "it cannot be started: %s\n", strerror(errno));
		_exit(127);
	}
	close(ends[1]);
	says[0] = '\0';
	int status = child < 0 ? -1 : listen_to(child, ends[0], order->timeout_ms, says, size);
	close(ends[0]);
	return status ? -ECHILD : 0;
}
