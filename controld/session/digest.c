/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The digest that proves an upgrade changed nothing: all sessions and all live
 * mappings as lines of text, sorted bytewise, each ended by a newline, hashed.
 */
#include <arpa/inet.h>
#include <openssl/sha.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/maps/mappings.h"
#include "controld/maps/names.h"
#include "controld/session/digest.h"
#include "controld/session/session.h"
#include "lib/address.h"

#define LINE_MAX_LENGTH 160

struct lines {
	char *text; /* lines one behind the other, each ended by NUL */
	size_t length;
	size_t room;
	size_t count;
	bool failed;
};

__attribute__((format(printf, 2, 3))) static void lines_add(struct lines *lines, const char *format, ...)
{
	va_list arguments;
	int length;

	if (lines->room - lines->length < LINE_MAX_LENGTH) {
		size_t room = lines->room ? 2 * lines->room : 65536;
		char *more = lines->failed ? NULL : realloc(lines->text, room);

		lines->failed = !more;
		if (!more)
			return;
		lines->text = more;
		lines->room = room;
	}
	va_start(arguments, format);
	length = vsnprintf(lines->text + lines->length, LINE_MAX_LENGTH, format, arguments);
	va_end(arguments);
	lines->length += (size_t)(length < LINE_MAX_LENGTH ? length : LINE_MAX_LENGTH - 1) + 1;
	lines->count++;
}

struct sortable {
	uint64_t prefix; /* the line's first bytes, big endian: most comparisons end here */
	const char *line;
};

static int line_compare(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	return strcmp(x->line, y->line);
}

/* Lines of one protocol begin alike: the prefix starts where they differ. */
static uint64_t prefix_of(const char *line, size_t skip)
{
	uint64_t prefix = 0;

	for (int i = 0; i < 8; i++) {
		prefix = prefix << 8 | (uint8_t)line[skip];
		if (line[skip])
			skip++;
	}
	return prefix;
}

static size_t common_prefix(const struct lines *lines)
{
	size_t common = lines->count ? strlen(lines->text) : 0;
	const char *line = lines->text;

	for (size_t i = 0; i < lines->count; i++, line += strlen(line) + 1) {
		size_t same = 0;

		while (same < common && line[same] == lines->text[same])
			same++;
		common = same;
	}
	return common;
}

/* {count, sha256}; frees the lines. */
static json_t *lines_digest(struct lines *lines)
{
	struct sortable *sorted = calloc(lines->count + 1, sizeof(*sorted));
	unsigned char digest[SHA256_DIGEST_LENGTH];
	char hex[2 * SHA256_DIGEST_LENGTH + 1], *joined = malloc(lines->length + 1), *end = joined;
	size_t common = common_prefix(lines), count = lines->count;
	const char *line = lines->text;
	bool failed = lines->failed || !sorted || !joined;

	for (size_t i = 0; !failed && i < count; i++, line += strlen(line) + 1)
		sorted[i] = (struct sortable){prefix_of(line, common), line};
	if (!failed)
		qsort(sorted, count, sizeof(*sorted), line_compare);
	for (size_t i = 0; !failed && i < count; i++) {
		end = stpcpy(end, sorted[i].line);
		*end++ = '\n';
	}
	if (!failed)
		SHA256((const unsigned char *)joined, (size_t)(end - joined), digest);
	free(joined);
	free(sorted);
	free(lines->text);
	if (failed)
		return NULL;
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return json_pack("{s:I, s:s}", "count", (json_int_t)count, "sha256", hex);
}

static json_t *sessions_digest(struct controld *controld)
{
	struct lines lines = {0};
	struct session session;
	uint32_t slot = 0;

	while (session_next(controld, &slot, &session)) {
		const struct bng_subscriber *record = session.record;
		char address[ADDRESS_TEXT], mac[MAC_TEXT];

		lines_add(&lines, "%llu %s %s %s %u %u", (unsigned long long)record->session_id,
			  address_format(record->address_be, address), mac_format(record->mac, mac),
			  names_interface(controld, record->interface), record->outer_vid, record->inner_vid);
	}
	return lines_digest(&lines);
}

static void add_mapping(const struct cgnat_mapping *mapping, void *context)
{
	char inner[ADDRESS_TEXT], public[ADDRESS_TEXT];

	lines_add(context, "%s %s:%u %s:%u", cgnat_protocol_name(mapping->protocol),
		  address_format(mapping->session->address_be, inner), mapping->inner_port,
		  address_format(mapping->public_be, public), mapping->public_port);
}

json_t *session_digest(struct controld *controld)
{
	struct cgnat_filter all = {0};
	struct lines lines = {0};
	json_t *sessions = sessions_digest(controld), *mappings;

	cgnat_walk(controld->maps, &all, add_mapping, &lines);
	mappings = lines_digest(&lines);
	if (sessions && mappings)
		return json_pack("{s:o, s:o}", "sessions", sessions, "mappings", mappings);
	json_decref(sessions);
	json_decref(mappings);
	return NULL;
}
