/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Control packets to and from the data plane (dataplane/abi/punt.h): packet sockets
 * that live in the holder's store, so the kernel queues while we are away; handlers by
 * reason. What is only held for a while has a socket of its own, so that a flood of it
 * never takes the place of what subscribers wait for.
 */
#ifndef BNG_CONTROLD_PUNT_H
#define BNG_CONTROLD_PUNT_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/punt.h"

struct controld;

/* `frame` is the subscriber's whole Ethernet frame, tags included. */
typedef void punt_handler(struct controld *controld, const struct bng_punt *punt, const uint8_t *frame,
			  size_t length, void *context);

/* One handler for each reason; called from a feature's init. */
void punt_register(struct controld *controld, enum bng_punt_reason reason, punt_handler *handler,
		   void *context);

/* Sends a whole frame out of an interface (interface index). 0 or -errno. */
int punt_send(struct controld *controld, uint16_t interface, const uint8_t *frame, size_t length);

/* Hands back what the data plane had us hold, with the header it came with. 0 or -errno. */
int punt_back(struct controld *controld, const struct bng_punt *header, const uint8_t *frame, size_t length);

/* How much of a reason the data plane hands over. */
void punt_limit(struct controld *controld, enum bng_punt_reason reason, uint32_t rate, uint32_t burst);

/* Packets to be held that the kernel had no room for, since this start. */
uint64_t punt_lost(struct controld *controld);

/* Hands the data plane a port forwarding to set or end. 0 when it was sent, or -errno;
 * what became of it is seen in the mappings. */
int punt_pin(struct controld *controld, uint32_t slot, const struct bng_pin *pin);
/* The same for a data connection that is on its way. */
int punt_expect(struct controld *controld, uint32_t slot, const struct bng_expect *expect);

/* The same for a lease, whose record says what became of it. */
int punt_lease(struct controld *controld, uint32_t slot, const struct bng_pin_lease *lease);

#endif
