/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What surrounds the PCP server, small enough to look into: maps in plain memory, two
 * sessions, a data plane that gives out ports of one block, and a client that builds
 * requests with code of its own.
 */
#ifndef BNG_TEST_PCP_DOUBLE_H
#define BNG_TEST_PCP_DOUBLE_H

#include "controld/controld.h"
#include "controld/pcp/server.h"

#define PCP_SLOTS   4
#define PCP_RECORDS 8
#define PCP_BLOCK   2048 /* first port of alice's block, 64 ports */

struct pcp_world {
	struct controld controld;
	struct maps maps;
	struct bng_meta meta;
	struct bng_subscriber subscriber[PCP_SLOTS];
	struct bng_pool pool[BNG_POOLS];
	struct bng_pool_address address[2];
	struct bng_mapping_bucket mapping[2 * 8192];
	struct bng_pcp pcp[PCP_RECORDS];
	struct leases *leases;
	struct config_pcp policy;
	uint32_t tick;
	uint32_t verdict;  /* what the data plane says to the next lease; 0: does it */
	unsigned refusals; /* how often it says so */
	bool is_silent;    /* it does not answer at all */
	bool is_deaf;      /* punt_lease fails */
	unsigned asked;    /* leases asked for */
	unsigned opened, closed;
};

extern struct pcp_world pcp_world;

void pcp_world_init(void);
void pcp_world_free(void);
/* What a restart does. */
void pcp_world_restart(void);
void pcp_world_seconds(uint32_t seconds);
/* What bng_sweep does, and controld's timer after it. */
void pcp_world_sweep(void);

struct pcp_wanted {
	uint8_t opcode;  /* 0: MAP */
	uint8_t version; /* 0: 2 */
	bool announce;
	uint32_t lifetime;
	uint8_t nonce;    /* each byte of it */
	uint8_t protocol; /* 0: UDP; 255: 0 */
	uint16_t inner_port;
	uint16_t public_port;
	const char *address, *peer, *client; /* NULL: 0.0.0.0, 192.0.2.1, the session's */
	uint16_t peer_port;                  /* 0: 53; 65535: 0 */
	const char *options;                 /* as hex */
};

size_t pcp_message(const struct pcp_wanted *wanted, uint8_t message[static 2048]);
/* Serves it for the session in `slot`: the result, exchange.answer in *answer. */
enum pcp_result pcp_ask(uint32_t slot, const struct pcp_wanted *wanted, struct pcp_answer *answer);
/* The same for any bytes; the response is built, too: its length. */
size_t pcp_ask_raw(uint32_t slot, const uint8_t *data, size_t length, uint8_t *response,
		   enum pcp_result *result);

/* The mapping's word at a port, 0: free. */
uint64_t pcp_word(uint32_t port);
void pcp_set_word(uint32_t port, uint64_t word);

#endif
