/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * An attribute of a packet as a person reads it: what its kind asks for, or hex when the
 * bytes are not of that kind.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controld/radius/dictionary.h"
#include "controld/radius/names.h"

#define TEXT_MAX (2 * RADIUS_VALUE_MAX + 3)

static void write_hex(const struct radius_attribute *attribute, char *text, size_t size)
{
	int used = snprintf(text, size, "0x");

	for (unsigned i = 0; i < attribute->length; i++)
		used += snprintf(text + used, size - (size_t)used, "%02x", attribute->value[i]);
}

static bool write_string(const struct radius_attribute *attribute, char *text, size_t size)
{
	for (unsigned i = 0; i < attribute->length; i++)
		if (attribute->value[i] < ' ' || attribute->value[i] == 0x7f)
			return false;
	snprintf(text, size, "%.*s", attribute->length, (const char *)attribute->value);
	return true;
}

static bool write_integer(const struct dictionary *dictionary, const struct radius_attribute *attribute,
			  bool is_signed, char *text, size_t size)
{
	const struct name_value *known = NULL;
	uint64_t value = 0;

	if (!attribute->length || attribute->length > sizeof(value))
		return false;
	for (unsigned i = 0; i < attribute->length; i++)
		value = value << 8 | attribute->value[i];
	if (value <= UINT32_MAX)
		known = names_value(&dictionary->names, attribute->vendor, attribute->type, (uint32_t)value);
	if (known)
		snprintf(text, size, "%s", known->name);
	else if (is_signed && attribute->length == 4)
		snprintf(text, size, "%" PRId32, (int32_t)value);
	else
		snprintf(text, size, "%" PRIu64, value);
	return true;
}

/* RFC 3162 section 2.3: a reserved byte, the length, as many bytes as it takes. */
static bool write_prefix6(const struct radius_attribute *attribute, char *text, size_t size)
{
	uint8_t address[16] = {0};
	char prefix[INET6_ADDRSTRLEN];

	if (attribute->length < 2 || attribute->length > 18 || attribute->value[1] > 128)
		return false;
	memcpy(address, attribute->value + 2, attribute->length - 2u);
	inet_ntop(AF_INET6, address, prefix, sizeof(prefix));
	snprintf(text, size, "%s/%u", prefix, attribute->value[1]);
	return true;
}

static bool write_value(const struct dictionary *dictionary, const struct radius_attribute *attribute,
			enum name_kind kind, char *text, size_t size)
{
	switch (kind) {
	case NAME_STRING:
		return write_string(attribute, text, size);
	case NAME_INTEGER:
	case NAME_SIGNED:
		return write_integer(dictionary, attribute, kind == NAME_SIGNED, text, size);
	case NAME_ADDRESS:
		return attribute->length == 4 && inet_ntop(AF_INET, attribute->value, text, (socklen_t)size);
	case NAME_ADDRESS6:
		return attribute->length == 16 &&
		       inet_ntop(AF_INET6, attribute->value, text, (socklen_t)size);
	case NAME_PREFIX6:
		return write_prefix6(attribute, text, size);
	case NAME_OCTETS:
		break;
	}
	return false;
}

json_t *dictionary_describe(const struct dictionary *dictionary, const struct radius_attribute *attribute)
{
	const struct name_attribute *known =
		names_attribute(&dictionary->names, attribute->vendor, attribute->type);
	char name[64], text[TEXT_MAX];
	json_t *value;

	if (attribute->vendor)
		snprintf(name, sizeof(name), "Attr-26.%" PRIu32 ".%u", attribute->vendor, attribute->type);
	else
		snprintf(name, sizeof(name), "Attr-%u", attribute->type);
	if (!write_value(dictionary, attribute, known ? known->kind : NAME_OCTETS, text, sizeof(text)))
		write_hex(attribute, text, sizeof(text));
	value = json_string(text);
	if (!value) { /* not UTF-8 */
		write_hex(attribute, text, sizeof(text));
		value = json_string(text);
	}
	return json_pack("{s:s, s:o}", "name", known ? known->name : name, "value", value);
}
