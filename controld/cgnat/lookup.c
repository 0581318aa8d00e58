/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who has a public port now: what an abuse desk asks first.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "controld/cgnat/cgnat.h"
#include "controld/config/parse.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/maps/fixed.h"
#include "controld/maps/mappings.h"
#include "controld/maps/names.h"
#include "dataplane/abi/mapping_word.h"
#include "lib/address.h"

/* Index of a public address, or -ENOENT. */
static int public_index(const struct maps *maps, uint32_t public_be)
{
	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++)
		if (maps->pool_address[i].address_be && maps->pool_address[i].address_be == public_be)
			return (int)i;
	return -ENOENT;
}

static const char *port_state(const struct bng_port_block *block, bool mapped)
{
	if (mapped)
		return "mapped";
	if (block->state == BNG_BLOCK_ALLOCATED || block->state == BNG_BLOCK_DRAINING)
		return "allocated";
	return block->state == BNG_BLOCK_HELD ? "held" : "free";
}

/* Whose port it is by the pool's rule, whether it is in use or not; NULL: nobody's. */
static const char *rule_owner(const struct controld *controld, const struct bng_pool_address *address,
			      uint16_t port, char text[static ADDRESS_TEXT])
{
	const struct deterministic *rule = fixed_rule(controld, address->pool);
	uint32_t owner;

	return rule && deterministic_owner_of(rule, ntohl(address->address_be), port, &owner)
		       ? address_format(htonl(owner), text)
		       : NULL;
}

static json_t *lookup_json(const struct controld *controld, uint32_t port)
{
	const struct maps *maps = controld->maps;
	const struct bng_pool_address *address = &maps->pool_address[port >> 16];
	const struct bng_port_block *block =
		&maps->port_block[address->first_block + ((port & 0xffff) >> address->block_shift)];
	const struct bng_subscriber *owner = &maps->subscriber[block->slot];
	uint64_t word = __atomic_load_n((const uint64_t *)&maps->mapping[port / BNG_PORTS_PER_BUCKET]
						.entry[port % BNG_PORTS_PER_BUCKET],
					__ATOMIC_RELAXED);
	bool used = block->state != BNG_BLOCK_FREE && block->state != BNG_BLOCK_CLAIMED;
	bool owned = used && owner->state != BNG_SUBSCRIBER_FREE && owner->session_id == block->session_id;
	bool mapped =
		owned && block->state != BNG_BLOCK_HELD &&
		!bng_mapping_word_free(word, maps->pool[address->pool % BNG_POOLS].timeout, maps_tick(maps));
	char public[ADDRESS_TEXT], inner[ADDRESS_TEXT], mac[MAC_TEXT], rule[ADDRESS_TEXT];

	return json_pack("{s:s, s:i, s:s, s:s, s:o, s:s?, s:s?, s:s?, s:o, s:b, s:s?}", "public",
			 address_format(address->address_be, public), "port", (int)(port & 0xffff), "pool",
			 names_pool(controld, address->pool), "state", port_state(block, mapped), "session",
			 used ? json_integer((json_int_t)block->session_id) : json_null(), "address",
			 owned ? address_format(owner->address_be, inner) : NULL, "mac",
			 owned ? mac_format(owner->mac, mac) : NULL, "protocol",
			 mapped ? cgnat_protocol_name(bng_mapping_word_protocol(word)) : NULL, "inner_port",
			 mapped && bng_mapping_word_protocol(word) <= BNG_PROTOCOL_ICMP
				 ? json_integer(ntohs((uint16_t)word))
				 : json_null(),
			 "forward", mapped && bng_mapping_word_flags(word) & BNG_MAPPING_PIN_RPC,
			 "deterministic", rule_owner(controld, address, (uint16_t)port, rule));
}

void cgnat_handle_lookup(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"public", "port", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members);
	char text[ADDRESS_TEXT];
	uint32_t public_be, port;
	int index;

	if (!params)
		return;
	public_be = config_address(&reader, params, "public");
	port = (uint32_t)json_read_integer(&reader, params, "port", 0, 65535);
	if (ctl_refused(request, &reader))
		return;
	index = public_index(controld->maps, public_be);
	if (index < 0)
		rpc_fail(request, RPC_NOT_FOUND, NULL,
			 "%s is no public address of a pool (bngcli cgnat pools lists them)",
			 address_format(public_be, text));
	else
		rpc_reply(request, lookup_json(controld, (uint32_t)index << 16 | port), NULL, 0);
}
