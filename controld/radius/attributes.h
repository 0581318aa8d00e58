/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an attribute means: which part of a profile (session/profile.h) its value is.
 *
 * There is a table of what is common; the configuration (/aaa/attributes) adds to it, by
 * names of the dictionary. Where several attributes say the same, the configuration's go
 * before ours, and ours before all others; among equals the first in the packet counts.
 */
#ifndef BNG_CONTROLD_RADIUS_ATTRIBUTES_H
#define BNG_CONTROLD_RADIUS_ATTRIBUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/config/aaa.h"
#include "controld/config/config.h"
#include "controld/session/profile.h"

struct dictionary;

enum attribute_rank { RANK_NONE, RANK_COMMON, RANK_OURS, RANK_CONFIGURED };

struct attribute_row {
	uint32_t vendor;
	uint8_t type;
	uint8_t target; /* enum attribute_target */
	uint8_t rank;
	bool is_text;   /* numbers and addresses, too */
	uint32_t scale; /* of a number */
	char name[CONFIG_AAA_NAME_MAX];
};

/* What the configuration adds; zeroed: nothing. */
struct attribute_map {
	struct attribute_row *rows;
	size_t count;
};

/* Names found in the dictionary, or in the form "Attr-26.14988.8". 0, -ENOMEM, or -EINVAL
 * and an error with a pointer: what is known is in the map all the same. */
int attribute_map_build(struct attribute_map *map, const struct config_aaa *config,
			const struct dictionary *dictionary, char *error, size_t error_size);
void attribute_map_done(struct attribute_map *map);

/* NULL: nothing is known about it. */
const struct attribute_row *attribute_find(const struct attribute_map *map, uint32_t vendor, uint8_t type);
/* Which fields of a profile it may give; 0: none. */
uint32_t attribute_fields(const struct attribute_row *row);

#endif
