/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Steering on real maps, without packets: what a round reads and writes, what stays
 * when controld is killed at any moment, and what a configuration changes.
 */
#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgnat_fixture.h"
#include "controld/feature.h"
#include "controld/steering/steering.h"
#include "run.h"

#define HOT         "203.0.113.0"
#define SUBSCRIBERS 40
#define SHARE       0.1

extern const struct bng_feature steering_feature;

static const struct fixture_sizes sizes = {4096, 16, 4096};
static struct session sessions[SUBSCRIBERS];
static struct config config;

static void start(void)
{
	ck_assert_int_eq(steering_feature.init(&fixture.controld), 0);
	ck_assert_int_eq(steering_feature.apply(&fixture.controld, NULL, &config), 0);
}

static void restart(void)
{
	struct sessions_adopted adopted;

	steering_feature.free(&fixture.controld);
	fixture_restart(&adopted);
	ck_assert_uint_eq(adopted.active, SUBSCRIBERS);
	start();
}

static struct bng_meta *meta(void)
{
	return fixture.controld.maps->meta;
}

static struct bng_subscriber *record(int i)
{
	return &fixture.controld.maps->subscriber[sessions[i].slot];
}

static void setup_pool(int block_size)
{
	char pool[128];

	fixture_start(&sizes);
	snprintf(pool, sizeof(pool),
		 "{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"block_size\": %d}", block_size);
	configure(pool);
	config = (struct config){.steering = fixture.controld.config->steering};
	config.steering.mode = BNG_STEERING_ENFORCE;
	config.steering.share = SHARE;
}

/* Everybody has three blocks of one address: it is nearly full. */
static void setup(void)
{
	setup_pool(512);
	for (int i = 0; i < SUBSCRIBERS; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.9.0.%d", i + 1);
		sessions[i] = open_session(address, (uint32_t)i + 1);
		for (uint32_t k = 3; k-- > 0;)
			record(i)->block[k] = take_block(HOT, 2 + (uint32_t)i * 3 + k, &sessions[i])->first;
	}
	start();
}

static void teardown(void)
{
	steering_feature.free(&fixture.controld);
	fixture_stop();
}

/* Two looks at the counters, with failures between them. */
static void press(void)
{
	steering_round(&fixture.controld);
	record_of(HOT)->alloc_failures += 1000000;
	steering_round(&fixture.controld);
}

static int moved(void)
{
	int count = 0;

	for (int i = 0; i < SUBSCRIBERS; i++)
		count += record(i)->address_index != (uint32_t)index_of(HOT);
	return count;
}

START_TEST(a_round_moves_a_share_and_remembers_why)
{
	struct steering_moved *moves;
	size_t count;

	press();
	ck_assert_int_eq(moved(), SHARE * SUBSCRIBERS);
	ck_assert_int_eq(steering_recent_moves(fixture.controld.maps, &moves, &count), 0);
	ck_assert_uint_eq(count, SHARE * SUBSCRIBERS);
	for (size_t i = 0; i < count; i++) {
		const struct bng_subscriber *subscriber =
			&fixture.controld.maps->subscriber[moves[i].move.slot];

		ck_assert_uint_eq(moves[i].from_be, record_of(HOT)->address_be);
		ck_assert_uint_eq(moves[i].to_be,
				  fixture.controld.maps->pool_address[subscriber->address_index].address_be);
		ck_assert_int_eq(moves[i].move.why, PLAN_PRESSURE);
		ck_assert(moves[i].move.load == 3 && moves[i].move.to_score == 100);
	}
	free(moves);
}
END_TEST

START_TEST(observe_and_off_change_nothing)
{
	size_t size = sizes.subscribers * sizeof(struct bng_subscriber);
	void *before = malloc(size);

	config.steering.mode = (uint8_t)_i;
	steering_feature.apply(&fixture.controld, NULL, &config);
	memcpy(before, fixture.controld.maps->subscriber, size);
	press();
	ck_assert_mem_eq(before, fixture.controld.maps->subscriber, size);
	free(before);
}
END_TEST

START_TEST(scores_survive_a_restart)
{
	struct score before, after;

	press();
	before = steering_score(record_of(HOT));
	ck_assert(score_known(&before) && before.rate[SCORE_FAILURES] > 0);
	restart();
	after = steering_score(record_of(HOT));
	ck_assert_mem_eq(&before, &after, sizeof(before));
	steering_round(&fixture.controld);
	after = steering_score(record_of(HOT));
	ck_assert(after.rate[SCORE_FAILURES] > 0 && after.now[SCORE_FAILURES] == 0);
}
END_TEST

START_TEST(nobody_moves_twice_within_the_hold_down_whatever_restarts)
{
	uint32_t where[SUBSCRIBERS];
	int rounds = 0;

	while (moved() < 20 && rounds++ < 20) {
		press();
		for (int i = 0; i < SUBSCRIBERS; i++)
			where[i] = record(i)->address_index;
		restart();
	}
	ck_assert_int_ge(moved(), 8);
	/* Now where they went is hot: they are held down. */
	for (int i = 0; i < 4; i++)
		fixture.controld.maps->pool_address[i].alloc_failures += 1000000;
	press();
	for (int i = 0; i < SUBSCRIBERS; i++)
		if (where[i] != (uint32_t)index_of(HOT))
			ck_assert_uint_eq(record(i)->address_index, where[i]);
}
END_TEST

START_TEST(rounds_are_an_interval_apart_over_restarts)
{
	ck_assert_uint_eq(steering_due_ns(&fixture.controld), 0);
	steering_round(&fixture.controld);
	ck_assert_uint_gt(steering_due_ns(&fixture.controld), 8000000000ULL);
	restart();
	ck_assert_uint_gt(steering_due_ns(&fixture.controld), 8000000000ULL);
	meta()->steered_tick -= BNG_TICKS_OF_SECONDS(11);
	ck_assert_uint_eq(steering_due_ns(&fixture.controld), 0);
}
END_TEST

/* The stores of a move, in their order; the first _i were made before controld died. */
static void die_in_a_move(struct bng_subscriber *subscriber, uint32_t to, int stores)
{
	if (stores > 0)
		subscriber->moved_to_be = 0;
	if (stores > 1)
		subscriber->moved_from_be =
			fixture.controld.maps->pool_address[subscriber->address_index].address_be;
	if (stores > 2)
		subscriber->moved_ns = 1234567890;
	if (stores > 3)
		subscriber->address_index = to;
	if (stores > 4)
		subscriber->moved_to_be = fixture.controld.maps->pool_address[to].address_be;
}

START_TEST(a_move_that_was_interrupted_is_done_or_not)
{
	uint32_t hot = (uint32_t)index_of(HOT), cool = (uint32_t)index_of("203.0.113.2");
	struct steering_moved *moves;
	size_t count;

	die_in_a_move(record(0), cool, _i);
	restart();
	ck_assert_uint_eq(record(0)->address_index, _i > 3 ? cool : hot);
	steering_recent_moves(fixture.controld.maps, &moves, &count);
	ck_assert_uint_eq(count, _i > 3);
	if (count)
		ck_assert_uint_eq(moves[0].to_be, record_of("203.0.113.2")->address_be);
	free(moves);
	ck_assert_int_eq(record(0)->moved_ns != 0, _i > 2); /* pinned */
}
END_TEST

START_TEST(a_second_move_that_was_interrupted_keeps_the_pin)
{
	uint32_t hot = (uint32_t)index_of(HOT), cool = (uint32_t)index_of("203.0.113.2");
	struct steering_moved *moves;
	size_t count;

	die_in_a_move(record(0), cool, 5);
	die_in_a_move(record(0), hot, _i);
	restart();
	ck_assert_uint_eq(record(0)->address_index, _i > 3 ? hot : cool);
	ck_assert_uint_ne(record(0)->moved_ns, 0);
	steering_recent_moves(fixture.controld.maps, &moves, &count);
	for (size_t i = 0; i < count; i++)
		ck_assert_uint_eq(moves[i].to_be,
				  fixture.controld.maps->pool_address[record(0)->address_index].address_be);
	free(moves);
}
END_TEST

#define CROWD 2000

/* A crowd with a block each, on an address that fails; the others have room for all. */
static void setup_crowd(void)
{
	setup_pool(64);
	config.steering.share = 1;
	start();
	for (uint32_t i = 0; i < CROWD; i++) {
		struct session_spec spec = fixture_spec("10.9.0.0", i + 1);
		struct session session;

		spec.address_be = htonl(0x0a090000 + i + 1);
		ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
		session.record->block[0] = (uint32_t)index_of(HOT) << 16 | 1024;
		session.record->address_index = (uint32_t)index_of(HOT);
	}
	record_of(HOT)->free_blocks = 0;
	steering_round(&fixture.controld);
	record_of(HOT)->alloc_failures += 1000000;
}

/* How many subscribers are elsewhere; each is pinned. */
static uint32_t count_moved(uint32_t *where)
{
	uint32_t count = 0, slot = 0;
	struct session session;

	while (session_next(&fixture.controld, &slot, &session)) {
		where[session.slot] = session.record->address_index;
		if (session.record->address_index == (uint32_t)index_of(HOT))
			continue;
		ck_assert_uint_ne(session.record->moved_ns, 0);
		count++;
	}
	return count;
}

/* Runs a round in a process of its own, which is killed once it has moved somebody;
 * how many it had moved. */
static uint32_t killed_round(uint32_t *where)
{
	const struct bng_pool_address *hot = record_of(HOT);
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		steering_round(&fixture.controld);
		_exit(0);
	}
	while (!waitpid(child, &status, WNOHANG) && !count_moved(where))
		;
	ck_assert_uint_eq(hot->free_blocks, 0);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return count_moved(where);
}

START_TEST(a_controller_that_is_killed_in_a_batch_leaves_it_to_the_next)
{
	uint32_t *before = calloc(sizes.subscribers, sizeof(*before)), moved_then = 0;
	uint32_t *after = calloc(sizes.subscribers, sizeof(*after));
	struct sessions_adopted adopted;
	struct steering_moved *moves;
	size_t count;

	for (int attempt = 0; attempt < 50 && (!moved_then || moved_then == CROWD); attempt++) {
		if (attempt)
			teardown();
		setup_crowd();
		moved_then = killed_round(before);
	}
	ck_assert(moved_then > 0 && moved_then < CROWD);
	steering_feature.free(&fixture.controld);
	fixture_restart(&adopted);
	ck_assert_uint_eq(adopted.active, CROWD);
	start();
	ck_assert_uint_eq(count_moved(after), moved_then);
	ck_assert_int_eq(steering_recent_moves(fixture.controld.maps, &moves, &count), 0);
	ck_assert_uint_eq(count, moved_then); /* each is known, the last one too */
	free(moves);
	record_of(HOT)->alloc_failures += 1000000;
	steering_round(&fixture.controld);
	ck_assert_uint_gt(count_moved(after), moved_then);
	for (uint32_t slot = 0; slot < sizes.subscribers; slot++)
		if (before[slot] && before[slot] != (uint32_t)index_of(HOT))
			ck_assert_uint_eq(after[slot], before[slot]);
	free(before);
	free(after);
	teardown();
}
END_TEST

START_TEST(a_subscriber_that_is_elsewhere_by_now_is_left_there)
{
	struct steering_view view;
	struct plan_move move = {.slot = sessions[0].slot, .from = 0, .to = 1};
	struct bng_subscriber before;

	ck_assert_int_eq(steering_view_make(fixture.controld.maps, &view), 0);
	ck_assert(steering_move(fixture.controld.maps, &view.pools[0], &move, 77));
	record(0)->address_index = 2; /* paired anew by a packet */
	before = *record(0);
	ck_assert(!steering_move(fixture.controld.maps, &view.pools[0], &move, 99));
	ck_assert_mem_eq(record(0), &before, sizeof(before));
	ck_assert(before.address_index == 2 && before.moved_ns == 77 && before.moved_to_be);
	steering_view_done(&view);
}
END_TEST

START_TEST(who_has_blocks_of_another_size_stays)
{
	for (int i = 0; i < SUBSCRIBERS; i++)
		record(i)->block_shift = 8;
	press();
	ck_assert_int_eq(moved(), 0);
}
END_TEST

START_TEST(a_deterministic_pool_says_itself_who_is_where)
{
	fixture.controld.maps->pool[0].fixed_blocks = 1;
	press();
	ck_assert_int_eq(moved(), 0);
}
END_TEST

START_TEST(a_mode_set_live_stays_until_the_configurations_changes)
{
	ck_assert_uint_eq(meta()->steering_mode, BNG_STEERING_ENFORCE);
	meta()->steering_mode = BNG_STEERING_OBSERVE; /* as cgnat.steering.set does */
	steering_feature.apply(&fixture.controld, NULL, &config);
	restart();
	ck_assert_uint_eq(steering_mode(&fixture.controld), BNG_STEERING_OBSERVE);
	config.steering.mode = BNG_STEERING_OFF;
	steering_feature.apply(&fixture.controld, NULL, &config);
	ck_assert_uint_eq(steering_mode(&fixture.controld), BNG_STEERING_OFF);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("steering_feature");
	TCase *test = tcase_create("rounds"), *killed = tcase_create("killed");

	tcase_add_checked_fixture(test, setup, teardown);
	tcase_add_test(test, a_round_moves_a_share_and_remembers_why);
	tcase_add_loop_test(test, observe_and_off_change_nothing, BNG_STEERING_OFF, BNG_STEERING_ENFORCE);
	tcase_add_test(test, scores_survive_a_restart);
	tcase_add_test(test, nobody_moves_twice_within_the_hold_down_whatever_restarts);
	tcase_add_test(test, rounds_are_an_interval_apart_over_restarts);
	tcase_add_loop_test(test, a_move_that_was_interrupted_is_done_or_not, 0, 6);
	tcase_add_loop_test(test, a_second_move_that_was_interrupted_keeps_the_pin, 0, 6);
	tcase_add_test(test, a_subscriber_that_is_elsewhere_by_now_is_left_there);
	tcase_add_test(test, who_has_blocks_of_another_size_stays);
	tcase_add_test(test, a_deterministic_pool_says_itself_who_is_where);
	tcase_add_test(test, a_mode_set_live_stays_until_the_configurations_changes);
	suite_add_tcase(suite, test);
	tcase_add_test(killed, a_controller_that_is_killed_in_a_batch_leaves_it_to_the_next);
	suite_add_tcase(suite, killed);
	return run_suite(suite);
}
