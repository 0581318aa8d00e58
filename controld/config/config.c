/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From a file or a text to a configuration, or to one error that says where.
 */
#include "controld/config/config.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "dataplane/abi/subscriber.h"

#define CONFIG_FILE_MAX (64u << 20)

static void read_interface(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"name", "role", "mode", NULL};
	struct config_interface *interface = target;
	const char *role, *mode;

	(void)context;
	json_read_only(reader, element, members);
	config_name(reader, element, "name", interface->name, sizeof(interface->name));
	role = config_string(reader, element, "role", NULL);
	interface->access = role && !strcmp(role, "access");
	if (role && !interface->access && strcmp(role, "core")) {
		json_reader_fail(reader, json_enter(reader, element, "role"),
				 "must be \"access\" or \"core\"");
		json_leave(reader);
	}
	mode = config_string(reader, element, "mode", "native");
	interface->generic = mode && !strcmp(mode, "generic");
	if (mode && !interface->generic && strcmp(mode, "native")) {
		json_reader_fail(reader, json_enter(reader, element, "mode"),
				 "must be \"native\" or \"generic\"");
		json_leave(reader);
	}
}

static void read_gateway(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"interface", "address", NULL};
	struct config_gateway *gateway = target;

	(void)context;
	json_read_only(reader, element, members);
	config_name(reader, element, "interface", gateway->interface, sizeof(gateway->interface));
	gateway->address_be = config_address(reader, element, "address");
}

static void read_sizes(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {
		"subscribers", "public_addresses", "port_blocks", "exempt", "flows", "pcp", NULL};
	json_t *sizes = config_object(reader, root, "sizes");

	json_read_only(reader, sizes, members);
	config->sizes.subscribers =
		(uint32_t)config_integer(reader, sizes, "subscribers", 16, BNG_SLOTS_MAX, 131072);
	config->sizes.public_addresses =
		(uint32_t)config_integer(reader, sizes, "public_addresses", 1, 65535, 64);
	config->sizes.port_blocks = (uint32_t)config_integer(reader, sizes, "port_blocks", 16, 1 << 24, 8192);
	config->sizes.exempt = (uint32_t)config_integer(reader, sizes, "exempt", 1, 1 << 22, 65536);
	config->sizes.flows = (uint32_t)config_integer(reader, sizes, "flows", 64, 1 << 26, 262144);
	config->sizes.pcp = (uint32_t)config_integer(reader, sizes, "pcp", 2, 1 << 22, 65536);
	if (config->sizes.flows & (config->sizes.flows - 1)) {
		json_reader_fail(reader, json_enter(reader, sizes, "flows"),
				 "must be a power of two, 64-67108864");
		json_leave(reader);
	}
	json_leave(reader);
}

static void read_punt(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"dhcp4_rate",
					      "dhcp4_burst",
					      "fragment_rate",
					      "fragment_burst",
					      "syn_rate",
					      "syn_burst",
					      "first_packet_rate",
					      "first_packet_burst",
					      "pppoe_discovery_rate",
					      "pppoe_discovery_burst",
					      "pppoe_session_rate",
					      "pppoe_session_burst",
					      NULL};
	json_t *punt = config_object(reader, root, "punt");

	json_read_only(reader, punt, members);
	config->dhcp4_rate = (uint32_t)config_integer(reader, punt, "dhcp4_rate", 1, 10000000, 5000);
	config->dhcp4_burst = (uint32_t)config_integer(reader, punt, "dhcp4_burst", 1, 10000000, 2000);
	config->fragment_rate = (uint32_t)config_integer(reader, punt, "fragment_rate", 1, 10000000, 5000);
	config->fragment_burst = (uint32_t)config_integer(reader, punt, "fragment_burst", 1, 10000000, 500);
	config->syn_rate = (uint32_t)config_integer(reader, punt, "syn_rate", 1, 10000000, 100);
	config->pppoe_discovery_rate =
		(uint32_t)config_integer(reader, punt, "pppoe_discovery_rate", 1, 10000000, 5000);
	config->pppoe_discovery_burst =
		(uint32_t)config_integer(reader, punt, "pppoe_discovery_burst", 1, 10000000, 2000);
	config->pppoe_session_rate =
		(uint32_t)config_integer(reader, punt, "pppoe_session_rate", 1, 10000000, 20000);
	config->pppoe_session_burst =
		(uint32_t)config_integer(reader, punt, "pppoe_session_burst", 1, 10000000, 5000);
	config->syn_burst = (uint32_t)config_integer(reader, punt, "syn_burst", 1, 10000000, 100);
	config->first_packet_rate =
		(uint32_t)config_integer(reader, punt, "first_packet_rate", 1, 10000000, 500);
	config->first_packet_burst =
		(uint32_t)config_integer(reader, punt, "first_packet_burst", 1, 10000000, 500);
	json_leave(reader);
}

static void read_root(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"accounting", "interfaces",   "sizes", "dhcp4",  "gateways",
					      "sessions",   "cgnat",        "punt",  "radius", "aaa",
					      "coa",        "first_packet", "hooks", "pppoe",  "qos",
					      "filters",    "startup",      "issu",  NULL};

	json_read_only(reader, root, members);
	config_array(reader, root, "interfaces", BNG_INTERFACE_PUNT - 1, sizeof(*config->interfaces),
		     &config->interfaces, &config->interface_count, read_interface, NULL);
	read_sizes(reader, root, config);
	config_array(reader, root, "gateways", 4096, sizeof(*config->gateways), &config->gateways,
		     &config->gateway_count, read_gateway, NULL);
	/* Pools first: sessions name them. */
	config_read_cgnat(reader, root, config);
	config_read_dhcp4(reader, root, config);
	config_read_first_packet(reader, root, config);
	config_read_sessions(reader, root, config);
	read_punt(reader, root, config);
	config_read_radius(reader, root, config);
	config_read_accounting(reader, root, config);
	config_read_pppoe(reader, root, config);
	config_read_filters(reader, root, &config->filters);
	config_read_aaa(reader, root, config);
	config_read_coa(reader, root, config);
	config_read_hooks(reader, root, config);
	config_read_qos(reader, root, &config->qos);
	config_read_startup(reader, root, config);
	config_read_issu(reader, root, &config->verify);
}

static void hash_text(const char *text, size_t length, char hex[static 65])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text, length, digest);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* The parser tells what it stumbled over, which must not be a shared secret or a password. */
static void hide_secrets(const char *text, size_t length, json_error_t *syntax)
{
	char *near = strstr(syntax->text, " near ");

	if (near && (memmem(text, length, "\"secret\"", strlen("\"secret\"")) ||
		     memmem(text, length, "\"password\"", strlen("\"password\""))))
		*near = '\0';
}

int config_parse(const char *text, size_t length, const char *name, struct config **config, char *error,
		 size_t error_size)
{
	struct config *new = calloc(1, sizeof(*new));
	struct json_reader reader;
	json_error_t syntax;

	if (!new) {
		snprintf(error, error_size, "%s: out of memory", name);
		return -ENOMEM;
	}
	new->document = json_loadb(text, length, JSON_REJECT_DUPLICATES, &syntax);
	if (!new->document) {
		hide_secrets(text, length, &syntax);
		snprintf(error, error_size, "%s line %d column %d: not JSON: %s", name, syntax.line,
			 syntax.column, syntax.text);
		config_free(new);
		return -EINVAL;
	}
	hash_text(text, length, new->sha256);
	json_reader_init(&reader);
	read_root(&reader, new->document, new);
	if (json_reader_ok(&reader))
		config_check(&reader, new);
	if (!json_reader_ok(&reader)) {
		snprintf(error, error_size, "%s %s", name, reader.error);
		config_free(new);
		return -EINVAL;
	}
	*config = new;
	return 0;
}

static int read_file(const char *file, char **text, size_t *length)
{
	FILE *stream = fopen(file, "re");
	size_t size = 0, room = 65536;
	char *all = NULL, *more;

	if (!stream)
		return -errno;
	do {
		room *= 2;
		more = room <= CONFIG_FILE_MAX ? realloc(all, room) : NULL;
		if (!more) {
			free(all);
			fclose(stream);
			return room > CONFIG_FILE_MAX ? -EFBIG : -ENOMEM;
		}
		all = more;
		size += fread(all + size, 1, room - size, stream);
	} while (size == room);
	int failure = ferror(stream) ? -EIO : 0;
	fclose(stream);
	if (failure) {
		free(all);
		return failure;
	}
	*text = all;
	*length = size;
	return 0;
}

int config_load(const char *file, struct config **config, char *error, size_t error_size)
{
	size_t length = 0;
	char *text = NULL;
	int failure = read_file(file, &text, &length);

	if (failure) {
		snprintf(error, error_size, "%s: reading it failed: %s", file, strerror(-failure));
		return failure;
	}
	failure = config_parse(text, length, file, config, error, error_size);
	free(text);
	return failure;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		free(config->dhcp4_pools[i].interfaces);
	for (size_t i = 0; i < config->nat_pool_count; i++) {
		free(config->nat_pools[i].prefixes);
		deterministic_free(config->nat_pools[i].deterministic);
	}
	for (size_t i = 0; i < config->session_count; i++)
		free(config->sessions[i].forwards);
	free(config->interfaces);
	free(config->gateways);
	free(config->dhcp4_pools);
	free(config->option82.trusted);
	free(config->first_packets);
	free(config->sessions);
	free(config->nat_pools);
	free(config->exempt);
	free(config->exempt_file);
	free(config->filters.filter);
	config_radius_free(&config->radius);
	config_aaa_free(&config->aaa);
	config_pppoe_free(&config->pppoe);
	config_coa_free(&config->coa);
	config_hooks_free(&config->hooks);
	json_decref(config->document);
	free(config);
}

const struct config_nat_pool *config_find_nat_pool(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nat_pool_count; i++)
		if (!strcmp(config->nat_pools[i].name, name))
			return &config->nat_pools[i];
	return NULL;
}

bool config_has_address_pool(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (!strcmp(config->dhcp4_pools[i].name, name))
			return true;
	for (size_t i = 0; i < config->pppoe.pool_count; i++)
		if (!strcmp(config->pppoe.pools[i].name, name))
			return true;
	return false;
}

const struct config_interface *config_find_interface(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->interface_count; i++)
		if (!strcmp(config->interfaces[i].name, name))
			return &config->interfaces[i];
	return NULL;
}
