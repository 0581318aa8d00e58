/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Starting and ending the punt path; for the daemon's start-up and for tests.
 */
#ifndef BNG_CONTROLD_PUNT_SOCKET_H
#define BNG_CONTROLD_PUNT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct controld;

int punt_new(struct controld *controld);
void punt_free(struct controld *controld);
/* The veth pair, its program and the socket, from the holder. */
int punt_open(struct controld *controld, bool *created);
/* From now on packets are handed to their handlers. */
int punt_start(struct controld *controld);
/* What the socket has read: header and frame. */
void punt_deliver(struct controld *controld, const uint8_t *data, size_t length);

#endif
