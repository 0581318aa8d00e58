/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any key and value that a bus may hand over: refused, or a record that goes back to the
 * same key and value, whose attributes can be walked and counted anew.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controld/accounting/accounting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_key(const char *text)
{
	char again[RECORD_KEY_TEXT];
	struct record_key key;

	if (!record_key_parse(text, &key))
		return;
	record_key_format(&key, again);
	if (strcmp(text, again) != 0)
		abort();
}

static void check_value(const char *text, size_t length)
{
	uint8_t attributes[RECORD_ATTRIBUTES_MAX], again[RECORD_ATTRIBUTES_MAX];
	struct bng_subscriber record = {.up_bytes = 1ull << 40, .down_packets = 7};
	struct record_content content = {0}, read = {0};
	json_t *json = json_loadb(text, length, 0, NULL), *value;

	if (json && record_value_parse(json, &content, attributes)) {
		value = record_value(&content);
		if (!value || !record_value_parse(value, &read, again) || read.made_s != content.made_s ||
		    read.length != content.length || memcmp(again, attributes, read.length) != 0)
			abort();
		attributes_count(attributes, content.length, &record);
		if (attributes_count(attributes, content.length, &record))
			abort();
		json_decref(value);
	}
	json_decref(json);
}

/* The first line is a key, the rest a value. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *end = memchr(data, '\n', size);
	size_t length = end ? (size_t)(end - (const char *)data) : size;
	char *key = strndup((const char *)data, length);

	check_key(key);
	free(key);
	if (end)
		check_value(end + 1, size - length - 1);
	return 0;
}
