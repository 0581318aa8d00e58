/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Maps that are reached by system calls: one entry, or all of them in a few
 * batches.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/maps/maps.h"

#define BATCH_TOKEN 64 /* at least the largest key */

int maps_set(struct maps *maps, enum map_id id, const void *key, const void *value)
{
	return bpf_map_update_elem(maps->map[id].fd, key, value, BPF_ANY) ? -errno : 0;
}

int maps_add(struct maps *maps, enum map_id id, const void *key, const void *value)
{
	return bpf_map_update_elem(maps->map[id].fd, key, value, BPF_NOEXIST) ? -errno : 0;
}

int maps_replace(struct maps *maps, enum map_id id, const void *key, const void *value)
{
	return bpf_map_update_elem(maps->map[id].fd, key, value, BPF_EXIST) ? -errno : 0;
}

int maps_get(struct maps *maps, enum map_id id, const void *key, void *value)
{
	return bpf_map_lookup_elem(maps->map[id].fd, key, value) ? -errno : 0;
}

int maps_delete(struct maps *maps, enum map_id id, const void *key)
{
	if (!bpf_map_delete_elem(maps->map[id].fd, key) || errno == ENOENT)
		return 0;
	return -errno;
}

/* Nobody but controld changes these maps, so a pass sees each entry once. */
static int snapshot_batches(const struct map *map, uint8_t *keys, uint8_t *values, uint32_t *count)
{
	uint8_t token[BATCH_TOKEN] = {0}, next[BATCH_TOKEN] = {0};
	uint32_t got, done = 0;
	bool first = true;

	for (;;) {
		got = map->max_entries - done;
		int failed = bpf_map_lookup_batch(map->fd, first ? NULL : token, next,
						  keys + (size_t)done * map->key_size,
						  values + (size_t)done * map->value_size, &got, NULL);
		if (failed && errno != ENOENT)
			return -errno;
		done += got;
		first = false;
		memcpy(token, next, sizeof(token));
		if (failed || done >= map->max_entries)
			break;
	}
	*count = done;
	return 0;
}

static int snapshot_singly(const struct map *map, uint8_t *keys, uint8_t *values, uint32_t *count)
{
	const uint8_t *previous = NULL;
	uint32_t done = 0;

	while (done < map->max_entries) {
		uint8_t *key = keys + (size_t)done * map->key_size;

		if (bpf_map_get_next_key(map->fd, previous, key))
			break;
		previous = key;
		if (!bpf_map_lookup_elem(map->fd, key, values + (size_t)done * map->value_size))
			done++;
	}
	*count = done;
	return 0;
}

int maps_snapshot(struct maps *maps, enum map_id id, void **keys, void **values, uint32_t *count)
{
	const struct map *map = &maps->map[id];
	uint8_t *all_keys = calloc(map->max_entries, map->key_size);
	uint8_t *all_values = calloc(map->max_entries, map->value_size);
	int failure = all_keys && all_values ? 0 : -ENOMEM;

	if (!failure)
		failure = snapshot_batches(map, all_keys, all_values, count);
	if (failure && failure != -ENOMEM)
		failure = snapshot_singly(map, all_keys, all_values, count);
	if (failure) {
		free(all_keys);
		free(all_values);
		return failure;
	}
	*keys = all_keys;
	*values = all_values;
	return 0;
}
