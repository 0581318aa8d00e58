/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Leases given and taken back. The data plane makes the mapping and writes what became
 * of it into the record, nearly always before the call that asks for it returns. When
 * it does not answer in time the client is not answered either; it asks again, and then
 * the record is there.
 */
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "controld/controld.h"
#include "controld/maps/mappings.h"
#include "controld/pcp/server.h"
#include "controld/punt/punt.h"
#include "dataplane/abi/mapping_word.h"

#define ANSWER_TRIES 40
#define ANSWER_NS    500000

static uint32_t public_be(const struct maps *maps, uint32_t port)
{
	return maps->pool_address[port >> 16].address_be;
}

static bool is_known(const struct maps *maps, const struct bng_pcp *record)
{
	return record->answer == BNG_INJECT_PIN && record->port >> 16 < maps_entries(maps, MAP_pool_address);
}

static int ask(struct pcp_exchange *exchange, struct bng_pcp *record, enum bng_pin_action action,
	       uint16_t port)
{
	struct bng_pin_lease lease = {
		.pin = {.session_id = record->session_id,
			.inner_port_be = record->inner_port_be,
			.public_port = port,
			.protocol = record->protocol,
			.action = (uint8_t)action},
		.record = (uint32_t)(record - exchange->leases->maps->pcp),
	};

	return punt_lease(exchange->controld, record->slot, &lease);
}

/* Asks for the mapping at `port`, 0: anywhere. The verdict, or 0: not yet known. */
static uint32_t ask_and_look(struct pcp_exchange *exchange, struct bng_pcp *record, uint16_t port)
{
	uint32_t answer;

	__atomic_store_n(&record->answer, 0, __ATOMIC_RELEASE);
	if (ask(exchange, record, BNG_PIN_LEASE, port))
		return 0;
	for (int i = 0; i < ANSWER_TRIES; i++) {
		answer = __atomic_load_n(&record->answer, __ATOMIC_ACQUIRE);
		if (answer)
			return answer;
		nanosleep(&(struct timespec){.tv_nsec = ANSWER_NS}, NULL);
	}
	return 0;
}

/* What the data plane's verdict is called in PCP. */
static enum pcp_result result_of(uint32_t verdict)
{
	switch (verdict) {
	case BNG_INJECT_PIN:
		return PCP_SUCCESS;
	case BNG_DROP_CGNAT_PORT_TAKEN:
		return PCP_CANNOT_PROVIDE_EXTERNAL;
	case BNG_DROP_CGNAT_BLOCK_LIMIT:
	case BNG_DROP_CGNAT_MAPPING_LIMIT:
	case BNG_DROP_CGNAT_RATE_LIMIT:
		return PCP_USER_EX_QUOTA;
	case BNG_DROP_CGNAT_NO_POOL:
		return PCP_NETWORK_FAILURE;
	case 0:
		return PCP_DROP;
	default:
		return PCP_NO_RESOURCES;
	}
}

/* PREFER_FAILURE: that address and port, or nothing. A port of 0 is none. */
static bool is_as_suggested(const struct pcp_exchange *exchange, uint32_t port)
{
	const struct pcp_request *request = &exchange->request;
	uint32_t wanted_be;

	if (!request->prefer_failure)
		return true;
	return request->public_port == (uint16_t)port &&
	       (pcp_address_is_any(&request->public_address) ||
		(pcp_address_v4(&request->public_address, &wanted_be) &&
		 wanted_be == public_be(exchange->leases->maps, port)));
}

/* The suggestion, if it can be followed at all. */
static uint16_t suggested_port(const struct pcp_exchange *exchange)
{
	const struct pcp_request *request = &exchange->request;
	uint32_t paired = exchange->session.record->address_index, wanted_be;

	if (request->public_port < BNG_FIRST_PORT)
		return 0;
	if (pcp_address_is_any(&request->public_address) ||
	    paired >= maps_entries(exchange->leases->maps, MAP_pool_address))
		return request->public_port;
	return pcp_address_v4(&request->public_address, &wanted_be) &&
			       wanted_be == exchange->leases->maps->pool_address[paired].address_be
		       ? request->public_port
		       : 0;
}

static enum pcp_result make_mapping(struct pcp_exchange *exchange, struct bng_pcp *record)
{
	uint16_t port = suggested_port(exchange);
	bool must = exchange->request.prefer_failure;
	enum pcp_result result;

	if (must && !port)
		return PCP_CANNOT_PROVIDE_EXTERNAL;
	result = result_of(ask_and_look(exchange, record, port));
	if (result == PCP_CANNOT_PROVIDE_EXTERNAL && !must)
		result = result_of(ask_and_look(exchange, record, 0));
	if (result == PCP_SUCCESS && !is_known(exchange->leases->maps, record))
		return PCP_NO_RESOURCES;
	if (result == PCP_SUCCESS && !is_as_suggested(exchange, record->port)) {
		ask(exchange, record, BNG_PIN_LEASE_END, 0);
		return PCP_CANNOT_PROVIDE_EXTERNAL;
	}
	return result;
}

static void set_part(struct pcp_exchange *exchange, struct bng_pcp *record, bool peer)
{
	const struct pcp_request *request = &exchange->request;
	uint32_t deadline = lease_deadline(exchange->tick, exchange->lifetime);

	if (peer) {
		memcpy(record->peer_nonce, request->nonce, sizeof(record->peer_nonce));
		pcp_address_v4(&request->peer_address, &record->peer_be);
		record->peer_port_be = htons(request->peer_port);
		record->peer_tick = exchange->lifetime ? deadline : 0;
	} else {
		memcpy(record->map_nonce, request->nonce, sizeof(record->map_nonce));
		record->map_tick = deadline;
	}
}

static enum pcp_result answered(struct pcp_exchange *exchange, const struct bng_pcp *record)
{
	exchange->answer = (struct pcp_answer){
		.lifetime = exchange->lifetime,
		.public_port = (uint16_t)record->port,
		.public_be = public_be(exchange->leases->maps, record->port),
	};
	return PCP_SUCCESS;
}

/* True if the operator has forwarded the port: it stays as it is for ever. */
static bool is_forwarded(const struct maps *maps, const struct bng_pcp *record)
{
	uint64_t word = cgnat_word(maps, record->port);

	return bng_mapping_word_key(word) == bng_mapping_key(record->protocol, record->inner_port_be) &&
	       bng_mapping_word_flags(word) & BNG_MAPPING_PIN_RPC;
}

/* What was made in vain: nothing, or left to bng_sweep. */
static void give_up(struct pcp_exchange *exchange, uint32_t index)
{
	struct bng_pcp *record = lease_at(exchange->leases, index);

	record->map_tick = record->peer_tick = 0;
	if (record->port)
		lease_set_deadline(record, exchange->tick);
	else
		lease_free(exchange->leases, index);
}

/* A record that is nobody's any more, or new: its mapping is asked for. */
static enum pcp_result begin(struct pcp_exchange *exchange, uint32_t index, bool peer)
{
	struct bng_pcp *record = lease_at(exchange->leases, index);
	enum pcp_result result;

	set_part(exchange, record, peer);
	if (!lease_set_deadline(record, exchange->tick))
		return PCP_DROP; /* it ends this very moment: the client asks again */
	result = make_mapping(exchange, record);
	if (result == PCP_DROP)
		return result;
	if (result != PCP_SUCCESS) {
		give_up(exchange, index);
		return result;
	}
	answered(exchange, record);
	if (is_forwarded(exchange->leases->maps, record))
		lease_free(exchange->leases, index);
	else
		pcp_tell_opened(exchange->controld, record);
	return result;
}

static enum pcp_result grant_new(struct pcp_exchange *exchange, bool peer)
{
	struct leases *leases = exchange->leases;
	uint32_t index;

	if (lease_count_live(leases, exchange->session.slot, exchange->tick) >=
	    exchange->policy->max_mappings)
		return PCP_USER_EX_QUOTA;
	index = lease_take(leases, &exchange->session, exchange->protocol, exchange->request.inner_port);
	return index ? begin(exchange, index, peer) : PCP_NO_RESOURCES;
}

static bool is_same_peer(const struct pcp_exchange *exchange, const struct bng_pcp *record)
{
	uint32_t peer_be;

	return pcp_address_v4(&exchange->request.peer_address, &peer_be) && peer_be == record->peer_be &&
	       htons(exchange->request.peer_port) == record->peer_port_be;
}

/* 0, or for how many seconds somebody else's nonce holds this part of the lease. Of the
 * peers of an inner end the last is known: whatever its nonce, a PEER for another one
 * can only prolong. */
static uint32_t held_by_another(const struct pcp_exchange *exchange, const struct bng_pcp *record, bool peer)
{
	uint32_t left = lease_left(peer ? record->peer_tick : record->map_tick, exchange->tick);

	if (!left || (peer && !is_same_peer(exchange, record)) ||
	    !memcmp(peer ? record->peer_nonce : record->map_nonce, exchange->request.nonce, BNG_PCP_NONCE))
		return 0;
	return lease_seconds(left) + 1;
}

static enum pcp_result refuse_nonce(struct pcp_exchange *exchange, uint32_t seconds)
{
	exchange->answer.lifetime = seconds;
	return PCP_NOT_AUTHORIZED;
}

static enum pcp_result prolong(struct pcp_exchange *exchange, struct bng_pcp *record, bool peer)
{
	uint32_t held = held_by_another(exchange, record, peer);

	if (held)
		return refuse_nonce(exchange, held);
	if (!is_as_suggested(exchange, record->port))
		return PCP_CANNOT_PROVIDE_EXTERNAL;
	set_part(exchange, record, peer);
	if (!lease_set_deadline(record, exchange->tick))
		return PCP_DROP; /* it ends this very moment: the client asks again */
	return answered(exchange, record);
}

static uint32_t find(const struct pcp_exchange *exchange)
{
	return lease_find(exchange->leases, exchange->session.slot, exchange->protocol,
			  exchange->request.inner_port);
}

enum pcp_result pcp_grant(struct pcp_exchange *exchange, bool peer)
{
	uint32_t index = find(exchange);
	struct bng_pcp *record = lease_at(exchange->leases, index);

	if (index && bng_pcp_state(lease_life(record)) == BNG_PCP_EXPIRED) {
		pcp_lease_over(exchange->controld, exchange->leases, index);
		index = 0;
	}
	if (index && lease_is_live(record, exchange->tick) && is_known(exchange->leases->maps, record))
		return prolong(exchange, record, peer);
	/* A PEER ends nothing, and asks for nothing with a lifetime of 0. */
	if (!exchange->lifetime)
		return PCP_SUCCESS;
	if (!index)
		return grant_new(exchange, peer);
	record->map_tick = record->peer_tick = 0;
	return begin(exchange, index, peer);
}

/* The MAP part is over; the PEER part may not be. */
static bool revoke(struct pcp_exchange *exchange, struct bng_pcp *record)
{
	record->map_tick = 0;
	if (!lease_set_deadline(record, exchange->tick))
		return false;
	if (!lease_left(record->peer_tick, exchange->tick))
		ask(exchange, record, BNG_PIN_LEASE_END, 0); /* now, not when bng_sweep comes by */
	return true;
}

static bool find_forwarded(uint64_t word, uint32_t port, void *context)
{
	const struct pcp_exchange *exchange = context;

	(void)port;
	return bng_mapping_word_key(word) ==
		       bng_mapping_key(exchange->protocol, htons(exchange->request.inner_port)) &&
	       bng_mapping_word_flags(word) & BNG_MAPPING_PIN_RPC;
}

/* Section 15.1: what is not there is deleted with success, what the operator has made
 * is not the client's to delete. */
static enum pcp_result revoke_nothing(struct pcp_exchange *exchange)
{
	const struct pcp_request *request = &exchange->request;

	if (cgnat_walk_session(exchange->leases->maps, exchange->session.record, find_forwarded, exchange))
		return PCP_NOT_AUTHORIZED;
	exchange->answer.public_port = request->public_port;
	pcp_address_v4(&request->public_address, &exchange->answer.public_be);
	return PCP_SUCCESS;
}

enum pcp_result pcp_revoke(struct pcp_exchange *exchange)
{
	uint32_t index = find(exchange), held;
	struct bng_pcp *record = lease_at(exchange->leases, index);

	if (!index || !lease_is_live(record, exchange->tick) || !lease_left(record->map_tick, exchange->tick))
		return revoke_nothing(exchange);
	held = held_by_another(exchange, record, false);
	if (held)
		return refuse_nonce(exchange, held);
	if (!revoke(exchange, record))
		return PCP_DROP;
	return is_known(exchange->leases->maps, record) ? answered(exchange, record) : PCP_SUCCESS;
}

enum pcp_result pcp_revoke_all(struct pcp_exchange *exchange)
{
	struct leases *leases = exchange->leases;

	for (uint32_t index = leases->first[exchange->session.slot]; index; index = leases->next[index]) {
		struct bng_pcp *record = lease_at(leases, index);

		if ((exchange->request.protocol == PCP_PROTOCOL_ALL ||
		     record->protocol == exchange->protocol) &&
		    lease_is_live(record, exchange->tick) && lease_left(record->map_tick, exchange->tick) &&
		    !held_by_another(exchange, record, false))
			revoke(exchange, record);
	}
	return PCP_SUCCESS;
}
