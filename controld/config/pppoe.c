/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /pppoe: who is served, with what, and from which addresses.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "controld/session/authorise.h"
#include "dataplane/abi/pppoe.h"
#include "lib/address.h"

static void fail_at(struct json_reader *reader, json_t *object, const char *member, const char *expected)
{
	json_reader_fail(reader, json_enter(reader, object, member), "%s", expected);
	json_leave(reader);
}

/* What goes into a tag of its own: printable, not too long. */
static bool is_tag_text(const char *text, size_t size)
{
	bool good = text && text[0] && strlen(text) < size;

	for (const char *c = text; good && *c; c++)
		good = *c >= ' ' && *c < 0x7f;
	return good;
}

static void read_service(struct json_reader *reader, json_t *element, void *target, void *context)
{
	const char *text = json_string_value(element);

	(void)context;
	if (is_tag_text(text, sizeof(((struct config_pppoe *)0)->service[0])))
		snprintf(target, sizeof(((struct config_pppoe *)0)->service[0]), "%s", text);
	else
		json_reader_fail(reader, element, "must be a service name of 1-64 printable characters");
}

static void read_services(struct json_reader *reader, json_t *pppoe, struct config_pppoe *to)
{
	char(*names)[sizeof(to->service[0])] = NULL;

	config_array(reader, pppoe, "service_names", CONFIG_PPPOE_SERVICES, sizeof(*names), &names,
		     &to->service_count, read_service, NULL);
	if (names)
		memcpy(to->service, names, to->service_count * sizeof(*names));
	free(names);
}

static void read_auth(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const struct {
		const char *name;
		enum credential kind;
	} kinds[] = {{"pap", CREDENTIAL_PAP}, {"chap", CREDENTIAL_CHAP}, {"mschapv2", CREDENTIAL_MSCHAP2}};
	const char *text = json_string_value(element);

	(void)context;
	for (size_t i = 0; text && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(text, kinds[i].name))
			*(uint8_t *)target = (uint8_t)kinds[i].kind;
	if (!*(uint8_t *)target)
		json_reader_fail(reader, element, "must be \"chap\", \"mschapv2\" or \"pap\"");
}

static void read_auths(struct json_reader *reader, json_t *pppoe, struct config_pppoe *to)
{
	uint8_t *kinds = NULL;
	size_t count;

	if (json_is_object(pppoe) && json_reader_ok(reader) && !json_object_get(pppoe, "auth"))
		json_object_set_new(pppoe, "auth", json_pack("[s, s, s]", "chap", "mschapv2", "pap"));
	config_array(reader, pppoe, "auth", CONFIG_PPPOE_AUTHS, sizeof(*kinds), &kinds, &count, read_auth,
		     NULL);
	for (size_t i = 0; kinds && i < count; i++) {
		to->auth[i] = kinds[i];
		for (size_t k = 0; k < i; k++)
			if (kinds[k] == kinds[i])
				fail_at(reader, pppoe, "auth", "must name each method once");
	}
	if (json_reader_ok(reader) && !count)
		fail_at(reader, pppoe, "auth", "must name at least one method");
	free(kinds);
}

static void read_pool_dns(struct json_reader *reader, json_t *element, struct config_pppoe_pool *pool)
{
	uint32_t *dns = NULL;

	config_array(reader, element, "dns", CONFIG_PPPOE_DNS, sizeof(*dns), &dns, &pool->dns_count,
		     config_read_address, NULL);
	if (dns)
		memcpy(pool->dns_be, dns, pool->dns_count * sizeof(*dns));
	free(dns);
}

static void read_pool_prefix(struct json_reader *reader, json_t *element, struct config_pppoe_pool *pool)
{
	const json_t *prefix = json_enter(reader, element, "prefix");

	config_prefix(reader, prefix, &pool->prefix);
	if (json_reader_ok(reader) && (pool->prefix.length < 8 || pool->prefix.length > 30))
		json_reader_fail(reader, prefix, "prefix length must be 8-30");
	json_leave(reader);
}

static void read_pool(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"name", "prefix",   "first", "last", "gateway",
					      "dns",  "nat_pool", "mss",   NULL};
	struct config_pppoe_pool *pool = target;

	json_read_only(reader, element, members);
	config_name(reader, element, "name", pool->name, sizeof(pool->name));
	read_pool_prefix(reader, element, pool);
	pool->first = ntohl(config_address(reader, element, "first"));
	pool->last = ntohl(config_address(reader, element, "last"));
	pool->gateway_be = config_address(reader, element, "gateway");
	read_pool_dns(reader, element, pool);
	config_read_nat_pool_name(reader, element, "nat_pool", context, pool->nat_pool);
	pool->mss = config_read_mss(reader, element);
}

static void read_keepalive(struct json_reader *reader, json_t *pppoe, struct config_pppoe *to)
{
	static const char *const members[] = {"interval_seconds", "missed", NULL};
	json_t *keepalive = config_object(reader, pppoe, "keepalive");

	json_read_only(reader, keepalive, members);
	to->keepalive_s = (uint32_t)config_integer(reader, keepalive, "interval_seconds", 0, 3600, 30);
	if (to->keepalive_s == 1) /* what the data plane notes is not as fine */
		fail_at(reader, keepalive, "interval_seconds", "must be 0 or 2-3600");
	to->keepalive_missed = (uint32_t)config_integer(reader, keepalive, "missed", 1, 100, 4);
	json_leave(reader);
}

/* What the data plane lets through to controld. */
static void read_rates(struct json_reader *reader, json_t *pppoe, struct config_pppoe *to)
{
	static const struct {
		const char *rate, *burst;
		uint32_t default_rate, default_burst;
	} rows[CONFIG_PPPOE_LIMITS] = {
		[BNG_PPPOE_LIMIT_MAC] = {"mac_rate", "mac_burst", 10, 20},
		[BNG_PPPOE_LIMIT_VLAN] = {"vlan_rate", "vlan_burst", 3000, 1500},
		[BNG_PPPOE_LIMIT_SESSION] = {"session_rate", "session_burst", 50, 100},
	};
	static const char *const members[] = {"mac_rate",     "mac_burst",     "vlan_rate", "vlan_burst",
					      "session_rate", "session_burst", NULL};
	json_t *limits = config_object(reader, pppoe, "limits");

	json_read_only(reader, limits, members);
	for (int i = 0; i < CONFIG_PPPOE_LIMITS; i++) {
		to->limits[i].rate = (uint32_t)config_integer(reader, limits, rows[i].rate, 1, 10000000,
							      rows[i].default_rate);
		to->limits[i].burst = (uint32_t)config_integer(reader, limits, rows[i].burst, 1, 10000000,
							       rows[i].default_burst);
	}
	json_leave(reader);
}

static void read_limits(struct json_reader *reader, json_t *pppoe, struct config_pppoe *to)
{
	to->mru = (uint16_t)config_integer(reader, pppoe, "mru", 576, 1500, 1492);
	to->max_sessions_per_mac =
		(uint32_t)config_integer(reader, pppoe, "max_sessions_per_mac", 1, 65534, 1);
	to->max_sessions_per_vlan =
		(uint32_t)config_integer(reader, pppoe, "max_sessions_per_vlan", 1, 1 << 24, 65534);
	to->max_setup = (uint32_t)config_integer(reader, pppoe, "max_setup", 1, 16384, 4096);
	to->setup_s = (uint32_t)config_integer(reader, pppoe, "setup_seconds", 5, 600, 120);
}

void config_read_pppoe(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"interfaces",
					      "ac_name",
					      "service_names",
					      "mru",
					      "auth",
					      "pools",
					      "max_sessions_per_mac",
					      "max_sessions_per_vlan",
					      "max_setup",
					      "setup_seconds",
					      "keepalive",
					      "limits",
					      NULL};
	json_t *pppoe = json_enter(reader, root, "pppoe");
	struct config_pppoe *to = &config->pppoe;
	const char *name;

	if (pppoe) {
		to->on = true;
		json_read_only(reader, pppoe, members);
		config_array(reader, pppoe, "interfaces", BNG_INTERFACE_PUNT - 1, sizeof(*to->interfaces),
			     &to->interfaces, &to->interface_count, config_read_interface_name, NULL);
		name = config_string(reader, pppoe, "ac_name", "holdfast");
		if (is_tag_text(name, sizeof(to->ac_name)))
			snprintf(to->ac_name, sizeof(to->ac_name), "%s", name);
		else
			fail_at(reader, pppoe, "ac_name", "must be 1-64 printable characters");
		read_services(reader, pppoe, to);
		read_auths(reader, pppoe, to);
		config_array(reader, pppoe, "pools", CONFIG_PPPOE_POOLS, sizeof(*to->pools), &to->pools,
			     &to->pool_count, read_pool, config);
		read_limits(reader, pppoe, to);
		read_keepalive(reader, pppoe, to);
		read_rates(reader, pppoe, to);
	}
	json_leave(reader);
}

void config_pppoe_free(struct config_pppoe *config)
{
	free(config->interfaces);
	free(config->pools);
}

/* ---- What it says about the rest ------------------------------------------------------ */

struct check {
	struct json_reader *reader;
	const struct config *config;
	json_t *pppoe;
};

/* At /pppoe/pools/index/member. */
__attribute__((format(printf, 4, 5))) static void pool_fail(struct check *check, size_t index,
							    const char *member, const char *format, ...)
{
	json_t *pools = json_enter(check->reader, check->pppoe, "pools");
	json_t *pool = json_enter_index(check->reader, pools, index);
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fail_at(check->reader, pool, member, text);
	json_leave(check->reader);
	json_leave(check->reader);
}

static bool has_gateway(const struct config *config, const char *interface, uint32_t address_be)
{
	for (size_t i = 0; i < config->gateway_count; i++)
		if (config->gateways[i].address_be == address_be &&
		    !strcmp(config->gateways[i].interface, interface))
			return true;
	return false;
}

static void check_interfaces(struct check *check)
{
	const struct config_pppoe *pppoe = &check->config->pppoe;
	json_t *list = json_enter(check->reader, check->pppoe, "interfaces");

	if (!pppoe->interface_count)
		json_reader_fail(check->reader, list, "must name at least one access interface");
	for (size_t i = 0; i < pppoe->interface_count; i++) {
		const struct config_interface *interface =
			config_find_interface(check->config, pppoe->interfaces[i]);

		if (!interface || !interface->access)
			json_reader_fail(check->reader, json_enter_index(check->reader, list, i),
					 "must be the name of an access interface in /interfaces");
		if (!interface || !interface->access)
			json_leave(check->reader);
	}
	json_leave(check->reader);
}

static bool is_host(const struct config_prefix *prefix, uint32_t address)
{
	return address > prefix->first && address < prefix->last;
}

static void check_addresses(struct check *check, size_t index)
{
	const struct config_pppoe *pppoe = &check->config->pppoe;
	const struct config_pppoe_pool *pool = &pppoe->pools[index];
	uint32_t gateway = ntohl(pool->gateway_be);
	char text[ADDRESS_TEXT];

	if (!is_host(&pool->prefix, pool->first))
		pool_fail(check, index, "first", "must be a host address of the pool's prefix");
	if (!is_host(&pool->prefix, pool->last))
		pool_fail(check, index, "last", "must be a host address of the pool's prefix");
	if (pool->last < pool->first)
		pool_fail(check, index, "last", "must not be below first");
	if (gateway >= pool->first && gateway <= pool->last)
		pool_fail(check, index, "gateway", "must lie outside first..last");
	for (size_t i = 0; i < pppoe->interface_count; i++)
		if (!has_gateway(check->config, pppoe->interfaces[i], pool->gateway_be))
			pool_fail(
				check, index, "gateway",
				"must be a gateway address: add {\"interface\": \"%s\", \"address\": \"%s\"} "
				"to /gateways",
				pppoe->interfaces[i], address_format(pool->gateway_be, text));
}

static bool overlap(const struct config_prefix *a, const struct config_prefix *b)
{
	return a->first <= b->last && b->first <= a->last;
}

static void check_others(struct check *check, size_t index)
{
	const struct config *config = check->config;
	const struct config_pppoe_pool *pool = &config->pppoe.pools[index], *other;

	for (size_t i = 0; i < index; i++) {
		other = &config->pppoe.pools[i];
		if (!strcmp(pool->name, other->name))
			pool_fail(check, index, "name", "is the name of pool %zu, too", i);
		if (overlap(&pool->prefix, &other->prefix))
			pool_fail(check, index, "prefix", "overlaps pool %s", other->name);
	}
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (overlap(&pool->prefix, &config->dhcp4_pools[i].prefix))
			pool_fail(check, index, "prefix", "overlaps DHCP pool %s",
				  config->dhcp4_pools[i].name);
	for (size_t i = 0; i < config->nat_pool_count; i++)
		for (size_t k = 0; k < config->nat_pools[i].prefix_count; k++)
			if (overlap(&pool->prefix, &config->nat_pools[i].prefixes[k]))
				pool_fail(check, index, "prefix", "overlaps CGNAT pool %s",
					  config->nat_pools[i].name);
}

void config_check_pppoe(struct json_reader *reader, const struct config *config)
{
	struct check check = {reader, config, NULL};

	if (!config->pppoe.on)
		return;
	check.pppoe = json_enter(reader, config->document, "pppoe");
	check_interfaces(&check);
	if (!config->pppoe.pool_count)
		fail_at(reader, check.pppoe, "pools", "must hold at least one pool");
	for (size_t i = 0; json_reader_ok(reader) && i < config->pppoe.pool_count; i++) {
		check_addresses(&check, i);
		check_others(&check, i);
	}
	json_leave(reader);
}
