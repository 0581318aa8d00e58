/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A profile is a table of fields: how each is copied, freed, and written as JSON, follows
 * from its type.
 */
#include "controld/session/profile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/bytes.h"
#include "lib/json_take.h"

struct type {
	size_t size;
	void (*done)(void *value);                         /* NULL: nothing to free */
	int (*copy)(const void *from, void *to);           /* NULL: by its bytes */
	json_t *(*write)(const void *value);               /* NULL: no memory */
	bool (*read)(struct json_slice text, void *value); /* into a zeroed value */
};

/* ---- Types -------------------------------------------------------------------------- */

static json_t *number_write(const void *value)
{
	return json_integer(*(const uint32_t *)value);
}

static bool number_read(struct json_slice text, void *value)
{
	int64_t number;

	if (!json_take_integer(text, 0, UINT32_MAX, &number))
		return false;
	*(uint32_t *)value = (uint32_t)number;
	return true;
}

static json_t *address_write(const void *value)
{
	char text[ADDRESS_TEXT];

	return json_string(address_format(*(const uint32_t *)value, text));
}

static bool address_read(struct json_slice text, void *value)
{
	char address[ADDRESS_TEXT];

	return json_take_chars(text, address, sizeof(address)) && !address_parse(address, value);
}

static json_t *name_write(const void *value)
{
	return json_string(value);
}

static bool name_read(struct json_slice text, void *value)
{
	char *found = json_take_string(text);
	bool is_name = found && strlen(found) < PROFILE_NAME_MAX;

	if (is_name)
		strcpy(value, found);
	free(found);
	return is_name;
}

static void text_done(void *value)
{
	free(*(char **)value);
}

static int text_copy(const void *from, void *to)
{
	const char *text = *(char *const *)from;

	*(char **)to = strdup(text ? text : "");
	return *(char **)to ? 0 : -ENOMEM;
}

/* What a server sent as text need not be any. */
static json_t *text_write(const void *value)
{
	const char *text = *(char *const *)value;
	char *written = bytes_format((const uint8_t *)(text ? text : ""), text ? strlen(text) : 0);
	json_t *json = written ? json_string(written) : NULL;

	free(written);
	return json;
}

/* New memory, or NULL. */
static uint8_t *bytes_read(struct json_slice text, size_t *length)
{
	char *written = json_take_string(text);
	uint8_t *bytes = written ? bytes_parse(written, length) : NULL;

	free(written);
	return bytes;
}

static bool text_read(struct json_slice text, void *value)
{
	size_t length;
	uint8_t *bytes = bytes_read(text, &length);
	char *found = bytes ? strndup((const char *)bytes, length) : NULL;

	free(bytes);
	*(char **)value = found;
	return found;
}

static json_t *rate_write(const void *value)
{
	const struct profile_rate *rate = value;

	return json_pack("{s:I, s:I}", "bits_s", (json_int_t)rate->bits_s, "burst_bytes",
			 (json_int_t)rate->burst_bytes);
}

static bool bits_read(struct json_slice text, void *value)
{
	int64_t bits;

	if (!json_take_integer(text, 0, INT64_MAX, &bits))
		return false;
	((struct profile_rate *)value)->bits_s = (uint64_t)bits;
	return true;
}

static bool burst_read(struct json_slice text, void *value)
{
	return number_read(text, &((struct profile_rate *)value)->burst_bytes);
}

static bool rate_read(struct json_slice text, void *value)
{
	static const struct json_taker takers[] = {{"bits_s", bits_read, true},
						   {"burst_bytes", burst_read, true}};

	return json_take_object(text, takers, sizeof(takers) / sizeof(takers[0]), value);
}

static json_t *dns_write(const void *value)
{
	const uint32_t *dns_be = value;
	json_t *array = json_array();

	for (int i = 0; i < 2 && dns_be[i]; i++)
		json_array_append_new(array, address_write(&dns_be[i]));
	return array;
}

static bool dns_add(struct json_slice text, size_t index, void *context)
{
	uint32_t *dns_be = context;

	return index < 2 && address_read(text, &dns_be[index]);
}

static bool dns_read(struct json_slice text, void *value)
{
	return json_take_array(text, dns_add, value);
}

struct routes {
	struct profile_route route[PROFILE_ROUTES];
	uint8_t count;
};

_Static_assert(offsetof(struct session_profile, route_count) - offsetof(struct session_profile, route) ==
		       offsetof(struct routes, count),
	       "the routes are read and written together");

static json_t *routes_write(const void *value)
{
	const struct routes *routes = value;
	json_t *array = json_array();
	char address[ADDRESS_TEXT];

	for (int i = 0; i < routes->count && i < PROFILE_ROUTES; i++)
		json_array_append_new(array, json_sprintf("%s/%d",
							  address_format(routes->route[i].first_be, address),
							  routes->route[i].length));
	return array;
}

static bool routes_add(struct json_slice text, size_t index, void *context)
{
	struct routes *routes = context;
	char prefix[ADDRESS_TEXT + 3];
	uint32_t first, last;
	unsigned length;

	if (index >= PROFILE_ROUTES || !json_take_chars(text, prefix, sizeof(prefix)) ||
	    prefix_parse(prefix, &first, &last, &length))
		return false;
	routes->route[index] = (struct profile_route){htonl(first), (uint8_t)length};
	routes->count++;
	return true;
}

static bool routes_read(struct json_slice text, void *value)
{
	return json_take_array(text, routes_add, value);
}

static json_t *prefix6_write(const void *value)
{
	const struct profile_prefix6 *prefix = value;
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, prefix->address, text, sizeof(text));
	return json_sprintf("%s/%d", text, prefix->length);
}

static bool prefix6_read(struct json_slice text, void *value)
{
	struct profile_prefix6 *prefix = value;
	char address[INET6_ADDRSTRLEN + 4], *slash, *end;
	unsigned long length;

	slash = json_take_chars(text, address, sizeof(address)) ? strchr(address, '/') : NULL;
	if (!slash)
		return false;
	*slash = '\0';
	length = strtoul(slash + 1, &end, 10);
	prefix->length = (uint8_t)length;
	return end != slash + 1 && !*end && length <= 128 &&
	       inet_pton(AF_INET6, address, prefix->address) == 1;
}

struct class
{
	uint16_t length;
	uint8_t *bytes;
};

_Static_assert(offsetof(struct session_profile, class) - offsetof(struct session_profile, class_length) ==
		       offsetof(struct class, bytes),
	       "the Class attributes are read and written together");

static void class_done(void *value)
{
	free(((struct class *)value)->bytes);
}

static int class_copy(const void *from, void *to)
{
	const struct class *source = from;
	uint8_t *bytes = malloc(source->length + 1u);

	if (!bytes)
		return -ENOMEM;
	if (source->length)
		memcpy(bytes, source->bytes, source->length);
	*(struct class *)to = (struct class){source->length, bytes};
	return 0;
}

static json_t *class_write(const void *value)
{
	const struct class *class = value;
	json_t *array = json_array();

	for (size_t at = 0; at < class->length; at += 1u + class->bytes[at]) {
		char *text = bytes_format(class->bytes + at + 1, class->bytes[at]);

		json_array_append_new(array, text ? json_string(text) : NULL);
		free(text);
	}
	return array;
}

static bool class_add(struct json_slice text, size_t index, void *context)
{
	struct class *class = context;
	size_t length;
	uint8_t *bytes = bytes_read(text, &length), *longer;

	(void)index;
	if (!bytes || length > UINT8_MAX || class->length + 1u + length > PROFILE_CLASS_MAX) {
		free(bytes);
		return false;
	}
	longer = realloc(class->bytes, class->length + 1u + length);
	if (longer) {
		class->bytes = longer;
		longer[class->length] = (uint8_t)length;
		memcpy(longer + class->length + 1, bytes, length);
		class->length = (uint16_t)(class->length + 1u + length);
	}
	free(bytes);
	return longer;
}

static bool class_read(struct json_slice text, void *value)
{
	return json_take_array(text, class_add, value);
}

static const struct type number = {sizeof(uint32_t), NULL, NULL, number_write, number_read};
static const struct type address = {sizeof(uint32_t), NULL, NULL, address_write, address_read};
static const struct type name = {PROFILE_NAME_MAX, NULL, NULL, name_write, name_read};
static const struct type text = {sizeof(char *), text_done, text_copy, text_write, text_read};
static const struct type rate = {sizeof(struct profile_rate), NULL, NULL, rate_write, rate_read};
static const struct type dns = {2 * sizeof(uint32_t), NULL, NULL, dns_write, dns_read};
static const struct type routes = {sizeof(struct routes), NULL, NULL, routes_write, routes_read};
static const struct type prefix6 = {sizeof(struct profile_prefix6), NULL, NULL, prefix6_write, prefix6_read};
static const struct type classes = {sizeof(struct class), class_done, class_copy, class_write, class_read};

/* ---- Fields ------------------------------------------------------------------------- */

static const struct field {
	uint32_t bit;
	size_t offset;
	const struct type *type;
	const char *name;
} fields[] = {
	{PROFILE_USER, offsetof(struct session_profile, user), &text, "user"},
	{PROFILE_ADDRESS, offsetof(struct session_profile, address_be), &address, "address"},
	{PROFILE_POOL, offsetof(struct session_profile, pool), &name, "pool"},
	{PROFILE_NAT_POOL, offsetof(struct session_profile, nat_pool), &name, "nat_pool"},
	{PROFILE_SESSION_TIMEOUT, offsetof(struct session_profile, session_timeout_s), &number,
	 "session_timeout_s"},
	{PROFILE_IDLE_TIMEOUT, offsetof(struct session_profile, idle_timeout_s), &number, "idle_timeout_s"},
	{PROFILE_INTERIM, offsetof(struct session_profile, interim_s), &number, "interim_s"},
	{PROFILE_DNS, offsetof(struct session_profile, dns_be), &dns, "dns"},
	{PROFILE_RATE_UP, offsetof(struct session_profile, up), &rate, "up"},
	{PROFILE_RATE_DOWN, offsetof(struct session_profile, down), &rate, "down"},
	{PROFILE_FILTER, offsetof(struct session_profile, filter), &text, "filter"},
	{PROFILE_ROUTE, offsetof(struct session_profile, route), &routes, "routes"},
	{PROFILE_CLASS, offsetof(struct session_profile, class_length), &classes, "class"},
	{PROFILE_DELEGATED_PREFIX, offsetof(struct session_profile, delegated_prefix), &prefix6,
	 "delegated_prefix"},
	{PROFILE_MAX_MAPPINGS, offsetof(struct session_profile, max_mappings), &number, "max_mappings"},
	{PROFILE_MAX_BLOCKS, offsetof(struct session_profile, max_blocks), &number, "max_blocks"},
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

static void *field_of(const struct session_profile *profile, const struct field *field)
{
	return (uint8_t *)(uintptr_t)profile + field->offset;
}

void profile_done(struct session_profile *profile)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (fields[i].type->done)
			fields[i].type->done(field_of(profile, &fields[i]));
	memset(profile, 0, sizeof(*profile));
}

/* Into a zeroed profile, of which the caller frees what there is. */
static int fields_copy(const struct session_profile *from, uint32_t which, struct session_profile *to)
{
	for (size_t i = 0; i < FIELDS; i++) {
		const struct type *type = fields[i].type;
		const void *value = field_of(from, &fields[i]);

		if (!(from->given & which & fields[i].bit))
			continue;
		if (!type->copy)
			memcpy(field_of(to, &fields[i]), value, type->size);
		else if (type->copy(value, field_of(to, &fields[i])))
			return -ENOMEM;
		to->given |= fields[i].bit;
	}
	return 0;
}

int profile_copy(const struct session_profile *from, struct session_profile *to)
{
	struct session_profile copy = {0};

	if (fields_copy(from, UINT32_MAX, &copy)) {
		profile_done(&copy);
		return -ENOMEM;
	}
	profile_done(to);
	*to = copy;
	return 0;
}

int profile_merge(struct session_profile *to, const struct session_profile *from)
{
	struct session_profile merged = {0};

	if (fields_copy(from, UINT32_MAX, &merged) || fields_copy(to, ~from->given, &merged)) {
		profile_done(&merged);
		return -ENOMEM;
	}
	profile_done(to);
	*to = merged;
	return 0;
}

json_t *profile_json(const struct session_profile *profile)
{
	json_t *object = json_object();

	for (size_t i = 0; i < FIELDS; i++)
		if (profile->given & fields[i].bit)
			json_object_set_new(object, fields[i].name,
					    fields[i].type->write(field_of(profile, &fields[i])));
	return object;
}

static bool member_read(struct json_slice member, struct json_slice value, void *context)
{
	struct session_profile *profile = context;

	for (size_t i = 0; i < FIELDS; i++) {
		if (!json_slice_is(member, fields[i].name))
			continue;
		if (profile->given & fields[i].bit)
			return false;
		profile->given |= fields[i].bit;
		return fields[i].type->read(value, field_of(profile, &fields[i]));
	}
	return true;
}

int profile_parse(struct json_slice value, struct session_profile *profile)
{
	memset(profile, 0, sizeof(*profile));
	if (json_take_members(value, member_read, profile))
		return 0;
	profile_done(profile);
	return -EINVAL;
}
