/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * controld/radius and controld/aaa in one process with a RADIUS server on the loopback,
 * which keeps the last request and answers as the test wants.
 */
#ifndef BNG_TEST_AAA_FIXTURE_H
#define BNG_TEST_AAA_FIXTURE_H

#include "controld/aaa/aaa.h"
#include "controld/controld.h"
#include "controld/radius/packet.h"
#include "controld/session/authorise.h"

struct server_reply {
	uint8_t code; /* 0: silence */
	uint8_t attributes[1024];
	size_t length;
};

struct world {
	struct controld controld;
	struct config *config;
	struct server_reply reply;
	unsigned heard; /* requests */
	uint8_t request[RADIUS_PACKET_MAX];
	size_t request_length;
	/* The last answer that a handler was given, and how many there were. */
	unsigned answers;
	enum authorise_outcome outcome;
	struct session_profile profile; /* taken */
	char source[64];
	char message[256];
	char success[64];
	char error[64];
	struct authorise_ticket ticket;
};

extern struct world world;

void world_start(void);
void world_stop(void);
/* A configuration with this /aaa. */
void world_configure(const char *aaa);

/* What the server adds to its replies from now on. */
void reply_with(uint8_t code);
void reply_add(uint32_t vendor, uint8_t type, const void *value, size_t length);
void reply_add_text(uint32_t vendor, uint8_t type, const char *text);
void reply_add_number(uint32_t vendor, uint8_t type, uint32_t number);

/* The last request's attribute: its length, or -1. */
int heard_attribute(uint32_t vendor, uint8_t type, uint8_t value[static RADIUS_VALUE_MAX]);
/* As text; "(none)". */
const char *heard_text(uint32_t vendor, uint8_t type);
uint32_t heard_number(uint32_t vendor, uint8_t type);
/* User-Password, taken out of its mask. */
const char *heard_password(void);

/* Until so many answers have come. */
void run_until(unsigned answers);

struct authorise_question line_question(void);
/* With a ticket whose context begins with `mark`. */
int ask(const struct authorise_question *question, uint8_t mark);
struct aaa_counts counts(void);

#endif
