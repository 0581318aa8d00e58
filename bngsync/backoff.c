/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Also the first pause is drawn, between the base and three times of it.
 */
#include "bngsync/backoff.h"

#include <stdlib.h>

uint32_t backoff_next(struct backoff *backoff)
{
	uint64_t base = backoff->base_ms, last = backoff->last_ms ? backoff->last_ms : base;
	uint64_t high = last * 3 < backoff->cap_ms ? last * 3 : backoff->cap_ms;
	uint32_t range = high > base ? (uint32_t)(high - base) + 1 : 1;
	uint32_t drawn = backoff->random ? backoff->random(range) : arc4random_uniform(range);
	backoff->last_ms = (uint32_t)base + drawn;
	return backoff->last_ms;
}

void backoff_reset(struct backoff *backoff)
{
	backoff->last_ms = 0;
}
