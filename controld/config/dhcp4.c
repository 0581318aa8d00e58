/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading what the configuration says about DHCP: pools, and what is believed of access
 * nodes.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "lib/address.h"

void config_read_interface_name(struct json_reader *reader, json_t *element, void *target, void *context)
{
	const char *text = json_string_value(element);

	(void)context;
	if (!text || !text[0] || strlen(text) >= IF_NAMESIZE)
		json_reader_fail(reader, element, "must be an interface name of 1-%d characters",
				 IF_NAMESIZE - 1);
	else
		snprintf(target, IF_NAMESIZE, "%s", text);
}

void config_read_address(struct json_reader *reader, json_t *element, void *target, void *context)
{
	(void)context;
	if (!json_is_string(element) || address_parse(json_string_value(element), target))
		json_reader_fail(reader, element, "must be an IPv4 address such as \"192.0.2.53\"");
}

static void read_dhcp4_servers(struct json_reader *reader, json_t *element, struct config_dhcp4_pool *pool)
{
	uint32_t *dns = NULL;

	config_array(reader, element, "dns", CONFIG_DNS_MAX, sizeof(*dns), &dns, &pool->dns_count,
		     config_read_address, NULL);
	if (dns)
		memcpy(pool->dns_be, dns, pool->dns_count * sizeof(*dns));
	free(dns);
}

static void read_dhcp4_prefix(struct json_reader *reader, json_t *element, struct config_dhcp4_pool *pool)
{
	const json_t *prefix = json_enter(reader, element, "prefix");

	config_prefix(reader, prefix, &pool->prefix);
	if (pool->prefix.length < 8 || pool->prefix.length > 30)
		json_reader_fail(reader, prefix, "prefix length must be 8-30");
	json_leave(reader);
}

static void read_relay(struct json_reader *reader, json_t *element, struct config_dhcp4_pool *pool)
{
	static const char *const members[] = {"servers", "giaddr", NULL};
	json_t *relay = json_enter(reader, element, "relay");
	uint32_t *servers = NULL;

	if (relay) {
		json_read_only(reader, relay, members);
		config_array(reader, relay, "servers", CONFIG_RELAY_SERVERS, sizeof(*servers), &servers,
			     &pool->relay_count, config_read_address, NULL);
		if (servers)
			memcpy(pool->relay_be, servers, pool->relay_count * sizeof(*servers));
		if (!pool->relay_count)
			json_reader_fail(reader, relay, "servers must name at least one");
		pool->giaddr_be = json_object_get(relay, "giaddr") ? config_address(reader, relay, "giaddr")
								   : pool->router_be;
		free(servers);
	}
	json_leave(reader);
}

static void read_dhcp4_pool(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"name",
					      "interfaces",
					      "prefix",
					      "first",
					      "last",
					      "router",
					      "dns",
					      "mtu",
					      "lease_seconds",
					      "nat_pool",
					      "max_sessions_per_interface",
					      "mss",
					      "relay",
					      NULL};
	struct config_dhcp4_pool *pool = target;

	json_read_only(reader, element, members);
	config_name(reader, element, "name", pool->name, sizeof(pool->name));
	config_array(reader, element, "interfaces", BNG_INTERFACE_PUNT - 1, sizeof(*pool->interfaces),
		     &pool->interfaces, &pool->interface_count, config_read_interface_name, NULL);
	read_dhcp4_prefix(reader, element, pool);
	pool->first = ntohl(config_address(reader, element, "first"));
	pool->last = ntohl(config_address(reader, element, "last"));
	pool->router_be = config_address(reader, element, "router");
	read_dhcp4_servers(reader, element, pool);
	pool->mtu = (uint16_t)config_integer(reader, element, "mtu", 576, 65535, 1500);
	pool->lease_seconds =
		(uint32_t)config_integer(reader, element, "lease_seconds", 1, 366 * 86400, 3600);
	config_read_nat_pool_name(reader, element, "nat_pool", context, pool->nat_pool);
	pool->max_sessions_per_interface =
		(uint32_t)config_integer(reader, element, "max_sessions_per_interface", 1, 1 << 24, 65536);
	pool->mss = config_read_mss(reader, element);
	read_relay(reader, element, pool);
}

static void read_option82(struct json_reader *reader, json_t *dhcp4, struct config_option82 *option82)
{
	static const char *const names[] = {
		[OPTION82_IGNORE] = "ignore", [OPTION82_ACCEPT] = "accept", [OPTION82_REQUIRE] = "require"};
	const char *text = config_string(reader, dhcp4, "option82", names[OPTION82_IGNORE]);

	while (text && option82->policy < sizeof(names) / sizeof(names[0]) &&
	       strcmp(text, names[option82->policy]) != 0)
		option82->policy++;
	if (option82->policy == sizeof(names) / sizeof(names[0])) {
		json_reader_fail(reader, json_enter(reader, dhcp4, "option82"),
				 "must be \"ignore\", \"accept\" or \"require\"");
		json_leave(reader);
	}
	config_array(reader, dhcp4, "option82_trusted", BNG_INTERFACE_PUNT - 1, sizeof(*option82->trusted),
		     &option82->trusted, &option82->trusted_count, config_read_interface_name, NULL);
}

void config_read_dhcp4(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"pools", "option82", "option82_trusted", NULL};
	json_t *dhcp4 = config_object(reader, root, "dhcp4");

	json_read_only(reader, dhcp4, members);
	config_array(reader, dhcp4, "pools", BNG_INNER_RANGES, sizeof(*config->dhcp4_pools),
		     &config->dhcp4_pools, &config->dhcp4_pool_count, read_dhcp4_pool, config);
	read_option82(reader, dhcp4, &config->option82);
	json_leave(reader);
}
