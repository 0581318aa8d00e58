/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Datagrams to $NOTIFY_SOCKET; descriptors from 3 upwards by $LISTEN_FDS, their
 * names by $LISTEN_FDNAMES.
 */
#include "lib/service.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_FDS_START 3

static void notify(const char *text, int fd)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (!path || !path[0] || strlen(path) >= sizeof(address.sun_path))
		return;
	size_t length = strlen(path);
	memcpy(address.sun_path, path, length);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_name = &address,
				 .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length),
				 .msg_iov = &iov,
				 .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		*c = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sender < 0)
		return;
	/* A service manager that does not listen changes nothing for us. */
	ssize_t ignored = sendmsg(sender, &message, MSG_NOSIGNAL);
	(void)ignored;
	close(sender);
}

void service_ready(void)
{
	notify("READY=1", -1);
}

void service_keep_fd(const char *name, int fd)
{
	char text[320];
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%.255s", name);
	notify(text, fd);
}

void service_forget_fd(const char *name)
{
	char text[320];
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%.255s", name);
	notify(text, -1);
}

void service_take_fds(void (*take)(const char *name, int fd, void *context), void *context)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS"),
		   *names = getenv("LISTEN_FDNAMES");
	int count = pid && fds && atol(pid) == (long)getpid() ? atoi(fds) : 0;
	char *list = strdup(names ? names : "");
	char *rest = list;
	for (int i = 0; list && i < count; i++) {
		const char *name = rest ? strsep(&rest, ":") : "";
		fcntl(LISTEN_FDS_START + i, F_SETFD, FD_CLOEXEC);
		take(name, LISTEN_FDS_START + i, context);
	}
	free(list);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}
