/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading what the configuration says about static sessions and NAT pools.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controld/config/exempt.h"
#include "controld/config/parse.h"
#include "lib/address.h"

/* The NAT pool that is meant where none is named. */
static const char *default_nat_pool(const struct config *config)
{
	return config->nat_pool_count ? config->nat_pools[0].name : "";
}

void config_read_nat_pool_name(struct json_reader *reader, json_t *object, const char *member,
			       const struct config *config, char name[static CONFIG_NAME_MAX])
{
	const char *text = config_string(reader, object, member, default_nat_pool(config));

	if (!text || !json_reader_ok(reader))
		return;
	if (text[0] && !config_find_nat_pool(config, text)) {
		json_reader_fail(reader, json_enter(reader, object, member),
				 "must be the name of one of /cgnat/pools, or \"\" for sessions that are not "
				 "translated");
		json_leave(reader);
		return;
	}
	snprintf(name, CONFIG_NAME_MAX, "%s", text);
}

static bool read_tpid(struct json_reader *reader, json_t *object, const char *member)
{
	const char *text = json_read_string_or(reader, object, member, "802.1Q");

	if (text && strcasecmp(text, "802.1ad") && strcasecmp(text, "802.1Q")) {
		json_reader_fail(reader, json_enter(reader, object, member),
				 "must be \"802.1Q\" or \"802.1ad\"");
		json_leave(reader);
	}
	return text && !strcasecmp(text, "802.1ad");
}

static void read_tags(struct json_reader *reader, json_t *object, struct config_session *session)
{
	session->outer_vid = (uint16_t)json_read_integer_or(reader, object, "outer_vid", 0, 4094, 0);
	session->inner_vid = (uint16_t)json_read_integer_or(reader, object, "inner_vid", 0, 4094, 0);
	session->outer_ad = read_tpid(reader, object, "outer_tpid");
	session->inner_ad = read_tpid(reader, object, "inner_tpid");
	if (session->inner_vid && !session->outer_vid) {
		json_reader_fail(reader, json_enter(reader, object, "inner_vid"),
				 "needs an outer_vid; a single tag is the outer one");
		json_leave(reader);
	}
	if (!session->outer_vid)
		session->outer_ad = false;
	if (!session->inner_vid)
		session->inner_ad = false;
}

void config_read_session(struct json_reader *reader, json_t *object, const char *pool_member,
			 const struct config *config, struct config_session *session)
{
	const char *mac = json_read_string(reader, object, "mac");

	session->address_be = config_address(reader, object, "address");
	if (mac && (mac_parse(mac, session->mac) || session->mac[0] & 1)) {
		json_reader_fail(reader, json_enter(reader, object, "mac"),
				 "must be a unicast MAC such as \"02:00:00:00:00:02\"");
		json_leave(reader);
	}
	config_name(reader, object, "interface", session->interface, sizeof(session->interface));
	read_tags(reader, object, session);
	config_read_nat_pool_name(reader, object, pool_member, config, session->nat_pool);
	session->max_blocks =
		(uint8_t)json_read_integer_or(reader, object, "max_blocks", 0, BNG_BLOCKS_PER_SUBSCRIBER, 0);
	session->max_mappings = (uint32_t)json_read_integer_or(reader, object, "max_mappings", 0, 1 << 20, 0);
	session->mss = config_read_mss(reader, object);
}

static void read_session(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"address",    "mac",          "interface",  "outer_vid",
					      "inner_vid",  "outer_tpid",   "inner_tpid", "nat_pool",
					      "max_blocks", "max_mappings", "mss",        "forwards",
					      NULL};

	json_read_only(reader, element, members);
	config_read_session(reader, element, "nat_pool", context, target);
	config_read_forwards(reader, element, target);
}

void config_read_sessions(struct json_reader *reader, json_t *root, struct config *config)
{
	config_array(reader, root, "sessions", 1 << 20, sizeof(*config->sessions), &config->sessions,
		     &config->session_count, read_session, config);
}

static void read_nat_prefix(struct json_reader *reader, json_t *element, void *target, void *context)
{
	struct config_prefix *prefix = target;

	(void)context;
	config_prefix(reader, element, prefix);
	if (json_reader_ok(reader) && prefix->length < 16)
		json_reader_fail(reader, element, "prefix length must be 16-32");
}

static void read_block_size(struct json_reader *reader, json_t *element, struct config_nat_pool *pool)
{
	uint32_t size = (uint32_t)config_integer(reader, element, "block_size", 1 << BNG_BLOCK_SHIFT_MIN,
						 1 << BNG_BLOCK_SHIFT_MAX, 512);

	if (size & (size - 1)) {
		json_reader_fail(reader, json_enter(reader, element, "block_size"),
				 "must be a power of two, %d-%d", 1 << BNG_BLOCK_SHIFT_MIN,
				 1 << BNG_BLOCK_SHIFT_MAX);
		json_leave(reader);
		return;
	}
	while (1u << pool->block_shift < size)
		pool->block_shift++;
}

static void read_nat_pool(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"name",
					      "prefixes",
					      "block_size",
					      "blocks_per_subscriber",
					      "mappings_per_subscriber",
					      "timeouts",
					      "timeouts_by_port",
					      "filtering",
					      "refresh_inbound",
					      "refusal",
					      "mapping_rate",
					      "mapping_burst",
					      "deterministic",
					      "answer_syn",
					      "pcp",
					      "alg",
					      NULL};
	struct config_nat_pool *pool = target;

	(void)context;
	json_read_only(reader, element, members);
	config_name(reader, element, "name", pool->name, sizeof(pool->name));
	config_array(reader, element, "prefixes", 1024, sizeof(*pool->prefixes), &pool->prefixes,
		     &pool->prefix_count, read_nat_prefix, NULL);
	read_block_size(reader, element, pool);
	pool->max_blocks = (uint8_t)config_integer(reader, element, "blocks_per_subscriber", 1,
						   BNG_BLOCKS_PER_SUBSCRIBER, 4);
	pool->max_mappings = (uint32_t)config_integer(reader, element, "mappings_per_subscriber", 1, 1 << 20,
						      pool->max_blocks << pool->block_shift);
	config_read_timeouts(reader, element, pool);
	config_read_nat_policy(reader, element, pool);
	config_read_deterministic(reader, element, pool);
}

static void read_exempt_file(struct json_reader *reader, json_t *cgnat, struct config *config)
{
	const char *file = json_read_string_or(reader, cgnat, "exempt_file", "");

	if (!file || !file[0])
		return;
	if (file[0] != '/' || file[strlen(file) - 1] == '/' || strlen(file) > CONFIG_PATH_MAX) {
		json_reader_fail(reader, json_enter(reader, cgnat, "exempt_file"),
				 "must be the absolute path of a file, at most %d bytes", CONFIG_PATH_MAX);
		json_leave(reader);
		return;
	}
	config->exempt_file = strdup(file);
}

static void read_exempt(struct json_reader *reader, json_t *element, void *target, void *context)
{
	const char *text = json_string_value(element);
	const char *fault = exempt_read(text ? text : "", text ? strlen(text) : 0, target);

	(void)context;
	if (fault)
		json_reader_fail(reader, element, "%s", fault);
}

void config_read_cgnat(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {
		"pools", "hold_down_seconds", "hold_down_blocks", "exempt", "exempt_file", "log", "steering",
		NULL};
	json_t *cgnat = config_object(reader, root, "cgnat");

	json_read_only(reader, cgnat, members);
	config_array(reader, cgnat, "pools", BNG_POOLS, sizeof(*config->nat_pools), &config->nat_pools,
		     &config->nat_pool_count, read_nat_pool, NULL);
	config->hold_down_s = (uint32_t)config_integer(reader, cgnat, "hold_down_seconds", 0, 86400, 120);
	config->hold_down_blocks = (uint32_t)config_integer(
		reader, cgnat, "hold_down_blocks", 1, BNG_BLOCKS_PER_ADDRESS_MAX, BNG_BLOCKS_PER_ADDRESS_MAX);
	config_array(reader, cgnat, "exempt", config->sizes.exempt, sizeof(*config->exempt), &config->exempt,
		     &config->exempt_count, read_exempt, NULL);
	read_exempt_file(reader, cgnat, config);
	config_read_log(reader, cgnat, &config->log);
	config_read_steering(reader, cgnat, &config->steering);
	json_leave(reader);
}
