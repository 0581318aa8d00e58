/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The tags are BTF, which is read without loading anything.
 */
#include "controld/maps/sizes.h"

#include <bpf/btf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/maps/object.h"

#define NAME_MAX_BYTES 31

static uint64_t configured(const struct config *config, const char *name)
{
	const struct {
		const char *name;
		uint32_t size;
	} sizes[] = {
		{"subscribers", config->sizes.subscribers},
		{"public_addresses", config->sizes.public_addresses},
		{"port_blocks", config->sizes.port_blocks},
		{"exempt", config->sizes.exempt},
		{"pcp", config->sizes.pcp},
		{"flows", config->sizes.flows},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (!strcmp(sizes[i].name, name))
			return sizes[i].size;
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
	size = configured(config, name);
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

static void add_sizes(const struct config *config, const struct btf *btf, const json_t *pinned, json_t *sizes)
{
	for (uint32_t id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *tag = btf__type_by_id(btf, id), *variable;
		const char *name;
		uint32_t size;

		if (!btf_is_decl_tag(tag))
			continue;
		variable = btf__type_by_id(btf, tag->type);
		name = variable && btf_is_var(variable) ? btf__name_by_offset(btf, variable->name_off) : NULL;
		size = name ? maps_size(config, btf__name_by_offset(btf, tag->name_off)) : 0;
		if (size && !is_pinned(pinned, name))
			json_object_set_new(sizes, name, json_integer(size));
	}
}

json_t *maps_sizes(const struct config *config, int object, const json_t *pinned)
{
	json_t *sizes = json_object();
	struct maps_object opened;

	if (maps_object_open(&opened, object)) {
		add_sizes(config, opened.btf, pinned, sizes);
		maps_object_close(&opened);
	}
	return sizes;
}
