/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the data plane would do to the CGNAT maps, done by hand.
 */
#include "cgnat_fixture.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/abi/mapping_word.h"
#include "lib/address.h"

void configure(const char *nat)
{
	char error[512];
	int failure = fixture_configure(fixture_text("", "", nat), error, sizeof(error));

	ck_assert_msg(!failure, "%s", error);
}

int index_of(const char *text)
{
	const struct bng_ranges *ranges = maps_ranges(fixture.controld.maps);
	uint32_t address_be;

	ck_assert_int_eq(address_parse(text, &address_be), 0);
	for (uint32_t i = 0; i < ranges->public_count; i++)
		if (ntohl(address_be) >= ranges->outer[i].first && ntohl(address_be) <= ranges->outer[i].last)
			return (int)(ranges->outer[i].base + ntohl(address_be) - ranges->outer[i].first);
	return -1;
}

struct bng_pool_address *record_of(const char *text)
{
	int index = index_of(text);

	ck_assert_int_ge(index, 0);
	return &fixture.controld.maps->pool_address[index];
}

struct bng_port_block *take_block(const char *public, uint32_t number, const struct session *session)
{
	struct bng_pool_address *address = record_of(public);
	struct bng_port_block *block = &fixture.controld.maps->port_block[address->first_block + number];
	uint64_t bit = 1ULL << (number % 64);

	ck_assert(!(address->taken[number / 64] & bit));
	address->taken[number / 64] |= bit;
	address->free_blocks--;
	*block = (struct bng_port_block){
		.slot = session->slot,
		.generation = session->record->generation,
		.state = BNG_BLOCK_ALLOCATED,
		.first = (uint32_t)index_of(public) << 16 | number << address->block_shift,
		.session_id = session->record->session_id,
	};
	session->record->block[0] = block->first;
	session->record->address_index = (uint32_t)index_of(public);
	return block;
}

void give_block(const char *public, uint32_t number)
{
	struct bng_pool_address *address = record_of(public);

	fixture.controld.maps->port_block[address->first_block + number].state = BNG_BLOCK_FREE;
	address->taken[number / 64] &= ~(1ULL << (number % 64));
	address->free_blocks++;
}

void set_mapping(struct bng_port_block *block, uint32_t offset, uint8_t protocol, uint8_t state,
		 uint16_t inner_port, uint32_t age_ticks)
{
	struct maps *maps = fixture.controld.maps;
	uint32_t port = block->first + offset;
	uint64_t word = bng_mapping_word(bng_mapping_key(protocol, htons(inner_port)), state, 0,
					 maps_tick(maps) - age_ticks);

	memcpy(&maps->mapping[port / 8].entry[port % 8], &word, sizeof(word));
	block->used++;
}

struct session open_session(const char *address, uint32_t client)
{
	struct session_spec spec = fixture_spec(address, client);
	struct session session;

	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	return session;
}

struct session make_mappings(void)
{
	struct session session, other;
	struct bng_port_block *block;
	struct bng_pool *pool;

	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/31\"]}");
	pool = &fixture.controld.maps->pool[0];
	session = open_session("10.9.0.1", 1);
	other = open_session("10.9.0.2", 2);
	block = take_block("203.0.113.1", 7, &session);
	set_mapping(block, 0, BNG_PROTOCOL_UDP, BNG_MAPPING_UDP, 5000, 0);
	set_mapping(block, 9, BNG_PROTOCOL_TCP, BNG_MAPPING_TCP_ESTABLISHED, 6000, 10);
	set_mapping(block, 511, BNG_PROTOCOL_ICMP, BNG_MAPPING_ICMP, 77, pool->timeout[BNG_MAPPING_ICMP] - 4);
	set_mapping(block, 8, BNG_PROTOCOL_UDP, BNG_MAPPING_UDP, 5001, pool->timeout[BNG_MAPPING_UDP] + 1);
	block = take_block("203.0.113.0", 3, &other);
	set_mapping(block, 0, BNG_PROTOCOL_UDP, BNG_MAPPING_UDP, 9, 0);
	other.record->generation++;
	return session;
}
