/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * AC-Cookies (RFC 2516 section 5.2): a keyed hash over who asked, for what and when, so
 * that nothing has to be remembered of whoever only asks.
 *
 * The keys lie in memory that the holder keeps: what was given before a restart is good
 * after it. There are two; each new one takes the older one's place, so that a cookie
 * outlives one change of keys, but never its time.
 */
#ifndef BNG_PPPOE_COOKIE_H
#define BNG_PPPOE_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/pppoe/discovery.h"
#include "controld/session/session.h"

#define COOKIE_BYTES       20
#define COOKIE_SECONDS     60   /* from PADO to PADR */
#define COOKIE_KEY_SECONDS 3600 /* much longer than a cookie lives */

struct cookie_keys {
	uint64_t made_ns; /* boottime: when the current one was */
	uint32_t current; /* 0 or 1, written last; 2: there is none yet */
	uint32_t reserved;
	uint8_t key[2][32];
};

/* A new key when it is time for one. */
void cookie_keys_turn(struct cookie_keys *keys, uint64_t now_ns);

void cookie_make(const struct cookie_keys *keys, const struct session_client *client,
		 const struct pppoe_bytes *service, uint64_t now_ns, uint8_t cookie[static COOKIE_BYTES]);
/* Whether it was made for this client, for this service name or for none, and in time. */
bool cookie_is_good(const struct cookie_keys *keys, const struct session_client *client,
		    const struct pppoe_bytes *service, uint64_t now_ns, const struct pppoe_bytes *cookie);

#endif
