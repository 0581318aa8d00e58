/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What is different between two configurations, as an operator reads it: JSON
 * pointers with the old and the new value. Array elements with a name (or an
 * address) are matched by it, so that inserting one is one difference.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"

#define DIFFERENCES_MAX 100
#define VALUE_TEXT      64

static void diff(json_t *list, const char *pointer, json_t *before, json_t *after);

static void describe(json_t *value, char text[static VALUE_TEXT])
{
	char *dump =
		value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)) : NULL;

	if (dump && strlen(dump) >= VALUE_TEXT)
		snprintf(text, VALUE_TEXT, "%.*s...", VALUE_TEXT - 4, dump);
	else
		snprintf(text, VALUE_TEXT, "%s", dump ? dump : "nothing");
	free(dump);
}

static void report(json_t *list, const char *pointer, json_t *before, json_t *after)
{
	char old[VALUE_TEXT], new[VALUE_TEXT];

	if (json_array_size(list) == DIFFERENCES_MAX)
		json_array_append_new(list, json_string("and more"));
	if (json_array_size(list) > DIFFERENCES_MAX)
		return;
	describe(before, old);
	describe(after, new);
	json_array_append_new(list, json_sprintf("%s: %s -> %s", pointer, old, new));
}

static const char *key_of(json_t *element)
{
	const char *name = json_string_value(json_object_get(element, "name"));

	if (name)
		return name;
	if (json_object_get(element, "address"))
		return json_string_value(json_object_get(element, "address"));
	return json_string_value(element);
}

/* An object from key to element; NULL when some element has no key of its own. */
static json_t *by_key(json_t *array)
{
	json_t *all = json_object(), *element;
	size_t index;

	json_array_foreach(array, index, element)
	{
		const char *key = key_of(element);

		if (!key || json_object_get(all, key)) {
			json_decref(all);
			return NULL;
		}
		json_object_set(all, key, element);
	}
	return all;
}

static void diff_objects(json_t *list, const char *pointer, json_t *before, json_t *after)
{
	char inner[512];
	const char *member;
	json_t *value;

	json_object_foreach(before, member, value)
	{
		snprintf(inner, sizeof(inner), "%s/%s", pointer, member);
		diff(list, inner, value, json_object_get(after, member));
	}
	json_object_foreach(after, member, value)
	{
		snprintf(inner, sizeof(inner), "%s/%s", pointer, member);
		if (!json_object_get(before, member))
			diff(list, inner, NULL, value);
	}
}

static void diff_arrays(json_t *list, const char *pointer, json_t *before, json_t *after)
{
	json_t *old = by_key(before), *new = by_key(after);

	if (old && new)
		diff_objects(list, pointer, old, new);
	else
		report(list, pointer, before, after);
	json_decref(old);
	json_decref(new);
}

static void diff(json_t *list, const char *pointer, json_t *before, json_t *after)
{
	if (json_equal(before, after))
		return;
	if (json_is_object(before) && json_is_object(after))
		diff_objects(list, pointer, before, after);
	else if (json_is_array(before) && json_is_array(after))
		diff_arrays(list, pointer, before, after);
	else
		report(list, pointer, before, after);
}

json_t *config_differences(const struct config *before, const struct config *after)
{
	json_t *list = json_array();

	diff(list, "", before ? before->document : NULL, after->document);
	return list;
}
