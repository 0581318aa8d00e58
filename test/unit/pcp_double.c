/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The data plane as the PCP server sees it, and a client's view of the wire.
 */
#include "pcp_double.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/maps/mappings.h"
#include "controld/punt/punt.h"
#include "dataplane/abi/mapping_word.h"

struct pcp_world pcp_world;

static const char *const addresses[PCP_SLOTS] = {"0.0.0.0", "10.0.0.10", "10.0.0.11", "10.0.0.12"};

static uint64_t *word_at(uint32_t port)
{
	return (uint64_t *)&pcp_world.mapping[port / BNG_PORTS_PER_BUCKET].entry[port % BNG_PORTS_PER_BUCKET];
}

uint64_t pcp_word(uint32_t port)
{
	return *word_at(port);
}

void pcp_set_word(uint32_t port, uint64_t word)
{
	*word_at(port) = word;
}

uint64_t cgnat_word(const struct maps *maps, uint32_t port)
{
	(void)maps;
	return *word_at(port);
}

bool cgnat_walk_session(const struct maps *maps, const struct bng_subscriber *session, cgnat_each_word *each,
			void *context)
{
	(void)maps;
	for (uint32_t port = session->block[0]; port < session->block[0] + 64; port++)
		if (*word_at(port) && each(*word_at(port), port, context))
			return true;
	return false;
}

/* Where an inner end of the session is mapped; 0: nowhere. */
static uint32_t find_port(uint32_t first, uint32_t key)
{
	for (uint32_t port = first; port < first + 64; port++)
		if (*word_at(port) && bng_mapping_word_key(*word_at(port)) == key)
			return port;
	return 0;
}

static uint32_t free_port(uint32_t first)
{
	for (uint32_t port = first; port < first + 64; port++)
		if (!*word_at(port))
			return port;
	return 0;
}

static uint32_t make(struct bng_pcp *record, uint16_t wanted)
{
	uint32_t first = pcp_world.subscriber[record->slot].block[0];
	uint32_t key = bng_mapping_key(record->protocol, record->inner_port_be);
	uint32_t port = find_port(first, key);

	if (!port && wanted && ((wanted ^ first) & 0xffc0 || *word_at((first & ~0xffffu) | wanted)))
		return BNG_DROP_CGNAT_PORT_TAKEN;
	if (port && wanted && (uint16_t)port != wanted)
		return BNG_DROP_CGNAT_PORT_TAKEN;
	if (!port)
		port = wanted ? (first & ~0xffffu) | wanted : free_port(first);
	if (!port)
		return BNG_DROP_CGNAT_NO_BLOCK;
	if (!*word_at(port))
		*word_at(port) = bng_mapping_word(key, BNG_MAPPING_UDP, 0, pcp_world.tick);
	if (!(bng_mapping_word_flags(*word_at(port)) & BNG_MAPPING_PINNED))
		*word_at(port) |= (uint64_t)BNG_MAPPING_PIN_PCP << 24;
	record->port = port;
	return BNG_INJECT_PIN;
}

static void unpin(const struct bng_pcp *record)
{
	if (record->port &&
	    (bng_mapping_word_flags(*word_at(record->port)) & BNG_MAPPING_PINNED) == BNG_MAPPING_PIN_PCP)
		*word_at(record->port) = 0; /* as one that nobody has used */
}

int punt_lease(struct controld *controld, uint32_t slot, const struct bng_pin_lease *lease)
{
	struct bng_pcp *record = &pcp_world.pcp[lease->record];

	(void)controld;
	(void)slot;
	if (pcp_world.is_deaf)
		return -1;
	if (lease->pin.action == BNG_PIN_LEASE_END) {
		unpin(record);
		return 0;
	}
	pcp_world.asked++;
	if (pcp_world.is_silent)
		return 0;
	if (pcp_world.refusals) {
		pcp_world.refusals--;
		record->answer = pcp_world.verdict;
		return 0;
	}
	record->answer = make(record, lease->pin.public_port);
	return 0;
}

void pcp_tell_opened(struct controld *controld, const struct bng_pcp *record)
{
	(void)controld;
	(void)record;
	pcp_world.opened++;
}

void pcp_lease_over(struct controld *controld, struct leases *leases, uint32_t index)
{
	(void)controld;
	pcp_world.closed++;
	lease_free(leases, index);
}

static void must(bool truth)
{
	if (!truth)
		abort();
}

static void set_entries(void)
{
	struct maps *maps = &pcp_world.maps;

	maps->meta = &pcp_world.meta;
	maps->subscriber = pcp_world.subscriber;
	maps->pool = pcp_world.pool;
	maps->pool_address = pcp_world.address;
	maps->mapping = pcp_world.mapping;
	maps->pcp = pcp_world.pcp;
	maps->map[MAP_subscriber].max_entries = PCP_SLOTS;
	maps->map[MAP_pool_address].max_entries = 2;
	maps->map[MAP_pcp].max_entries = PCP_RECORDS;
}

void pcp_world_init(void)
{
	memset(&pcp_world, 0, sizeof(pcp_world));
	set_entries();
	pcp_world.controld.maps = &pcp_world.maps;
	pcp_world.tick = 1000000;
	pcp_world.policy = (struct config_pcp){true, 120, 86400, 4, 1024};
	for (uint32_t slot = 1; slot < PCP_SLOTS; slot++)
		pcp_world.subscriber[slot] = (struct bng_subscriber){
			.address_be = inet_addr(addresses[slot]),
			.state = BNG_SUBSCRIBER_ACTIVE,
			.session_id = slot + 100,
			.block_shift = 6,
			.block = {1 << 16 | (PCP_BLOCK + 64 * (slot - 1))},
			.address_index = 1,
		};
	pcp_world.address[1] =
		(struct bng_pool_address){.address_be = inet_addr("203.0.113.1"), .block_shift = 6};
	for (int state = 1; state < BNG_MAPPING_STATES; state++)
		pcp_world.pool[0].timeout[state] = BNG_TICKS_OF_SECONDS(300);
	must(!leases_new(&pcp_world.maps, &pcp_world.leases));
}

void pcp_world_free(void)
{
	leases_free(pcp_world.leases);
}

void pcp_world_restart(void)
{
	leases_free(pcp_world.leases);
	must(!leases_new(&pcp_world.maps, &pcp_world.leases));
}

void pcp_world_seconds(uint32_t seconds)
{
	pcp_world.tick += BNG_TICKS_OF_SECONDS(seconds);
}

void pcp_world_sweep(void)
{
	for (uint32_t index = 1; index < pcp_world.meta.pcp_high; index++) {
		struct bng_pcp *record = &pcp_world.pcp[index];
		uint32_t deadline = bng_pcp_deadline(record->life);

		if (bng_pcp_state(record->life) != BNG_PCP_ACTIVE ||
		    (int32_t)(pcp_world.tick - deadline) <= 0)
			continue;
		unpin(record);
		record->life = bng_pcp_life(BNG_PCP_EXPIRED, deadline);
		pcp_lease_over(&pcp_world.controld, pcp_world.leases, index);
	}
}

static uint8_t *put_address(uint8_t *at, const char *text)
{
	uint32_t address_be = inet_addr(text);

	memset(at, 0, 10);
	memset(at + 10, 0xff, 2);
	memcpy(at + 12, &address_be, 4);
	return at + 16;
}

static uint8_t *put_hex(uint8_t *at, const char *hex)
{
	unsigned byte;

	for (; hex && sscanf(hex, "%2x", &byte) == 1; hex += 2)
		*at++ = (uint8_t)byte;
	return at;
}

static uint8_t *put16(uint8_t *at, unsigned value)
{
	*at++ = (uint8_t)(value >> 8);
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *put_data(uint8_t *at, const struct pcp_wanted *wanted)
{
	memset(at, wanted->nonce, 12);
	at += 12;
	*at = wanted->protocol ? wanted->protocol : 17;
	if (wanted->protocol == 255)
		*at = 0;
	memset(at + 1, 0, 3);
	at = put16(put16(at + 4, wanted->inner_port), wanted->public_port);
	at = put_address(at, wanted->address ? wanted->address : "0.0.0.0");
	if (wanted->opcode != PCP_PEER)
		return at;
	at = put16(at, wanted->peer_port == 65535 ? 0 : wanted->peer_port ? wanted->peer_port : 53);
	return put_address(put16(at, 0), wanted->peer ? wanted->peer : "192.0.2.1");
}

size_t pcp_message(const struct pcp_wanted *wanted, uint8_t message[static 2048])
{
	uint8_t *at = message;

	*at++ = wanted->version ? wanted->version : 2;
	*at++ = wanted->announce ? PCP_ANNOUNCE : wanted->opcode ? wanted->opcode : PCP_MAP;
	at = put16(put16(put16(at, 0), wanted->lifetime >> 16), wanted->lifetime & 0xffff);
	at = put_address(at, wanted->client ? wanted->client : addresses[1]);
	if (!wanted->announce)
		at = put_data(at, wanted);
	at = put_hex(at, wanted->options);
	return (size_t)(at - message);
}

static enum pcp_result serve(uint32_t slot, const uint8_t *data, size_t length, struct pcp_exchange *exchange)
{
	enum pcp_result result;

	*exchange = (struct pcp_exchange){
		.controld = &pcp_world.controld,
		.leases = pcp_world.leases,
		.policy = &pcp_world.policy,
		.session = {slot, &pcp_world.subscriber[slot]},
		.tick = pcp_world.tick,
	};
	result = pcp_parse(data, length, inet_addr(addresses[slot]), &exchange->request);
	exchange->answer.lifetime = pcp_error_seconds(result);
	return result == PCP_SUCCESS ? pcp_serve(exchange) : result;
}

enum pcp_result pcp_ask(uint32_t slot, const struct pcp_wanted *wanted, struct pcp_answer *answer)
{
	struct pcp_wanted mine = *wanted;
	struct pcp_exchange exchange;
	uint8_t message[2048];
	enum pcp_result result;

	if (!mine.client)
		mine.client = addresses[slot];
	result = serve(slot, message, pcp_message(&mine, message), &exchange);
	if (answer)
		*answer = exchange.answer;
	return result;
}

size_t pcp_ask_raw(uint32_t slot, const uint8_t *data, size_t length, uint8_t *response,
		   enum pcp_result *result)
{
	struct pcp_exchange exchange;

	*result = serve(slot, data, length, &exchange);
	if (*result == PCP_DROP)
		return 0;
	return *result == PCP_SUCCESS
		       ? pcp_build_success(data, &exchange.request, &exchange.answer, 7, response)
		       : pcp_build_error(data, length, *result, exchange.answer.lifetime, 7, response);
}
