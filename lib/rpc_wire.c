/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The buffer grows by doubling up to one line of RPC_LINE_MAX and goes back to
 * its first size when it is empty, so that a quiet peer costs little.
 */
#include "lib/rpc_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_FIRST  (16u << 10)
#define BUFFER_MAX    (RPC_LINE_MAX + 1) /* a line and its newline */
#define KERNEL_FD_MAX 253                /* SCM_MAX_FD */

void rpc_fds_close(struct rpc_fds *fds)
{
	for (size_t i = 0; i < fds->count; i++)
		close(fds->fd[i]);
	fds->count = 0;
}

void rpc_reader_done(struct rpc_reader *reader)
{
	rpc_fds_close(&reader->fds[0]);
	rpc_fds_close(&reader->fds[1]);
	free(reader->data);
	*reader = (struct rpc_reader){0};
}

static void move_to_front(struct rpc_reader *reader)
{
	if (!reader->start)
		return;
	memmove(reader->data, reader->data + reader->start, reader->end - reader->start);
	for (int i = 0; i < 2; i++)
		reader->fds[i].offset -= reader->fds[i].count ? reader->start : 0;
	reader->scanned -= reader->start;
	reader->end -= reader->start;
	reader->start = 0;
}

static int resize(struct rpc_reader *reader, size_t size)
{
	char *data = realloc(reader->data, size);
	if (!data)
		return -ENOMEM;
	reader->data = data;
	reader->size = size;
	return 0;
}

static int make_room(struct rpc_reader *reader)
{
	move_to_front(reader);
	if (!reader->end && reader->size != BUFFER_FIRST)
		return resize(reader, BUFFER_FIRST);
	if (reader->end < reader->size)
		return 0;
	if (reader->size >= BUFFER_MAX)
		return -EMSGSIZE;
	size_t doubled = reader->size * 2;
	return resize(reader, doubled < BUFFER_MAX ? doubled : BUFFER_MAX);
}

/* Everything that came in one control message; `count` may exceed what a line may carry. */
static size_t take_descriptors(struct msghdr *message, int fds[static KERNEL_FD_MAX])
{
	size_t count = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n && count < KERNEL_FD_MAX; i++)
			memcpy(&fds[count++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
	}
	return count;
}

/* Where the last line begun in the buffer starts. */
static size_t last_line(const struct rpc_reader *reader)
{
	const char *from = reader->data + reader->start;
	const char *newline = memrchr(from, '\n', reader->end - 1 - reader->start);
	return newline ? (size_t)(newline + 1 - reader->data) : reader->start;
}

static int keep_descriptors(struct rpc_reader *reader, const int *fds, size_t count)
{
	size_t offset = last_line(reader);
	struct rpc_fds *set = &reader->fds[0];
	if (set->count && set->offset != offset)
		set = &reader->fds[1];
	if (set->count && set->offset != offset)
		return -E2BIG;
	if (set->count + count > RPC_FDS_MAX)
		return -E2BIG;
	memcpy(set->fd + set->count, fds, count * sizeof(int));
	set->count += count;
	set->offset = offset;
	return 0;
}

int rpc_reader_fill(struct rpc_reader *reader, int fd)
{
	int error = make_room(reader);
	if (error)
		return error;
	union {
		char bytes[CMSG_SPACE(KERNEL_FD_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = reader->data + reader->end, .iov_len = reader->size - reader->end};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!got)
		return 0;
	int fds[KERNEL_FD_MAX];
	size_t count = take_descriptors(&message, fds);
	reader->end += (size_t)got;
	if (message.msg_flags & MSG_CTRUNC)
		error = -EMFILE;
	else if (count)
		error = keep_descriptors(reader, fds, count);
	for (size_t i = 0; error && i < count; i++)
		close(fds[i]);
	return error ? error : 1;
}

bool rpc_reader_next(struct rpc_reader *reader, const char **line, size_t *length, struct rpc_fds *fds)
{
	if (reader->scanned == reader->end)
		return false;
	const char *newline = memchr(reader->data + reader->scanned, '\n', reader->end - reader->scanned);
	if (!newline) {
		reader->scanned = reader->end;
		return false;
	}
	fds->count = 0;
	for (int i = 0; i < 2; i++) {
		if (reader->fds[i].count && reader->fds[i].offset == reader->start) {
			*fds = reader->fds[i];
			reader->fds[i].count = 0;
		}
	}
	*line = reader->data + reader->start;
	*length = (size_t)(newline - *line);
	reader->start = reader->scanned = (size_t)(newline + 1 - reader->data);
	return true;
}

ssize_t rpc_wire_send(int fd, const char *data, size_t length, const int *fds, size_t fd_count)
{
	union {
		char bytes[CMSG_SPACE(RPC_FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = (char *)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	if (fd_count) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, fd_count * sizeof(int));
	}
	ssize_t sent;
	do {
		sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : sent;
}

char *rpc_wire_line(const json_t *object, size_t *length)
{
	char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
	if (!line)
		return NULL;
	*length = strlen(line) + 1;
	line[*length - 1] = '\n';
	return line;
}

json_t *rpc_text(const char *text)
{
	json_t *string = json_string(text);
	if (string)
		return string;
	char *copy = strdup(text);
	for (char *c = copy; c && *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	string = copy ? json_string(copy) : NULL;
	free(copy);
	return string;
}
