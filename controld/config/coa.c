/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /coa: who may change and end sessions (RFC 5176).
 */
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"

static void read_client(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"prefix", "secret", "secret_file",
					      "require_message_authenticator", NULL};
	struct config_coa_client *client = target;

	(void)context;
	json_read_only(reader, element, members);
	config_prefix(reader, json_enter(reader, element, "prefix"), &client->prefix);
	json_leave(reader);
	config_secret_or_file(reader, element, client->secret, sizeof(client->secret), client->secret_file,
			      sizeof(client->secret_file));
	client->needs_message_authenticator =
		config_bool(reader, element, "require_message_authenticator", true);
}

static void check_clients(struct json_reader *reader, json_t *coa, const struct config_coa *config)
{
	json_t *clients = json_enter(reader, coa, "clients");

	for (size_t i = 0; i < config->client_count; i++) {
		const struct config_prefix *a = &config->clients[i].prefix;
		json_t *client = json_enter_index(reader, clients, i);

		for (size_t j = 0; j < i; j++) {
			const struct config_prefix *b = &config->clients[j].prefix;

			if (a->first <= b->last && b->first <= a->last)
				json_reader_fail(reader, json_enter(reader, client, "prefix"),
						 "must not overlap another client's"),
					json_leave(reader);
		}
		json_leave(reader);
	}
	if (json_reader_ok(reader) && !config->client_count)
		json_reader_fail(reader, NULL, "must have 1-%d clients", CONFIG_COA_CLIENTS);
	json_leave(reader);
}

void config_read_coa(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"listen", "port", "clients", "window_s", "require_timestamp",
					      NULL};
	json_t *coa = json_enter(reader, root, "coa");
	struct config_coa *to = &config->coa;

	if (coa) {
		json_read_only(reader, coa, members);
		to->on = true;
		if (json_object_get(coa, "listen"))
			to->listen_be = config_address(reader, coa, "listen");
		to->port = (uint16_t)config_integer(reader, coa, "port", 1024, 65535, 3799);
		config_array(reader, coa, "clients", CONFIG_COA_CLIENTS, sizeof(*to->clients), &to->clients,
			     &to->client_count, read_client, NULL);
		check_clients(reader, coa, to);
		to->window_s = (uint32_t)config_integer(reader, coa, "window_s", 1, 3600, 300);
		to->needs_timestamp = config_bool(reader, coa, "require_timestamp", true);
		if (json_reader_ok(reader) && !config->radius.on)
			json_reader_fail(reader, NULL, "needs /radius: who we are, and the dictionary");
	}
	json_leave(reader);
}

void config_coa_free(struct config_coa *config)
{
	if (config->clients)
		OPENSSL_cleanse(config->clients, config->client_count * sizeof(*config->clients));
	free(config->clients);
}
