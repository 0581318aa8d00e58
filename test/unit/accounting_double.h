/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The world around accounting, in which controld can be killed: the bus, the RADIUS client
 * with a server behind it, the holder, and sessions. What outlives a controld lies in
 * `world`; what a controld remembers is gone when it is killed, at any call that it makes.
 */
#ifndef BNG_TEST_ACCOUNTING_DOUBLE_H
#define BNG_TEST_ACCOUNTING_DOUBLE_H

#include <setjmp.h>

#include "controld/accounting/accounting.h"
#include "controld/controld.h"
#include "controld/feature.h"
#include "controld/radius/radius.h"

#define WORLD_SESSIONS 24
#define WORLD_OPS      512
#define WORLD_TICKETS  ACCOUNTING_WINDOW
#define WORLD_TOLD     1024

enum world_topic { TOPIC_ACCOUNTING, TOPIC_SESSION, WORLD_TOPICS };

/* Asked by a controld, and not acknowledged yet. */
struct world_op {
	char key[RECORD_KEY_TEXT];
	json_t *value; /* NULL: delete */
	sync_acknowledged *done;
	void *context;
	bool is_durable;
};

struct world_ticket {
	struct radius_ticket ticket;
	bool is_used;
	bool is_received; /* by the server */
};

struct world_session {
	uint64_t id;
	bool is_active;              /* in the map */
	unsigned life;               /* in which it was opened */
	struct session_detail *live; /* of this life; NULL: nothing is known of it */
};

struct world {
	/* What outlives controld. */
	json_t *kept[WORLD_TOPICS]; /* on the bus: key -> value */
	int ledger;                 /* at the holder; -1: none */
	struct world_ticket tickets[WORLD_TICKETS];
	struct world_session sessions[WORLD_SESSIONS]; /* by slot; 0 is none */
	struct bng_subscriber records[WORLD_SESSIONS];
	struct record_key told[WORLD_TOLD]; /* to the server, in order */
	unsigned told_count;
	bool is_bus_up;
	uint64_t room; /* of the bus's disk */
	/* Of this controld. */
	struct controld controld;
	struct config config;
	struct world_op ops[WORLD_TOPICS][WORLD_OPS];
	unsigned op_count[WORLD_TOPICS];
	json_t *written[WORLD_TOPICS]; /* keys; NULL: what the bus kept was delivered */
	radius_handler *handler;
	unsigned life;
	/* When it is killed. */
	uint64_t random;
	unsigned calls, kill_at; /* 0: never */
	jmp_buf killed;
};

extern const struct bng_feature accounting_feature;
extern struct world world;

/* Empty, with so much room on the bus's disk; no controld runs. */
void world_new(uint64_t seed, uint64_t room);
uint32_t world_random(uint32_t below);
/* It may be killed here. */
void world_call(void);

/* A controld starts: it has what the world kept, from the bus too if that is there. */
void world_start(void);
/* It ends in order, by itself. */
void world_stop(void);
/* It was killed; of what it asked last some reached the bus. */
void world_bury(void);
/* The bus comes, or goes. */
void world_bus(bool is_up);

/* One step of the bus, of the server, of the loop. False: there was nothing to do. */
bool world_store(enum world_topic topic);
bool world_acknowledge(enum world_topic topic);
bool world_receive(void);
bool world_answer(void);
bool world_give_up(void);
void world_turn(void);
/* A second passes. */
void world_tick(void);

void world_open(uint32_t slot, uint64_t id);
/* An interim record is due. False: the session has none. */
bool world_due(uint32_t slot);
void world_close(uint32_t slot);
struct session world_view(uint32_t slot);
/* Of a session's record on the bus. */
void world_session_key(uint64_t id, char key[static RECORD_KEY_TEXT]);
json_t *world_detail_value(const struct session_detail *detail);
/* All that there was to do is done. */
bool world_is_quiet(void);

#endif
