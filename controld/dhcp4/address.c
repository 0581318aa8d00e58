/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which address a client gets: the one it was granted, had or wants, or one that a search
 * finds (controld/session/address.h).
 */
#include "server.h"

#include <arpa/inet.h>
#include <string.h>

#include "controld/maps/names.h"

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

const struct config_dhcp4_pool *dhcp4_pool_named(const struct dhcp4_exchange *exchange, const char *name)
{
	const struct config *config = exchange->dhcp4->config;

	for (size_t i = 0; i < config->dhcp4_pool_count; i++)
		if (!strcmp(config->dhcp4_pools[i].name, name) &&
		    pool_serves(&config->dhcp4_pools[i], exchange->interface_name))
			return &config->dhcp4_pools[i];
	return NULL;
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

struct candidate {
	const struct dhcp4_exchange *exchange;
	const struct config_dhcp4_pool *pool;
};

static bool may_be_given(const void *context, uint32_t address)
{
	const struct candidate *candidate = context;

	return is_usable(candidate->exchange, candidate->pool, address) &&
	       is_free(candidate->exchange, htonl(address));
}

static bool choose_in(const struct dhcp4_exchange *exchange, const struct config_dhcp4_pool *pool,
		      uint32_t *address)
{
	struct dhcp4 *dhcp4 = exchange->dhcp4;
	struct candidate candidate = {exchange, pool};

	return address_search(&dhcp4->searches[pool - dhcp4->config->dhcp4_pools], pool->first, pool->last,
			      &exchange->client, exchange->now_ns, may_be_given, &candidate, address);
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
