/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The PCP server (RFC 6887): what becomes of one request.
 *
 * 1. A lease that was granted is in map `pcp` before the response leaves; nothing else
 *    remembers it.
 * 2. The same request twice is answered twice the same.
 * 3. What belongs to a MAP or PEER with one nonce is changed by no other nonce.
 */
#ifndef BNG_PCP_SERVER_H
#define BNG_PCP_SERVER_H

#include "controld/config/config.h"
#include "controld/pcp/leases.h"
#include "controld/pcp/message.h"

struct controld;

/* One request under way. */
struct pcp_exchange {
	struct controld *controld;
	struct leases *leases;
	const struct config_pcp *policy;
	struct session session;
	struct pcp_request request;
	struct pcp_answer answer;
	uint32_t tick;
	uint32_t lifetime; /* as the policy bounds it */
	uint8_t protocol;  /* enum bng_protocol */
};

/* Carries out what pcp_parse has read: PCP_SUCCESS and exchange->answer; or a result,
 * with the seconds it holds in answer.lifetime; or PCP_DROP. */
enum pcp_result pcp_serve(struct pcp_exchange *exchange);

/* grant.c: the lease of an inner end, made or prolonged (`lifetime` of the exchange) for
 * the part that `peer` says. */
enum pcp_result pcp_grant(struct pcp_exchange *exchange, bool peer);
/* Its end: on request, by nonce. */
enum pcp_result pcp_revoke(struct pcp_exchange *exchange);
enum pcp_result pcp_revoke_all(struct pcp_exchange *exchange);

/* feature.c: tells that a lease has begun. */
void pcp_tell_opened(struct controld *controld, const struct bng_pcp *record);
/* Tells that it is over, and frees its record. */
void pcp_lease_over(struct controld *controld, struct leases *leases, uint32_t index);

#endif
