/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The client's start, which goes on with what an earlier one left behind, and its end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/radius/client.h"
#include "lib/clock.h"
#include "lib/log.h"

#define PATIENCE_MAX_NS 66000000000ull /* the longest timeout_ms and 10 % */

/* Who has the secret that it is sealed with; NULL: it is not configured any more, or the
 * memory holds what no client of ours wrote. */
static struct server *sealer_of(const struct request *request)
{
	uint8_t copy[RADIUS_REQUEST_MAX];
	const struct request_sealed *sealed = request_sealed(request);
	enum server_kind kind = request_kind(request);
	struct server *server;
	int wrong = -1;

	TAILQ_FOREACH(server, &request->radius->servers, next)
	{
		if (!endpoint_same(&server->endpoint[kind], &sealed->to) || !server->secret.length)
			continue;
		memcpy(copy, sealed->packet, sealed->length);
		wrong = radius_open(copy, sealed->length, &server->secret);
		if (!wrong)
			break;
	}
	radius_forget(copy, sizeof(copy));
	return wrong ? NULL : server;
}

/* It goes on where it was: the same port and id, the same time left. False: its port or
 * its server is not what it was, and it is sent anew. */
static bool adopt_sent(struct request *request, struct server *server)
{
	struct radius *radius = request->radius;
	const struct request_sealed *sealed = request_sealed(request);
	struct server_id id = {sealed->port, sealed->packet[RADIUS_AT_ID]};
	uint64_t now_ns = clock_boottime_ns(), due_ns = request->record->due_ns;

	if (request->record->state != REQUEST_SENT || !radius->ports[id.port].is_taken ||
	    !server_adopt_id(server, request_kind(request), id, request->index))
		return false;
	request->has_id = true;
	request->id = id;
	if (server->state->dead_until_ns)
		server->probe = request->index + 1;
	due_ns = due_ns > now_ns ? due_ns - now_ns : 0;
	client_set_timer(request->due, due_ns < PATIENCE_MAX_NS ? due_ns : PATIENCE_MAX_NS);
	return true;
}

static bool adopt(struct radius *radius, uint32_t index)
{
	struct request_record *record = &radius->requests->records[index];
	struct request *request = request_is_whole(record) ? request_new(radius, index) : NULL;
	struct server *server = request ? sealer_of(request) : NULL;

	if (server) {
		request_sealed_by(request, server);
		if (!adopt_sent(request, server)) {
			request_set(request, REQUEST_WAITING);
			request_enqueue(request);
		}
		return true;
	}
	if (request)
		request_free(request);
	record->state = REQUEST_FREE;
	radius->free[radius->free_count++] = index;
	return false;
}

void client_adopt(struct radius *radius)
{
	struct requests_header *header = radius->requests->header;
	uint32_t lost = 0;

	for (uint32_t i = 0; i < header->high; i++) {
		if (radius->requests->records[i].state == REQUEST_FREE)
			radius->free[radius->free_count++] = i;
		else
			lost += !adopt(radius, i);
	}
	header->adopted += radius->count;
	header->lost += lost;
	if (radius->count || lost)
		log_notice("RADIUS: going on with %u requests%s", radius->count,
			   lost ? "; others were to servers that are not configured any more" : "");
	client_pump_soon(radius);
}

void client_move(struct radius *radius, uint16_t port)
{
	for (uint32_t i = 0; i < radius->requests->header->high; i++) {
		struct request *request = radius->live[i];

		if (!request || !request->has_id || request->id.port != port)
			continue;
		request_set(request, REQUEST_WAITING);
		request_give_id(request);
		request_enqueue(request);
	}
	client_pump_soon(radius);
}

int client_new(struct controld *controld, struct radius **radius)
{
	struct radius *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->controld = controld;
	TAILQ_INIT(&new->queue);
	TAILQ_INIT(&new->servers);
	for (int i = 0; i < CONFIG_RADIUS_PORTS; i++)
		new->ports[i].fd = -1;
	new->live = calloc(CONFIG_RADIUS_QUEUE, sizeof(*new->live));
	new->free = calloc(CONFIG_RADIUS_QUEUE, sizeof(*new->free));
	new->pump = event_new(controld->base, -1, 0, client_on_pump, new);
	if (!new->live || !new->free || !new->pump) {
		client_free(new);
		return -ENOMEM;
	}
	*radius = new;
	return 0;
}

/* Requests stay in their records. */
void client_free(struct radius *radius)
{
	for (uint32_t i = 0; radius->live && radius->requests && i < radius->requests->header->high; i++)
		if (radius->live[i])
			request_free(radius->live[i]);
	ports_close(radius);
	servers_free(&radius->servers);
	requests_free(radius->requests);
	if (radius->pump)
		event_free(radius->pump);
	free(radius->live);
	free(radius->free);
	free(radius);
}
