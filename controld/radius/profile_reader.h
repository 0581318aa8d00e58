/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A walk over attributes, for those who read values (profile.c, pair.c).
 */
#ifndef BNG_CONTROLD_RADIUS_PROFILE_READER_H
#define BNG_CONTROLD_RADIUS_PROFILE_READER_H

#include "controld/radius/profile.h"

struct reader {
	struct profile_reading *to;
	const struct config *config;
	const struct attribute_row *row;
	uint8_t rank[TARGETS];
	uint32_t gateway_be[PROFILE_ROUTES];
	char filter[CONFIG_NAME_MAX];
	uint8_t class[PROFILE_CLASS_MAX];
	const uint8_t *data;
	size_t length;
	char text[RADIUS_VALUE_MAX + 1]; /* of a text */
};

/* True when the attribute goes before what was there, which it replaces. */
bool reader_may_set(struct reader *reader, enum attribute_target target);
/* What an attribute of several targets sets, where it goes before. */
void reader_set_rate(struct reader *reader, bool is_up, uint64_t bits_s);
void reader_set_burst(struct reader *reader, bool is_up, uint64_t bytes);
void reader_set_dns(struct reader *reader, enum attribute_target target, uint32_t address_be);
/* NULL, or what it should have been. */
const char *reader_set_pool(struct reader *reader, const char *name);
/* An address that one host can have. */
bool reader_is_host(uint32_t address_be);

/* pair.c: "name=value", as Cisco has it. */
const char *reader_read_pair(struct reader *reader);

#endif
