/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Places for new public addresses: an index each, neighbours side by side where
 * there is room, and a run of port blocks each.
 */
#ifndef BNG_CONTROLD_CGNAT_PLACE_H
#define BNG_CONTROLD_CGNAT_PLACE_H

#include "controld/cgnat/plan.h"

/* Fresh addresses get what no other has. 0, -ENOSPC, -ENOMEM. */
int place_indexes(struct plan_address *addresses, size_t count, uint32_t indexes);
int place_blocks(struct plan_address *addresses, size_t count, uint32_t blocks);

#endif
