/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Clients on their way to a session, for access protocols whose clients repeat what was
 * not answered: whether a question about one is under way, what it was granted, that its
 * session is being opened, or that it is not to be asked about for a while.
 *
 * A bounded table, one entry for each client. Only what can be asked for again is
 * displaced: grants and refusals, the oldest first; questions and openings never are.
 * Nothing of it has to survive: a client that is not in here asks again.
 */
#ifndef BNG_CONTROLD_SESSION_SETUP_H
#define BNG_CONTROLD_SESSION_SETUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "controld/session/profile.h"
#include "controld/session/session.h"

enum setup_state {
	SETUP_ASKED,   /* authorise_ask was called, and has not been answered */
	SETUP_GRANTED, /* with `profile` and `source` */
	SETUP_OPENING, /* session_open_durable was called; lives until it says how that went */
	SETUP_HELD,    /* off: denied not long ago */
	SETUP_STATES
};

struct setup {
	struct session_client client;
	uint8_t state;       /* enum setup_state */
	uint32_t address_be; /* OPENING: of the session */
	uint32_t server_be;  /* DHCP: the other server whose offer the client has; 0: none */
	bool is_reply;       /* `frame` is for the client, to be sent when the session is up */
	uint64_t session_id; /* it was asked with, and will have */
	uint64_t until_ns;   /* boottime */
	char *source;        /* who granted; NULL: nobody was to be asked */
	uint8_t *frame;      /* the client's last, to be answered when this goes on; NULL: none */
	size_t frame_length;
	struct session_line line; /* owned: what was asked with */
	struct session_profile profile;
	TAILQ_ENTRY(setup) order;
	LIST_ENTRY(setup) chain;
};

struct setups;

/* `capacity` is a power of two; `lifetime_s` by enum setup_state, 0: without end. NULL: no
 * memory. */
struct setups *setups_new(uint32_t capacity, const uint32_t lifetime_s[static SETUP_STATES]);
void setups_free(struct setups *setups);

/* NULL: none, or its time is over. */
struct setup *setup_find(struct setups *setups, const struct session_client *client, uint64_t now_ns);
/* A new one in place of what was known of the client, which is not OPENING. NULL: full of what is not
 * displaced, or no memory. */
struct setup *setup_add(struct setups *setups, const struct session_client *client, enum setup_state state,
			uint64_t now_ns);
/* Its time begins anew. */
void setup_move(struct setups *setups, struct setup *setup, enum setup_state state, uint64_t now_ns);
void setup_remove(struct setups *setups, struct setup *setup);

/* Takes the place of the frame that was kept. False: no memory, and none is kept. */
bool setup_keep_frame(struct setup *setup, const uint8_t *frame, size_t length);
/* The caller's from now on; NULL: none. */
uint8_t *setup_take_frame(struct setup *setup, size_t *length);
bool setup_keep_line(struct setup *setup, const struct session_line *line);

uint32_t setups_count(const struct setups *setups, enum setup_state state);
/* Of one interface, OPENING: sessions that will be. */
uint32_t setups_opening(const struct setups *setups, uint16_t interface);

#endif
