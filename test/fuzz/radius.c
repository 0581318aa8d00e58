/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of the RADIUS codec: the input is a datagram from a server. It is no
 * genuine reply (nobody guesses a digest), its attributes lie inside it, and what it is
 * as a request stays the same when it is sealed and opened.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/radius/dictionary.h"
#include "controld/radius/packet.h"
#include "controld/radius/seal.h"

static const struct radius_secret secret = {"fuzz", 4};

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void walk(const uint8_t *data, size_t length)
{
	static struct dictionary *dictionary;
	static const char text[] =
		"ATTRIBUTE S 1 string\nATTRIBUTE A 4 ipaddr\nATTRIBUTE I 5 integer\n"
		"ATTRIBUTE L 6 signed\nATTRIBUTE P 97 ipv6prefix\nATTRIBUTE V 95 ipv6addr\n"
		"VALUE I One 1\nVENDOR Z 9\nBEGIN-VENDOR Z\nATTRIBUTE Z 1 string\nEND-VENDOR Z\n";
	struct radius_cursor cursor = radius_attributes(data, length);
	struct radius_attribute attribute;
	char error[256];

	if (!dictionary) {
		dictionary = dictionary_new();
		must(!dictionary_parse(dictionary, text, strlen(text), "fuzz", error, sizeof(error)));
	}
	while (radius_next(&cursor, &attribute)) {
		must(attribute.value >= data + RADIUS_HEADER &&
		     attribute.value + attribute.length <= data + length);
		json_t *said = dictionary_describe(dictionary, &attribute);
		must(json_is_string(json_object_get(said, "value")));
		json_decref(said);
	}
}

/* Passwords of whole blocks only: others are left as they are behind the last block. An
 * Accounting-Request has none (RFC 2866 section 4.1): its digest takes the place of what masks it. */
static void seal_and_open(uint8_t *data, size_t length)
{
	uint8_t before[RADIUS_PACKET_MAX];
	size_t size = 0;

	memcpy(before, data, length);
	if (radius_seal(data, length, 1, &secret))
		return;
	uint8_t *password = radius_find(before, length, RADIUS_USER_PASSWORD, &size);
	must(!radius_open(data, length, &secret));
	if (password && before[RADIUS_AT_CODE] != RADIUS_ACCOUNTING_REQUEST)
		must(!memcmp(password, data + (password - before), size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t request[RADIUS_HEADER] = {RADIUS_ACCESS_REQUEST, 1, 0, RADIUS_HEADER};
	uint8_t *copy = malloc(size ? size : 1);
	size_t length = size;

	must(copy);
	memcpy(copy, data, size);
	must(radius_verify(copy, &length, request, &secret, false) != RADIUS_GENUINE);
	length = radius_length(copy, size);
	must(length <= size);
	if (length) {
		walk(copy, length);
		seal_and_open(copy, length);
	}
	free(copy);
	return 0;
}
