/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A controld without a holder and without packets, see the header.
 */
#include "controld_fixture.h"

#include <bpf/bpf.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "controld/feature.h"
#include "lib/address.h"

struct fixture fixture;

extern const struct bng_feature session_feature, cgnat_feature, qos_feature, filter_feature, routes_feature;

static void count_up(struct controld *controld, const struct session *session)
{
	(void)controld;
	ck_assert_uint_eq(session->record->state, BNG_SUBSCRIBER_ACTIVE);
	fixture.ups++;
}

static void count_change(struct controld *controld, const struct session *session)
{
	(void)controld;
	(void)session;
	fixture.changes++;
}

static void count_down(struct controld *controld, const struct session *session, enum session_end end,
		       const char *why)
{
	(void)controld;
	(void)end;
	(void)why;
	ck_assert_uint_eq(session->record->state, BNG_SUBSCRIBER_ACTIVE);
	fixture.downs++;
}

static void count_adopted(struct controld *controld, const struct session *session)
{
	ck_assert_ptr_nonnull(session_detail(controld, session));
	fixture.adopted++;
}

static void count_ended(struct controld *controld, const struct session_detail *detail,
			const struct bng_subscriber *record)
{
	(void)controld;
	ck_assert(!record || record->session_id == detail->session_id);
	fixture.ended_up_bytes = record ? record->up_bytes : 0;
	fixture.ended++;
}

static void count_gone(struct controld *controld, uint64_t session_id)
{
	(void)controld;
	ck_assert_uint_ne(session_id, 0);
	fixture.gone++;
}

static void keep_event(struct controld *controld, const struct bng_event *event)
{
	(void)controld;
	ck_assert_uint_lt(fixture.told_count, sizeof(fixture.told) / sizeof(fixture.told[0]));
	fixture.told[fixture.told_count++] = *event;
}

static const struct session_hooks hooks = {
	.up = count_up,
	.adopted = count_adopted,
	.change = count_change,
	.down = count_down,
	.ended = count_ended,
	.gone = count_gone,
};
static const struct event_hooks event_hooks = {.event = keep_event};
static const struct bng_feature counter_feature = {
	.name = "counter", .hooks = &hooks, .events = &event_hooks};
const struct bng_feature *const bng_features[] = {
	&cgnat_feature,   &qos_feature, &filter_feature, &session_feature, &routes_feature,
	&counter_feature, NULL,
};

static int make_map(enum map_id id, enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%s", maps_name(id));
	if (type == BPF_MAP_TYPE_ARRAY)
		options.map_flags = BPF_F_MMAPABLE;
	if (type == BPF_MAP_TYPE_LPM_TRIE)
		options.map_flags = BPF_F_NO_PREALLOC;
	fd = bpf_map_create(type, name, key, value, entries, &options);
	ck_assert_msg(fd >= 0, "making the map %s failed: %s", name, strerror(errno));
	return fd;
}

static void make_maps(const struct fixture_sizes *sizes)
{
	uint32_t entries[MAP_COUNT] = {
		[MAP_meta] = 1,
		[MAP_subscriber] = sizes->subscribers,
		[MAP_closing] = BNG_SLOT_GROUPS(sizes->subscribers),
		[MAP_pool] = BNG_POOLS,
		[MAP_port_timer] = BNG_POOLS,
		[MAP_pool_address] = sizes->public_addresses,
		[MAP_port_block] = sizes->port_blocks,
		[MAP_mapping] = sizes->public_addresses * (65536 / BNG_PORTS_PER_BUCKET),
		[MAP_range] = 2,
		[MAP_flow] = 96,
		[MAP_tunnel] = 16,
		[MAP_fragment] = BNG_FRAGMENTS,
		[MAP_interface] = BNG_INTERFACES,
		[MAP_pcp] = 64,
		[MAP_punt_limit] = BNG_PUNT_REASONS,
		[MAP_pppoe_limit] = BNG_PPPOE_LIMITS,
		[MAP_filter] = BNG_FILTERS,
	};

#define MAKE_ARRAY(name, type_of_value)                                                                      \
	fixture.fds[MAP_##name] =                                                                            \
		make_map(MAP_##name, BPF_MAP_TYPE_ARRAY, 4, sizeof(type_of_value), entries[MAP_##name]);
	MAPS_ARRAYS(MAKE_ARRAY)
#undef MAKE_ARRAY
	fixture.fds[MAP_slot_of_address] =
		make_map(MAP_slot_of_address, BPF_MAP_TYPE_HASH, 4, 4, sizes->subscribers);
	fixture.fds[MAP_pppoe_session] = make_map(MAP_pppoe_session, BPF_MAP_TYPE_HASH,
						  sizeof(struct bng_pppoe_key), 4, FIXTURE_PPPOE_SESSIONS);
	fixture.fds[MAP_interface_of_ifindex] =
		make_map(MAP_interface_of_ifindex, BPF_MAP_TYPE_HASH, 4, 4, 64);
	fixture.fds[MAP_gateway] =
		make_map(MAP_gateway, BPF_MAP_TYPE_HASH, sizeof(struct bng_gateway_key), 4, 64);
	fixture.fds[MAP_tx_interface] = make_map(MAP_tx_interface, BPF_MAP_TYPE_DEVMAP, 4, 4, BNG_INTERFACES);
	fixture.fds[MAP_alg] =
		make_map(MAP_alg, BPF_MAP_TYPE_HASH, sizeof(struct bng_alg_key), sizeof(struct bng_alg), 64);
	fixture.fds[MAP_exempt] =
		make_map(MAP_exempt, BPF_MAP_TYPE_LPM_TRIE, sizeof(struct bng_exempt_key), 4, 1024);
	fixture.fds[MAP_first_packet_prefix] =
		make_map(MAP_first_packet_prefix, BPF_MAP_TYPE_LPM_TRIE, sizeof(struct bng_first_packet_key),
			 4, BNG_FIRST_PACKET_PREFIXES);
	fixture.fds[MAP_exempt_port] =
		make_map(MAP_exempt_port, BPF_MAP_TYPE_LPM_TRIE, sizeof(struct bng_exempt_port_key), 4, 1024);
	fixture.fds[MAP_reason_count] = make_map(MAP_reason_count, BPF_MAP_TYPE_PERCPU_ARRAY, 4,
						 sizeof(struct bng_count), BNG_VERDICT_SLOTS);
	fixture.fds[MAP_filter_hit] = make_map(MAP_filter_hit, BPF_MAP_TYPE_PERCPU_ARRAY, 4,
					       sizeof(struct bng_filter_hits), 2 * BNG_FILTERS);
	fixture.fds[MAP_events] = make_map(MAP_events, BPF_MAP_TYPE_RINGBUF, 0, 0, 65536);
}

static void start_parts(void)
{
	char error[256] = "";
	int fds[MAP_COUNT];

	for (int i = 0; i < MAP_COUNT; i++)
		fds[i] = dup(fixture.fds[i]);
	ck_assert_msg(!maps_open(fds, &fixture.controld.maps, error, sizeof(error)), "%s", error);
	fixture.controld.names = calloc(1, sizeof(*fixture.controld.names));
	names_set_interface(&fixture.controld, 1, "access0");
	names_set_interface(&fixture.controld, 2, "core0");
	ck_assert_int_eq(sessions_new(&fixture.controld, 1000000000 + 100000 * fixture.starts++), 0);
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->init)
			ck_assert_int_eq(bng_features[i]->init(&fixture.controld), 0);
}

static void stop_parts(void)
{
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->free)
			bng_features[i]->free(&fixture.controld);
	sessions_free(&fixture.controld);
	maps_close(fixture.controld.maps);
	config_free(fixture.controld.config);
	free(fixture.controld.names);
	memset(&fixture.controld, 0, sizeof(fixture.controld));
}

void fixture_start(const struct fixture_sizes *sizes)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	memset(&fixture, 0, sizeof(fixture));
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	make_maps(sizes);
	start_parts();
}

void fixture_stop(void)
{
	stop_parts();
	for (int i = 0; i < MAP_COUNT; i++)
		close(fixture.fds[i]);
}

void fixture_restart(struct sessions_adopted *adopted)
{
	stop_parts();
	start_parts();
	ck_assert_int_eq(sessions_adopt(&fixture.controld, adopted), 0);
}

const char *fixture_text(const char *pools, const char *sessions, const char *nat)
{
	static char text[1 << 20];
	uint32_t subscribers = maps_entries(fixture.controld.maps, MAP_subscriber);

	snprintf(text, sizeof(text),
		 "{\"interfaces\": [{\"name\": \"access0\", \"role\": \"access\"},"
		 "                  {\"name\": \"core0\", \"role\": \"core\"}],"
		 " \"sizes\": {\"subscribers\": %u, \"public_addresses\": %u, \"port_blocks\": %u},"
		 " \"gateways\": [{\"interface\": \"access0\", \"address\": \"10.0.0.1\"},"
		 "                {\"interface\": \"access0\", \"address\": \"10.0.8.1\"},"
		 "                {\"interface\": \"access0\", \"address\": \"10.1.0.1\"}],"
		 " \"dhcp4\": {\"pools\": [%s]}, \"sessions\": [%s], \"cgnat\": {\"pools\": [%s]}}",
		 subscribers, maps_entries(fixture.controld.maps, MAP_pool_address),
		 maps_entries(fixture.controld.maps, MAP_port_block), pools, sessions, nat);
	return text;
}

int fixture_configure(const char *text, char *error, size_t size)
{
	struct controld *controld = &fixture.controld;
	struct config *next;
	int failure;

	ck_assert_msg(!config_parse(text, strlen(text), "test", &next, error, size), "%s", error);
	failure = cgnat_feature.check(controld, controld->config, next, error, size);
	if (!failure)
		failure = filter_feature.check(controld, controld->config, next, error, size);
	if (!failure)
		failure = session_feature.check(controld, controld->config, next, error, size);
	if (failure) {
		config_free(next);
		return failure;
	}
	for (int i = 0; bng_features[i]; i++)
		if (bng_features[i]->apply)
			ck_assert_int_eq(bng_features[i]->apply(controld, controld->config, next), 0);
	config_free(controld->config);
	controld->config = next;
	return 0;
}

void fixture_release(uint32_t slot)
{
	fixture.controld.maps->subscriber[slot].state = BNG_SUBSCRIBER_FREE;
}

uint32_t fixture_released(uint32_t *slots, uint32_t max)
{
	__u64 *words = fixture.controld.maps->closing[0].word; /* one group after the other */
	uint32_t count = 0;

	for (uint32_t slot = 0; slot < fixture.controld.sessions->capacity && count < max; slot++) {
		if (!(words[slot / 64] >> (slot % 64) & 1))
			continue;
		words[slot / 64] &= ~(1ULL << (slot % 64));
		slots[count++] = slot;
	}
	return count;
}

struct session_spec fixture_spec(const char *address, uint32_t client)
{
	struct session_spec spec = {
		.client = {.interface = 1, .mac = {2, 0}},
		.kind = BNG_SESSION_ADDED,
	};

	ck_assert_int_eq(address_parse(address, &spec.address_be), 0);
	memcpy(spec.client.mac + 2, &client, sizeof(client));
	return spec;
}
