/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Counting: verdicts over all CPUs, port blocks, and how full each map is.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "controld/maps/mappings.h"
#include "controld/maps/maps.h"
#include "dataplane/abi/mapping_word.h"

static const char *const verdict_names[BNG_VERDICT_COUNT] = {
#define VERDICT_NAME(name, text, meaning) text,
	BNG_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

int maps_count(struct maps *maps, enum bng_verdict verdict, struct bng_count *count)
{
	struct bng_count of_cpu[maps->cpus];
	uint32_t key = verdict;

	if (bpf_map_lookup_elem(maps->map[MAP_reason_count].fd, &key, of_cpu))
		return -errno;
	*count = (struct bng_count){0};
	for (unsigned i = 0; i < maps->cpus; i++) {
		count->packets += of_cpu[i].packets;
		count->bytes += of_cpu[i].bytes;
	}
	return 0;
}

int maps_counts(struct maps *maps, struct bng_count counts[static BNG_VERDICT_COUNT])
{
	struct bng_count *of_cpu = calloc((size_t)BNG_VERDICT_COUNT * maps->cpus, sizeof(*of_cpu));
	uint32_t keys[BNG_VERDICT_COUNT], count = BNG_VERDICT_COUNT, next;
	int failure = of_cpu ? 0 : -ENOMEM;

	if (!failure &&
	    bpf_map_lookup_batch(maps->map[MAP_reason_count].fd, NULL, &next, keys, of_cpu, &count, NULL) &&
	    errno != ENOENT)
		failure = -errno;
	for (uint32_t i = 0; !failure && i < count; i++) {
		struct bng_count sum = {0};

		for (unsigned cpu = 0; cpu < maps->cpus; cpu++) {
			sum.packets += of_cpu[i * maps->cpus + cpu].packets;
			sum.bytes += of_cpu[i * maps->cpus + cpu].bytes;
		}
		counts[keys[i]] = sum;
	}
	free(of_cpu);
	return failure;
}

uint64_t maps_count_kind(const struct bng_count counts[static BNG_VERDICT_COUNT], const char *kind)
{
	size_t length = strlen(kind);
	uint64_t sum = 0;

	for (int i = 0; i < BNG_VERDICT_COUNT; i++)
		if (!strncmp(verdict_names[i], kind, length))
			sum += counts[i].packets;
	return sum;
}

uint32_t maps_sessions_count(const struct maps *maps)
{
	uint32_t count = 0;

	for (uint32_t slot = 1; slot < maps_entries(maps, MAP_subscriber); slot++)
		count += maps->subscriber[slot].state == BNG_SUBSCRIBER_ACTIVE;
	return count;
}

void maps_blocks_count(const struct maps *maps, struct maps_blocks *blocks)
{
	uint32_t high = maps->meta->block_high;

	*blocks = (struct maps_blocks){0};
	for (uint32_t i = 0; i < high && i < maps_entries(maps, MAP_port_block); i++) {
		const struct bng_port_block *block = &maps->port_block[i];

		if (block->state == BNG_BLOCK_ALLOCATED || block->state == BNG_BLOCK_DRAINING) {
			blocks->allocated++;
			blocks->mappings += __atomic_load_n(&block->used, __ATOMIC_RELAXED);
		} else if (block->state == BNG_BLOCK_HELD) {
			blocks->held++;
		}
	}
	for (uint32_t i = 0; i < maps_entries(maps, MAP_pool_address); i++)
		if (maps->pool_address[i].address_be)
			blocks->free += __atomic_load_n(&maps->pool_address[i].free_blocks, __ATOMIC_RELAXED);
}

static uint64_t used_subscribers(const struct maps *maps)
{
	uint64_t used = 0;

	for (uint32_t i = 1; i < maps_entries(maps, MAP_subscriber); i++)
		used += maps->subscriber[i].state != BNG_SUBSCRIBER_FREE;
	return used;
}

static uint64_t used_keys(struct maps *maps, enum map_id id)
{
	uint32_t count = 0;
	void *keys, *values;

	if (maps_snapshot(maps, id, &keys, &values, &count))
		return 0;
	free(keys);
	free(values);
	return count;
}

static uint64_t used_small_array(const struct maps *maps, enum map_id id)
{
	uint64_t used = 0;

	for (uint32_t i = 0; i < maps_entries(maps, id); i++) {
		used += id == MAP_pool && maps->pool[i].address_count;
		used += id == MAP_pool_address && maps->pool_address[i].address_be;
		used += id == MAP_filter && maps->filter[i].name[0];
		used += id == MAP_interface && maps->interface[i].role != BNG_ROLE_NONE;
	}
	return used;
}

/* As the packet path sees it (flow_alive in dataplane/flow.h): the mapping that sent
 * it is there, and its timer has not run out. */
static bool flow_is_live(const struct maps *maps, const struct bng_flow *flow, uint32_t now)
{
	uint32_t index = flow->port >> 16, number;
	const struct bng_pool_address *address;
	uint64_t word;

	if (!flow->port || index >= maps_entries(maps, MAP_pool_address))
		return false;
	address = &maps->pool_address[index];
	number = address->first_block + ((flow->port & 0xffff) >> (address->block_shift & 15));
	word = __atomic_load_n((const uint64_t *)&maps->mapping[flow->port / BNG_PORTS_PER_BUCKET]
				       .entry[flow->port % BNG_PORTS_PER_BUCKET],
			       __ATOMIC_RELAXED);
	if (number >= maps_entries(maps, MAP_port_block) || address->pool >= BNG_POOLS ||
	    bng_mapping_word_protocol(word) != flow->protocol ||
	    (uint8_t)(word ^ word >> 8) != flow->inner_tag ||
	    (int32_t)(flow->last_tick - maps->port_block[number].changed_tick) < 0)
		return false;
	return (int32_t)(now - flow->last_tick) <=
	       (int32_t)maps->pool[address->pool].timeout[bng_mapping_word_state(word) & 7];
}

static uint64_t used_flows(const struct maps *maps)
{
	uint32_t now = maps_tick(maps);
	uint64_t used = 0;

	for (uint32_t i = 0; i < maps_entries(maps, MAP_flow); i++)
		for (int k = 0; k < BNG_FLOWS_PER_BUCKET; k++)
			used += flow_is_live(maps, &maps->flow[i].entry[k], now);
	return used;
}

static uint64_t used_leases(const struct maps *maps)
{
	uint64_t used = 0;

	for (uint32_t i = 1; i < maps->meta->pcp_high && i < maps_entries(maps, MAP_pcp); i++)
		used += bng_pcp_state(maps->pcp[i].life) != BNG_PCP_FREE;
	return used;
}

static void count_tunnel(const struct cgnat_tunnel *tunnel, void *context)
{
	(void)tunnel;
	++*(uint64_t *)context;
}

bool maps_used(struct maps *maps, enum map_id id, uint64_t *used)
{
	struct maps_blocks blocks;

	switch (id) {
	case MAP_subscriber:
		*used = used_subscribers(maps);
		return true;
	case MAP_pool:
	case MAP_pool_address:
	case MAP_interface:
	case MAP_filter:
		*used = used_small_array(maps, id);
		return true;
	case MAP_port_block:
	case MAP_mapping:
		maps_blocks_count(maps, &blocks);
		*used = id == MAP_mapping ? blocks.mappings : blocks.allocated + blocks.held;
		return true;
	case MAP_flow:
		*used = used_flows(maps);
		return true;
	case MAP_tunnel:
		*used = 0;
		cgnat_walk_tunnels(maps, &(struct cgnat_filter){0}, count_tunnel, used);
		return true;
	case MAP_slot_of_address:
	case MAP_pppoe_session:
	case MAP_interface_of_ifindex:
	case MAP_gateway:
	case MAP_alg:
	case MAP_exempt_port:
	case MAP_first_packet_prefix:
		*used = used_keys(maps, id);
		return true;
	case MAP_pcp:
		*used = used_leases(maps);
		return true;
	case MAP_exempt:
		*used = maps->meta->exempt_count & ~BNG_EXEMPT_PORTS;
		return true;
	case MAP_events:
		*used = maps_events_waiting(maps);
		return true;
	default:
		return false;
	}
}

uint64_t maps_entry_bytes(const struct maps *maps, enum map_id id)
{
	const struct map *map = &maps->map[id];
	uint64_t value = (map->value_size + 7u) & ~7u;

	switch (map->type) {
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return value * maps->cpus;
	case BPF_MAP_TYPE_RINGBUF:
		return 1;
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
		return value + ((map->key_size + 7u) & ~7u);
	default:
		return value;
	}
}

const char *maps_type_name(const struct maps *maps, enum map_id id)
{
	switch (maps->map[id].type) {
	case BPF_MAP_TYPE_ARRAY:
		return "array";
	case BPF_MAP_TYPE_HASH:
		return "hash";
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return "percpu_array";
	case BPF_MAP_TYPE_LPM_TRIE:
		return "lpm_trie";
	case BPF_MAP_TYPE_DEVMAP:
		return "devmap";
	case BPF_MAP_TYPE_RINGBUF:
		return "ringbuf";
	default:
		return "other";
	}
}
