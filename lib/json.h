/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading members of a JSON object with errors a person can act on; and writing counters.
 *
 * A reader walks one document. The first error sticks in it: later calls do
 * nothing and return the default, so that a caller reads everything and checks
 * once. An error names the JSON pointer, what was found and what was expected:
 *   /pools/0/prefix: "203.0.113.0/33": prefix length must be 0-32
 * What a member with "secret" or "password" in its name holds is never told.
 */
#ifndef BNG_LIB_JSON_H
#define BNG_LIB_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_ERROR_TEXT   512
#define JSON_POINTER_TEXT 256

struct json_reader {
	char pointer[JSON_POINTER_TEXT]; /* of the value being read */
	char error[JSON_ERROR_TEXT];     /* "" while all is well */
	unsigned hidden;                 /* entered segments that did not fit into `pointer` */
};

void json_reader_init(struct json_reader *reader);
bool json_reader_ok(const struct json_reader *reader);

/* Fails at the current pointer; `found` may be NULL (nothing there). */
__attribute__((format(printf, 3, 4))) void json_reader_fail(struct json_reader *reader, const json_t *found,
							    const char *expected, ...);

/* Descend into a member or an element; every enter has its leave. NULL when it is
 * not there, which is no error by itself. */
json_t *json_enter(struct json_reader *reader, const json_t *object, const char *member);
json_t *json_enter_index(struct json_reader *reader, const json_t *array, size_t index);
void json_leave(struct json_reader *reader);

/* Members of `object`, which must be there (read_) or may be absent (read_*_or).
 * Strings are borrowed from the document. After an error: "", min, the fallback. */
const char *json_read_string(struct json_reader *reader, const json_t *object, const char *member);
const char *json_read_string_or(struct json_reader *reader, const json_t *object, const char *member,
				const char *fallback);
int64_t json_read_integer(struct json_reader *reader, const json_t *object, const char *member, int64_t min,
			  int64_t max);
int64_t json_read_integer_or(struct json_reader *reader, const json_t *object, const char *member,
			     int64_t min, int64_t max, int64_t fallback);
/* An integer or a real number. */
double json_read_number_or(struct json_reader *reader, const json_t *object, const char *member, double min,
			   double max, double fallback);
bool json_read_bool_or(struct json_reader *reader, const json_t *object, const char *member, bool fallback);

/* Fails if `object` has a member that is not in the NULL-terminated list. */
void json_read_only(struct json_reader *reader, const json_t *object, const char *const *members);

void json_set_count(json_t *object, const char *member, uint64_t count);
/* New reference: `size` counters by their names; of those without one (NULL) nothing is said. */
json_t *json_counts(const char *const names[], const uint64_t counts[], size_t size);

#endif
