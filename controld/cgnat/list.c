/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What an operator can see of CGNAT: pools with their addresses, port blocks,
 * mappings.
 */
#include <stdlib.h>
#include <string.h>

#include "controld/cgnat/cgnat.h"
#include "controld/cgnat/plan.h"
#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/fixed.h"
#include "controld/maps/mappings.h"
#include "controld/maps/names.h"
#include "controld/session/digest.h"
#include "lib/address.h"
#include "lib/clock.h"

#define LIST_DEFAULT 1000
#define LIST_MAX     20000

static uint64_t tick_seconds(uint32_t ticks)
{
	return ((uint64_t)ticks << BNG_TICK_SHIFT) / 1000000000;
}

/* Per public address: sessions paired with it, and blocks in hold-down. */
struct use {
	uint32_t sessions;
	uint32_t held;
	uint32_t allocated;
};

static struct use *count_use(const struct maps *maps)
{
	uint32_t addresses = maps_entries(maps, MAP_pool_address), high = maps->meta->block_high;
	struct use *use = calloc(addresses + 1, sizeof(*use));

	for (uint32_t i = 0; use && i < high && i < maps_entries(maps, MAP_port_block); i++) {
		const struct bng_port_block *block = &maps->port_block[i];

		if (block->first >> 16 >= addresses)
			continue;
		use[block->first >> 16].held += block->state == BNG_BLOCK_HELD;
		use[block->first >> 16].allocated +=
			block->state == BNG_BLOCK_ALLOCATED || block->state == BNG_BLOCK_DRAINING;
	}
	for (uint32_t i = 1; use && i < maps_entries(maps, MAP_subscriber); i++) {
		const struct bng_subscriber *record = &maps->subscriber[i];

		if (record->state == BNG_SUBSCRIBER_ACTIVE && record->address_index < addresses)
			use[record->address_index].sessions++;
	}
	return use;
}

/* `rule` of a deterministic pool or NULL. */
static json_t *address_json(const struct bng_pool_address *record, uint32_t index, const struct use *use,
			    const struct deterministic *rule)
{
	uint32_t total = cgnat_blocks_of(record->block_shift);
	uint32_t reserved = cgnat_first_dynamic(record->block_shift, rule ? rule->first_block : 0);
	uint32_t dynamic = cgnat_first_dynamic(record->block_shift, record->dynamic_from);
	char text[ADDRESS_TEXT];

	return json_pack("{s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "address",
			 address_format(record->address_be, text), "index", (json_int_t)index, "enabled",
			 !!(record->flags & BNG_POOL_ADDRESS_ENABLED), "blocks",
			 (json_int_t)(total - reserved), "deterministic",
			 (json_int_t)(dynamic > reserved ? dynamic - reserved : 0), "free",
			 (json_int_t)record->free_blocks, "held", (json_int_t)use->held, "allocated",
			 (json_int_t)use->allocated, "sessions", (json_int_t)use->sessions, "allocations",
			 (json_int_t)record->allocations, "alloc_failures",
			 (json_int_t)record->alloc_failures, "limit_hits", (json_int_t)record->limit_hits,
			 "drops", (json_int_t)record->drops, "fallbacks", (json_int_t)record->fallbacks);
}

static const char *pool_mode(const struct bng_pool *pool)
{
	if (!pool->address_count)
		return "draining";
	return pool->fixed_blocks ? "deterministic" : "paired";
}

static const char *filtering_name(uint8_t flags)
{
	if (flags & BNG_POOL_FILTER_PORT)
		return "address-and-port-dependent";
	return flags & BNG_POOL_FILTER_ADDRESS ? "address-dependent" : "endpoint-independent";
}

static const char *refusal_name(uint8_t refusal)
{
	switch (refusal) {
	case BNG_REFUSAL_HOST:
		return "host";
	case BNG_REFUSAL_SILENT:
		return "silent";
	default:
		return "prohibited";
	}
}

static json_t *algs_json(const struct bng_pool *pool)
{
	return pool->flags & BNG_POOL_ALG_FTP ? json_pack("[s]", "ftp") : json_array();
}

static json_t *pool_json(const struct controld *controld, uint8_t index, const struct use *use)
{
	const struct maps *maps = controld->maps;
	const struct bng_pool *pool = &maps->pool[index];
	json_t *addresses = json_array();

	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++)
		if (maps->pool_address[i].address_be && maps->pool_address[i].pool == index)
			json_array_append_new(addresses, address_json(&maps->pool_address[i], i, &use[i],
								      fixed_rule(controld, index)));
	return json_pack("{s:s, s:i, s:s, s:i, s:s, s:b, s:b, s:o, s:s, s:I, s:I, s:b, s:o}", "name",
			 names_pool(controld, index), "index", (int)index, "mode", pool_mode(pool),
			 "block_size", 1 << pool->block_shift, "filtering", filtering_name(pool->flags),
			 "refresh_inbound", !!(pool->flags & BNG_POOL_REFRESH_INBOUND), "answer_syn",
			 !!(pool->flags & BNG_POOL_ANSWER_SYN), "alg", algs_json(pool), "refusal",
			 refusal_name(pool->refusal), "mapping_rate", (json_int_t)pool->mapping_rate,
			 "mapping_burst", (json_int_t)pool->mapping_burst, "pcp",
			 !!(pool->flags & BNG_POOL_PCP), "addresses", addresses);
}

void cgnat_handle_pools(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct use *use;
	json_t *pools;

	if (!ctl_params(request, &reader, members))
		return;
	use = count_use(controld->maps);
	if (!use) {
		rpc_fail(request, RPC_INTERNAL, NULL, "listing the pools failed: out of memory");
		return;
	}
	pools = json_array();
	for (uint8_t i = 0; i < BNG_POOLS; i++)
		if (names_pool(controld, i)[0])
			json_array_append_new(pools, pool_json(controld, i, use));
	free(use);
	rpc_reply(request, json_pack("{s:o}", "pools", pools), NULL, 0);
}

static void read_filter(struct json_reader *reader, json_t *params, const char *const *members,
			struct cgnat_filter *filter)
{
	json_t *object = json_enter(reader, params, "filter");

	*filter = (struct cgnat_filter){0};
	if (object) {
		json_read_only(reader, object, members);
		if (json_object_get(object, "address"))
			filter->inner_be = config_address(reader, object, "address");
		if (json_object_get(object, "public"))
			filter->public_be = config_address(reader, object, "public");
		const char *protocol = json_read_string_or(reader, object, "protocol", "");
		for (uint8_t i = BNG_PROTOCOL_UDP; i <= BNG_PROTOCOL_ICMP; i++)
			if (!strcmp(protocol, cgnat_protocol_name(i)))
				filter->protocol = i;
		if (protocol[0] && !filter->protocol)
			json_reader_fail(reader, json_enter(reader, object, "protocol"),
					 "must be \"udp\", \"tcp\" or \"icmp\"");
	}
	json_leave(reader);
}

/* False after the request was refused. */
static bool read_params(struct rpc_request *request, const char *const *filters, struct cgnat_filter *filter,
			size_t *limit)
{
	static const char *const members[] = {"filter", "limit", NULL};
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);

	if (!params)
		return false;
	*limit = (size_t)json_read_integer_or(&reader, params, "limit", 0, LIST_MAX, LIST_DEFAULT);
	read_filter(&reader, params, filters, filter);
	return !ctl_refused(request, &reader);
}

static const char *block_state(uint8_t state)
{
	switch (state) {
	case BNG_BLOCK_ALLOCATED:
		return "allocated";
	case BNG_BLOCK_DRAINING:
		return "draining";
	default:
		return "held";
	}
}

static json_t *block_json(const struct maps *maps, const struct bng_port_block *block,
			  const struct bng_pool_address *address)
{
	uint32_t age = maps_tick(maps) - block->changed_tick, port = block->first & 0xffff;
	const struct bng_subscriber *session = &maps->subscriber[block->slot];
	uint64_t now = clock_boottime_ns(), since = (uint64_t)age << BNG_TICK_SHIFT;
	char public[ADDRESS_TEXT], inner[ADDRESS_TEXT], when[CLOCK_TEXT];
	bool owned = session->session_id == block->session_id;

	return json_pack("{s:s, s:i, s:i, s:s, s:I, s:o, s:I, s:s, s:b}", "public",
			 address_format(address->address_be, public), "first", (int)port, "last",
			 (int)(port + (1u << address->block_shift) - 1), "state", block_state(block->state),
			 "session", (json_int_t)block->session_id, "address",
			 owned ? json_string(address_format(session->address_be, inner)) : json_null(),
			 "mappings", (json_int_t)block->used, "since",
			 clock_format(now > since ? now - since : 0, when), "deterministic",
			 block->flags & BNG_BLOCK_DETERMINISTIC);
}

static bool block_matches(const struct maps *maps, const struct cgnat_filter *filter,
			  const struct bng_port_block *block, const struct bng_pool_address *address)
{
	if (filter->public_be && address->address_be != filter->public_be)
		return false;
	return !filter->inner_be || (maps->subscriber[block->slot].address_be == filter->inner_be &&
				     maps->subscriber[block->slot].session_id == block->session_id);
}

void cgnat_handle_blocks(struct rpc_request *request, void *context)
{
	static const char *const filters[] = {"address", "public", NULL};
	const struct maps *maps = ((struct controld *)context)->maps;
	uint32_t high = maps->meta->block_high;
	struct cgnat_filter filter;
	size_t limit, total = 0;
	json_t *list;

	if (!read_params(request, filters, &filter, &limit))
		return;
	list = json_array();
	for (uint32_t i = 0; i < high && i < maps_entries(maps, MAP_port_block); i++) {
		const struct bng_port_block *block = &maps->port_block[i];
		const struct bng_pool_address *address = cgnat_address_of(maps, block);

		if (block->state == BNG_BLOCK_FREE || block->state == BNG_BLOCK_CLAIMED || !address ||
		    block->slot >= maps_entries(maps, MAP_subscriber) ||
		    !block_matches(maps, &filter, block, address))
			continue;
		if (total++ < limit)
			json_array_append_new(list, block_json(maps, block, address));
	}
	rpc_reply(request, json_pack("{s:o, s:I}", "blocks", list, "total", (json_int_t)total), NULL, 0);
}

struct listing {
	json_t *list;
	size_t limit;
	size_t total;
};

static const char *mapping_state(uint8_t state)
{
	static const char *const names[BNG_MAPPING_STATES] = {
		[BNG_MAPPING_NONE] = "none",
		[BNG_MAPPING_UDP] = "udp",
		[BNG_MAPPING_ICMP] = "icmp",
		[BNG_MAPPING_TCP_PARTIAL] = "tcp_partial",
		[BNG_MAPPING_TCP_ESTABLISHED] = "tcp_established",
		[BNG_MAPPING_TCP_CLOSING] = "tcp_closing",
		[BNG_MAPPING_TCP_RESET] = "tcp_reset",
	};

	return state < BNG_MAPPING_STATES && names[state] ? names[state] : "none";
}

static void list_mapping(const struct cgnat_mapping *mapping, void *context)
{
	struct listing *listing = context;
	char inner[ADDRESS_TEXT], public[ADDRESS_TEXT];

	if (mapping->protocol > BNG_PROTOCOL_ICMP || listing->total++ >= listing->limit)
		return; /* tunnels have a list of their own */
	uint8_t pin = mapping->flags & BNG_MAPPING_PINNED;
	json_array_append_new(
		listing->list,
		json_pack("{s:s, s:s, s:i, s:s, s:i, s:s, s:b, s:b, s:I, s:o, s:I}", "protocol",
			  cgnat_protocol_name(mapping->protocol), "inner",
			  address_format(mapping->session->address_be, inner), "inner_port",
			  (int)mapping->inner_port, "public", address_format(mapping->public_be, public),
			  "public_port", (int)mapping->public_port, "state", mapping_state(mapping->state),
			  "forward", !!(pin & BNG_MAPPING_PIN_RPC), "pcp", pin == BNG_MAPPING_PIN_PCP,
			  "idle_s", (json_int_t)tick_seconds(mapping->idle_ticks), "expires_s",
			  pin ? json_null() : json_integer((json_int_t)tick_seconds(mapping->left_ticks)),
			  "session", (json_int_t)mapping->session->session_id));
}

void cgnat_handle_mappings(struct rpc_request *request, void *context)
{
	static const char *const filters[] = {"address", "public", "protocol", NULL};
	struct controld *controld = context;
	struct cgnat_filter filter;
	struct listing listing = {0};

	if (!read_params(request, filters, &filter, &listing.limit))
		return;
	listing.list = json_array();
	cgnat_walk(controld->maps, &filter, list_mapping, &listing);
	rpc_reply(request,
		  json_pack("{s:o, s:I}", "mappings", listing.list, "total", (json_int_t)listing.total), NULL,
		  0);
}

static void list_tunnel(const struct cgnat_tunnel *tunnel, void *context)
{
	char inner[ADDRESS_TEXT], public[ADDRESS_TEXT], remote[ADDRESS_TEXT];
	struct listing *listing = context;

	if (listing->total++ >= listing->limit)
		return;
	json_array_append_new(listing->list,
			      json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "protocol",
					cgnat_protocol_name(tunnel->protocol), "inner",
					address_format(tunnel->session->address_be, inner), "public",
					address_format(tunnel->public_be, public), "remote",
					address_format(tunnel->remote_be, remote), "expires_s",
					(json_int_t)tick_seconds(tunnel->left_ticks), "session",
					(json_int_t)tunnel->session->session_id));
}

void cgnat_handle_tunnels(struct rpc_request *request, void *context)
{
	static const char *const filters[] = {"address", "public", NULL};
	struct controld *controld = context;
	struct cgnat_filter filter;
	struct listing listing = {0};

	if (!read_params(request, filters, &filter, &listing.limit))
		return;
	listing.list = json_array();
	cgnat_walk_tunnels(controld->maps, &filter, list_tunnel, &listing);
	rpc_reply(request,
		  json_pack("{s:o, s:I}", "tunnels", listing.list, "total", (json_int_t)listing.total), NULL,
		  0);
}

void cgnat_handle_digest(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct json_reader reader;
	json_t *digest;

	if (!ctl_params(request, &reader, members))
		return;
	digest = session_digest(context);
	if (digest)
		rpc_reply(request, digest, NULL, 0);
	else
		rpc_fail(request, RPC_INTERNAL, NULL, "making the digest failed: out of memory");
}
