/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The servers: which one is asked next, whether it is alive, which ids are in use at it.
 *
 * A server that left a request unanswered, and everybody else since, is dead for a while.
 * After that it is asked one request, and is alive again when it answers. A reload that
 * changes a server makes a new one; the old one stays until its last request has ended.
 */
#ifndef BNG_CONTROLD_RADIUS_SERVERS_H
#define BNG_CONTROLD_RADIUS_SERVERS_H

#include <sys/queue.h>

#include "controld/radius/requests.h"
#include "controld/radius/seal.h"

enum server_kind { SERVER_AUTH, SERVER_ACCT, SERVER_KINDS };

#define SERVER_NO_REQUEST 0 /* in `request`; else its index + 1 */

struct server {
	TAILQ_ENTRY(server) next;
	struct config_radius_server config; /* without the secret */
	struct radius_secret secret;        /* of no length: it could not be read */
	struct radius_endpoint endpoint[SERVER_KINDS];
	struct server_state *state;
	bool is_retired;
	uint32_t probe;       /* the one request that a dead server was given, + 1 */
	uint32_t outstanding; /* requests that have an id */
	uint32_t references;  /* requests sealed with its secret */
	uint32_t next_id[SERVER_KINDS];
	uint32_t request[SERVER_KINDS][CONFIG_RADIUS_PORTS][256];
};

TAILQ_HEAD(servers, server);

/* The text of /radius/servers/N/secret, or the file's without its last newline. 0, or
 * -errno and an error with the JSON pointer. */
int server_secret(const struct config_radius_server *config, size_t number, struct radius_secret *secret,
		  char *error, size_t error_size);
/* The list becomes what the configuration says; who stays the same stays as it is.
 * 0; or -ENOMEM, or -EBUSY (too many old ones still wait for replies), and nothing
 * changed. */
int servers_change(struct servers *servers, struct requests_header *header,
		   const struct config_radius *config, const struct radius_secret *secrets);
void servers_free(struct servers *servers);
/* Frees retired servers that no request needs. */
void servers_tidy(struct servers *servers);

enum server_kind server_kind_of(uint8_t code);
bool endpoint_same(const struct radius_endpoint *a, const struct radius_endpoint *b);
bool server_is_usable(const struct server *server, uint64_t now_ns);
/* The first that may be asked and is not in `tried`; NULL: none. */
struct server *servers_choose(const struct servers *servers, enum server_kind kind,
			      const struct radius_endpoint *tried, size_t tried_count, uint64_t now_ns);
/* Not a retired one. */
struct server *servers_find(const struct servers *servers, enum server_kind kind,
			    const struct radius_endpoint *endpoint);

struct server_id {
	uint16_t port; /* index of the source port */
	uint8_t id;
};

/* An id that no request to this endpoint has, among the first `ports`. False: none. */
bool server_take_id(const struct servers *servers, struct server *server, enum server_kind kind,
		    uint32_t ports, uint32_t request, struct server_id *id);
/* This very id, as it was before a restart. */
bool server_adopt_id(struct server *server, enum server_kind kind, struct server_id id, uint32_t request);
void server_give_id(struct server *server, enum server_kind kind, struct server_id id);

#endif
