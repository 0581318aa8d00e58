/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Unsolicited TCP SYNs that wait to be answered (RFC 5382 REQ-4): all for the same
 * time, so the order in which they came is the order in which they leave. A connection
 * is in once, with the first SYN. Bounded: full means that the new one gets no answer.
 */
#ifndef BNG_HOLD_SYNS_H
#define BNG_HOLD_SYNS_H

#include "dataplane/abi/punt.h"
#include "packet.h"

struct syns_limits {
	uint32_t packets;
	uint64_t bytes;
	uint64_t delay_ns;
};

struct syns;

/* 0: it is gone; else it stays and is offered again. */
typedef int syns_send(const struct bng_punt *header, const uint8_t *frame, size_t length, void *context);

/* NULL: no memory. */
struct syns *syns_new(const struct syns_limits *limits);
void syns_free(struct syns *syns);

/* Keeps a copy: 0, or -EBADMSG (no TCP), -EEXIST, -ENOSPC, -ENOMEM. */
int syns_put(struct syns *syns, const struct bng_punt *header, const uint8_t *frame, size_t length,
	     uint64_t now_ns);
/* Sends those whose time has come; when the next one's comes, or 0. */
uint64_t syns_look(struct syns *syns, uint64_t now_ns, syns_send *send, void *context);

const struct hold_stats *syns_stats(const struct syns *syns);

#endif
