/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Attributes in and out of a buffer, see the header.
 */
#include "controld/radius/packet.h"

#include <arpa/inet.h>
#include <string.h>

#include "controld/radius/seal.h"

#define ATTRIBUTE_HEADER 2
#define VENDOR_ID        4
#define PASSWORD_BLOCK   16

static uint8_t *grow(struct radius_builder *builder, size_t length)
{
	uint8_t *at = builder->data + builder->length;

	if (builder->is_full || length > builder->size - builder->length) {
		builder->is_full = true;
		return NULL;
	}
	builder->length += length;
	return at;
}

void radius_begin(struct radius_builder *builder, uint8_t *data, size_t size, enum radius_code code)
{
	static const uint8_t none[RADIUS_DIGEST];

	if (size > RADIUS_PACKET_MAX)
		size = RADIUS_PACKET_MAX;
	*builder = (struct radius_builder){.data = data, .size = size};
	if (!grow(builder, RADIUS_HEADER))
		return;
	memset(data, 0, RADIUS_HEADER);
	data[RADIUS_AT_CODE] = (uint8_t)code;
	if (code == RADIUS_ACCESS_REQUEST)
		radius_add(builder, RADIUS_MESSAGE_AUTHENTICATOR, none, sizeof(none));
}

void radius_add(struct radius_builder *builder, uint8_t type, const void *value, size_t length)
{
	uint8_t *at = NULL;

	if (length <= RADIUS_VALUE_MAX)
		at = grow(builder, ATTRIBUTE_HEADER + length);
	if (!at) {
		builder->is_full = true;
		return;
	}
	at[0] = type;
	at[1] = (uint8_t)(ATTRIBUTE_HEADER + length);
	if (length)
		memcpy(at + ATTRIBUTE_HEADER, value, length);
}

void radius_add_text(struct radius_builder *builder, uint8_t type, const char *text)
{
	radius_add(builder, type, text, strlen(text));
}

void radius_add_integer(struct radius_builder *builder, uint8_t type, uint32_t value)
{
	uint32_t value_be = htonl(value);

	radius_add(builder, type, &value_be, sizeof(value_be));
}

void radius_add_vendor(struct radius_builder *builder, uint32_t vendor, uint8_t type, const void *value,
		       size_t length)
{
	uint32_t vendor_be = htonl(vendor);
	uint8_t whole[RADIUS_VALUE_MAX];

	if (length > sizeof(whole) - VENDOR_ID - ATTRIBUTE_HEADER) {
		builder->is_full = true;
		return;
	}
	memcpy(whole, &vendor_be, VENDOR_ID);
	whole[VENDOR_ID] = type;
	whole[VENDOR_ID + 1] = (uint8_t)(ATTRIBUTE_HEADER + length);
	memcpy(whole + VENDOR_ID + ATTRIBUTE_HEADER, value, length);
	radius_add(builder, RADIUS_VENDOR_SPECIFIC, whole, VENDOR_ID + ATTRIBUTE_HEADER + length);
}

void radius_add_password(struct radius_builder *builder, const void *password, size_t length)
{
	uint8_t padded[RADIUS_PASSWORD_MAX] = {0};
	size_t blocks = length ? (length + PASSWORD_BLOCK - 1) / PASSWORD_BLOCK : 1;

	if (length > sizeof(padded)) {
		builder->is_full = true;
		return;
	}
	memcpy(padded, password, length);
	radius_add(builder, RADIUS_USER_PASSWORD, padded, blocks * PASSWORD_BLOCK);
	radius_forget(padded, sizeof(padded));
}

int radius_add_chap(struct radius_builder *builder, uint8_t id, const uint8_t *challenge,
		    size_t challenge_length, const void *password, size_t password_length)
{
	uint8_t answer[1 + RADIUS_DIGEST] = {id};
	int failure =
		radius_chap(id, challenge, challenge_length, password, password_length, answer + sizeof(id));

	if (failure)
		return failure;
	radius_add(builder, RADIUS_CHAP_PASSWORD, answer, sizeof(answer));
	radius_add(builder, RADIUS_CHAP_CHALLENGE, challenge, challenge_length);
	return 0;
}

size_t radius_end(struct radius_builder *builder)
{
	uint16_t length_be = htons((uint16_t)builder->length);

	if (builder->is_full)
		return 0;
	memcpy(builder->data + RADIUS_AT_LENGTH, &length_be, sizeof(length_be));
	return builder->length;
}

/* ---- Parsing -------------------------------------------------------------- */

static bool is_chain(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= ATTRIBUTE_HEADER && at[1] >= ATTRIBUTE_HEADER && at[1] <= end - at)
		at += at[1];
	return at == end;
}

size_t radius_length(const uint8_t *data, size_t length)
{
	uint16_t told_be;
	size_t told;

	if (length < RADIUS_HEADER)
		return 0;
	memcpy(&told_be, data + RADIUS_AT_LENGTH, sizeof(told_be));
	told = ntohs(told_be);
	if (told < RADIUS_HEADER || told > length || told > RADIUS_PACKET_MAX)
		return 0;
	return is_chain(data + RADIUS_HEADER, data + told) ? told : 0;
}

struct radius_cursor radius_attributes(const uint8_t *data, size_t length)
{
	return (struct radius_cursor){.at = data + RADIUS_HEADER, .end = data + length};
}

static void take(const uint8_t **at, uint32_t vendor, struct radius_attribute *attribute)
{
	*attribute = (struct radius_attribute){
		.vendor = vendor,
		.type = (*at)[0],
		.length = (uint8_t)((*at)[1] - ATTRIBUTE_HEADER),
		.value = *at + ATTRIBUTE_HEADER,
	};
	*at += (*at)[1];
}

/* True when the attribute holds attributes of a vendor, which come next. */
static bool enter(struct radius_cursor *cursor, const struct radius_attribute *attribute)
{
	const uint8_t *first = attribute->value + VENDOR_ID, *end = attribute->value + attribute->length;
	uint32_t vendor_be;

	if (attribute->type != RADIUS_VENDOR_SPECIFIC || attribute->length <= VENDOR_ID ||
	    !is_chain(first, end))
		return false;
	memcpy(&vendor_be, attribute->value, sizeof(vendor_be));
	if (!vendor_be)
		return false;
	cursor->vendor = ntohl(vendor_be);
	cursor->inner = first;
	cursor->inner_end = end;
	return true;
}

bool radius_next(struct radius_cursor *cursor, struct radius_attribute *attribute)
{
	if (cursor->inner == cursor->inner_end) {
		if (cursor->at == cursor->end)
			return false;
		take(&cursor->at, 0, attribute);
		if (!enter(cursor, attribute))
			return true;
	}
	take(&cursor->inner, cursor->vendor, attribute);
	return true;
}

uint8_t *radius_find(uint8_t *data, size_t length, uint8_t type, size_t *value_length)
{
	for (uint8_t *at = data + RADIUS_HEADER; at < data + length; at += at[1]) {
		if (at[0] != type)
			continue;
		*value_length = (size_t)(at[1] - ATTRIBUTE_HEADER);
		return at + ATTRIBUTE_HEADER;
	}
	return NULL;
}
