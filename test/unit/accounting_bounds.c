/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Which records go when too much waits: the oldest interim records, one by one; after a
 * restart, too. Never a Start or a Stop.
 */
#include <check.h>
#include <stdlib.h>

#include "accounting_double.h"
#include "lib/log.h"

#define SESSIONS 3
#define STORED   134 /* bytes that a record of the double takes */

static struct record_key made[256];
static unsigned made_count;

static void drain(void)
{
	for (int topic = 0; topic < WORLD_TOPICS; topic++)
		while (world_store(topic) || world_acknowledge(topic))
			;
}

/* Accounting-On and so many Starts wait; the server is silent. */
static void setup(void)
{
	log_init("check", LOG_LEVEL_ERROR);
	world_new(1, 0);
	world.config.accounting = (struct config_accounting){
		.enabled = true, .interim_s = 600, .spool_max = 1000, .disk_share = 10};
	made_count = 0;
	world_start();
	for (uint32_t slot = 1; slot <= SESSIONS; slot++)
		world_open(slot, 100 + slot);
	drain();
}

static void teardown(void)
{
	world_stop();
	world_new(0, 0);
	for (int topic = 0; topic < WORLD_TOPICS; topic++)
		json_decref(world.kept[topic]);
}

static void restart(void)
{
	world_stop();
	world_start();
	drain();
}

/* So many interim records, of one session after the other; each second later than the last. */
static void make_interims(unsigned count)
{
	static unsigned sequences[WORLD_SESSIONS];

	if (!made_count)
		for (uint32_t slot = 1; slot < WORLD_SESSIONS; slot++)
			sequences[slot] = 0;
	while (count--) {
		uint32_t slot = 1 + made_count % SESSIONS;

		made[made_count++] = (struct record_key){100 + slot, ++sequences[slot], RECORD_INTERIM};
		ck_assert(world_due(slot));
	}
	drain();
}

static struct accounting *spool(void)
{
	return world.controld.accounting;
}

/* The last `count` of those that were made, and all that is no interim record, are kept on
 * the bus and in memory; nothing else is. */
static void assert_kept(unsigned count, unsigned others)
{
	char key[RECORD_KEY_TEXT];

	ck_assert_uint_eq(spool_count(spool()), count + others);
	ck_assert_uint_eq(json_object_size(world.kept[TOPIC_ACCOUNTING]), count + others);
	for (unsigned i = 0; i < made_count; i++) {
		bool is_kept = i >= made_count - count;

		record_key_format(&made[i], key);
		ck_assert_msg(!!json_object_get(world.kept[TOPIC_ACCOUNTING], key) == is_kept,
			      "%s, of %u made", key, made_count);
	}
	ck_assert_uint_eq(spool()->ledger->header->dropped, made_count - count);
}

START_TEST(the_number_of_records_is_bounded)
{
	world.config.accounting.spool_max = 16;
	ck_assert_int_eq(accounting_feature.apply(&world.controld, NULL, &world.config), 0);
	make_interims(12);
	assert_kept(12, 4);
	make_interims(1);
	assert_kept(12, 4);
	make_interims(30);
	assert_kept(12, 4);
	ck_assert_ptr_null(bounds_overfull(spool()));
	ck_assert_uint_eq(spool()->dropped[BOUND_RECORDS], 31);
	ck_assert_uint_eq(spool()->dropped[BOUND_DISK], 0);
}
END_TEST

START_TEST(the_share_of_the_disk_is_bounded)
{
	make_interims(30);
	assert_kept(30, 4); /* the bus has not told how large its disk is */
	world.room = 100 * (STORED + 1);
	world_tick();
	drain();
	assert_kept(6, 4);
	make_interims(1);
	assert_kept(6, 4);
	ck_assert_uint_eq(bounds_bytes(spool()), 10 * STORED + 6); /* Accounting-On has more to say */
	ck_assert_uint_eq(bounds_bytes_max(spool()), 10 * (STORED + 1));
	world.room = 100 * STORED;
	world_tick();
	drain();
	assert_kept(5, 4);
}
END_TEST

/* In another order than they were made in the ledger and on the bus give them back. */
START_TEST(after_a_restart_the_oldest_is_still_the_first_to_go)
{
	struct record *record;
	int64_t second = 1700000000;

	make_interims(20);
	for (unsigned i = 0; i < made_count; i++) {
		struct account *account = account_find(spool(), made[i].session_id);
		json_t *value;
		char key[RECORD_KEY_TEXT];

		record = record_find(account, &made[i]);
		record->content.made_s = second + i;
		record_key_format(&made[i], key);
		value = record_value(&record->content);
		json_object_del(world.kept[TOPIC_ACCOUNTING], key);
		/* Every other one only the ledger has. */
		if (i % 2)
			record->slot = ledger_take(spool()->ledger, &record->content, LEDGER_WAITING);
		else
			json_object_set(world.kept[TOPIC_ACCOUNTING], key, value);
		json_decref(value);
	}
	world.config.accounting.spool_max = 16;
	restart();
	world_tick();
	drain();
	assert_kept(12, 4);
}
END_TEST

START_TEST(start_and_stop_are_never_dropped)
{
	make_interims(10);
	world.config.accounting.spool_max = 16;
	ck_assert_int_eq(accounting_feature.apply(&world.controld, NULL, &world.config), 0);
	for (uint32_t slot = SESSIONS + 1; slot < WORLD_SESSIONS; slot++)
		world_open(slot, 100 + slot);
	drain();
	assert_kept(0, WORLD_SESSIONS); /* with Accounting-On */
	ck_assert_str_eq(bounds_overfull(spool()), "spool_max");
	world_tick();
	ck_assert(spool()->ledger->header->is_overfull);
	make_interims(2);
	assert_kept(0, WORLD_SESSIONS);
	for (uint32_t slot = 1; slot < WORLD_SESSIONS; slot++)
		world_close(slot);
	drain();
	assert_kept(0, 2 * WORLD_SESSIONS - 1);
	restart();
	assert_kept(0, 2 * WORLD_SESSIONS - 1);
	ck_assert(spool()->ledger->header->is_overfull);
	for (int i = 0; i < 1000 && !world_is_quiet(); i++) {
		world_tick();
		while (world_receive() || world_answer())
			drain();
	}
	ck_assert(world_is_quiet());
	ck_assert_uint_eq(world.told_count, 2 * WORLD_SESSIONS - 1);
	ck_assert_ptr_null(bounds_overfull(spool()));
	world_tick();
	ck_assert(!spool()->ledger->header->is_overfull);
}
END_TEST

/* Who was to be sent next is dropped: the turn goes on to who is there. */
START_TEST(a_dropped_record_gives_its_turn_on)
{
	while (world_receive() || world_answer()) /* On and the Starts */
		drain();
	world_turn();
	while (world_receive() || world_answer())
		drain();
	for (int i = 0; i < 20; i++) {
		world_turn();
		while (world_receive() || world_answer())
			drain();
	}
	ck_assert_uint_eq(world.told_count, SESSIONS + 1);
	spool()->paused_until_ns = UINT64_MAX; /* nobody answers */
	make_interims(3);
	world.config.accounting.spool_max = 1;
	ck_assert_int_eq(accounting_feature.apply(&world.controld, NULL, &world.config), 0);
	world_tick();
	drain();
	for (int i = 0; i < 20; i++) {
		world_tick();
		while (world_receive() || world_answer())
			drain();
	}
	ck_assert_uint_eq(world.told_count, SESSIONS + 2);
	ck_assert_uint_eq(world.told[SESSIONS + 1].session_id, made[2].session_id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("accounting_bounds");
	TCase *bounds = tcase_create("bounds");
	SRunner *runner = srunner_create(suite);

	tcase_add_checked_fixture(bounds, setup, teardown);
	tcase_add_test(bounds, the_number_of_records_is_bounded);
	tcase_add_test(bounds, the_share_of_the_disk_is_bounded);
	tcase_add_test(bounds, after_a_restart_the_oldest_is_still_the_first_to_go);
	tcase_add_test(bounds, start_and_stop_are_never_dropped);
	tcase_add_test(bounds, a_dropped_record_gives_its_turn_on);
	suite_add_tcase(suite, bounds);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
