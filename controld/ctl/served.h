/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A UDP port that is served, over restarts, by one start after the other: the sockets of a
 * start are a generation of a reuseport group of the holder (docs/groups.md), and its
 * successor reads what is left in them. A datagram is never nowhere: it is in a socket or in
 * the hand of a start (hand.h), and the holder has both.
 *
 * For requests that stand alone: each goes to the generation that works. Where the holder
 * knows no groups, one socket in its store is handed on.
 */
#ifndef BNG_CONTROLD_SERVED_H
#define BNG_CONTROLD_SERVED_H

#include <stdbool.h>
#include <stdint.h>

struct controld;
struct hand_datagram;
struct served;

/* Serves a datagram (controld/ctl/hand.h) and answers from fd, which does not block. Who is killed
 * meanwhile has it served again. */
typedef void served_one(int fd, const struct hand_datagram *datagram, void *context);

/* Listens on an IPv4 address, which may come later. `stem`: of the group's name. Older starts'
 * datagrams are read once the event loop runs: then everything is ready. */
int served_open(struct controld *controld, const char *stem, uint32_t address_be, uint16_t port,
		served_one *one, void *context, struct served **served);
bool served_is_at(const struct served *served, uint32_t address_be, uint16_t port);
/* Nobody serves it any more: what waits is read, then the sockets are gone. */
void served_end(struct served *served);
/* This process ends: the sockets stay with the holder. */
void served_leave(struct served *served);

#endif
