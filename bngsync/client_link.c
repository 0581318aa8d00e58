/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Lines that were read are handed over before more is read, so that a slow
 * consumer is felt by the server and by nobody else.
 */
#include "bngsync/client_link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int take_lines(struct link *link)
{
	const char *line;
	size_t length;
	struct rpc_fds fds;
	int error = 0;
	while (!error && link->fd >= 0 && rpc_reader_next(&link->reader, &line, &length, &fds)) {
		rpc_fds_close(&fds);
		error = link->on_line(link->context, line, length);
	}
	return error;
}

static void on_readable(evutil_socket_t fd, short events, void *context)
{
	(void)events;
	struct link *link = context;
	int status = rpc_reader_fill(&link->reader, fd);
	if (status == -EAGAIN)
		return;
	int error = status > 0 ? take_lines(link) : status ? status : -ECONNRESET;
	if (error)
		link->on_ended(link->context, error);
}

static void on_writable(evutil_socket_t fd, short events, void *context)
{
	(void)events;
	struct link *link = context;
	while (link->out_start < link->out_end) {
		ssize_t sent = rpc_wire_send(fd, link->out + link->out_start, link->out_end - link->out_start,
					     NULL, 0);
		if (sent == -EAGAIN)
			return;
		if (sent < 0) {
			link->on_ended(link->context, (int)sent);
			return;
		}
		link->out_start += (size_t)sent;
	}
	link->out_start = link->out_end = 0;
	event_del(link->writable);
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

int link_open(struct link *link, struct event_base *base, const char *path)
{
	link->fd = connect_to(path);
	if (link->fd < 0)
		return link->fd;
	link->readable = event_new(base, link->fd, EV_READ | EV_PERSIST, on_readable, link);
	link->writable = event_new(base, link->fd, EV_WRITE | EV_PERSIST, on_writable, link);
	if (link->readable && link->writable && (link->paused || !event_add(link->readable, NULL)))
		return 0;
	link_close(link);
	return -ENOMEM;
}

void link_close(struct link *link)
{
	if (link->readable)
		event_free(link->readable);
	if (link->writable)
		event_free(link->writable);
	link->readable = link->writable = NULL;
	rpc_reader_done(&link->reader);
	free(link->out);
	link->out = NULL;
	link->out_start = link->out_end = link->out_capacity = 0;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

static int make_room(struct link *link, size_t length)
{
	size_t kept = link->out_end - link->out_start;
	if (link->out_capacity - link->out_end >= length)
		return 0;
	if (kept)
		memmove(link->out, link->out + link->out_start, kept);
	link->out_start = 0;
	link->out_end = kept;
	if (link->out_capacity - kept >= length)
		return 0;
	char *out = realloc(link->out, kept + length);
	if (!out)
		return -ENOMEM;
	link->out = out;
	link->out_capacity = kept + length;
	return 0;
}

int link_send(struct link *link, char *line, size_t length)
{
	int error = link->fd < 0 ? -ENOTCONN : line ? make_room(link, length) : -ENOMEM;
	if (!error) {
		memcpy(link->out + link->out_end, line, length);
		link->out_end += length;
		event_add(link->writable, NULL);
	}
	free(line);
	return error;
}

void link_pause(struct link *link, bool paused)
{
	link->paused = paused;
	if (link->fd >= 0 && paused)
		event_del(link->readable);
	else if (link->fd >= 0)
		event_add(link->readable, NULL);
}
