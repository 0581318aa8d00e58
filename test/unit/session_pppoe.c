/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * How the data plane finds PPPoE sessions: map `pppoe_session` follows the records.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld_fixture.h"
#include "run.h"

#define POOL                                                                                                 \
	"{\"name\": \"a\", \"interfaces\": [\"access0\"], \"prefix\": \"10.0.0.0/24\", "                     \
	"\"first\": \"10.0.0.10\", \"last\": \"10.0.0.200\", \"router\": \"10.0.0.1\"}"
#define NAT "{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"]}"

static const struct fixture_sizes sizes = {4096, 8, 1024};

static void setup(void)
{
	fixture_start(&sizes);
}

static void configure(void)
{
	char error[512];
	int failure = fixture_configure(fixture_text(POOL, "", NAT), error, sizeof(error));

	ck_assert_msg(!failure, "%s", error);
}

/* The slot that the data plane finds for the spec's client, 0: none. */
static uint32_t pppoe_slot(const struct session_spec *spec)
{
	struct bng_pppoe_key key = {
		.interface = spec->client.interface,
		.session = spec->client.pppoe_session,
		.outer_vid = spec->client.outer_vid,
		.inner_vid = spec->client.inner_vid,
	};
	uint32_t slot = 0;

	memcpy(key.mac, spec->client.mac, sizeof(key.mac));
	maps_get(fixture.controld.maps, MAP_pppoe_session, &key, &slot);
	return slot;
}

static uint64_t pppoe_count(void)
{
	uint64_t used = 0;

	ck_assert(maps_used(fixture.controld.maps, MAP_pppoe_session, &used));
	return used;
}

static struct session_spec pppoe_spec(const char *address, uint32_t client, uint16_t number)
{
	struct session_spec spec = fixture_spec(address, client);

	spec.client.pppoe_session = number;
	spec.client.outer_vid = 100;
	spec.client.inner_vid = 7;
	spec.mtu = 1492;
	spec.ppp_magic = 0x600dcafe;
	return spec;
}

START_TEST(the_data_plane_finds_a_pppoe_session_while_it_is_open)
{
	struct session_spec spec = pppoe_spec("10.0.0.20", 7, 77), plain = fixture_spec("10.0.0.21", 7);
	struct session session, other;

	configure();
	ck_assert_int_eq(session_open(&fixture.controld, &plain, &other), 0);
	ck_assert_uint_eq(pppoe_count(), 0);
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	ck_assert_uint_eq(pppoe_slot(&spec), session.slot);
	ck_assert_uint_eq(session.record->ppp_magic, 0x600dcafe);
	ck_assert_uint_le(
		maps_tick(fixture.controld.maps) -
			bng_ppp_alive_tick(session.record->ppp_alive, maps_tick(fixture.controld.maps)),
		8);
	ck_assert_int_eq(session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test"), 0);
	ck_assert_uint_eq(pppoe_count(), 0);
	spec = pppoe_spec("10.0.0.22", 7, 78);
	ck_assert_int_eq(session_prepare(&fixture.controld, &spec, &session), 0);
	ck_assert_uint_eq(pppoe_slot(&spec), session.slot);
	session_abandon(&fixture.controld, &session);
	ck_assert_uint_eq(pppoe_count(), 0);
	fixture_stop();
}
END_TEST

/* Never earlier than it was, as a subscriber that was heard must not be counted as silent;
 * a little later at most. */
START_TEST(a_tick_is_remembered_to_the_second)
{
	static const uint32_t ages[] = {0, 1, 2, 3, 4, 5, 7, 8, 112, 113, 0xffff, 0x3fffb};

	for (uint32_t tick = 0xfffffff0; tick != 0x20; tick++)
		for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
			uint32_t now = tick + ages[i], seen = bng_ppp_alive_tick(bng_ppp_alive(tick), now);

			ck_assert_uint_le(seen - tick, ages[i] < 3 ? ages[i] : 3);
		}
}
END_TEST

START_TEST(a_pppoe_session_that_cannot_be_found_is_refused)
{
	struct session_spec spec;
	struct session session;
	char address[16];

	configure();
	for (uint16_t i = 1; i <= FIXTURE_PPPOE_SESSIONS; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", 20u + i);
		spec = pppoe_spec(address, i, i);
		ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	}
	for (int i = 0; i < 2; i++) { /* inside a range, and with a slot of its own */
		spec = pppoe_spec(i ? "172.16.0.1" : "10.0.0.99", 99, 99);
		ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), -ENOSPC);
		ck_assert(session_address_free(&fixture.controld, spec.address_be));
		ck_assert(!session_by_client(&fixture.controld, &spec.client, &session));
	}
	ck_assert_uint_eq(session_count(&fixture.controld), FIXTURE_PPPOE_SESSIONS);
	ck_assert_uint_eq(fixture.controld.sessions->by_address.count, 0);
	spec.client.pppoe_session = 0;
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	fixture_stop();
}
END_TEST

START_TEST(a_restart_mends_what_the_data_plane_finds)
{
	struct session_spec spec = pppoe_spec("10.0.0.20", 7, 77), lost = pppoe_spec("10.0.0.21", 8, 78);
	struct session_spec prepared = pppoe_spec("10.0.0.22", 9, 79),
			    wrong = pppoe_spec("10.0.0.23", 10, 80);
	struct session session, second, third, fourth;
	struct bng_pppoe_key stale = {.interface = 1, .session = 5};
	struct sessions_adopted adopted;
	uint32_t beyond = 1u << 30;

	configure();
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	ck_assert_int_eq(session_open(&fixture.controld, &lost, &second), 0);
	ck_assert_int_eq(session_open(&fixture.controld, &wrong, &third), 0);
	ck_assert_int_eq(session_prepare(&fixture.controld, &prepared, &fourth), 0);
	pppoe_index_remove(fixture.controld.sessions, second.slot);
	/* Of another session's slot, and of no slot. */
	struct bng_pppoe_key key = {.interface = 1, .session = 80, .outer_vid = 100, .inner_vid = 7};
	memcpy(key.mac, wrong.client.mac, sizeof(key.mac));
	ck_assert_int_eq(maps_set(fixture.controld.maps, MAP_pppoe_session, &key, &session.slot), 0);
	ck_assert_int_eq(maps_set(fixture.controld.maps, MAP_pppoe_session, &stale, &beyond), 0);
	fixture_restart(&adopted);
	ck_assert_uint_eq(adopted.active, 3);
	ck_assert_uint_eq(pppoe_slot(&spec), session.slot);
	ck_assert_uint_eq(pppoe_slot(&lost), second.slot);
	ck_assert_uint_eq(pppoe_slot(&wrong), third.slot);
	ck_assert_uint_eq(pppoe_slot(&prepared), 0);
	ck_assert_uint_eq(pppoe_count(), 3);
	fixture_stop();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session pppoe");
	TCase *tests = tcase_create("index");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, the_data_plane_finds_a_pppoe_session_while_it_is_open);
	tcase_add_test(tests, a_tick_is_remembered_to_the_second);
	tcase_add_test(tests, a_pppoe_session_that_cannot_be_found_is_refused);
	tcase_add_test(tests, a_restart_mends_what_the_data_plane_finds);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
