/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /aaa: who is asked about a subscriber, and what an answer means. Without it,
 * nobody is asked about IPoE subscribers, and RADIUS about those of PPPoE.
 */
#include "controld/config/aaa.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "lib/address.h"

#define HOLD_OFF_SECONDS 10
#define USER_FORMAT      "%{mac}"
#define RATE_MAX         1000000000000ll /* bit/s */
#define MAPPINGS_MAX     65536

static void fail_at(struct json_reader *reader, json_t *object, const char *member, const char *expected)
{
	json_reader_fail(reader, json_enter(reader, object, member), "%s", expected);
	json_leave(reader);
}

enum user_part config_user_part(const char **text)
{
	static const char *const names[] = {
#define USER_PART_NAME(name, text) #text,
		USER_PARTS(USER_PART_NAME)
#undef USER_PART_NAME
	};
	const char *name = *text + strlen("%{"), *end = strchr(*text, '}');
	enum user_part part = 0;

	while (part < USER_PARTS_COUNT && (!end || strlen(names[part]) != (size_t)(end - name) ||
					   strncmp(name, names[part], (size_t)(end - name))))
		part++;
	if (part < USER_PARTS_COUNT)
		*text = end + 1;
	return part;
}

/* At least one part, so that not all subscribers have one name. */
static bool is_user_format(const char *text)
{
	unsigned parts = 0;

	while (*text) {
		if (text[0] == '%' && text[1] == '{') {
			if (config_user_part(&text) == USER_PARTS_COUNT)
				return false;
			parts++;
		} else if (*text < ' ' || *text == 0x7f)
			return false;
		else
			text++;
	}
	return parts;
}

static void read_user(struct json_reader *reader, json_t *object, struct config_aaa_access *access)
{
	const char *text = config_string(reader, object, "username", USER_FORMAT);

	if (!json_reader_ok(reader))
		return;
	if (strlen(text) >= sizeof(access->user) || !is_user_format(text))
		fail_at(reader, object, "username",
			"must be a text with at least one of %{mac}, %{interface}, %{outer_vid}, "
			"%{inner_vid}, "
			"%{circuit_id}, %{remote_id}, %{address}, such as \"%{mac}@%{interface}\"");
	else
		snprintf(access->user, sizeof(access->user), "%s", text);
	if (json_object_get(object, "password"))
		config_secret(reader, object, "password", access->password, sizeof(access->password));
}

static uint8_t read_method(struct json_reader *reader, json_t *object, const char *fallback, bool has_local)
{
	static const char *const names[] = {"none", "local", "radius"};
	const char *text = config_string(reader, object, "method", fallback);

	for (uint8_t i = 0; text && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(text, names[i]) && (has_local || i != CONFIG_AAA_LOCAL))
			return i;
	fail_at(reader, object, "method",
		has_local ? "must be \"none\", \"local\" or \"radius\"" : "must be \"none\" or \"radius\"");
	return CONFIG_AAA_NONE;
}

static void read_ipoe(struct json_reader *reader, json_t *aaa, struct config_aaa_access *access)
{
	static const char *const members[] = {"method", "fallback", "username", "password", NULL};
	json_t *object = config_object(reader, aaa, "ipoe");
	const char *fallback;

	json_read_only(reader, object, members);
	access->method = read_method(reader, object, "none", true);
	fallback = config_string(reader, object, "fallback", "refuse");
	access->falls_back = fallback && !strcmp(fallback, "local");
	if (fallback && !access->falls_back && strcmp(fallback, "refuse"))
		fail_at(reader, object, "fallback", "must be \"refuse\" or \"local\"");
	read_user(reader, object, access);
	json_leave(reader);
}

static void read_pppoe(struct json_reader *reader, json_t *aaa, struct config_aaa_access *access)
{
	static const char *const members[] = {"method", NULL};
	json_t *object = config_object(reader, aaa, "pppoe");

	json_read_only(reader, object, members);
	access->method = read_method(reader, object, "radius", false);
	json_leave(reader);
}

/* PPPoE without servers refuses everybody, which is no error: it is the default. */
static void check_servers(struct json_reader *reader, json_t *aaa, const struct config *config)
{
	json_t *ipoe = json_enter(reader, aaa, "ipoe");

	if (json_reader_ok(reader) && config->aaa.ipoe.method == CONFIG_AAA_RADIUS && !config->radius.on)
		fail_at(reader, ipoe, "method", "needs servers: /radius is missing");
	json_leave(reader);
}

/* ---- Attributes --------------------------------------------------------------------- */

static uint8_t target_named(const char *name)
{
	static const char *const names[] = {
#define ATTRIBUTE_TARGET_NAME(name, text, fields) #text,
		ATTRIBUTE_TARGETS(ATTRIBUTE_TARGET_NAME)
#undef ATTRIBUTE_TARGET_NAME
	};
	uint8_t target = 0;

	while (target < TARGETS && strcmp(names[target], name))
		target++;
	return target;
}

static void read_attribute(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"attribute", "field", "scale", NULL};
	struct config_aaa_attribute *attribute = target;
	const char *field;

	(void)context;
	json_read_only(reader, element, members);
	config_name(reader, element, "attribute", attribute->name, sizeof(attribute->name));
	field = config_string(reader, element, "field", NULL);
	attribute->target = field ? target_named(field) : TARGETS;
	if (attribute->target == TARGETS)
		fail_at(reader, element, "field",
			"must be nothing, user, address, pool, nat_pool, session_timeout, idle_timeout, "
			"interim, "
			"dns_first, dns_second, rate_up, rate_down, burst_up, burst_down, rates, pair, "
			"filter, "
			"route, class, delegated_prefix, max_mappings or max_blocks");
	attribute->scale = (uint32_t)config_integer(reader, element, "scale", 1, 1000000000, 1);
}

/* ---- Profiles ------------------------------------------------------------------------ */

static void read_profile_numbers(struct json_reader *reader, json_t *element, struct config_aaa_profile *to)
{
	const struct {
		const char *member;
		int64_t *value;
		int64_t max;
	} rows[] = {
		{"rate_up", &to->rate_up, RATE_MAX},
		{"rate_down", &to->rate_down, RATE_MAX},
		{"burst_up", &to->burst_up, UINT32_MAX},
		{"burst_down", &to->burst_down, UINT32_MAX},
		{"session_timeout", &to->session_timeout, UINT32_MAX},
		{"idle_timeout", &to->idle_timeout, UINT32_MAX},
		{"interim", &to->interim, UINT32_MAX},
		{"max_mappings", &to->max_mappings, MAPPINGS_MAX},
		{"max_blocks", &to->max_blocks, BNG_BLOCKS_PER_SUBSCRIBER},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		*rows[i].value = json_read_integer_or(reader, element, rows[i].member, 0, rows[i].max,
						      CONFIG_AAA_NOT_GIVEN);
	if (json_reader_ok(reader) && to->burst_up >= 0 && to->rate_up < 0)
		fail_at(reader, element, "burst_up", "needs a rate_up");
	if (json_reader_ok(reader) && to->burst_down >= 0 && to->rate_down < 0)
		fail_at(reader, element, "burst_down", "needs a rate_down");
}

static void read_dns(struct json_reader *reader, json_t *element, void *target, void *context)
{
	(void)context;
	if (!json_is_string(element) || address_parse(json_string_value(element), target))
		json_reader_fail(reader, element, "must be an IPv4 address such as \"192.0.2.53\"");
}

static void read_profile_dns(struct json_reader *reader, json_t *element, struct config_aaa_profile *to)
{
	uint32_t *dns = NULL;

	config_array(reader, element, "dns", sizeof(to->dns_be) / sizeof(to->dns_be[0]), sizeof(*dns), &dns,
		     &to->dns_count, read_dns, NULL);
	if (dns)
		memcpy(to->dns_be, dns, to->dns_count * sizeof(*dns));
	free(dns);
}

static void read_profile_filter(struct json_reader *reader, json_t *element, const struct config *config,
				struct config_aaa_profile *to)
{
	if (!json_object_get(element, "filter"))
		return;
	config_name(reader, element, "filter", to->filter, sizeof(to->filter));
	if (json_reader_ok(reader) && !config_find_filter(config, to->filter))
		fail_at(reader, element, "filter", "must be the name of one of /filters");
}

static void read_profile(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"pool",
					      "nat_pool",
					      "rate_up",
					      "rate_down",
					      "burst_up",
					      "burst_down",
					      "session_timeout",
					      "idle_timeout",
					      "interim",
					      "max_mappings",
					      "max_blocks",
					      "dns",
					      "filter",
					      NULL};
	const struct config *config = context;
	struct config_aaa_profile *to = target;

	json_read_only(reader, element, members);
	if (json_object_get(element, "pool")) {
		config_name(reader, element, "pool", to->pool, sizeof(to->pool));
		if (json_reader_ok(reader) && !config_has_address_pool(config, to->pool))
			fail_at(reader, element, "pool", "must be the name of an address pool");
	}
	to->has_nat_pool = json_object_get(element, "nat_pool");
	if (to->has_nat_pool) {
		const char *name = json_read_string(reader, element, "nat_pool");

		if (json_reader_ok(reader) && name[0] && !config_find_nat_pool(config, name))
			fail_at(reader, element, "nat_pool",
				"must be the name of one of /cgnat/pools, or \"\"");
		snprintf(to->nat_pool, sizeof(to->nat_pool), "%s", json_reader_ok(reader) ? name : "");
	}
	read_profile_filter(reader, element, config, to);
	read_profile_numbers(reader, element, to);
	read_profile_dns(reader, element, to);
}

static void check_twice(struct json_reader *reader, json_t *aaa, const struct config_aaa *config)
{
	json_t *list = json_enter(reader, aaa, "profiles");

	for (size_t i = 0; i < config->profile_count; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(config->profiles[i].pool, config->profiles[k].pool)) {
				json_t *element = json_enter_index(reader, list, i);

				fail_at(reader, element, "pool",
					"must be in one profile only, or missing in one");
				json_leave(reader);
			}
	json_leave(reader);
	list = json_enter(reader, aaa, "attributes");
	for (size_t i = 0; i < config->attribute_count; i++)
		for (size_t k = 0; k < i; k++)
			if (!strcmp(config->attributes[i].name, config->attributes[k].name)) {
				json_t *element = json_enter_index(reader, list, i);

				fail_at(reader, element, "attribute", "must be listed once");
				json_leave(reader);
			}
	json_leave(reader);
}

static void read_rest(struct json_reader *reader, json_t *aaa, struct config *config)
{
	struct config_aaa *to = &config->aaa;
	const char *invalid;

	to->hold_off_s = (uint32_t)config_integer(reader, aaa, "hold_off_seconds", 0, 3600, HOLD_OFF_SECONDS);
	invalid = config_string(reader, aaa, "invalid_values", "refuse");
	to->ignores_invalid = invalid && !strcmp(invalid, "ignore");
	if (invalid && !to->ignores_invalid && strcmp(invalid, "refuse"))
		fail_at(reader, aaa, "invalid_values", "must be \"refuse\" or \"ignore\"");
	config_array(reader, aaa, "attributes", CONFIG_AAA_ATTRIBUTES, sizeof(*to->attributes),
		     &to->attributes, &to->attribute_count, read_attribute, NULL);
	config_array(reader, aaa, "profiles", CONFIG_AAA_PROFILES, sizeof(*to->profiles), &to->profiles,
		     &to->profile_count, read_profile, config);
	check_twice(reader, aaa, to);
}

void config_read_aaa(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {
		"ipoe", "pppoe", "hold_off_seconds", "invalid_values", "attributes", "profiles", NULL};
	json_t *aaa = json_enter(reader, root, "aaa");
	struct config_aaa *to = &config->aaa;

	*to = (struct config_aaa){.ipoe = {.method = CONFIG_AAA_NONE, .user = USER_FORMAT},
				  .pppoe = {.method = CONFIG_AAA_RADIUS},
				  .hold_off_s = HOLD_OFF_SECONDS};
	if (aaa) {
		json_read_only(reader, aaa, members);
		read_ipoe(reader, aaa, &to->ipoe);
		read_pppoe(reader, aaa, &to->pppoe);
		read_rest(reader, aaa, config);
		check_servers(reader, aaa, config);
	}
	json_leave(reader);
}

void config_aaa_free(struct config_aaa *config)
{
	OPENSSL_cleanse(config->ipoe.password, sizeof(config->ipoe.password));
	free(config->attributes);
	free(config->profiles);
}
