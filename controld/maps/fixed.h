/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which port blocks a session has by the rule of its pool (RFC 7422): the rules in
 * force, by pool index, and what follows from them for a session's record. The
 * feature `cgnat` sets the rules; who opens or changes a session asks.
 */
#ifndef BNG_CONTROLD_FIXED_H
#define BNG_CONTROLD_FIXED_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/abi/subscriber.h"
#include "lib/deterministic.h"

struct controld;

/* Takes over the rule; NULL: the pool is not deterministic. */
void fixed_set_rule(struct controld *controld, uint8_t pool, struct deterministic *rule);
/* NULL: the pool is not deterministic. */
const struct deterministic *fixed_rule(const struct controld *controld, uint8_t pool);
/* bng_subscriber.fixed of the address; 0: none. */
uint32_t fixed_of(const struct controld *controld, uint8_t pool, uint32_t inner_be);
/* The same for a record. */
uint32_t fixed_of_record(const struct controld *controld, const struct bng_subscriber *record);
/* Live: new blocks are taken there from now on, also by a session with blocks elsewhere. */
void fixed_move(struct bng_subscriber *record, uint32_t fixed);

#endif
