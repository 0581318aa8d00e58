/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Routes of sessions: what was granted is compared with what is routed, and the
 * difference is written. What is refused is told once, and tried again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/maps.h"
#include "controld/routes/routes.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"

#define RETRY_SECONDS 10
#define PREFIX_TEXT   (ADDRESS_TEXT + 3)
#define LIST_DEFAULT  1000
#define LIST_MAX      10000

static const char *prefix_format(uint32_t first, unsigned length, char text[static PREFIX_TEXT])
{
	char address[ADDRESS_TEXT];

	snprintf(text, PREFIX_TEXT, "%s/%u", address_format(htonl(first), address), length);
	return text;
}

/* ---- What is refused --------------------------------------------------------------- */

static bool is_told(const struct route_refused *before, uint32_t count, const struct route_refused *refused)
{
	for (uint32_t i = 0; i < count; i++)
		if (before[i].span.first == refused->span.first && before[i].length == refused->length &&
		    before[i].why == refused->why)
			return true;
	return false;
}

static void tell(struct controld *controld, const struct session *session,
		 const struct route_refused *refused)
{
	struct session_client client = session_client_of(session->record);
	uint64_t session_id = session->record->session_id;
	char prefix[PREFIX_TEXT], address[ADDRESS_TEXT], when[CLOCK_TEXT];

	prefix_format(refused->span.first, refused->length, prefix);
	address_format(session->record->address_be, address);
	log_warning("session %llu of %s: the route %s is refused: %s", (unsigned long long)session_id,
		    address, prefix, refused->why);
	session_event(controld, session_id, &client, "route %s refused", prefix);
	if (ctl_followed(controld))
		ctl_event(controld, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "time",
					      clock_format(clock_boottime_ns(), when), "type",
					      "route_refused", "session", (json_int_t)session_id, "address",
					      address, "prefix", prefix, "why", refused->why));
}

/* Takes over the new list; what is new in it is told. */
static void refuse(struct controld *controld, const struct session *session, struct route_owner *owner,
		   const struct route_refused *refused, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (!is_told(owner->refused, owner->refused_count, &refused[i]))
			tell(controld, session, &refused[i]);
	memcpy(owner->refused, refused, count * sizeof(*refused));
	owner->refused_count = count;
}

/* ---- A session ------------------------------------------------------------------------ */

static void set_flag(struct bng_subscriber *record, bool on)
{
	if (on == !!(record->flags & BNG_SUBSCRIBER_ROUTES))
		return;
	if (on)
		__atomic_fetch_or(&record->flags, BNG_SUBSCRIBER_ROUTES, __ATOMIC_RELEASE);
	else
		__atomic_fetch_and(&record->flags, (__u8)~BNG_SUBSCRIBER_ROUTES, __ATOMIC_RELEASE);
}

static bool is_as_wanted(const struct controld *controld, const struct session *session,
			 const struct route_owner *owner, const struct profile_route *wanted, uint32_t count)
{
	if (owner->refused_count || owner->count != count ||
	    !(session->record->flags & BNG_SUBSCRIBER_ROUTES) != !count)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct route_span span = route_span_of(&wanted[i]);

		if (span.first != owner->spans[i].first || span.last != owner->spans[i].last ||
		    route_judge(controld, &wanted[i]))
			return false;
	}
	return true;
}

/* What is granted and can be is routed to the session afterwards, and nothing else. */
static int route_all(struct controld *controld, const struct session *session, struct route_owner *owner,
		     const struct profile_route *wanted, uint32_t count)
{
	struct route_refused refused[PROFILE_ROUTES];
	struct route_span *granted = calloc(count + 1, sizeof(*granted));
	uint32_t routed = 0, left = 0;

	if (!granted)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct route_span span = route_span_of(&wanted[i]);
		const char *why = route_judge(controld, &wanted[i]);

		if (!why)
			why = route_add(controld, session, owner, span);
		if (why)
			refused[left++] = (struct route_refused){span, wanted[i].length, why};
		else
			granted[routed++] = span;
	}
	if (routed)
		set_flag(session->record, true);
	route_remove(controld, session, owner, granted, routed);
	if (!routed)
		set_flag(session->record, false);
	free(owner->spans);
	owner->spans = granted;
	owner->count = routed;
	refuse(controld, session, owner, refused, left);
	return 0;
}

static void evaluate(struct controld *controld, const struct session *session)
{
	const struct session_detail *detail = session_detail(controld, session);
	bool has_routes = detail && detail->profile.given & PROFILE_ROUTE;
	uint32_t count = has_routes ? detail->profile.route_count : 0;
	struct route_owner *owner = owner_find(controld->routes, session->slot);

	if (!owner && !count)
		return;
	if (!owner)
		owner = owner_make(controld->routes, session->slot);
	if (!owner ||
	    (!is_as_wanted(controld, session, owner, detail ? detail->profile.route : NULL, count) &&
	     route_all(controld, session, owner, detail ? detail->profile.route : NULL, count)))
		log_error("routes of session %llu: out of memory",
			  (unsigned long long)session->record->session_id);
	else if (!owner->count && !owner->refused_count)
		owner_drop(controld->routes, session->slot);
}

/* Of a session whose grant is lost nothing is changed. */
static void on_known(struct controld *controld, const struct session *session)
{
	if (session_grant_is_known(controld, session))
		evaluate(controld, session);
}

static void on_down(struct controld *controld, const struct session *session, enum session_end end,
		    const char *why)
{
	struct route_owner *owner = owner_find(controld->routes, session->slot);

	(void)end;
	(void)why;
	if (!owner)
		return;
	route_remove(controld, session, owner, NULL, 0);
	set_flag(session->record, false);
	owner_drop(controld->routes, session->slot);
}

/* ---- All of them ------------------------------------------------------------------------ */

static void evaluate_all(struct controld *controld, bool only_refused)
{
	for (uint32_t i = 0; i < ROUTE_BUCKETS; i++) {
		struct route_owner *next;

		for (struct route_owner *owner = controld->routes->bucket[i]; owner; owner = next) {
			struct session session = {owner->slot, &controld->maps->subscriber[owner->slot]};

			next = owner->next;
			if (session.record->state == BNG_SUBSCRIBER_ACTIVE &&
			    (owner->refused_count || !only_refused))
				on_known(controld, &session);
		}
	}
}

/* Ranges may be others now: what lies in them goes, what did may come. At a start,
 * sessions are adopted when what was granted to them is known. */
static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)next;
	if (!old)
		return owners_adopt(controld);
	evaluate_all(controld, false);
	return 0;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	evaluate_all(context, true);
}

/* ---- RPC ------------------------------------------------------------------------------- */

/* A span as prefixes: the largest that fit, one after the other. */
static void append_prefixes(json_t *array, struct route_span span)
{
	uint64_t at = span.first, end = (uint64_t)span.last + 1;

	while (at < end) {
		unsigned length = 32;
		char text[PREFIX_TEXT];

		while (length && !(at & ((1ULL << (33 - length)) - 1)) && at + (1ULL << (33 - length)) <= end)
			length--;
		json_array_append_new(array, json_string(prefix_format((uint32_t)at, length, text)));
		at += 1ULL << (32 - length);
	}
}

/* The owner of the next slot from `*slot` on, and its session. */
static const struct route_owner *next_owner(const struct controld *controld, uint32_t *slot,
					    struct session *session)
{
	while (*slot < maps_entries(controld->maps, MAP_subscriber)) {
		const struct route_owner *owner = owner_find(controld->routes, *slot);

		*session = (struct session){*slot, &controld->maps->subscriber[*slot]};
		++*slot;
		if (owner && session->record->state == BNG_SUBSCRIBER_ACTIVE)
			return owner;
	}
	return NULL;
}

static json_t *owner_json(const struct session *session, const struct route_owner *owner)
{
	json_t *prefixes = json_array(), *refused = json_array();
	char text[PREFIX_TEXT], address[ADDRESS_TEXT];

	for (uint32_t i = 0; i < owner->count; i++)
		append_prefixes(prefixes, owner->spans[i]);
	for (uint32_t i = 0; i < owner->refused_count; i++)
		json_array_append_new(refused, json_pack("{s:s, s:s}", "prefix",
							 prefix_format(owner->refused[i].span.first,
								       owner->refused[i].length, text),
							 "why", owner->refused[i].why));
	return json_pack("{s:I, s:s, s:o, s:o}", "session", (json_int_t)session->record->session_id,
			 "address", address_format(session->record->address_be, address), "prefixes",
			 prefixes, "refused", refused);
}

static void handle_list(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"after", "limit", NULL};
	struct controld *controld = context;
	const struct route_owner *owner;
	struct json_reader reader;
	struct session session;
	json_t *params = ctl_params(request, &reader, members), *list, *result;
	uint32_t slot, limit;

	if (!params)
		return;
	slot = (uint32_t)json_read_integer_or(&reader, params, "after", 0, UINT32_MAX - 1, 0) + 1;
	limit = (uint32_t)json_read_integer_or(&reader, params, "limit", 1, LIST_MAX, LIST_DEFAULT);
	if (ctl_refused(request, &reader))
		return;
	list = json_array();
	while (json_array_size(list) < limit && (owner = next_owner(controld, &slot, &session)))
		json_array_append_new(list, owner_json(&session, owner));
	result = json_pack("{s:o}", "routes", list);
	if (json_array_size(list) == limit)
		json_object_set_new(result, "next", json_integer(slot - 1));
	rpc_reply(request, result, NULL, 0);
}

static int init(struct controld *controld)
{
	struct timeval interval = {.tv_sec = RETRY_SECONDS};
	struct routes *routes = calloc(1, sizeof(*routes));

	controld->routes = routes;
	if (!routes)
		return -ENOMEM;
	if (!controld->base)
		return 0; /* unit tests have no loop */
	routes->timer = event_new(controld->base, -1, EV_PERSIST, on_timer, controld);
	return routes->timer && !event_add(routes->timer, &interval) ? 0 : -ENOMEM;
}

static void done(struct controld *controld)
{
	if (!controld->routes)
		return;
	if (controld->routes->timer)
		event_free(controld->routes->timer);
	owners_free(controld->routes);
	free(controld->routes);
	controld->routes = NULL;
}

static const struct session_hooks hooks = {
	.up = evaluate, .adopted = on_known, .change = on_known, .down = on_down};
static const struct rpc_method methods[] = {
	{"routes.list", 0, handle_list},
	{0},
};

/* Behind the feature `session`, whose ranges say what can be routed. */
const struct bng_feature routes_feature = {
	.name = "routes",
	.init = init,
	.free = done,
	.apply = apply,
	.methods = methods,
	.hooks = &hooks,
};
