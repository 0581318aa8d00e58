/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A small gateway with too few port blocks, and the recount of its maps.
 */
#include "test/bpf/two_cpus.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ACCESS 1
#define CORE   3

static const struct {
	const char *name;
	uint32_t entries;
} small_maps[] = {
	{"subscriber", FIRST_SLOT + SESSIONS},
	{"pool_address", ADDRESSES},
	{"port_block", ADDRESSES *BNG_BLOCKS_PER_ADDRESS_MAX},
	{"mapping", PUBLIC_PORTS / BNG_PORTS_PER_BUCKET},
	{"slot_of_address", 16},
	{"exempt", 16},
	{"exempt_port", 16},
	{"events", 4096},
};

static void small_map(struct bpf_map *map)
{
	if (bpf_map__set_pin_path(map, NULL))
		err(2, "map %s: unset pin path", bpf_map__name(map));
	for (size_t i = 0; i < sizeof(small_maps) / sizeof(small_maps[0]); i++)
		if (!strcmp(small_maps[i].name, bpf_map__name(map)) &&
		    bpf_map__set_max_entries(map, small_maps[i].entries))
			err(2, "map %s: set entries", small_maps[i].name);
}

static int map_fd(const struct world *world, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(world->object, name);

	if (fd < 0)
		err(2, "no map %s", name);
	return fd;
}

static void *map_memory(const struct world *world, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(world->object, name);
	void *memory;

	if (!map)
		err(2, "no map %s", name);
	memory = mmap(NULL, (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map),
		      PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		err(2, "mmap %s", name);
	return memory;
}

static int program_fd(const struct world *world, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(world->object, name);

	if (!program)
		errx(2, "no program %s", name);
	return bpf_program__fd(program);
}

static void world_load(struct world *world, const char *object_file)
{
	struct bpf_map *map;

	world->object = bpf_object__open_file(object_file, NULL);
	if (!world->object)
		err(2, "open %s", object_file);
	bpf_object__for_each_map(map, world->object) small_map(map);
	if (bpf_object__load(world->object))
		err(2, "load %s", object_file);
	world->access_fd = program_fd(world, "bng_access");
	world->core_fd = program_fd(world, "bng_core");
	world->sweep_fd = program_fd(world, "bng_sweep");
	world->count_fd = map_fd(world, "reason_count");
	world->meta = map_memory(world, "meta");
	world->closing = map_memory(world, "closing");
	world->subscriber = map_memory(world, "subscriber");
	world->pool = map_memory(world, "pool");
	world->address = map_memory(world, "pool_address");
	world->block = map_memory(world, "port_block");
	world->mapping = map_memory(world, "mapping");
	world->range = map_memory(world, "range");
	world->interface = map_memory(world, "interface");
}

static uint32_t interface_add(struct world *world, uint32_t index, const char *name, uint8_t role)
{
	int tx_fd = map_fd(world, "tx_interface"), index_fd = map_fd(world, "interface_of_ifindex");
	struct bng_interface *interface = &world->interface[index];
	uint32_t ifindex = if_nametoindex(name);

	interface->ifindex = ifindex;
	interface->role = role;
	interface->mac[0] = 0x02;
	interface->mac[5] = index;
	interface->mtu = 1500;
	if (!ifindex || bpf_map_update_elem(tx_fd, &index, &ifindex, BPF_ANY) ||
	    bpf_map_update_elem(index_fd, &ifindex, &index, BPF_ANY))
		err(2, "interface %s: run this where test/bpf/plane.py has made its devices", name);
	return ifindex;
}

static void address_add(struct world *world, uint32_t index)
{
	struct bng_pool_address *address = &world->address[index];

	address->address_be = htonl(PUBLIC_FIRST + index);
	address->first_block = index * BNG_BLOCKS_PER_ADDRESS_MAX;
	address->block_shift = BLOCK_SHIFT;
	address->flags = BNG_POOL_ADDRESS_ENABLED;
	address->free_blocks = BLOCKS_OFFERED;
	memset(address->taken, 0xff, sizeof(address->taken));
	for (unsigned i = 0; i < BLOCKS_OFFERED; i++)
		address->taken[1 + i / 4] &= ~(1ULL << (i % 4 * 16));
}

static uint64_t clock_of(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void world_open(struct world *world, const char *object_file)
{
	struct bng_ranges *range;

	world_load(world, object_file);
	world->access_ifindex = interface_add(world, ACCESS, "acc1", BNG_ROLE_ACCESS);
	world->core_ifindex = interface_add(world, CORE, "core1", BNG_ROLE_CORE);
	world->meta->clock_offset_ns = clock_of(CLOCK_BOOTTIME) - clock_of(CLOCK_MONOTONIC);
	world->meta->clock_injected_ns = 1ULL << 40;
	world->meta->hold_down_ticks = HOLD_TICKS;
	world->meta->block_high = ADDRESSES * BNG_BLOCKS_PER_ADDRESS_MAX;
	for (uint32_t i = 0; i < ADDRESSES; i++)
		address_add(world, i);
	world->pool->address_count = ADDRESSES;
	world->pool->segment_count = 1;
	world->pool->segment[0].count = ADDRESSES;
	world->pool->block_shift = BLOCK_SHIFT;
	for (unsigned i = 0; i < BNG_MAPPING_STATES; i++)
		world->pool->timeout[i] = TIMEOUT_TICKS;
	range = world->range;
	range->inner_count = range->public_count = 1;
	range->inner[0] = (struct bng_range){INNER_FIRST + FIRST_SLOT,
					     INNER_FIRST + FIRST_SLOT + SESSIONS - 1, FIRST_SLOT};
	range->outer[0] = (struct bng_range){PUBLIC_FIRST, PUBLIC_FIRST + ADDRESSES - 1, 0};
	for (uint32_t slot = FIRST_SLOT; slot < FIRST_SLOT + SESSIONS; slot++)
		session_open(world, slot);
}

void world_close(struct world *world)
{
	bpf_object__close(world->object);
}

void session_open(struct world *world, uint32_t slot)
{
	struct bng_subscriber *session = &world->subscriber[slot];

	session->address_be = htonl(INNER_FIRST + slot);
	session->interface = ACCESS;
	session->mac[0] = 0x02;
	session->mac[1] = 0x01;
	session->mac[5] = slot;
	session->generation++;
	session->port_key = slot * 0x9e3779b1u + session->generation;
	session->block_shift = BLOCK_SHIFT;
	session->address_index = BNG_NO_ADDRESS_INDEX;
	session->max_mappings = limit_mappings(slot);
	session->max_blocks = limit_blocks(slot);
	session->session_id++;
	__atomic_store_n(&session->state, BNG_SUBSCRIBER_ACTIVE, __ATOMIC_SEQ_CST);
}

void session_close(struct world *world, uint32_t slot)
{
	__atomic_store_n(&world->subscriber[slot].state, BNG_SUBSCRIBER_CLOSING, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&world->closing[slot / BNG_SLOTS_PER_GROUP].word[slot % BNG_SLOTS_PER_GROUP / 64],
			  1ULL << (slot % 64), __ATOMIC_SEQ_CST);
}

int session_move(struct world *world, uint32_t slot)
{
	uint32_t *index = &world->subscriber[slot].address_index;
	uint32_t from = __atomic_load_n(index, __ATOMIC_SEQ_CST);

	return from < ADDRESSES && __atomic_compare_exchange_n(index, &from, (from + 1) % ADDRESSES, 0,
							       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

uint32_t world_tick(const struct world *world)
{
	int64_t injected = __atomic_load_n(&world->meta->clock_injected_ns, __ATOMIC_SEQ_CST);

	return (clock_of(CLOCK_MONOTONIC_COARSE) + world->meta->clock_offset_ns + injected) >> BNG_TICK_SHIFT;
}

uint64_t world_count(const struct world *world, enum bng_verdict verdict)
{
	struct bng_count counts[libbpf_num_possible_cpus()];
	uint32_t key = verdict;
	uint64_t sum = 0;

	if (bpf_map_lookup_elem(world->count_fd, &key, counts))
		err(2, "reason_count");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		sum += counts[i].packets;
	return sum;
}

/* ---- the recount ---------------------------------------------------------- */

#define WRONG(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), 1u)

struct recount {
	unsigned mappings[FIRST_SLOT + SESSIONS];
	unsigned blocks[FIRST_SLOT + SESSIONS];
	uint8_t has_end[FIRST_SLOT + SESSIONS][1 << 20]; /* by mapping key */
};

static int is_listed(const struct bng_subscriber *session, uint32_t first)
{
	int times = 0;

	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++)
		times += session->block[i] == first;
	return times;
}

static unsigned recount_ports(const struct world *world, struct recount *recount,
			      const struct bng_port_block *block, int in_use)
{
	unsigned used = 0, wrong = 0;

	for (uint32_t port = block->first; port < block->first + (1 << BLOCK_SHIFT); port++) {
		uint64_t word = world->mapping[port];

		if (!bng_mapping_word_protocol(word))
			continue;
		used++;
		if (!in_use)
			wrong += WRONG("port %x: mapped, its block is nobody's", port);
		else if (recount->has_end[block->slot][bng_mapping_word_key(word)]++)
			wrong += WRONG("slot %u: inner end %x has two ports, one is %x", block->slot,
				       bng_mapping_word_key(word), port);
	}
	if (used != block->used)
		wrong += WRONG("block %x: used is %u, recounted %u", block->first, block->used, used);
	if (in_use)
		recount->mappings[block->slot] += used;
	return wrong;
}

static unsigned recount_block(const struct world *world, struct recount *recount, uint32_t index,
			      uint32_t number)
{
	const struct bng_port_block *block = &world->block[index * BNG_BLOCKS_PER_ADDRESS_MAX + number];
	int in_use = block->state == BNG_BLOCK_ALLOCATED || block->state == BNG_BLOCK_DRAINING;
	unsigned wrong = 0;

	if (!block->first)
		return 0;
	if (block->first != (index << 16 | number << BLOCK_SHIFT))
		wrong += WRONG("block %u of address %u: begins at %x", number, index, block->first);
	if (in_use) {
		const struct bng_subscriber *owner = &world->subscriber[block->slot];

		recount->blocks[block->slot]++;
		if (is_listed(owner, block->first) != 1 || owner->generation != block->generation)
			wrong += WRONG("block %x: slot %u lists it %d times, generation %u, block's %u",
				       block->first, block->slot, is_listed(owner, block->first),
				       owner->generation, block->generation);
	}
	return wrong + recount_ports(world, recount, block, in_use);
}

static unsigned recount_address(const struct world *world, struct recount *recount, uint32_t index)
{
	const struct bng_pool_address *address = &world->address[index];
	unsigned free = 0, wrong = 0;

	for (uint32_t number = 0; number < BNG_BLOCKS_PER_ADDRESS_MAX; number++) {
		uint8_t state = world->block[index * BNG_BLOCKS_PER_ADDRESS_MAX + number].state;
		int taken = address->taken[number / 64] >> (number % 64) & 1;

		free += !taken;
		if (!taken && state != BNG_BLOCK_FREE)
			wrong += WRONG("address %u block %u: bit clear in state %u", index, number, state);
		wrong += recount_block(world, recount, index, number);
	}
	if (free != address->free_blocks)
		wrong += WRONG("address %u: free_blocks is %u, recounted %u", index, address->free_blocks,
			       free);
	return wrong;
}

static unsigned recount_session(const struct world *world, const struct recount *recount, uint32_t slot)
{
	const struct bng_subscriber *session = &world->subscriber[slot];
	unsigned listed = 0, wrong = 0, of_address[ADDRESSES] = {0};

	for (int i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		listed += session->block[i] != 0;
		if (session->block[i])
			of_address[(session->block[i] >> 16) % ADDRESSES]++;
	}
	if (listed != recount->blocks[slot])
		wrong += WRONG("slot %u: lists %u blocks, owns %u", slot, listed, recount->blocks[slot]);
	if (session->mappings != recount->mappings[slot])
		wrong += WRONG("slot %u: mappings is %u, recounted %u", slot, session->mappings,
			       recount->mappings[slot]);
	for (uint32_t index = 0; index < ADDRESSES; index++)
		if (session->mappings > limit_mappings(slot) || of_address[index] > limit_blocks(slot))
			wrong += WRONG("slot %u: over its limits: %u mappings, %u blocks of address %u", slot,
				       session->mappings, of_address[index], index);
	if (session->lock)
		wrong += WRONG("slot %u: lock is left at %u", slot, session->lock);
	return wrong;
}

unsigned world_recount(const struct world *world)
{
	struct recount *recount = calloc(1, sizeof(*recount));
	unsigned wrong = 0;

	if (!recount)
		err(2, "recount");
	for (uint32_t index = 0; index < ADDRESSES; index++)
		wrong += recount_address(world, recount, index);
	for (uint32_t slot = FIRST_SLOT; slot < FIRST_SLOT + SESSIONS; slot++)
		wrong += recount_session(world, recount, slot);
	free(recount);
	return wrong;
}
