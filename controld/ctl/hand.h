/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The datagram that is being served: whoever is killed with it in hand leaves it to the next
 * start. It is received into memory that the holder keeps, its length written by the kernel, so
 * that there is no moment at which it is nowhere.
 */
#ifndef BNG_CONTROLD_HAND_H
#define BNG_CONTROLD_HAND_H

#include <netinet/in.h>
#include <stdbool.h>

#include "controld/ctl/kept.h"

#define HAND_DATAGRAM_MAX 4096 /* the rest of a longer one is cut off */

struct hand {
	struct kept kept;
};

struct hand_datagram {
	struct sockaddr_in from;
	const uint8_t *data;
	size_t length;
};

int hand_open(struct controld *controld, const char *name, struct hand *hand);
/* The hand of an earlier start that is dead, out of the holder's store. */
bool hand_take(struct controld *controld, const char *name, struct hand *hand);
void hand_close(struct hand *hand);

/* The next one of a socket; false: there is none. Valid until hand_done, after which nobody
 * serves it again. */
bool hand_receive(struct hand *hand, int fd, struct hand_datagram *datagram);
/* What was in hand when its start was killed. */
bool hand_left(const struct hand *hand, struct hand_datagram *datagram);
void hand_done(struct hand *hand);

#endif
