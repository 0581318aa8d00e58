/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Commands that are told of sessions: real processes on the test's own loop.
 */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "controld/hooks/hooks.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "run.h"

#define STANDARD_SIGNALS 0x7fffffffull /* 32 and 33 are the C library's own */

static char folder[64];
static struct hooks hooks;
static struct config_hook commands[2];
static char *argv[2][4];

static void setup(void)
{
	strcpy(folder, "/tmp/check-hooks-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
	log_init("check", LOG_LEVEL_ERROR);
	hooks = (struct hooks){.base = event_base_new()};
	TAILQ_INIT(&hooks.list);
}

static void teardown(void)
{
	char command[96];

	hooks_free(&hooks);
	event_base_free(hooks.base);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

/* A script of the folder, as command `index`. */
static void script(int index, const char *text, uint32_t timeout_s, uint32_t concurrency)
{
	static char path[2][96];
	FILE *file;

	snprintf(path[index], sizeof(path[index]), "%s/script%d", folder, index);
	file = fopen(path[index], "w");
	fprintf(file, "#!/bin/sh\n%s\n", text);
	ck_assert_int_eq(fchmod(fileno(file), 0755), 0);
	fclose(file);
	argv[index][0] = path[index];
	argv[index][1] = (char *)(uintptr_t) "an argument; with *";
	commands[index] = (struct config_hook){HOOK_UP | HOOK_DOWN, argv[index], timeout_s, concurrency};
}

static void configure(size_t count, uint32_t queue)
{
	struct config_hooks config = {commands, count, queue};

	ck_assert_int_eq(hooks_configure(&hooks, &config), 0);
}

static struct hook *first(void)
{
	return TAILQ_FIRST(&hooks.list);
}

#define run_until(condition)                                                                                 \
	do {                                                                                                 \
		uint64_t limit_ns_ = clock_boottime_ns() + 60000000000ull;                                   \
		while (!(condition)) {                                                                       \
			struct timeval pause_ = {.tv_usec = 5000};                                           \
			ck_assert_msg(clock_boottime_ns() < limit_ns_, "never: %s", #condition);             \
			event_base_loopexit(hooks.base, &pause_);                                            \
			event_base_dispatch(hooks.base);                                                     \
		}                                                                                            \
	} while (0)

static const char *contents(const char *name)
{
	static char text[4096];
	FILE *file = fopen(name, "r");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[length] = '\0';
	if (file)
		fclose(file);
	return text;
}

START_TEST(a_command_gets_the_text_and_its_arguments_as_they_are)
{
	script(0, "cat > got; echo \"$1\" > argument; ls /proc/self/fd | tr '\\n' ' ' > open", 5, 1);
	configure(1, 10);
	ck_assert(hooks_want(&hooks, HOOK_UP));
	ck_assert(!hooks_want(&hooks, HOOK_CHANGE));
	ck_assert_int_gt(open("/dev/null", O_RDONLY), 2); /* not for the command */
	hooks_tell(&hooks, HOOK_CHANGE, "{\"no\":1}");
	hooks_tell(&hooks, HOOK_UP, "{\"session\":7}");
	run_until(first()->counts.succeeded == 1);
	ck_assert_str_eq(contents("got"), "{\"session\":7}");
	ck_assert_str_eq(contents("argument"), "an argument; with *\n");
	/* 3 is the folder that ls itself reads. */
	ck_assert_str_eq(contents("open"), "0 1 2 3 ");
	ck_assert_uint_eq(first()->counts.started, 1);
}
END_TEST

START_TEST(what_fails_is_counted_and_the_next_one_runs)
{
	script(0, "echo 'no billing today' >&2; echo more >&2; read x; exit 3", 5, 1);
	configure(1, 10);
	hooks_tell(&hooks, HOOK_UP, "{}");
	hooks_tell(&hooks, HOOK_DOWN, "{}");
	run_until(first()->counts.failed == 2);
	ck_assert_uint_eq(first()->counts.succeeded + first()->counts.timed_out, 0);
}
END_TEST

START_TEST(its_first_line_is_told_once_in_a_while)
{
	const char *said;

	log_init("check", LOG_LEVEL_WARNING);
	script(0, "echo 'no billing today' >&2; echo more >&2; exit 3", 5, 1);
	configure(1, 10);
	capture_begin(STDERR_FILENO);
	hooks_tell(&hooks, HOOK_UP, "{}");
	hooks_tell(&hooks, HOOK_UP, "{}");
	run_until(first()->counts.failed == 2);
	said = capture_end();
	ck_assert_ptr_nonnull(strstr(said, " ended with status 3: no billing today\n"));
	ck_assert_ptr_null(strstr(said, "more"));
	ck_assert_ptr_eq(strchr(said, '\n'), said + strlen(said) - 1);
}
END_TEST

START_TEST(our_own_signals_are_not_the_commands)
{
	unsigned long long mask, ignored;
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	ck_assert_int_eq(sigprocmask(SIG_BLOCK, &blocked, NULL), 0);
	signal(SIGPIPE, SIG_IGN);
	script(0, "grep -E '^Sig(Blk|Ign)' /proc/self/status > signals", 5, 1);
	configure(1, 10);
	hooks_tell(&hooks, HOOK_UP, "{}");
	run_until(first()->counts.succeeded == 1);
	ck_assert_int_eq(sscanf(contents("signals"), "SigBlk: %llx SigIgn: %llx", &mask, &ignored), 2);
	ck_assert_uint_eq(mask, 0);
	ck_assert_uint_eq(ignored & STANDARD_SIGNALS, 0);
}
END_TEST

/* Killed, whether or not whoever inherited it has looked already. */
static bool is_dead(pid_t pid)
{
	char name[32], state = 'Z';
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	file = fopen(name, "r");
	if (file) {
		ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
		fclose(file);
	}
	return state == 'Z';
}

START_TEST(one_that_hangs_is_killed_with_its_children)
{
	script(0, "sleep 1000 & echo $! > child; sleep 1000", 1, 1);
	configure(1, 10);
	hooks_tell(&hooks, HOOK_UP, "{}");
	run_until(first()->counts.timed_out == 1);
	ck_assert_uint_eq(first()->counts.failed, 0);
	ck_assert_int_gt(atoi(contents("child")), 0);
	run_until(is_dead((pid_t)atoi(contents("child"))));
}
END_TEST

START_TEST(so_many_run_at_a_time_so_many_wait_the_rest_is_counted)
{
	script(0, "while [ ! -e go ]; do sleep 0.01; done; echo x >> done", 20, 2);
	configure(1, 3);
	for (int i = 0; i < 9; i++)
		hooks_tell(&hooks, HOOK_UP, "{}");
	ck_assert_uint_eq(first()->running_count, 2);
	ck_assert_uint_eq(first()->waiting_count, 3);
	ck_assert_uint_eq(first()->counts.dropped, 4);
	fclose(fopen("go", "w"));
	run_until(first()->counts.succeeded == 5);
	ck_assert_str_eq(contents("done"), "x\nx\nx\nx\nx\n");
}
END_TEST

START_TEST(what_cannot_be_started_is_counted)
{
	script(0, "", 5, 1);
	ck_assert_int_eq(unlink(argv[0][0]), 0);
	configure(1, 10);
	hooks_tell(&hooks, HOOK_UP, "{}");
	ck_assert_uint_eq(first()->counts.refused, 1);
	ck_assert_uint_eq(first()->running_count + first()->waiting_count, 0);
}
END_TEST

START_TEST(a_reload_keeps_what_stays_and_lets_the_rest_finish)
{
	script(0, "while [ ! -e go ]; do sleep 0.01; done", 20, 1);
	script(1, "true", 5, 1);
	configure(2, 10);
	hooks_tell(&hooks, HOOK_UP, "{}");
	run_until(TAILQ_NEXT(first(), next)->counts.succeeded == 1);
	commands[0] = commands[1];
	configure(1, 10);
	ck_assert(first()->is_retired);
	ck_assert_uint_eq(TAILQ_NEXT(first(), next)->counts.succeeded, 1);
	hooks_tell(&hooks, HOOK_UP, "{}");
	ck_assert_uint_eq(first()->counts.started, 1);
	fclose(fopen("go", "w"));
	run_until(!first()->is_retired);
	run_until(first()->counts.succeeded == 2);
	ck_assert_ptr_null(TAILQ_NEXT(first(), next));
}
END_TEST

START_TEST(a_reload_changes_how_long_and_how_many_at_a_time)
{
	script(0, "sleep 1000", 1000, 1);
	configure(1, 10);
	commands[0].timeout_s = 1;
	commands[0].concurrency = 2;
	configure(1, 10);
	hooks_tell(&hooks, HOOK_UP, "{}");
	hooks_tell(&hooks, HOOK_UP, "{}");
	ck_assert_uint_eq(first()->running_count, 2);
	run_until(first()->counts.timed_out == 2);
}
END_TEST

START_TEST(one_that_is_taken_away_is_not_told_any_more)
{
	script(0, "while [ ! -e go ]; do sleep 0.01; done", 20, 1);
	configure(1, 10);
	hooks_tell(&hooks, HOOK_UP, "{}");
	configure(0, 10);
	ck_assert(!hooks_want(&hooks, HOOK_UP));
	hooks_tell(&hooks, HOOK_UP, "{}");
	ck_assert_uint_eq(first()->running_count + first()->waiting_count, 1);
	fclose(fopen("go", "w"));
	run_until(TAILQ_EMPTY(&hooks.list));
}
END_TEST

START_TEST(a_command_that_reads_nothing_and_talks_much_holds_nobody_up)
{
	static char large[1 << 20];

	memset(large, 'x', sizeof(large) - 1);
	script(0, "head -c 1000000 /dev/zero >&2", 10, 1);
	configure(1, 10);
	hooks_tell(&hooks, HOOK_UP, large);
	run_until(first()->counts.succeeded == 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("hooks");
	TCase *commands_case = tcase_create("commands");

	tcase_add_checked_fixture(commands_case, setup, teardown);
	tcase_set_timeout(commands_case, 240);
	tcase_add_test(commands_case, a_command_gets_the_text_and_its_arguments_as_they_are);
	tcase_add_test(commands_case, what_fails_is_counted_and_the_next_one_runs);
	tcase_add_test(commands_case, its_first_line_is_told_once_in_a_while);
	tcase_add_test(commands_case, our_own_signals_are_not_the_commands);
	tcase_add_test(commands_case, one_that_hangs_is_killed_with_its_children);
	tcase_add_test(commands_case, so_many_run_at_a_time_so_many_wait_the_rest_is_counted);
	tcase_add_test(commands_case, what_cannot_be_started_is_counted);
	tcase_add_test(commands_case, a_reload_keeps_what_stays_and_lets_the_rest_finish);
	tcase_add_test(commands_case, a_reload_changes_how_long_and_how_many_at_a_time);
	tcase_add_test(commands_case, one_that_is_taken_away_is_not_told_any_more);
	tcase_add_test(commands_case, a_command_that_reads_nothing_and_talks_much_holds_nobody_up);
	suite_add_tcase(suite, commands_case);
	return run_suite(suite);
}
