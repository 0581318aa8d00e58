/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a request may ask for, see the header; the leases themselves are in grant.c.
 */
#include "controld/pcp/server.h"

#include <netinet/in.h>

#include "controld/controld.h"

static uint8_t protocol_of(uint8_t number)
{
	switch (number) {
	case IPPROTO_UDP:
		return BNG_PROTOCOL_UDP;
	case IPPROTO_TCP:
		return BNG_PROTOCOL_TCP;
	default:
		return BNG_PROTOCOL_NONE;
	}
}

/* PCP's own ports are nobody's to open. */
static bool is_allowed(const struct pcp_exchange *exchange)
{
	uint16_t port = exchange->request.inner_port;

	return port >= exchange->policy->min_port && (exchange->protocol != BNG_PROTOCOL_UDP ||
						      (port != PCP_SERVER_PORT && port != PCP_CLIENT_PORT));
}

static enum pcp_result serve_map(struct pcp_exchange *exchange)
{
	const struct pcp_request *request = &exchange->request;

	/* All ports of a protocol, or of all: only to end what there is (section 15.1). */
	if (!request->inner_port)
		return request->lifetime ? PCP_UNSUPP_PROTOCOL : pcp_revoke_all(exchange);
	if (!exchange->protocol)
		return PCP_UNSUPP_PROTOCOL;
	if (!request->lifetime)
		return pcp_revoke(exchange);
	return is_allowed(exchange) ? pcp_grant(exchange, false) : PCP_NOT_AUTHORIZED;
}

/* A mapping that lasts is open to everybody, which a pool that filters does not want
 * for a mapping that is to reach one peer. */
static enum pcp_result serve_peer(struct pcp_exchange *exchange)
{
	const struct bng_pool *pool = &exchange->controld->maps->pool[exchange->session.record->pool];

	if (!exchange->protocol)
		return PCP_UNSUPP_PROTOCOL;
	if (!is_allowed(exchange) || pool->flags & (BNG_POOL_FILTER_ADDRESS | BNG_POOL_FILTER_PORT))
		return PCP_NOT_AUTHORIZED;
	return pcp_grant(exchange, true);
}

enum pcp_result pcp_serve(struct pcp_exchange *exchange)
{
	enum pcp_result result = PCP_SUCCESS;
	uint32_t lifetime = exchange->request.lifetime;

	exchange->protocol = protocol_of(exchange->request.protocol);
	if (lifetime && lifetime < exchange->policy->min_lifetime_s)
		lifetime = exchange->policy->min_lifetime_s;
	if (lifetime > exchange->policy->max_lifetime_s)
		lifetime = exchange->policy->max_lifetime_s;
	exchange->lifetime = lifetime;
	exchange->answer = (struct pcp_answer){0};
	if (exchange->request.opcode == PCP_MAP)
		result = serve_map(exchange);
	else if (exchange->request.opcode == PCP_PEER)
		result = serve_peer(exchange);
	if (result != PCP_SUCCESS && !exchange->answer.lifetime)
		exchange->answer.lifetime = pcp_error_seconds(result);
	return result;
}
