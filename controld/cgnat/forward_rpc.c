/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Port forwardings by configuration and by RPC.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include "controld/cgnat/forward.h"
#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/mappings.h"
#include "lib/address.h"

#define RETRY_SECONDS  1
#define COMPARE_ROUNDS 60 /* a minute */
#define ANSWER_TRIES   40 /* the packet is through at once, or the CPU is busy */
#define ANSWER_NS      500000
#define LIST_MAX       20000

struct forwards {
	struct event *timer;
	unsigned rounds; /* of the timer */
};

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;

	(void)fd;
	(void)what;
	if (!controld->config)
		return;
	if (++controld->forwards->rounds % COMPARE_ROUNDS == 0)
		forward_compare(controld, controld->config);
	else
		forward_set_missing(controld, controld->config);
}

static int init(struct controld *controld)
{
	struct timeval interval = {.tv_sec = RETRY_SECONDS};
	struct forwards *forwards = calloc(1, sizeof(*forwards));

	controld->forwards = forwards;
	if (!forwards)
		return -ENOMEM;
	if (!controld->base)
		return 0; /* unit tests compare by hand */
	forwards->timer = event_new(controld->base, -1, EV_PERSIST, on_timer, controld);
	return forwards->timer && !event_add(forwards->timer, &interval) ? 0 : -ENOMEM;
}

static void done(struct controld *controld)
{
	if (controld->forwards && controld->forwards->timer)
		event_free(controld->forwards->timer);
	free(controld->forwards);
	controld->forwards = NULL;
}

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	forward_compare(controld, next);
	return 0;
}

static json_t *forward_json(const struct controld *controld, const struct session *session,
			    const struct config_forward *forward, const struct forward_found *found)
{
	char inner[ADDRESS_TEXT], public[ADDRESS_TEXT];
	uint32_t public_be = found ? controld->maps->pool_address[found->port >> 16].address_be : 0;
	bool configured = !found || forward_is_configured(found);

	return json_pack("{s:I, s:s, s:s, s:i, s:s?, s:i, s:s, s:s}", "session",
			 (json_int_t)session->record->session_id, "address",
			 address_format(session->record->address_be, inner), "protocol",
			 cgnat_protocol_name(forward->protocol), "inner_port", (int)forward->inner_port,
			 "public", found ? address_format(public_be, public) : NULL, "public_port",
			 found ? (int)(found->port & 0xffff) : (int)forward->public_port, "origin",
			 configured ? "configuration" : "rpc", "state", found ? "active" : "waiting");
}

/* {address, protocol, inner_port}: false after the request was refused. */
static bool read_target(struct controld *controld, struct rpc_request *request, const char *const *members,
			struct session *session, struct config_forward *forward)
{
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);
	char text[ADDRESS_TEXT];
	uint32_t address_be;

	if (!params)
		return false;
	address_be = config_address(&reader, params, "address");
	*forward = (struct config_forward){0};
	config_read_forward(&reader, params, forward);
	if (ctl_refused(request, &reader))
		return false;
	if (session_by_address(controld, address_be, session))
		return true;
	rpc_fail(request, RPC_NOT_FOUND, NULL, "there is no session with address %s",
		 address_format(address_be, text));
	return false;
}

static void wait_a_moment(void)
{
	nanosleep(&(struct timespec){.tv_nsec = ANSWER_NS}, NULL);
}

/* Asks, and looks until the mapping table says it is done. */
static bool set_and_look(struct controld *controld, const struct session *session,
			 const struct config_forward *wanted, struct forward_found *found)
{
	for (int i = 0; i < ANSWER_TRIES; i++) {
		if (i % (ANSWER_TRIES / 2) == 0 && forward_set(controld, session, wanted, 0))
			return false;
		if (forward_find(controld->maps, session, wanted, found) && forward_is(found) &&
		    (!wanted->public_port || wanted->public_port == (uint16_t)found->port))
			return true;
		wait_a_moment();
	}
	return false;
}

static void handle_add(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"address", "protocol", "inner_port", "public_port", NULL};
	struct controld *controld = context;
	struct config_forward wanted;
	struct forward_found found;
	struct session session;

	if (!read_target(controld, request, members, &session, &wanted))
		return;
	if (session.record->flags & BNG_SUBSCRIBER_EXEMPT) {
		rpc_fail(request, RPC_CONFLICT, NULL,
			 "the session is not translated: its ports need no forwarding");
		return;
	}
	if (forward_find(controld->maps, &session, &wanted, &found) && forward_is(&found) &&
	    (!wanted.public_port || wanted.public_port == (uint16_t)found.port)) {
		rpc_reply(request, forward_json(controld, &session, &wanted, &found), NULL, 0);
		return;
	}
	if (set_and_look(controld, &session, &wanted, &found)) {
		rpc_reply(request, forward_json(controld, &session, &wanted, &found), NULL, 0);
		return;
	}
	if (wanted.public_port)
		rpc_fail(request, RPC_CONFLICT, NULL,
			 "public port %u was not given: it is in use, lies in another subscriber's block, or "
			 "the inner port %u has another public port now; leave it out to get any",
			 wanted.public_port, wanted.inner_port);
	else
		rpc_fail(request, RPC_CONFLICT, NULL,
			 "no public port was given for inner port %u: the session's limits or the pool's "
			 "blocks are used up (bngcli drops shows which)",
			 wanted.inner_port);
}

static void handle_remove(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"address", "protocol", "inner_port", NULL};
	struct controld *controld = context;
	struct config_forward wanted;
	struct forward_found found, now;
	struct session session;
	json_t *result;

	if (!read_target(controld, request, members, &session, &wanted))
		return;
	if (!forward_find(controld->maps, &session, &wanted, &found) || !forward_is(&found)) {
		rpc_fail(request, RPC_NOT_FOUND, NULL, "%s port %u of the session is not forwarded",
			 cgnat_protocol_name(wanted.protocol), wanted.inner_port);
		return;
	}
	if (forward_is_configured(&found)) {
		rpc_fail(request, RPC_CONFLICT, NULL,
			 "this port forwarding is in the configuration (/sessions): take it out there");
		return;
	}
	result = forward_json(controld, &session, &wanted, &found);
	forward_clear(controld, &session, &wanted);
	for (int i = 0; i < ANSWER_TRIES; i++) {
		if (!forward_find(controld->maps, &session, &wanted, &now) || !forward_is(&now)) {
			json_object_set_new(result, "state", json_string("ended"));
			rpc_reply(request, result, NULL, 0);
			return;
		}
		wait_a_moment();
	}
	json_decref(result);
	rpc_fail(request, RPC_UNAVAILABLE, NULL,
		 "the data plane did not end the port forwarding in time: try again");
}

struct listing {
	const struct controld *controld;
	json_t *list;
};

static void list_one(const struct session *session, const struct config_forward *forward,
		     const struct forward_found *found, void *context)
{
	struct listing *listing = context;

	if (json_array_size(listing->list) < LIST_MAX)
		json_array_append_new(listing->list,
				      forward_json(listing->controld, session, forward, found));
}

/* Of the configuration, not there yet. */
static void list_waiting(struct controld *controld, uint32_t address_be, json_t *list)
{
	const struct config *config = controld->config;
	struct forward_found found;
	struct session session;

	for (size_t i = 0; i < config->session_count; i++) {
		const struct config_session *one = &config->sessions[i];

		if (!one->forward_count || (address_be && one->address_be != address_be) ||
		    !session_by_address(controld, one->address_be, &session))
			continue;
		for (size_t k = 0; k < one->forward_count; k++)
			if (!forward_find(controld->maps, &session, &one->forwards[k], &found) ||
			    !forward_is(&found))
				json_array_append_new(
					list, forward_json(controld, &session, &one->forwards[k], NULL));
	}
}

static void handle_list(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"address", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);
	struct listing listing = {controld, NULL};
	struct session session;
	uint32_t slot = 0, address_be = 0;

	if (!params)
		return;
	if (json_object_get(params, "address"))
		address_be = config_address(&reader, params, "address");
	if (ctl_refused(request, &reader))
		return;
	listing.list = json_array();
	while (session_next(controld, &slot, &session))
		if (!address_be || session.record->address_be == address_be)
			forward_walk(controld->maps, &session, list_one, &listing);
	list_waiting(controld, address_be, listing.list);
	rpc_reply(request, json_pack("{s:o}", "forwards", listing.list), NULL, 0);
}

static const struct rpc_method methods[] = {
	{"cgnat.forward.add", 0, handle_add},
	{"cgnat.forward.remove", 0, handle_remove},
	{"cgnat.forward.list", 0, handle_list},
	{0},
};

const struct bng_feature forward_feature = {
	.name = "forward",
	.init = init,
	.free = done,
	.apply = apply,
	.methods = methods,
};
