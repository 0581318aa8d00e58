/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One request on its way: its place in memory, in the queue and at a server.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/radius/client.h"

struct request_sealed *request_sealed(const struct request *request)
{
	return &request->record->sealed[request->record->current];
}

enum server_kind request_kind(const struct request *request)
{
	return server_kind_of(request_sealed(request)->packet[RADIUS_AT_CODE]);
}

void request_set(struct request *request, enum request_state state)
{
	__atomic_store_n(&request->record->state, state, __ATOMIC_RELEASE);
}

struct request *request_new(struct radius *radius, uint32_t index)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	*request = (struct request){
		.radius = radius, .index = index, .record = &radius->requests->records[index]};
	request->due = event_new(radius->controld->base, -1, 0, request_on_due, request);
	if (!request->due) {
		free(request);
		return NULL;
	}
	radius->live[index] = request;
	radius->count++;
	return request;
}

void request_sealed_by(struct request *request, struct server *server)
{
	if (request->server)
		request->server->references--;
	request->server = server;
	if (server)
		server->references++;
}

void request_give_id(struct request *request)
{
	if (request->has_id)
		server_give_id(request->server, request_kind(request), request->id);
	request->has_id = false;
}

/* Out of use, but the record, which only its end frees. */
void request_free(struct request *request)
{
	struct radius *radius = request->radius;

	request_give_id(request);
	request_sealed_by(request, NULL);

	radius->live[request->index] = NULL;
	radius->count--;
	event_free(request->due);
	free(request);
}

void request_enqueue(struct request *request)
{
	if (request->is_queued)
		return;
	request->is_queued = true;
	TAILQ_INSERT_TAIL(&request->radius->queue, request, next);
}

void request_dequeue(struct request *request)
{
	if (request->is_queued)
		TAILQ_REMOVE(&request->radius->queue, request, next);
	request->is_queued = false;
}

/* Open only where nobody else looks; then it is the current one. */
int request_reseal(struct request *request, struct server *to, struct server_id id)
{
	struct request_record *record = request->record;
	struct request_sealed moved = *request_sealed(request);
	int failure = radius_open(moved.packet, moved.length, &request->server->secret);

	moved.to = to->endpoint[request_kind(request)];
	moved.port = id.port;
	if (!failure)
		failure = radius_seal(moved.packet, moved.length, id.id, &to->secret);
	if (!failure) {
		record->sealed[!record->current] = moved;
		__atomic_store_n(&record->current, !record->current, __ATOMIC_RELEASE);
		request_sealed_by(request, to);
	}
	radius_forget(&moved, sizeof(moved));
	return failure;
}
