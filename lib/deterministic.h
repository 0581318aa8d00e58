/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Deterministic address and port assignment (RFC 7422): from a subscriber's
 * address to a public address and its port blocks, and back, by arithmetic alone.
 *
 * The subscribers are numbered in the order of the prefixes, and so are the public
 * addresses. Subscriber n has `blocks` blocks of public address n / ratio, the
 * (n % ratio)-th such run from block `first_block` on. What lies below is never given
 * out, what lies behind the runs of an address is for dynamic assignment. Prefixes
 * and addresses that are added at the end change nobody's blocks.
 */
#ifndef BNG_LIB_DETERMINISTIC_H
#define BNG_LIB_DETERMINISTIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/json.h"

#define DETERMINISTIC_PORTS      65536u
#define DETERMINISTIC_BLOCKS_MAX 8 /* of one subscriber */

struct deterministic_range {
	uint32_t first; /* host order */
	uint32_t last;
};

struct deterministic {
	unsigned block_size; /* ports, a power of two */
	unsigned first_block;
	unsigned blocks;         /* of each subscriber */
	unsigned ratio;          /* subscribers of each public address */
	unsigned dynamic_blocks; /* of each public address, at least */
	unsigned first_port;     /* as it was asked for */
	size_t subscriber_ranges;
	size_t address_ranges;
	struct deterministic_range range[]; /* of subscribers, then of public addresses */
};

/* A subscriber's blocks: they follow each other. */
struct deterministic_place {
	uint32_t address; /* public, host order */
	uint16_t first;   /* port */
	uint16_t last;
};

/* The rule of one pool, an object with the members prefixes, block_size and
 * deterministic; NULL when the reader has failed. */
struct deterministic *deterministic_read(struct json_reader *reader, const json_t *pool);
/* NULL: out of memory. */
struct deterministic *deterministic_copy(const struct deterministic *rule);
void deterministic_free(struct deterministic *rule);
bool deterministic_same(const struct deterministic *a, const struct deterministic *b);

uint64_t deterministic_subscribers(const struct deterministic *rule);
uint64_t deterministic_addresses(const struct deterministic *rule);

/* False: the address is no subscriber of the rule. */
bool deterministic_place_of(const struct deterministic *rule, uint32_t subscriber,
			    struct deterministic_place *place);
/* False: the port is no subscriber's by the rule. */
bool deterministic_owner_of(const struct deterministic *rule, uint32_t address, uint16_t port,
			    uint32_t *subscriber);
/* The first block of a public address that is for dynamic assignment; 0: the address
 * is not the rule's. */
unsigned deterministic_dynamic_from(const struct deterministic *rule, uint32_t address);

#endif
