/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The way of a record, and a kill at every step of it: made, put, stored, sent, received,
 * answered, noted, deleted. What comes next, and how far the bus and the server get, is
 * drawn; the same again with a kill at the first call that controld makes to anybody, at
 * the second, and so on; the controld after it is killed as well. Whatever was killed, the server is told of
 * each record once, a session's in order, and nothing stays behind.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "accounting_double.h"
#include "lib/log.h"

#define SESSIONS  2
#define INTERIMS  2
#define SEEDS     1
#define KILLS     2
#define APART     60 /* calls between two of them, at most */
#define STEPS_MAX 20000

/* Of a session: opened, so many interim records, closed. */
static unsigned past[SESSIONS + 1];
static unsigned kills;
static bool may_bus_go;

/* ---- What happens ---------------------------------------------------------------------- */

static bool is_written(void)
{
	for (uint32_t slot = 1; slot <= SESSIONS; slot++)
		if (past[slot] < INTERIMS + 2)
			return false;
	return true;
}

/* The next thing in a session's life. A kill may have undone that it ended. */
static void go_on(uint32_t slot)
{
	const struct world_session *session = &world.sessions[slot];

	if (past[slot] == 0) {
		past[slot]++;
		world_open(slot, 1000 + slot);
	} else if (past[slot] <= INTERIMS) {
		world.records[slot].up_bytes++;
		if (session->live && world_due(slot))
			past[slot]++;
	} else if (session->is_active && session->live && !world.written[TOPIC_SESSION]) {
		world_close(slot);
		past[slot] = INTERIMS + 2;
	} else if (!session->is_active) {
		past[slot] = INTERIMS + 2;
	}
}

static void step(void)
{
	switch (world_random(16)) {
	case 0:
		go_on(1 + world_random(SESSIONS));
		break;
	case 1:
		world_tick();
		break;
	case 2:
		world_give_up();
		break;
	case 3:
		if (may_bus_go || !world.is_bus_up)
			world_bus(!world.is_bus_up);
		break;
	case 4:
	case 5:
	case 6:
		world_turn();
		break;
	case 7:
	case 8:
		world_receive();
		break;
	case 9:
	case 10:
		world_answer();
		break;
	case 11:
	case 12:
		world_store(world_random(WORLD_TOPICS));
		break;
	default:
		world_acknowledge(world_random(WORLD_TOPICS));
	}
	world_call();
}

/* ---- What must be true ------------------------------------------------------------------- */

#define REQUIRE(condition)                                                                                   \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "not so: %s\n", #condition);                                         \
			return false;                                                                        \
		}                                                                                            \
	} while (0)

/* Start, interim records 1, 2, ..., Stop. */
static bool is_told_in_order(uint64_t session_id)
{
	unsigned starts = 0, interims = 0, stops = 0;

	for (unsigned i = 0; i < world.told_count; i++) {
		const struct record_key *key = &world.told[i];

		if (key->session_id != session_id)
			continue;
		REQUIRE(key->kind != RECORD_START || !starts++);
		REQUIRE(key->kind == RECORD_START || starts == 1);
		REQUIRE(key->kind != RECORD_INTERIM || key->sequence == ++interims);
		REQUIRE(!stops);
		stops += key->kind == RECORD_STOP;
	}
	REQUIRE(starts == 1);
	REQUIRE(stops == 1);
	REQUIRE(interims >= INTERIMS);
	return true;
}

static bool is_all_well(void)
{
	unsigned on = 0;

	for (unsigned i = 0; i < world.told_count; i++)
		on += world.told[i].kind == RECORD_ON;
	REQUIRE(on == 1 && world.told[0].kind == RECORD_ON);
	for (uint32_t slot = 1; slot <= SESSIONS; slot++)
		if (!is_told_in_order(1000 + slot))
			return false;
	REQUIRE(!world.controld.accounting->accounts);
	return true;
}

/* ---- A life, and others after it ----------------------------------------------------------- */

static bool live(void)
{
	unsigned steps = 0;

	while (!(is_written() && world_is_quiet() && !world.controld.accounting->accounts)) {
		step();
		REQUIRE(++steps < STEPS_MAX);
	}
	return is_all_well();
}

/* `kill_at` 0: nobody is killed; returns how many calls were made, 0: something is wrong. */
static unsigned run(uint64_t seed, volatile unsigned kill_at)
{
	world_new(seed, 0);
	world.config.accounting = (struct config_accounting){
		.enabled = true, .interim_s = 600, .spool_max = 100000, .disk_share = 10};
	for (uint32_t slot = 1; slot <= SESSIONS; slot++)
		past[slot] = 0;
	world.kill_at = kill_at;
	kills = 0;
	if (setjmp(world.killed)) {
		world.kill_at = ++kills < KILLS ? world.calls + 1 + world_random(APART) : 0;
		world_bury();
		world_start();
	} else {
		world_start();
	}
	if (!live())
		return 0;
	world_bury();
	return world.calls;
}

/* What is killed frees nothing: in a process of its own. */
static void kill_everywhere(uint64_t seed)
{
	unsigned calls = run(seed, 0);

	for (unsigned kill_at = 1; calls && kill_at <= calls; kill_at++)
		if (!run(seed, kill_at)) {
			fprintf(stderr, "killed at call %u, seed %llu\n", kill_at, (unsigned long long)seed);
			_exit(1);
		}
	_exit(calls < 100);
}

static void in_a_child(uint64_t seed)
{
	int status;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child)
		kill_everywhere(seed);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

START_TEST(each_record_is_told_once_wherever_controld_is_killed)
{
	may_bus_go = false;
	in_a_child((uint64_t)_i + 1);
}
END_TEST

START_TEST(so_it_is_while_the_bus_comes_and_goes)
{
	may_bus_go = true;
	in_a_child((uint64_t)_i * 2 + 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("accounting_kill");
	TCase *kill = tcase_create("kill");
	SRunner *runner = srunner_create(suite);

	log_init("check", LOG_LEVEL_ERROR);
	tcase_add_loop_test(kill, each_record_is_told_once_wherever_controld_is_killed, 0, SEEDS);
	tcase_add_loop_test(kill, so_it_is_while_the_bus_comes_and_goes, 0, 2 * SEEDS);
	suite_add_tcase(suite, kill);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
