/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The tags are BTF, which is read without loading anything.
 */
#include "controld/maps/sizes.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/maps/object.h"

#define NAME_MAX_BYTES 31

#define STAYS_FLOW "a flow's place follows from the size of the map"

/* Of each of /sizes one map that follows it, how many are in one entry of that, and why a
 * bridge cannot move it. */
static const struct {
	const char *name;
	size_t configured; /* offset */
	enum map_id map;
	uint32_t in_entry;
	const char *stays;
} rows[SIZES_COUNT] = {
#define ROW(name, map, in_entry, stays)                                                                      \
	{                                                                                                    \
#name, offsetof(struct config, sizes.name), MAP_##map, in_entry, stays                       \
	}
	ROW(subscribers, subscriber, 1, NULL),
	ROW(public_addresses, pool_address, 1, NULL),
	ROW(port_blocks, port_block, 1, NULL),
	ROW(exempt, exempt, 1, NULL),
	ROW(pcp, pcp, 1, NULL),
	ROW(flows, flow, BNG_FLOWS_PER_BUCKET, STAYS_FLOW),
#undef ROW
};

static uint32_t configured(const struct config *config, size_t row)
{
	return *(const uint32_t *)((const char *)config + rows[row].configured);
}

void maps_sizes_compare(const struct maps *maps, const struct config *config,
			struct size_compared compared[static SIZES_COUNT])
{
	for (size_t i = 0; i < SIZES_COUNT; i++)
		compared[i] = (struct size_compared){
			.name = rows[i].name,
			.wanted = configured(config, i),
			.running = maps_entries(maps, rows[i].map) * rows[i].in_entry,
			.stays = rows[i].stays,
		};
}

const char *maps_size_advice(const struct size_compared *size)
{
	if (size->stays || size->wanted < size->running)
		return "a size takes effect when the gateway starts from nothing";
	return "a map that is there grows by \"bngcli issu migrate\"";
}

static uint64_t configured_as(const struct config *config, const char *name)
{
	for (size_t i = 0; i < SIZES_COUNT; i++)
		if (!strcmp(rows[i].name, name))
			return configured(config, i);
	return 0;
}

uint32_t maps_size(const struct config *config, const char *tag)
{
	char name[NAME_MAX_BYTES + 1];
	uint32_t times, by, plus;
	uint64_t size;
	int end = 0;

	if (sscanf(tag, "entries:%31[a-z_]*%u/%u+%u%n", name, &times, &by, &plus, &end) != 4 || tag[end] ||
	    !by)
		return 0;
	size = configured_as(config, name);
	if (size)
		size = size * times / by + plus;
	return size <= UINT32_MAX ? (uint32_t)size : 0;
}

static bool is_pinned(const json_t *pinned, const char *name)
{
	json_t *map;
	size_t i;

	json_array_foreach(pinned, i, map)
	{
		const char *other = json_string_value(json_object_get(map, "name"));

		if (other && !strcmp(other, name))
			return true;
	}
	return false;
}

/* A bridge has the map that runs as NAME__old, and NAME is made anew. */
static bool is_made(const struct bpf_object *object, const json_t *pinned, const char *name)
{
	char old[64];

	snprintf(old, sizeof(old), "%s" MAPS_OLD, name);
	return !is_pinned(pinned, name) || bpf_object__find_map_by_name(object, old);
}

static void add_sizes(const struct config *config, const struct bpf_object *object, const json_t *pinned,
		      json_t *sizes)
{
	const struct btf *btf = bpf_object__btf(object);

	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *tag = btf__type_by_id(btf, id), *variable;
		const char *name;
		uint32_t size;

		if (!btf_is_decl_tag(tag))
			continue;
		variable = btf__type_by_id(btf, tag->type);
		name = variable && btf_is_var(variable) ? btf__name_by_offset(btf, variable->name_off) : NULL;
		size = name ? maps_size(config, btf__name_by_offset(btf, tag->name_off)) : 0;
		if (size && is_made(object, pinned, name))
			json_object_set_new(sizes, name, json_integer(size));
	}
}

json_t *maps_sizes(const struct config *config, int object, const json_t *pinned)
{
	json_t *sizes = json_object();
	struct maps_object opened;

	if (maps_object_open(&opened, object)) {
		add_sizes(config, opened.object, pinned, sizes);
		maps_object_close(&opened);
	}
	return sizes;
}

static bool has_old(const struct bpf_object *object)
{
	const struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const char *old = strstr(bpf_map__name(map), MAPS_OLD);

		if (old && !strcmp(old, MAPS_OLD))
			return true;
	}
	return false;
}

bool maps_is_bridge(int object)
{
	struct maps_object opened;
	bool is_bridge;

	if (!maps_object_open(&opened, object))
		return false;
	is_bridge = has_old(opened.object);
	maps_object_close(&opened);
	return is_bridge;
}
