/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The table of attributes, see the header.
 */
#include "controld/radius/attributes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/radius/dictionary.h"
#include "controld/radius/names.h"

#define VENDOR_CISCO     9
#define VENDOR_MICROSOFT 311
#define VENDOR_ASCEND    529
#define VENDOR_HUAWEI    2011
#define VENDOR_ERX       4874
#define VENDOR_WISPR     14122
#define VENDOR_MIKROTIK  14988
#define VENDOR_HOLDFAST  32473

/* clang-format off */
static const struct attribute_row builtin[] = {
	{0,                  1, TARGET_USER,             RANK_COMMON, true,  1, "User-Name"},
	{0,                  8, TARGET_ADDRESS,          RANK_COMMON, false, 1, "Framed-IP-Address"},
	{0,                 11, TARGET_FILTER,           RANK_COMMON, true,  1, "Filter-Id"},
	{0,                 22, TARGET_ROUTE,            RANK_COMMON, true,  1, "Framed-Route"},
	{0,                 25, TARGET_CLASS,            RANK_COMMON, false, 1, "Class"},
	{0,                 27, TARGET_SESSION_TIMEOUT,  RANK_COMMON, false, 1, "Session-Timeout"},
	{0,                 28, TARGET_IDLE_TIMEOUT,     RANK_COMMON, false, 1, "Idle-Timeout"},
	{0,                 85, TARGET_INTERIM,          RANK_COMMON, false, 1, "Acct-Interim-Interval"},
	{0,                 88, TARGET_POOL,             RANK_COMMON, true,  1, "Framed-Pool"},
	{0,                123, TARGET_DELEGATED_PREFIX, RANK_COMMON, false, 1, "Delegated-IPv6-Prefix"},
	{VENDOR_CISCO,       1, TARGET_PAIR,             RANK_COMMON, true,  1, "Cisco-AVPair"},
	{VENDOR_MICROSOFT,  28, TARGET_DNS_FIRST,        RANK_COMMON, false, 1, "MS-Primary-DNS-Server"},
	{VENDOR_MICROSOFT,  29, TARGET_DNS_SECOND,       RANK_COMMON, false, 1, "MS-Secondary-DNS-Server"},
	{VENDOR_ASCEND,    135, TARGET_DNS_FIRST,        RANK_COMMON, false, 1, "Ascend-Client-Primary-DNS"},
	{VENDOR_ASCEND,    136, TARGET_DNS_SECOND,       RANK_COMMON, false, 1, "Ascend-Client-Secondary-DNS"},
	{VENDOR_HUAWEI,      2, TARGET_RATE_UP,          RANK_COMMON, false, 1, "Huawei-Input-Average-Rate"},
	{VENDOR_HUAWEI,      5, TARGET_RATE_DOWN,        RANK_COMMON, false, 1, "Huawei-Output-Average-Rate"},
	{VENDOR_HUAWEI,    135, TARGET_DNS_FIRST,        RANK_COMMON, false, 1, "Huawei-Primary-DNS"},
	{VENDOR_HUAWEI,    136, TARGET_DNS_SECOND,       RANK_COMMON, false, 1, "Huawei-Secondary-DNS"},
	{VENDOR_ERX,         2, TARGET_POOL,             RANK_COMMON, true,  1, "ERX-Address-Pool-Name"},
	{VENDOR_ERX,         4, TARGET_DNS_FIRST,        RANK_COMMON, false, 1, "ERX-Primary-Dns"},
	{VENDOR_ERX,         5, TARGET_DNS_SECOND,       RANK_COMMON, false, 1, "ERX-Secondary-Dns"},
	{VENDOR_WISPR,       7, TARGET_RATE_UP,          RANK_COMMON, false, 1, "WISPr-Bandwidth-Max-Up"},
	{VENDOR_WISPR,       8, TARGET_RATE_DOWN,        RANK_COMMON, false, 1, "WISPr-Bandwidth-Max-Down"},
	{VENDOR_MIKROTIK,    8, TARGET_RATES,            RANK_COMMON, true,  1, "Mikrotik-Rate-Limit"},
	{VENDOR_HOLDFAST,    1, TARGET_RATE_UP,          RANK_OURS,   false, 1000, "Holdfast-Rate-Up"},
	{VENDOR_HOLDFAST,    2, TARGET_RATE_DOWN,        RANK_OURS,   false, 1000, "Holdfast-Rate-Down"},
	{VENDOR_HOLDFAST,    3, TARGET_NAT_POOL,         RANK_OURS,   true,  1, "Holdfast-NAT-Pool"},
	{VENDOR_HOLDFAST,    4, TARGET_MAX_BLOCKS,       RANK_OURS,   false, 1, "Holdfast-Max-Blocks"},
	{VENDOR_HOLDFAST,    5, TARGET_MAX_MAPPINGS,     RANK_OURS,   false, 1, "Holdfast-Max-Mappings"},
	{VENDOR_HOLDFAST,   10, TARGET_BURST_UP,         RANK_OURS,   false, 1, "Holdfast-Burst-Up"},
	{VENDOR_HOLDFAST,   11, TARGET_BURST_DOWN,       RANK_OURS,   false, 1, "Holdfast-Burst-Down"},
};
/* clang-format on */

uint32_t attribute_fields(const struct attribute_row *row)
{
	static const uint32_t fields[] = {
#define ATTRIBUTE_TARGET_FIELDS(name, text, fields) fields,
		ATTRIBUTE_TARGETS(ATTRIBUTE_TARGET_FIELDS)
#undef ATTRIBUTE_TARGET_FIELDS
	};

	return row->target == TARGET_PAIR ? PROFILE_RATE_UP | PROFILE_RATE_DOWN | PROFILE_POOL | PROFILE_DNS
					  : fields[row->target];
}

static const struct attribute_row *find_in(const struct attribute_row *rows, size_t count, uint32_t vendor,
					   uint8_t type)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].vendor == vendor && rows[i].type == type)
			return &rows[i];
	return NULL;
}

const struct attribute_row *attribute_find(const struct attribute_map *map, uint32_t vendor, uint8_t type)
{
	const struct attribute_row *row = find_in(map->rows, map->count, vendor, type);

	return row ? row : find_in(builtin, sizeof(builtin) / sizeof(builtin[0]), vendor, type);
}

/* ---- What the configuration adds ---------------------------------------------------- */

/* "Attr-8" or "Attr-26.14988.8", as dictionary_describe says where it has no name. */
static bool by_number(const char *name, struct attribute_row *row)
{
	unsigned vendor = 0, type = 0;
	int used = 0;

	if ((sscanf(name, "Attr-26.%8u.%3u%n", &vendor, &type, &used) < 2 || !vendor) &&
	    sscanf(name, "Attr-%3u%n", &type, &used) < 1)
		return false;
	row->vendor = vendor;
	row->type = (uint8_t)type;
	return !name[used] && type && type <= UINT8_MAX;
}

static bool by_name(const struct dictionary *dictionary, const char *name, struct attribute_row *row)
{
	const struct name_attribute *known =
		dictionary ? names_attribute_named(&dictionary->names, name) : NULL;

	if (!known)
		return by_number(name, row);
	row->vendor = known->vendor;
	row->type = known->type;
	row->is_text = known->kind == NAME_STRING;
	return true;
}

static bool is_text_target(enum attribute_target target)
{
	return target == TARGET_USER || target == TARGET_POOL || target == TARGET_NAT_POOL ||
	       target == TARGET_RATES || target == TARGET_PAIR || target == TARGET_FILTER ||
	       target == TARGET_ROUTE;
}

int attribute_map_build(struct attribute_map *map, const struct config_aaa *config,
			const struct dictionary *dictionary, char *error, size_t error_size)
{
	int failure = 0;

	*map = (struct attribute_map){calloc(config->attribute_count + 1, sizeof(*map->rows)), 0};
	if (!map->rows)
		return -ENOMEM;
	for (size_t i = 0; i < config->attribute_count; i++) {
		const struct config_aaa_attribute *wanted = &config->attributes[i];
		struct attribute_row row = {
			.target = wanted->target, .rank = RANK_CONFIGURED, .scale = wanted->scale};

		if (!by_name(dictionary, wanted->name, &row)) {
			snprintf(
				error, error_size,
				"/aaa/attributes/%zu/attribute: \"%s\": must be a name of the dictionary, or "
				"numbers such as \"Attr-26.14988.8\"",
				i, wanted->name);
			failure = -EINVAL;
			continue;
		}
		snprintf(row.name, sizeof(row.name), "%s", wanted->name);
		row.is_text = row.is_text || is_text_target(wanted->target);
		map->rows[map->count++] = row;
	}
	return failure;
}

void attribute_map_done(struct attribute_map *map)
{
	free(map->rows);
	*map = (struct attribute_map){0};
}
