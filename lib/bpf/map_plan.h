/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Before an object is loaded: which map of it is one that runs, which is made anew.
 *
 * Maps that are to be pinned by name are durable. One that runs is reused if its layout allows
 * it; an object that has M__old beside M is a bridge: M__old is the map M that runs, and M is
 * made anew, with marks M__moved for as many entries. All others belong to the object alone.
 */
#ifndef BNG_LIB_MAP_PLAN_H
#define BNG_LIB_MAP_PLAN_H

#include <jansson.h>
#include <stddef.h>

#define MAP_PLAN_KNOWN_MAX 8
#define MAP_PLAN_OLD_MAX   32
#define MAP_PLAN_NAME      64
#define MAP_PLAN_FOLDER    256

struct bpf_map;
struct bpf_object;
struct btf;
struct problem;

struct map_plan {
	struct bpf_object *object;
	const char *running; /* folder: durable maps that run, pinned by name */
	const json_t *sizes; /* {map: max_entries}, or NULL */
	json_t *rows;        /* for people: [{name, result, detail?, entries_old?, entries_new?}] */
	struct problem *problem;
	/* Objects that use the running maps. */
	struct {
		char folder[MAP_PLAN_FOLDER];
		struct btf *btf;
	} known[MAP_PLAN_KNOWN_MAX];
	size_t known_count;
	/* Of a bridge: libbpf calls a map that it reuses as that was called. */
	struct {
		const struct bpf_map *map;
		char name[MAP_PLAN_NAME];
	} old[MAP_PLAN_OLD_MAX];
	size_t old_count;
};

/* The programs in FOLDER/program may say what is in the maps in FOLDER/durable. What the first
 * one says counts; the others, and the maps' own types, can only forbid. */
void map_plan_know(struct map_plan *plan, const char *folder);
/* For each map; 0, or not and a problem. */
int map_plan_make(struct map_plan *plan);
/* Where a map of the loaded object is to be pinned: "scratch", "durable" or "old", and as what. */
const char *map_plan_place(const struct map_plan *plan, const struct bpf_map *map, const char **name);

#endif
