/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How large the maps of an object file are made.
 *
 * The object says itself which of the configured sizes a map follows (SIZED in
 * dataplane/maps.h): so a map that only a newer object has gets its size, too.
 */
#ifndef BNG_CONTROLD_MAPS_SIZES_H
#define BNG_CONTROLD_MAPS_SIZES_H

#include <jansson.h>
#include <stdint.h>

#include "controld/maps/maps.h"

struct config;

#define MAPS_OLD "__old" /* behind a map's name: as a bridge has the one that runs until then */

/* max_entries for object.stage: of each map that is made, because `pinned` (of holder.status)
 * has it not, or because the object is a bridge that moves it. Any other that is there stays as
 * large as it is. Empty for what is no object: loading it says why. */
json_t *maps_sizes(const struct config *config, int object, const json_t *pinned);

/* Has it maps that take the place of others while packets flow? (docs/operations.md) */
bool maps_is_bridge(int object);

/* "entries:NAME*TIMES/BY+PLUS" of a configuration; 0: it says something else. */
uint32_t maps_size(const struct config *config, const char *tag);

/* Each of /sizes beside what the running maps have. */
#define SIZES_COUNT 6
struct size_compared {
	const char *name;
	uint32_t wanted, running;
	const char *stays; /* why a bridge cannot change it; NULL: it makes it larger */
};
void maps_sizes_compare(const struct maps *maps, const struct config *config,
			struct size_compared compared[static SIZES_COUNT]);
/* What makes a size that is not the running one come true. */
const char *maps_size_advice(const struct size_compared *size);

#endif
