/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What surrounds the DHCP server, small enough to look into: sessions in an
 * array, the last frame sent, and a client that builds requests and reads
 * replies with code of its own.
 */
#ifndef BNG_TEST_DHCP4_DOUBLE_H
#define BNG_TEST_DHCP4_DOUBLE_H

#include "controld/controld.h"
#include "controld/dhcp4/server.h"

#define DOUBLE_SLOTS 64

struct double_world {
	struct controld controld;
	struct config config;
	struct config_dhcp4_pool pool[2];
	struct config_gateway gateway;
	struct dhcp4 *dhcp4;
	uint64_t now_ns;
	struct bng_subscriber record[DOUBLE_SLOTS]; /* index = slot */
	int open_error;                             /* session_open answers with it */
	int send_error;
	uint8_t frame[2048]; /* the last one sent */
	size_t length;       /* 0: none since the last request */
	unsigned frames;
};

extern struct double_world world;

/* A server with one pool, 10.0.0.10-13 on access0 (index 1), three sessions at most. */
void world_init(void);
void world_free(void);
void world_seconds(unsigned seconds);
/* What bng_sweep does: closing sessions become free. */
void world_release(void);
struct bng_subscriber *world_session(const char *address); /* active, or NULL */

struct request {
	enum dhcp4_type type;
	const char *ciaddr, *requested, *server, *giaddr, *destination; /* NULL: 0, absent, broadcast */
	const char *options;                                            /* more, as hex; NULL: none */
	uint16_t flags;
	uint8_t mac;    /* last byte */
	uint8_t chaddr; /* the same in the message, when it shall differ */
	bool untagged;
	bool no_udp_checksum;
	bool unicast_mac;
};

size_t request_build(const struct request *request, uint8_t frame[static 2048]);
/* Serves it on interface 1: the refusal. */
enum dhcp4_refusal ask(const struct request *request);

/* The last reply as text, checksums verified: "none", or
 * "DESTINATION-MAC tags SOURCE:PORT>ADDRESS:PORT xid flags ciaddr yiaddr code=hex ..." */
const char *answer(void);
struct session_client client_of(uint8_t mac);

#endif
