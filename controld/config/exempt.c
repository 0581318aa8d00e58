/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading exempt destinations: all of a file is good, or none of it is used.
 */
#include "controld/config/exempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/config/service.h"
#include "lib/address.h"
#include "lib/file.h"

#define EXEMPT_FILE_MAX (128u << 20)
#define WORD_MAX        64 /* longer than any prefix and port, with room to line them up */
#define SHOWN_MAX       40
#define BLANKS          " \t"
#define EXPECTED                                                                                             \
	"must be an IPv4 prefix such as 192.0.2.0/24, no bits set behind its length; behind it a port such " \
	"as tcp/443 if only that is exempt"

struct list {
	struct config_exempt *exempt;
	size_t count;
	size_t room;
};

static const char *read_prefix(const char *text, struct config_prefix *prefix)
{
	uint32_t address_be;

	if (!prefix_parse(text, &prefix->first, &prefix->last, &prefix->length))
		return NULL;
	if (address_parse(text, &address_be))
		return EXPECTED;
	prefix->first = prefix->last = ntohl(address_be);
	prefix->length = 32;
	return NULL;
}

const char *exempt_read(const char *text, size_t length, struct config_exempt *exempt)
{
	struct config_exempt found = {0};
	char word[WORD_MAX], *port;
	const char *fault;

	if (length >= sizeof(word) || memchr(text, '\0', length))
		return EXPECTED;
	memcpy(word, text, length);
	word[length] = '\0';
	port = strpbrk(word, BLANKS);
	if (port) {
		*port++ = '\0';
		port += strspn(port, BLANKS);
	}
	fault = read_prefix(word, &found.prefix);
	if (fault)
		return fault;
	if (port && service_parse(port, &found.protocol, &found.port))
		return "must have nothing behind the prefix but a destination port such as tcp/443 or udp/53";
	*exempt = found;
	return NULL;
}

static int list_add(struct list *list, const struct config_exempt *exempt)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 256;
		struct config_exempt *more = realloc(list->exempt, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		list->exempt = more;
		list->room = room;
	}
	list->exempt[list->count++] = *exempt;
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
	struct config_exempt exempt;

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
	*fault = exempt_read(line, length, &exempt);
	if (!*fault)
		return list_add(list, &exempt);
	show(line, length, shown);
	return -EINVAL;
}

int exempt_compare(const struct config_exempt *a, const struct config_exempt *b)
{
	if (a->prefix.first != b->prefix.first)
		return a->prefix.first < b->prefix.first ? -1 : 1;
	if (a->prefix.length != b->prefix.length)
		return (int)a->prefix.length - (int)b->prefix.length;
	if (a->protocol != b->protocol)
		return (int)a->protocol - (int)b->protocol;
	return (int)a->port - (int)b->port;
}

static int compare(const void *a, const void *b)
{
	return exempt_compare(a, b);
}

/* Twice the same is one. */
static void list_sort(struct list *list)
{
	size_t kept = 0;

	if (list->count)
		qsort(list->exempt, list->count, sizeof(*list->exempt), compare);
	for (size_t i = 0; i < list->count; i++)
		if (!kept || exempt_compare(&list->exempt[kept - 1], &list->exempt[i]))
			list->exempt[kept++] = list->exempt[i];
	list->count = kept;
}

int exempt_parse(const char *text, size_t length, const char *name, struct config_exempt **list,
		 size_t *count, char *error, size_t error_size)
{
	const char *end = text + length, *fault = NULL;
	struct list all = {0};
	char shown[SHOWN_MAX] = "";
	unsigned long line = 0;
	int failure = 0;

	for (const char *at = text; !failure && at < end; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;

		failure = read_line(&all, at, (size_t)(stop - at), &fault, shown);
		at = stop + 1;
	}
	if (failure) {
		free(all.exempt);
		if (fault)
			snprintf(error, error_size, "%s line %lu: \"%s\": %s", name, line, shown, fault);
		else
			snprintf(error, error_size, "%s line %lu: %s", name, line, strerror(-failure));
		return failure;
	}
	list_sort(&all);
	*list = all.exempt;
	*count = all.count;
	return 0;
}

int exempt_load(const char *file, struct config_exempt **list, size_t *count, char *error, size_t error_size)
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
	failure = exempt_parse(text, length, file, list, count, error, error_size);
	free(text);
	return failure;
}
