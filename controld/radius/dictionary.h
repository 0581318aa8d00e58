/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Names of attributes and values, from files in the format of FreeRADIUS:
 * ATTRIBUTE, VALUE, VENDOR, BEGIN-VENDOR, END-VENDOR, $INCLUDE. What those files have
 * and we do not use (TLVs, extended attributes, vendors with other formats) is
 * understood and left out; a line that is nothing of it is refused by file and number.
 */
#ifndef BNG_CONTROLD_RADIUS_DICTIONARY_H
#define BNG_CONTROLD_RADIUS_DICTIONARY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/radius/packet.h"

struct dictionary;

struct dictionary *dictionary_new(void);
void dictionary_free(struct dictionary *dictionary);
/* 0, or -errno and an error with file, line, what was found and what was expected.
 * `name` is what it calls the text; there, $INCLUDE is refused. */
int dictionary_parse(struct dictionary *dictionary, const char *text, size_t length, const char *name,
		     char *error, size_t error_size);
int dictionary_load(struct dictionary *dictionary, const char *file, char *error, size_t error_size);
size_t dictionary_count(const struct dictionary *dictionary);

/* {"name": "Framed-IP-Address", "value": "10.0.0.7"}; what is not known has its numbers
 * for a name, such as "Attr-26.14988.8", and its bytes as hex. New reference. */
json_t *dictionary_describe(const struct dictionary *dictionary, const struct radius_attribute *attribute);

#endif
