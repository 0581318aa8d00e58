/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A CPU to which no packet comes is shown by a thread that runs on it: XDP runs in softirq, so
 * where a thread runs no packet is under way. For each attempt there is a thread on each CPU:
 *  1. It is there before the gate is closed, and looks when it is: packets wait for memory, not
 *     for the scheduler. The caller is the thread of its own CPU.
 *  2. It marks what it saw closed: the number of the attempt is in the state and in the mark, so
 *     who comes late marks and opens nothing.
 * A thread that does not get to run in time is not waited for for ever; the attempt fails
 * unless packets mark its CPU.
 */
#include "lib/bpf/barrier.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/cpu.h"
#include "lib/problem.h"
#include "lib/rpc.h"

#define PATH_TEXT  512
#define NS_PER_US  1000ULL
#define PATIENCE_S 1                  /* for threads to get to run while nothing waits */
#define AWAKE_NS   (200 * NS_PER_US)  /* for all to be awake before the gate is closed */
#define LOOK_NS    (1000 * NS_PER_US) /* for it to be closed */
#define CLOSED_NS  (2000 * NS_PER_US) /* longer than packets wait */
#define PAUSE_US   5000               /* between attempts: receive rings are emptied again */

struct worker {
	struct crew *crew;
	int cpu;
};

/* The threads of one attempt. */
struct crew {
	struct barrier barrier;
	unsigned users; /* with the last one it goes */
	unsigned awake, count;
	__u32 closed; /* the state in this attempt */
	bool over;
	sem_t ready, go, done;
	cpu_set_t online;
	struct worker workers[CPU_SETSIZE];
};

/* ---- The gate -------------------------------------------------------------------- */

static __u32 state(const struct barrier *barrier)
{
	return __atomic_load_n(&barrier->gate->state, __ATOMIC_SEQ_CST);
}

static void change(const struct barrier *barrier, __u32 from, __u32 to)
{
	__atomic_compare_exchange_n(&barrier->gate->state, &from, to, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
}

/* `closed`: the state in this attempt. */
static void mark(const struct barrier *barrier, int cpu, __u32 closed)
{
	__atomic_store_n(&barrier->marks[cpu].seen, closed, __ATOMIC_SEQ_CST);
}

/* A CPU that is not marked, or -1. */
static int missing(const struct barrier *barrier, __u32 closed)
{
	for (__u32 cpu = 0; cpu < barrier->gate->cpus; cpu++) {
		if (__atomic_load_n(&barrier->marks[cpu].seen, __ATOMIC_SEQ_CST) != closed)
			return (int)cpu;
	}
	return -1;
}

static void open_if_complete(const struct barrier *barrier, __u32 closed)
{
	if (missing(barrier, closed) < 0)
		change(barrier, closed, BARRIER_NEW);
}

bool barrier_settle(const struct barrier *barrier)
{
	__u32 now = state(barrier);
	if ((now & BARRIER_STATES) == BARRIER_CLOSED)
		change(barrier, now, BARRIER_OLD);
	return state(barrier) == BARRIER_NEW;
}

int barrier_reset(const struct barrier *barrier, struct problem *problem)
{
	cpu_set_t possible, online;
	int error = cpu_read_list("possible", &possible);
	if (!error)
		error = cpu_read_list("online", &online);
	if (error)
		return refuse_errno(problem, error, "reading which CPUs there may be");
	if (cpu_kernel_is_realtime())
		return refuse(problem, RPC_INCOMPATIBLE, NULL,
			      "on a PREEMPT_RT kernel nothing shows that a CPU has left the old program");
	if (CPU_COUNT(&online) < 2)
		return refuse(
			problem, RPC_INCOMPATIBLE, NULL,
			"it needs a second CPU: entries are moved with interrupts off, which one CPU does "
			"for another");
	if (barrier_settle(barrier))
		return refuse(problem, RPC_CONFLICT, NULL, "it was opened before: commit it as any other");
	barrier->gate->cpus = 0;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &possible))
			barrier->gate->cpus = (__u32)cpu + 1;
	}
	return 0;
}

/* A closed state that was in no attempt yet. */
static __u32 next_closed(const struct barrier *barrier)
{
	__u32 last = 0;
	for (__u32 cpu = 0; cpu < barrier->gate->cpus; cpu++) {
		__u32 seen = __atomic_load_n(&barrier->marks[cpu].seen, __ATOMIC_SEQ_CST) >> BARRIER_SHIFT;
		last = seen > last ? seen : last;
	}
	return (last + 1) << BARRIER_SHIFT | BARRIER_CLOSED;
}

/* ---- The threads ------------------------------------------------------------------ */

static void leave(struct crew *crew)
{
	if (!__atomic_sub_fetch(&crew->users, 1, __ATOMIC_SEQ_CST))
		free(crew);
}

/* Until it is closed, or will not be. */
static void look(const struct crew *crew)
{
	uint64_t until = clock_boottime_ns() + LOOK_NS;
	while (!__atomic_load_n(&crew->over, __ATOMIC_SEQ_CST) && state(&crew->barrier) == BARRIER_OLD &&
	       clock_boottime_ns() < until)
		;
}

static void *work(void *context)
{
	const struct worker *worker = context;
	struct crew *crew = worker->crew;
	sem_post(&crew->ready);
	while (sem_wait(&crew->go) && errno == EINTR)
		;
	__atomic_add_fetch(&crew->awake, 1, __ATOMIC_SEQ_CST);
	look(crew);
	if (!__atomic_load_n(&crew->over, __ATOMIC_SEQ_CST) && sched_getcpu() == worker->cpu &&
	    state(&crew->barrier) == crew->closed) {
		mark(&crew->barrier, worker->cpu, crew->closed);
		open_if_complete(&crew->barrier, crew->closed);
	}
	sem_post(&crew->done);
	leave(crew);
	return NULL;
}

/* Where it may not be, packets must show that they run there. */
static void start(struct crew *crew, int cpu)
{
	struct worker *worker = &crew->workers[crew->count];
	pthread_attr_t attributes;
	pthread_t thread;
	cpu_set_t here;
	*worker = (struct worker){crew, cpu};
	CPU_ZERO(&here);
	CPU_SET(cpu, &here);
	crew->users++;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setaffinity_np(&attributes, sizeof(here), &here);
	if (pthread_create(&thread, &attributes, work, worker))
		crew->users--;
	else
		crew->count++;
	pthread_attr_destroy(&attributes);
}

/* A thread on every CPU but the caller's. */
static struct crew *crew_new(const struct barrier *barrier, int own)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	sigset_t all, before;
	if (!crew || cpu_read_list("online", &crew->online)) {
		free(crew);
		return NULL;
	}
	crew->barrier = *barrier;
	crew->closed = next_closed(barrier);
	crew->users = 1;
	sem_init(&crew->ready, 0, 0);
	sem_init(&crew->go, 0, 0);
	sem_init(&crew->done, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &crew->online) && cpu != own)
			start(crew, cpu);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return crew;
}

/* All threads have posted it. */
static bool wait_for_all(const struct crew *crew, sem_t *posted)
{
	struct timespec end;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PATIENCE_S;
	for (unsigned i = 0; i < crew->count; i++) {
		int error;
		while ((error = sem_clockwait(posted, CLOCK_MONOTONIC, &end)) && errno == EINTR)
			;
		if (error)
			return false;
	}
	return true;
}

/* ---- An attempt -------------------------------------------------------------------- */

/* A CPU that was offline before the gate was closed, and is still, ran nothing meanwhile. */
static void mark_offline(const struct crew *crew)
{
	cpu_set_t now;
	int cpus = (int)crew->barrier.gate->cpus;
	if (CPU_COUNT(&crew->online) >= cpus || cpu_read_list("online", &now))
		return;
	for (int cpu = 0; cpu < cpus; cpu++) {
		if (!CPU_ISSET(cpu, &crew->online) && !CPU_ISSET(cpu, &now))
			mark(&crew->barrier, cpu, crew->closed);
	}
}

/* How long packets may have waited. */
static uint64_t close_and_open(const struct crew *crew, int own)
{
	const struct barrier *barrier = &crew->barrier;
	uint64_t begun_ns = clock_boottime_ns();
	while (__atomic_load_n(&crew->awake, __ATOMIC_SEQ_CST) < crew->count &&
	       clock_boottime_ns() - begun_ns < AWAKE_NS)
		;
	begun_ns = clock_boottime_ns();
	change(barrier, BARRIER_OLD, crew->closed);
	mark(barrier, own, crew->closed);
	mark_offline(crew);
	do
		open_if_complete(barrier, crew->closed);
	while (state(barrier) == crew->closed && clock_boottime_ns() - begun_ns < CLOSED_NS);
	return clock_boottime_ns() - begun_ns;
}

/* True: it is open. `*unseen`: a CPU of which nothing was seen. */
static bool attempt(const struct barrier *barrier, int own, struct barrier_report *report, int *unseen)
{
	struct crew *crew = crew_new(barrier, own);
	if (!crew)
		return false;
	bool ready = wait_for_all(crew, &crew->ready);
	crew->over = !ready;
	for (unsigned i = 0; i < crew->count; i++)
		sem_post(&crew->go);
	uint64_t waited_ns = ready ? close_and_open(crew, own) : 0;
	report->opening_ns = waited_ns > report->opening_ns ? waited_ns : report->opening_ns;
	bool is_new = barrier_settle(barrier);
	*unseen = missing(barrier, crew->closed);
	report->late |= !ready || !wait_for_all(crew, &crew->done);
	__atomic_store_n(&crew->over, true, __ATOMIC_SEQ_CST);
	leave(crew);
	return is_new;
}

static int give_up(const struct barrier_report *report, int unseen, struct problem *problem)
{
	json_t *data = json_pack("{s:i, s:i}", "attempts", report->attempts, "cpu", unseen);
	if (unseen < 0)
		return refuse(problem, RPC_SYSTEM, data,
			      "given up after %u attempts: packets waited too long", report->attempts);
	return refuse(
		problem, RPC_SYSTEM, data,
		"given up after %u attempts: nothing showed that CPU %d has left the old program, neither "
		"a packet nor a thread that ran there",
		report->attempts, unseen);
}

int barrier_open(const struct barrier *barrier, struct barrier_report *report, struct problem *problem)
{
	struct cpu_place before;
	int unseen = -1, own = cpu_hold(&before, true);
	bool is_new = false;
	*report = (struct barrier_report){0};
	if (own < 0)
		return refuse_errno(problem, own, "staying on one CPU");
	while (!is_new && !report->late && report->attempts < BARRIER_ATTEMPTS) {
		report->attempts++;
		is_new = attempt(barrier, own, report, &unseen);
		if (!is_new)
			usleep(PAUSE_US);
	}
	cpu_release(&before);
	return is_new ? 0 : give_up(report, unseen, problem);
}

/* ---- Its maps ---------------------------------------------------------------------- */

/* An array of at least so many values, which begin like this, as memory. */
static void *map_array(const char *folder, const char *name, __u32 value_size, __u32 entries, size_t *bytes)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	char path[PATH_TEXT];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = bpf_obj_get(path);
	void *memory = MAP_FAILED;
	errno = fd < 0 ? ENOENT : EINVAL;
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == BPF_MAP_TYPE_ARRAY &&
	    (info.value_size == value_size || (entries == 1 && info.value_size > value_size)) &&
	    info.max_entries >= entries) {
		*bytes = (size_t)info.max_entries * ((info.value_size + 7) & ~7U);
		memory = mmap(NULL, *bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return memory == MAP_FAILED ? NULL : memory;
}

int barrier_map(const char *folder, struct barrier *barrier)
{
	barrier->marks = NULL;
	barrier->gate = map_array(folder, "bridge", sizeof(*barrier->gate), 1, &barrier->gate_bytes);
	if (barrier->gate)
		barrier->marks = map_array(folder, "bridge_cpu", sizeof(*barrier->marks), CPU_SETSIZE,
					   &barrier->marks_bytes);
	int error = barrier->marks ? 0 : -errno;
	if (error)
		barrier_unmap(barrier);
	return error;
}

void barrier_unmap(struct barrier *barrier)
{
	if (barrier->gate)
		munmap(barrier->gate, barrier->gate_bytes);
	if (barrier->marks)
		munmap(barrier->marks, barrier->marks_bytes);
	*barrier = (struct barrier){0};
}
