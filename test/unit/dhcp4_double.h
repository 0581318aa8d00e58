/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What surrounds the DHCP server, small enough to look into: sessions in an
 * array, who authorises and the bus as far as a test says what they do, the last frame
 * sent, and a client that builds requests and reads replies with code of its own.
 */
#ifndef BNG_TEST_DHCP4_DOUBLE_H
#define BNG_TEST_DHCP4_DOUBLE_H

#include "controld/controld.h"
#include "controld/dhcp4/server.h"
#include "controld/session/detail.h"

#define DOUBLE_SLOTS 64

struct double_world {
	struct controld controld;
	struct config config;
	struct config_dhcp4_pool pool[2];
	struct config_gateway gateway;
	struct dhcp4 *dhcp4;
	uint64_t now_ns;
	struct bng_subscriber record[DOUBLE_SLOTS];  /* index = slot */
	struct session_detail *detail[DOUBLE_SLOTS]; /* NULL: nothing is known of it */
	int open_error;                              /* session_open_durable answers with it */
	int opened_error;                            /* ... and this is how it went */
	bool bus_is_slow;                            /* sessions come up by world_durable() only */
	uint32_t opening;                            /* slot of the session that is on its way; 0: none */
	struct session_spec spec;                    /* of the last session that was opened */
	session_opened *opened;
	void *opened_context;
	uint64_t next_id;
	int ask_error; /* what authorise_ask returns; -ENOTSUP: nobody is asked */
	unsigned asked;
	struct authorise_question question; /* the last one, without its line */
	char circuit[64], remote[64];       /* of it, as text */
	struct authorise_ticket ticket;
	authorise_handler *handler; /* whose answers it gets */
	char event[256];            /* the last session_event */
	char told[512];             /* what session_tell was told since the last request, "a; b" */
	int send_error;
	uint8_t frame[2048]; /* the last one sent */
	size_t length;       /* 0: none since the last request */
	unsigned frames;
	uint8_t relayed[1500]; /* the last one that went to another server */
	size_t relayed_length;
	uint32_t relayed_to_be;
	unsigned relays;
};

extern struct double_world world;

/* A server with one pool, 10.0.0.10-13 on access0 (index 1), three sessions at most. */
void world_init(void);
void world_free(void);
void world_seconds(unsigned seconds);
/* What bng_sweep does: closing sessions become free. */
void world_release(void);
struct bng_subscriber *world_session(const char *address); /* active, or NULL */

/* What was opened becomes durable. */
void world_durable(void);
/* The last question is answered; `profile` as authorise_answer has it, NULL: empty. */
void world_answer(enum authorise_outcome outcome, const struct session_profile *profile);
/* A server that knows only what is in the maps and on the bus. */
void world_restart(void);

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

/* An option of a DHCP message; NULL: it is not there. */
const uint8_t *message_option(const uint8_t *message, size_t length, uint8_t code);
#define OTHER_SERVER "192.0.2.67"
/* What another server makes of the last message that was relayed; `lease_s` 0: none. */
size_t server_reply(enum dhcp4_type type, const char *address, uint32_t lease_s, const char *server,
		    uint8_t out[static 1024]);
/* The same, come back from OTHER_SERVER. */
enum dhcp4_refusal server_says(enum dhcp4_type type, const char *address, uint32_t lease_s);

size_t request_build(const struct request *request, uint8_t frame[static 2048]);
/* Serves it on interface 1: the refusal, also of what came of it at once. */
enum dhcp4_refusal serve(const uint8_t *frame, size_t length);
enum dhcp4_refusal ask(const struct request *request);

/* The last reply as text, checksums verified: "none", or
 * "DESTINATION-MAC tags SOURCE:PORT>ADDRESS:PORT xid flags ciaddr yiaddr code=hex ..." */
const char *answer(void);
struct session_client client_of(uint8_t mac);

#endif
