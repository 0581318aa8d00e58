/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * libbpf compares the sizes of a map that it reuses only, and a reordered struct has the same
 * size: layouts are compared here, before it is asked to.
 */
#include "lib/bpf/map_plan.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/bpf/bridge_maps.h"
#include "lib/bpf/describe.h"
#include "lib/bpf/layout.h"
#include "lib/bpf/vacant.h"
#include "lib/problem.h"
#include "lib/rpc.h"

#define PATH_TEXT    512
#define OLD_SUFFIX   "__old"
#define MARKS_SUFFIX "__moved"

void map_plan_know(struct map_plan *plan, const char *folder)
{
	char pattern[PATH_TEXT];
	if (plan->known_count == MAP_PLAN_KNOWN_MAX)
		return;
	snprintf(pattern, sizeof(pattern), "%s/program/*", folder);
	snprintf(plan->known[plan->known_count].folder, sizeof(plan->known[0].folder), "%s", folder);
	plan->known[plan->known_count++].btf = describe_btf(pattern);
}

static struct layout_map map_in_object(const struct map_plan *plan, const struct bpf_map *map)
{
	struct layout_map layout = {.type = bpf_map__type(map),
				    .key_size = bpf_map__key_size(map),
				    .value_size = bpf_map__value_size(map),
				    .flags = bpf_map__map_flags(map),
				    .max_entries = bpf_map__max_entries(map)};
	layout_map_types(&layout, bpf_object__btf(plan->object), bpf_map__name(map));
	return layout;
}

/* A generation from before the map was migrated knows nothing of it. */
static bool knows(const struct map_plan *plan, size_t known, const char *name, __u32 id)
{
	char path[PATH_TEXT];
	snprintf(path, sizeof(path), "%s/durable/%s", plan->known[known].folder, name);
	return plan->known[known].btf && describe_map_id(path) == id;
}

/* What current says counts; the map's own types and what is kept can only forbid. `name`: of
 * the map that runs. */
static enum layout_result compare(struct map_plan *plan, const struct bpf_map_info *info, const char *name,
				  const struct bpf_map *map, struct layout_difference *difference)
{
	struct btf *own = info->btf_id ? btf__load_from_kernel_by_id(info->btf_id) : NULL;
	const struct layout_map new = map_in_object(plan, map);
	struct layout_map old = {.btf = own, .type = info->type, .key_size = info->key_size};
	old.key_type = info->btf_key_type_id;
	old.value_type = info->btf_value_type_id;
	old.value_size = info->value_size;
	old.flags = info->map_flags;
	old.max_entries = info->max_entries;
	enum layout_result result = layout_compare_maps(&old, &new, difference);
	for (size_t i = plan->known_count; i-- && result != LAYOUT_BROKEN;) {
		if (!knows(plan, i, name, info->id))
			continue;
		layout_map_types(&old, plan->known[i].btf, name);
		if (old.key_type || old.value_type)
			result = layout_compare_maps(&old, &new, difference);
	}
	int fd = result == LAYOUT_SHRUNK ? bpf_map_get_fd_by_id(info->id) : -1;
	if (result == LAYOUT_SHRUNK && !vacant_is(fd, &old, &new, difference))
		result = LAYOUT_BROKEN;
	if (fd >= 0)
		close(fd);
	btf__free(own);
	return result;
}

static int refuse_map(struct map_plan *plan, const char *name, const struct layout_difference *difference)
{
	return refuse(plan->problem, RPC_INCOMPATIBLE,
		      json_pack("{s:s, s:s, s:s, s:s, s:s}", "map", name, "result", "incompatible", "field",
				difference->field, "found", difference->found, "expected",
				difference->expected),
		      "map %s, %s: found %s, the running map has %s; nothing was changed", name,
		      difference->field, difference->found, difference->expected);
}

/* `running`: what the map that runs is called. */
static int reuse_map(struct map_plan *plan, struct bpf_map *map, const char *running, int fd,
		     const char **result, char *detail)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	const char *name = bpf_map__name(map);
	struct layout_difference difference = {0};
	bpf_obj_get_info_by_fd(fd, &info, &size);
	if (strcmp(name, running) || !json_object_get(plan->sizes, name))
		bpf_map__set_max_entries(map, info.max_entries);
	enum layout_result layout = compare(plan, &info, running, map, &difference);
	if (layout == LAYOUT_BROKEN)
		return refuse_map(plan, name, &difference);
	*result = layout == LAYOUT_SAME ? "same" : "compatible";
	strcpy(detail, layout == LAYOUT_SAME ? "" : difference.field);
	return bpf_map__reuse_fd(map, fd) ? refuse_errno(plan->problem, errno, "reusing map %s", name) : 0;
}

/* The M of M__old; "": it is none. */
static const char *migrating_name(const struct bpf_map *map, char name[static MAP_PLAN_NAME])
{
	int length = snprintf(name, MAP_PLAN_NAME, "%s", bpf_map__name(map)) - (int)strlen(OLD_SUFFIX);
	if (length < 1 || length >= MAP_PLAN_NAME || strcmp(name + length, OLD_SUFFIX))
		length = 0;
	name[length] = '\0';
	return name;
}

/* M__old or M__moved, which go with M; NULL: there is none. */
static struct bpf_map *companion(const struct map_plan *plan, const char *name, const char *suffix)
{
	char full[MAP_PLAN_NAME + 16];
	snprintf(full, sizeof(full), "%.63s%s", name, suffix);
	return bpf_object__find_map_by_name(plan->object, full);
}

static int open_running(const struct map_plan *plan, const char *name)
{
	char path[PATH_TEXT];
	snprintf(path, sizeof(path), "%s/%s", plan->running, name);
	return bpf_obj_get(path);
}

static int prepare_map(struct map_plan *plan, struct bpf_map *map)
{
	char detail[sizeof((struct layout_difference){0}.field)] = "";
	const char *name = bpf_map__name(map), *result = bpf_map__pin_path(map) ? "new" : "scratch";
	const json_t *entries = json_object_get(plan->sizes, name);
	bool durable = bpf_map__pin_path(map);
	int error = 0;
	if (migrating_name(map, detail)[0] || (durable && companion(plan, name, OLD_SUFFIX)))
		return 0; /* of a bridge */
	bpf_map__set_pin_path(map, NULL);
	if (durable && bpf_map__type(map) == BPF_MAP_TYPE_PROG_ARRAY)
		return refuse(
			plan->problem, RPC_INCOMPATIBLE, NULL,
			"map %s: a program array must not be pinned by name: it belongs to one generation",
			name);
	if (entries)
		bpf_map__set_max_entries(map, (__u32)json_integer_value(entries));
	int fd = durable ? open_running(plan, name) : -1;
	if (fd >= 0)
		error = reuse_map(plan, map, name, fd, &result, detail);
	else if (durable && errno != ENOENT)
		error = refuse_errno(plan->problem, errno, "opening the pinned map %s", name);
	if (fd >= 0)
		close(fd);
	json_array_append_new(plan->rows, json_pack("{s:s, s:s, s:s*}", "name", bpf_map__name(map), "result",
						    result, "detail", detail[0] ? detail : NULL));
	return error;
}

/* ---- A bridge: M made anew beside M__old, which is the map M that runs ----------- */

static int migrate_map(struct map_plan *plan, struct bpf_map *old_map, struct bpf_map *map, int running)
{
	const char *name = bpf_map__name(map), *result;
	const json_t *entries = json_object_get(plan->sizes, name);
	struct layout_difference difference;
	char detail[sizeof(difference.field)];
	struct layout_map old = map_in_object(plan, old_map);
	if (reuse_map(plan, old_map, name, running, &result, detail))
		return -EINVAL;
	bpf_map__set_max_entries(map, entries ? (__u32)json_integer_value(entries)
					      : bpf_map__max_entries(old_map));
	struct layout_map new = map_in_object(plan, map);
	old.max_entries = bpf_map__max_entries(old_map);
	if (!bridge_map_fits(&old, &new, &difference))
		return refuse_map(plan, name, &difference);
	struct bpf_map *marks = companion(plan, name, MARKS_SUFFIX);
	if (marks)
		bpf_map__set_max_entries(marks, new.max_entries);
	return json_array_append_new(plan->rows,
				     json_pack("{s:s, s:s, s:I, s:I, s:s*}", "name", name, "result",
					       "migrate", "entries_old", (json_int_t)old.max_entries,
					       "entries_new", (json_int_t) new.max_entries, "detail",
					       difference.field[0] ? difference.field : NULL));
}

static int prepare_pair(struct map_plan *plan, struct bpf_map *old_map, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(plan->object, name);
	bool durable = map && bpf_map__pin_path(map) && bpf_map__pin_path(old_map);
	bool room = plan->old_count < MAP_PLAN_OLD_MAX;
	int running = durable && room ? open_running(plan, name) : -1;
	if (running < 0)
		return refuse(
			plan->problem, RPC_INCOMPATIBLE, NULL,
			"map %s: a map %s that runs, and one in this object, both pinned by name, must be "
			"there, and at most %d in all; nothing was changed",
			bpf_map__name(old_map), name, MAP_PLAN_OLD_MAX);
	plan->old[plan->old_count].map = old_map;
	strcpy(plan->old[plan->old_count++].name, name);
	bpf_map__set_pin_path(map, NULL);
	bpf_map__set_pin_path(old_map, NULL);
	int error = migrate_map(plan, old_map, map, running);
	close(running);
	return error;
}

static int check_sizes(const struct map_plan *plan)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)plan->sizes, name, value)
	{
		json_int_t entries = json_integer_value(value);
		if (entries < 1 || entries > UINT32_MAX || !bpf_object__find_map_by_name(plan->object, name))
			return refuse(plan->problem, RPC_INVALID_PARAMS, NULL,
				      "max_entries: %.64s must be a map of the object, its number 1-%u", name,
				      UINT32_MAX);
	}
	return 0;
}

/* ---- All of them -------------------------------------------------------------------- */

static int prepare_maps(struct map_plan *plan)
{
	struct bpf_map *map;
	char name[MAP_PLAN_NAME];
	bpf_object__for_each_map(map, plan->object)
	{
		int error = prepare_map(plan, map);
		if (error)
			return error;
	}
	bpf_object__for_each_map(map, plan->object)
	{
		int error = migrating_name(map, name)[0] ? prepare_pair(plan, map, name) : 0;
		if (error)
			return error;
	}
	return 0;
}

int map_plan_make(struct map_plan *plan)
{
	int error = check_sizes(plan);
	if (!error)
		error = prepare_maps(plan);
	while (plan->known_count)
		btf__free(plan->known[--plan->known_count].btf);
	return error;
}

const char *map_plan_place(const struct map_plan *plan, const struct bpf_map *map, const char **name)
{
	size_t i;
	json_t *row;
	*name = bpf_map__name(map);
	for (i = 0; i < plan->old_count; i++) {
		if (plan->old[i].map == map) {
			*name = plan->old[i].name;
			return "old";
		}
	}
	json_array_foreach(plan->rows, i, row)
	{
		if (!strcmp(json_string_value(json_object_get(row, "name")), *name) &&
		    !strcmp(json_string_value(json_object_get(row, "result")), "scratch"))
			return "scratch";
	}
	return "durable";
}
