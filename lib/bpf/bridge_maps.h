/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The maps of a bridge, in the folder of a generation: durable/M is to take the place of old/M.
 */
#ifndef BNG_LIB_BRIDGE_MAPS_H
#define BNG_LIB_BRIDGE_MAPS_H

#include <jansson.h>
#include <stdbool.h>

struct layout_difference;
struct layout_map;
struct problem;

/* True if what is in `old` may move to `new`; the first difference either way, field "": none.
 * Arrays may have another layout: the bridge converts; what is copied may not. */
bool bridge_map_fits(const struct layout_map *old, const struct layout_map *new,
		     struct layout_difference *difference);
/* Hashes and tries, which no program writes. 0, or not and a problem. */
int bridge_maps_copy(const char *folder, struct problem *problem);
/* [{name, entries_old, entries_new}] */
json_t *bridge_maps_rows(const char *folder);

#endif
