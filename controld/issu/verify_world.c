/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One of the two sides of a comparison: the holder loads it, we have its descriptors, and
 * it is gone when we close them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controld/issu/verify.h"
#include "lib/rpc.h"

static const char *const entry_names[WORLD_ENTRIES] = {
	[WORLD_ACCESS] = "bng_access", [WORLD_CORE] = "bng_core", [WORLD_INJECT] = "bng_inject"};

_Static_assert(MAP_COUNT + WORLD_ENTRIES <= RPC_FDS_MAX, "they come with one line");

static json_t *wanted_names(void)
{
	json_t *names = json_array();

	for (enum map_id i = 0; i < MAP_COUNT; i++)
		json_array_append_new(names, json_string(maps_name(i)));
	for (int i = 0; i < WORLD_ENTRIES; i++)
		json_array_append_new(names, json_string(entry_names[i]));
	return names;
}

/* Without them nothing can be run, or nothing said of it. */
static const enum map_id essential[] = {
	MAP_meta,    MAP_subscriber, MAP_pool,         MAP_pool_address,         MAP_port_block,
	MAP_mapping, MAP_interface,  MAP_tx_interface, MAP_interface_of_ifindex, MAP_reason_count};

/* Where each of the wanted is among the descriptors that came, or -1. */
static int fd_of(const struct rpc_result *result, const char *name)
{
	const json_t *names = json_object_get(result->value, "names"), *text;
	size_t i;

	json_array_foreach(names, i, text)
	{
		if (i < result->fd_count && !strcmp(json_string_value(text), name))
			return result->fds[i];
	}
	return -1;
}

/* 0, or -errno: something is missing that must be there. */
static int sort_fds(const struct rpc_result *result, struct world *world, int fds[static MAP_COUNT],
		    char *error, size_t size)
{
	const char *missing = NULL;

	for (enum map_id i = 0; i < MAP_COUNT; i++)
		fds[i] = fd_of(result, maps_name(i));
	for (size_t i = 0; i < sizeof(essential) / sizeof(*essential); i++)
		if (fds[essential[i]] < 0)
			missing = maps_name(essential[i]);
	for (int i = 0; i < WORLD_ENTRIES; i++) {
		world->program[i] = fd_of(result, entry_names[i]);
		if (world->program[i] < 0)
			missing = entry_names[i];
	}
	if (missing)
		snprintf(error, size, "the object has no %s: it cannot be tried", missing);
	return missing ? -EPROTO : 0;
}

/* `optional`: also of an object that has not all. Earlier holders do not know the word. */
static int shadow(struct rpc_client *client, unsigned generation, bool optional, struct rpc_result *result)
{
	json_t *params = json_pack("{s:i, s:o}", "generation", (int)generation, "names", wanted_names());

	if (optional)
		json_object_set_new(params, "optional", json_true());
	return rpc_call(client, "object.shadow", params, NULL, 0, result);
}

int world_open(struct world *world, struct rpc_client *client, unsigned generation, char *error, size_t size)
{
	struct rpc_result result;
	int fds[MAP_COUNT];
	int failure = shadow(client, generation, false, &result);

	if (result.code == RPC_NOT_FOUND) {
		rpc_result_done(&result);
		failure = shadow(client, generation, true, &result);
	}
	if (!failure && result.code)
		failure = -EPROTO;
	if (failure)
		snprintf(error, size, "%s", result.message);
	else
		failure = sort_fds(&result, world, fds, error, size);
	if (!failure) {
		result.fd_count = 0;
		failure = maps_open(fds, &world->maps, error, size);
		for (int i = 0; failure && i < WORLD_ENTRIES; i++)
			close(world->program[i]);
	}
	rpc_result_done(&result);
	return failure;
}

void world_close(struct world *world)
{
	if (!world->maps)
		return;
	maps_close(world->maps);
	world->maps = NULL;
	for (int i = 0; i < WORLD_ENTRIES; i++)
		close(world->program[i]);
}

/* The one that counted a packet since the last run. */
static unsigned verdict_of(struct world *world)
{
	struct bng_count counts[BNG_VERDICT_COUNT] = {0};
	unsigned verdict = BNG_VERDICT_COUNT;

	if (maps_counts(world->maps, counts))
		return BNG_VERDICT_COUNT;
	for (unsigned i = 0; i < BNG_VERDICT_COUNT; i++)
		if (counts[i].packets != world->counts[i].packets)
			verdict = i;
	memcpy(world->counts, counts, sizeof(counts));
	return verdict;
}

int world_run(struct world *world, const struct packet *packet, uint64_t now_ns, struct world_result *result)
{
	struct maps_run run = {.frame = packet->frame.bytes,
			       .length = packet->frame.length,
			       .ifindex = packet->ifindex,
			       .out = result->room,
			       .out_length = sizeof(result->room)};
	int failure;

	maps_set_clock(world->maps, now_ns);
	failure = maps_run(world->program[packet->entry], &run);
	if (failure)
		return failure;
	result->action = run.action;
	result->ns = run.ns;
	result->out = (struct frame){result->room, run.out_length};
	result->verdict = verdict_of(world);
	return 0;
}

uint64_t world_owner(const struct world *world, uint32_t public_be, uint16_t port)
{
	const struct maps *maps = world->maps;

	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++) {
		const struct bng_pool_address *address = &maps->pool_address[i];
		uint32_t block = address->first_block + (port >> (address->block_shift & 15));

		if (address->address_be != public_be || block >= maps_entries(maps, MAP_port_block))
			continue;
		return maps->port_block[block].state == BNG_BLOCK_ALLOCATED
			       ? maps->port_block[block].session_id
			       : 0;
	}
	return 0;
}
