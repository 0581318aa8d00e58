/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What surrounds PPPoE, small enough to look into: sessions in an array, who is asked,
 * frames that were sent, a clock that stands still, and a client that knows its lines.
 */
#ifndef BNG_TEST_PPPOE_DOUBLE_H
#define BNG_TEST_PPPOE_DOUBLE_H

#include "controld/controld.h"
#include "controld/pppoe/pppoe.h"
#include "controld/session/detail.h"

#define DOUBLE_SLOTS  64
#define DOUBLE_FRAMES 32

struct double_frame {
	size_t length;
	uint8_t bytes[2048];
};

/* A session that waits to become durable. */
struct double_opening {
	bool is_waiting;
	struct session_spec spec;
	struct session_detail *detail;
	session_opened *opened;
	void *context;
};

struct double_world {
	struct controld controld;
	struct config config;
	struct config_pppoe_pool pool[2];
	struct config_gateway gateway;
	struct pppoe *pppoe;
	int kept; /* the memory that the holder would keep */
	uint64_t now_ns;
	uint64_t next_id;
	struct bng_subscriber record[DOUBLE_SLOTS]; /* index = slot */
	struct session_detail *detail[DOUBLE_SLOTS];
	struct double_opening opening;
	int open_error;
	enum session_end end; /* of the last session that was closed */
	unsigned closed;
	/* The last question. */
	unsigned asked;
	int ask_error;
	struct authorise_ticket ticket;
	struct authorise_question question;
	char user[256];
	char password[256];
	/* What was sent since the last look. */
	struct double_frame frame[DOUBLE_FRAMES];
	unsigned frames;
};

extern struct double_world world;

/* Served on access0 (index 1): pool "dsl", 10.64.0.10-13, gateway 10.64.0.1. */
void world_init(void);
void world_free(void);
/* SIGKILL and start: everything but the kept memory and the sessions is forgotten. */
void world_restart(void);
/* Time passes, timers fire. */
void world_seconds(double seconds);
/* What bng_sweep does: closing sessions become free. */
void world_release(void);
/* The session that waits is durable: it comes up. */
void world_durable(void);
/* What session_close does to an open one. */
void world_close(uint32_t slot, enum session_end end);
/* The answer to the last question; a profile with `pool` or `address` or neither. */
void world_grant(const char *address, const char *pool);
void world_deny(const char *message);

/* ---- A client ---- */

struct double_client {
	uint8_t mac;        /* last byte */
	uint16_t outer_vid; /* 0: untagged */
	uint16_t inner_vid;
	uint16_t session;
	uint8_t cookie[64];
	uint8_t cookie_length;
	const char *circuit; /* NULL: the access node says nothing */
};

/* Frames from the client: the refusal. `tags` are added, as hexadecimal digits. */
enum pppoe_refusal client_padi(struct double_client *client, const char *tags);
enum pppoe_refusal client_padr(struct double_client *client, const char *tags);
enum pppoe_refusal client_padt(struct double_client *client);
/* `hex`: protocol and packet. */
enum pppoe_refusal client_ppp(struct double_client *client, const char *hex);
/* PADI to PADS; true with a session. */
bool client_discover(struct double_client *client);
/* The last Configure-Request like this, acknowledged as it is. */
void client_acknowledge(struct double_client *client, const char *what);
void client_say_name(struct double_client *client);
/* LCP is negotiated, the client's name is said (PAP). */
void client_authenticate(struct double_client *client);
/* IPCP until our Configure-Ack is due; its address as the server told it. */
void client_network(struct double_client *client);
/* All of it. The slot of the session, 0: none. */
uint32_t client_up(struct double_client *client);

/* The last frame sent that begins (behind Ethernet and tags) with these bytes; NULL: none.
 * `hex` ".." is any byte. */
const uint8_t *sent(const char *hex);
/* The value of a discovery tag in what `sent` found; NULL: it is not there. */
const uint8_t *sent_tag(const uint8_t *packet, uint16_t tag, uint16_t *length);
void forget_sent(void);

#endif
