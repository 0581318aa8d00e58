/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Traces, see the header. A follower that does not read is cut off by the RPC server, as
 * any other is; when nobody follows, an event costs a look at a counter.
 */
#include "controld/session/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/names.h"
#include "controld/session/select.h"
#include "controld/session/sessions.h"
#include "lib/address.h"
#include "lib/clock.h"

#define USERS_CLIENTS 8 /* that one who follows a name remembers, the latest */

struct follower {
	struct rpc_peer *peer;
	uint64_t id; /* 0: not by id */
	char *user;  /* NULL: not by user */
	/* One by MAC, those that have said to be the user by user; at count % USERS_CLIENTS. */
	uint8_t mac[USERS_CLIENTS][6];
	unsigned mac_count;
};

struct trace {
	struct follower followers[TRACE_FOLLOWERS];
	size_t count;
};

static void on_close(struct controld *controld, struct rpc_peer *peer)
{
	struct trace *trace = controld->sessions ? controld->sessions->trace : NULL;

	for (size_t i = 0; trace && i < trace->count;) {
		if (trace->followers[i].peer != peer) {
			i++;
			continue;
		}
		free(trace->followers[i].user);
		trace->followers[i] = trace->followers[--trace->count];
	}
}

int trace_new(struct controld *controld)
{
	controld->sessions->trace = calloc(1, sizeof(struct trace));
	if (!controld->sessions->trace)
		return -ENOMEM;
	return controld->ctl ? ctl_on_close(controld, on_close) : 0;
}

void trace_free(struct controld *controld)
{
	struct trace *trace = controld->sessions->trace;

	for (size_t i = 0; trace && i < trace->count; i++)
		free(trace->followers[i].user);
	free(trace);
	controld->sessions->trace = NULL;
}

static bool knows_mac(const struct follower *follower, const uint8_t mac[static 6])
{
	for (unsigned i = 0; i < follower->mac_count && i < USERS_CLIENTS; i++)
		if (!memcmp(follower->mac[i], mac, sizeof(follower->mac[i])))
			return true;
	return false;
}

static void know_mac(struct follower *follower, const uint8_t mac[static 6])
{
	if (!knows_mac(follower, mac))
		memcpy(follower->mac[follower->mac_count++ % USERS_CLIENTS], mac, 6);
}

static bool follows(struct controld *controld, const struct follower *follower, uint64_t session_id,
		    const struct session_client *client)
{
	struct session session;

	if (follower->id)
		return follower->id == session_id;
	if (client && knows_mac(follower, client->mac))
		return true;
	return follower->user && session_id && session_by_id(controld, session_id, &session) &&
	       session_has_user(controld, &session, follower->user);
}

bool trace_is_followed(const struct controld *controld)
{
	return controld->sessions && controld->sessions->trace && controld->sessions->trace->count;
}

void trace_asked(struct controld *controld, const struct session_client *client, const char *user)
{
	struct trace *trace = controld->sessions ? controld->sessions->trace : NULL;

	for (size_t i = 0; trace && i < trace->count; i++)
		if (trace->followers[i].user && session_is_user(trace->followers[i].user, user))
			know_mac(&trace->followers[i], client->mac);
}

static json_t *event_json(const struct controld *controld, uint64_t session_id,
			  const struct session_client *client, const char *text)
{
	char when[CLOCK_TEXT], mac[MAC_TEXT];
	json_t *event =
		json_pack("{s:s, s:o, s:s}", "time", clock_format(clock_boottime_ns(), when), "session",
			  session_id ? json_integer((json_int_t)session_id) : json_null(), "text", text);

	if (client) {
		json_object_set_new(event, "mac", json_string(mac_format(client->mac, mac)));
		json_object_set_new(event, "interface",
				    json_string(names_interface(controld, client->interface)));
		json_object_set_new(event, "outer_vid", json_integer(client->outer_vid));
		json_object_set_new(event, "inner_vid", json_integer(client->inner_vid));
	}
	return event;
}

void trace_tell(struct controld *controld, uint64_t session_id, const struct session_client *client,
		const char *text)
{
	struct trace *trace = controld->sessions->trace;

	for (size_t i = 0; trace && i < trace->count; i++)
		if (follows(controld, &trace->followers[i], session_id, client))
			rpc_notify(trace->followers[i].peer, "session.event",
				   event_json(controld, session_id, client, text));
}

/* Who has the address now; a later session with it may be somebody else's. */
static void read_address(struct controld *controld, struct json_reader *reader, json_t *params,
			 struct follower *follower)
{
	struct session session;
	uint32_t address_be = config_address(reader, params, "address");

	if (!json_reader_ok(reader))
		return;
	if (session_by_address(controld, address_be, &session))
		know_mac(follower, session.record->mac);
	else
		json_reader_fail(reader, params,
				 "there is no session with address %s: name its MAC or its user",
				 json_string_value(json_object_get(params, "address")));
}

/* Those who are up with this name. */
static void read_user(struct controld *controld, const char *user, struct follower *follower)
{
	struct session session;
	uint32_t slot = 0;

	while (session_next(controld, &slot, &session))
		if (session_has_user(controld, &session, user))
			know_mac(follower, session.record->mac);
}

static void read_follower(struct controld *controld, struct json_reader *reader, json_t *params,
			  struct follower *follower)
{
	const char *mac = json_read_string_or(reader, params, "mac", NULL);
	uint8_t wanted[6];

	follower->id = (uint64_t)json_read_integer_or(reader, params, "id", 1, INT64_MAX, 0);
	if (json_object_size(params) != 1)
		json_reader_fail(reader, params, "give one of id, address, mac and user");
	if (mac && mac_parse(mac, wanted))
		json_reader_fail(reader, params, "mac must be one such as \"02:00:00:00:00:02\"");
	else if (mac)
		know_mac(follower, wanted);
	if (json_object_get(params, "address"))
		read_address(controld, reader, params, follower);
}

void trace_handle(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"id", "address", "mac", "user", NULL};
	struct controld *controld = context;
	struct trace *trace = controld->sessions->trace;
	struct follower follower = {.peer = rpc_request_peer(request)};
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);
	const char *user;

	if (!params)
		return;
	user = json_read_string_or(&reader, params, "user", NULL);
	read_follower(controld, &reader, params, &follower);
	if (ctl_refused(request, &reader))
		return;
	if (user)
		read_user(controld, user, &follower);
	if (trace->count == TRACE_FOLLOWERS) {
		rpc_fail(request, RPC_LIMIT, NULL, "%d traces are followed already", TRACE_FOLLOWERS);
		return;
	}
	if (!follower.peer)
		return; /* it has gone */
	follower.user = user ? strdup(user) : NULL;
	trace->followers[trace->count++] = follower;
	rpc_reply(request, json_object(), NULL, 0);
}
