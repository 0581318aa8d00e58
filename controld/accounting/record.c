/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A record's key, its value on the bus, and the request it becomes.
 */
#include "controld/accounting/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/radius/radius.h"
#include "controld/radius/subscriber.h"

#define ID_DIGITS       16
#define SEQUENCE_DIGITS 8

static const struct {
	const char *name;
	uint32_t status; /* Acct-Status-Type */
} kinds[RECORD_KINDS] = {
	[RECORD_ON] = {"on", 7},     [RECORD_START] = {"start", 1}, [RECORD_INTERIM] = {"interim", 3},
	[RECORD_STOP] = {"stop", 2}, [RECORD_OFF] = {"off", 8},
};

const char *record_kind_name(enum record_kind kind)
{
	return kinds[kind].name;
}

/* ---- The key --------------------------------------------------------------------- */

void record_key_format(const struct record_key *key, char text[static RECORD_KEY_TEXT])
{
	int length = snprintf(text, RECORD_KEY_TEXT, "%016" PRIx64 "-", key->session_id);

	if (key->kind == RECORD_INTERIM)
		snprintf(text + length, RECORD_KEY_TEXT - (size_t)length, "%08" PRIx32, key->sequence);
	else
		snprintf(text + length, RECORD_KEY_TEXT - (size_t)length, "%s", kinds[key->kind].name);
}

/* So many lower-case hexadecimal digits. */
static bool parse_digits(const char *text, size_t digits, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < digits; i++) {
		const char *all = "0123456789abcdef", *digit = text[i] ? strchr(all, text[i]) : NULL;

		if (!digit)
			return false;
		*value = *value << 4 | (uint64_t)(digit - all);
	}
	return true;
}

bool record_key_parse(const char *text, struct record_key *key)
{
	const char *rest = text + ID_DIGITS + 1;
	uint64_t sequence;

	*key = (struct record_key){.kind = RECORD_KINDS};
	if (!parse_digits(text, ID_DIGITS, &key->session_id) || text[ID_DIGITS] != '-')
		return false;
	for (uint8_t kind = 0; kind < RECORD_KINDS; kind++)
		if (kind != RECORD_INTERIM && !strcmp(rest, kinds[kind].name))
			key->kind = kind;
	if (key->kind < RECORD_KINDS)
		return true;
	if (!parse_digits(rest, SEQUENCE_DIGITS, &sequence) || rest[SEQUENCE_DIGITS] || !sequence)
		return false;
	key->kind = RECORD_INTERIM;
	key->sequence = (uint32_t)sequence;
	return true;
}

int record_key_compare(const struct record_key *a, const struct record_key *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->sequence != b->sequence)
		return a->sequence < b->sequence ? -1 : 1;
	return 0;
}

/* ---- The value ------------------------------------------------------------------- */

json_t *record_value(const struct record_content *content)
{
	char text[2 * RECORD_ATTRIBUTES_MAX + 1];

	for (size_t i = 0; i < content->length; i++)
		snprintf(text + 2 * i, 3, "%02x", content->attributes[i]);
	text[2 * content->length] = '\0';
	return json_pack("{s:I, s:s}", "made", (json_int_t)content->made_s, "attributes", text);
}

bool record_attributes_ok(const uint8_t *attributes, size_t length)
{
	size_t at = 0;

	if (length > RECORD_ATTRIBUTES_MAX)
		return false;
	while (at + 2 <= length && attributes[at + 1] >= 2)
		at += attributes[at + 1];
	return at == length;
}

bool record_value_parse(const json_t *json, struct record_content *content, uint8_t *attributes)
{
	const json_t *made = json_object_get(json, "made"), *text = json_object_get(json, "attributes");
	size_t length = json_string_length(text);
	uint64_t byte;

	if (!json_is_integer(made) || json_integer_value(made) < 0 || !json_is_string(text) || length % 2 ||
	    length / 2 > RECORD_ATTRIBUTES_MAX)
		return false;
	for (size_t i = 0; i < length / 2; i++) {
		if (!parse_digits(json_string_value(text) + 2 * i, 2, &byte))
			return false;
		attributes[i] = (uint8_t)byte;
	}
	content->made_s = json_integer_value(made);
	content->length = (uint16_t)(length / 2);
	content->attributes = attributes;
	return record_attributes_ok(attributes, content->length);
}

/* ---- The request ------------------------------------------------------------------ */

size_t record_request(const struct controld *controld, const struct record_content *content, int64_t now_s,
		      uint8_t packet[static RADIUS_REQUEST_MAX])
{
	struct radius_builder builder;
	char id[RADIUS_SESSION_ID_TEXT];

	radius_begin(&builder, packet, RADIUS_REQUEST_MAX, RADIUS_ACCOUNTING_REQUEST);
	radius_add_integer(&builder, RADIUS_ACCT_STATUS_TYPE, kinds[content->key.kind].status);
	radius_add_text(&builder, RADIUS_ACCT_SESSION_ID, radius_session_id(content->key.session_id, id));
	radius_add_integer(&builder, RADIUS_EVENT_TIMESTAMP, (uint32_t)content->made_s);
	radius_add_integer(&builder, RADIUS_ACCT_DELAY_TIME,
			   now_s > content->made_s ? (uint32_t)(now_s - content->made_s) : 0);
	radius_add_nas(controld, &builder);
	for (size_t at = 0; at < content->length; at += content->attributes[at + 1])
		radius_add(&builder, content->attributes[at], content->attributes + at + 2,
			   content->attributes[at + 1] - 2u);
	return radius_end(&builder);
}
