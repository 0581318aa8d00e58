/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * JSON text read in place: whether it is well-formed, and where its parts are. No
 * tree is built, so text that is only passed on costs a tenth of parsing it.
 *
 * What is accepted here, jansson accepts too (a fuzzer holds them together). Less
 * is accepted: nesting up to JSON_SCAN_DEPTH, integers of 18 digits, exponents of
 * two. Members of the same name are not looked for.
 */
#ifndef BNG_LIB_JSON_SCAN_H
#define BNG_LIB_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_SCAN_DEPTH 32

struct json_slice {
	const char *text; /* NULL: not there */
	size_t length;
};

struct json_scan {
	const char *at;
	const char *end;
};

/* A value of any kind: checked, *value is its text, the cursor is behind it. */
bool json_scan_value(struct json_scan *scan, struct json_slice *value);
/* Over an opening '{' or '['. */
bool json_scan_open(struct json_scan *scan, char bracket);
/* To member (or element) number `index`: 1, and the cursor is at its value; 0: there
 * is none, and the cursor is behind the closing bracket; -1: malformed. A name is what
 * is between its quotes, as it is written. */
int json_scan_member(struct json_scan *scan, size_t index, struct json_slice *name);
int json_scan_element(struct json_scan *scan, size_t index);
/* Whether only blanks are left. */
bool json_scan_ended(struct json_scan *scan);

bool json_slice_is(struct json_slice slice, const char *text);
/* What is between the quotes of a string that is written without escapes. */
bool json_slice_text(struct json_slice value, struct json_slice *text);

#endif
