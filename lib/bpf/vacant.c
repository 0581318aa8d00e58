/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Programs run meanwhile, so that what is transient is written byte by byte into mapped
 * memory: other bytes of the value are theirs. In maps that cannot be mapped it counts like
 * any other field.
 */
#include "lib/bpf/vacant.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/bpf/bpffs.h"
#include "lib/bpf/describe.h"
#include "lib/rpc.h"

#define FIELDS_MAX 64
#define PATH_TEXT  512

struct vacancy {
	struct bpf_map_info info;
	size_t stride; /* of the values, one of a CPU */
	size_t count;
	struct layout_vacated fields[FIELDS_MAX];
};

static bool is_per_cpu(__u32 type)
{
	return type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
}

/* False: nobody knows all of it. */
static bool look(int map, const struct layout_map *old, const struct layout_map *new, struct vacancy *vacancy)
{
	__u32 size = sizeof(vacancy->info);
	memset(vacancy, 0, sizeof(*vacancy));
	if (bpf_obj_get_info_by_fd(map, &vacancy->info, &size))
		return false;
	vacancy->stride = (vacancy->info.value_size + 7u) & ~7u;
	vacancy->count = layout_vacated(old, new, vacancy->fields, FIELDS_MAX);
	return vacancy->count > 0 && vacancy->count < FIELDS_MAX;
}

static void *map_values(int map, const struct vacancy *vacancy, int protection)
{
	size_t length = vacancy->stride * vacancy->info.max_entries;
	void *values = vacancy->info.map_flags & BPF_F_MMAPABLE
			       ? mmap(NULL, length, protection, MAP_SHARED, map, 0)
			       : MAP_FAILED;
	return values == MAP_FAILED ? NULL : values;
}

static bool is_zero(const unsigned char *bytes, size_t count)
{
	while (count && !*bytes) {
		bytes++;
		count--;
	}
	return !count;
}

static bool tell(struct layout_difference *difference, const struct layout_vacated *field, const char *where)
{
	snprintf(difference->field, sizeof(difference->field), "%s", field->field);
	snprintf(difference->found, sizeof(difference->found), "nothing");
	snprintf(difference->expected, sizeof(difference->expected), "%.80s, in use by %.30s", field->text,
		 where);
	return false;
}

/* The first field of one entry that holds something, in any of its copies; NULL: none. */
static const struct layout_vacated *in_use(const struct vacancy *vacancy, const unsigned char *values,
					   size_t copies, bool with_transient)
{
	for (size_t i = 0; i < vacancy->count; i++) {
		const struct layout_vacated *field = &vacancy->fields[i];
		for (size_t k = 0; k < copies && (with_transient || !field->transient); k++) {
			if (!is_zero(values + k * vacancy->stride + field->byte, field->bytes))
				return field;
		}
	}
	return NULL;
}

static bool array_is_vacant(const struct vacancy *vacancy, const unsigned char *values,
			    struct layout_difference *difference)
{
	for (__u32 i = 0; i < vacancy->info.max_entries; i++) {
		const struct layout_vacated *field = in_use(vacancy, values + i * vacancy->stride, 1, false);
		char where[32];
		if (!field)
			continue;
		snprintf(where, sizeof(where), "entry %u", i);
		return tell(difference, field, where);
	}
	return true;
}

/* A system call or two for each entry. One that goes meanwhile holds nothing; where so many
 * go that there is no end, nothing is known. */
static bool table_is_vacant(int map, const struct vacancy *vacancy, struct layout_difference *difference)
{
	size_t copies = is_per_cpu(vacancy->info.type) ? (size_t)libbpf_num_possible_cpus() : 1;
	unsigned char *keys = calloc(2, vacancy->info.key_size), *values = calloc(copies, vacancy->stride);
	unsigned char *key = NULL, *next = keys;
	const struct layout_vacated *field = NULL;
	__u64 turns = 4ULL * vacancy->info.max_entries;
	while (keys && values && !field && turns && !bpf_map_get_next_key(map, key, next)) {
		key = next;
		next = key == keys ? keys + vacancy->info.key_size : keys;
		turns--;
		if (!bpf_map_lookup_elem(map, key, values))
			field = in_use(vacancy, values, copies, true);
	}
	bool vacant = keys && values && !field && turns;
	if (field)
		tell(difference, field, "an entry");
	free(keys);
	free(values);
	return vacant;
}

bool vacant_is(int map, const struct layout_map *old, const struct layout_map *new,
	       struct layout_difference *difference)
{
	struct vacancy *vacancy = malloc(sizeof(*vacancy));
	bool vacant = vacancy && look(map, old, new, vacancy);
	void *values = vacant ? map_values(map, vacancy, PROT_READ) : NULL;
	if (vacant)
		vacant = values ? array_is_vacant(vacancy, values, difference)
				: table_is_vacant(map, vacancy, difference);
	if (values)
		munmap(values, vacancy->stride * vacancy->info.max_entries);
	free(vacancy);
	return vacant;
}

static void clear(int map, const struct layout_map *old, const struct layout_map *new)
{
	struct vacancy *vacancy = malloc(sizeof(*vacancy));
	bool known = vacancy && look(map, old, new, vacancy);
	unsigned char *values = known ? map_values(map, vacancy, PROT_READ | PROT_WRITE) : NULL;
	for (size_t i = 0; values && i < vacancy->count; i++) {
		const struct layout_vacated *field = &vacancy->fields[i];
		for (__u32 k = 0; field->transient && k < vacancy->info.max_entries; k++)
			memset(values + k * vacancy->stride + field->byte, 0, field->bytes);
	}
	if (values)
		munmap(values, vacancy->stride * vacancy->info.max_entries);
	free(vacancy);
}

/* ---- Two generations --------------------------------------------------------------- */

/* Is it a map that both use, of which the next one knows less? `from`: folder of the maps of before. */
static bool is_shrunk(const char *from, const char *path, const struct btf *const btf[static 2],
		      struct layout_map maps[static 2], int *map, struct layout_difference *difference)
{
	const char *name = bpffs_name(path);
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	char before[2 * PATH_TEXT];
	snprintf(before, sizeof(before), "%s/%s", from, name);
	*map = bpf_obj_get(path);
	if (*map < 0 || bpf_obj_get_info_by_fd(*map, &info, &size) || describe_map_id(before) != info.id)
		return false;
	for (int i = 0; i < 2; i++) {
		maps[i] = (struct layout_map){.type = info.type,
					      .key_size = info.key_size,
					      .value_size = info.value_size,
					      .flags = info.map_flags,
					      .max_entries = info.max_entries};
		layout_map_types(&maps[i], btf[i], name);
	}
	return maps[1].value_type && layout_compare_maps(&maps[0], &maps[1], difference) == LAYOUT_SHRUNK;
}

static int check_or_clear(const char *from, const char *path, const struct btf *const btf[static 2],
			  struct problem *problem)
{
	struct layout_difference difference = {0};
	struct layout_map maps[2];
	int map, error = 0;
	bool shrunk = is_shrunk(from, path, btf, maps, &map, &difference);
	if (shrunk && !problem)
		clear(map, &maps[0], &maps[1]);
	else if (shrunk && !vacant_is(map, &maps[0], &maps[1], &difference))
		error = refuse(problem, RPC_INCOMPATIBLE, NULL,
			       "map %s, %s: it knows %s, the running map has %s; nothing was changed",
			       bpffs_name(path), difference.field, difference.found, difference.expected);
	if (map >= 0)
		close(map);
	return error;
}

/* `problem` NULL: transient fields become zero. */
static int each_map(const char *folder, unsigned from, unsigned to, struct problem *problem)
{
	char pattern[2][PATH_TEXT], before[PATH_TEXT];
	struct btf *btf[2];
	glob_t found;
	int error = 0;
	snprintf(pattern[0], PATH_TEXT, "%s/%u/program/*", folder, from);
	snprintf(pattern[1], PATH_TEXT, "%s/%u/program/*", folder, to);
	for (int i = 0; i < 2; i++)
		btf[i] = describe_btf(pattern[i]);
	snprintf(before, sizeof(before), "%s/%u/durable", folder, from);
	snprintf(pattern[1], PATH_TEXT, "%s/%u/durable/*", folder, to);
	bpffs_list(pattern[1], &found);
	for (size_t i = 0; i < found.gl_pathc && !error && btf[0] && btf[1]; i++)
		error = check_or_clear(before, found.gl_pathv[i], (const struct btf *const *)btf, problem);
	globfree(&found);
	btf__free(btf[0]);
	btf__free(btf[1]);
	return error;
}

int vacant_check(const char *folder, unsigned from, unsigned to, struct problem *problem)
{
	return each_map(folder, from, to, problem);
}

void vacant_clear(const char *folder, unsigned from, unsigned to)
{
	if (from != to)
		each_map(folder, from, to, NULL);
}
