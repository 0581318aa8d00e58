/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Bytes as text and back.
 */
#include "lib/bytes.h"

#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789ABCDEF";

char *bytes_format(const uint8_t *bytes, size_t length)
{
	char *text = malloc(3 * length + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '%') {
			*to++ = (char)bytes[i];
			continue;
		}
		*to++ = '%';
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
	return text;
}

/* The value of a hexadecimal digit in capitals, or -1. */
static int digit_value(char digit)
{
	const char *found = digit ? strchr(digits, digit) : NULL;

	return found ? (int)(found - digits) : -1;
}

uint8_t *bytes_parse(const char *text, size_t *length)
{
	uint8_t *bytes = malloc(strlen(text) + 1), *to = bytes;

	for (; bytes && *text; text++) {
		int high, low;

		if (*text != '%') {
			*to++ = (uint8_t)*text;
			continue;
		}
		high = digit_value(text[1]);
		low = high < 0 ? -1 : digit_value(text[2]);
		if (low < 0) {
			free(bytes);
			return NULL;
		}
		*to++ = (uint8_t)(high << 4 | low);
		text += 2;
	}
	*length = bytes ? (size_t)(to - bytes) : 0;
	return bytes;
}
