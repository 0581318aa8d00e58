/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the parts of a configuration say about each other: names that must
 * exist, addresses that must not overlap, sizes that everything fits into.
 *
 * The document is at hand only to show, at the pointer, what was found.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/exempt.h"
#include "controld/config/parse.h"
#include "lib/address.h"

struct check {
	struct json_reader *reader;
	const struct config *config;
};

/* Fails at /section[/member]/index[/field]. */
__attribute__((format(printf, 6, 7))) static void fail_at(struct check *check, const char *section,
							  const char *member, size_t index, const char *field,
							  const char *format, ...)
{
	struct json_reader *reader = check->reader;
	json_t *found = json_enter(reader, check->config->document, section);
	char text[CONFIG_ERROR_TEXT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (member)
		found = json_enter(reader, found, member);
	found = json_enter_index(reader, found, index);
	if (field)
		found = json_enter(reader, found, field);
	json_reader_fail(reader, found, "%s", text);
	for (int left = 2 + !!member + !!field; left > 0; left--)
		json_leave(reader);
}

static bool contains(const struct config_prefix *prefix, uint32_t address)
{
	return address >= prefix->first && address <= prefix->last;
}

static bool overlap(const struct config_prefix *a, const struct config_prefix *b)
{
	return a->first <= b->last && b->first <= a->last;
}

/* An address that one host can have. */
static bool unicast(uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	return address >> 24 != 0 && address >> 24 != 127 && address < 0xe0000000;
}

static bool has_gateway(const struct config *config, const char *interface, uint32_t address_be)
{
	for (size_t i = 0; i < config->gateway_count; i++)
		if (config->gateways[i].address_be == address_be &&
		    (!interface || !strcmp(config->gateways[i].interface, interface)))
			return true;
	return false;
}

static void check_interfaces(struct check *check)
{
	const struct config *config = check->config;
	json_t *list = json_enter(check->reader, config->document, "interfaces");

	/* A file that lost its content must not take the gateway apart. */
	if (!config->interface_count)
		json_reader_fail(check->reader, list, "must name at least one interface");
	json_leave(check->reader);
	for (size_t i = 0; i < config->interface_count; i++)
		if (config_find_interface(config, config->interfaces[i].name) != &config->interfaces[i])
			fail_at(check, "interfaces", NULL, i, "name", "is listed twice");
}

static void check_gateways(struct check *check)
{
	const struct config *config = check->config;

	for (size_t i = 0; i < config->gateway_count; i++) {
		const struct config_gateway *gateway = &config->gateways[i];
		const struct config_interface *interface = config_find_interface(config, gateway->interface);

		if (!interface || !interface->access)
			fail_at(check, "gateways", NULL, i, "interface",
				"must be the name of an access interface in /interfaces");
		if (!unicast(gateway->address_be))
			fail_at(check, "gateways", NULL, i, "address", "must be a unicast address");
		for (size_t k = 0; k < i; k++)
			if (config->gateways[k].address_be == gateway->address_be &&
			    !strcmp(config->gateways[k].interface, gateway->interface))
				fail_at(check, "gateways", NULL, i, "address", "is listed twice for %s",
					gateway->interface);
	}
}

static void check_dhcp4_interfaces(struct check *check, size_t index)
{
	const struct config *config = check->config;
	const struct config_dhcp4_pool *pool = &config->dhcp4_pools[index];

	if (!pool->interface_count)
		fail_at(check, "dhcp4", "pools", index, "interfaces",
			"must name at least one access interface");
	for (size_t i = 0; i < pool->interface_count; i++) {
		const struct config_interface *interface = config_find_interface(config, pool->interfaces[i]);
		char router[ADDRESS_TEXT];

		if (!interface || !interface->access)
			fail_at(check, "dhcp4", "pools", index, "interfaces",
				"%s must be the name of an access interface in /interfaces",
				pool->interfaces[i]);
		else if (!has_gateway(config, pool->interfaces[i], pool->router_be))
			fail_at(check, "dhcp4", "pools", index, "router",
				"must be a gateway address: add {\"interface\": \"%s\", \"address\": \"%s\"} "
				"to /gateways",
				pool->interfaces[i], address_format(pool->router_be, router));
	}
}

static void check_dhcp4_addresses(struct check *check, size_t index)
{
	const struct config_dhcp4_pool *pool = &check->config->dhcp4_pools[index];
	uint32_t router = ntohl(pool->router_be);

	if (pool->first <= pool->prefix.first || pool->first >= pool->prefix.last)
		fail_at(check, "dhcp4", "pools", index, "first",
			"must be a host address of the pool's prefix");
	if (pool->last <= pool->prefix.first || pool->last >= pool->prefix.last)
		fail_at(check, "dhcp4", "pools", index, "last",
			"must be a host address of the pool's prefix");
	if (pool->last < pool->first)
		fail_at(check, "dhcp4", "pools", index, "last", "must not be below first");
	if (router <= pool->prefix.first || router >= pool->prefix.last)
		fail_at(check, "dhcp4", "pools", index, "router",
			"must be a host address of the pool's prefix");
	if (router >= pool->first && router <= pool->last)
		fail_at(check, "dhcp4", "pools", index, "router", "must lie outside first..last");
}

static void check_option82(struct check *check)
{
	const struct config_option82 *option82 = &check->config->option82;

	for (size_t i = 0; i < option82->trusted_count; i++) {
		const struct config_interface *interface =
			config_find_interface(check->config, option82->trusted[i]);

		if (!interface || !interface->access)
			fail_at(check, "dhcp4", "option82_trusted", i, NULL,
				"must be the name of an access interface in /interfaces");
	}
}

static bool share_interface(const struct config_dhcp4_pool *a, const struct config_dhcp4_pool *b)
{
	for (size_t i = 0; i < a->interface_count; i++)
		for (size_t k = 0; k < b->interface_count; k++)
			if (!strcmp(a->interfaces[i], b->interfaces[k]))
				return true;
	return false;
}

/* Who leases on an interface is told by the interface alone. */
static void check_relay(struct check *check, size_t index)
{
	const struct config_dhcp4_pool *pool = &check->config->dhcp4_pools[index];

	for (size_t i = 0; i < pool->relay_count; i++)
		if (!unicast(pool->relay_be[i]))
			fail_at(check, "dhcp4", "pools", index, "relay", "servers must be unicast addresses");
	if (pool->relay_count && !unicast(pool->giaddr_be))
		fail_at(check, "dhcp4", "pools", index, "relay", "giaddr must be a unicast address");
	for (size_t i = 0; i < index; i++)
		if (!pool->relay_count != !check->config->dhcp4_pools[i].relay_count &&
		    share_interface(pool, &check->config->dhcp4_pools[i]))
			fail_at(check, "dhcp4", "pools", index, pool->relay_count ? "relay" : "interfaces",
				"pool %s serves the same interface: either all of its pools are relayed, or "
				"none",
				check->config->dhcp4_pools[i].name);
}

static void check_dhcp4(struct check *check)
{
	const struct config *config = check->config;

	check_option82(check);

	for (size_t i = 0; i < config->dhcp4_pool_count; i++) {
		check_dhcp4_addresses(check, i);
		check_dhcp4_interfaces(check, i);
		check_relay(check, i);
		for (size_t k = 0; k < i; k++) {
			if (!strcmp(config->dhcp4_pools[i].name, config->dhcp4_pools[k].name))
				fail_at(check, "dhcp4", "pools", i, "name", "is the name of pool %zu, too",
					k);
			if (overlap(&config->dhcp4_pools[i].prefix, &config->dhcp4_pools[k].prefix))
				fail_at(check, "dhcp4", "pools", i, "prefix", "overlaps pool %s",
					config->dhcp4_pools[k].name);
		}
	}
}

static void check_pppoe(struct check *check)
{
	config_check_pppoe(check->reader, check->config);
}

static void check_nat_prefix(struct check *check, size_t pool_index, size_t prefix_index)
{
	const struct config *config = check->config;
	const struct config_prefix *prefix = &config->nat_pools[pool_index].prefixes[prefix_index];

	if (!unicast(htonl(prefix->first)) || !unicast(htonl(prefix->last)))
		fail_at(check, "cgnat", "pools", pool_index, "prefixes",
			"element %zu must hold unicast addresses", prefix_index);
	for (size_t i = 0; i <= pool_index; i++)
		for (size_t k = 0; k < config->nat_pools[i].prefix_count; k++)
			if ((i < pool_index || k < prefix_index) &&
			    overlap(prefix, &config->nat_pools[i].prefixes[k]))
				fail_at(check, "cgnat", "pools", pool_index, "prefixes",
					"element %zu overlaps element %zu of pool %s", prefix_index, k,
					config->nat_pools[i].name);
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (overlap(prefix, &config->dhcp4_pools[i].prefix))
			fail_at(check, "cgnat", "pools", pool_index, "prefixes",
				"element %zu overlaps DHCP pool %s", prefix_index,
				config->dhcp4_pools[i].name);
	for (size_t i = 0; i < config->gateway_count; i++)
		if (contains(prefix, ntohl(config->gateways[i].address_be)))
			fail_at(check, "cgnat", "pools", pool_index, "prefixes",
				"element %zu holds the gateway address of /gateways/%zu", prefix_index, i);
}

static void check_cgnat(struct check *check)
{
	const struct config *config = check->config;

	for (size_t i = 0; i < config->nat_pool_count; i++) {
		const struct config_nat_pool *pool = &config->nat_pools[i];

		if (!pool->prefix_count)
			fail_at(check, "cgnat", "pools", i, "prefixes", "must hold at least one prefix");
		for (size_t k = 0; k < i; k++)
			if (!strcmp(pool->name, config->nat_pools[k].name))
				fail_at(check, "cgnat", "pools", i, "name", "is the name of pool %zu, too",
					k);
		for (size_t k = 0; k < pool->prefix_count; k++)
			check_nat_prefix(check, i, k);
	}
}

/* What is wrong with it by itself: NULL, or the member and the reason. */
static const char *first_packet_fault(const struct config *config, const struct config_first_packet *rule,
				      const char **member)
{
	const struct config_interface *interface = config_find_interface(config, rule->interface);

	*member = "interface";
	if (!interface || !interface->access)
		return "must be the name of an access interface in /interfaces";
	*member = "prefix";
	if (!unicast(htonl(rule->prefix.first)) || !unicast(htonl(rule->prefix.last)))
		return "must hold unicast addresses";
	for (size_t i = 0; i < config->nat_pool_count; i++)
		for (size_t k = 0; k < config->nat_pools[i].prefix_count; k++)
			if (overlap(&config->nat_pools[i].prefixes[k], &rule->prefix))
				return "overlaps a prefix of a CGNAT pool";
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (config->dhcp4_pools[i].first <= rule->prefix.last &&
		    config->dhcp4_pools[i].last >= rule->prefix.first)
			return "overlaps the addresses that a DHCP pool leases";
	return NULL;
}

static void check_first_packet(struct check *check)
{
	const struct config *config = check->config;
	const char *fault, *member;

	for (size_t i = 0; i < config->first_packet_count; i++) {
		const struct config_first_packet *rule = &config->first_packets[i];

		fault = first_packet_fault(config, rule, &member);
		if (fault)
			fail_at(check, "first_packet", NULL, i, member, "%s", fault);
		for (size_t k = 0; k < i; k++)
			if (!strcmp(config->first_packets[k].interface, rule->interface) &&
			    config->first_packets[k].prefix.first == rule->prefix.first &&
			    config->first_packets[k].prefix.length == rule->prefix.length)
				fail_at(check, "first_packet", NULL, i, "prefix",
					"is the prefix of /first_packet/%zu, too", k);
	}
}

static int exempt_order(const void *a, const void *b)
{
	return exempt_compare(*(const struct config_exempt *const *)a,
			      *(const struct config_exempt *const *)b);
}

static void check_exempt(struct check *check)
{
	const struct config *config = check->config;
	const struct config_exempt **sorted = calloc(config->exempt_count + 1, sizeof(*sorted));

	for (size_t i = 0; sorted && i < config->exempt_count; i++)
		sorted[i] = &config->exempt[i];
	if (sorted)
		qsort(sorted, config->exempt_count, sizeof(*sorted), exempt_order);
	for (size_t i = 1; sorted && i < config->exempt_count; i++)
		if (!exempt_compare(sorted[i - 1], sorted[i]))
			fail_at(check, "cgnat", "exempt", (size_t)(sorted[i] - config->exempt), NULL,
				"is listed twice");
	free(sorted);
}

/* What is wrong with a session by itself: NULL, or the member and the reason. */
static const char *session_fault(const struct config *config, const struct config_session *session,
				 const char **member)
{
	const struct config_interface *interface = config_find_interface(config, session->interface);

	*member = "interface";
	if (!interface || !interface->access)
		return "must be the name of an access interface in /interfaces";
	*member = "address";
	if (!unicast(session->address_be))
		return "must be a unicast address";
	if (has_gateway(config, NULL, session->address_be))
		return "is an address of the gateway";
	for (size_t i = 0; i < config->nat_pool_count; i++)
		for (size_t k = 0; k < config->nat_pools[i].prefix_count; k++)
			if (contains(&config->nat_pools[i].prefixes[k], ntohl(session->address_be)))
				return "lies in a prefix of a CGNAT pool";
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (ntohl(session->address_be) == config->dhcp4_pools[i].prefix.first ||
		    ntohl(session->address_be) == config->dhcp4_pools[i].prefix.last)
			return "is the first or last address of a DHCP pool's prefix";
	return NULL;
}

void config_check_session(struct json_reader *reader, const struct config *config,
			  const struct config_session *session)
{
	const char *member, *fault = session_fault(config, session, &member);
	char text[ADDRESS_TEXT];

	if (!fault)
		return;
	json_t *found =
		json_string(*member == 'i' ? session->interface : address_format(session->address_be, text));
	json_enter(reader, NULL, member);
	json_reader_fail(reader, found, "%s", fault);
	json_leave(reader);
	json_decref(found);
}

static int client_compare(const void *a, const void *b)
{
	const struct config_session *x = *(const struct config_session *const *)a;
	const struct config_session *y = *(const struct config_session *const *)b;
	int order = strcmp(x->interface, y->interface);

	if (!order)
		order = (int)x->outer_vid - (int)y->outer_vid;
	if (!order)
		order = (int)x->inner_vid - (int)y->inner_vid;
	return order ? order : memcmp(x->mac, y->mac, 6);
}

static int address_compare(const void *a, const void *b)
{
	const struct config_session *x = *(const struct config_session *const *)a;
	const struct config_session *y = *(const struct config_session *const *)b;

	return memcmp(&x->address_be, &y->address_be, sizeof(x->address_be));
}

static void check_twice(struct check *check, const struct config_session **sorted,
			int (*compare)(const void *, const void *), const char *member, const char *what)
{
	const struct config *config = check->config;

	for (size_t i = 0; i < config->session_count; i++)
		sorted[i] = &config->sessions[i];
	qsort(sorted, config->session_count, sizeof(*sorted), compare);
	for (size_t i = 1; i < config->session_count; i++) {
		size_t one = (size_t)(sorted[i - 1] - config->sessions);
		size_t other = (size_t)(sorted[i] - config->sessions);

		if (!compare(&sorted[i - 1], &sorted[i]))
			fail_at(check, "sessions", NULL, one > other ? one : other, member,
				"%s of /sessions/%zu", what, one > other ? other : one);
	}
}

static void check_sessions(struct check *check)
{
	const struct config *config = check->config;
	const struct config_session **sorted = calloc(config->session_count + 1, sizeof(*sorted));
	const char *member, *fault;

	for (size_t i = 0; i < config->session_count; i++) {
		fault = session_fault(config, &config->sessions[i], &member);
		if (fault)
			fail_at(check, "sessions", NULL, i, member, "%s", fault);
	}
	if (sorted) {
		check_twice(check, sorted, address_compare, "address", "is also the address");
		check_twice(check, sorted, client_compare, "mac",
			    "has the same interface, VLANs and MAC as the client");
	}
	free(sorted);
}

__attribute__((format(printf, 5, 6))) static void
need_size(struct check *check, const char *member, uint64_t needed, uint64_t given, const char *format, ...)
{
	json_t *sizes = json_enter(check->reader, check->config->document, "sizes");
	char what[128];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (needed > given)
		json_reader_fail(check->reader, json_enter(check->reader, sizes, member),
				 "must be at least %llu: %s", (unsigned long long)needed, what);
	if (needed > given)
		json_leave(check->reader);
	json_leave(check->reader);
}

/* Where every address has a slot of its own already. */
static bool in_pool_prefix(const struct config *config, uint32_t address)
{
	for (size_t i = 0; i < config->pppoe.pool_count; i++)
		if (contains(&config->pppoe.pools[i].prefix, address))
			return true;
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (contains(&config->dhcp4_pools[i].prefix, address))
			return true;
	return false;
}

static void check_sizes(struct check *check)
{
	const struct config *config = check->config;
	uint64_t slots = 1, addresses = 0, blocks = 0;

	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		slots += config->dhcp4_pools[i].prefix.last - config->dhcp4_pools[i].prefix.first + 1ull;
	for (size_t i = 0; i < config->pppoe.pool_count; i++)
		slots += config->pppoe.pools[i].prefix.last - config->pppoe.pools[i].prefix.first + 1ull;
	for (size_t i = 0; i < config->session_count; i++)
		slots += !in_pool_prefix(config, ntohl(config->sessions[i].address_be));
	for (size_t i = 0; i < config->nat_pool_count; i++) {
		const struct config_nat_pool *pool = &config->nat_pools[i];

		for (size_t k = 0; k < pool->prefix_count; k++) {
			uint64_t count = pool->prefixes[k].last - pool->prefixes[k].first + 1ull;

			addresses += count;
			blocks += count * (65536u >> pool->block_shift);
		}
	}
	need_size(check, "subscribers", slots, config->sizes.subscribers,
		  "every address of a DHCP or PPPoE pool's prefix and every static session outside needs "
		  "one, one is "
		  "reserved");
	need_size(check, "public_addresses", addresses, config->sizes.public_addresses,
		  "that many are in /cgnat/pools");
	need_size(check, "port_blocks", blocks, config->sizes.port_blocks,
		  "each public address has 65536 / block_size of them");
}

void config_check(struct json_reader *reader, const struct config *config)
{
	static void (*const checks[])(struct check *) = {check_interfaces, check_gateways, check_dhcp4,
							 check_pppoe,      check_cgnat,    check_first_packet,
							 check_exempt,     check_sessions, check_sizes};
	struct check check = {reader, config};

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]) && json_reader_ok(reader); i++)
		checks[i](&check);
}
