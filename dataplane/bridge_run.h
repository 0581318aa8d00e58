/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moving what no packet has wanted yet, and looking at all of it once more: bng_migrate and
 * bng_migrate_check, which the holder runs with interrupts off, so that no packet on this CPU
 * finds an entry half moved. Each run goes on where the last one stopped (bng_bridge.move,
 * .check), BRIDGE_CHUNK entries at most.
 */
#ifndef BNG_DATAPLANE_BRIDGE_RUN_H
#define BNG_DATAPLANE_BRIDGE_RUN_H

#include "abi/version.h"
#include "bridge_open.h"
#include "maps.h"

#define BRIDGE_CHUNK 128 /* some ten microseconds */

enum bridge_result {
	BRIDGE_MORE = 0,
	BRIDGE_DONE = 1,
	BRIDGE_FAILED = 2,
};

/* As the kernel has it: the compiler only notes the field's name. */
struct bpf_map {
	__u32 max_entries;
} __attribute__((preserve_access_index));

#define BRIDGE_ENTRIES(map) (((const struct bpf_map *)&map)->max_entries)

/* True when there is room for all that is old. The marks beyond are those of what is new. */
static __always_inline int bridge_begin(struct bng_bridge *whole)
{
	__u64 entries = 0;
	int fits = 1;

#define BRIDGE_BEGIN(array, type)                                                                            \
	whole->map[BRIDGE_##array].entries = BRIDGE_ENTRIES(array##__old);                                   \
	entries += BRIDGE_ENTRIES(array##__old);                                                             \
	fits &= BRIDGE_ENTRIES(array) >= BRIDGE_ENTRIES(array##__old) &&                                     \
		BRIDGE_ENTRIES(array##__moved) >= BRIDGE_ENTRIES(array);
	BRIDGE_ARRAYS(BRIDGE_BEGIN)
#undef BRIDGE_BEGIN
	whole->entries = entries;
	return fits;
}

static __always_inline int bridge_bring(__u32 array, __u32 index)
{
	switch (array) {
#define BRIDGE_BRING(map, type)                                                                              \
	case BRIDGE_##map:                                                                                   \
		return bridge_bring_##map(index, 0);
		BRIDGE_ARRAYS(BRIDGE_BRING)
#undef BRIDGE_BRING
	default:
		return 0;
	}
}

/* To the next array, or over this one again. */
static __always_inline void bridge_turn(struct bng_bridge *whole)
{
	whole->move.index = 0;
	if (!whole->busy)
		whole->move.array++;
	whole->busy = 0;
}

static long bridge_move_step(__u32 step __attribute__((unused)), struct bng_bridge **of)
{
	struct bng_bridge *whole = *of;
	__u32 array = whole->move.array, index = whole->move.index;

	if (array >= BRIDGE_ARRAY_COUNT)
		return 1;
	if (index >= whole->map[array].entries) {
		bridge_turn(whole);
		return 0;
	}
	whole->busy += !bridge_bring(array, index);
	whole->move.index = index + 1;
	return 0;
}

/* Whoever opens the maps from now on must know them as they are laid out here. */
static __always_inline void bridge_set_version(void)
{
	struct bng_meta *facts = meta_get();

	if (facts)
		facts->abi_version = BNG_ABI_VERSION;
}

static __always_inline enum bridge_result bridge_move_run(struct bng_bridge *whole)
{
	if (*(volatile __u32 *)&whole->state != BNG_BRIDGE_NEW || !bridge_begin(whole))
		return BRIDGE_FAILED;
	bridge_set_version();
	bpf_loop(BRIDGE_CHUNK, bridge_move_step, &whole, 0);
	return bridge_is_done() ? BRIDGE_DONE : BRIDGE_MORE;
}

static __always_inline __u64 bridge_old_sum(__u32 array, __u32 index)
{
	switch (array) {
#define BRIDGE_OLD_SUM(map, type)                                                                            \
	case BRIDGE_##map: {                                                                                 \
		bridge_old_##map *old = bpf_map_lookup_elem(&map##__old, &index);                            \
		return old ? bridge_sum_old_##map(old) : 0;                                                  \
	}
		BRIDGE_ARRAYS(BRIDGE_OLD_SUM)
#undef BRIDGE_OLD_SUM
	default:
		return 0;
	}
}

static long bridge_check_step(__u32 step __attribute__((unused)), struct bng_bridge **of)
{
	struct bng_bridge *whole = *of;
	__u32 array = whole->check.array, index = whole->check.index;

	if (array >= BRIDGE_ARRAY_COUNT)
		return 1;
	if (index >= whole->map[array].entries) {
		whole->check.index = 0;
		whole->check.array++;
		return 0;
	}
	bridge_count(&whole->map[array].found, bridge_old_sum(array, index), index);
	whole->check.index = index + 1;
	return 0;
}

static __always_inline int bridge_agrees(const struct bng_bridge_map *map)
{
	return map->found.held == map->moved.held && map->found.sum == map->moved.sum;
}

static __always_inline enum bridge_result bridge_check_run(struct bng_bridge *whole)
{
	int agrees = 1;

	if (!bridge_is_done())
		return BRIDGE_FAILED;
	bpf_loop(BRIDGE_CHUNK, bridge_check_step, &whole, 0);
	if (whole->check.array < BRIDGE_ARRAY_COUNT)
		return BRIDGE_MORE;
	for (int i = 0; i < BRIDGE_ARRAY_COUNT; i++)
		agrees &= bridge_agrees(&whole->map[i]);
	return agrees ? BRIDGE_DONE : BRIDGE_FAILED;
}

SEC("raw_tracepoint")
int bng_migrate(void *ctx __attribute__((unused)))
{
	struct bng_bridge *whole = bridge_get();

	return whole ? bridge_move_run(whole) : BRIDGE_FAILED;
}

SEC("raw_tracepoint")
int bng_migrate_check(void *ctx __attribute__((unused)))
{
	struct bng_bridge *whole = bridge_get();

	return whole ? bridge_check_run(whole) : BRIDGE_FAILED;
}

#endif
