/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * pppoe.stats and pppoe.setup.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/names.h"
#include "controld/pppoe/pppoe.h"
#include "lib/address.h"
#include "lib/bytes.h"
#include "lib/clock.h"

#define LIST_DEFAULT 1000
#define LIST_MAX     LINKS

#define NAME_OF(type, name) [PPPOE_RECEIVED_##type] = #name,
static const char *const received_names[PPPOE_RECEIVED_COUNT] = {PPPOE_RECEIVED(NAME_OF)};
#undef NAME_OF
#define NAME_OF(type, name) [PPPOE_SENT_##type] = #name,
static const char *const sent_names[PPPOE_SENT_COUNT] = {PPPOE_SENT(NAME_OF)};
#undef NAME_OF
#define NAME_OF(type, name) [PPPOE_REFUSED_##type] = #name,
static const char *const refusal_names[PPPOE_REFUSAL_COUNT] = {PPPOE_REFUSALS(NAME_OF)};
#undef NAME_OF

static json_t *sessions_json(const struct pppoe_stats *stats)
{
	json_t *object = json_object();

#define SET(name) json_set_count(object, #name, stats->name);
	PPPOE_COUNTS(SET)
#undef SET
	return object;
}

static void handle_stats(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct pppoe *pppoe = controld->pppoe;
	const struct pppoe_stats *stats = &pppoe->stats;
	struct json_reader reader;
	json_t *result;

	if (!ctl_params(request, &reader, members))
		return;
	result = json_object();
	json_object_set_new(result, "received",
			    json_counts(received_names, stats->received, PPPOE_RECEIVED_COUNT));
	json_object_set_new(result, "sent", json_counts(sent_names, stats->sent, PPPOE_SENT_COUNT));
	json_object_set_new(result, "refused",
			    json_counts(refusal_names, stats->refused, PPPOE_REFUSAL_COUNT));
	json_object_set_new(result, "sessions", sessions_json(stats));
	json_set_count(result, "peers", pppoe->peer_count);
	json_set_count(result, "setup", pppoe->links ? link_count(pppoe->links) : 0);
	rpc_reply(request, result, NULL, 0);
}

static json_t *setup_json(const struct peer *peer, uint64_t now_ns)
{
	const struct link_live *live = link_live(link_record(peer->pppoe->links, peer->setup - 1));
	char mac[MAC_TEXT], address[ADDRESS_TEXT], *user;
	json_t *object =
		json_pack("{s:s, s:s, s:i, s:i, s:i, s:I, s:s, s:f}", "interface",
			  names_interface(peer->pppoe->controld, peer->client.interface), "mac",
			  mac_format(peer->client.mac, mac), "outer_vid", peer->client.outer_vid, "inner_vid",
			  peer->client.inner_vid, "pppoe_session", peer->client.pppoe_session, "session",
			  (json_int_t)live->session_id, "phase", ppp_phase_name(&live->ppp), "age_s",
			  now_ns > live->begun_ns ? (double)(now_ns - live->begun_ns) / 1e9 : 0.0);

	user = bytes_format((const uint8_t *)live->ppp.user, strnlen(live->ppp.user, sizeof(live->ppp.user)));
	json_object_set_new(object, "user", user && user[0] ? json_string(user) : json_null());
	json_object_set_new(object, "address",
			    live->ppp.address_be ? json_string(address_format(live->ppp.address_be, address))
						 : json_null());
	free(user);
	return object;
}

static void handle_setup(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"limit", NULL};
	struct controld *controld = context;
	struct pppoe *pppoe = controld->pppoe;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members), *list;
	uint64_t now_ns = clock_boottime_ns();
	size_t limit;

	if (!params)
		return;
	limit = (size_t)json_read_integer_or(&reader, params, "limit", 1, LIST_MAX, LIST_DEFAULT);
	if (ctl_refused(request, &reader))
		return;
	list = json_array();
	for (uint32_t i = 0; pppoe->links && i < pppoe->links->header->high; i++)
		if (pppoe->live[i] && json_array_size(list) < limit)
			json_array_append_new(list, setup_json(pppoe->live[i], now_ns));
	rpc_reply(request,
		  json_pack("{s:o, s:i}", "setups", list, "total",
			    pppoe->links ? (int)link_count(pppoe->links) : 0),
		  NULL, 0);
}

const struct rpc_method pppoe_methods[] = {
	{"pppoe.stats", 0, handle_stats},
	{"pppoe.setup", 0, handle_setup},
	{0},
};
