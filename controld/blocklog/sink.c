/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Writing lines to a file, see the header.
 */
#include "controld/blocklog/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controld/blocklog/record.h"

void sink_close(struct sink *sink)
{
	if (sink->fd >= 0)
		close(sink->fd);
	sink->fd = -1;
}

static int fail(struct sink *sink, const char *doing)
{
	int failure = errno ? -errno : -EIO;

	sink->doing = doing;
	sink_close(sink);
	return failure;
}

/* A name is on the disk when its directory is. */
static int sync_directory(struct sink *sink)
{
	char directory[PATH_MAX];
	char *slash;
	int fd, failure = 0;

	snprintf(directory, sizeof(directory), "%s", sink->path);
	slash = strrchr(directory, '/');
	slash[slash == directory] = '\0';
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		failure = fail(sink, "syncing the directory of");
	if (fd >= 0)
		close(fd);
	return failure;
}

/* A line that a crash cut short ends here. */
static int end_torn_line(struct sink *sink)
{
	char last;

	if (!sink->size)
		return 0;
	if (pread(sink->fd, &last, 1, sink->size - 1) != 1)
		return fail(sink, "reading");
	if (last == '\n')
		return 0;
	if (write(sink->fd, "\n", 1) != 1)
		return fail(sink, "writing to");
	sink->size++;
	return 0;
}

static void sink_found(struct sink *sink, off_t size)
{
	sink->size = size;
	if (!size)
		sink->begins = 0;
	sink->rules_due |= !size;
}

static int sink_open(struct sink *sink)
{
	struct stat facts;

	sink->fd = open(sink->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (sink->fd < 0 || fstat(sink->fd, &facts))
		return fail(sink, "opening");
	if (!S_ISREG(facts.st_mode)) {
		errno = EINVAL;
		return fail(sink, "opening (no regular file)");
	}
	sink->begins = 0;
	sink_found(sink, facts.st_size);
	int failure = end_torn_line(sink);
	return failure ? failure : sync_directory(sink);
}

/* Closes the file when its name is another's now, or nobody's. */
static void notice_moved(struct sink *sink)
{
	struct stat mine, named;

	if (sink->fd < 0)
		return;
	if (fstat(sink->fd, &mine) || stat(sink->path, &named) || mine.st_dev != named.st_dev ||
	    mine.st_ino != named.st_ino)
		sink_close(sink);
	else
		sink_found(sink, mine.st_size);
}

static int rotate(struct sink *sink)
{
	char from[PATH_MAX], to[PATH_MAX];

	sink_close(sink);
	for (unsigned i = sink->keep; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", sink->path, i);
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%u", sink->path, i - 1);
		else
			snprintf(from, sizeof(from), "%s", sink->path);
		if (rename(from, to) && errno != ENOENT)
			return fail(sink, "rotating");
	}
	return 0;
}

/* The longest run of whole lines that fits into `room`, at least one line. */
static size_t fitting(const char *text, size_t length, uint64_t room)
{
	size_t fits = 0;

	while (fits < length) {
		const char *end = memchr(text + fits, '\n', length - fits);
		size_t next = end ? (size_t)(end + 1 - text) : length;

		if (fits && next > room)
			break;
		fits = next;
	}
	return fits;
}

static size_t count_lines(const char *text, size_t length)
{
	size_t lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines;
}

/* What was written of the last line, when the disk is full, is taken back. */
static int write_lines(struct sink *sink, const char *text, size_t length, size_t *lines)
{
	ssize_t written = write(sink->fd, text, length);
	int error = written < 0 ? errno : ENOSPC;
	size_t whole = written < 0 ? 0 : (size_t)written;

	while (whole && text[whole - 1] != '\n')
		whole--;
	if (written > 0 && whole < (size_t)written && ftruncate(sink->fd, sink->size + (off_t)whole))
		return fail(sink, "truncating");
	if (whole && fdatasync(sink->fd))
		return fail(sink, "syncing");
	sink->size += (off_t)whole;
	*lines += count_lines(text, whole);
	if (whole == length)
		return 0;
	errno = error;
	return fail(sink, "writing to");
}

/* Which rules are in force: the line is whole, or not there. */
static int write_rules(struct sink *sink)
{
	char *line = sink->rules ? record_rules(sink->rules) : NULL;
	bool first = !sink->size;
	size_t lines = 0;
	int failure = 0;

	if (sink->rules && !line) {
		errno = ENOMEM;
		return fail(sink, "writing to");
	}
	if (line)
		failure = write_lines(sink, line, strlen(line), &lines);
	free(line);
	sink->rules_due = failure != 0;
	if (first)
		sink->begins = sink->size;
	return failure;
}

int sink_write(struct sink *sink, const char *text, size_t length, size_t *lines)
{
	int failure = 0;

	*lines = 0;
	notice_moved(sink);
	while (!failure && (length || (sink->rules_due && sink->rules))) {
		uint64_t room = UINT64_MAX;
		size_t part;

		if (sink->fd < 0)
			failure = sink_open(sink);
		if (!failure && sink->rules_due)
			failure = write_rules(sink);
		if (failure)
			break;
		if (sink->max_bytes)
			room = sink->max_bytes > (uint64_t)sink->size ? sink->max_bytes - (uint64_t)sink->size
								      : 0;
		part = fitting(text, length, room);
		if (part > room && sink->size > sink->begins) {
			failure = rotate(sink);
			continue;
		}
		failure = write_lines(sink, text, part, lines);
		text += part;
		length -= part;
	}
	return failure;
}
