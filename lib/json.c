/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The pointer text is the reader's only position: entering appends one escaped
 * segment, leaving cuts it off again. Segments that do not fit are counted, not
 * written, so that enter and leave always match.
 */
#include "lib/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOUND_TEXT 80
#define HIDDEN     "(hidden)"

_Static_assert(JSON_ERROR_TEXT > JSON_POINTER_TEXT + FOUND_TEXT + 4, "pointer and value always fit");

void json_reader_init(struct json_reader *reader)
{
	*reader = (struct json_reader){0};
}

bool json_reader_ok(const struct json_reader *reader)
{
	return reader->error[0] == '\0';
}

/* Errors are shown and logged: what a member named so is worth, is not. */
static bool is_secret(const char *name)
{
	return strstr(name, "secret") || strstr(name, "password");
}

static void hide_secrets(json_t *value)
{
	const char *name;
	json_t *member;
	size_t i;

	json_array_foreach(value, i, member) hide_secrets(member);
	json_object_foreach(value, name, member)
	{
		if (is_secret(name))
			json_object_iter_set_new(value, json_object_key_to_iter(name), json_string(HIDDEN));
		else
			hide_secrets(member);
	}
}

static char *dump_shown(const struct json_reader *reader, const json_t *found)
{
	const char *last = strrchr(reader->pointer, '/');
	json_t *shown = last && is_secret(last) ? json_string(HIDDEN) : json_deep_copy(found);
	char *dump;

	hide_secrets(shown);
	dump = json_dumps(shown, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
	json_decref(shown);
	return dump;
}

static void describe(const struct json_reader *reader, const json_t *found, char text[static FOUND_TEXT])
{
	char *dump = found ? dump_shown(reader, found) : NULL;
	if (!dump)
		snprintf(text, FOUND_TEXT, "%s", found ? "unprintable" : "missing");
	else if (strlen(dump) < FOUND_TEXT)
		strcpy(text, dump);
	else
		snprintf(text, FOUND_TEXT, "%.*s...", FOUND_TEXT - 4, dump);
	free(dump);
}

void json_reader_fail(struct json_reader *reader, const json_t *found, const char *expected, ...)
{
	if (!json_reader_ok(reader))
		return;
	char text[FOUND_TEXT];
	describe(reader, found, text);
	int length = snprintf(reader->error, sizeof(reader->error),
			      "%s: %s: ", reader->pointer[0] ? reader->pointer : "/", text);
	va_list arguments;
	va_start(arguments, expected);
	vsnprintf(reader->error + length, sizeof(reader->error) - (size_t)length, expected, arguments);
	va_end(arguments);
}

static void enter(struct json_reader *reader, const char *segment)
{
	size_t length = strlen(reader->pointer);
	size_t needed = 1;
	for (const char *c = segment; *c; c++)
		needed += *c == '~' || *c == '/' ? 2 : 1;
	if (reader->hidden || length + needed >= sizeof(reader->pointer)) {
		reader->hidden++;
		return;
	}
	char *at = reader->pointer + length;
	*at++ = '/';
	for (const char *c = segment; *c; c++) {
		if (*c == '~' || *c == '/') {
			*at++ = '~';
			*at++ = *c == '~' ? '0' : '1';
		} else {
			*at++ = *c;
		}
	}
	*at = '\0';
}

json_t *json_enter(struct json_reader *reader, const json_t *object, const char *member)
{
	enter(reader, member);
	return json_object_get(object, member);
}

json_t *json_enter_index(struct json_reader *reader, const json_t *array, size_t index)
{
	char segment[24];
	snprintf(segment, sizeof(segment), "%zu", index);
	enter(reader, segment);
	return json_array_get(array, index);
}

void json_leave(struct json_reader *reader)
{
	if (reader->hidden) {
		reader->hidden--;
		return;
	}
	char *slash = strrchr(reader->pointer, '/');
	if (slash)
		*slash = '\0';
}

/* The member, or NULL: an error was set, or it is absent and may be. */
static const json_t *find(struct json_reader *reader, const json_t *object, const char *member, bool required)
{
	if (!json_reader_ok(reader))
		return NULL;
	if (!json_is_object(object)) {
		json_reader_fail(reader, object, "must be an object");
		return NULL;
	}
	const json_t *value = json_object_get(object, member);
	if (!value && required) {
		enter(reader, member);
		json_reader_fail(reader, NULL, "must be given");
		json_leave(reader);
	}
	return value;
}

static void fail_member(struct json_reader *reader, const char *member, const json_t *found,
			const char *expected)
{
	enter(reader, member);
	json_reader_fail(reader, found, "%s", expected);
	json_leave(reader);
}

static const char *read_string(struct json_reader *reader, const json_t *object, const char *member,
			       bool required, const char *fallback)
{
	const json_t *value = find(reader, object, member, required);
	if (!value)
		return fallback;
	if (json_is_string(value))
		return json_string_value(value);
	fail_member(reader, member, value, "must be a string");
	return fallback;
}

const char *json_read_string(struct json_reader *reader, const json_t *object, const char *member)
{
	return read_string(reader, object, member, true, "");
}

const char *json_read_string_or(struct json_reader *reader, const json_t *object, const char *member,
				const char *fallback)
{
	return read_string(reader, object, member, false, fallback);
}

static int64_t read_integer(struct json_reader *reader, const json_t *object, const char *member,
			    bool required, int64_t min, int64_t max, int64_t fallback)
{
	const json_t *value = find(reader, object, member, required);
	if (!value)
		return fallback;
	if (json_is_integer(value) && json_integer_value(value) >= min && json_integer_value(value) <= max)
		return json_integer_value(value);
	char expected[80];
	snprintf(expected, sizeof(expected), "must be an integer %lld-%lld", (long long)min, (long long)max);
	fail_member(reader, member, value, expected);
	return fallback;
}

int64_t json_read_integer(struct json_reader *reader, const json_t *object, const char *member, int64_t min,
			  int64_t max)
{
	return read_integer(reader, object, member, true, min, max, min);
}

int64_t json_read_integer_or(struct json_reader *reader, const json_t *object, const char *member,
			     int64_t min, int64_t max, int64_t fallback)
{
	return read_integer(reader, object, member, false, min, max, fallback);
}

double json_read_number_or(struct json_reader *reader, const json_t *object, const char *member, double min,
			   double max, double fallback)
{
	const json_t *value = find(reader, object, member, false);
	if (!value)
		return fallback;
	if (json_is_number(value) && json_number_value(value) >= min && json_number_value(value) <= max)
		return json_number_value(value);
	char expected[80];
	snprintf(expected, sizeof(expected), "must be a number %.12g-%.12g", min, max);
	fail_member(reader, member, value, expected);
	return fallback;
}

bool json_read_bool_or(struct json_reader *reader, const json_t *object, const char *member, bool fallback)
{
	const json_t *value = find(reader, object, member, false);
	if (!value)
		return fallback;
	if (json_is_boolean(value))
		return json_is_true(value);
	fail_member(reader, member, value, "must be true or false");
	return fallback;
}

static bool is_listed(const char *name, const char *const *members)
{
	for (; *members; members++) {
		if (!strcmp(name, *members))
			return true;
	}
	return false;
}

/* "must be one of: a, b, c", cut off where it does not fit. */
static void list_members(const char *const *members, char *text, size_t size)
{
	size_t length = (size_t)snprintf(text, size, "unknown; known here:");
	for (size_t i = 0; members[i] && length < size; i++)
		length += (size_t)snprintf(text + length, size - length, "%s %s", i ? "," : "", members[i]);
}

void json_read_only(struct json_reader *reader, const json_t *object, const char *const *members)
{
	if (!json_reader_ok(reader))
		return;
	if (!json_is_object(object)) {
		json_reader_fail(reader, object, "must be an object");
		return;
	}
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)object, name, value)
	{
		if (is_listed(name, members))
			continue;
		char known[JSON_ERROR_TEXT / 2];
		list_members(members, known, sizeof(known));
		fail_member(reader, name, value, known);
		return;
	}
}

/* ---- Counters ------------------------------------------------------------------------- */

void json_set_count(json_t *object, const char *member, uint64_t count)
{
	json_object_set_new(object, member, json_integer((json_int_t)count));
}

json_t *json_counts(const char *const names[], const uint64_t counts[], size_t size)
{
	json_t *object = json_object();

	for (size_t i = 0; i < size; i++)
		if (names[i])
			json_set_count(object, names[i], counts[i]);
	return object;
}
