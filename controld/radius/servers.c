/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The list of servers, see the header.
 */
#include "controld/radius/servers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/radius/packet.h"

int server_secret(const struct config_radius_server *config, size_t number, struct radius_secret *secret,
		  char *error, size_t error_size)
{
	char pointer[64];

	snprintf(pointer, sizeof(pointer), "/radius/servers/%zu/secret_file", number);
	return radius_secret_read(config->secret, config->secret_file, pointer, secret, error, error_size);
}

/* ---- The list ------------------------------------------------------------- */

bool endpoint_same(const struct radius_endpoint *a, const struct radius_endpoint *b)
{
	return a->address_be == b->address_be && a->port_be == b->port_be;
}

enum server_kind server_kind_of(uint8_t code)
{
	return code == RADIUS_ACCOUNTING_REQUEST ? SERVER_ACCT : SERVER_AUTH;
}

static bool is_used(const struct servers *servers, const struct server_state *state)
{
	const struct server *server;

	TAILQ_FOREACH(server, servers, next)
	if (server->state == state)
		return true;
	return false;
}

/* What was known of it before, or a place that nobody uses; servers_change has seen that
 * there is one. */
static struct server_state *find_state(const struct servers *old, const struct servers *list,
				       struct requests_header *header, const char *name,
				       const struct radius_endpoint *endpoint)
{
	struct server_state *place = NULL;

	for (int i = 0; i < RADIUS_STATES; i++) {
		struct server_state *state = &header->states[i];

		if (!strncmp(state->name, name, sizeof(state->name)) &&
		    endpoint_same(&state->endpoint, endpoint))
			return state;
		if (!is_used(old, state) && !is_used(list, state) &&
		    (!place || (place->name[0] && !state->name[0])))
			place = state;
	}
	*place = (struct server_state){.endpoint = *endpoint};
	snprintf(place->name, sizeof(place->name), "%s", name);
	return place;
}

static struct server *server_new(const struct config_radius_server *config,
				 const struct radius_secret *secret)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return NULL;
	server->config = *config;
	radius_forget(server->config.secret, sizeof(server->config.secret));
	server->secret = *secret;
	for (int i = 0; i < SERVER_KINDS; i++)
		server->endpoint[i].address_be = config->address_be;
	server->endpoint[SERVER_AUTH].port_be = htons(config->port);
	server->endpoint[SERVER_ACCT].port_be = htons(config->acct_port);
	/* Not the ids that replies to an earlier start of ours may still come for. */
	for (int i = 0; i < SERVER_KINDS; i++)
		server->next_id[i] = arc4random();
	return server;
}

static void server_free(struct server *server)
{
	radius_forget(server, sizeof(*server));
	free(server);
}

static bool is_same(const struct server *server, const struct server *wanted)
{
	const struct config_radius_server *a = &server->config, *b = &wanted->config;

	return !server->is_retired && !strcmp(a->name, b->name) &&
	       endpoint_same(&server->endpoint[0], &wanted->endpoint[0]) &&
	       endpoint_same(&server->endpoint[1], &wanted->endpoint[1]) && a->timeout_ms == b->timeout_ms &&
	       a->retries == b->retries && a->needs_message_authenticator == b->needs_message_authenticator &&
	       server->secret.length == wanted->secret.length &&
	       !memcmp(server->secret.data, wanted->secret.data, server->secret.length);
}

/* The wanted one, or the one of the old list that is the same. */
static void put_server(struct servers *old, struct servers *list, struct requests_header *header,
		       struct server *wanted)
{
	struct server *server;

	TAILQ_FOREACH(server, old, next)
	if (is_same(server, wanted))
		break;
	if (server) {
		TAILQ_REMOVE(old, server, next);
		server_free(wanted);
		wanted = server;
	} else {
		wanted->state =
			find_state(old, list, header, wanted->config.name, &wanted->endpoint[SERVER_AUTH]);
	}
	TAILQ_INSERT_TAIL(list, wanted, next);
}

int servers_change(struct servers *servers, struct requests_header *header,
		   const struct config_radius *config, const struct radius_secret *secrets)
{
	struct server *wanted[CONFIG_RADIUS_SERVERS] = {NULL}, *server;
	struct servers list = TAILQ_HEAD_INITIALIZER(list);
	size_t count = config->server_count;
	bool good = true;

	TAILQ_FOREACH(server, servers, next)
	count++;
	if (count > RADIUS_STATES)
		return -EBUSY;
	for (size_t i = 0; i < config->server_count; i++) {
		wanted[i] = server_new(&config->servers[i], &secrets[i]);
		good = good && wanted[i];
	}
	for (size_t i = 0; !good && i < config->server_count; i++)
		if (wanted[i])
			server_free(wanted[i]);
	if (!good)
		return -ENOMEM;
	for (size_t i = 0; i < config->server_count; i++)
		put_server(servers, &list, header, wanted[i]);
	TAILQ_FOREACH(server, servers, next)
	server->is_retired = true;
	TAILQ_CONCAT(&list, servers, next);
	TAILQ_CONCAT(servers, &list, next);
	servers_tidy(servers);
	return 0;
}

void servers_tidy(struct servers *servers)
{
	struct server *server = TAILQ_FIRST(servers), *after;

	for (; server; server = after) {
		after = TAILQ_NEXT(server, next);
		if (!server->is_retired || server->references)
			continue;
		TAILQ_REMOVE(servers, server, next);
		server_free(server);
	}
}

void servers_free(struct servers *servers)
{
	struct server *server;

	while ((server = TAILQ_FIRST(servers))) {
		TAILQ_REMOVE(servers, server, next);
		server_free(server);
	}
}

/* ---- Which one ------------------------------------------------------------ */

bool server_is_usable(const struct server *server, uint64_t now_ns)
{
	const struct server_state *state = server->state;

	if (server->is_retired || !server->secret.length)
		return false;
	return !state->dead_until_ns || (now_ns >= state->dead_until_ns && !server->probe);
}

static bool is_tried(const struct radius_endpoint *endpoint, const struct radius_endpoint *tried,
		     size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (endpoint_same(endpoint, &tried[i]))
			return true;
	return false;
}

struct server *servers_choose(const struct servers *servers, enum server_kind kind,
			      const struct radius_endpoint *tried, size_t tried_count, uint64_t now_ns)
{
	struct server *server;

	TAILQ_FOREACH(server, servers, next)
	if (server_is_usable(server, now_ns) && !is_tried(&server->endpoint[kind], tried, tried_count))
		return server;
	return NULL;
}

struct server *servers_find(const struct servers *servers, enum server_kind kind,
			    const struct radius_endpoint *endpoint)
{
	struct server *server;

	TAILQ_FOREACH(server, servers, next)
	if (!server->is_retired && endpoint_same(&server->endpoint[kind], endpoint))
		return server;
	return NULL;
}

/* ---- Ids ------------------------------------------------------------------ */

static bool id_is_free(const struct servers *servers, const struct server *of, enum server_kind kind,
		       struct server_id id)
{
	const struct server *server;

	TAILQ_FOREACH(server, servers, next)
	if (endpoint_same(&server->endpoint[kind], &of->endpoint[kind]) &&
	    server->request[kind][id.port][id.id] != SERVER_NO_REQUEST)
		return false;
	return true;
}

/* In turn, so that an id rests as long as possible. */
bool server_take_id(const struct servers *servers, struct server *server, enum server_kind kind,
		    uint32_t ports, uint32_t request, struct server_id *id)
{
	for (uint32_t i = 0; i < ports * 256; i++) {
		uint32_t place = server->next_id[kind]++ % (ports * 256);
		struct server_id next = {(uint16_t)(place % ports), (uint8_t)(place / ports)};

		if (!id_is_free(servers, server, kind, next))
			continue;
		*id = next;
		return server_adopt_id(server, kind, next, request);
	}
	return false;
}

bool server_adopt_id(struct server *server, enum server_kind kind, struct server_id id, uint32_t request)
{
	if (server->request[kind][id.port][id.id] != SERVER_NO_REQUEST)
		return false;
	server->request[kind][id.port][id.id] = request + 1;
	server->outstanding++;
	return true;
}

void server_give_id(struct server *server, enum server_kind kind, struct server_id id)
{
	if (server->probe == server->request[kind][id.port][id.id])
		server->probe = SERVER_NO_REQUEST;
	server->request[kind][id.port][id.id] = SERVER_NO_REQUEST;
	server->outstanding--;
}
