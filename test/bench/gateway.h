/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-bench-gateway: gateways for the benchmark without daemons.
 */
#ifndef BNG_BENCH_GATEWAY_H
#define BNG_BENCH_GATEWAY_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;

struct gateway_port {
	char device[IF_NAMESIZE];
	int ifindex;
	uint8_t mac[6];
	uint16_t mtu;
};

struct gateway_options {
	const char *object;
	struct gateway_port access;
	struct gateway_port core;
	uint32_t subscribers;
	uint32_t address;        /* host order, of the first subscriber */
	uint32_t gateway;        /* host order */
	uint64_t mac;            /* of the first subscriber */
	uint32_t public_address; /* host order, the first one */
	uint32_t public_count;
	unsigned block_shift;
	unsigned max_blocks;
	uint16_t outer_vid; /* of every subscriber; 0: untagged */
	uint16_t inner_vid;
	uint32_t fault; /* enum fault */
	uint32_t every;
};

/* Sizes before the load, contents after it. 0 or -errno. */
int gateway_direct_size(struct bpf_object *object, const struct gateway_options *options);
int gateway_direct_fill(struct bpf_object *object, const struct gateway_options *options);
/* Everything that `reason_count` has counted, by name, on standard output. */
int gateway_direct_verdicts(struct bpf_object *object);

#endif
