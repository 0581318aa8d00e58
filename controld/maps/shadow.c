/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Everything is copied, not a sample: arrays are one memcpy each, and what a sample
 * leaves out is what an upgrade would break.
 */
#include "controld/maps/shadow.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int maps_run(int program, struct maps_run *run)
{
	struct xdp_md context = {.data_end = run->length, .ingress_ifindex = run->ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = run->frame, .data_size_in = run->length,
		    .data_out = run->out, .data_size_out = run->out_length, .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(program, &options))
		return -errno;
	run->out_length = options.data_size_out;
	run->action = options.retval;
	run->ns = options.duration;
	return 0;
}

bool maps_has(const struct maps *maps, enum map_id id)
{
	return maps->map[id].fd >= 0;
}

bool maps_is_table(const struct maps *maps, enum map_id id)
{
	const struct map *map = &maps->map[id];

	return maps_has(maps, id) && !map->data && map->type != BPF_MAP_TYPE_PERCPU_ARRAY &&
	       map->type != BPF_MAP_TYPE_RINGBUF;
}

int maps_clear(struct maps *maps, enum map_id id)
{
	uint32_t size = maps->map[id].key_size, count = 0;
	uint8_t *keys;
	void *values;
	int failure = maps_snapshot(maps, id, (void **)&keys, &values, &count);

	if (failure)
		return failure;
	for (uint32_t i = 0; !failure && i < count; i++)
		failure = maps_delete(maps, id, keys + (size_t)i * size);
	free(keys);
	free(values);
	return failure;
}

static int copy_keys(struct maps *to, struct maps *from, enum map_id id)
{
	const struct map *map = &from->map[id];
	uint32_t count = 0;
	uint8_t *keys, *values;
	int failure = maps_clear(to, id);

	if (!failure)
		failure = maps_snapshot(from, id, (void **)&keys, (void **)&values, &count);
	if (failure)
		return failure;
	for (uint32_t i = 0; !failure && i < count; i++)
		failure = maps_set(to, id, keys + (size_t)i * map->key_size,
				   values + (size_t)i * map->value_size);
	free(keys);
	free(values);
	return failure;
}

static int copy_map(struct maps *to, struct maps *from, enum map_id id)
{
	if (!maps_has(to, id) || !maps_has(from, id))
		return 0;
	if (to->map[id].max_entries < from->map[id].max_entries)
		return -ENOSPC;
	if (to->map[id].data)
		memcpy(to->map[id].data, from->map[id].data, from->map[id].length);
	else if (maps_is_table(from, id))
		return copy_keys(to, from, id);
	return 0;
}

int maps_copy(struct maps *to, struct maps *from, struct maps *other)
{
	int failure = 0;

	for (enum map_id i = 0; !failure && i < MAP_COUNT; i++)
		failure = copy_map(to, maps_has(from, i) ? from : other, i);
	return failure;
}

static uint64_t records_filled(const struct map *map)
{
	const uint64_t *word = map->data;
	size_t words = (map->value_size + 7u) / 8;
	uint64_t used = 0;

	for (uint32_t i = 0; i < map->max_entries; i++, word += words) {
		uint64_t any = 0;

		for (size_t k = 0; k < words; k++)
			any |= word[k];
		used += any != 0;
	}
	return used;
}

bool maps_filled(struct maps *maps, enum map_id id, uint64_t *used)
{
	if (id == MAP_events || !maps_has(maps, id))
		return false;
	if (maps_used(maps, id, used))
		return true;
	if (!maps->map[id].data)
		return false;
	*used = records_filled(&maps->map[id]);
	return true;
}

void maps_set_clock(struct maps *maps, uint64_t now_ns)
{
	struct timespec coarse;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
	maps->meta->clock_injected_ns =
		(int64_t)(now_ns - (uint64_t)coarse.tv_sec * 1000000000u - (uint64_t)coarse.tv_nsec) -
		maps->meta->clock_offset_ns;
}
