/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The gateway that two_cpus.c runs on two CPUs at once: its maps in memory, its
 * sessions, and the recount of everything at the end.
 */
#ifndef BNG_TEST_TWO_CPUS_H
#define BNG_TEST_TWO_CPUS_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/abi/cgnat.h"
#include "dataplane/abi/interface.h"
#include "dataplane/abi/mapping_word.h"
#include "dataplane/abi/meta.h"
#include "dataplane/abi/subscriber.h"
#include "dataplane/abi/verdict.h"

#define SESSIONS       48
#define FIRST_SLOT     1
#define ADDRESSES      2
#define BLOCK_SHIFT    6
#define BLOCKS_OFFERED 20 /* of each address: fewer than all sessions may have */
#define TIMEOUT_TICKS  24
#define HOLD_TICKS     6
#define INNER_FIRST    0x0a000000u /* 10.0.0.0 is slot 0 */
#define PUBLIC_FIRST   0xcb007100u /* 203.0.113.0 */
#define PUBLIC_PORTS   (ADDRESSES * 65536)

struct world {
	struct bpf_object *object;
	int access_fd, core_fd, sweep_fd;
	int count_fd;
	struct bng_slot_group *closing;
	uint32_t access_ifindex, core_ifindex;
	struct bng_meta *meta;
	struct bng_subscriber *subscriber;
	struct bng_pool *pool;
	struct bng_pool_address *address;
	struct bng_port_block *block;
	uint64_t *mapping; /* index = public address << 16 | port */
	struct bng_ranges *range;
	struct bng_interface *interface;
};

/* Loads `object_file` and makes a gateway of it. Ends the program when it cannot. */
void world_open(struct world *world, const char *object_file);
void world_close(struct world *world);
/* Opens the session of a FREE slot, with a new generation. */
void session_open(struct world *world, uint32_t slot);
void session_close(struct world *world, uint32_t slot);
/* As controld moves a session to the next address; false if it has none, or has just
 * been given another. */
int session_move(struct world *world, uint32_t slot);
/* The limits differ, so that each kind is met. */
static inline uint8_t limit_blocks(uint32_t slot)
{
	return 1 + slot % 3;
}

static inline uint32_t limit_mappings(uint32_t slot)
{
	return slot % 4 ? 1000 : 50;
}

uint32_t world_tick(const struct world *world);
/* Packets counted for one verdict. */
uint64_t world_count(const struct world *world, enum bng_verdict verdict);
/* How many things are not as they must be; each is said on standard error. */
unsigned world_recount(const struct world *world);

#endif
