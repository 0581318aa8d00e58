/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * In batches: a million entries take a thousand system calls instead of three million.
 */
#include "lib/bpf/map_copy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1024u

/* A walk over one map, a batch at a time. */
struct walk {
	int map;
	__u32 key_size, value_size, count;
	bool begun, ended;
	char *keys, *values, *token, *value;
};

static void walk_done(struct walk *walk)
{
	free(walk->keys);
	free(walk->values);
	free(walk->token);
	free(walk->value);
}

static int walk_init(struct walk *walk, int map)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	*walk = (struct walk){.map = map};
	if (bpf_obj_get_info_by_fd(map, &info, &size))
		return -errno;
	walk->key_size = info.key_size;
	walk->value_size = info.value_size;
	walk->keys = malloc((size_t)BATCH * info.key_size);
	walk->values = malloc((size_t)BATCH * info.value_size);
	walk->token = malloc(info.key_size + sizeof(__u64)); /* a place in the map, or a key */
	walk->value = malloc(info.value_size);
	if (walk->keys && walk->values && walk->token && walk->value)
		return 0;
	walk_done(walk);
	return -ENOMEM;
}

/* True: `count` more, which may be none. */
static bool walk_next(struct walk *walk, int *error)
{
	walk->count = BATCH;
	if (walk->ended || *error)
		return false;
	int result = bpf_map_lookup_batch(walk->map, walk->begun ? walk->token : NULL, walk->token,
					  walk->keys, walk->values, &walk->count, NULL);
	walk->begun = true;
	walk->ended = result != 0;
	if (result && errno != ENOENT)
		*error = -errno;
	return !*error;
}

static int put_batch(int to, const struct walk *walk)
{
	__u32 count = walk->count;
	return count && bpf_map_update_batch(to, walk->keys, walk->values, &count, NULL) ? -errno : 0;
}

static int drop_batch(int from, const struct walk *walk)
{
	__u32 count = walk->count;
	return count && bpf_map_delete_batch(from, walk->keys, &count, NULL) ? -errno : 0;
}

/* Each of this batch is in map `other` with this value. */
static int compare_batch(int other, const struct walk *walk)
{
	for (__u32 i = 0; i < walk->count; i++) {
		if (bpf_map_lookup_elem(other, walk->keys + (size_t)i * walk->key_size, walk->value))
			return errno == ENOENT ? -EILSEQ : -errno;
		if (memcmp(walk->value, walk->values + (size_t)i * walk->value_size, walk->value_size))
			return -EILSEQ;
	}
	return 0;
}

/* Every batch of map `map` to `each`, with `other`. 0 and the number of entries, or -errno. */
static int walk_map(int map, int other, int (*each)(int, const struct walk *), uint64_t *entries)
{
	struct walk walk;
	int error = walk_init(&walk, map);
	*entries = 0;
	if (error)
		return error;
	while (walk_next(&walk, &error)) {
		*entries += walk.count;
		error = each(other, &walk);
	}
	walk_done(&walk);
	return error;
}

int map_copy(int from, int to, uint64_t *entries)
{
	uint64_t gone, copied = 0;
	int error = walk_map(to, to, drop_batch, &gone);
	if (!error)
		error = walk_map(from, to, put_batch, entries);
	if (!error)
		error = walk_map(to, from, compare_batch, &copied);
	return error ? error : copied == *entries ? 0 : -EILSEQ;
}
