/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fills the maps of bng.bpf.o as controld would for one pool and a run of
 * subscribers, so that the data plane can be measured while it is being changed.
 */
#include "test/bench/gateway.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "dataplane/abi/cgnat.h"
#include "dataplane/abi/interface.h"
#include "dataplane/abi/meta.h"
#include "dataplane/abi/subscriber.h"
#include "dataplane/abi/verdict.h"
#include "dataplane/abi/version.h"

enum { ACCESS = 1, CORE = 2 }; /* interface indexes */

static uint32_t blocks_per_address(const struct gateway_options *options)
{
	return 65536u >> options->block_shift;
}

int gateway_direct_size(struct bpf_object *object, const struct gateway_options *options)
{
	const struct {
		const char *name;
		uint32_t entries;
	} sizes[] = {
		{"subscriber", options->subscribers + 1},
		{"pool_address", options->public_count},
		{"port_block", options->public_count * blocks_per_address(options)},
		{"mapping", options->public_count * (65536 / BNG_PORTS_PER_BUCKET)},
	};
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		int code = bpf_map__pin_path(map) ? bpf_map__set_pin_path(map, NULL) : 0;

		if (code)
			return code;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		map = bpf_object__find_map_by_name(object, sizes[i].name);
		if (!map || bpf_map__set_max_entries(map, sizes[i].entries))
			return -EINVAL;
	}
	return 0;
}

static int put(struct bpf_object *object, const char *map, const void *key, const void *value)
{
	int fd = bpf_object__find_map_fd_by_name(object, map);

	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(fd, key, value, BPF_ANY)) {
		fprintf(stderr, "bng-bench-gateway: write to map %s: %s\n", map, strerror(errno));
		return -errno;
	}
	return 0;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int fill_meta(struct bpf_object *object, const struct gateway_options *options)
{
	uint32_t zero = 0;
	struct bng_meta meta = {
		.abi_version = BNG_ABI_VERSION,
		.clock_offset_ns = clock_ns(CLOCK_BOOTTIME) - clock_ns(CLOCK_MONOTONIC),
		.hold_down_ticks = BNG_TICKS_OF_SECONDS(120),
		.block_high = options->public_count * blocks_per_address(options),
		.pool_count = 1,
	};

	return put(object, "meta", &zero, &meta);
}

static int fill_interface(struct bpf_object *object, const struct gateway_options *options, uint32_t index,
			  const struct gateway_port *port, uint8_t role)
{
	struct bng_interface interface = {.ifindex = (uint32_t)port->ifindex, .role = role, .mtu = port->mtu};
	struct bng_gateway_key gateway = {.interface = index, .address_be = htonl(options->gateway)};
	uint32_t ifindex = (uint32_t)port->ifindex, one = 1;
	int code;

	memcpy(interface.mac, port->mac, sizeof(interface.mac));
	if (role == BNG_ROLE_ACCESS)
		interface.address_be = htonl(options->gateway);
	code = put(object, "interface", &index, &interface);
	if (!code)
		code = put(object, "interface_of_ifindex", &ifindex, &index);
	if (!code)
		code = put(object, "tx_interface", &index, &ifindex);
	if (!code && role == BNG_ROLE_ACCESS)
		code = put(object, "gateway", &gateway, &one);
	return code;
}

static int fill_pool(struct bpf_object *object, const struct gateway_options *options)
{
	uint32_t zero = 0;
	struct bng_pool pool = {
		.address_count = options->public_count,
		.segment_count = 1,
		.block_shift = (uint8_t)options->block_shift,
		.max_blocks = (uint8_t)options->max_blocks,
		.max_mappings = 65535,
		.timeout = {[BNG_MAPPING_UDP] = BNG_TICKS_OF_SECONDS(300),
			    [BNG_MAPPING_ICMP] = BNG_TICKS_OF_SECONDS(60),
			    [BNG_MAPPING_TCP_PARTIAL] = BNG_TICKS_OF_SECONDS(240),
			    [BNG_MAPPING_TCP_ESTABLISHED] = BNG_TICKS_OF_SECONDS(7440),
			    [BNG_MAPPING_TCP_CLOSING] = BNG_TICKS_OF_SECONDS(240),
			    [BNG_MAPPING_TCP_RESET] = BNG_TICKS_OF_SECONDS(240)},
		.segment = {{.first_index = 0, .count = options->public_count}},
	};

	return put(object, "pool", &zero, &pool);
}

static int fill_pool_addresses(struct bpf_object *object, const struct gateway_options *options)
{
	uint32_t blocks = blocks_per_address(options), port_step = 1u << options->block_shift;
	int code = 0;

	for (uint32_t i = 0; i < options->public_count && !code; i++) {
		struct bng_pool_address address = {
			.address_be = htonl(options->public_address + i),
			.first_block = i * blocks,
			.block_shift = (uint8_t)options->block_shift,
			.flags = BNG_POOL_ADDRESS_ENABLED,
		};

		for (uint32_t bit = 0; bit < BNG_BLOCKS_PER_ADDRESS_MAX; bit++) {
			if (bit < blocks && bit * port_step >= BNG_FIRST_PORT)
				address.free_blocks++;
			else
				address.taken[bit / 64] |= 1ull << (bit % 64);
		}
		code = put(object, "pool_address", &i, &address);
	}
	return code;
}

static int fill_ranges(struct bpf_object *object, const struct gateway_options *options)
{
	uint32_t zero = 0;
	struct bng_ranges ranges = {.inner_count = 1, .public_count = 1};

	ranges.inner[0] =
		(struct bng_range){options->address, options->address + options->subscribers - 1, 1};
	ranges.outer[0] = (struct bng_range){options->public_address,
					     options->public_address + options->public_count - 1, 0};
	return put(object, "range", &zero, &ranges);
}

static void fill_subscriber(struct bng_subscriber *record, const struct gateway_options *options,
			    uint32_t number)
{
	uint64_t mac = options->mac + number;

	record->address_be = htonl(options->address + number);
	record->interface = ACCESS;
	for (int i = 0; i < 6; i++)
		record->mac[i] = (uint8_t)(mac >> (40 - 8 * i));
	record->outer_vid = options->outer_vid;
	record->inner_vid = options->inner_vid;
	record->generation = 1;
	record->port_key = (uint32_t)random();
	record->block_shift = (uint8_t)options->block_shift;
	record->address_index = BNG_NO_ADDRESS_INDEX;
	record->max_mappings = 65535;
	record->max_blocks = (uint8_t)options->max_blocks;
	record->session_id = number + 1;
	record->opened_ns = (uint64_t)clock_ns(CLOCK_BOOTTIME);
	record->kind = BNG_SESSION_STATIC;
	record->state = BNG_SUBSCRIBER_ACTIVE;
}

static int fill_subscribers(struct bpf_object *object, const struct gateway_options *options)
{
	int fd = bpf_object__find_map_fd_by_name(object, "subscriber");
	size_t size = (options->subscribers + 1) * sizeof(struct bng_subscriber);
	struct bng_subscriber *records = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (records == MAP_FAILED)
		return -errno;
	srandom(1);
	for (uint32_t i = 0; i < options->subscribers; i++)
		fill_subscriber(&records[i + 1], options, i);
	munmap(records, size);
	return 0;
}

int gateway_direct_fill(struct bpf_object *object, const struct gateway_options *options)
{
	int code = fill_meta(object, options);

	if (!code)
		code = fill_interface(object, options, ACCESS, &options->access, BNG_ROLE_ACCESS);
	if (!code)
		code = fill_interface(object, options, CORE, &options->core, BNG_ROLE_CORE);
	if (!code)
		code = fill_pool(object, options);
	if (!code)
		code = fill_pool_addresses(object, options);
	if (!code)
		code = fill_ranges(object, options);
	return code ? code : fill_subscribers(object, options);
}

int gateway_direct_verdicts(struct bpf_object *object)
{
	static const char *const names[] = {
#define VERDICT_TEXT(name, text, meaning) text,
		BNG_VERDICTS(VERDICT_TEXT)
#undef VERDICT_TEXT
	};
	int cpus = libbpf_num_possible_cpus(), fd = bpf_object__find_map_fd_by_name(object, "reason_count");
	struct bng_count *counts = calloc(cpus > 0 ? (size_t)cpus : 1, sizeof(*counts));

	if (!counts || cpus <= 0 || fd < 0) {
		free(counts);
		return -EINVAL;
	}
	printf("{");
	for (uint32_t i = 0, shown = 0; i < BNG_VERDICT_COUNT; i++) {
		uint64_t packets = 0;

		if (bpf_map_lookup_elem(fd, &i, counts))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			packets += counts[cpu].packets;
		if (packets)
			printf("%s\"%s\": %llu", shown++ ? ", " : "", names[i], (unsigned long long)packets);
	}
	printf("}\n");
	fflush(stdout);
	free(counts);
	return 0;
}
