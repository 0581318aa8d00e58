/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Walking over the CGNAT mappings in the maps.
 */
#ifndef BNG_CONTROLD_MAPPINGS_H
#define BNG_CONTROLD_MAPPINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "controld/maps/maps.h"

/* What a walk is restricted to; 0: anything. */
struct cgnat_filter {
	uint32_t inner_be;
	uint32_t public_be;
	uint8_t protocol; /* enum bng_protocol */
};

/* A mapping as found: live when it was read. */
struct cgnat_mapping {
	uint8_t protocol;
	uint8_t state;
	uint8_t flags; /* enum bng_mapping_flag, and its epoch */
	uint16_t inner_port;
	uint16_t public_port;
	uint32_t port; /* public address index << 16 | public_port */
	uint32_t public_be;
	uint32_t idle_ticks; /* by the pool's timer: not exact with timers by port */
	uint32_t left_ticks;
	const struct bng_subscriber *session;
};

/* A GRE or ESP tunnel: a mapping that knows its remote end. */
struct cgnat_tunnel {
	uint8_t protocol;
	uint32_t remote_be;
	uint32_t public_be;
	uint32_t left_ticks;
	const struct bng_subscriber *session;
};

typedef void cgnat_each(const struct cgnat_mapping *mapping, void *context);

/* Every live mapping of an active session. Only blocks that are allocated are
 * looked at: no system call, nothing proportional to what is free. */
void cgnat_walk(const struct maps *maps, const struct cgnat_filter *filter, cgnat_each *each, void *context);
/* The word at a port: public address index << 16 | port. */
uint64_t cgnat_word(const struct maps *maps, uint32_t port);
/* Calls `each` for every live mapping in the blocks of one session, until it says true;
 * `port` is public address index << 16 | port. */
typedef bool cgnat_each_word(uint64_t word, uint32_t port, void *context);
bool cgnat_walk_session(const struct maps *maps, const struct bng_subscriber *session, cgnat_each_word *each,
			void *context);
typedef void cgnat_each_tunnel(const struct cgnat_tunnel *tunnel, void *context);
/* Every tunnel that counts. The walk over mappings has them too, without remote end. */
void cgnat_walk_tunnels(const struct maps *maps, const struct cgnat_filter *filter, cgnat_each_tunnel *each,
			void *context);
/* The public address of a block, or NULL when its entry makes no sense. */
const struct bng_pool_address *cgnat_address_of(const struct maps *maps, const struct bng_port_block *block);

/* Where the session's inner end `key` (bng_mapping_key) is mapped to. */
bool cgnat_port_of(const struct maps *maps, const struct bng_subscriber *session, uint32_t key,
		   uint32_t *port);

const char *cgnat_protocol_name(uint8_t protocol);

#endif
