/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One function for each kind of value; each leaves the cursor behind what it
 * took, and says false where the text is not JSON.
 */
#include "lib/json_scan.h"

#include <stdint.h>
#include <string.h>

#define INTEGER_DIGITS  18 /* always fits into 64 bits */
#define EXPONENT_DIGITS 2  /* always fits into a double */
#define REAL_DIGITS     64

static bool scan_any(struct json_scan *scan, unsigned depth);

static void skip_blanks(struct json_scan *scan)
{
	while (scan->at < scan->end &&
	       (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
		scan->at++;
}

static bool take(struct json_scan *scan, char byte)
{
	if (scan->at == scan->end || *scan->at != byte)
		return false;
	scan->at++;
	return true;
}

static bool take_word(struct json_scan *scan, const char *word)
{
	size_t length = strlen(word);
	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

static int hex_digit(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte |= 0x20;
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 when they are none. */
static int take_unit(struct json_scan *scan)
{
	int unit = 0;
	if (scan->end - scan->at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(*scan->at++);
		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* Behind a backslash. Surrogates come in pairs, and a string holds no NUL. */
static bool take_escape(struct json_scan *scan)
{
	if (scan->at == scan->end)
		return false;
	char kind = *scan->at++;
	if (kind != 'u')
		return kind && strchr("\"\\/bfnrt", kind);
	int unit = take_unit(scan);
	if (unit < 0xd800 || unit > 0xdfff)
		return unit > 0;
	if (unit >= 0xdc00 || !take_word(scan, "\\u"))
		return false;
	unit = take_unit(scan);
	return unit >= 0xdc00 && unit <= 0xdfff;
}

/* One character of more than one byte: shortest form, no surrogate, up to U+10FFFF. */
static bool take_wide(struct json_scan *scan)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = (uint8_t)*scan->at++;
	int bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	uint32_t code = first & (0xffu >> (bytes + 1));
	if (first < 0xc2 || first > 0xf4 || scan->end - scan->at < bytes - 1)
		return false;
	for (int i = 1; i < bytes; i++) {
		uint8_t byte = (uint8_t)*scan->at++;
		if ((byte & 0xc0) != 0x80)
			return false;
		code = code << 6 | (byte & 0x3f);
	}
	return code >= least[bytes] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static bool scan_string(struct json_scan *scan)
{
	if (!take(scan, '"'))
		return false;
	while (scan->at < scan->end) {
		uint8_t byte = (uint8_t)*scan->at;
		if (byte == '"') {
			scan->at++;
			return true;
		}
		if (byte >= 0x20 && byte < 0x80 && byte != '\\') {
			scan->at++;
		} else if (byte == '\\') {
			scan->at++;
			if (!take_escape(scan))
				return false;
		} else if (byte < 0x20 || !take_wide(scan)) {
			return false;
		}
	}
	return false;
}

static size_t take_digits(struct json_scan *scan)
{
	const char *begin = scan->at;
	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return (size_t)(scan->at - begin);
}

static bool scan_number(struct json_scan *scan)
{
	bool real = false;
	take(scan, '-');
	const char *begin = scan->at;
	size_t digits = take_digits(scan), part;
	if (!digits || digits > REAL_DIGITS || (*begin == '0' && digits > 1))
		return false;
	if (take(scan, '.')) {
		real = true;
		part = take_digits(scan);
		if (!part || part > REAL_DIGITS)
			return false;
	}
	if (take(scan, 'e') || take(scan, 'E')) {
		real = true;
		if (!take(scan, '+'))
			take(scan, '-');
		part = take_digits(scan);
		if (!part || part > EXPONENT_DIGITS)
			return false;
	}
	return real || digits <= INTEGER_DIGITS;
}

static bool scan_members(struct json_scan *scan, char bracket, unsigned depth)
{
	struct json_slice name;
	int more;
	if (!depth)
		return false;
	json_scan_open(scan, bracket);
	for (size_t i = 0;; i++) {
		more = bracket == '{' ? json_scan_member(scan, i, &name) : json_scan_element(scan, i);
		if (more <= 0)
			return more == 0;
		if (!scan_any(scan, depth - 1))
			return false;
	}
}

static bool scan_any(struct json_scan *scan, unsigned depth)
{
	skip_blanks(scan);
	if (scan->at == scan->end)
		return false;
	switch (*scan->at) {
	case '{':
	case '[':
		return scan_members(scan, *scan->at, depth);
	case '"':
		return scan_string(scan);
	case 't':
		return take_word(scan, "true");
	case 'f':
		return take_word(scan, "false");
	case 'n':
		return take_word(scan, "null");
	}
	return scan_number(scan);
}

bool json_scan_value(struct json_scan *scan, struct json_slice *value)
{
	skip_blanks(scan);
	const char *begin = scan->at;
	if (!scan_any(scan, JSON_SCAN_DEPTH))
		return false;
	*value = (struct json_slice){begin, (size_t)(scan->at - begin)};
	return true;
}

bool json_scan_open(struct json_scan *scan, char bracket)
{
	skip_blanks(scan);
	return take(scan, bracket);
}

int json_scan_element(struct json_scan *scan, size_t index)
{
	skip_blanks(scan);
	if (take(scan, ']'))
		return 0;
	return !index || take(scan, ',') ? 1 : -1;
}

int json_scan_member(struct json_scan *scan, size_t index, struct json_slice *name)
{
	skip_blanks(scan);
	if (take(scan, '}'))
		return 0;
	if (index && !take(scan, ','))
		return -1;
	skip_blanks(scan);
	const char *begin = scan->at;
	if (!scan_string(scan))
		return -1;
	*name = (struct json_slice){begin + 1, (size_t)(scan->at - begin) - 2};
	skip_blanks(scan);
	return take(scan, ':') ? 1 : -1;
}

bool json_scan_ended(struct json_scan *scan)
{
	skip_blanks(scan);
	return scan->at == scan->end;
}

bool json_slice_is(struct json_slice slice, const char *text)
{
	return slice.text && strlen(text) == slice.length && memcmp(slice.text, text, slice.length) == 0;
}

bool json_slice_text(struct json_slice value, struct json_slice *text)
{
	if (!value.text || value.length < 2 || value.text[0] != '"' || memchr(value.text, '\\', value.length))
		return false;
	*text = (struct json_slice){value.text + 1, value.length - 2};
	return true;
}
