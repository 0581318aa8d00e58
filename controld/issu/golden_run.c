/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Golden packets through both programs, each in its world. Worlds number interfaces as
 * test/bpf/plane.py does: 1 and 2 are access, 3 is core.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/issu/golden.h"

#define ACCESS    1
#define ACCESS_2  2
#define CORE      3
#define FILES_MAX 64

uint32_t golden_ifindex(const struct maps *live, uint16_t interface)
{
	uint8_t role = interface == CORE                 ? BNG_ROLE_CORE
		       : interface == BNG_INTERFACE_PUNT ? BNG_ROLE_PUNT
		       : interface <= ACCESS_2           ? BNG_ROLE_ACCESS
							 : BNG_ROLE_NONE;
	int nth = interface == ACCESS_2;

	for (uint32_t i = 1; role && i < BNG_INTERFACES; i++)
		if (live->interface[i].role == role && live->interface[i].ifindex && !nth--)
			return live->interface[i].ifindex;
	return 0;
}

/* As the live world has them, by our numbers; all that lead to the core are one. */
static int set_interfaces(struct maps *maps, const struct maps *live)
{
	static const uint32_t numbers[] = {ACCESS, ACCESS_2, CORE, BNG_INTERFACE_PUNT};
	const uint32_t core = CORE;
	int failure = 0;

	for (size_t i = 0; !failure && i < sizeof(numbers) / sizeof(*numbers); i++) {
		uint32_t ifindex = golden_ifindex(live, (uint16_t)numbers[i]);

		maps->interface[numbers[i]].ifindex = ifindex ? ifindex : UINT32_MAX;
		if (!ifindex)
			continue;
		failure = maps_set(maps, MAP_tx_interface, &numbers[i], &ifindex);
		if (!failure)
			failure = maps_set(maps, MAP_interface_of_ifindex, &ifindex, &numbers[i]);
	}
	for (uint32_t i = 1; !failure && i < BNG_INTERFACES; i++)
		if (live->interface[i].role == BNG_ROLE_CORE && live->interface[i].ifindex)
			failure =
				maps_set(maps, MAP_interface_of_ifindex, &live->interface[i].ifindex, &core);
	return failure;
}

int golden_begin(struct maps *maps)
{
	int failure = 0;

	for (enum map_id i = 0; !failure && i < MAP_COUNT; i++)
		if (maps_is_table(maps, i))
			failure = maps_clear(maps, i);
	return failure;
}

static size_t from_hex(const char *text, uint8_t *bytes, size_t max)
{
	size_t count = 0;
	unsigned byte;

	for (; count < max && sscanf(text + 2 * count, "%2x", &byte) == 1; count++)
		bytes[count] = (uint8_t)byte;
	return count;
}

static int set_record(struct maps *maps, enum map_id id, const char *key, const json_t *value)
{
	const struct map *map = &maps->map[id];
	size_t stride = (map->value_size + 7u) & ~7u;
	unsigned long index = strtoul(key, NULL, 10);
	const char *text = json_string_value(value);
	uint8_t *record = (uint8_t *)map->data + index * stride;

	if (index >= map->max_entries || (index + 1) * stride > GOLDEN_BYTES)
		return -ERANGE;
	memset(record, 0, map->value_size);
	if (text)
		from_hex(text, record, map->value_size);
	return 0;
}

static int set_entry(struct maps *maps, enum map_id id, const char *text, const json_t *value)
{
	uint8_t key[64] = {0}, bytes[64] = {0};
	const struct map *map = &maps->map[id];

	if (map->key_size > sizeof(key) || map->value_size > sizeof(bytes) ||
	    from_hex(text, key, map->key_size) != map->key_size)
		return -ERANGE;
	if (json_is_null(value))
		return maps_delete(maps, id, key);
	from_hex(json_string_value(value), bytes, map->value_size);
	return maps_set(maps, id, key, bytes);
}

static int set_world(struct maps *maps, const json_t *world)
{
	const char *name, *key;
	json_t *content, *value;
	int failure = 0;

	json_object_foreach((json_t *)world, name, content)
	{
		enum map_id id = 0;

		while (strcmp(maps_name(id), name) != 0)
			id++;
		json_object_foreach(content, key, value)
		{
			if (!failure && maps->map[id].data)
				failure = set_record(maps, id, key, value);
			else if (!failure && maps_is_table(maps, id))
				failure = set_entry(maps, id, key, value);
		}
	}
	return failure;
}

/* Keys that a world has set; what the programs added stays to be seen. */
static void forget_keys(struct maps *maps, const json_t *world)
{
	const char *name, *text;
	json_t *content, *value;
	uint8_t key[64];

	json_object_foreach((json_t *)world, name, content)
	{
		enum map_id id = 0;

		while (strcmp(maps_name(id), name) != 0)
			id++;
		json_object_foreach(content, text, value)
		{
			if (maps_is_table(maps, id) && maps->map[id].key_size <= sizeof(key) &&
			    from_hex(text, key, maps->map[id].key_size) == maps->map[id].key_size)
				maps_delete(maps, id, key);
		}
	}
}

int golden_set(struct maps *maps, const struct golden *golden, const struct golden_packet *packet,
	       const struct maps *live)
{
	const json_t *world = json_object_get(golden->document, "world");
	int failure;

	for (enum map_id i = 0; i < MAP_COUNT; i++)
		if (maps->map[i].data)
			memset(maps->map[i].data, 0,
			       maps->map[i].length < GOLDEN_BYTES ? maps->map[i].length : GOLDEN_BYTES);
	failure = maps_is_table(maps, MAP_alg) ? maps_clear(maps, MAP_alg) : 0;
	if (!failure)
		failure = set_world(maps, world);
	if (!failure)
		failure = set_world(maps, packet->set);
	if (!failure)
		failure = set_interfaces(maps, live);
	maps->meta->clock_offset_ns = live->meta->clock_offset_ns;
	return failure;
}

static int run_packet(struct pair *pair, const struct golden *golden, const struct golden_packet *packet,
		      const char *name, const struct maps *live)
{
	const struct packet tried = {.frame = packet->frame,
				     .ifindex = golden_ifindex(live, packet->interface),
				     .entry = packet->entry,
				     .expected = packet->verdict + 1u};
	struct maps *maps[] = {pair->old.maps, pair->new.maps};
	char what[96];
	int failure = 0;

	if (!tried.ifindex)
		return 0;
	for (int i = 0; !failure && i < 2; i++)
		failure = golden_set(maps[i], golden, packet, live);
	if (!failure) {
		pair->now_ns = packet->clock_ns;
		snprintf(what, sizeof(what), "golden %s/%s", name, packet->what);
		failure = pair_run(pair, &tried, what);
		pair->result->golden += !failure;
	}
	for (int i = 0; i < 2; i++) {
		forget_keys(maps[i], json_object_get(golden->document, "world"));
		forget_keys(maps[i], packet->set);
	}
	/* The live maps are smaller than the world: it is tried where they are not. */
	return failure == -ERANGE ? 0 : failure;
}

static int run_file(struct pair *pair, const char *folder, const char *file, const struct maps *live,
		    const bool *stop)
{
	struct golden *golden = NULL;
	char name[64];
	int failure;

	snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".json")), file);
	failure = golden_load(folder, name, &golden, pair->error, sizeof(pair->error));
	for (size_t i = 0; !failure && i < golden->count && !__atomic_load_n(stop, __ATOMIC_ACQUIRE); i++)
		failure = run_packet(pair, golden, &golden->packet[i], name, live);
	golden_free(golden);
	return failure;
}

static int is_golden(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 5 && length < 64 && !strcmp(entry->d_name + length - 5, ".json");
}

int golden_run(struct pair *pair, const char *folder, const struct maps *live, const bool *stop)
{
	struct dirent **files = NULL;
	int count = scandir(folder, &files, is_golden, alphasort), failure = 0;

	if (count < 0) {
		verify_note(pair->result, "%.96s: %s", folder, strerror(errno));
		return 0;
	}
	failure = golden_begin(pair->old.maps);
	if (!failure)
		failure = golden_begin(pair->new.maps);
	for (int i = 0; i < count; i++) {
		if (!failure && i < FILES_MAX)
			failure = run_file(pair, folder, files[i]->d_name, live, stop);
		free(files[i]);
	}
	free(files);
	if (!failure)
		pair_compare_maps(pair);
	return failure;
}
