/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which address a client gets: the one it was granted, one of the pool it was granted, or
 * one of the first pool.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/pppoe/pppoe.h"
#include "lib/address.h"
#include "lib/clock.h"

struct candidate {
	struct peer *peer;
	const struct config_pppoe_pool *pool;
};

const struct config_pppoe_pool *place_pool_named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->pppoe.pool_count; i++)
		if (!name || !strcmp(config->pppoe.pools[i].name, name))
			return &config->pppoe.pools[i];
	return NULL;
}

const struct config_pppoe_pool *place_pool_around(const struct config *config, uint32_t address_be)
{
	uint32_t address = ntohl(address_be);

	for (size_t i = 0; i < config->pppoe.pool_count; i++)
		if (address >= config->pppoe.pools[i].prefix.first &&
		    address <= config->pppoe.pools[i].prefix.last)
			return &config->pppoe.pools[i];
	return place_pool_named(config, NULL);
}

static bool is_gateway(const struct config *config, uint32_t address_be)
{
	for (size_t i = 0; i < config->gateway_count; i++)
		if (config->gateways[i].address_be == address_be)
			return true;
	return false;
}

static bool is_usable(const void *context, uint32_t address)
{
	const struct candidate *candidate = context;
	struct pppoe *pppoe = candidate->peer->pppoe;
	uint32_t address_be = htonl(address);

	return !is_gateway(pppoe->config, address_be) &&
	       !peers_have_reserved(pppoe, address_be, candidate->peer) &&
	       session_address_free(pppoe->controld, address_be);
}

static int from_pool(struct peer *peer, const char *name, uint32_t *address_be, char *why, size_t size)
{
	struct pppoe *pppoe = peer->pppoe;
	struct candidate candidate = {peer, place_pool_named(pppoe->config, name)};
	uint32_t address;

	if (!candidate.pool) {
		snprintf(why, size, "there is no pool %s in /pppoe/pools", name ? name : "");
		return -ENOENT;
	}
	if (!address_search(&pppoe->searches[candidate.pool - pppoe->config->pppoe.pools],
			    candidate.pool->first, candidate.pool->last, &peer->client, clock_boottime_ns(),
			    is_usable, &candidate, &address)) {
		snprintf(why, size, "no address is free in pool %s", candidate.pool->name);
		return -ENOSPC;
	}
	*address_be = htonl(address);
	return 0;
}

/* One whose last session is being released is free soon: grant_open waits for it. */
static int as_granted(struct peer *peer, uint32_t address_be, char *why, size_t size)
{
	struct pppoe *pppoe = peer->pppoe;
	char text[ADDRESS_TEXT];
	struct session session;

	address_format(address_be, text);
	if (is_gateway(pppoe->config, address_be))
		snprintf(why, size, "address %s is the gateway's", text);
	else if (peers_have_reserved(pppoe, address_be, peer))
		snprintf(why, size, "address %s is being given to another session", text);
	else if (session_by_address(pppoe->controld, address_be, &session))
		snprintf(why, size, "address %s has session %llu", text,
			 (unsigned long long)session.record->session_id);
	else
		return 0;
	return -EADDRINUSE;
}

bool place_granted(const struct config *config, uint32_t address_be, const struct session_profile *profile,
		   struct ppp_verdict *verdict)
{
	const struct config_pppoe_pool *pool = place_pool_around(config, address_be);

	verdict->address_be = address_be;
	verdict->gateway_be = pool ? pool->gateway_be : 0;
	for (int i = 0; i < 2; i++)
		verdict->dns_be[i] = profile && profile->given & PROFILE_DNS ? profile->dns_be[i]
				     : pool                                  ? pool->dns_be[i]
									     : 0;
	return pool;
}

int place_choose(struct peer *peer, const struct session_profile *profile, struct ppp_verdict *verdict,
		 char *why, size_t size)
{
	uint32_t address_be = profile->address_be;
	int failure;

	if (profile->given & PROFILE_ADDRESS)
		failure = as_granted(peer, address_be, why, size);
	else
		failure = from_pool(peer, profile->given & PROFILE_POOL ? profile->pool : NULL, &address_be,
				    why, size);
	if (failure)
		return failure;
	if (!place_granted(peer->pppoe->config, address_be, profile, verdict)) {
		snprintf(why, size, "there is no pool in /pppoe/pools");
		return -ENOENT;
	}
	peer_reserve(peer, address_be);
	return 0;
}
