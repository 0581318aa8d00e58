/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Rates as people say them and as the data plane has them (struct bng_rate).
 *
 * The data plane's clock moves in steps of up to 10 ms, and a burst shorter than a step
 * would be all that passes in one: so no burst is below RATE_BURST_STEPS_US of its rate,
 * nor below RATE_BURST_MIN bytes, whatever was asked for.
 */
#ifndef BNG_CONTROLD_RATE_H
#define BNG_CONTROLD_RATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/abi/subscriber.h"

#define RATE_BITS_MIN       8000ULL
#define RATE_BITS_MAX       100000000000ULL
#define RATE_BURST_MIN      15000 /* bytes: ten full packets */
#define RATE_BURST_STEPS_US 20000
#define RATE_BURST_US       100000 /* unless something else is asked for */

static inline bool rate_is_valid(uint64_t bits_s)
{
	return !bits_s || (bits_s >= RATE_BITS_MIN && bits_s <= RATE_BITS_MAX);
}

/* bng_rate.limit; `bits_s`: of IP packets, 0: unlimited, outside the bounds: the nearest;
 * `burst`: bytes, 0: the default. */
uint64_t rate_limit_of(uint64_t bits_s, uint64_t burst);
/* What a limit comes to; 0: unlimited. */
uint64_t rate_bits_s(uint64_t limit);
uint64_t rate_burst(uint64_t limit);
/* New reference: {bits_s, burst_bytes}, or null. */
json_t *rate_json(uint64_t limit);

/* Live; what has passed already is not forgotten, but nobody waits longer than the new
 * burst for what passed under an earlier limit. `now_ns`: the data plane's. True if
 * anything was different. */
bool rate_set(struct bng_subscriber *record, uint64_t up, uint64_t down, uint64_t now_ns);

#endif
