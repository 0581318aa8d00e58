/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Arrays keep the index of each entry, and the bridge's programs move them; hashes and tries,
 * whose places mean nothing, are copied before it is opened.
 */
#include "lib/bpf/bridge_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/bpf/bpffs.h"
#include "lib/bpf/layout.h"
#include "lib/bpf/map_copy.h"
#include "lib/problem.h"
#include "lib/rpc.h"

#define PATH_TEXT 512

bool bridge_map_fits(const struct layout_map *old, const struct layout_map *new,
		     struct layout_difference *difference)
{
	bool array = old->type == BPF_MAP_TYPE_ARRAY;
	bool copied = old->type == BPF_MAP_TYPE_HASH || old->type == BPF_MAP_TYPE_LPM_TRIE;
	bool fits = new->type == old->type &&new->max_entries >= old->max_entries;
	struct layout_map same_size = *new;
	if (!array && !copied) {
		*difference = (struct layout_difference){"type", "it", "one that does not migrate"};
		return false;
	}
	if (fits)
		same_size.max_entries = old->max_entries;
	enum layout_result result = layout_compare_maps(old, &same_size, difference);
	if (result == LAYOUT_SAME)
		difference->field[0] = '\0';
	return fits && (array || result <= LAYOUT_GROWN);
}

static int copy_map(int old, int new)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	uint64_t entries;
	if (bpf_obj_get_info_by_fd(old, &info, &size))
		return -errno;
	return info.type == BPF_MAP_TYPE_ARRAY ? 0 : map_copy(old, new, &entries);
}

/* Each pair to `each`, until it fails: what that said. */
static int for_each_pair(const char *folder, int (*each)(const char *name, int old, int new, void *context),
			 void *context)
{
	char path[PATH_TEXT];
	glob_t found;
	int error = 0;
	snprintf(path, sizeof(path), "%s/old/*", folder);
	bpffs_list(path, &found);
	for (size_t i = 0; i < found.gl_pathc && !error; i++) {
		const char *name = bpffs_name(found.gl_pathv[i]);
		snprintf(path, sizeof(path), "%s/durable/%s", folder, name);
		int old = bpf_obj_get(found.gl_pathv[i]), new = bpf_obj_get(path);
		error = each(name, old, new, context);
		if (old >= 0)
			close(old);
		if (new >= 0)
			close(new);
	}
	globfree(&found);
	return error;
}

static int copy_pair(const char *name, int old, int new, void *problem)
{
	int error = old < 0 ? old : new < 0 ? new : copy_map(old, new);
	if (error == -EILSEQ)
		return refuse(problem, RPC_SYSTEM, NULL,
			      "copying map %s: what was read back is not what was copied: somebody writes it",
			      name);
	return error ? refuse_errno(problem, error, "copying map %s", name) : 0;
}

int bridge_maps_copy(const char *folder, struct problem *problem)
{
	return for_each_pair(folder, copy_pair, problem);
}

static json_int_t entries_of(int fd)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	bpf_obj_get_info_by_fd(fd, &info, &size);
	return info.max_entries;
}

static int add_row(const char *name, int old, int new, void *rows)
{
	return json_array_append_new(rows, json_pack("{s:s, s:I, s:I}", "name", name, "entries_old",
						     entries_of(old), "entries_new", entries_of(new)));
}

json_t *bridge_maps_rows(const char *folder)
{
	json_t *rows = json_array();
	for_each_pair(folder, add_row, rows);
	return rows;
}
