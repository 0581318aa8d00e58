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

struct config;

/* max_entries for object.stage: of each map that `pinned` (of holder.status) has not. One
 * that is there stays as large as it is. Empty for what is no object: loading it says why. */
json_t *maps_sizes(const struct config *config, int object, const json_t *pinned);

/* "entries:NAME*TIMES/BY+PLUS" of a configuration; 0: it says something else. */
uint32_t maps_size(const struct config *config, const char *tag);

#endif
