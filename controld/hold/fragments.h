/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Later fragments that came before their first, of one direction.
 *
 * 1. Memory is bounded by packets and bytes, and each source address by packets.
 * 2. What is in is never pushed out by what comes: full means refused.
 * 3. What is in leaves by `send` only: in the order of offsets once the first fragment
 *    has been noted by the data plane, or when its time is over.
 * 4. A datagram leaves one look after its first was seen to be noted: by then that one
 *    is on the wire.
 */
#ifndef BNG_HOLD_FRAGMENTS_H
#define BNG_HOLD_FRAGMENTS_H

#include <stdbool.h>

#include "dataplane/abi/punt.h"
#include "packet.h"

struct fragments_limits {
	uint32_t packets;
	uint32_t packets_of_source;
	uint64_t bytes;
	uint64_t lifetime_ns;
};

struct fragments;

/* Has the data plane noted the first fragment of the datagram? */
typedef bool fragments_noted(const struct hold_packet *packet, void *context);
/* 0: it is gone; else it stays and is offered again. */
typedef int fragments_send(const struct bng_punt *header, const uint8_t *frame, size_t length, void *context);

struct fragments_ways {
	fragments_noted *noted;
	fragments_send *send;
	void *context;
};

/* NULL: no memory. */
struct fragments *fragments_new(const struct fragments_limits *limits);
void fragments_free(struct fragments *fragments);

/* Keeps a copy: 0, or -EBADMSG (no later fragment), -ENOSPC (a limit), -ENOMEM. */
int fragments_put(struct fragments *fragments, const struct bng_punt *header, const uint8_t *frame,
		  size_t length, uint64_t now_ns);
/* Sends what is due. */
void fragments_look(struct fragments *fragments, uint64_t now_ns, const struct fragments_ways *ways);
/* Sends everything. */
void fragments_flush(struct fragments *fragments, const struct fragments_ways *ways);

const struct hold_stats *fragments_stats(const struct fragments *fragments);

#endif
