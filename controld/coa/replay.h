/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Requests that were answered lately, in memory that the holder keeps: one that comes again
 * gets the same answer, and has no effect a second time (RFC 5176 sections 2.3 and 6.3).
 *
 * A request is known by its client and its authenticator, which is a digest of all of it.
 */
#ifndef BNG_CONTROLD_COA_REPLAY_H
#define BNG_CONTROLD_COA_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/ctl/kept.h"

#define COA_REPLAY_SETS 4096
#define COA_REPLAY_WAYS 16

struct coa_answered {
	uint64_t until_s; /* Unix; 0: this place was never used. Written last */
	uint32_t client_be;
	uint16_t cause; /* enum coa_cause */
	uint8_t code;   /* enum coa_code */
	uint8_t reserved;
	uint8_t authenticator[16];
};

struct coa_replay {
	struct kept_header header;
	uint64_t reserved[6];
	struct coa_answered set[COA_REPLAY_SETS][COA_REPLAY_WAYS];
};

#define COA_REPLAY_MAGIC 0x3131706572616f63ull /* "coarep11": also the layout's version */

/* NULL: it was not seen, or so long ago that it is too old by now. */
const struct coa_answered *coa_replay_find(const struct coa_replay *replay, uint32_t client_be,
					   const uint8_t authenticator[static 16], uint64_t now_s);
/* Whether there is room to remember one more like it; without, it must not be served. */
bool coa_replay_has_room(const struct coa_replay *replay, const uint8_t authenticator[static 16],
			 uint64_t now_s);
void coa_replay_add(struct coa_replay *replay, const struct coa_answered *answered, uint64_t now_s);

#endif
