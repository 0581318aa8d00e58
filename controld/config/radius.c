/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /radius: who authorises subscribers.
 */
#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"

static void fail_at(struct json_reader *reader, json_t *object, const char *member, const char *expected)
{
	json_reader_fail(reader, json_enter(reader, object, member), "%s", expected);
	json_leave(reader);
}

static void read_unicast(struct json_reader *reader, json_t *object, const char *member, uint32_t *address_be)
{
	*address_be = config_address(reader, object, member);
	if (json_reader_ok(reader) && (!*address_be || ntohl(*address_be) >> 28 >= 14))
		fail_at(reader, object, member, "must be a unicast address");
}

static void read_server(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"name",       "address", "port",
					      "acct_port",  "secret",  "secret_file",
					      "timeout_ms", "retries", "require_message_authenticator",
					      NULL};
	struct config_radius_server *server = target;

	(void)context;
	json_read_only(reader, element, members);
	config_name(reader, element, "name", server->name, sizeof(server->name));
	read_unicast(reader, element, "address", &server->address_be);
	server->port = (uint16_t)config_integer(reader, element, "port", 1, 65535, 1812);
	server->acct_port = (uint16_t)config_integer(reader, element, "acct_port", 1, 65535, 1813);
	if (json_reader_ok(reader) && server->port == server->acct_port)
		fail_at(reader, element, "acct_port", "must not be the same as port");
	config_secret_or_file(reader, element, server->secret, sizeof(server->secret), server->secret_file,
			      sizeof(server->secret_file));
	server->timeout_ms = (uint32_t)config_integer(reader, element, "timeout_ms", 50, 60000, 2000);
	server->retries = (uint32_t)config_integer(reader, element, "retries", 0, 10, 2);
	server->needs_message_authenticator =
		config_bool(reader, element, "require_message_authenticator", true);
}

static void check_servers(struct json_reader *reader, json_t *radius, const struct config_radius *config)
{
	json_t *servers = json_enter(reader, radius, "servers");

	for (size_t i = 0; i < config->server_count; i++) {
		const struct config_radius_server *a = &config->servers[i];
		json_t *server = json_enter_index(reader, servers, i);

		for (size_t j = 0; j < i; j++) {
			const struct config_radius_server *b = &config->servers[j];

			if (!strcmp(a->name, b->name))
				fail_at(reader, server, "name", "must be no other server's");
			if (a->address_be == b->address_be &&
			    (a->port == b->port || a->port == b->acct_port || a->acct_port == b->port ||
			     a->acct_port == b->acct_port))
				fail_at(reader, server, "address",
					"must not have the port of another server");
		}
		json_leave(reader);
	}
	if (json_reader_ok(reader) && !config->server_count)
		json_reader_fail(reader, NULL, "must have 1-%d servers", CONFIG_RADIUS_SERVERS);
	json_leave(reader);
}

static void read_nas(struct json_reader *reader, json_t *radius, struct config_radius *config)
{
	const char *dictionary = config_string(reader, radius, "dictionary", CONFIG_RADIUS_DICTIONARY);

	if (dictionary && (dictionary[0] != '/' || strlen(dictionary) >= sizeof(config->dictionary)))
		fail_at(reader, radius, "dictionary", "must be an absolute path, not too long");
	else if (dictionary)
		snprintf(config->dictionary, sizeof(config->dictionary), "%s", dictionary);
	if (json_object_get(radius, "nas_identifier"))
		config_name(reader, radius, "nas_identifier", config->nas_identifier,
			    sizeof(config->nas_identifier));
	if (json_object_get(radius, "nas_address"))
		read_unicast(reader, radius, "nas_address", &config->nas_address_be);
	if (json_object_get(radius, "source_address"))
		read_unicast(reader, radius, "source_address", &config->source_be);
	if (json_reader_ok(reader) && !config->nas_identifier[0] && !config->nas_address_be)
		json_reader_fail(reader, NULL,
				 "must have nas_identifier or nas_address (RFC 2865 section 4.1)");
}

void config_read_radius(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {
		"servers", "dictionary", "nas_identifier", "nas_address", "source_address", "ports", "rate",
		"burst",   "queue",      "dead_seconds",   NULL};
	json_t *radius = json_enter(reader, root, "radius");
	struct config_radius *to = &config->radius;

	if (radius) {
		json_read_only(reader, radius, members);
		to->on = true;
		config_array(reader, radius, "servers", CONFIG_RADIUS_SERVERS, sizeof(*to->servers),
			     &to->servers, &to->server_count, read_server, NULL);
		check_servers(reader, radius, to);
		read_nas(reader, radius, to);
		to->ports = (uint32_t)config_integer(reader, radius, "ports", 1, CONFIG_RADIUS_PORTS, 4);
		to->rate = (uint32_t)config_integer(reader, radius, "rate", 1, 1000000, 500);
		to->burst = (uint32_t)config_integer(reader, radius, "burst", 1, 1000000, 100);
		to->queue = (uint32_t)config_integer(reader, radius, "queue", 1, CONFIG_RADIUS_QUEUE, 4096);
		to->dead_seconds = (uint32_t)config_integer(reader, radius, "dead_seconds", 1, 3600, 10);
	}
	json_leave(reader);
}

void config_radius_free(struct config_radius *config)
{
	if (config->servers)
		OPENSSL_cleanse(config->servers, config->server_count * sizeof(*config->servers));
	free(config->servers);
}
