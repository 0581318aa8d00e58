/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which address a client gets.
 *
 * A search starts where a hash of the client says, the same after a restart, so
 * that a client without a record mostly gets its old address again. When that
 * neighbourhood is full, it goes on at the pool's cursor, which moves along.
 */
#include "server.h"

#include <arpa/inet.h>
#include <string.h>

#include "controld/maps/names.h"

#define NEAR_HASH 64 /* addresses tried from the hash on */

static bool pool_serves(const struct config_dhcp4_pool *pool, const char *interface)
{
	for (size_t i = 0; i < pool->interface_count; i++)
		if (strcmp(pool->interfaces[i], interface) == 0)
			return true;
	return false;
}

static bool pool_leases(const struct config_dhcp4_pool *pool, uint32_t address)
{
	return address >= pool->first && address <= pool->last;
}

static bool pool_surrounds(const struct config_dhcp4_pool *pool, uint32_t address)
{
	return address >= pool->prefix.first && address <= pool->prefix.last;
}

static bool pool_any(const struct config_dhcp4_pool *pool, uint32_t address)
{
	(void)pool;
	(void)address;
	return true;
}

static bool pool_routed_by(const struct config_dhcp4_pool *pool, uint32_t address)
{
	return ntohl(pool->router_be) == address;
}

static const struct config_dhcp4_pool *pool_find(const struct dhcp4_exchange *exchange, uint32_t address_be,
						 bool (*matches)(const struct config_dhcp4_pool *, uint32_t))
{
	const struct config *config = exchange->dhcp4->config;

	for (size_t i = 0; i < config->dhcp4_pool_count; i++) {
		const struct config_dhcp4_pool *pool = &config->dhcp4_pools[i];
		if (pool_serves(pool, exchange->interface_name) && matches(pool, ntohl(address_be)))
			return pool;
	}
	return NULL;
}

const struct config_dhcp4_pool *dhcp4_pool_around(const struct dhcp4_exchange *exchange, uint32_t address_be)
{
	return pool_find(exchange, address_be, pool_surrounds);
}

const struct config_dhcp4_pool *dhcp4_pool_leasing(const struct dhcp4_exchange *exchange, uint32_t address_be)
{
	return pool_find(exchange, address_be, pool_leases);
}

const struct config_dhcp4_pool *dhcp4_pool_granting(const struct dhcp4_exchange *exchange,
						    uint32_t address_be)
{
	const struct session_profile *profile = dhcp4_profile(exchange);
	uint32_t given = profile ? profile->given : 0;

	if (given & PROFILE_ADDRESS)
		return profile->address_be == address_be ? dhcp4_pool_around(exchange, address_be) : NULL;
	const struct config_dhcp4_pool *pool = dhcp4_pool_leasing(exchange, address_be);
	return pool && given & PROFILE_POOL && strcmp(pool->name, profile->pool) != 0 ? NULL : pool;
}

const struct config_dhcp4_pool *dhcp4_pool_first(const struct dhcp4_exchange *exchange)
{
	return pool_find(exchange, 0, pool_any);
}

bool dhcp4_is_router(const struct dhcp4_exchange *exchange, uint32_t address_be)
{
	return pool_find(exchange, address_be, pool_routed_by) != NULL;
}

/* A declined address belongs to nobody; the table wants one client for each. */
static struct session_client nobody_at(uint32_t address_be)
{
	struct session_client client = {0};

	memcpy(client.mac, &address_be, sizeof(address_be));
	return client;
}

void dhcp4_quarantine(struct dhcp4 *dhcp4, uint32_t address_be, uint64_t now_ns)
{
	struct session_client nobody = nobody_at(address_be);

	reservation_add(dhcp4->declined, &nobody, address_be, now_ns);
}

bool dhcp4_quarantine_restore(struct dhcp4 *dhcp4, uint32_t address_be, uint64_t until_ns, uint64_t now_ns)
{
	struct session_client nobody = nobody_at(address_be);

	return reservation_restore(dhcp4->declined, &nobody, address_be, until_ns, now_ns);
}

bool dhcp4_is_quarantined(const struct dhcp4 *dhcp4, uint32_t address_be, uint64_t now_ns)
{
	return reservation_of_address(dhcp4->declined, address_be, now_ns) != NULL;
}

static bool is_gateway(const struct config *config, uint32_t address_be)
{
	for (size_t i = 0; i < config->gateway_count; i++)
		if (config->gateways[i].address_be == address_be)
			return true;
	return false;
}

static bool is_usable(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool,
		      uint32_t address)
{
	uint32_t address_be = htonl(address);
	bool has_ends = pool->prefix.length < 31;

	if (has_ends && (address == pool->prefix.first || address == pool->prefix.last))
		return false;
	return address_be != pool->router_be && !is_gateway(exchange->dhcp4->config, address_be);
}

static bool is_free(const struct dhcp4_exchange *exchange, uint32_t address_be)
{
	const struct reservation *offer =
		reservation_of_address(exchange->dhcp4->offers, address_be, exchange->now_ns);

	if (offer && memcmp(&offer->client, &exchange->client, sizeof(offer->client)) != 0)
		return false;
	return !dhcp4_is_quarantined(exchange->dhcp4, address_be, exchange->now_ns) &&
	       session_address_free(exchange->dhcp4->controld, address_be);
}

bool dhcp4_address_available(const struct dhcp4_exchange *exchange, uint32_t address_be)
{
	const struct config_dhcp4_pool *pool = dhcp4_pool_granting(exchange, address_be);

	return pool && is_usable(exchange, pool, ntohl(address_be)) && is_free(exchange, address_be);
}

/* FNV-1a: must not change between versions, or clients change their addresses. */
static uint32_t client_hash(const struct dhcp4_exchange *exchange)
{
	const struct session_client *client = &exchange->client;
	uint8_t bytes[10] = {(uint8_t)(client->outer_vid >> 8), (uint8_t)client->outer_vid,
			     (uint8_t)(client->inner_vid >> 8), (uint8_t)client->inner_vid};
	uint32_t hash = 2166136261u;

	memcpy(bytes + 4, client->mac, sizeof(client->mac));
	for (size_t i = 0; i < sizeof(bytes); i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash;
}

static bool search(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool,
		   uint64_t offset, uint64_t count, uint32_t *address)
{
	uint64_t size = (uint64_t)pool->last - pool->first + 1;

	for (uint64_t i = 0; i < count && i < size; i++) {
		*address = pool->first + (uint32_t)((offset + i) % size);
		if (is_usable(exchange, pool, *address) && is_free(exchange, htonl(*address)))
			return true;
	}
	return false;
}

static bool choose_in(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool,
		      uint32_t *address)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	struct dhcp4_pool_state *state = &dhcp4->pools[pool - dhcp4->config->dhcp4_pools];
	uint64_t size = (uint64_t)pool->last - pool->first + 1;

	if (state->exhausted_until_ns > exchange->now_ns)
		return false;
	if (search(exchange, pool, client_hash(exchange) % size, NEAR_HASH, address))
		return true;
	if (search(exchange, pool, state->cursor, size, address)) {
		state->cursor = *address - pool->first + 1;
		return true;
	}
	state->exhausted_until_ns = exchange->now_ns + DHCP4_EXHAUSTED_SECONDS * 1000000000ULL;
	return false;
}

bool dhcp4_has_room(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool)
{
	uint16_t interface = exchange->client.interface;

	return session_count_interface(exchange->dhcp4->controld, interface) +
		       setups_opening(exchange->dhcp4->setups, interface) <
	       pool->max_sessions_per_interface;
}

/* An address the client had or wants, if its pool has room for it. */
static bool wanted(const struct dhcp4_exchange *exchange, uint32_t address_be)
{
	return address_be && dhcp4_address_available(exchange, address_be) &&
	       dhcp4_has_room(exchange, dhcp4_pool_granting(exchange, address_be));
}

/* The address that was granted, or why it cannot be had. */
static enum dhcp4_refusal take_granted(const struct dhcp4_exchange *exchange, uint32_t address_be)
{
	const struct config_dhcp4_pool *pool = dhcp4_pool_granting(exchange, address_be);

	if (!pool)
		return DHCP4_REFUSED_GRANT;
	if (!dhcp4_has_room(exchange, pool))
		return DHCP4_REFUSED_INTERFACE_LIMIT;
	return dhcp4_address_available(exchange, address_be) ? DHCP4_ACCEPTED : DHCP4_REFUSED_ADDRESS_TAKEN;
}

/* One that is free in a pool of the interface, or in the pool `named`. */
static enum dhcp4_refusal take_free(const struct dhcp4_exchange *exchange, const char *named,
				    uint32_t *address_be)
{
	const struct config *config = exchange->dhcp4->config;
	enum dhcp4_refusal why = named ? DHCP4_REFUSED_GRANT : DHCP4_REFUSED_INTERFACE_LIMIT;
	uint32_t address;

	for (size_t i = 0; i < config->dhcp4_pool_count; i++) {
		const struct config_dhcp4_pool *pool = &config->dhcp4_pools[i];

		if (!pool_serves(pool, exchange->interface_name) || (named && strcmp(pool->name, named) != 0))
			continue;
		if (!dhcp4_has_room(exchange, pool)) {
			why = why == DHCP4_REFUSED_EXHAUSTED ? why : DHCP4_REFUSED_INTERFACE_LIMIT;
			continue;
		}
		why = DHCP4_REFUSED_EXHAUSTED;
		if (choose_in(exchange, pool, &address)) {
			*address_be = htonl(address);
			return DHCP4_ACCEPTED;
		}
	}
	return why;
}

enum dhcp4_refusal dhcp4_address_choose(struct dhcp4_exchange *exchange, uint32_t *address_be)
{
	const struct session_profile *profile = dhcp4_profile(exchange);
	const struct reservation *before =
		reservation_of_client(exchange->dhcp4->previous, &exchange->client, exchange->now_ns);
	uint32_t given = profile ? profile->given : 0;

	if (given & PROFILE_ADDRESS) {
		*address_be = profile->address_be;
		return take_granted(exchange, *address_be);
	}
	*address_be = before ? before->address_be : 0;
	if (wanted(exchange, *address_be))
		return DHCP4_ACCEPTED;
	*address_be = exchange->packet.message.requested_be;
	if (wanted(exchange, *address_be))
		return DHCP4_ACCEPTED;
	return take_free(exchange, given & PROFILE_POOL ? profile->pool : NULL, address_be);
}
