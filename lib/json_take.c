/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * See the header. A string with escapes is rare, and jansson's to read.
 */
#include "lib/json_take.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define INTEGER_DIGITS 18 /* always fit into 64 bits */

bool json_take_integer(struct json_slice value, int64_t min, int64_t max, int64_t *number)
{
	bool is_negative = value.length && value.text[0] == '-';
	size_t first = is_negative ? 1 : 0;
	int64_t found = 0;

	if (value.length == first || value.length - first > INTEGER_DIGITS)
		return false;
	for (size_t i = first; i < value.length; i++) {
		if (value.text[i] < '0' || value.text[i] > '9')
			return false;
		found = found * 10 + (value.text[i] - '0');
	}
	*number = is_negative ? -found : found;
	return *number >= min && *number <= max;
}

static char *take_escaped(struct json_slice value)
{
	json_t *json = json_loadb(value.text, value.length, JSON_DECODE_ANY, NULL);
	char *text = json_is_string(json) ? strdup(json_string_value(json)) : NULL;

	json_decref(json);
	return text;
}

char *json_take_string(struct json_slice value)
{
	struct json_slice text;

	if (json_slice_text(value, &text))
		return strndup(text.text, text.length);
	return value.length && value.text[0] == '"' ? take_escaped(value) : NULL;
}

bool json_take_chars(struct json_slice value, char *text, size_t size)
{
	struct json_slice found;

	if (!json_slice_text(value, &found) || found.length >= size)
		return false;
	memcpy(text, found.text, found.length);
	text[found.length] = '\0';
	return true;
}

bool json_take_array(struct json_slice value, json_take_element *take, void *context)
{
	struct json_scan scan = {value.text, value.text + value.length};
	struct json_slice element;
	int more;

	if (!value.text || !json_scan_open(&scan, '['))
		return false;
	for (size_t i = 0; (more = json_scan_element(&scan, i)) > 0; i++)
		if (!json_scan_value(&scan, &element) || !take(element, i, context))
			return false;
	return !more && json_scan_ended(&scan);
}

bool json_take_members(struct json_slice value, json_take_member *take, void *context)
{
	struct json_scan scan = {value.text, value.text + value.length};
	struct json_slice name, member;
	int more;

	if (!value.text || !json_scan_open(&scan, '{'))
		return false;
	for (size_t i = 0; (more = json_scan_member(&scan, i, &name)) > 0; i++)
		if (!json_scan_value(&scan, &member) || !take(name, member, context))
			return false;
	return !more && json_scan_ended(&scan);
}

/* ---- By a table ------------------------------------------------------------------------ */

struct taking {
	const struct json_taker *takers;
	size_t count;
	void *into;
	uint64_t taken; /* bitmap of `takers` */
	size_t next;    /* where the search begins: members mostly come in the table's order */
};

static bool take_by_table(struct json_slice name, struct json_slice value, void *context)
{
	struct taking *taking = context;

	for (size_t tried = 0; tried < taking->count; tried++) {
		size_t i = (taking->next + tried) % taking->count;
		uint64_t bit = 1ULL << i;

		if (!json_slice_is(name, taking->takers[i].name))
			continue;
		if (taking->taken & bit)
			return false;
		taking->taken |= bit;
		taking->next = i + 1;
		return taking->takers[i].take(value, taking->into);
	}
	return true;
}

bool json_take_object(struct json_slice value, const struct json_taker *takers, size_t count, void *into)
{
	struct taking taking = {.takers = takers, .count = count, .into = into};

	if (count > JSON_TAKERS_MAX || !json_take_members(value, take_by_table, &taking))
		return false;
	for (size_t i = 0; i < count; i++)
		if (takers[i].is_needed && !(taking.taken >> i & 1))
			return false;
	return true;
}
