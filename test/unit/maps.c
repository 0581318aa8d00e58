/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The wrappers over the maps, on real maps.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/maps/sizes.h"
#include "controld_fixture.h"
#include "run.h"

static const struct fixture_sizes sizes = {65536, 8, 1024};

static void setup(void)
{
	fixture_start(&sizes);
}

START_TEST(a_map_of_another_layout_is_refused)
{
	int fds[MAP_COUNT];
	struct maps *maps = NULL;
	char error[256] = "";

	for (int i = 0; i < MAP_COUNT; i++)
		fds[i] = dup(fixture.fds[i]);
	close(fds[MAP_pool]);
	fds[MAP_pool] = dup(fixture.fds[MAP_port_block]);
	ck_assert_int_eq(maps_open(fds, &maps, error, sizeof(error)), -EPROTO);
	ck_assert_ptr_null(maps);
	ck_assert_ptr_nonnull(
		strstr(error, "map pool: key of 4 and value of 32 bytes found, 4 and 256 expected"));
	for (int i = 0; i < MAP_COUNT; i++)
		ck_assert_int_eq(close(fds[i]), -1);
	fixture_stop();
}
END_TEST

START_TEST(a_descriptor_that_is_no_map_is_refused)
{
	int fds[MAP_COUNT];
	struct maps *maps = NULL;
	char error[256] = "";

	for (int i = 0; i < MAP_COUNT; i++)
		fds[i] = i == MAP_gateway ? dup(0) : dup(fixture.fds[i]);
	ck_assert_int_lt(maps_open(fds, &maps, error, sizeof(error)), 0);
	ck_assert_ptr_nonnull(strstr(error, "map gateway"));
	fixture_stop();
}
END_TEST

START_TEST(ranges_are_published_as_a_whole)
{
	struct maps *maps = fixture.controld.maps;
	struct bng_ranges next = {.inner_count = 1, .inner = {{1, 9, 1}}};
	const struct bng_ranges *before = maps_ranges(maps);

	ck_assert(maps_ranges_publish(maps, &next));
	ck_assert_ptr_ne(maps_ranges(maps), before);
	ck_assert_uint_eq(maps_ranges(maps)->inner[0].last, 9);
	ck_assert_uint_eq(before->inner_count, 0);
	ck_assert(!maps_ranges_publish(maps, &next));
	next.inner[0].last = 10;
	ck_assert(maps_ranges_publish(maps, &next));
	ck_assert_ptr_eq(maps_ranges(maps), before);
	fixture_stop();
}
END_TEST

static int by_number(const void *a, const void *b)
{
	return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

START_TEST(a_snapshot_has_every_entry_once)
{
	struct maps *maps = fixture.controld.maps;
	uint32_t count, *keys, *values;

	for (uint32_t i = 0; i < 50000; i++) {
		uint32_t key = i * 7, value = i + 1;
		ck_assert_int_eq(maps_set(maps, MAP_slot_of_address, &key, &value), 0);
	}
	ck_assert_int_eq(maps_snapshot(maps, MAP_slot_of_address, (void **)&keys, (void **)&values, &count),
			 0);
	ck_assert_uint_eq(count, 50000);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_uint_eq(keys[i], (values[i] - 1) * 7);
	qsort(keys, count, sizeof(*keys), by_number);
	for (uint32_t i = 0; i < count; i++)
		ck_assert_uint_eq(keys[i], i * 7);
	free(keys);
	free(values);
	fixture_stop();
}
END_TEST

START_TEST(a_trie_can_be_read_back)
{
	struct maps *maps = fixture.controld.maps;
	struct bng_exempt_key *keys;
	uint32_t count, *values, found = 0;

	for (uint32_t length = 1; length <= 32; length++) {
		struct bng_exempt_key key = {length, htonl(0xffffffffu << (32 - length))};
		ck_assert_int_eq(maps_set(maps, MAP_exempt, &key, &length), 0);
	}
	ck_assert_int_eq(maps_snapshot(maps, MAP_exempt, (void **)&keys, (void **)&values, &count), 0);
	ck_assert_uint_eq(count, 32);
	for (uint32_t i = 0; i < count; i++) {
		ck_assert_uint_eq(keys[i].prefix_length, values[i]);
		found |= 1u << (values[i] - 1);
	}
	ck_assert_uint_eq(found, UINT32_MAX);
	free(keys);
	free(values);
	fixture_stop();
}
END_TEST

START_TEST(deleting_what_is_not_there_is_no_error)
{
	uint32_t key = 5, value;

	ck_assert_int_eq(maps_delete(fixture.controld.maps, MAP_slot_of_address, &key), 0);
	ck_assert_int_eq(maps_get(fixture.controld.maps, MAP_slot_of_address, &key, &value), -ENOENT);
	fixture_stop();
}
END_TEST

START_TEST(counts_are_summed_over_cpus_and_kinds)
{
	struct maps *maps = fixture.controld.maps;
	struct bng_count counts[BNG_VERDICT_COUNT], of_cpu[maps->cpus];
	uint64_t cpus = maps->cpus;

	for (uint32_t verdict = 0; verdict < BNG_VERDICT_COUNT; verdict++) {
		for (unsigned i = 0; i < cpus; i++)
			of_cpu[i] = (struct bng_count){verdict, 100};
		ck_assert_int_eq(
			bpf_map_update_elem(fixture.fds[MAP_reason_count], &verdict, of_cpu, BPF_ANY), 0);
	}
	ck_assert_int_eq(maps_counts(maps, counts), 0);
	ck_assert_uint_eq(counts[BNG_DROP_TTL].packets, cpus * BNG_DROP_TTL);
	ck_assert_uint_eq(counts[BNG_DROP_TTL].bytes, cpus * 100);
	ck_assert_uint_eq(maps_count_kind(counts, "forward"),
			  cpus * (BNG_FORWARD_UP + BNG_FORWARD_UP_EXEMPT + BNG_FORWARD_DOWN +
				  BNG_FORWARD_DOWN_EXEMPT + BNG_FORWARD_HAIRPIN + BNG_FORWARD_ICMP_UP +
				  BNG_FORWARD_ICMP_DOWN + BNG_FORWARD_ALG_PLAIN));
	ck_assert_uint_eq(maps_count_kind(counts, "punt"),
			  cpus * (BNG_PUNT_DHCP4 + BNG_PUNT_FRAGMENT + BNG_PUNT_PCP + BNG_PUNT_FTP +
				  BNG_PUNT_PPPOE_DISCOVERY + BNG_PUNT_PPPOE_SESSION + BNG_PUNT_FIRST_PACKET +
				  BNG_PUNT_LARGE));
	fixture_stop();
}
END_TEST

START_TEST(use_is_counted)
{
	struct maps *maps = fixture.controld.maps;
	uint64_t used = 99;

	maps->subscriber[7].state = BNG_SUBSCRIBER_ACTIVE;
	maps->subscriber[9].state = BNG_SUBSCRIBER_CLOSING;
	ck_assert(maps_used(maps, MAP_subscriber, &used));
	ck_assert_uint_eq(used, 2);
	maps->meta->block_high = 3;
	maps->port_block[0] = (struct bng_port_block){.state = BNG_BLOCK_ALLOCATED, .used = 11};
	maps->port_block[1] = (struct bng_port_block){.state = BNG_BLOCK_HELD};
	maps->port_block[2] = (struct bng_port_block){.state = BNG_BLOCK_DRAINING, .used = 5};
	ck_assert(maps_used(maps, MAP_port_block, &used));
	ck_assert_uint_eq(used, 3);
	ck_assert(maps_used(maps, MAP_mapping, &used));
	ck_assert_uint_eq(used, 16);
	ck_assert(!maps_used(maps, MAP_reason_count, &used));
	ck_assert_uint_eq(maps_entry_bytes(maps, MAP_reason_count), 16 * maps->cpus);
	ck_assert_str_eq(maps_type_name(maps, MAP_exempt), "lpm_trie");
	fixture_stop();
}
END_TEST

static void on_event(const struct bng_event *event, void *context)
{
	(void)event;
	++*(int *)context;
}

START_TEST(an_empty_ring_is_drained_at_once)
{
	struct maps *maps = fixture.controld.maps;
	int count = 0;

	ck_assert_int_eq(maps_events_open(maps, on_event, &count), 0);
	ck_assert_int_ge(maps_events_fd(maps), 0);
	ck_assert_int_eq(maps_events_drain(maps, 10), 0);
	ck_assert_uint_eq(maps_events_waiting(maps), 0);
	ck_assert_int_eq(count, 0);
	fixture_stop();
}
END_TEST

static const struct {
	const char *tag;
	uint32_t entries; /* 0: it says no size */
} tags[] = {
	{"entries:subscribers*1/1+0", 1000},
	{"entries:subscribers*1/512+1", 2},
	{"entries:public_addresses*65536/8+0", 24576},
	{"entries:flows*1/4+0", 25},
	{"entries:port_blocks*1/1+0", 7},
	{"entries:pcp*1/1+0", 5},
	{"entries:exempt*1/1+0", 9},
	{"entries:subscribers*4294967295/1+0", 0},
	{"entries:subscribers*1/0+0", 0},
	{"entries:subscribers*1/1+0 ", 0},
	{"entries:subscribers*1/1", 0},
	{"entries:of_a_later_version*1/1+7", 0},
	{"entries:", 0},
	{"something else", 0},
	{"", 0},
};

START_TEST(a_map_has_the_configured_size)
{
	const struct config config = {.sizes = {.subscribers = 1000,
						.public_addresses = 3,
						.port_blocks = 7,
						.exempt = 9,
						.pcp = 5,
						.flows = 100}};

	ck_assert_msg(maps_size(&config, tags[_i].tag) == tags[_i].entries, "%s", tags[_i].tag);
}
END_TEST

START_TEST(what_is_no_object_has_no_sizes)
{
	const struct config config = {.sizes = {.subscribers = 1000}};
	FILE *file = tmpfile();
	json_t *found = maps_sizes(&config, fileno(file), NULL);

	ck_assert_uint_eq(json_object_size(found), 0);
	json_decref(found);
	fputs("this is no ELF file, but long enough to be looked at for a while, and then some more", file);
	fflush(file);
	found = maps_sizes(&config, fileno(file), NULL);
	ck_assert_uint_eq(json_object_size(found), 0);
	json_decref(found);
	found = maps_sizes(&config, -1, NULL);
	ck_assert_uint_eq(json_object_size(found), 0);
	json_decref(found);
	fclose(file);
}
END_TEST

START_TEST(a_size_that_can_grow_says_how)
{
	static const struct {
		const char *name;
		uint32_t wanted;
		bool grows;
	} rows[SIZES_COUNT] = {
		{"subscribers", 65537, true}, {"public_addresses", 7, false}, {"port_blocks", 1025, true},
		{"exempt", UINT32_MAX, true}, {"pcp", UINT32_MAX, true},      {"flows", UINT32_MAX, false},
	};
	const struct config config = {.sizes = {.subscribers = rows[0].wanted,
						.public_addresses = rows[1].wanted,
						.port_blocks = rows[2].wanted,
						.exempt = rows[3].wanted,
						.pcp = rows[4].wanted,
						.flows = rows[5].wanted}};
	struct size_compared compared[SIZES_COUNT];

	maps_sizes_compare(fixture.controld.maps, &config, compared);
	for (size_t i = 0; i < SIZES_COUNT; i++) {
		ck_assert_str_eq(compared[i].name, rows[i].name);
		ck_assert_uint_eq(compared[i].wanted, rows[i].wanted);
		ck_assert_int_eq(!!strstr(maps_size_advice(&compared[i]), "issu migrate"), rows[i].grows);
	}
	ck_assert_uint_eq(compared[0].running, sizes.subscribers);
	ck_assert_uint_eq(compared[1].running, 8);
	ck_assert_uint_eq(compared[2].running, 1024);
	fixture_stop();
}
END_TEST

/* Whoever reads names from BTF, as the holder does for a canary, says what bngcli says. */
START_TEST(a_verdict_has_one_name)
{
	static const char *const enumerators[] = {
#define ROW(name, text, meaning) #name,
		BNG_VERDICTS(ROW)
#undef ROW
	};

	for (unsigned i = 0; i < BNG_VERDICT_COUNT; i++)
		ck_assert_msg(!strcasecmp(enumerators[i], maps_verdict_name(i)), "BNG_%s is called %s",
			      enumerators[i], maps_verdict_name(i));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("maps");
	TCase *test = tcase_create("maps");

	tcase_add_checked_fixture(test, setup, NULL);
	tcase_add_loop_test(test, a_map_has_the_configured_size, 0, sizeof(tags) / sizeof(tags[0]));
	tcase_add_test(test, what_is_no_object_has_no_sizes);
	tcase_add_test(test, a_size_that_can_grow_says_how);
	tcase_add_test(test, a_map_of_another_layout_is_refused);
	tcase_add_test(test, a_descriptor_that_is_no_map_is_refused);
	tcase_add_test(test, ranges_are_published_as_a_whole);
	tcase_add_test(test, a_snapshot_has_every_entry_once);
	tcase_add_test(test, a_trie_can_be_read_back);
	tcase_add_test(test, deleting_what_is_not_there_is_no_error);
	tcase_add_test(test, counts_are_summed_over_cpus_and_kinds);
	tcase_add_test(test, use_is_counted);
	tcase_add_test(test, a_verdict_has_one_name);
	tcase_add_test(test, an_empty_ring_is_drained_at_once);
	suite_add_tcase(suite, test);
	return run_suite(suite);
}
