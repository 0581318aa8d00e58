/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * When to try again: decorrelated jitter. Each pause is drawn between the base and
 * three times the last one, up to a cap: many who lost the same server at the same
 * moment come back spread out, and none is put off for ever.
 */
#ifndef BNG_SYNC_BACKOFF_H
#define BNG_SYNC_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint32_t base_ms;                   /* 1 or more */
	uint32_t cap_ms;                    /* not less than the base */
	uint32_t last_ms;                   /* 0: none yet */
	uint32_t (*random)(uint32_t bound); /* 0 to bound - 1; NULL: the C library's */
};

uint32_t backoff_next(struct backoff *backoff);
/* It worked: the next pause is a first one. */
void backoff_reset(struct backoff *backoff);

#endif
