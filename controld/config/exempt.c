/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading a file of exempt destinations: all of it is good, or none of it is used.
 */
#include "controld/config/exempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/address.h"
#include "lib/file.h"

#define EXEMPT_FILE_MAX (128u << 20)
#define WORD_MAX        32 /* longer than any prefix */
#define SHOWN_MAX       40

struct list {
	struct config_prefix *prefix;
	size_t count;
	size_t room;
};

/* 0, or what is wrong with the word. */
static const char *read_prefix(const char *word, size_t length, struct config_prefix *prefix)
{
	char text[WORD_MAX];
	uint32_t address_be;

	if (length >= sizeof(text))
		return "must be an IPv4 prefix such as 192.0.2.0/24";
	memcpy(text, word, length);
	text[length] = '\0';
	if (!prefix_parse(text, &prefix->first, &prefix->last, &prefix->length))
		return NULL;
	if (address_parse(text, &address_be))
		return "must be an IPv4 prefix such as 192.0.2.0/24, no bits set behind its length";
	prefix->first = prefix->last = ntohl(address_be);
	prefix->length = 32;
	return NULL;
}

static int list_add(struct list *list, const struct config_prefix *prefix)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct config_prefix *more = realloc(list->prefix, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->prefix = more;
		list->room = room;
	}
	list->prefix[list->count++] = *prefix;
	return 0;
}

/* For an error: printable, and not too much of it. */
static void show(const char *word, size_t length, char shown[static SHOWN_MAX])
{
	size_t used = length < SHOWN_MAX - 4 ? length : SHOWN_MAX - 4;

	for (size_t i = 0; i < used; i++)
		shown[i] = word[i] >= ' ' && word[i] < 0x7f ? word[i] : '?';
	snprintf(shown + used, SHOWN_MAX - used, "%s", used < length ? "..." : "");
}

static int read_line(struct list *list, const char *line, size_t length, const char **fault, char *shown)
{
	const char *comment = memchr(line, '#', length);
	struct config_prefix prefix;

	if (comment)
		length = (size_t)(comment - line);
	while (length && (line[length - 1] == ' ' || line[length - 1] == '\t' || line[length - 1] == '\r'))
		length--;
	while (length && (*line == ' ' || *line == '\t')) {
		line++;
		length--;
	}
	if (!length)
		return 0;
	*fault = read_prefix(line, length, &prefix);
	if (!*fault)
		return list_add(list, &prefix);
	show(line, length, shown);
	return -EINVAL;
}

static int prefix_compare(const void *a, const void *b)
{
	const struct config_prefix *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (int)x->length - (int)y->length;
}

/* Twice the same is one. */
static void list_sort(struct list *list)
{
	size_t kept = 0;

	if (list->count)
		qsort(list->prefix, list->count, sizeof(*list->prefix), prefix_compare);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || prefix_compare(&list->prefix[kept - 1], &list->prefix[i]))
			list->prefix[kept++] = list->prefix[i];
	list->count = kept;
}

int exempt_parse(const char *text, size_t length, const char *name, struct config_prefix **prefixes,
		 size_t *count, char *error, size_t error_size)
{
	const char *end = text + length, *fault = NULL;
	struct list list = {0};
	char shown[SHOWN_MAX] = "";
	unsigned long line = 0;
	int failure = 0;

	for (const char *at = text; !failure && at < end; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		failure = read_line(&list, at, (size_t)(stop - at), &fault, shown);
		at = stop + 1;
	}
	if (failure) {
		free(list.prefix);
		if (fault)
			snprintf(error, error_size, "%s line %lu: \"%s\": %s", name, line, shown, fault);
		else
			snprintf(error, error_size, "%s line %lu: %s", name, line, strerror(-failure));
		return failure;
	}
	list_sort(&list);
	*prefixes = list.prefix;
	*count = list.count;
	return 0;
}

int exempt_load(const char *file, struct config_prefix **prefixes, size_t *count, char *error,
		size_t error_size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), failure = fd < 0 ? -errno : 0;
	size_t length = 0;
	char *text = NULL;

	if (!failure)
		failure = file_read(fd, EXEMPT_FILE_MAX, &text, &length);
	if (fd >= 0)
		close(fd);
	if (failure) {
		snprintf(error, error_size,
			 "%s: reading it failed: %s: it must be a file that is not empty (a comment will do)",
			 file, strerror(-failure));
		return failure;
	}
	failure = exempt_parse(text, length, file, prefixes, count, error, error_size);
	free(text);
	return failure;
}
