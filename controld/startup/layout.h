/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Maps of another layout than this version knows: which bridge (dataplane/bridge.h) makes of them
 * what it knows. It is a file of its own for each pair of layouts, bng-bridge-FROM-TO.bpf.o, which
 * the newer of the two versions brings, in both directions. It is looked for
 *  1. beside the object that was given with --object,
 *  2. in the folder above, where it is when that is the object of the version before, which stands in.
 */
#ifndef BNG_CONTROLD_STARTUP_LAYOUT_H
#define BNG_CONTROLD_STARTUP_LAYOUT_H

#include <jansson.h>

struct controld;
struct startup;

/* Stages the bridge, with maps as large as those that run. 0 and its generation, 0 where the maps
 * have the layout that is known; or -errno, logged: nothing was changed. */
int layout_stage(struct controld *controld, struct startup *startup, json_int_t *generation);

#endif
