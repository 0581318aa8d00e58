/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The end of a lease (abi/pcp.h): bng_sweep looks at every record in each run, so that
 * a mapping stays open for a second longer than it was asked for at most, whether
 * controld is there or not. What was pinned becomes an ordinary mapping, as old as its
 * last packet.
 */
#ifndef BNG_DATAPLANE_LEASE_H
#define BNG_DATAPLANE_LEASE_H

#include "cgnat_find.h"

#define LEASE_TRIES 8

static __always_inline __u64 lease_ended(__u64 word)
{
	return word & ~((__u64)BNG_MAPPING_PINNED << 24);
}

/* True when the mapping is none of the lease's any more. */
static __noinline int lease_unpin(const struct bng_pcp *lease)
{
	__u32 key = bng_mapping_key(lease->protocol, lease->inner_port_be), port = lease->port;
	struct bng_port_block *block = port ? block_of_port(port) : NULL;
	__u64 *word = port_word(port);

	if (!block || !word || block->slot != lease->slot || block->session_id != lease->session_id)
		return 1;
	for (int i = 0; i < LEASE_TRIES; i++) {
		__u64 before = *(volatile __u64 *)word;

		if (bng_mapping_word_key(before) != key ||
		    (bng_mapping_word_flags(before) & BNG_MAPPING_PINNED) != BNG_MAPPING_PIN_PCP)
			return 1;
		if (__sync_val_compare_and_swap(word, before, lease_ended(before)) == before)
			return 1;
	}
	return 0;
}

/* With the port written down: bng_sweep may have ended the lease meanwhile, without the
 * port. One of the two sees the other. */
static __always_inline int lease_confirm(const struct bng_pcp *lease)
{
	if (lease->port && bng_pcp_state(*(volatile __u64 *)&lease->life) == BNG_PCP_ACTIVE)
		return 1;
	lease_unpin(lease);
	return 0;
}

struct lease_sweep {
	__u32 tick;
};

static long lease_sweep_one(__u32 step, struct lease_sweep *sweep)
{
	struct bng_pcp *lease = pcp_get(step + 1);
	__u64 life, expiring;
	__u32 deadline;

	if (!lease)
		return 1;
	life = *(volatile __u64 *)&lease->life;
	deadline = bng_pcp_deadline(life);
	if (bng_pcp_state(life) != BNG_PCP_ACTIVE || (__s32)(sweep->tick - deadline) <= 0)
		return 0;
	expiring = bng_pcp_life(BNG_PCP_EXPIRING, deadline);
	if (__sync_val_compare_and_swap(&lease->life, life, expiring) != life)
		return 0; /* controld has moved the deadline */
	/* Packets that keep winning are met again in the next run. */
	__sync_lock_test_and_set(&lease->life,
				 lease_unpin(lease) ? bng_pcp_life(BNG_PCP_EXPIRED, deadline) : life);
	return 0;
}

static __always_inline void lease_sweep_run(const struct bng_meta *facts, __u32 tick)
{
	struct lease_sweep sweep = {.tick = tick};

	if (facts->pcp_high > 1)
		bpf_loop(facts->pcp_high - 1, lease_sweep_one, &sweep, 0);
}

#endif
