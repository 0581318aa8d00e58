/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The bounded table of (client, address) pairs, against a plain list.
 */
#include <check.h>
#include <stdlib.h>

#include "controld/dhcp4/reservation.h"
#include "run.h"

START_TEST(full_table_forgets_the_oldest)
{
	struct reservations *table = reservations_new(4, 100);
	struct session_client client = {0};

	for (uint32_t i = 1; i <= 6; i++) {
		client.outer_vid = (uint16_t)i;
		reservation_add(table, &client, i, i);
	}
	ck_assert_uint_eq(reservations_count(table, 6), 4);
	ck_assert_uint_eq(reservations_displaced(table), 2);
	ck_assert_ptr_null(reservation_of_address(table, 2, 6));
	ck_assert_ptr_nonnull(reservation_of_address(table, 3, 6));
	ck_assert_ptr_null(reservation_of_address(table, 3, 103));
	ck_assert_uint_eq(reservations_count(table, 103), 3);
	reservation_add(table, &client, 4, 104); /* takes the address from its client, and leaves its own */
	ck_assert_uint_eq(reservations_count(table, 104), 2);
	ck_assert_ptr_null(reservation_of_address(table, 6, 104));
	reservations_free(table);
}
END_TEST

START_TEST(random_use_agrees_with_a_plain_list)
{
	enum { CLIENTS = 32, ADDRESSES = 24, SIZE = 16 };
	struct reservations *table = reservations_new(SIZE, 50);
	struct {
		uint32_t address;
		uint64_t until;
	} model[CLIENTS] = {0};
	struct session_client client = {0};

	srandom(7);
	for (uint64_t now = 1; now < 20000; now++) {
		uint32_t who = (uint32_t)random() % CLIENTS, address = 1 + (uint32_t)random() % ADDRESSES;
		client.inner_vid = (uint16_t)who;
		if (random() % 4 == 0) {
			reservation_remove_client(table, &client);
			model[who].until = 0;
		} else {
			int live = 0, oldest = -1;
			for (int i = 0; i < CLIENTS; i++)
				if (model[i].address == address || i == (int)who || model[i].until <= now)
					model[i].until = 0;
			for (int i = 0; i < CLIENTS; i++) {
				live += model[i].until != 0;
				if (model[i].until && (oldest < 0 || model[i].until < model[oldest].until))
					oldest = i;
			}
			if (live == SIZE)
				model[oldest].until = 0;
			reservation_add(table, &client, address, now);
			model[who].address = address;
			model[who].until = now + 50;
		}
		for (int i = 0; i < CLIENTS; i++) {
			client.inner_vid = (uint16_t)i;
			const struct reservation *entry = reservation_of_client(table, &client, now);
			ck_assert_uint_eq(entry ? entry->address_be : 0,
					  model[i].until > now ? model[i].address : 0);
		}
	}
	reservations_free(table);
}
END_TEST

static unsigned kept, forgotten;

static void on_kept(void *context, const struct reservation *entry)
{
	(void)entry;
	kept++;
	ck_assert_ptr_null(context);
}

static void on_forgotten(void *context, const struct reservation *entry)
{
	(void)context;
	forgotten += entry->address_be;
}

START_TEST(copy_elsewhere_stays_the_same)
{
	struct reservations *table = reservations_new(2, 100);
	struct session_client client[4] = {
		{.outer_vid = 1}, {.outer_vid = 2}, {.outer_vid = 3}, {.outer_vid = 4}};

	kept = forgotten = 0;
	reservations_watch(table, &(struct reservation_watch){on_kept, on_forgotten, NULL});
	reservation_add(table, &client[0], 10, 1);
	reservation_add(table, &client[0], 11, 2); /* its record is written over */
	ck_assert_uint_eq(kept, 2);
	ck_assert_uint_eq(forgotten, 0);
	reservation_add(table, &client[1], 11, 3); /* whose address it was has none now */
	ck_assert_uint_eq(forgotten, 11);
	reservation_add(table, &client[2], 12, 4);
	reservation_add(table, &client[3], 13, 5); /* full */
	ck_assert_uint_eq(forgotten, 22);
	ck_assert_uint_eq(reservations_count(table, 104), 1); /* over */
	ck_assert_uint_eq(forgotten, 34);
	reservations_free(table);
}
END_TEST

START_TEST(restored_entries_have_their_time_and_their_order)
{
	struct reservations *table = reservations_new(4, 100);
	struct session_client client[5] = {
		{.outer_vid = 1}, {.outer_vid = 2}, {.outer_vid = 3}, {.outer_vid = 4}, {.outer_vid = 5}};

	kept = 0;
	reservations_watch(table, &(struct reservation_watch){on_kept, on_forgotten, NULL});
	reservation_add(table, &client[0], 10, 1); /* until 101 */
	ck_assert(reservation_restore(table, &client[1], 11, 90, 2));
	ck_assert(reservation_restore(table, &client[2], 12, 50, 2));
	ck_assert(!reservation_restore(table, &client[0], 13, 90, 2));    /* known anew */
	ck_assert(!reservation_restore(table, &client[3], 10, 90, 2));    /* somebody's by now */
	ck_assert(!reservation_restore(table, &client[3], 13, 2, 2));     /* over */
	ck_assert(reservation_restore(table, &client[3], 13, 100000, 2)); /* a clock that was set back */
	ck_assert(!reservation_restore(table, &client[4], 14, 90, 2));    /* full */
	ck_assert_uint_eq(kept, 1);
	ck_assert_uint_eq(reservations_count(table, 50), 3);
	ck_assert_uint_eq(reservations_count(table, 90), 2);
	ck_assert_uint_eq(reservations_count(table, 102), 0);
	reservations_free(table);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4 reservations");
	TCase *tables = tcase_create("tables");

	tcase_add_test(tables, full_table_forgets_the_oldest);
	tcase_add_test(tables, random_use_agrees_with_a_plain_list);
	tcase_add_test(tables, copy_elsewhere_stays_the_same);
	tcase_add_test(tables, restored_entries_have_their_time_and_their_order);
	suite_add_tcase(suite, tables);
	return run_suite(suite);
}
