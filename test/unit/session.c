/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions: their life in the records, the slots of addresses, and adoption.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld_fixture.h"
#include "lib/address.h"
#include "run.h"

#define POOL_A                                                                                               \
	"{\"name\": \"a\", \"interfaces\": [\"access0\"], \"prefix\": \"10.0.0.0/24\", \"first\": "          \
	"\"10.0.0.10\", "                                                                                    \
	"\"last\": \"10.0.0.200\", \"router\": \"10.0.0.1\"}"
#define POOL_A_WIDE                                                                                          \
	"{\"name\": \"a\", \"interfaces\": [\"access0\"], \"prefix\": \"10.0.0.0/22\", \"first\": "          \
	"\"10.0.0.10\", "                                                                                    \
	"\"last\": \"10.0.3.200\", \"router\": \"10.0.0.1\"}"
#define POOL_B                                                                                               \
	"{\"name\": \"b\", \"interfaces\": [\"access0\"], \"prefix\": \"10.1.0.0/24\", \"first\": "          \
	"\"10.1.0.10\", "                                                                                    \
	"\"last\": \"10.1.0.200\", \"router\": \"10.1.0.1\"}"
#define NAT                                                                                                  \
	"{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"block_size\": 512, "                        \
	"\"blocks_per_subscriber\": 3, "                                                                     \
	"\"mappings_per_subscriber\": 700}"

static const struct fixture_sizes sizes = {4096, 8, 1024};
static char error[512];

static void setup(void)
{
	fixture_start(&sizes);
}

static uint32_t address_of(const char *text)
{
	uint32_t address_be;

	ck_assert_int_eq(address_parse(text, &address_be), 0);
	return address_be;
}

static void configure(const char *pools, const char *sessions)
{
	int failure = fixture_configure(fixture_text(pools, sessions, NAT), error, sizeof(error));

	ck_assert_msg(!failure, "%s", error);
}

static uint32_t slot_of(const char *address)
{
	return sessions_slot_of(fixture.controld.sessions, address_of(address));
}

START_TEST(record_is_filled_and_published)
{
	struct session_spec spec = fixture_spec("10.0.0.20", 7);
	struct session session, found;

	configure(POOL_A, "");
	spec.client.outer_vid = 100;
	spec.client.inner_vid = 7;
	spec.flags = BNG_SUBSCRIBER_OUTER_AD;
	spec.lease_seconds = 60;
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	ck_assert_uint_eq(session.record->state, BNG_SUBSCRIBER_ACTIVE);
	ck_assert_uint_eq(session.record->address_be, spec.address_be);
	ck_assert_uint_eq(session.record->generation, 1);
	ck_assert_uint_eq(session.record->block_shift, 9);
	ck_assert_uint_eq(session.record->max_blocks, 3);
	ck_assert_uint_eq(session.record->max_mappings, 700);
	ck_assert_uint_eq(session.record->address_index, BNG_NO_ADDRESS_INDEX);
	ck_assert_uint_eq(session.record->flags, BNG_SUBSCRIBER_OUTER_AD);
	ck_assert_uint_eq(session.record->lease_expires_ns - session.record->opened_ns, 60000000000ULL);
	ck_assert_uint_eq(session.slot, slot_of("10.0.0.20"));
	ck_assert(session_by_id(&fixture.controld, session.record->session_id, &found) &&
		  found.slot == session.slot);
	ck_assert(session_by_client(&fixture.controld, &spec.client, &found) && found.slot == session.slot);
	ck_assert(session_by_address(&fixture.controld, spec.address_be, &found) &&
		  found.slot == session.slot);
	ck_assert_uint_eq(session_count(&fixture.controld), 1);
	ck_assert_uint_eq(session_count_interface(&fixture.controld, 1), 1);
	ck_assert_uint_eq(fixture.ups, 1);
	fixture_stop();
}
END_TEST

START_TEST(one_session_for_a_client_and_for_an_address)
{
	struct session_spec spec = fixture_spec("10.0.0.20", 7), other = fixture_spec("10.0.0.21", 7);
	struct session session;

	configure(POOL_A, "");
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	ck_assert_int_eq(session_open(&fixture.controld, &other, &session), -EEXIST);
	other = fixture_spec("10.0.0.20", 8);
	ck_assert_int_eq(session_open(&fixture.controld, &other, &session), -EADDRINUSE);
	other.client.interface = 0;
	ck_assert_int_eq(session_open(&fixture.controld, &other, &session), -EINVAL);
	ck_assert_uint_eq(session_count(&fixture.controld), 1);
	fixture_stop();
}
END_TEST

START_TEST(closing_keeps_the_address_until_the_sweep_has_released_it)
{
	struct session_spec spec = fixture_spec("10.0.0.20", 7);
	struct session session, found;
	uint32_t queue[4];
	uint64_t id;

	configure(POOL_A, "");
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	id = session.record->session_id;
	ck_assert_int_eq(session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test"), 0);
	ck_assert_uint_eq(session.record->state, BNG_SUBSCRIBER_CLOSING);
	ck_assert_uint_eq(fixture.downs, 1);
	ck_assert_uint_eq(fixture_released(queue, 4), 1);
	ck_assert_uint_eq(queue[0], session.slot);
	ck_assert(!session_by_id(&fixture.controld, id, &found));
	ck_assert(!session_by_client(&fixture.controld, &spec.client, &found));
	ck_assert(!session_by_address(&fixture.controld, spec.address_be, &found));
	ck_assert(!session_address_free(&fixture.controld, spec.address_be));
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &found), -EADDRINUSE);
	ck_assert_int_eq(session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "twice"),
			 -ENOENT);
	fixture_release(session.slot);
	ck_assert(session_address_free(&fixture.controld, spec.address_be));
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &found), 0);
	ck_assert_uint_eq(found.slot, session.slot);
	ck_assert_uint_eq(found.record->generation, 2);
	ck_assert_uint_gt(found.record->session_id, id);
	sessions_reap(&fixture.controld);
	ck_assert_uint_eq(sessions_closing(fixture.controld.sessions), 0);
	fixture_stop();
}
END_TEST

START_TEST(renewing_moves_the_end_of_the_lease)
{
	struct session_spec spec = fixture_spec("10.0.0.20", 7);
	struct session session;
	uint64_t before;

	configure(POOL_A, "");
	spec.lease_seconds = 10;
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	before = session.record->lease_expires_ns;
	session_renew(&fixture.controld, &session, 100);
	ck_assert_uint_ge(session.record->lease_expires_ns, before + 90000000000ULL);
	ck_assert_uint_eq(session.record->lease_seconds, 100);
	ck_assert_uint_eq(fixture.changes, 1);
	fixture_stop();
}
END_TEST

START_TEST(addresses_outside_ranges_get_single_slots_and_give_them_back)
{
	struct session_spec spec = fixture_spec("172.16.0.1", 1);
	struct session session;
	uint32_t slot, value;

	configure(POOL_A, "");
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	slot = session.slot;
	ck_assert(!slots_in_range(maps_ranges(fixture.controld.maps), slot));
	ck_assert_int_eq(maps_get(fixture.controld.maps, MAP_slot_of_address, &spec.address_be, &value), 0);
	ck_assert_uint_eq(value, slot);
	session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test");
	sessions_reap(&fixture.controld);
	ck_assert_uint_eq(slot_of("172.16.0.1"), slot);
	fixture_release(slot);
	sessions_reap(&fixture.controld);
	ck_assert_uint_eq(slot_of("172.16.0.1"), 0);
	ck_assert_int_eq(maps_get(fixture.controld.maps, MAP_slot_of_address, &spec.address_be, &value),
			 -ENOENT);
	fixture_stop();
}
END_TEST

/* Every slot but 0 can be used, none twice. */
START_TEST(slots_run_out_exactly)
{
	struct session_spec spec = fixture_spec("172.16.0.0", 0);
	uint32_t first = ntohl(spec.address_be), room = sizes.subscribers - 1 - 256;
	struct session session;

	configure(POOL_A, "");
	for (uint32_t i = 0; i < room; i++) {
		spec.address_be = htonl(first + i);
		memcpy(spec.client.mac + 2, &i, sizeof(i));
		ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	}
	spec.address_be = htonl(first + room);
	memcpy(spec.client.mac + 2, &room, sizeof(room));
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), -ENOSPC);
	ck_assert_uint_eq(session_count(&fixture.controld), room);
	ck_assert_uint_eq(slots_rest_free(fixture.controld.sessions), 0);
	fixture_stop();
}
END_TEST

START_TEST(a_wider_prefix_moves_no_slot)
{
	uint32_t before;

	configure(POOL_A, "");
	before = slot_of("10.0.0.77");
	ck_assert_uint_ne(before, 0);
	configure(POOL_A ", " POOL_B, "");
	ck_assert_uint_eq(slot_of("10.0.0.77"), before);
	uint32_t other = slot_of("10.1.0.77");
	configure(POOL_A_WIDE ", " POOL_B, "");
	ck_assert_uint_eq(slot_of("10.0.0.77"), before);
	ck_assert_uint_eq(slot_of("10.1.0.77"), other);
	ck_assert_uint_ne(slot_of("10.0.3.3"), 0);
	configure(POOL_B, "");
	ck_assert_uint_eq(slot_of("10.1.0.77"), other);
	ck_assert_uint_eq(slot_of("10.0.0.77"), 0);
	fixture_stop();
}
END_TEST

START_TEST(a_range_in_use_stays_until_it_is_not)
{
	struct session_spec spec = fixture_spec("10.0.0.20", 7);
	struct session session;

	configure(POOL_A ", " POOL_B, "");
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	configure(POOL_B, "");
	ck_assert_uint_eq(slot_of("10.0.0.20"), session.slot);
	session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test");
	fixture_release(session.slot);
	configure(POOL_B, "");
	ck_assert_uint_eq(slot_of("10.0.0.20"), 0);
	fixture_stop();
}
END_TEST

START_TEST(a_single_slot_is_cut_out_of_a_new_range)
{
	struct session_spec spec = fixture_spec("10.0.0.20", 7);
	struct session session, found;

	configure(POOL_B, "");
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	configure(POOL_A ", " POOL_B, "");
	ck_assert(session_by_address(&fixture.controld, spec.address_be, &found));
	ck_assert_uint_eq(found.slot, session.slot);
	ck_assert_uint_eq(slot_of("10.0.0.19") + 1, slot_of("10.0.0.21"));
	ck_assert_uint_eq(maps_ranges(fixture.controld.maps)->inner_count, 4); /* two parts, b, a gateway */
	fixture_stop();
}
END_TEST

START_TEST(gateways_outside_ranges_are_known_as_this_side)
{
	const struct bng_ranges *ranges;

	configure(POOL_A, "");
	ranges = maps_ranges(fixture.controld.maps);
	ck_assert_uint_eq(ranges->inner_count, 3);
	ck_assert_uint_eq(ranges->inner[1].base, 0);
	ck_assert_uint_eq(ranges->inner[1].first, 0x0a000801);
	ck_assert_uint_eq(ranges->inner[2].first, 0x0a010001);
	fixture_stop();
}
END_TEST

START_TEST(none_is_added_when_one_cannot_be)
{
	struct session_spec first = fixture_spec("172.16.0.1", 1), second = fixture_spec("10.0.0.9", 2);
	struct session prepared[2], found;
	struct bng_subscriber *record;

	configure(POOL_A, "");
	ck_assert_int_eq(session_prepare(&fixture.controld, &first, &prepared[0]), 0);
	ck_assert_int_eq(session_prepare(&fixture.controld, &first, &prepared[1]), -EEXIST);
	first.client.mac[5] = 9;
	ck_assert_int_eq(session_prepare(&fixture.controld, &first, &prepared[1]), -EADDRINUSE);
	ck_assert_int_eq(session_prepare(&fixture.controld, &second, &prepared[1]), 0);
	record = prepared[1].record;
	session_abandon(&fixture.controld, &prepared[0]);
	session_abandon(&fixture.controld, &prepared[1]);
	ck_assert_uint_eq(record->state, BNG_SUBSCRIBER_FREE);
	ck_assert_uint_eq(slot_of("172.16.0.1"), 0);
	ck_assert(!session_by_client(&fixture.controld, &second.client, &found));
	ck_assert_uint_eq(session_count(&fixture.controld), 0);
	ck_assert_uint_eq(fixture.ups, 0);
	ck_assert_int_eq(session_open(&fixture.controld, &second, &found), 0);
	fixture_stop();
}
END_TEST

#define STATIC_1 "{\"address\": \"10.9.0.1\", \"mac\": \"02:00:00:00:00:01\", \"interface\": \"access0\"}"
#define STATIC_2                                                                                             \
	"{\"address\": \"10.9.0.2\", \"mac\": \"02:00:00:00:00:02\", \"interface\": \"access0\", "           \
	"\"outer_vid\": 5}"
#define STATIC_2_MOVED                                                                                       \
	"{\"address\": \"10.9.0.2\", \"mac\": \"02:00:00:00:00:02\", \"interface\": \"access0\", "           \
	"\"outer_vid\": 6}"
#define STATIC_1_LIMITED                                                                                     \
	"{\"address\": \"10.9.0.1\", \"mac\": \"02:00:00:00:00:01\", \"interface\": \"access0\", "           \
	"\"max_blocks\": 1, \"max_mappings\": 11}"

START_TEST(static_sessions_are_applied_by_difference)
{
	struct session one, two;
	uint64_t id;

	configure(POOL_A, STATIC_1 ", " STATIC_2);
	ck_assert(session_by_address(&fixture.controld, address_of("10.9.0.1"), &one));
	ck_assert(session_by_address(&fixture.controld, address_of("10.9.0.2"), &two));
	id = one.record->session_id;
	configure(POOL_A, STATIC_2 ", " STATIC_1_LIMITED);
	ck_assert_uint_eq(one.record->session_id, id);
	ck_assert_uint_eq(one.record->max_blocks, 1);
	ck_assert_uint_eq(one.record->max_mappings, 11);
	ck_assert_uint_eq(fixture.ups, 2);
	ck_assert_uint_eq(fixture.downs, 0);
	configure(POOL_A, STATIC_1 ", " STATIC_2_MOVED);
	ck_assert_uint_eq(one.record->max_blocks, 3);
	ck_assert_uint_eq(two.record->state, BNG_SUBSCRIBER_CLOSING);
	ck_assert_uint_eq(fixture.controld.sessions->waiting_count, 1);
	fixture_release(two.slot);
	static_retry(&fixture.controld);
	ck_assert_uint_eq(fixture.controld.sessions->waiting_count, 0);
	ck_assert(session_by_address(&fixture.controld, address_of("10.9.0.2"), &two));
	ck_assert_uint_eq(two.record->outer_vid, 6);
	configure(POOL_A, "");
	ck_assert_uint_eq(session_count(&fixture.controld), 0);
	ck_assert_uint_eq(fixture.downs, 3);
	fixture_stop();
}
END_TEST

/* Random opening and closing against a plain list; then a restart finds the same. */
START_TEST(indexes_agree_with_the_records)
{
	enum { CLIENTS = 3000, STEPS = 60000 };
	static bool open[CLIENTS];
	struct sessions_adopted adopted;
	uint32_t count = 0, queue[64];
	struct session session;

	memset(open, 0, sizeof(open));
	srand(42);
	configure(POOL_A_WIDE, "");
	for (int step = 0; step < STEPS; step++) {
		uint32_t client = (uint32_t)rand() % CLIENTS;
		struct session_spec spec = fixture_spec("10.0.0.0", client);

		spec.address_be = htonl((client & 1 ? 0x0a000000 : 0xac100000) + client / 3 * (client & 1) +
					client * !(client & 1));
		ck_assert_int_eq(session_by_client(&fixture.controld, &spec.client, &session), open[client]);
		if (open[client]) {
			ck_assert_uint_eq(session.record->address_be, spec.address_be);
			ck_assert_int_eq(
				session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test"),
				0);
			fixture_release(session.slot);
			open[client] = false;
			count--;
		} else if (session_address_free(&fixture.controld, spec.address_be)) {
			ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
			open[client] = true;
			count++;
		}
		ck_assert_uint_eq(session_count(&fixture.controld), count);
		if (step % 50 == 0) {
			sessions_reap(&fixture.controld);
			fixture_released(queue, 64);
		}
	}
	fixture_restart(&adopted);
	ck_assert_uint_eq(adopted.active, count);
	for (uint32_t client = 0; client < CLIENTS; client++) {
		struct session_spec spec = fixture_spec("10.0.0.0", client);

		ck_assert_int_eq(session_by_client(&fixture.controld, &spec.client, &session), open[client]);
		if (open[client]) {
			struct session again;

			ck_assert(session_by_id(&fixture.controld, session.record->session_id, &again));
			ck_assert(session_by_address(&fixture.controld, session.record->address_be, &again));
			ck_assert_uint_eq(again.slot, session.slot);
		}
	}
	fixture_stop();
}
END_TEST

START_TEST(a_restart_changes_nothing_and_finishes_what_was_closing)
{
	struct session_spec spec = fixture_spec("10.0.0.20", 1), outside = fixture_spec("172.16.0.9", 2);
	struct session session, single, found;
	struct sessions_adopted adopted;
	struct bng_subscriber copy;
	uint32_t queue[4];
	uint64_t id;

	configure(POOL_A ", " POOL_B, STATIC_1);
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	ck_assert_int_eq(session_open(&fixture.controld, &outside, &single), 0);
	spec = fixture_spec("10.1.0.30", 3);
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &found), 0);
	id = found.record->session_id;
	session_close(&fixture.controld, &found, SESSION_END_USER_REQUEST, "test");
	fixture_released(queue, 4);
	copy = fixture.controld.maps->subscriber[session.slot];
	uint32_t session_slot = session.slot, single_slot = single.slot, closing_slot = found.slot;

	fixture_restart(&adopted);
	ck_assert_uint_eq(adopted.active, 3);
	ck_assert_uint_eq(adopted.closing, 1);
	ck_assert_uint_eq(fixture_released(queue, 4), 1);
	ck_assert_uint_eq(queue[0], closing_slot);
	configure(POOL_B ", " POOL_A, STATIC_1);
	ck_assert_uint_eq(slot_of("10.0.0.20"), session_slot);
	ck_assert_uint_eq(slot_of("172.16.0.9"), single_slot);
	ck_assert_int_eq(memcmp(&copy, &fixture.controld.maps->subscriber[session_slot], sizeof(copy)), 0);
	ck_assert_uint_eq(session_count(&fixture.controld), 3);
	ck_assert_uint_eq(fixture.downs, 1);
	spec = fixture_spec("10.0.0.40", 4);
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &found), 0);
	ck_assert_uint_gt(found.record->session_id, id);
	fixture_stop();
}
END_TEST

/* A session that is still being authorised is in no map, and has its id all the same. */
START_TEST(an_id_is_given_out_once_however_soon_a_restart_comes)
{
	struct sessions_adopted adopted;
	uint64_t before, last = 0;

	configure(POOL_A, "");
	for (int i = 0; i < 25; i++) {
		before = session_new_id(&fixture.controld);
		ck_assert_uint_gt(before, last);
		for (int more = 0; more < 1000; more++)
			last = session_new_id(&fixture.controld);
		fixture_restart(&adopted);
	}
	fixture_stop();
}
END_TEST

START_TEST(a_hundred_thousand_sessions_are_adopted)
{
	static const struct fixture_sizes large = {131072, 8, 1024};
	struct session_spec spec = fixture_spec("100.64.0.0", 0);
	struct sessions_adopted adopted;
	struct session session;

	fixture_start(&large);
	for (uint32_t i = 0; i < 100000; i++) {
		spec.address_be = htonl(0x64400000 + i);
		memcpy(spec.client.mac + 2, &i, sizeof(i));
		ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	}
	fixture_restart(&adopted);
	ck_assert_uint_eq(adopted.active, 100000);
	fixture_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *life = tcase_create("life"), *slots = tcase_create("slots"), *large = tcase_create("large");

	tcase_add_checked_fixture(life, setup, NULL);
	tcase_add_test(life, record_is_filled_and_published);
	tcase_add_test(life, one_session_for_a_client_and_for_an_address);
	tcase_add_test(life, closing_keeps_the_address_until_the_sweep_has_released_it);
	tcase_add_test(life, renewing_moves_the_end_of_the_lease);
	tcase_add_test(life, none_is_added_when_one_cannot_be);
	tcase_add_test(life, static_sessions_are_applied_by_difference);
	tcase_add_test(life, a_restart_changes_nothing_and_finishes_what_was_closing);
	tcase_add_test(life, an_id_is_given_out_once_however_soon_a_restart_comes);
	suite_add_tcase(suite, life);
	tcase_add_checked_fixture(slots, setup, NULL);
	tcase_add_test(slots, addresses_outside_ranges_get_single_slots_and_give_them_back);
	tcase_add_test(slots, slots_run_out_exactly);
	tcase_add_test(slots, a_wider_prefix_moves_no_slot);
	tcase_add_test(slots, a_range_in_use_stays_until_it_is_not);
	tcase_add_test(slots, a_single_slot_is_cut_out_of_a_new_range);
	tcase_add_test(slots, gateways_outside_ranges_are_known_as_this_side);
	suite_add_tcase(suite, slots);
	tcase_add_checked_fixture(large, setup, NULL);
	tcase_add_test(large, indexes_agree_with_the_records);
	suite_add_tcase(suite, large);
	TCase *quick = tcase_create("quick");
	tcase_add_test(quick, a_hundred_thousand_sessions_are_adopted);
	suite_add_tcase(suite, quick);
	return run_suite(suite);
}
