/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The feature's state: nothing but indexes and a timer.
 */
#ifndef BNG_PCP_PCP_H
#define BNG_PCP_PCP_H

#include "controld/pcp/server.h"
#include "lib/rpc.h"

struct pcp {
	struct leases *leases; /* NULL: the running object knows no PCP */
	struct event *timer;
	bool is_full;      /* and said so */
	uint32_t *waiting; /* slots to be told, announce.c */
	uint32_t waiting_count;
	uint32_t waiting_room;
};

/* feature.c */
struct bng_pcp_counts *pcp_counts(const struct controld *controld);
uint32_t pcp_epoch(const struct bng_subscriber *session);
/* Of the session's pool; NULL: there is no server for it. */
const struct config_pcp *pcp_policy(const struct controld *controld, const struct bng_subscriber *session);
/* announce.c */
void pcp_announce_later(struct pcp *pcp, uint32_t slot);
void pcp_announce_waiting(struct controld *controld);

extern const struct rpc_method pcp_methods[]; /* list.c */

#endif
