/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The way of a request: queue -> governor -> a server's id -> reply, another try, or
 * another server. What is due, new or again, stands in one queue, so that nothing passes
 * the governor. (ports.c sees datagrams, servers.c knows who is alive.)
 */
#include "controld/radius/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "controld/controld.h"
#include "lib/clock.h"
#include "lib/log.h"

#define TIMEOUT_MAX_MS 16000 /* RFC 5080 section 2.2.1 */
#define NS_PER_MS      1000000ull
#define NS_PER_SECOND  1000000000ull

void client_set_timer(struct event *timer, uint64_t wait_ns)
{
	struct timeval wait = {(time_t)(wait_ns / NS_PER_SECOND),
			       (suseconds_t)(wait_ns % NS_PER_SECOND / 1000)};

	event_add(timer, &wait);
}

/* ---- Beginning and end of a request ----------------------------------------- */

static void end(struct request *request)
{
	struct radius *radius = request->radius;
	uint32_t index = request->index;

	request_dequeue(request);
	request_set(request, REQUEST_FREE);
	request_free(request);
	radius->free[radius->free_count++] = index;
	servers_tidy(&radius->servers);
	client_pump_soon(radius);
}

/* The record goes last: who is killed before tells the owner again. */
static void finish(struct request *request, struct radius_answer *answer)
{
	struct radius *radius = request->radius;
	uint32_t owner = request->record->ticket.owner;

	answer->took_ns = clock_boottime_ns() - request->record->begun_ns;
	answer->request = request_sealed(request)->packet;
	answer->request_length = request_sealed(request)->length;
	request_dequeue(request);
	if (owner < RADIUS_OWNERS && radius->handlers[owner])
		radius->handlers[owner](radius->controld, answer, &request->record->ticket);
	else
		radius->requests->header->orphaned++;
	end(request);
}

static void give_up(struct request *request, enum radius_outcome outcome)
{
	struct requests_header *header = request->radius->requests->header;
	struct radius_answer answer = {.outcome = outcome};

	if (outcome == RADIUS_NO_SERVER)
		header->no_server++;
	else
		header->unanswered++;
	finish(request, &answer);
}

/* ---- On to a server ----------------------------------------------------------- */

/* 0; -EAGAIN: all ids of the server are in use; -EHOSTUNREACH: no server. */
static int take_server(struct request *request, uint64_t now_ns)
{
	struct radius *radius = request->radius;
	struct request_record *record = request->record;
	struct server *to;
	enum server_kind kind = request_kind(request);
	struct server_id id;

	to = servers_choose(&radius->servers, kind, record->tried, record->tried_count, now_ns);
	if (!to)
		return -EHOSTUNREACH;
	if (!server_take_id(&radius->servers, to, kind, radius->open_ports, request->index, &id))
		return -EAGAIN;
	if (request_reseal(request, to, id)) {
		server_give_id(to, kind, id);
		return -EHOSTUNREACH;
	}
	request->has_id = true;
	request->id = id;
	if (to->state->dead_until_ns)
		to->probe = request->index + 1;
	record->tries = 0;
	record->sent_ns = now_ns;
	request_set(request, REQUEST_SENT);
	return 0;
}

/* Twice as long each time, and not all at the same moment. */
static uint64_t patience_ns(const struct request *request)
{
	uint64_t ms = request->server->config.timeout_ms;

	for (uint32_t i = 1; i < request->record->tries && ms < TIMEOUT_MAX_MS; i++)
		ms *= 2;
	if (ms > TIMEOUT_MAX_MS && ms > request->server->config.timeout_ms)
		ms = TIMEOUT_MAX_MS;
	return ms * NS_PER_MS * 9 / 10 + (uint64_t)arc4random_uniform((uint32_t)ms * 200) * 1000;
}

static void send_once(struct request *request, uint64_t now_ns)
{
	const struct request_sealed *sealed = request_sealed(request);
	struct request_record *record = request->record;
	struct server_state *state = request->server->state;
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_addr.s_addr = sealed->to.address_be,
				 .sin_port = sealed->to.port_be};

	/* What the kernel refuses is as good as lost on the way: it is tried again. */
	sendto(request->radius->ports[sealed->port].fd, sealed->packet, sealed->length, MSG_DONTWAIT,
	       (struct sockaddr *)&to, sizeof(to));
	if (record->tries++)
		state->retransmissions++;
	else
		state->requests++;
	uint64_t wait_ns = patience_ns(request);
	record->due_ns = now_ns + wait_ns;
	client_set_timer(request->due, wait_ns);
}

void client_pump(struct radius *radius)
{
	struct request *request;

	while ((request = TAILQ_FIRST(&radius->queue))) {
		uint64_t now_ns = clock_boottime_ns(), wait_ns = governor_wait(&radius->governor, now_ns);
		int failure = 0;

		if (wait_ns) {
			client_set_timer(radius->pump, wait_ns);
			return;
		}
		if (!request->has_id)
			failure = take_server(request, now_ns);
		if (failure == -EAGAIN)
			return; /* until an id is free */
		request_dequeue(request);
		if (failure) {
			give_up(request, request->record->tried_count ? RADIUS_UNANSWERED : RADIUS_NO_SERVER);
			continue;
		}
		governor_take(&radius->governor, now_ns);
		send_once(request, now_ns);
	}
}

void client_on_pump(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	client_pump(context);
}

void client_pump_soon(struct radius *radius)
{
	if (!TAILQ_EMPTY(&radius->queue))
		client_set_timer(radius->pump, 0);
}

/* ---- No reply -------------------------------------------------------------------- */

static void declare_dead(struct radius *radius, struct server *server, uint64_t now_ns)
{
	if (!server->state->dead_until_ns)
		log_warning("RADIUS server %s does not answer; asked again in %u s", server->config.name,
			    radius->config.dead_seconds);
	server->state->dead_until_ns = now_ns + radius->config.dead_seconds * NS_PER_SECOND;
}

/* One request is lost easily; a server that answered nobody since is dead. */
static void leave_server(struct request *request)
{
	struct request_record *record = request->record;
	struct server *server = request->server;

	server->state->timeouts++;
	if (server->state->last_reply_ns < record->sent_ns)
		declare_dead(request->radius, server, clock_boottime_ns());
	if (record->tried_count < CONFIG_RADIUS_SERVERS) {
		record->tried[record->tried_count] = server->endpoint[request_kind(request)];
		record->tried_count++;
	}
	request_set(request, REQUEST_WAITING);
	request_give_id(request);
}

void request_on_due(evutil_socket_t fd, short what, void *context)
{
	struct request *request = context;
	struct radius *radius = request->radius;

	(void)fd;
	(void)what;
	if (request->has_id && request->record->tries > request->server->config.retries)
		leave_server(request);
	request_enqueue(request);
	client_pump(radius);
}

/* ---- Replies ---------------------------------------------------------------------- */

static void measure(struct server_state *state, const struct request_record *record, uint64_t now_ns)
{
	uint64_t took_ns = now_ns - record->sent_ns;

	/* Of what was sent twice nobody knows which one was answered. */
	if (record->tries == 1)
		state->rtt_ns = state->rtt_ns ? (state->rtt_ns * 7 + took_ns) / 8 : took_ns;
	state->last_reply_ns = now_ns;
}

static enum radius_outcome count_reply(struct server_state *state, uint8_t code)
{
	switch (code) {
	case RADIUS_ACCESS_ACCEPT:
		state->accepts++;
		return RADIUS_ACCEPTED;
	case RADIUS_ACCESS_REJECT:
		state->rejects++;
		return RADIUS_REJECTED;
	case RADIUS_ACCESS_CHALLENGE:
		state->challenges++;
		return RADIUS_CHALLENGED;
	default:
		state->accounted++;
		return RADIUS_ACCOUNTED;
	}
}

static void accept_reply(struct request *request, const uint8_t *data, size_t length)
{
	struct server *server = request->server;
	struct server_state *state = server->state;
	struct radius_answer answer = {.packet = data, .length = length};
	char name[CONFIG_NAME_MAX];

	memcpy(name, server->config.name, sizeof(name)); /* a retired server goes with its last request */
	answer.server = name;
	answer.tries = request->record->tries;
	measure(state, request->record, clock_boottime_ns());
	if (state->dead_until_ns)
		log_notice("RADIUS server %s answers again", name);
	state->dead_until_ns = 0;
	answer.outcome = count_reply(state, data[RADIUS_AT_CODE]);
	finish(request, &answer);
}

static void count_refused(struct server_state *state, enum radius_verdict verdict)
{
	if (verdict == RADIUS_BAD_AUTHENTICATOR)
		state->bad_authenticator++;
	else if (verdict == RADIUS_NO_MESSAGE_AUTHENTICATOR)
		state->no_message_authenticator++;
	else
		state->malformed++;
}

/* The request that the reply's id names at one server. */
static struct request *asked(struct radius *radius, const struct server *server, enum server_kind kind,
			     uint16_t port, uint8_t id)
{
	uint32_t index = server->request[kind][port][id];

	return index == SERVER_NO_REQUEST ? NULL : radius->live[index - 1];
}

/* True when it came from this server and its fate is sealed. */
static bool try_server(struct radius *radius, struct server *server, enum server_kind kind, uint16_t port,
		       uint8_t *data, size_t length, enum radius_verdict *verdict)
{
	struct request *request = asked(radius, server, kind, port, data[RADIUS_AT_ID]);

	if (!request)
		return false;
	*verdict = radius_verify(data, &length, request_sealed(request)->packet, &server->secret,
				 server->config.needs_message_authenticator);
	if (*verdict != RADIUS_GENUINE)
		return false;
	accept_reply(request, data, length);
	return true;
}

/* An old and a new server may share an endpoint: it is whose secret fits. */
void client_receive(struct radius *radius, const struct port *port, const struct radius_endpoint *from,
		    uint8_t *data, size_t length)
{
	struct server_state *state = NULL;
	struct server *server;
	enum radius_verdict verdict = RADIUS_GENUINE;

	TAILQ_FOREACH(server, &radius->servers, next)
	{
		for (enum server_kind kind = 0; kind < SERVER_KINDS; kind++) {
			if (!endpoint_same(&server->endpoint[kind], from))
				continue;
			state = server->state;
			if (length < RADIUS_HEADER)
				verdict = RADIUS_MALFORMED;
			else if (try_server(radius, server, kind, port->index, data, length, &verdict))
				return;
		}
	}
	if (!state)
		radius->requests->header->unexpected++;
	else if (verdict == RADIUS_GENUINE)
		state->unexpected++;
	else
		count_refused(state, verdict);
}

/* ---- Submitting --------------------------------------------------------------------- */

static bool take_record(struct radius *radius, uint32_t *index)
{
	struct requests_header *header = radius->requests->header;

	if (radius->free_count) {
		*index = radius->free[--radius->free_count];
		return true;
	}
	if (header->high == CONFIG_RADIUS_QUEUE)
		return false;
	*index = header->high++;
	return true;
}

/* Sealed for some server at once, so that it never lies there in the clear. */
static int fill_record(struct request_record *record, const struct server *server, const uint8_t *packet,
		       size_t length, const struct radius_ticket *ticket)
{
	struct request_sealed sealed = {.length = (uint16_t)length,
					.to = server->endpoint[server_kind_of(packet[RADIUS_AT_CODE])]};
	int failure;

	memcpy(sealed.packet, packet, length);
	failure = radius_seal(sealed.packet, length, 0, &server->secret);
	*record = (struct request_record){.begun_ns = clock_boottime_ns(), .ticket = *ticket};
	if (!failure)
		record->sealed[0] = sealed;
	radius_forget(&sealed, sizeof(sealed));
	return failure;
}

static int submit_to(struct radius *radius, struct server *server, const uint8_t *packet, size_t length,
		     const struct radius_ticket *ticket)
{
	struct request *request;
	uint32_t index;

	if (radius->count >= radius->config.queue || !take_record(radius, &index)) {
		radius->requests->header->refused++;
		return -ENOBUFS;
	}
	request = fill_record(&radius->requests->records[index], server, packet, length, ticket)
			  ? NULL
			  : request_new(radius, index);
	if (!request) {
		radius->free[radius->free_count++] = index;
		return -ENOMEM;
	}
	request_sealed_by(request, server);
	request_set(request, REQUEST_WAITING);
	request_enqueue(request);
	client_pump_soon(radius);
	return 0;
}

int radius_submit(struct radius *radius, const uint8_t *packet, size_t length,
		  const struct radius_ticket *ticket)
{
	struct server *server;

	if (!radius || !radius->config.on)
		return -ENOTSUP;
	if (length < RADIUS_HEADER || length > RADIUS_REQUEST_MAX)
		return -EMSGSIZE;
	server = servers_choose(&radius->servers, server_kind_of(packet[RADIUS_AT_CODE]), NULL, 0,
				clock_boottime_ns());
	if (server)
		return submit_to(radius, server, packet, length, ticket);
	radius->requests->header->no_server++;
	return -EHOSTUNREACH;
}

void radius_each(struct radius *radius, enum radius_owner owner, radius_visitor *visit, void *context)
{
	uint32_t high = radius->requests ? radius->requests->header->high : 0;

	for (uint32_t i = 0; i < high; i++) {
		struct request *request = radius->live[i];

		if (request && request->record->ticket.owner == owner &&
		    !visit(context, &request->record->ticket))
			end(request);
	}
}

void radius_register(struct radius *radius, enum radius_owner owner, radius_handler *handler)
{
	radius->handlers[owner] = handler;
}

void radius_count_orphan(struct radius *radius)
{
	radius->requests->header->orphaned++;
}

const struct dictionary *radius_dictionary(const struct radius *radius)
{
	return radius->dictionary;
}

const struct attribute_map *radius_attribute_map(const struct radius *radius)
{
	return &radius->attributes;
}

void radius_add_nas(const struct controld *controld, struct radius_builder *builder)
{
	const struct config_radius *config = &controld->radius->config;

	if (config->nas_identifier[0])
		radius_add_text(builder, RADIUS_NAS_IDENTIFIER, config->nas_identifier);
	if (config->nas_address_be)
		radius_add(builder, RADIUS_NAS_IP_ADDRESS, &config->nas_address_be, 4);
}

uint32_t client_waiting(const struct radius *radius)
{
	uint32_t outstanding = 0;
	const struct server *server;

	TAILQ_FOREACH(server, &radius->servers, next)
	outstanding += server->outstanding;
	return radius->count - outstanding;
}
