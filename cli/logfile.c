/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The files of a rotated log, see the header. zlib reads what is not compressed as it is.
 */
#include "logfile.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define LINE_FIRST    65536
#define LINE_MAX_SIZE (4u << 20)

static bool is_listed(const json_t *names, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach(names, i, one)
	{
		if (!strcmp(json_string_value(one), name))
			return true;
	}
	return false;
}

static bool is_file(const char *name)
{
	struct stat facts;

	return !stat(name, &facts) && S_ISREG(facts.st_mode);
}

/* "*" and the like in the path itself stand for themselves. */
static void escape(const char *path, const char *tail, char *pattern, size_t size)
{
	size_t length = 0;

	for (; *path && length + 3 < size; path++) {
		if (strchr("*?[\\", *path))
			pattern[length++] = '\\';
		pattern[length++] = *path;
	}
	snprintf(pattern + length, size - length, "%s", tail);
}

int logfile_find(const char *path, json_t *names, char error[static LOGFILE_ERROR])
{
	static const char *const tails[] = {"", ".*", "-*"};
	size_t before = json_array_size(names);
	bool listed = is_listed(names, path);
	char pattern[8192];

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		glob_t found = {0};

		escape(path, tails[i], pattern, sizeof(pattern));
		if (!glob(pattern, 0, NULL, &found))
			for (size_t k = 0; k < found.gl_pathc; k++)
				if (is_file(found.gl_pathv[k]) && !is_listed(names, found.gl_pathv[k]))
					json_array_append_new(names, json_string(found.gl_pathv[k]));
		globfree(&found);
	}
	if (listed || json_array_size(names) > before)
		return 0;
	snprintf(error, LOGFILE_ERROR, "%.400s: no such log file", path);
	return -ENOENT;
}

struct lines {
	gzFile file;
	char *buffer;
	size_t room;
	size_t used;
};

/* Hands on all whole lines; what is left moves to the front. */
static void hand_on(struct lines *lines, void (*each)(void *, const char *, size_t), void *context)
{
	size_t at = 0;
	char *end;

	while ((end = memchr(lines->buffer + at, '\n', lines->used - at)) != NULL) {
		each(context, lines->buffer + at, (size_t)(end - lines->buffer) - at);
		at = (size_t)(end - lines->buffer) + 1;
	}
	if (!at && lines->used == LINE_MAX_SIZE) {
		each(context, lines->buffer, lines->used);
		at = lines->used;
	}
	lines->used -= at;
	memmove(lines->buffer, lines->buffer + at, lines->used);
}

static int make_room(struct lines *lines)
{
	size_t room = lines->room ? 2 * lines->room : LINE_FIRST;
	char *more;

	if (lines->used < lines->room)
		return 0;
	more = realloc(lines->buffer, room);
	if (!more)
		return -ENOMEM;
	lines->buffer = more;
	lines->room = room;
	return 0;
}

static int read_all(struct lines *lines, void (*each)(void *, const char *, size_t), void *context)
{
	int got, failure;

	do {
		failure = make_room(lines);
		if (failure)
			return failure;
		got = gzread(lines->file, lines->buffer + lines->used, (unsigned)(lines->room - lines->used));
		if (got < 0)
			return -EIO;
		lines->used += (size_t)got;
		hand_on(lines, each, context);
	} while (got);
	if (lines->used)
		each(context, lines->buffer, lines->used);
	return 0;
}

int logfile_read(const char *name, void (*each)(void *context, const char *line, size_t length),
		 void *context, char error[static LOGFILE_ERROR])
{
	struct lines lines = {.file = gzopen(name, "rbe")};
	int failure, damaged;

	if (!lines.file) {
		failure = errno ? -errno : -ENOMEM;
		snprintf(error, LOGFILE_ERROR, "%.400s: %s", name, strerror(-failure));
		return failure;
	}
	failure = read_all(&lines, each, context);
	damaged = gzclose(lines.file); /* tells of one that was cut off */
	free(lines.buffer);
	if (!failure && damaged == Z_OK)
		return 0;
	snprintf(error, LOGFILE_ERROR, "%.400s: %s", name,
		 failure == -ENOMEM ? "out of memory" : "is damaged: what comes behind could not be read");
	return failure ? failure : -EIO;
}
