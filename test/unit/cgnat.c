/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CGNAT by configuration: what is written for a new address, what may never move
 * while it is used, and how mappings are walked, hashed and compared.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgnat_fixture.h"
#include "controld/cgnat/held.h"
#include "controld/cgnat/plan.h"
#include "controld/maps/mappings.h"
#include "controld/session/digest.h"
#include "lib/address.h"
#include "run.h"

#define POOL(name, prefixes)     "{\"name\": \"" name "\", \"prefixes\": [" prefixes "], \"block_size\": 512}"
#define POOL_256(name, prefixes) "{\"name\": \"" name "\", \"prefixes\": [" prefixes "], \"block_size\": 256}"

static const struct fixture_sizes sizes = {4096, 16, 4096};
static char error[512];

static void setup(void)
{
	fixture_start(&sizes);
}

static int refused(const char *nat)
{
	return fixture_configure(fixture_text("", "", nat), error, sizeof(error));
}

START_TEST(new_addresses_are_complete_before_they_are_enabled)
{
	struct bng_pool_address *address;

	configure(POOL("n", "\"203.0.113.0/30\""));
	for (int i = 0; i < 4; i++) {
		char text[ADDRESS_TEXT];

		snprintf(text, sizeof(text), "203.0.113.%d", i);
		address = record_of(text);
		ck_assert_uint_eq(ntohl(address->address_be), 0xcb007100u + (unsigned)i);
		ck_assert_uint_eq(address->free_blocks, 126);
		ck_assert_uint_eq(address->taken[0], 3);
		ck_assert_uint_eq(address->taken[1], 0);
		for (int word = 2; word < 16; word++)
			ck_assert_uint_eq(address->taken[word], UINT64_MAX);
		ck_assert_uint_eq(address->flags, BNG_POOL_ADDRESS_ENABLED);
		ck_assert_uint_eq(address->first_block % 128, 0);
	}
	ck_assert_uint_eq(fixture.controld.maps->meta->block_high, 512);
	ck_assert_uint_eq(fixture.controld.maps->meta->pool_count, 1);
	ck_assert_uint_eq(fixture.controld.maps->meta->hold_down_ticks, BNG_TICKS_OF_SECONDS(120));
	ck_assert_uint_eq(fixture.controld.maps->pool[0].address_count, 4);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].segment_count, 1);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].timeout[BNG_MAPPING_TCP_ESTABLISHED],
			  BNG_TICKS_OF_SECONDS(7440));
	fixture_stop();
}
END_TEST

START_TEST(timers_by_port_come_and_go_with_a_reload)
{
	const struct bng_port_timers *timers = &fixture.controld.maps->port_timer[0];
	const struct bng_pool *pool = &fixture.controld.maps->pool[0];

	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"timeouts_by_port\": "
		  "{\"udp/53\": 10, \"tcp/22\": 86400}}");
	ck_assert(pool->flags & BNG_POOL_PORT_TIMERS);
	ck_assert_uint_eq(timers->entry[0].protocol, BNG_PROTOCOL_UDP);
	ck_assert_uint_eq(timers->entry[0].port_be, htons(53));
	ck_assert_uint_eq(timers->entry[0].ticks, BNG_TICKS_OF_SECONDS(10));
	ck_assert_uint_eq(timers->entry[1].protocol, BNG_PROTOCOL_TCP);
	ck_assert_uint_eq(timers->entry[1].port_be, htons(22));
	ck_assert_uint_eq(timers->entry[1].ticks, BNG_TICKS_OF_SECONDS(86400));
	ck_assert_uint_eq(timers->entry[2].protocol, BNG_PROTOCOL_NONE);
	ck_assert_uint_eq(fixture.controld.maps->port_timer[1].entry[0].protocol, BNG_PROTOCOL_NONE);
	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"timeouts_by_port\": "
		  "{\"tcp/22\": 90000}}");
	ck_assert_uint_eq(timers->entry[0].port_be, htons(22));
	ck_assert_uint_eq(timers->entry[0].ticks, BNG_TICKS_OF_SECONDS(90000));
	ck_assert_uint_eq(timers->entry[1].protocol, BNG_PROTOCOL_NONE);
	configure(POOL("n", "\"203.0.113.0/30\""));
	ck_assert(!(pool->flags & BNG_POOL_PORT_TIMERS));
	ck_assert_uint_eq(timers->entry[0].protocol, BNG_PROTOCOL_NONE);
	fixture_stop();
}
END_TEST

static const struct {
	uint8_t shift;
	uint32_t reserved;
	uint32_t blocks;
} shifts[] = {{6, 16, 1024}, {7, 8, 512}, {8, 4, 256}, {9, 2, 128}, {10, 1, 64}, {11, 1, 32}, {12, 1, 16}};

START_TEST(blocks_of_low_ports_are_never_given_out)
{
	__u64 taken[BNG_BLOCKS_PER_ADDRESS_MAX / 64];
	uint32_t clear = 0;

	cgnat_bitmap_empty(shifts[_i].shift, 0, taken);
	for (uint32_t bit = 0; bit < BNG_BLOCKS_PER_ADDRESS_MAX; bit++) {
		bool set = taken[bit / 64] >> (bit % 64) & 1;

		ck_assert_int_eq(set, bit < shifts[_i].reserved || bit >= shifts[_i].blocks);
		clear += !set;
	}
	ck_assert_uint_eq(clear, cgnat_blocks_of(shifts[_i].shift) - cgnat_reserved_of(shifts[_i].shift));
}
END_TEST

START_TEST(indexes_stay_when_prefixes_come_and_go)
{
	int before;
	uint32_t first_block;

	configure(POOL("n", "\"203.0.113.4/31\""));
	before = index_of("203.0.113.5");
	first_block = record_of("203.0.113.5")->first_block;
	configure(POOL("m", "\"198.51.100.0/31\"") ", " POOL("n", "\"192.0.2.0/32\", \"203.0.113.4/31\""));
	ck_assert_int_eq(index_of("203.0.113.5"), before);
	ck_assert_uint_eq(record_of("203.0.113.5")->first_block, first_block);
	ck_assert_uint_eq(record_of("203.0.113.5")->pool, names_pool_index(&fixture.controld, "n"));
	ck_assert_uint_eq(record_of("198.51.100.1")->pool, names_pool_index(&fixture.controld, "m"));
	ck_assert_int_eq(names_pool_index(&fixture.controld, "n"), 0);
	ck_assert_int_eq(names_pool_index(&fixture.controld, "m"), 1);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].address_count, 3);
	fixture_stop();
}
END_TEST

START_TEST(an_address_in_use_drains_before_it_goes)
{
	struct session session;
	int index;

	configure(POOL("n", "\"203.0.113.0/31\""));
	session = open_session("10.9.0.1", 1);
	index = index_of("203.0.113.1");
	take_block("203.0.113.1", 7, &session);
	configure(POOL("n", "\"203.0.113.0/32\""));
	ck_assert_int_eq(index_of("203.0.113.1"), index);
	ck_assert_uint_eq(record_of("203.0.113.1")->flags, 0);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].address_count, 1);
	configure(POOL("n", "\"203.0.113.0/32\""));
	ck_assert_int_eq(index_of("203.0.113.1"), index);
	give_block("203.0.113.1", 7);
	configure(POOL("n", "\"203.0.113.0/32\""));
	ck_assert_int_eq(index_of("203.0.113.1"), -1);
	ck_assert_uint_eq(fixture.controld.maps->pool_address[index].address_be, 0);
	ck_assert_uint_eq(session.record->address_index, BNG_NO_ADDRESS_INDEX);
	fixture_stop();
}
END_TEST

START_TEST(an_idle_address_is_disabled_first_and_gone_next)
{
	configure(POOL("n", "\"203.0.113.0/31\""));
	configure(POOL("n", "\"203.0.113.0/32\""));
	ck_assert_uint_eq(record_of("203.0.113.1")->flags, 0);
	configure(POOL("n", "\"203.0.113.0/32\""));
	ck_assert_int_eq(index_of("203.0.113.1"), -1);
	ck_assert_uint_eq(fixture.controld.maps->meta->block_high, 128);
	fixture_stop();
}
END_TEST

START_TEST(a_draining_address_can_come_back)
{
	struct session session;

	configure(POOL("n", "\"203.0.113.0/31\""));
	session = open_session("10.9.0.1", 1);
	take_block("203.0.113.1", 7, &session);
	configure(POOL("n", "\"203.0.113.0/32\""));
	configure(POOL("n", "\"203.0.113.0/31\""));
	ck_assert_uint_eq(record_of("203.0.113.1")->flags, BNG_POOL_ADDRESS_ENABLED);
	ck_assert_uint_eq(record_of("203.0.113.1")->free_blocks, 125);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].address_count, 2);
	fixture_stop();
}
END_TEST

START_TEST(block_size_changes_only_while_nobody_uses_the_pool)
{
	struct session session;

	configure(POOL("n", "\"203.0.113.0/31\""));
	session = open_session("10.9.0.1", 1);
	ck_assert_int_eq(refused(POOL_256("n", "\"203.0.113.0/31\"")), -EBUSY);
	ck_assert_ptr_nonnull(strstr(error, "/cgnat/pools/0/block_size"));
	ck_assert_uint_eq(record_of("203.0.113.0")->block_shift, 9);
	session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test");
	fixture_release(session.slot);
	configure(POOL_256("n", "\"203.0.113.0/31\""));
	ck_assert_uint_eq(record_of("203.0.113.0")->block_shift, 8);
	ck_assert_uint_eq(record_of("203.0.113.0")->free_blocks, 252);
	ck_assert_uint_eq(record_of("203.0.113.0")->taken[0], 15);
	fixture_stop();
}
END_TEST

START_TEST(an_address_in_use_cannot_move_to_another_pool)
{
	struct session session;

	configure(POOL("n", "\"203.0.113.0/31\""));
	session = open_session("10.9.0.1", 1);
	take_block("203.0.113.1", 7, &session);
	ck_assert_int_eq(refused(POOL("n", "\"203.0.113.0/32\"") ", " POOL("m", "\"203.0.113.1/32\"")),
			 -EBUSY);
	ck_assert_ptr_nonnull(strstr(error, "/cgnat/pools/1/prefixes: 203.0.113.1"));
	fixture_stop();
}
END_TEST

START_TEST(a_restart_finds_pools_by_their_addresses)
{
	struct sessions_adopted adopted;
	int index;

	configure(POOL("m", "\"198.51.100.0/31\"") ", " POOL("n", "\"203.0.113.0/31\""));
	index = names_pool_index(&fixture.controld, "n");
	struct session session = open_session("10.9.0.1", 1);
	take_block("203.0.113.1", 7, &session);
	fixture_restart(&adopted);
	configure(POOL("new", "\"192.0.2.0/32\"") ", " POOL("n", "\"203.0.113.0/31\"") ", " POOL(
		"m", "\"198.51.100.0/31\""));
	ck_assert_int_eq(names_pool_index(&fixture.controld, "n"), index);
	ck_assert_uint_eq(record_of("203.0.113.1")->pool, index);
	ck_assert_uint_eq(record_of("203.0.113.1")->free_blocks, 125);
	ck_assert_int_eq(names_pool_index(&fixture.controld, "new"), 2);
	fixture_stop();
}
END_TEST

START_TEST(rfc6888_req4a_rfc6888_req5a_new_limits_reach_sessions_that_had_the_old_ones)
{
	struct session session, own;

	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/31\"], \"blocks_per_subscriber\": 2}");
	session = open_session("10.9.0.1", 1);
	own = open_session("10.9.0.2", 2);
	own.record->max_blocks = 1;
	ck_assert_uint_eq(session.record->max_blocks, 2);
	configure("{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/31\"], \"blocks_per_subscriber\": 6}");
	ck_assert_uint_eq(session.record->max_blocks, 6);
	ck_assert_uint_eq(session.record->max_mappings, 6 * 512);
	ck_assert_uint_eq(own.record->max_blocks, 1);
	fixture_stop();
}
END_TEST

static const char *const exempt_texts[] = {
	"\"192.0.2.0/24\", \"198.51.100.7/32\"",
	"\"192.0.2.0/24\", \"10.0.0.0/8\"",
	"",
};

START_TEST(exempt_prefixes_are_applied_by_difference)
{
	static const uint32_t counts[] = {2, 2, 0};
	struct bng_exempt_key key = {.prefix_length = 32, .address_be = htonl(0xc0000201)};
	char text[4096];
	uint32_t flags;

	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			 "{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"sizes\": "
			 "{\"public_addresses\": 16}, \"cgnat\": {\"exempt\": [%s]}}",
			 exempt_texts[i]);
		ck_assert_msg(!fixture_configure(text, error, sizeof(error)), "%s", error);
		ck_assert_uint_eq(fixture.controld.maps->meta->exempt_count, counts[i]);
		ck_assert_int_eq(maps_get(fixture.controld.maps, MAP_exempt, &key, &flags),
				 i < 2 ? 0 : -ENOENT);
	}
	fixture_stop();
}
END_TEST

START_TEST(an_entry_that_is_dynamic_too_stays)
{
	struct bng_exempt_key key = {.prefix_length = 24, .address_be = htonl(0xc0000200)};
	uint32_t flags = BNG_EXEMPT_DYNAMIC | BNG_EXEMPT_PERMANENT;
	const char *text = "{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}]}";

	ck_assert_int_eq(maps_set(fixture.controld.maps, MAP_exempt, &key, &flags), 0);
	ck_assert_int_eq(fixture_configure(text, error, sizeof(error)), 0);
	ck_assert_int_eq(maps_get(fixture.controld.maps, MAP_exempt, &key, &flags), 0);
	ck_assert_uint_eq(flags, BNG_EXEMPT_DYNAMIC);
	ck_assert_uint_eq(fixture.controld.maps->meta->exempt_count, 1);
	fixture_stop();
}
END_TEST

START_TEST(pieces_run_out_with_a_message)
{
	char prefixes[1024] = "";

	for (int i = 0; i < 17; i++)
		snprintf(prefixes + strlen(prefixes), sizeof(prefixes) - strlen(prefixes),
			 "%s\"203.0.113.%d/32\"", i ? ", " : "", 2 * i);
	fixture_stop();
	fixture_start(&(struct fixture_sizes){4096, 64, 8192});
	char pool[1200];
	snprintf(pool, sizeof(pool), "{\"name\": \"n\", \"prefixes\": [%s]}", prefixes);
	/* 17 ranges, but one segment: their indexes follow each other. */
	configure(pool);
	ck_assert_uint_eq(maps_ranges(fixture.controld.maps)->public_count, 17);
	ck_assert_uint_eq(fixture.controld.maps->pool[0].segment_count, 1);
	prefixes[0] = '\0';
	for (int i = 0; i < 33; i++)
		snprintf(prefixes + strlen(prefixes), sizeof(prefixes) - strlen(prefixes),
			 "%s\"203.0.113.%d/32\"", i ? ", " : "", 2 * i);
	snprintf(pool, sizeof(pool), "{\"name\": \"n\", \"prefixes\": [%s]}", prefixes);
	ck_assert_int_eq(refused(pool), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(error, "more than 32 pieces"));
	fixture_stop();
}
END_TEST

static void count_mapping(const struct cgnat_mapping *mapping, void *context)
{
	ck_assert_uint_eq(mapping->port & 0xffff, mapping->public_port);
	++*(unsigned *)context;
}

static unsigned walk_count(struct cgnat_filter filter)
{
	unsigned count = 0;

	cgnat_walk(fixture.controld.maps, &filter, count_mapping, &count);
	return count;
}

START_TEST(only_live_mappings_of_active_sessions_are_walked)
{
	struct session session = make_mappings();
	uint32_t inner = session.record->address_be, public;

	ck_assert_int_eq(address_parse("203.0.113.1", &public), 0);
	ck_assert_uint_eq(walk_count((struct cgnat_filter){0}), 3);
	ck_assert_uint_eq(walk_count((struct cgnat_filter){.inner_be = inner}), 3);
	ck_assert_uint_eq(walk_count((struct cgnat_filter){.inner_be = htonl(0x0a090002)}), 0);
	ck_assert_uint_eq(walk_count((struct cgnat_filter){.public_be = public}), 3);
	ck_assert_uint_eq(walk_count((struct cgnat_filter){.public_be = htonl(0xcb007100)}), 0);
	ck_assert_uint_eq(walk_count((struct cgnat_filter){.protocol = BNG_PROTOCOL_TCP}), 1);
	session.record->state = BNG_SUBSCRIBER_CLOSING;
	ck_assert_uint_eq(walk_count((struct cgnat_filter){0}), 0);
	fixture_stop();
}
END_TEST

static void note_left(const struct cgnat_mapping *mapping, void *context)
{
	if (mapping->inner_port == 5000)
		*(struct cgnat_mapping *)context = *mapping;
}

/* A promise beyond the pool's timer lies in the future, a shorter one in the past. */
START_TEST(what_is_left_counts_from_the_promise)
{
	struct cgnat_mapping found = {0};
	struct session session = make_mappings();
	struct bng_port_block *block =
		&fixture.controld.maps->port_block[record_of("203.0.113.1")->first_block + 7];
	uint32_t timeout = fixture.controld.maps->pool[0].timeout[BNG_MAPPING_UDP];

	set_mapping(block, 0, BNG_PROTOCOL_UDP, BNG_MAPPING_UDP, 5000, -1000u);
	cgnat_walk(fixture.controld.maps, &(struct cgnat_filter){0}, note_left, &found);
	ck_assert_uint_le(timeout + 1000 - found.left_ticks, 1);
	ck_assert_uint_eq(found.idle_ticks, 0);
	set_mapping(block, 0, BNG_PROTOCOL_UDP, BNG_MAPPING_UDP, 5000, timeout - 30);
	cgnat_walk(fixture.controld.maps, &(struct cgnat_filter){0}, note_left, &found);
	ck_assert_uint_le(30 - found.left_ticks, 1);
	ck_assert_ptr_eq(found.session, session.record);
	fixture_stop();
}
END_TEST

struct found_tunnels {
	struct cgnat_tunnel tunnel;
	unsigned count;
};

static void note_tunnel(const struct cgnat_tunnel *tunnel, void *context)
{
	struct found_tunnels *found = context;

	found->tunnel = *tunnel;
	found->count++;
}

static struct found_tunnels walk_tunnels(struct cgnat_filter filter)
{
	struct found_tunnels found = {0};

	cgnat_walk_tunnels(fixture.controld.maps, &filter, note_tunnel, &found);
	return found;
}

START_TEST(only_tunnels_whose_mapping_lives_are_walked)
{
	struct session session = make_mappings();
	struct maps *maps = fixture.controld.maps;
	struct bng_port_block *block = &maps->port_block[record_of("203.0.113.1")->first_block + 7];
	uint32_t remote_be = htonl(0xc6120001), timeout = maps->pool[0].timeout[BNG_MAPPING_TUNNEL];
	uint16_t tag = ntohs(bng_tunnel_tag(remote_be)); /* set_mapping takes a port */
	struct bng_tunnel *entry = &maps->tunnel[3].entry[5];
	struct found_tunnels found;
	uint64_t used = 0;

	ck_assert_uint_eq(timeout, BNG_TICKS_OF_SECONDS(300));
	*entry = (struct bng_tunnel){block->first + 77, remote_be};
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){0}).count, 0); /* no mapping */
	set_mapping(block, 77, BNG_PROTOCOL_UDP, BNG_MAPPING_UDP, tag, 0);
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){0}).count, 0); /* of no tunnel */
	set_mapping(block, 77, BNG_PROTOCOL_ESP, BNG_MAPPING_TUNNEL, (uint16_t)(tag + 1), 0);
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){0}).count, 0); /* to another end */
	set_mapping(block, 77, BNG_PROTOCOL_ESP, BNG_MAPPING_TUNNEL, tag, timeout + 1);
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){0}).count, 0); /* dead */
	set_mapping(block, 77, BNG_PROTOCOL_ESP, BNG_MAPPING_TUNNEL, tag, timeout - 30);
	found = walk_tunnels((struct cgnat_filter){0});
	ck_assert_uint_eq(found.count, 1);
	ck_assert_uint_eq(found.tunnel.protocol, BNG_PROTOCOL_ESP);
	ck_assert_uint_eq(found.tunnel.remote_be, remote_be);
	ck_assert_uint_eq(found.tunnel.public_be, htonl(0xcb007101));
	ck_assert_uint_le(30 - found.tunnel.left_ticks, 1);
	ck_assert_ptr_eq(found.tunnel.session, session.record);
	ck_assert(maps_used(maps, MAP_tunnel, &used));
	ck_assert_uint_eq(used, 1);
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){.inner_be = session.record->address_be}).count,
			  1);
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){.inner_be = htonl(0x0a090002)}).count, 0);
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){.public_be = htonl(0xcb007100)}).count, 0);
	session.record->state = BNG_SUBSCRIBER_CLOSING;
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){0}).count, 0);
	entry->port = UINT32_MAX;
	ck_assert_uint_eq(walk_tunnels((struct cgnat_filter){0}).count, 0); /* nonsense is not followed */
	fixture_stop();
}
END_TEST

/* Of each address that is in use; one that is right is left alone. */
START_TEST(rfc6888_req8_held_blocks_are_counted_anew)
{
	struct session session = make_mappings();
	struct maps *maps = fixture.controld.maps;
	struct bng_port_block *first = take_block("203.0.113.1", 9, &session);
	struct bng_port_block *last = take_block("203.0.113.1", 127, &session);
	struct bng_pool_address *full = &maps->pool_address[first->first >> 16];
	struct bng_pool_address *empty = &maps->pool_address[1 - (first->first >> 16)];

	first->state = last->state = BNG_BLOCK_HELD;
	full->held_blocks = -3;
	empty->held_blocks = 7;
	maps->pool_address[2].held_blocks = 1;
	held_recount(maps);
	ck_assert_int_eq(full->held_blocks, 2);
	ck_assert_int_eq(empty->held_blocks, 0);
	ck_assert_int_eq(maps->pool_address[2].held_blocks, 0);
	last->state = BNG_BLOCK_FREE;
	held_recount(maps);
	ck_assert_int_eq(full->held_blocks, 1);
	fixture_stop();
}
END_TEST

static const char *sha256_of(const char *text)
{
	static char hex[65];
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256((const unsigned char *)text, strlen(text), digest);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return hex;
}

START_TEST(the_digest_is_of_sorted_lines)
{
	struct session session = make_mappings();
	char text[256];
	json_t *digest = session_digest(&fixture.controld), *part;

	part = json_object_get(digest, "mappings");
	ck_assert_int_eq(json_integer_value(json_object_get(part, "count")), 3);
	ck_assert_str_eq(json_string_value(json_object_get(part, "sha256")),
			 sha256_of("icmp 10.9.0.1:77 203.0.113.1:4095\n"
				   "tcp 10.9.0.1:6000 203.0.113.1:3593\n"
				   "udp 10.9.0.1:5000 203.0.113.1:3584\n"));
	part = json_object_get(digest, "sessions");
	ck_assert_int_eq(json_integer_value(json_object_get(part, "count")), 2);
	snprintf(text, sizeof(text),
		 "%llu 10.9.0.1 02:00:01:00:00:00 access0 0 0\n%llu 10.9.0.2 02:00:02:00:00:00 access0 0 0\n",
		 (unsigned long long)session.record->session_id,
		 (unsigned long long)session.record->session_id + 1);
	ck_assert_str_eq(json_string_value(json_object_get(part, "sha256")), sha256_of(text));
	json_decref(digest);
	fixture_stop();
}
END_TEST

START_TEST(a_million_mappings_are_counted_and_hashed)
{
	struct maps_blocks blocks;
	json_t *digest;

	fixture_stop();
	fixture_start(&(struct fixture_sizes){4096, 16, 2048});
	configure(POOL("n", "\"203.0.113.0/28\""));
	for (uint32_t i = 0; i < 16 * 126; i++) {
		struct session_spec spec = fixture_spec("10.9.0.0", i);
		char public[ADDRESS_TEXT];
		struct session session;
		struct bng_port_block *block;

		spec.address_be = htonl(0x0a090000 + i);
		ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
		snprintf(public, sizeof(public), "203.0.113.%u", i / 126);
		block = take_block(public, 2 + i % 126, &session);
		for (uint32_t port = 0; port < 512; port++)
			set_mapping(block, port, BNG_PROTOCOL_UDP, BNG_MAPPING_UDP, (uint16_t)(port + 1), 0);
	}
	maps_blocks_count(fixture.controld.maps, &blocks);
	ck_assert_uint_eq(blocks.mappings, 16 * 126 * 512);
	ck_assert_uint_eq(blocks.allocated, 16 * 126);
	ck_assert_uint_eq(blocks.free, 0);
	digest = session_digest(&fixture.controld);
	ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(digest, "mappings"), "count")),
			 16 * 126 * 512);
	json_decref(digest);
	fixture_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cgnat");
	TCase *plan = tcase_create("plan"), *walk = tcase_create("walk"), *alone = tcase_create("alone");

	tcase_add_checked_fixture(plan, setup, NULL);
	tcase_add_test(plan, new_addresses_are_complete_before_they_are_enabled);
	tcase_add_test(plan, timers_by_port_come_and_go_with_a_reload);
	tcase_add_test(plan, indexes_stay_when_prefixes_come_and_go);
	tcase_add_test(plan, an_address_in_use_drains_before_it_goes);
	tcase_add_test(plan, an_idle_address_is_disabled_first_and_gone_next);
	tcase_add_test(plan, a_draining_address_can_come_back);
	tcase_add_test(plan, block_size_changes_only_while_nobody_uses_the_pool);
	tcase_add_test(plan, an_address_in_use_cannot_move_to_another_pool);
	tcase_add_test(plan, a_restart_finds_pools_by_their_addresses);
	tcase_add_test(plan, rfc6888_req4a_rfc6888_req5a_new_limits_reach_sessions_that_had_the_old_ones);
	tcase_add_test(plan, exempt_prefixes_are_applied_by_difference);
	tcase_add_test(plan, an_entry_that_is_dynamic_too_stays);
	tcase_add_test(plan, pieces_run_out_with_a_message);
	suite_add_tcase(suite, plan);
	tcase_add_checked_fixture(walk, setup, NULL);
	tcase_add_test(walk, only_live_mappings_of_active_sessions_are_walked);
	tcase_add_test(walk, what_is_left_counts_from_the_promise);
	tcase_add_test(walk, only_tunnels_whose_mapping_lives_are_walked);
	tcase_add_test(walk, rfc6888_req8_held_blocks_are_counted_anew);
	tcase_add_test(walk, the_digest_is_of_sorted_lines);
	tcase_add_test(walk, a_million_mappings_are_counted_and_hashed);
	suite_add_tcase(suite, walk);
	tcase_add_loop_test(alone, blocks_of_low_ports_are_never_given_out, 0,
			    (int)(sizeof(shifts) / sizeof(shifts[0])));
	suite_add_tcase(suite, alone);
	return run_suite(suite);
}
