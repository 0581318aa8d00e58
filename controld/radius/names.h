/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a dictionary holds: vendors, attributes and values by number and by name. Added
 * to in any order, sorted, then only asked.
 */
#ifndef BNG_CONTROLD_RADIUS_NAMES_H
#define BNG_CONTROLD_RADIUS_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum name_kind {
	NAME_OCTETS,
	NAME_STRING,
	NAME_INTEGER, /* of any length up to 8 bytes */
	NAME_SIGNED,
	NAME_ADDRESS,
	NAME_ADDRESS6,
	NAME_PREFIX6,
};

struct name_vendor {
	char *name;
	uint32_t number;
	bool is_other; /* not one byte of type and one of length */
};

struct name_attribute {
	char *name;
	uint32_t vendor;
	uint8_t type;
	enum name_kind kind;
	uint32_t order; /* of definition */
};

struct name_value {
	char *name;
	uint32_t vendor;
	uint8_t type;
	uint32_t value;
	uint32_t order;
};

struct names_of {
	struct name_vendor *vendors;
	size_t vendor_count;
	struct name_attribute *attributes;
	size_t attribute_count;
	struct name_value *values;
	size_t value_count;
	uint32_t next_order;
};

struct dictionary {
	struct names_of names;
};

/* 0, -ENOMEM, or -ENOSPC when there are too many. */
int names_add_vendor(struct names_of *names, const char *name, uint32_t number, bool is_other);
int names_add_attribute(struct names_of *names, const char *name, uint32_t vendor, uint8_t type,
			enum name_kind kind);
/* Of an attribute that is not known: left out. */
int names_add_value(struct names_of *names, const char *attribute, const char *name, uint32_t value);
void names_sort(struct names_of *names);
void names_done(struct names_of *names);

bool names_vendor(const struct names_of *names, const char *name, uint32_t *number);
bool names_vendor_is_other(const struct names_of *names, uint32_t number);
/* After names_sort; NULL: not known. */
const struct name_attribute *names_attribute(const struct names_of *names, uint32_t vendor, uint8_t type);
/* By its name, in any case; of several the last one defined. */
const struct name_attribute *names_attribute_named(const struct names_of *names, const char *name);
const struct name_value *names_value(const struct names_of *names, uint32_t vendor, uint8_t type,
				     uint32_t value);

#endif
