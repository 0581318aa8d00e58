/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Going to an object that knows less: fields that the programs of before know and those of
 * now call reserved. They may be given up where they hold nothing, that is where they are
 * zero in every entry, or where their declaration says that they may become zero at any
 * time (transient). Whoever uses such bytes later, as the same field or as another, finds
 * zeros, as in bytes that nobody ever used.
 */
#ifndef BNG_LIB_VACANT_H
#define BNG_LIB_VACANT_H

#include <stdbool.h>

#include "lib/bpf/layout.h"
#include "lib/problem.h"

/* Of one map, where layout_compare_maps says "shrunk". False: *difference says which field
 * holds something, and where. */
bool vacant_is(int map, const struct layout_map *old, const struct layout_map *new,
	       struct layout_difference *difference);

/* Of all maps that two pinned generations share (FOLDER/N/program, FOLDER/N/durable): 0, or
 * a refusal. Of one that is not there, or the same, there is nothing to say. */
int vacant_check(const char *folder, unsigned from, unsigned to, struct problem *problem);
/* What is transient becomes zero. */
void vacant_clear(const char *folder, unsigned from, unsigned to);

#endif
