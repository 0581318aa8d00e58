/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Control packets to and from the data plane (dataplane/abi/punt.h): one packet
 * socket that lives in the holder's store, so the kernel queues while we are
 * away; handlers by reason.
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

/* Hands the data plane a port forwarding to set or end. 0 when it was sent, or -errno;
 * what became of it is seen in the mappings. */
int punt_pin(struct controld *controld, uint32_t slot, const struct bng_pin *pin);

#endif
