/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/bpf/barrier: the gate opens when every CPU is marked for this very attempt, and not
 * otherwise. Where a CPU more counts than there are, a thread plays its packets; that it is
 * online, too, this process believes because the kernel's list is covered by another.
 */
#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/bpf/barrier.h"
#include "lib/problem.h"
#include "lib/rpc.h"
#include "run.h"

#define MARKS 1024

static struct barrier_gate gate;
static struct barrier_mark marks[MARKS];
static const struct barrier barrier = {.gate = &gate, .marks = marks};
static struct barrier_report report;
static struct problem problem;

static void setup(void)
{
	memset(&gate, 0, sizeof(gate));
	memset(marks, 0, sizeof(marks));
	problem = (struct problem){0};
	ck_assert_int_eq(barrier_reset(&barrier, &problem), 0);
}

static void teardown(void)
{
	json_decref(problem.data);
}

START_TEST(opens_when_threads_ran_everywhere)
{
	ck_assert_uint_ge(gate.cpus, 2);
	ck_assert_int_eq(barrier_open(&barrier, &report, &problem), 0);
	ck_assert_uint_eq(gate.state, BARRIER_NEW);
	for (__u32 cpu = 0; cpu < gate.cpus; cpu++)
		ck_assert_uint_eq(marks[cpu].seen, report.attempts << BARRIER_SHIFT | BARRIER_CLOSED);
	ck_assert_uint_eq(marks[gate.cpus].seen, 0);
	ck_assert(!report.late);
}
END_TEST

static void add_cpu(void)
{
	char path[] = "/tmp/barrier-XXXXXX";
	int fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_gt(dprintf(fd, "0-%u\n", gate.cpus++), 0);
	close(fd);
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_int_eq(mount(path, "/sys/devices/system/cpu/online", NULL, MS_BIND, NULL), 0);
	unlink(path);
}

START_TEST(gives_up_a_cpu_that_is_never_seen)
{
	add_cpu();
	ck_assert_int_ne(barrier_open(&barrier, &report, &problem), 0);
	ck_assert_uint_eq(gate.state, BARRIER_OLD);
	ck_assert_uint_eq(report.attempts, BARRIER_ATTEMPTS);
	ck_assert_int_eq(problem.code, RPC_SYSTEM);
	ck_assert_int_eq(json_integer_value(json_object_get(problem.data, "cpu")), gate.cpus - 1);
	ck_assert_uint_eq(marks[gate.cpus - 1].seen, 0);
	/* The next one begins with a number that was not there yet. */
	gate.cpus--;
	ck_assert_int_eq(barrier_open(&barrier, &report, &problem), 0);
	ck_assert_uint_eq(gate.state, BARRIER_NEW);
	ck_assert_uint_gt(marks[0].seen >> BARRIER_SHIFT, BARRIER_ATTEMPTS);
}
END_TEST

static void stay_on(int cpu)
{
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

/* Packets of the last CPU that counts: `late` attempts behind, from the fourth one on. */
static __u32 late;
static bool ends;

/* As urgent as the threads of the barrier, of which there is one here, too. */
static void *packets(void *unused)
{
	__u32 before[4] = {0}, seen = 0;
	stay_on(1);
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
	for (; !__atomic_load_n(&ends, __ATOMIC_SEQ_CST); sched_yield()) {
		__u32 now = __atomic_load_n(&gate.state, __ATOMIC_SEQ_CST);
		if ((now & BARRIER_STATES) != BARRIER_CLOSED || now == before[0])
			continue;
		memmove(before + 1, before, sizeof(before) - sizeof(*before));
		before[0] = now;
		if (++seen > 3)
			__atomic_store_n(&marks[gate.cpus - 1].seen, before[late], __ATOMIC_SEQ_CST);
	}
	return unused;
}

static int open_with_packets(__u32 how_late)
{
	pthread_t thread;
	stay_on(0);
	late = how_late;
	ends = false;
	add_cpu();
	ck_assert_int_eq(pthread_create(&thread, NULL, packets, NULL), 0);
	int error = barrier_open(&barrier, &report, &problem);
	__atomic_store_n(&ends, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	return error;
}

START_TEST(tries_again_until_packets_agree)
{
	ck_assert_int_eq(open_with_packets(0), 0);
	ck_assert_uint_eq(gate.state, BARRIER_NEW);
	ck_assert_uint_ge(report.attempts, 4);
	ck_assert_uint_ge(report.opening_ns, 2000000); /* an attempt that is not given up earlier */
}
END_TEST

START_TEST(a_mark_of_an_earlier_attempt_shows_nothing)
{
	ck_assert_int_ne(open_with_packets(1), 0);
	ck_assert_uint_eq(gate.state, BARRIER_OLD);
	ck_assert_uint_eq(report.attempts, BARRIER_ATTEMPTS);
	ck_assert_uint_ne(marks[gate.cpus - 1].seen, 0);
}
END_TEST

START_TEST(what_somebody_left_is_settled)
{
	ck_assert(!barrier_settle(&barrier));
	gate.state = 7 << BARRIER_SHIFT | BARRIER_CLOSED;
	ck_assert(!barrier_settle(&barrier));
	ck_assert_uint_eq(gate.state, BARRIER_OLD);
	gate.state = BARRIER_NEW;
	ck_assert(barrier_settle(&barrier));
	ck_assert_uint_eq(gate.state, BARRIER_NEW);
	ck_assert_int_ne(barrier_reset(&barrier, &problem), 0);
	ck_assert_int_eq(problem.code, RPC_CONFLICT);
	ck_assert_uint_eq(gate.state, BARRIER_NEW);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("barrier");
	TCase *tests = tcase_create("gate");
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, opens_when_threads_ran_everywhere);
	tcase_add_test(tests, gives_up_a_cpu_that_is_never_seen);
	tcase_add_test(tests, tries_again_until_packets_agree);
	tcase_add_test(tests, a_mark_of_an_earlier_attempt_shows_nothing);
	tcase_add_test(tests, what_somebody_left_is_settled);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
