/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Exempt destinations from a file: what is read, what is refused and by which words,
 * and what becomes of the list in the map.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgnat_fixture.h"
#include "controld/cgnat/exempt.h"
#include "controld/config/exempt.h"
#include "dataplane/abi/mapping_word.h"
#include "lib/address.h"
#include "run.h"

static const struct fixture_sizes sizes = {4096, 16, 4096};
static char error[512], file[64];
static struct exempt *exempt;
static struct config config;

static void setup(void)
{
	fixture_start(&sizes);
	ck_assert_int_eq(exempt_new(&exempt), 0);
	snprintf(file, sizeof(file), "/tmp/check_exempt.%d", getpid());
	config = (struct config){.exempt_file = file};
}

static void teardown(void)
{
	exempt_free(exempt);
	fixture_stop();
	unlink(file);
}

static void write_file(const char *text)
{
	FILE *stream = fopen(file, "w");

	ck_assert_ptr_nonnull(stream);
	fputs(text, stream);
	fclose(stream);
}

static int apply(const char *text)
{
	write_file(text);
	return exempt_apply(&fixture.controld, exempt, &config, &config);
}

/* The value of an entry; 0: not there. LPM finds shorter ones too, so the whole list
 * is looked through. */
static uint32_t value_of(const char *first, uint32_t length)
{
	struct bng_exempt_key *keys;
	uint32_t *values, count, address_be, value = 0;

	ck_assert_int_eq(address_parse(first, &address_be), 0);
	ck_assert_int_eq(
		maps_snapshot(fixture.controld.maps, MAP_exempt, (void **)&keys, (void **)&values, &count),
		0);
	for (uint32_t i = 0; i < count; i++)
		if (keys[i].prefix_length == length && keys[i].address_be == address_be)
			value = values[i];
	free(keys);
	free(values);
	return value;
}

/* The same for a TCP port of an address or prefix. */
static uint32_t value_of_port(const char *first, uint32_t length, uint16_t port)
{
	struct bng_exempt_port_key *keys;
	uint32_t *values, count, address_be, value = 0;

	ck_assert_int_eq(address_parse(first, &address_be), 0);
	ck_assert_int_eq(maps_snapshot(fixture.controld.maps, MAP_exempt_port, (void **)&keys,
				       (void **)&values, &count),
			 0);
	for (uint32_t i = 0; i < count; i++)
		if (keys[i].prefix_length == BNG_EXEMPT_SERVICE_BITS + length &&
		    keys[i].address_be == address_be && keys[i].protocol == BNG_PROTOCOL_TCP &&
		    keys[i].port_be == htons(port) && !keys[i].reserved0)
			value = values[i];
	free(keys);
	free(values);
	return value;
}

static uint64_t ports_in_use(void)
{
	uint64_t used = 0;

	ck_assert(maps_used(fixture.controld.maps, MAP_exempt_port, &used));
	return used;
}

static uint32_t of_epoch(uint32_t epoch)
{
	return epoch << BNG_EXEMPT_EPOCH_SHIFT | BNG_EXEMPT_PERMANENT;
}

START_TEST(every_kind_of_line_is_read)
{
	static const char text[] = "# heading\n\n192.0.2.0/24 # a net\n \t198.51.100.7\r\n192.0.2.0/24\n"
				   "0.0.0.0/0\n10.0.0.0/8";
	struct config_exempt *list = NULL;
	size_t count = 0;

	ck_assert_int_eq(exempt_parse(text, strlen(text), "f", &list, &count, error, sizeof(error)), 0);
	ck_assert_uint_eq(count, 4);
	ck_assert(list[0].prefix.first == 0 && list[0].prefix.last == UINT32_MAX &&
		  list[0].prefix.length == 0);
	ck_assert(list[1].prefix.first == 0x0a000000 && list[1].prefix.length == 8);
	ck_assert(list[2].prefix.first == 0xc0000200 && list[2].prefix.last == 0xc00002ff);
	ck_assert(list[3].prefix.first == 0xc6336407 && list[3].prefix.length == 32);
	for (size_t i = 0; i < count; i++)
		ck_assert(!list[i].protocol && !list[i].port);
	free(list);
	ck_assert_int_eq(exempt_parse("#\n", 2, "f", &list, &count, error, sizeof(error)), 0);
	ck_assert_uint_eq(count, 0);
	free(list);
}
END_TEST

/* By prefix, then by port; the same port twice is one. */
START_TEST(ports_are_read)
{
	static const char text[] = "192.0.2.0/24 udp/53\n192.0.2.0/24\t \ttcp/65535 # last\n192.0.2.0/24\n"
				   "192.0.2.0/24  udp/53\r\n198.51.100.7 tcp/1\n0.0.0.0/0 tcp/443";
	static const struct {
		uint32_t first;
		unsigned length;
		uint8_t protocol;
		uint16_t port;
	} expected[] = {
		{0, 0, BNG_PROTOCOL_TCP, 443},          {0xc0000200, 24, 0, 0},
		{0xc0000200, 24, BNG_PROTOCOL_UDP, 53}, {0xc0000200, 24, BNG_PROTOCOL_TCP, 65535},
		{0xc6336407, 32, BNG_PROTOCOL_TCP, 1},
	};
	struct config_exempt *list = NULL;
	size_t count = 0;

	ck_assert_int_eq(exempt_parse(text, strlen(text), "f", &list, &count, error, sizeof(error)), 0);
	ck_assert_uint_eq(count, 5);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(list[i].prefix.first, expected[i].first);
		ck_assert_uint_eq(list[i].prefix.length, expected[i].length);
		ck_assert_uint_eq(list[i].protocol, expected[i].protocol);
		ck_assert_uint_eq(list[i].port, expected[i].port);
	}
	free(list);
}
END_TEST

static const struct {
	const char *text;
	const char *expected;
} wrong[] = {
	{"192.0.2.0/24\n192.0.2.0/33\n", "f line 2: \"192.0.2.0/33\": must be an IPv4 prefix such as"},
	{"192.0.2.1/24", "f line 1: \"192.0.2.1/24\": must be an IPv4 prefix such as"},
	{"#\n\n\nexample.net # name\n", "f line 4: \"example.net\": must be"},
	{"10.0.0.0/8 10.1.0.0/16",
	 "f line 1: \"10.0.0.0/8 10.1.0.0/16\": must have nothing behind the prefix "
	 "but a destination port such as tcp/443 or udp/53"},
	{"10.0.0.0/8 tcp/65536", "f line 1: \"10.0.0.0/8 tcp/65536\": must have nothing behind"},
	{"10.0.0.0/8 tcp/0", "f line 1: \"10.0.0.0/8 tcp/0\": must have nothing behind"},
	{"10.0.0.0/8 tcp/+1", "f line 1: \"10.0.0.0/8 tcp/+1\": must have nothing behind"},
	{"10.0.0.0/8 tcp/443,80", "f line 1: \"10.0.0.0/8 tcp/443,80\": must have nothing behind"},
	{"10.0.0.0/8 tcp/443 udp/443", "f line 1: \"10.0.0.0/8 tcp/443 udp/443\": must have nothing behind"},
	{"10.0.0.0/8 icmp/8", "f line 1: \"10.0.0.0/8 icmp/8\": must have nothing behind"},
	{"10.0.0.0/8 tcp/", "f line 1: \"10.0.0.0/8 tcp/\": must have nothing behind"},
	{"# one\ntcp/443 10.0.0.0/8", "f line 2: \"tcp/443 10.0.0.0/8\": must be an IPv4 prefix"},
	{"10.0.0.1/8 tcp/443", "f line 1: \"10.0.0.1/8 tcp/443\": must be an IPv4 prefix"},
	{"1\x01\x7f", "f line 1: \"1\?\?\": must be"},
	{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 "f line 1: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\": must be"},
};

START_TEST(a_wrong_line_is_named)
{
	struct config_exempt *list = NULL;
	size_t count = 77;

	ck_assert_int_eq(exempt_parse(wrong[_i].text, strlen(wrong[_i].text), "f", &list, &count, error,
				      sizeof(error)),
			 -EINVAL);
	ck_assert_msg(!strncmp(error, wrong[_i].expected, strlen(wrong[_i].expected)), "%s", error);
	ck_assert(!list && count == 77);
}
END_TEST

START_TEST(a_wrong_file_leaves_the_list_whole)
{
	const struct bng_meta *meta = fixture.controld.maps->meta;

	ck_assert_int_eq(apply("192.0.2.0/24\n198.51.100.0/24\n"), 0);
	ck_assert_uint_eq(meta->exempt_count, 2);
	ck_assert_int_eq(apply("203.0.113.0/24\nnonsense\n"), -EINVAL);
	ck_assert_int_eq(apply(""), -EINVAL);
	unlink(file);
	ck_assert_int_eq(exempt_apply(&fixture.controld, exempt, &config, &config), -ENOENT);
	ck_assert_int_eq(exempt_check(&fixture.controld, &config, error, sizeof(error)), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error, file));
	/* At a start it is no reason to stay away. */
	ck_assert_int_eq(exempt_apply(&fixture.controld, exempt, NULL, &config), 0);
	ck_assert_uint_eq(meta->exempt_count, 2);
	ck_assert_uint_eq(value_of("192.0.2.0", 24), of_epoch(1));
	ck_assert_uint_eq(value_of("198.51.100.0", 24), of_epoch(1));
	ck_assert_uint_eq(value_of("203.0.113.0", 24), 0);
}
END_TEST

START_TEST(only_the_difference_is_written)
{
	const struct bng_meta *meta = fixture.controld.maps->meta;

	ck_assert_int_eq(apply("192.0.2.0/24\n198.51.100.0/24\n"), 0);
	ck_assert_uint_eq(meta->exempt_epoch, 1);
	ck_assert_int_eq(apply("198.51.100.0/24\n10.0.0.0/8\n198.51.0.0/16\n"), 0);
	ck_assert_uint_eq(value_of("192.0.2.0", 24), 0);
	ck_assert_uint_eq(value_of("198.51.100.0", 24), of_epoch(1));
	ck_assert_uint_eq(value_of("198.51.0.0", 16), of_epoch(2));
	ck_assert_uint_eq(value_of("10.0.0.0", 8), of_epoch(2));
	ck_assert_uint_eq(meta->exempt_count, 3);
	ck_assert_uint_eq(meta->exempt_epoch, 2);
	ck_assert_int_eq(apply("198.51.0.0/16\n"), 0);
	ck_assert_uint_eq(meta->exempt_epoch, 2);
	ck_assert_uint_eq(meta->exempt_count, 1);
}
END_TEST

/* The count of addresses and the flag of ports are one word that packets read. */
START_TEST(ports_are_applied_by_difference)
{
	const struct bng_meta *meta = fixture.controld.maps->meta;
	uint64_t used;

	ck_assert_int_eq(apply("192.0.2.0/24 tcp/443\n192.0.2.0/24 tcp/80\n"), 0);
	ck_assert_uint_eq(meta->exempt_count, BNG_EXEMPT_PORTS);
	ck_assert_uint_eq(meta->exempt_epoch, 1);
	ck_assert_int_eq(apply("192.0.2.0/24 tcp/443\n192.0.2.0/24\n198.51.100.7 tcp/22\n"), 0);
	ck_assert_uint_eq(meta->exempt_count, BNG_EXEMPT_PORTS | 1);
	ck_assert_uint_eq(meta->exempt_epoch, 2);
	ck_assert_uint_eq(value_of_port("192.0.2.0", 24, 443), of_epoch(1));
	ck_assert_uint_eq(value_of_port("192.0.2.0", 24, 80), 0);
	ck_assert_uint_eq(value_of_port("198.51.100.7", 32, 22), of_epoch(2));
	ck_assert_uint_eq(value_of("192.0.2.0", 24), of_epoch(2));
	ck_assert_uint_eq(ports_in_use(), 2);
	ck_assert(maps_used(fixture.controld.maps, MAP_exempt, &used));
	ck_assert_uint_eq(used, 1);
	ck_assert_int_eq(apply("192.0.2.0/24\nnonsense\n"), -EINVAL);
	ck_assert_uint_eq(ports_in_use(), 2);
	ck_assert_int_eq(apply("192.0.2.0/24\n"), 0);
	ck_assert_uint_eq(meta->exempt_count, 1);
	ck_assert_uint_eq(ports_in_use(), 0);
	ck_assert_uint_eq(meta->exempt_epoch, 2);
}
END_TEST

/* A new controld finds what is there, and what the last one had not yet announced. */
START_TEST(ports_are_adopted)
{
	struct bng_meta *meta = fixture.controld.maps->meta;

	ck_assert_int_eq(apply("192.0.2.1 tcp/443\n"), 0);
	meta->exempt_epoch = 0;
	meta->exempt_count = 0;
	exempt_free(exempt);
	ck_assert_int_eq(exempt_new(&exempt), 0);
	ck_assert_int_eq(apply("192.0.2.1 tcp/443\n"), 0);
	ck_assert_uint_eq(value_of_port("192.0.2.1", 32, 443), of_epoch(1));
	ck_assert_uint_eq(meta->exempt_epoch, 1);
	ck_assert_uint_eq(meta->exempt_count, BNG_EXEMPT_PORTS);
}
END_TEST

/* What was exempt before, by a wider entry, stays so for flows that there are. */
START_TEST(an_entry_under_a_wider_one_is_as_old)
{
	const struct bng_meta *meta = fixture.controld.maps->meta;

	ck_assert_int_eq(apply("192.0.2.0/24\n10.0.0.0/8 tcp/80\n"), 0);
	exempt_settle(&fixture.controld, exempt);
	ck_assert_uint_eq(value_of("192.0.2.0", 24), of_epoch(0));
	ck_assert_int_eq(apply("192.0.2.0/24\n192.0.2.128/25\n10.0.0.0/8 tcp/80\n10.1.0.0/16 tcp/80\n"), 0);
	ck_assert_uint_eq(meta->exempt_epoch, 1);
	ck_assert_uint_eq(value_of("192.0.2.128", 25), of_epoch(0));
	ck_assert_uint_eq(value_of_port("10.1.0.0", 16, 80), of_epoch(0));
	ck_assert_int_eq(apply("192.0.2.128/25\n10.1.0.0/16 tcp/80\n10.1.0.0/16 tcp/81\n203.0.113.0/24\n"),
			 0);
	ck_assert_uint_eq(value_of("192.0.2.128", 25), of_epoch(0));
	ck_assert_uint_eq(value_of_port("10.1.0.0", 16, 81), of_epoch(2));
	ck_assert_uint_eq(value_of("203.0.113.0", 24), of_epoch(2));
}
END_TEST

START_TEST(old_and_new_must_fit_side_by_side)
{
	char *text = calloc(1100, 32), *end = text;

	for (int i = 0; i < 600; i++)
		end += sprintf(end, "10.%d.%d.0/24\n", i / 256, i % 256);
	ck_assert_int_eq(apply(text), 0);
	for (int i = 600; i < 1025; i++)
		end += sprintf(end, "10.%d.%d.0/24\n", i / 256, i % 256);
	ck_assert_int_eq(apply(text), -ENOSPC);
	ck_assert_int_eq(exempt_check(&fixture.controld, &config, error, sizeof(error)), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(
		error, "1025 prefixes, 425 of them new beside 600 in use, and there is room for 1024"));
	ck_assert_uint_eq(fixture.controld.maps->meta->exempt_count, 600);
	*strrchr(text, '1') = '\0';
	strrchr(text, '\n')[1] = '\0';
	ck_assert_int_eq(apply(text), 0);
	ck_assert_uint_eq(fixture.controld.maps->meta->exempt_count, 1024);
	free(text);
}
END_TEST

/* Each map has its own room; nothing is written when one of them has none. */
START_TEST(ports_have_their_own_room)
{
	char *text = calloc(1100, 32), *end = text + sprintf(text, "192.0.2.0/24\n");

	for (int i = 1; i <= 1025; i++)
		end += sprintf(end, "10.0.0.1 tcp/%d\n", i);
	ck_assert_int_eq(apply(text), -ENOSPC);
	ck_assert_int_eq(exempt_check(&fixture.controld, &config, error, sizeof(error)), -ENOSPC);
	ck_assert_ptr_nonnull(
		strstr(error, "1025 ports, 1025 of them new beside 0 in use, and there is room for 1024"));
	ck_assert_uint_eq(fixture.controld.maps->meta->exempt_count, 0);
	ck_assert_uint_eq(ports_in_use(), 0);
	*strstr(text, "10.0.0.1 tcp/1025") = '#';
	ck_assert_int_eq(apply(text), 0);
	ck_assert_uint_eq(fixture.controld.maps->meta->exempt_count, BNG_EXEMPT_PORTS | 1);
	ck_assert_uint_eq(ports_in_use(), 1024);
	free(text);
}
END_TEST

/* An entry that a dying controld wrote and did not announce counts from now on. */
START_TEST(an_epoch_is_caught_up_with)
{
	struct bng_exempt_key key = {.prefix_length = 32, .address_be = htonl(0xc0000201)};
	uint32_t value = of_epoch(5);

	fixture.controld.maps->meta->exempt_epoch = 4;
	ck_assert_int_eq(maps_set(fixture.controld.maps, MAP_exempt, &key, &value), 0);
	ck_assert_int_eq(apply("192.0.2.1\n"), 0);
	ck_assert_uint_eq(fixture.controld.maps->meta->exempt_epoch, 5);
	ck_assert_uint_eq(value_of("192.0.2.1", 32), of_epoch(5));
}
END_TEST

static void set_epoch(struct bng_port_block *block, uint32_t offset, uint32_t epoch, uint8_t more)
{
	uint32_t port = block->first + offset;

	fixture.controld.maps->mapping[port / 8].entry[port % 8].flags =
		(uint8_t)(epoch << BNG_MAPPING_EPOCH_SHIFT | more);
}

START_TEST(an_entry_is_settled_when_no_mapping_is_older)
{
	struct session session = make_mappings();
	struct bng_port_block *block = &fixture.controld.maps->port_block[0];

	while (block->slot != session.slot)
		block++;
	set_epoch(block, 0, 1, 0);
	set_epoch(block, 9, 3, 0);
	set_epoch(block, 511, 0, BNG_MAPPING_PINNED); /* never ends: not waited for */
	fixture.controld.maps->meta->exempt_epoch = 0;
	ck_assert_int_eq(apply("10.0.0.1\n"), 0);
	ck_assert_int_eq(apply("10.0.0.1\n10.0.0.2\n"), 0);
	ck_assert_int_eq(apply("10.0.0.1\n10.0.0.2\n10.0.0.3\n10.0.0.3 tcp/443\n"), 0);
	exempt_settle(&fixture.controld, exempt);
	ck_assert_uint_eq(value_of("10.0.0.1", 32), of_epoch(0));
	ck_assert_uint_eq(value_of("10.0.0.2", 32), of_epoch(2));
	ck_assert_uint_eq(value_of("10.0.0.3", 32), of_epoch(3));
	set_epoch(block, 0, 2, 0);
	exempt_settle(&fixture.controld, exempt);
	ck_assert_uint_eq(value_of("10.0.0.2", 32), of_epoch(0));
	ck_assert_uint_eq(value_of("10.0.0.3", 32), of_epoch(3));
	ck_assert_uint_eq(value_of_port("10.0.0.3", 32, 443), of_epoch(3));
	set_epoch(block, 0, 3, 0);
	exempt_settle(&fixture.controld, exempt);
	ck_assert_uint_eq(value_of("10.0.0.3", 32), of_epoch(0));
	ck_assert_uint_eq(value_of_port("10.0.0.3", 32, 443), of_epoch(0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exempt");
	TCase *parse = tcase_create("parse"), *map = tcase_create("map");

	tcase_add_test(parse, every_kind_of_line_is_read);
	tcase_add_test(parse, ports_are_read);
	tcase_add_loop_test(parse, a_wrong_line_is_named, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	suite_add_tcase(suite, parse);
	tcase_add_checked_fixture(map, setup, teardown);
	tcase_add_test(map, a_wrong_file_leaves_the_list_whole);
	tcase_add_test(map, only_the_difference_is_written);
	tcase_add_test(map, ports_are_applied_by_difference);
	tcase_add_test(map, ports_are_adopted);
	tcase_add_test(map, an_entry_under_a_wider_one_is_as_old);
	tcase_add_test(map, old_and_new_must_fit_side_by_side);
	tcase_add_test(map, ports_have_their_own_room);
	tcase_add_test(map, an_epoch_is_caught_up_with);
	tcase_add_test(map, an_entry_is_settled_when_no_mapping_is_older);
	suite_add_tcase(suite, map);
	return run_suite(suite);
}
