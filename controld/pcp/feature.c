/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The PCP server's place in the daemon: requests from the punt socket, responses to
 * it, leases that bng_sweep has ended, sessions that come and go.
 *
 * The epoch of RFC 6887 section 8.5 is the age of the session: mappings end with their
 * session and nothing else loses them, so a client that sees it begin anew is right to
 * ask again, and no restart of ours is to be seen in it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/maps/mappings.h"
#include "controld/maps/names.h"
#include "controld/pcp/pcp.h"
#include "controld/punt/frame.h"
#include "controld/punt/punt.h"
#include "lib/address.h"
#include "lib/clock.h"
#include "lib/log.h"

static void tell(struct controld *controld, const char *type, const struct bng_pcp *record, const char *why)
{
	const struct bng_subscriber *session = &controld->maps->subscriber[record->slot];
	char when[CLOCK_TEXT], inner[ADDRESS_TEXT], public[ADDRESS_TEXT];
	uint32_t public_be = controld->maps->pool_address[record->port >> 16].address_be;

	if (!ctl_followed(controld))
		return;
	ctl_event(controld,
		  json_pack("{s:s, s:s, s:I, s:s, s:s, s:i, s:s, s:i, s:s*}", "time",
			    clock_format(clock_boottime_ns(), when), "type", type, "session",
			    (json_int_t)record->session_id, "address",
			    address_format(session->address_be, inner), "protocol",
			    cgnat_protocol_name(record->protocol), "inner_port",
			    (int)ntohs(record->inner_port_be), "public", address_format(public_be, public),
			    "public_port", (int)(record->port & 0xffff), "why", why));
}

void pcp_tell_opened(struct controld *controld, const struct bng_pcp *record)
{
	tell(controld, "pcp_opened", record, NULL);
}

static void lease_over(struct controld *controld, struct leases *leases, uint32_t index, const char *why)
{
	const struct bng_pcp *record = lease_at(leases, index);

	if (record->port && record->port >> 16 < maps_entries(controld->maps, MAP_pool_address))
		tell(controld, "pcp_closed", record, why);
	lease_free(leases, index);
}

void pcp_lease_over(struct controld *controld, struct leases *leases, uint32_t index)
{
	const struct bng_pcp *record = lease_at(leases, index);

	lease_over(controld, leases, index, record->map_tick || record->peer_tick ? "expired" : "deleted");
}

/* Said once, until there is room again; each request is counted as no_resources. */
static void tell_full(struct pcp *pcp)
{
	bool is_full = !pcp->leases->free_count;

	if (is_full && !pcp->is_full)
		log_warning(
			"PCP: all %u leases of map pcp are in use, new ones are refused: /sizes/pcp takes "
			"effect at the next start of the gateway",
			pcp->leases->count);
	pcp->is_full = is_full;
}

static void on_second(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;
	struct leases *leases = controld->pcp->leases;

	(void)fd;
	(void)what;
	for (uint32_t index = 1; index < controld->maps->meta->pcp_high && index < leases->entries; index++)
		if (bng_pcp_state(lease_life(lease_at(leases, index))) == BNG_PCP_EXPIRED)
			pcp_lease_over(controld, leases, index);
	tell_full(controld->pcp);
	if (controld->config)
		pcp_announce_waiting(controld);
}

struct bng_pcp_counts *pcp_counts(const struct controld *controld)
{
	return (struct bng_pcp_counts *)controld->maps->pcp;
}

uint32_t pcp_epoch(const struct bng_subscriber *session)
{
	uint64_t now = clock_boottime_ns();

	return now > session->opened_ns ? (uint32_t)((now - session->opened_ns) / 1000000000) : 0;
}

const struct config_pcp *pcp_policy(const struct controld *controld, const struct bng_subscriber *session)
{
	const struct config_nat_pool *pool =
		session->pool < BNG_POOLS
			? config_find_nat_pool(controld->config, names_pool(controld, session->pool))
			: NULL;

	return pool && pool->pcp.enabled ? &pool->pcp : NULL;
}

static int respond(struct controld *controld, uint16_t interface, const struct frame *request,
		   const uint8_t *message, size_t length)
{
	struct frame_link link = request->link;
	struct frame_flow flow = {
		.source_be = request->flow.destination_be,
		.destination_be = request->flow.source_be,
		.source_port = PCP_SERVER_PORT,
		.destination_port = request->flow.source_port,
	};
	uint8_t frame[FRAME_MAX];

	memcpy(link.destination, request->link.source, 6);
	memcpy(link.source, controld->maps->interface[interface].mac, 6);
	length = frame_build(&link, &flow, message, length, frame, sizeof(frame));
	return length ? punt_send(controld, interface, frame, length) : -EMSGSIZE;
}

/* What is said to a request: the length of the response, 0: nothing. */
static size_t answer(struct controld *controld, const struct session *session,
		     const struct config_pcp *policy, const struct frame *frame, uint8_t *message)
{
	struct pcp_exchange exchange = {
		.controld = controld,
		.leases = controld->pcp->leases,
		.policy = policy,
		.session = *session,
		.tick = maps_tick(controld->maps),
	};
	struct bng_pcp_counts *counts = pcp_counts(controld);
	const uint8_t *data = frame->payload;
	size_t length = frame->payload_length;
	enum pcp_result result = pcp_parse(data, length, frame->flow.source_be, &exchange.request);

	exchange.answer.lifetime = pcp_error_seconds(result);
	if (result == PCP_SUCCESS)
		result = pcp_serve(&exchange);
	if (result == PCP_DROP) {
		counts->dropped++;
		return 0;
	}
	counts->result[result]++;
	if (result == PCP_SUCCESS)
		return pcp_build_success(data, &exchange.request, &exchange.answer,
					 pcp_epoch(session->record), message);
	return pcp_build_error(data, length, result, exchange.answer.lifetime, pcp_epoch(session->record),
			       message);
}

/* The data plane has checked that the sender is the session in `slot`, which may have
 * ended while the request waited. */
static void on_packet(struct controld *controld, const struct bng_punt *punt, const uint8_t *data,
		      size_t length, void *context)
{
	const struct config_pcp *policy = NULL;
	uint8_t message[PCP_MESSAGE_MAX];
	struct session session = {0};
	struct frame frame;

	(void)context;
	if (punt->slot && punt->slot < maps_entries(controld->maps, MAP_subscriber) &&
	    punt->interface < BNG_INTERFACES && !frame_parse(data, length, &frame) &&
	    session_by_address(controld, frame.flow.source_be, &session) && session.slot == punt->slot)
		policy = pcp_policy(controld, session.record);
	if (!policy) {
		pcp_counts(controld)->dropped++;
		return;
	}
	length = answer(controld, &session, policy, &frame, message);
	if (length)
		respond(controld, punt->interface, &frame, message, length);
}

static void on_up(struct controld *controld, const struct session *session)
{
	if (controld->pcp)
		pcp_announce_later(controld->pcp, session->slot);
}

static void on_down(struct controld *controld, const struct session *session, enum session_end end,
		    const char *why)
{
	(void)end;
	struct leases *leases = controld->pcp ? controld->pcp->leases : NULL;

	(void)why;
	while (leases && leases->first[session->slot])
		lease_over(controld, leases, leases->first[session->slot], "session");
}

static void feature_free(struct controld *controld)
{
	struct pcp *pcp = controld->pcp;

	if (pcp && pcp->timer)
		event_free(pcp->timer);
	if (pcp) {
		leases_free(pcp->leases);
		free(pcp->waiting);
	}
	free(pcp);
	controld->pcp = NULL;
}

static int feature_init(struct controld *controld)
{
	static const struct timeval second = {.tv_sec = 1};
	struct pcp *pcp = calloc(1, sizeof(*pcp));
	int failure = pcp ? 0 : -ENOMEM;

	controld->pcp = pcp;
	if (!failure)
		failure = leases_new(controld->maps, &pcp->leases);
	if (!failure && controld->base) {
		pcp->timer = event_new(controld->base, -1, EV_PERSIST, on_second, controld);
		failure = pcp->timer && !event_add(pcp->timer, &second) ? 0 : -ENOMEM;
	}
	if (failure) {
		feature_free(controld);
		return failure;
	}
	punt_register(controld, BNG_PUNT_REASON_PCP, on_packet, NULL);
	return 0;
}

static const struct session_hooks hooks = {.up = on_up, .down = on_down};

const struct bng_feature pcp_feature = {
	.name = "pcp",
	.init = feature_init,
	.free = feature_free,
	.methods = pcp_methods,
	.hooks = &hooks,
};
