/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading one member of the configuration, with its default and its limits.
 */
#include "controld/config/parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"

int64_t config_integer(struct json_reader *reader, json_t *object, const char *member, int64_t min,
		       int64_t max, int64_t fallback)
{
	int64_t value;

	if (fallback == CONFIG_NO_DEFAULT)
		return json_read_integer(reader, object, member, min, max);
	value = json_read_integer_or(reader, object, member, min, max, fallback);
	if (json_reader_ok(reader) && !json_object_get(object, member))
		json_object_set_new(object, member, json_integer(fallback));
	return value;
}

bool config_bool(struct json_reader *reader, json_t *object, const char *member, bool fallback)
{
	bool value = json_read_bool_or(reader, object, member, fallback);

	if (json_reader_ok(reader) && !json_object_get(object, member))
		json_object_set_new(object, member, json_boolean(fallback));
	return value;
}

double config_number(struct json_reader *reader, json_t *object, const char *member, double min, double max,
		     double fallback)
{
	double value = json_read_number_or(reader, object, member, min, max, fallback);

	if (json_reader_ok(reader) && !json_object_get(object, member))
		json_object_set_new(object, member, json_real(fallback));
	return value;
}

const char *config_string(struct json_reader *reader, json_t *object, const char *member,
			  const char *fallback)
{
	const char *value;

	if (!fallback)
		return json_read_string(reader, object, member);
	value = json_read_string_or(reader, object, member, fallback);
	if (json_reader_ok(reader) && !json_object_get(object, member))
		json_object_set_new(object, member, json_string(fallback));
	return value;
}

void config_name(struct json_reader *reader, json_t *object, const char *member, char *name, size_t size)
{
	const char *text = config_string(reader, object, member, NULL);
	bool good = text && text[0] && strlen(text) < size;

	for (const char *c = text; good && *c; c++)
		good = *c > ' ' && *c < 0x7f && *c != '/';
	if (good) {
		snprintf(name, size, "%s", text);
		return;
	}
	json_reader_fail(reader, json_enter(reader, object, member),
			 "must be a name of 1-%zu printable characters without '/' and spaces", size - 1);
	json_leave(reader);
}

uint32_t config_address(struct json_reader *reader, json_t *object, const char *member)
{
	const char *text = config_string(reader, object, member, NULL);
	uint32_t address_be = 0;

	if (text && address_parse(text, &address_be)) {
		json_reader_fail(reader, json_enter(reader, object, member),
				 "must be an IPv4 address such as \"10.0.0.1\"");
		json_leave(reader);
	}
	return address_be;
}

void config_prefix(struct json_reader *reader, const json_t *text, struct config_prefix *prefix)
{
	const char *value = json_string_value(text), *slash = value ? strchr(value, '/') : NULL;

	if (value && !prefix_parse(value, &prefix->first, &prefix->last, &prefix->length))
		return;
	if (slash && (strlen(slash + 1) > 2 || atoi(slash + 1) > 32))
		json_reader_fail(reader, text, "prefix length must be 0-32");
	else
		json_reader_fail(
			reader, text,
			"must be an IPv4 prefix such as \"203.0.113.0/29\", no bits set behind its length");
}

void config_array(struct json_reader *reader, json_t *object, const char *member, size_t max,
		  size_t element_size, void *elements, size_t *count, config_element *read, void *context)
{
	json_t *array = json_enter(reader, object, member);
	size_t length = json_array_size(array);
	char *all;

	*count = 0;
	if (!array && json_is_object(object) && json_reader_ok(reader))
		json_object_set_new(object, member, json_array());
	else if (!json_is_array(array))
		json_reader_fail(reader, array, "must be an array");
	else if (length > max)
		json_reader_fail(reader, NULL, "%zu elements found, at most %zu may be given", length, max);
	all = json_reader_ok(reader) && length ? calloc(length, element_size) : NULL;
	if (length && !all)
		json_reader_fail(reader, NULL, "out of memory for %zu elements", length);
	for (size_t i = 0; all && i < length; i++) {
		json_t *element = json_enter_index(reader, array, i);

		read(reader, element, all + i * element_size, context);
		json_leave(reader);
		*count = i + 1;
	}
	memcpy(elements, &all, sizeof(all));
	json_leave(reader);
}

json_t *config_object(struct json_reader *reader, json_t *object, const char *member)
{
	json_t *value = json_enter(reader, object, member);

	if (value && !json_is_object(value))
		json_reader_fail(reader, value, "must be an object");
	if (!value && json_is_object(object) && json_reader_ok(reader)) {
		json_object_set_new(object, member, json_object());
		value = json_object_get(object, member);
	}
	return value;
}
