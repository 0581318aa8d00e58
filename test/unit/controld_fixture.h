/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A controld without a holder and without packets: real maps, made here, and the
 * parts that work on them.
 */
#ifndef BNG_TEST_CONTROLD_FIXTURE_H
#define BNG_TEST_CONTROLD_FIXTURE_H

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/maps/maps.h"
#include "controld/maps/names.h"
#include "controld/session/sessions.h"
#include "dataplane/abi/event.h"

#define FIXTURE_PPPOE_SESSIONS 8

struct fixture {
	struct controld controld;
	int fds[MAP_COUNT]; /* kept, so that a second controld can adopt the maps */
	unsigned ups, changes, downs, adopted, ended, gone; /* calls of the session hooks */
	unsigned starts;                                    /* a tenth of a second apart */
	uint64_t ended_up_bytes;                            /* of the record that `ended` was given */
	struct bng_event told[64];                          /* what controld told as the data plane would */
	unsigned told_count;
};

extern struct fixture fixture;

struct fixture_sizes {
	uint32_t subscribers;
	uint32_t public_addresses;
	uint32_t port_blocks;
};

/* Makes the maps and starts the parts. */
void fixture_start(const struct fixture_sizes *sizes);
void fixture_stop(void);
/* What a restart does: everything but the maps is forgotten. */
void fixture_restart(struct sessions_adopted *adopted);

/* As reload does: check and apply by the features of the fixture. 0, or the error text. */
int fixture_configure(const char *text, char *error, size_t size);
/* A configuration of one access and one core interface: `pools` is the content of
 * /dhcp4/pools, `sessions` of /sessions, `nat` of /cgnat/pools. */
const char *fixture_text(const char *pools, const char *sessions, const char *nat);

/* What bng_sweep does to a closed session. */
void fixture_release(uint32_t slot);
/* Slots whose bit in `closing` is set, taken out; at most `max`. */
uint32_t fixture_released(uint32_t *slots, uint32_t max);

struct session_spec fixture_spec(const char *address, uint32_t client);

#endif
