/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Tells that something of the gateway's own is full, other than a pool (which is
 * controld/refusals'): looks once a second at the counters of the verdicts that say
 * so; an event and a warning when one begins to move, another each minute while it
 * does, and one when it has not for a minute.
 */
#ifndef BNG_CONTROLD_EXHAUSTION_H
#define BNG_CONTROLD_EXHAUSTION_H

#include <stdint.h>

struct controld;

int exhaustion_new(struct controld *controld);
void exhaustion_free(struct controld *controld);
/* What the timer does, `now_s` seconds into whatever time: for tests. */
void exhaustion_look(struct controld *controld, uint64_t now_s);

#endif
