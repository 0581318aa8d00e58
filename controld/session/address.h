/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which address of a pool a client gets.
 *
 * A search starts where a hash of the client says, the same after a restart, so that a
 * client that comes back mostly gets its old address again. When that neighbourhood is
 * full, it goes on at the pool's cursor, which moves along. A pool that was found full is
 * not searched again for a second.
 */
#ifndef BNG_CONTROLD_SESSION_ADDRESS_H
#define BNG_CONTROLD_SESSION_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "controld/session/session.h"

struct address_search {
	uint64_t full_until_ns;
	uint32_t cursor;
};

/* May it be given out, and is it free? */
typedef bool address_usable(const void *context, uint32_t address);

/* Host byte order; first <= last. False: the pool is full. */
bool address_search(struct address_search *search, uint32_t first, uint32_t last,
		    const struct session_client *client, uint64_t now_ns, address_usable *usable,
		    const void *context, uint32_t *address);

#endif
