/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the controld that runs counts, for the next one to compare (guard.h).
 *
 *  1. The counts lie in memory that the holder keeps. They never say more than there is: one
 *     more session is counted after it is in the map, one less before it leaves, so that no
 *     death of controld makes a difference.
 *     A session that comes up before `ready` is not counted until then.
 *  2. A copy is on the bus, some seconds old, for when the holder has lost its store. It has the
 *     kernel's boot id: after a reboot the maps are gone, and that is no surprise.
 *  3. They are counts once a controld was ready; before there was none, nothing is expected.
 */
#ifndef BNG_CONTROLD_STARTUP_SEEN_H
#define BNG_CONTROLD_STARTUP_SEEN_H

#include <stddef.h>

#include "controld/feature.h"
#include "controld/startup/guard.h"

struct controld;

/* What the controld before counted: 0, -ENOMEM. With the maps adopted and the bus heard. */
int seen_open(struct controld *controld);
void seen_free(struct controld *controld);
/* Compares: 0, or -ESTALE and what differs. */
int seen_compare(const struct controld *controld, const struct guard_counts *found, char *error,
		 size_t error_size);
/* It was accepted that there is less: nothing is expected any more. */
void seen_forget(struct controld *controld);
/* From now on this controld counts. */
int seen_ready(struct controld *controld);
/* Another configuration is in force. */
void seen_config(struct controld *controld, const struct config *config);
/* Whether so many session records can be all; if not, why. For a bus that comes late. */
bool seen_believes(struct controld *controld, uint64_t records, char *why, size_t why_size);

extern const struct session_hooks seen_hooks;
extern const struct sync_topic seen_topic;

#endif
