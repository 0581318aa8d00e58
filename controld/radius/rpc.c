/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an operator asks: how the servers are. (Whether a user gets in is asked of
 * controld/aaa.)
 */

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/radius/client.h"
#include "lib/address.h"
#include "lib/clock.h"

static const char *state_text(const struct server *server)
{
	if (server->is_retired)
		return "leaving";
	if (!server->secret.length)
		return "no secret";
	if (!server->state->dead_until_ns)
		return "alive";
	return server->probe ? "probing" : "dead";
}

static json_t *server_json(const struct server *server, uint64_t now_ns)
{
	const struct server_state *state = server->state;
	char address[ADDRESS_TEXT];
	uint64_t dead_ns = state->dead_until_ns > now_ns ? state->dead_until_ns - now_ns : 0;
	json_t *object =
		json_pack("{s:s, s:s, s:i, s:i, s:s, s:b, s:o, s:f}", "name", server->config.name, "address",
			  address_format(server->config.address_be, address), "port", server->config.port,
			  "acct_port", server->config.acct_port, "state", state_text(server),
			  "message_authenticator", server->config.needs_message_authenticator, "rtt_ms",
			  state->rtt_ns ? json_real((double)state->rtt_ns / 1e6) : json_null(), "dead_s",
			  (double)dead_ns / 1e9);

	json_set_count(object, "outstanding", server->outstanding);
	json_set_count(object, "requests", state->requests);
	json_set_count(object, "retransmissions", state->retransmissions);
	json_set_count(object, "timeouts", state->timeouts);
	json_set_count(object, "accepts", state->accepts);
	json_set_count(object, "rejects", state->rejects);
	json_set_count(object, "challenges", state->challenges);
	json_set_count(object, "accounted", state->accounted);
	json_set_count(object, "bad_authenticator", state->bad_authenticator);
	json_set_count(object, "no_message_authenticator", state->no_message_authenticator);
	json_set_count(object, "malformed", state->malformed);
	json_set_count(object, "unexpected", state->unexpected);
	return object;
}

static void handle_servers(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	static const struct requests_header nothing;
	struct controld *controld = context;
	struct radius *radius = controld->radius;
	const struct requests_header *header = radius->requests ? radius->requests->header : &nothing;
	struct json_reader reader;
	const struct server *server;
	json_t *servers, *result;

	if (!ctl_params(request, &reader, members))
		return;
	servers = json_array();
	TAILQ_FOREACH(server, &radius->servers, next)
	json_array_append_new(servers, server_json(server, clock_boottime_ns()));
	result = json_pack("{s:o}", "servers", servers);
	json_set_count(result, "ports", radius->open_ports);
	json_set_count(result, "queue", radius->config.queue);
	json_set_count(result, "rate", radius->config.rate);
	json_set_count(result, "waiting", client_waiting(radius));
	json_set_count(result, "refused", header->refused);
	json_set_count(result, "no_server", header->no_server);
	json_set_count(result, "unanswered", header->unanswered);
	json_set_count(result, "adopted", header->adopted);
	json_set_count(result, "lost", header->lost);
	json_set_count(result, "orphaned", header->orphaned);
	json_set_count(result, "unexpected", header->unexpected);
	rpc_reply(request, result, NULL, 0);
}

const struct rpc_method radius_methods[] = {
	{"radius.servers", 0, handle_servers},
	{0},
};
