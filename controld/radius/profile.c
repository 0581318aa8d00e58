/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading profiles, see the header. A value is taken when its attribute ranks higher than
 * what was there before; what may be there several times adds up within its rank.
 */
#include "controld/radius/profile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controld/radius/profile_reader.h"
#include "controld/radius/values.h"
#include "dataplane/abi/subscriber.h"
#include "lib/address.h"

#define TIMEOUT_MAX  UINT32_MAX
#define MAPPINGS_MAX 65536
#define USER_SELECTS 0xffffffffu /* RFC 2865 section 5.8 */
#define NAS_SELECTS  0xfffffffeu

_Static_assert(BNG_BLOCKS_PER_SUBSCRIBER == 8 && PROFILE_ROUTES == 8 && PROFILE_CLASS_MAX == 1024,
	       "told in errors");

/* What a value should have been; NULL: it was taken, or another one goes before. */
typedef const char *read_value(struct reader *reader);

/* ---- Who goes first ------------------------------------------------------------------- */

bool reader_may_set(struct reader *reader, enum attribute_target target)
{
	if (reader->row->rank <= reader->rank[target])
		return false;
	reader->rank[target] = reader->row->rank;
	return true;
}

/* Of what may be there several times. *is_first: what was there before is void. */
static bool may_add(struct reader *reader, enum attribute_target target, bool *is_first)
{
	if (reader->row->rank < reader->rank[target])
		return false;
	*is_first = reader_may_set(reader, target);
	return true;
}

static void give(struct reader *reader, uint32_t fields)
{
	reader->to->profile.given |= fields;
}

/* ---- Values ---------------------------------------------------------------------------- */

static bool read_number(struct reader *reader, uint64_t max, uint64_t *value)
{
	uint64_t all = 0;

	if (reader->row->is_text) {
		if (value_number(reader->text, UINT64_MAX, &all))
			return false;
	} else {
		if (!reader->length || reader->length > sizeof(all))
			return false;
		for (size_t i = 0; i < reader->length; i++)
			all = all << 8 | reader->data[i];
	}
	if (all > max / reader->row->scale)
		return false;
	*value = all * reader->row->scale;
	return true;
}

static bool read_address(struct reader *reader, uint32_t *address_be)
{
	if (reader->row->is_text)
		return !address_parse(reader->text, address_be);
	if (reader->length != sizeof(*address_be))
		return false;
	memcpy(address_be, reader->data, sizeof(*address_be));
	return true;
}

bool reader_is_host(uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	return address >> 24 && address >> 24 != 127 && address >> 28 < 14;
}

static const char *set_text(struct reader *reader, char **to)
{
	char *copy = strdup(reader->text);

	if (!copy)
		return "kept: out of memory";
	free(*to);
	*to = copy;
	return NULL;
}

/* ---- By target --------------------------------------------------------------------------- */

static const char *read_nothing(struct reader *reader)
{
	(void)reader;
	return NULL;
}

static const char *read_user(struct reader *reader)
{
	if (!reader->text[0])
		return "a name";
	if (!reader_may_set(reader, TARGET_USER))
		return NULL;
	give(reader, PROFILE_USER);
	return set_text(reader, &reader->to->profile.user);
}

static const char *read_framed_address(struct reader *reader)
{
	uint32_t address_be;

	if (!read_address(reader, &address_be))
		return "an IPv4 address";
	if (ntohl(address_be) == USER_SELECTS || ntohl(address_be) == NAS_SELECTS)
		return NULL;
	if (!reader_is_host(address_be))
		return "a unicast address";
	if (reader_may_set(reader, TARGET_ADDRESS)) {
		reader->to->profile.address_be = address_be;
		give(reader, PROFILE_ADDRESS);
	}
	return NULL;
}

const char *reader_set_pool(struct reader *reader, const char *name)
{
	if (strlen(name) >= PROFILE_NAME_MAX || !config_has_address_pool(reader->config, name))
		return "the name of a configured address pool";
	if (reader_may_set(reader, TARGET_POOL)) {
		strcpy(reader->to->profile.pool, name);
		give(reader, PROFILE_POOL);
	}
	return NULL;
}

static const char *read_pool(struct reader *reader)
{
	return reader_set_pool(reader, reader->text);
}

static const char *read_nat_pool(struct reader *reader)
{
	if (strlen(reader->text) >= PROFILE_NAME_MAX ||
	    (reader->text[0] && !config_find_nat_pool(reader->config, reader->text)))
		return "the name of one of /cgnat/pools";
	if (reader_may_set(reader, TARGET_NAT_POOL)) {
		strcpy(reader->to->profile.nat_pool, reader->text);
		give(reader, PROFILE_NAT_POOL);
	}
	return NULL;
}

/* Numbers that are taken as they are: where to, and how large they may be. */
static const char *read_plain(struct reader *reader)
{
	static const struct {
		enum attribute_target target;
		uint32_t field;
		uint32_t max;
		size_t offset;
		const char *expected;
	} rows[] = {
#define PLAIN(target, field, max, member, expected)                                                          \
	{TARGET_##target, PROFILE_##field, max, offsetof(struct session_profile, member), expected}
		PLAIN(SESSION_TIMEOUT, SESSION_TIMEOUT, TIMEOUT_MAX, session_timeout_s,
		      "a number of seconds"),
		PLAIN(IDLE_TIMEOUT, IDLE_TIMEOUT, TIMEOUT_MAX, idle_timeout_s, "a number of seconds"),
		PLAIN(INTERIM, INTERIM, TIMEOUT_MAX, interim_s, "a number of seconds"),
		PLAIN(MAX_MAPPINGS, MAX_MAPPINGS, MAPPINGS_MAX, max_mappings, "a number 0-65536"),
		PLAIN(MAX_BLOCKS, MAX_BLOCKS, BNG_BLOCKS_PER_SUBSCRIBER, max_blocks, "a number 0-8"),
#undef PLAIN
	};
	uint64_t value;
	uint32_t number;
	size_t i = 0;

	while (rows[i].target != reader->row->target)
		i++;
	if (!read_number(reader, rows[i].max, &value))
		return rows[i].expected;
	if (reader_may_set(reader, rows[i].target)) {
		number = (uint32_t)value;
		memcpy((char *)&reader->to->profile + rows[i].offset, &number, sizeof(number));
		give(reader, rows[i].field);
	}
	return NULL;
}

void reader_set_dns(struct reader *reader, enum attribute_target target, uint32_t address_be)
{
	if (!reader_may_set(reader, target))
		return;
	reader->to->profile.dns_be[target - TARGET_DNS_FIRST] = address_be;
	give(reader, PROFILE_DNS);
}

static const char *read_dns(struct reader *reader)
{
	uint32_t address_be;

	if (!read_address(reader, &address_be) || !reader_is_host(address_be))
		return "a unicast address";
	reader_set_dns(reader, reader->row->target, address_be);
	return NULL;
}

static struct profile_rate *rate_of(struct reader *reader, bool is_up)
{
	return is_up ? &reader->to->profile.up : &reader->to->profile.down;
}

void reader_set_rate(struct reader *reader, bool is_up, uint64_t bits_s)
{
	if (!reader_may_set(reader, is_up ? TARGET_RATE_UP : TARGET_RATE_DOWN))
		return;
	rate_of(reader, is_up)->bits_s = bits_s;
	give(reader, is_up ? PROFILE_RATE_UP : PROFILE_RATE_DOWN);
}

void reader_set_burst(struct reader *reader, bool is_up, uint64_t bytes)
{
	if (reader_may_set(reader, is_up ? TARGET_BURST_UP : TARGET_BURST_DOWN))
		rate_of(reader, is_up)->burst_bytes = (uint32_t)bytes;
}

static const char *read_rate(struct reader *reader)
{
	uint64_t bits_s, scale = reader->row->scale;

	if (reader->row->is_text ? value_rate(reader->text, &bits_s) || bits_s > UINT64_MAX / scale
				 : !read_number(reader, UINT64_MAX, &bits_s))
		return "a rate";
	if (reader->row->is_text)
		bits_s *= scale;
	reader_set_rate(reader, reader->row->target == TARGET_RATE_UP, bits_s);
	return NULL;
}

static const char *read_burst(struct reader *reader)
{
	uint64_t bytes;

	if (!read_number(reader, UINT32_MAX, &bytes))
		return "a number of bytes";
	reader_set_burst(reader, reader->row->target == TARGET_BURST_UP, bytes);
	return NULL;
}

static const char *read_rates(struct reader *reader)
{
	struct profile_rate up, down;

	if (value_rate_limit(reader->text, &up, &down))
		return "\"up/down\" with rates such as 512k or 10M, perhaps bursts";
	reader_set_rate(reader, true, up.bits_s);
	reader_set_rate(reader, false, down.bits_s);
	if (up.burst_bytes)
		reader_set_burst(reader, true, up.burst_bytes);
	if (down.burst_bytes)
		reader_set_burst(reader, false, down.burst_bytes);
	return NULL;
}

/* One that is not configured would be no filter at all; so would one of two. */
static const char *read_filter(struct reader *reader)
{
	bool is_first;

	if (!config_find_filter(reader->config, reader->text)) {
		reader->to->unknown_filters++;
		return "the name of one of /filters";
	}
	if (!may_add(reader, TARGET_FILTER, &is_first))
		return NULL;
	if (!is_first && strcmp(reader->filter, reader->text)) {
		reader->to->unknown_filters++;
		return "the only filter";
	}
	strcpy(reader->filter, reader->text);
	give(reader, PROFILE_FILTER);
	return NULL;
}

static const char *read_route(struct reader *reader)
{
	struct session_profile *profile = &reader->to->profile;
	struct profile_route route;
	uint32_t gateway_be;
	bool is_first;

	if (value_route(reader->text, &route, &gateway_be))
		return "a route such as \"10.1.0.0/24 0.0.0.0 1\"";
	if (!may_add(reader, TARGET_ROUTE, &is_first))
		return NULL;
	if (is_first)
		profile->route_count = 0;
	if (profile->route_count == PROFILE_ROUTES)
		return "one of at most 8 routes";
	reader->gateway_be[profile->route_count] = gateway_be;
	profile->route[profile->route_count++] = route;
	give(reader, PROFILE_ROUTE);
	return NULL;
}

static const char *read_class(struct reader *reader)
{
	struct session_profile *profile = &reader->to->profile;
	bool is_first;

	if (!may_add(reader, TARGET_CLASS, &is_first))
		return NULL;
	if (is_first)
		profile->class_length = 0;
	if (profile->class_length + 1u + reader->length > sizeof(reader->class))
		return "part of at most 1024 bytes";
	reader->class[profile->class_length++] = (uint8_t)reader->length;
	memcpy(reader->class + profile->class_length, reader->data, reader->length);
	profile->class_length = (uint16_t)(profile->class_length + reader->length);
	give(reader, PROFILE_CLASS);
	return NULL;
}

/* RFC 4818: a reserved byte, the length, as many bytes as it takes; the rest is zero. */
static const char *read_delegated(struct reader *reader)
{
	struct profile_prefix6 prefix = {.length = reader->length > 1 ? reader->data[1] : 255};

	if (reader->length < 2 || reader->length > 18 || prefix.length > 128 ||
	    (reader->length - 2) * 8 < prefix.length)
		return "an IPv6 prefix";
	memcpy(prefix.address, reader->data + 2, reader->length - 2);
	for (unsigned bit = prefix.length; bit < 128; bit++)
		if (prefix.address[bit / 8] >> (7 - bit % 8) & 1)
			return "an IPv6 prefix, no bits set behind its length";
	if (reader_may_set(reader, TARGET_DELEGATED_PREFIX)) {
		reader->to->profile.delegated_prefix = prefix;
		give(reader, PROFILE_DELEGATED_PREFIX);
	}
	return NULL;
}

/* ---- The walk --------------------------------------------------------------------------------- */

static read_value *const readers[TARGETS] = {
	[TARGET_NOTHING] = read_nothing,
	[TARGET_USER] = read_user,
	[TARGET_ADDRESS] = read_framed_address,
	[TARGET_POOL] = read_pool,
	[TARGET_NAT_POOL] = read_nat_pool,
	[TARGET_SESSION_TIMEOUT] = read_plain,
	[TARGET_IDLE_TIMEOUT] = read_plain,
	[TARGET_INTERIM] = read_plain,
	[TARGET_DNS_FIRST] = read_dns,
	[TARGET_DNS_SECOND] = read_dns,
	[TARGET_RATE_UP] = read_rate,
	[TARGET_RATE_DOWN] = read_rate,
	[TARGET_BURST_UP] = read_burst,
	[TARGET_BURST_DOWN] = read_burst,
	[TARGET_RATES] = read_rates,
	[TARGET_PAIR] = reader_read_pair,
	[TARGET_FILTER] = read_filter,
	[TARGET_ROUTE] = read_route,
	[TARGET_CLASS] = read_class,
	[TARGET_DELEGATED_PREFIX] = read_delegated,
	[TARGET_MAX_MAPPINGS] = read_plain,
	[TARGET_MAX_BLOCKS] = read_plain,
};

static void show(const struct reader *reader, char *text, size_t size)
{
	size_t used = 0;

	if (reader->row->is_text && strlen(reader->text) == reader->length &&
	    value_is_tellable(reader->text)) {
		snprintf(text, size, "\"%.80s\"", reader->text);
		return;
	}
	used += (size_t)snprintf(text, size, "0x");
	for (size_t i = 0; i < reader->length && used + 3 < size && i < 20; i++)
		used += (size_t)snprintf(text + used, size - used, "%02x", reader->data[i]);
}

static void count_wrong(struct reader *reader, const char *expected)
{
	char shown[96];

	if (!reader->to->wrong++) {
		show(reader, shown, sizeof(shown));
		snprintf(reader->to->trouble, sizeof(reader->to->trouble), "%s: %s: must be %s",
			 reader->row->name, shown, expected);
	}
}

static void read_attribute(struct reader *reader, const struct radius_attribute *attribute)
{
	const char *expected = NULL;

	reader->data = attribute->value;
	reader->length = attribute->length;
	if (reader->row->is_text) {
		memcpy(reader->text, attribute->value, attribute->length);
		reader->text[attribute->length] = '\0';
		if (strlen(reader->text) != attribute->length || !value_is_printable(reader->text))
			expected = "text";
	}
	if (!expected)
		expected = readers[reader->row->target](reader);
	if (expected)
		count_wrong(reader, expected);
}

/* A route leads to the subscriber: that is all it may say. */
static void check_gateways(struct reader *reader)
{
	struct session_profile *profile = &reader->to->profile;
	uint8_t kept = 0;

	for (uint8_t i = 0; i < profile->route_count; i++) {
		uint32_t gateway_be = reader->gateway_be[i];

		if (!gateway_be ||
		    ((profile->given & PROFILE_ADDRESS) && gateway_be == profile->address_be)) {
			profile->route[kept++] = profile->route[i];
			continue;
		}
		if (!reader->to->wrong++)
			snprintf(reader->to->trouble, sizeof(reader->to->trouble),
				 "route %u: its gateway must be 0.0.0.0 or the Framed-IP-Address", i + 1u);
	}
	profile->route_count = kept;
	if (!kept)
		profile->given &= ~(uint32_t)PROFILE_ROUTE;
}

static int take_rest(struct reader *reader)
{
	struct session_profile *profile = &reader->to->profile;

	check_gateways(reader);
	if (!profile->dns_be[0]) {
		profile->dns_be[0] = profile->dns_be[1];
		profile->dns_be[1] = 0;
	}
	if (profile->given & PROFILE_FILTER)
		profile->filter = strdup(reader->filter);
	if (profile->given & PROFILE_CLASS)
		profile->class = malloc(profile->class_length);
	if (profile->class)
		memcpy(profile->class, reader->class, profile->class_length);
	if (((profile->given & PROFILE_FILTER) && !profile->filter) ||
	    ((profile->given & PROFILE_CLASS) && !profile->class) ||
	    ((profile->given & PROFILE_USER) && !profile->user))
		return -ENOMEM;
	return 0;
}

int profile_read(const struct attribute_map *map, const struct config *config, const uint8_t *packet,
		 size_t length, struct profile_reading *reading)
{
	struct reader reader = {.to = reading, .config = config};
	struct radius_cursor cursor = radius_attributes(packet, length);
	struct radius_attribute attribute;

	*reading = (struct profile_reading){.wrong = 0};
	while (radius_next(&cursor, &attribute)) {
		reader.row = attribute_find(map, attribute.vendor, attribute.type);
		if (reader.row)
			read_attribute(&reader, &attribute);
	}
	return take_rest(&reader);
}

void profile_message(const uint8_t *packet, size_t length, char *text, size_t size)
{
	struct radius_cursor cursor = radius_attributes(packet, length);
	struct radius_attribute attribute;
	size_t used = 0;

	while (radius_next(&cursor, &attribute)) {
		if (attribute.vendor || attribute.type != RADIUS_REPLY_MESSAGE)
			continue;
		for (unsigned i = 0; i < attribute.length && used + 1 < size; i++)
			text[used++] = (char)(attribute.value[i] >= ' ' && attribute.value[i] < 0x7f
						      ? attribute.value[i]
						      : '?');
	}
	text[used] = '\0';
}
