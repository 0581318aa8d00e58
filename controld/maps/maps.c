/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Opening the maps: every descriptor is checked against the ABI before anything
 * is mapped, so that no record is ever read with the wrong layout.
 */
#include "controld/maps/maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/rpc.h"

struct map_layout {
	const char *name;
	uint32_t key_size;
	uint32_t value_size;
	bool mapped;
};

static const struct map_layout layouts[MAP_COUNT] = {
#define LAYOUT_ARRAY(name, type)       {#name, sizeof(uint32_t), sizeof(type), true},
#define LAYOUT_OTHER(name, key, value) {#name, key, value, false},
	MAPS_ARRAYS(LAYOUT_ARRAY) MAPS_OTHERS(LAYOUT_OTHER)
#undef LAYOUT_ARRAY
#undef LAYOUT_OTHER
};

_Static_assert(MAP_COUNT <= RPC_FDS_MAX, "the holder hands them over in one message");

const char *maps_name(enum map_id id)
{
	return layouts[id].name;
}

static int map_check(struct map *map, const struct map_layout *layout, char *error, size_t size)
{
	struct bpf_map_info info = {0};
	uint32_t length = sizeof(info);

	if (bpf_obj_get_info_by_fd(map->fd, &info, &length)) {
		int failure = -errno;
		snprintf(error, size, "map %s: asking the kernel about it failed: %s", layout->name,
			 strerror(-failure));
		return failure;
	}
	if (info.key_size != layout->key_size || info.value_size != layout->value_size) {
		snprintf(error, size,
			 "map %s: key of %u and value of %u bytes found, %u and %u expected: this "
			 "bng-controld "
			 "does not belong to the running object; install the version that does",
			 layout->name, info.key_size, info.value_size, layout->key_size, layout->value_size);
		return -EPROTO;
	}
	map->type = info.type;
	map->key_size = info.key_size;
	map->value_size = info.value_size;
	map->max_entries = info.max_entries;
	map->id = info.id;
	return 0;
}

static int map_map(struct map *map, const struct map_layout *layout, char *error, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t stride = (map->value_size + 7u) & ~7u;

	map->length = (stride * map->max_entries + page - 1) & ~(page - 1);
	map->data = mmap(NULL, map->length, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
	if (map->data == MAP_FAILED) {
		int failure = -errno;
		map->data = NULL;
		snprintf(error, size, "map %s: mapping %zu bytes failed: %s", layout->name, map->length,
			 strerror(-failure));
		return failure;
	}
	return 0;
}

int maps_open(const int fds[static MAP_COUNT], struct maps **maps, char *error, size_t error_size)
{
	struct maps *new = calloc(1, sizeof(*new));
	int failure = new ? 0 : -ENOMEM, cpus = libbpf_num_possible_cpus();

	if (!new)
		snprintf(error, error_size, "opening the maps: out of memory");
	for (int i = 0; i < MAP_COUNT && !new; i++)
		close(fds[i]);
	if (!new)
		return failure;
	for (int i = 0; i < MAP_COUNT; i++)
		new->map[i].fd = fds[i];
	for (enum map_id i = 0; !failure && i < MAP_COUNT; i++) {
		if (fds[i] < 0)
			continue;
		failure = map_check(&new->map[i], &layouts[i], error, error_size);
		if (!failure && layouts[i].mapped)
			failure = map_map(&new->map[i], &layouts[i], error, error_size);
	}
	if (failure) {
		maps_close(new);
		return failure;
	}
#define MAPS_POINT(name, type) new->name = new->map[MAP_##name].data;
	MAPS_ARRAYS(MAPS_POINT)
#undef MAPS_POINT
	new->cpus = cpus > 0 ? (unsigned)cpus : 1;
	*maps = new;
	return 0;
}

void maps_close(struct maps *maps)
{
	if (!maps)
		return;
	maps_events_close(maps);
	for (int i = 0; i < MAP_COUNT; i++) {
		if (maps->map[i].data)
			munmap(maps->map[i].data, maps->map[i].length);
		if (maps->map[i].fd >= 0)
			close(maps->map[i].fd);
	}
	free(maps);
}

int maps_layout(int meta, uint32_t *layout)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	const struct bng_meta *data = mmap(NULL, page, PROT_READ, MAP_SHARED, meta, 0);

	if (data == MAP_FAILED)
		return -errno;
	*layout = __atomic_load_n(&data->abi_version, __ATOMIC_ACQUIRE);
	munmap((void *)(uintptr_t)data, page);
	return 0;
}

void maps_closing_set(struct maps *maps, uint32_t slot)
{
	struct bng_slot_group *group = &maps->closing[slot / BNG_SLOTS_PER_GROUP];

	__atomic_fetch_or(&group->word[slot % BNG_SLOTS_PER_GROUP / 64], 1ULL << (slot % 64),
			  __ATOMIC_SEQ_CST);
}

uint64_t maps_now_ns(const struct maps *maps)
{
	return clock_boottime_ns() + (uint64_t)maps->meta->clock_injected_ns;
}

uint32_t maps_tick(const struct maps *maps)
{
	return (uint32_t)(maps_now_ns(maps) >> BNG_TICK_SHIFT);
}
