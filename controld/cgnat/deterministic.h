/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A change of a deterministic pool's rule (RFC 7422), in this order:
 * 1. Sessions whose own blocks will be others forget them: for a moment their new
 *    blocks are dynamic.
 * 2. Addresses: what only its owner may have is closed to dynamic allocation, what no
 *    longer is anybody's is opened to it. Blocks in use stay who they are.
 * 3. Sessions learn their new blocks.
 * 4. A block that somebody has by a rule that is gone is told as if it were given out
 *    now: from now on a log must name it. It goes back like any dynamic block.
 * A packet that overlaps a step may still take a block by the rule of before: step 4
 * is done again a little later.
 */
#ifndef BNG_CONTROLD_CGNAT_DETERMINISTIC_H
#define BNG_CONTROLD_CGNAT_DETERMINISTIC_H

#include <stdint.h>

struct controld;
struct maps;

void deterministic_leave_fixed(struct controld *controld);
void deterministic_move_fixed(struct controld *controld);
/* Sets bng_pool_address.dynamic_from, and the bits as it asks for. */
void deterministic_set_blocks(struct maps *maps, uint32_t index, uint32_t next);
/* Bits that an older data plane has cleared are set again. */
void deterministic_keep_blocks(struct maps *maps);
/* Step 4. */
void deterministic_tell_strays(struct controld *controld);

#endif
