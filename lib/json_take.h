/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Values taken out of JSON text in place (lib/json_scan.h), where a tree of each text
 * would cost more than what is done with it. Each says false, or NULL, when the value is
 * not of the kind that is asked for.
 */
#ifndef BNG_LIB_JSON_TAKE_H
#define BNG_LIB_JSON_TAKE_H

#include <stdint.h>

#include "lib/json_scan.h"

/* An integer from `min` to `max`. */
bool json_take_integer(struct json_slice value, int64_t min, int64_t max, int64_t *number);
/* A string: new memory; NULL also: no memory. */
char *json_take_string(struct json_slice value);
/* A string of less than `size` bytes, written without escapes. */
bool json_take_chars(struct json_slice value, char *text, size_t size);

/* Each element in its order; false from `take` ends it. */
typedef bool json_take_element(struct json_slice value, size_t index, void *context);
bool json_take_array(struct json_slice value, json_take_element *take, void *context);

/* A member by its name: `into` is what the object is read into. */
struct json_taker {
	const char *name;
	bool (*take)(struct json_slice value, void *into);
	bool is_needed;
};

#define JSON_TAKERS_MAX 64

/* Members that are in the table, of which none may come twice; others are passed over. */
bool json_take_object(struct json_slice value, const struct json_taker *takers, size_t count, void *into);

/* For objects that have their own table: every member. */
typedef bool json_take_member(struct json_slice name, struct json_slice value, void *context);
bool json_take_members(struct json_slice value, json_take_member *take, void *context);

#endif
