/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Walking over the mappings, as the packet path sees them: an entry whose timer
 * has run out is none, swept or not.
 */
#include <arpa/inet.h>

#include "controld/maps/mappings.h"
#include "dataplane/abi/mapping_word.h"

const char *cgnat_protocol_name(uint8_t protocol)
{
	static const char *const names[] = {
		[BNG_PROTOCOL_NONE] = "none", [BNG_PROTOCOL_UDP] = "udp", [BNG_PROTOCOL_TCP] = "tcp",
		[BNG_PROTOCOL_ICMP] = "icmp", [BNG_PROTOCOL_GRE] = "gre", [BNG_PROTOCOL_ESP] = "esp",
	};

	return protocol <= BNG_PROTOCOL_ESP ? names[protocol] : "none";
}

const struct bng_pool_address *cgnat_address_of(const struct maps *maps, const struct bng_port_block *block)
{
	uint32_t index = block->first >> 16;
	const struct bng_pool_address *address;

	if (index >= maps_entries(maps, MAP_pool_address))
		return NULL;
	address = &maps->pool_address[index];
	if (!address->address_be || address->pool >= BNG_POOLS ||
	    address->block_shift < BNG_BLOCK_SHIFT_MIN || address->block_shift > BNG_BLOCK_SHIFT_MAX)
		return NULL;
	return address;
}

uint64_t cgnat_word(const struct maps *maps, uint32_t port)
{
	const struct bng_mapping_bucket *bucket = &maps->mapping[port / BNG_PORTS_PER_BUCKET];

	return __atomic_load_n((const uint64_t *)&bucket->entry[port % BNG_PORTS_PER_BUCKET],
			       __ATOMIC_RELAXED);
}

static void walk_block(const struct maps *maps, const struct bng_port_block *block,
		       const struct bng_pool_address *address, const struct cgnat_filter *filter,
		       cgnat_each *each, void *context)
{
	const struct bng_subscriber *session = &maps->subscriber[block->slot];
	const struct bng_pool *pool = &maps->pool[address->pool];
	uint32_t now = maps_tick(maps), first = block->first, ports = 1u << address->block_shift;

	for (uint32_t port = first; port < first + ports; port++) {
		uint64_t word = cgnat_word(maps, port);
		/* Negative: touched after `now` was read, or promised a longer life. */
		int32_t idle = (int32_t)(now - bng_mapping_word_tick(word));
		struct cgnat_mapping mapping;

		if (bng_mapping_word_free(word, pool->timeout, now))
			continue;
		if (filter->protocol && filter->protocol != bng_mapping_word_protocol(word))
			continue;
		mapping = (struct cgnat_mapping){
			.protocol = bng_mapping_word_protocol(word),
			.state = bng_mapping_word_state(word),
			.flags = bng_mapping_word_flags(word),
			.inner_port = ntohs((uint16_t)word),
			.public_port = (uint16_t)port,
			.port = port,
			.public_be = address->address_be,
			.idle_ticks = idle > 0 ? (uint32_t)idle : 0,
			.left_ticks = pool->timeout[bng_mapping_word_state(word) & 7] - (uint32_t)idle,
			.session = session,
		};
		each(&mapping, context);
	}
}

void cgnat_walk(const struct maps *maps, const struct cgnat_filter *filter, cgnat_each *each, void *context)
{
	uint32_t high = maps->meta->block_high;

	for (uint32_t i = 0; i < high && i < maps_entries(maps, MAP_port_block); i++) {
		const struct bng_port_block *block = &maps->port_block[i];
		const struct bng_pool_address *address;
		const struct bng_subscriber *session;

		if (block->state != BNG_BLOCK_ALLOCATED && block->state != BNG_BLOCK_DRAINING)
			continue;
		address = cgnat_address_of(maps, block);
		if (!address || block->slot >= maps_entries(maps, MAP_subscriber))
			continue;
		session = &maps->subscriber[block->slot];
		if (session->state != BNG_SUBSCRIBER_ACTIVE || session->generation != block->generation)
			continue;
		if ((filter->inner_be && session->address_be != filter->inner_be) ||
		    (filter->public_be && address->address_be != filter->public_be))
			continue;
		walk_block(maps, block, address, filter, each, context);
	}
}

bool cgnat_walk_session(const struct maps *maps, const struct bng_subscriber *session, cgnat_each_word *each,
			void *context)
{
	uint32_t now = maps_tick(maps);

	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		uint32_t first = __atomic_load_n(&session->block[i], __ATOMIC_RELAXED);
		const struct bng_pool_address *address;

		if (!first || first >> 16 >= maps_entries(maps, MAP_pool_address))
			continue;
		address = &maps->pool_address[first >> 16];
		for (uint32_t port = first; port < first + (1u << session->block_shift); port++) {
			uint64_t word = cgnat_word(maps, port);

			if (!bng_mapping_word_free(word, maps->pool[address->pool % BNG_POOLS].timeout,
						   now) &&
			    each(word, port, context))
				return true;
		}
	}
	return false;
}

/* As the packet path judges an entry (tunnel_alive in dataplane/tunnel_find.h). */
static bool tunnel_read(const struct maps *maps, const struct bng_tunnel *entry, struct cgnat_tunnel *tunnel)
{
	uint64_t seen = __atomic_load_n((const uint64_t *)entry, __ATOMIC_RELAXED), word;
	uint32_t port = (uint32_t)seen, now = maps_tick(maps), number;
	const struct bng_pool_address *address;
	const struct bng_port_block *block;
	const struct bng_pool *pool;

	if (!seen || port >> 16 >= maps_entries(maps, MAP_pool_address))
		return false;
	address = &maps->pool_address[port >> 16];
	number = address->first_block + ((port & 0xffff) >> (address->block_shift & 15));
	if (address->pool >= BNG_POOLS || number >= maps_entries(maps, MAP_port_block))
		return false;
	block = &maps->port_block[number];
	pool = &maps->pool[address->pool];
	word = __atomic_load_n((const uint64_t *)&maps->mapping[port / BNG_PORTS_PER_BUCKET]
				       .entry[port % BNG_PORTS_PER_BUCKET],
			       __ATOMIC_RELAXED);
	if (block->slot >= maps_entries(maps, MAP_subscriber) ||
	    !bng_tunnel_mapped(word, seen >> 32, pool->timeout, now))
		return false;
	*tunnel = (struct cgnat_tunnel){
		.protocol = bng_mapping_word_protocol(word),
		.remote_be = seen >> 32,
		.public_be = address->address_be,
		.left_ticks =
			pool->timeout[bng_mapping_word_state(word) & 7] - (now - bng_mapping_word_tick(word)),
		.session = &maps->subscriber[block->slot],
	};
	return tunnel->session->state == BNG_SUBSCRIBER_ACTIVE &&
	       tunnel->session->generation == block->generation;
}

void cgnat_walk_tunnels(const struct maps *maps, const struct cgnat_filter *filter, cgnat_each_tunnel *each,
			void *context)
{
	struct cgnat_tunnel tunnel;

	for (uint32_t i = 0; i < maps_entries(maps, MAP_tunnel); i++)
		for (int k = 0; k < BNG_TUNNELS_PER_BUCKET; k++)
			if (tunnel_read(maps, &maps->tunnel[i].entry[k], &tunnel) &&
			    (!filter->inner_be || tunnel.session->address_be == filter->inner_be) &&
			    (!filter->public_be || tunnel.public_be == filter->public_be))
				each(&tunnel, context);
}

struct search {
	uint32_t key;
	uint32_t port;
};

static bool is_searched(uint64_t word, uint32_t port, void *context)
{
	struct search *search = context;

	if (bng_mapping_word_key(word) != search->key)
		return false;
	search->port = port;
	return true;
}

bool cgnat_port_of(const struct maps *maps, const struct bng_subscriber *session, uint32_t key,
		   uint32_t *port)
{
	struct search search = {.key = key};

	if (!cgnat_walk_session(maps, session, is_searched, &search))
		return false;
	*port = search.port;
	return true;
}
