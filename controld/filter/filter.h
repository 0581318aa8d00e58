/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The parts of controld/filter. What a restart must not lose lies in the map: names,
 * numbers, rules, what they have counted, and in each session's record its filter.
 */
#ifndef BNG_CONTROLD_FILTER_H
#define BNG_CONTROLD_FILTER_H

#include "controld/controld.h"
#include "controld/maps/filter.h"
#include "lib/rpc.h"

/* How many sessions have each filter, by its number. */
void filter_users(const struct maps *maps, uint32_t users[static BNG_FILTERS]);

extern const struct rpc_method filter_methods[];

#endif
