/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The table of clients on their way to a session: its bounds, and what it forgets.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "controld/session/setup.h"
#include "run.h"

#define CAPACITY 4
#define NOW      1000000000000ULL
#define SECONDS  1000000000ULL

static struct setups *setups;

static void begin(void)
{
	static const uint32_t lifetime_s[SETUP_STATES] = {
		[SETUP_ASKED] = 10, [SETUP_GRANTED] = 20, [SETUP_HELD] = 5};

	setups = setups_new(CAPACITY, lifetime_s);
	ck_assert_ptr_nonnull(setups);
}

static void end(void)
{
	setups_free(setups);
}

static struct session_client client_of(uint8_t mac)
{
	return (struct session_client){.interface = 3, .mac = {2, 0, 0, 0, 0, mac}};
}

static struct setup *add(uint8_t mac, enum setup_state state, uint64_t now_ns)
{
	struct session_client client = client_of(mac);

	return setup_add(setups, &client, state, now_ns);
}

static struct setup *find(uint8_t mac, uint64_t now_ns)
{
	struct session_client client = client_of(mac);

	return setup_find(setups, &client, now_ns);
}

START_TEST(each_state_has_its_time)
{
	add(1, SETUP_ASKED, NOW);
	add(2, SETUP_GRANTED, NOW);
	add(3, SETUP_OPENING, NOW);
	add(4, SETUP_HELD, NOW);
	ck_assert_ptr_null(find(4, NOW + 5 * SECONDS));
	ck_assert_ptr_nonnull(find(1, NOW + 10 * SECONDS - 1));
	ck_assert_ptr_null(find(1, NOW + 10 * SECONDS));
	ck_assert_ptr_null(find(2, NOW + 20 * SECONDS));
	ck_assert_ptr_nonnull(find(3, NOW + 1000000 * SECONDS));
}
END_TEST

START_TEST(time_begins_anew_with_each_move)
{
	struct setup *setup = add(1, SETUP_ASKED, NOW);

	setup_move(setups, setup, SETUP_GRANTED, NOW + 9 * SECONDS);
	ck_assert_ptr_eq(find(1, NOW + 28 * SECONDS), setup);
	ck_assert_uint_eq(setups_count(setups, SETUP_ASKED), 0);
	ck_assert_uint_eq(setups_count(setups, SETUP_GRANTED), 1);
	setup_move(setups, setup, SETUP_OPENING, NOW);
	ck_assert_uint_eq(setups_opening(setups, 3), 1);
	ck_assert_uint_eq(setups_opening(setups, 4), 0);
	setup_remove(setups, setup);
	ck_assert_uint_eq(setups_opening(setups, 3), 0);
}
END_TEST

START_TEST(full_table_displaces_only_what_can_be_asked_again)
{
	add(1, SETUP_ASKED, NOW);
	add(2, SETUP_HELD, NOW);
	add(3, SETUP_GRANTED, NOW);
	add(4, SETUP_GRANTED, NOW + 1);
	ck_assert_ptr_nonnull(add(5, SETUP_ASKED, NOW + 2));
	ck_assert_ptr_null(find(3, NOW + 2));
	ck_assert_ptr_nonnull(add(6, SETUP_OPENING, NOW + 2));
	ck_assert_ptr_null(find(4, NOW + 2));
	ck_assert_ptr_nonnull(add(7, SETUP_ASKED, NOW + 2));
	ck_assert_ptr_null(find(2, NOW + 2));
	ck_assert_ptr_null(add(8, SETUP_ASKED, NOW + 2));
	ck_assert_ptr_nonnull(find(1, NOW + 2));
	ck_assert_ptr_nonnull(add(8, SETUP_ASKED, NOW + 10 * SECONDS)); /* 1 is over */
}
END_TEST

START_TEST(client_has_one_entry)
{
	struct setup *setup = add(1, SETUP_ASKED, NOW);

	setup->session_id = 7;
	ck_assert_uint_eq(add(1, SETUP_HELD, NOW)->session_id, 0);
	ck_assert_uint_eq(setups_count(setups, SETUP_ASKED), 0);
	ck_assert_uint_eq(setups_count(setups, SETUP_HELD), 1);
	ck_assert_ptr_null(find(2, NOW));
}
END_TEST

START_TEST(frame_and_line_are_copies)
{
	struct setup *setup = add(1, SETUP_ASKED, NOW);
	uint8_t bytes[4] = "abc";
	struct session_line line = {.circuit_id = bytes, .circuit_id_length = 3};
	size_t length;

	ck_assert(setup_keep_frame(setup, bytes, 3));
	ck_assert(setup_keep_frame(setup, bytes, 2));
	ck_assert(setup_keep_line(setup, &line));
	bytes[0] = 'x';
	uint8_t *frame = setup_take_frame(setup, &length);
	ck_assert_uint_eq(length, 2);
	ck_assert_int_eq(memcmp(frame, "ab", 2), 0);
	free(frame);
	ck_assert_ptr_null(setup_take_frame(setup, &length));
	ck_assert_int_eq(memcmp(setup->line.circuit_id, "abc", 3), 0);
	ck_assert_ptr_null(setup->line.remote_id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("setup");
	TCase *tests = tcase_create("setup");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, each_state_has_its_time);
	tcase_add_test(tests, time_begins_anew_with_each_move);
	tcase_add_test(tests, full_table_displaces_only_what_can_be_asked_again);
	tcase_add_test(tests, client_has_one_entry);
	tcase_add_test(tests, frame_and_line_are_copies);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
