/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The client's side of a PPP link as a script of bytes: what it says, what it must hear.
 *
 * Chance is not: the n-th draw is the byte 0x11 * n, repeated. Between any two calls the
 * link is found by "another process": its bytes move to other memory.
 */
#ifndef BNG_TEST_UNIT_PPP_CLIENT_H
#define BNG_TEST_UNIT_PPP_CLIENT_H

#include <check.h>

#include "controld/pppoe/ppp_run.h"

#define CLIENT_FRAMES 64

struct client {
	struct ppp *ppp;
	struct ppp_out out;
	unsigned draws;
	struct {
		size_t length;
		uint8_t bytes[PPP_FRAME_MAX];
	} frames[CLIENT_FRAMES];
	unsigned sent, heard;
	/* What was called, how often, with what. */
	unsigned asked, up, down, ended;
	char user[PPP_USER_MAX + 1];
	enum credential kind;
	uint8_t id;
	uint8_t challenge[64], response[256];
	size_t challenge_length, response_length;
	enum session_end cause;
	char text[64];
	char traced[4096];
};

#define ADDRESS "0a000007" /* 10.0.0.7, which it is granted */
#define GATEWAY "0a000001"
#define DNS_1   "08080808"
#define DNS_2   "01010101"

struct client *client_new(const struct ppp_params *params);
void client_free(struct client *client);

/* Hexadecimal text with blanks; its length. */
size_t client_hex(const char *text, uint8_t *bytes);
/* It sends a packet; `data` is what follows the header. */
void client_says(struct client *client, uint16_t protocol, uint8_t code, uint8_t id, const char *data);
void client_says_raw(struct client *client, const char *frame);
/* The next frame that it got is exactly this. */
void client_hears(struct client *client, uint16_t protocol, uint8_t code, uint8_t id, const char *data);
/* It got nothing more. */
void client_hears_nothing(struct client *client);
/* The time moves to the next deadline, which is `ms` away, and the timer is called. */
void client_waits(struct client *client, uint64_t ms);
void client_granted(struct client *client, const char *mschap2);
void client_denied(struct client *client, const char *message, const char *mschap2, enum session_end cause);
void client_ready(struct client *client);
void client_closed(struct client *client, enum session_end cause, const char *why);

/* From the first packet to where the name says; everything on the way is checked. */
void client_to_lcp(struct client *client); /* authenticates by PAP */
void client_to_asked(struct client *client);
void client_to_network(struct client *client);
void client_to_prepare(struct client *client);
void client_to_open(struct client *client);

static const struct ppp_params client_pap = {.auth = {CREDENTIAL_PAP}, .name = "bng"};

#endif
