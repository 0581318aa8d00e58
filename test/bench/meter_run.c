/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Generators. One thread on each chosen CPU calls BPF_PROG_TEST_RUN, once for a
 * phase; counters and control are in shared memory, a signal ends it.
 *
 * Each of its batches ends with the softirqs that it raised: gateway and sink
 * have run, on the same CPU, before the next batch begins. So a batch of 64
 * never overruns a veth ring of 256, and what is lost was lost by the gateway.
 */
#include "test/bench/meter_run.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PACE_NS      100000ull /* bursts are no longer than this */
#define RUNS_MAX     (1u << 30)
#define SETTLE_STEPS 50
#define CLOCK_MASK   15

uint64_t meter_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- Flows --------------------------------------------------------------- */

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Near the golden section, so that neighbours in time are far apart in memory. */
static uint32_t step_for(uint32_t count)
{
	uint32_t step = (uint32_t)((uint64_t)count * 618034 / 1000000);

	while (step > 1 && common_divisor(step, count) != 1)
		step--;
	return count == 1 ? 0 : step ? step : 1;
}

void meter_set_flows(struct meter *meter, uint32_t flows)
{
	bool idle = !meter_phase_running(meter);

	for (uint32_t i = 0; i < meter->worker_count; i++) {
		uint32_t count = (flows + meter->worker_count - 1 - i) / meter->worker_count;
		struct meter_generator *own = &meter->generator[meter->options.cpu[i] * METER_DIRECTIONS];

		for (int direction = 0; direction < METER_DIRECTIONS; direction++, own++) {
			own->next_step = step_for(count);
			own->next_count = count;
			if (!idle)
				continue;
			own->thread = i;
			own->count = count;
			own->step = own->next_step;
			own->position = 0;
			own->round++;
		}
	}
	meter->flows = flows;
}

/* ---- Workers ------------------------------------------------------------- */

static int run_chunk(struct meter_worker *worker, uint32_t repeat)
{
	static const uint8_t pad[4096] = {[0 ... 4095] = METER_PAD};
	const struct meter_options *options = &worker->meter->options;
	LIBBPF_OPTS(bpf_test_run_opts, test, .data_in = pad, .data_size_in = options->config.data_size,
		    .repeat = (int)repeat, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = options->batch);

	return bpf_prog_test_run_opts(worker->meter->generate_fd, &test);
}

/* Time that this thread could have run but the CPU was somebody else's; 0 where
 * the kernel does not tell. */
static uint64_t waited_ns(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	unsigned long long waited = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%*u %llu", &waited) != 1)
		waited = 0;
	fclose(file);
	return waited;
}

static void run_phase(struct meter_worker *worker)
{
	struct meter *meter = worker->meter;
	const struct meter_turn *turn = &meter->turn[meter->options.cpu[worker->number]];
	uint64_t left;

	while (!atomic_load(&meter->stop) && (left = turn->left)) {
		if (atomic_load(&meter->paced) || left > RUNS_MAX)
			left = RUNS_MAX;
		if (!run_chunk(worker, (uint32_t)left) || errno == EINTR)
			continue;
		worker->error = errno;
		return;
	}
}

static void *worker_main(void *argument)
{
	struct meter_worker *worker = argument;
	struct meter *meter = worker->meter;
	unsigned seen = 0;
	uint64_t waited;

	pthread_mutex_lock(&meter->lock);
	for (;;) {
		while (!meter->quit && meter->phase == seen)
			pthread_cond_wait(&meter->wake, &meter->lock);
		if (meter->quit)
			break;
		seen = meter->phase;
		pthread_mutex_unlock(&meter->lock);
		waited = waited_ns();
		run_phase(worker);
		worker->waited_ns = waited_ns() - waited;
		pthread_mutex_lock(&meter->lock);
		meter->running--;
		pthread_cond_broadcast(&meter->wake);
	}
	pthread_mutex_unlock(&meter->lock);
	return NULL;
}

static void on_stop_signal(int number)
{
	(void)number;
}

static int worker_start(struct meter *meter, uint32_t number)
{
	struct meter_worker *worker = &meter->worker[number];
	pthread_attr_t attributes;
	cpu_set_t cpus;
	int code;

	worker->meter = meter;
	worker->number = number;
	CPU_ZERO(&cpus);
	CPU_SET(meter->options.cpu[number], &cpus);
	pthread_attr_init(&attributes);
	code = pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	if (!code)
		code = pthread_create(&worker->thread, &attributes, worker_main, worker);
	pthread_attr_destroy(&attributes);
	return -code;
}

int meter_workers_start(struct meter *meter)
{
	struct sigaction nothing = {.sa_handler = on_stop_signal};

	sigaction(SIGUSR1, &nothing, NULL);
	pthread_mutex_init(&meter->lock, NULL);
	pthread_cond_init(&meter->wake, NULL);
	while (meter->worker_count < meter->options.config.threads) {
		int code = worker_start(meter, meter->worker_count);

		if (code)
			return code;
		meter->worker_count++;
	}
	return 0;
}

/* ---- Phases -------------------------------------------------------------- */

bool meter_phase_running(struct meter *meter)
{
	bool running;

	pthread_mutex_lock(&meter->lock);
	running = meter->running;
	pthread_mutex_unlock(&meter->lock);
	return running;
}

/* At full speed reading the clock for every packet would cost a third of it. */
void meter_set_rate(struct meter *meter, uint64_t rate)
{
	struct meter_control *control = meter->control;
	uint64_t share = rate / meter->worker_count + !!rate;

	for (int i = 0; i < METER_CPUS * METER_DIRECTIONS; i++)
		meter->sink[i].clock_mask = rate ? 0 : CLOCK_MASK;
	atomic_store(&meter->paced, rate != 0);
	control->quantum = (uint32_t)(share * PACE_NS / 1000000000);
	if (rate && !control->quantum)
		control->quantum = 1;
	if (control->quantum > meter->options.batch)
		control->quantum = meter->options.batch;
	control->quantum_ns = rate ? control->quantum * 1000000000ull / share : 0;
}

static void turns_prepare(struct meter *meter, uint64_t packets)
{
	for (uint32_t i = 0; i < meter->worker_count; i++) {
		uint32_t cpu = meter->options.cpu[i];
		struct meter_turn *turn = &meter->turn[cpu];

		meter->worker[i].error = 0;
		*turn = (struct meter_turn){.left = UINT64_MAX};
		if (packets)
			turn->left = (packets + meter->worker_count - 1 - i) / meter->worker_count;
		if (!meter->generator[cpu * METER_DIRECTIONS].count)
			turn->left = 0;
	}
}

void meter_phase_start(struct meter *meter, struct meter_phase *phase)
{
	for (int i = 0; i < METER_CPUS * METER_DIRECTIONS; i++)
		meter->sink[i].first_ns = meter->sink[i].last_ns = meter->sink[i].gap_ns = 0;
	meter_set_rate(meter, phase->rate);
	meter_totals_read(meter, phase->before);
	turns_prepare(meter, phase->packets);
	meter->control->directions = phase->directions;
	atomic_store(&meter->stop, false);
	phase->started_ns = meter_now();
	pthread_mutex_lock(&meter->lock);
	meter->running = meter->worker_count;
	meter->phase++;
	pthread_cond_broadcast(&meter->wake);
	pthread_mutex_unlock(&meter->lock);
}

/* All frames sent? A paced worker does not notice by itself. */
bool meter_phase_sent(struct meter *meter)
{
	for (uint32_t i = 0; i < meter->worker_count; i++)
		if (meter->turn[meter->options.cpu[i]].left)
			return !meter_phase_running(meter);
	return true;
}

static uint64_t arrived(const struct meter_totals totals[static METER_DIRECTIONS])
{
	uint64_t sum = 0;

	for (int i = 0; i < METER_DIRECTIONS; i++)
		sum += totals[i].received + totals[i].duplicated + totals[i].misdelivered +
		       totals[i].bad_ip_checksum + totals[i].bad_udp_checksum;
	return sum;
}

/* Until everything has arrived, or nothing more does. */
static void settle(struct meter *meter, struct meter_phase *phase)
{
	uint64_t sent = 0, last = 0;

	meter_totals_read(meter, phase->after);
	for (int i = 0; i < METER_DIRECTIONS; i++)
		sent += phase->after[i].accepted - phase->before[i].accepted;
	for (int quiet = 0; quiet < SETTLE_STEPS; quiet++) {
		uint64_t now = arrived(phase->after);

		if (now - arrived(phase->before) >= sent)
			return;
		if (now != last)
			quiet = 0;
		last = now;
		usleep(1000);
		meter_totals_read(meter, phase->after);
	}
}

/* A signal ends a test run, but one that comes just before it is lost: repeat. */
static void workers_stop(struct meter *meter)
{
	struct timespec when;

	atomic_store(&meter->stop, true);
	pthread_mutex_lock(&meter->lock);
	while (meter->running) {
		for (uint32_t i = 0; i < meter->worker_count; i++)
			pthread_kill(meter->worker[i].thread, SIGUSR1);
		clock_gettime(CLOCK_REALTIME, &when);
		when.tv_nsec += 2000000;
		if (when.tv_nsec >= 1000000000) {
			when.tv_nsec -= 1000000000;
			when.tv_sec++;
		}
		pthread_cond_timedwait(&meter->wake, &meter->lock, &when);
	}
	pthread_mutex_unlock(&meter->lock);
}

void meter_phase_end(struct meter *meter, struct meter_phase *phase)
{
	workers_stop(meter);
	settle(meter, phase);
}

void meter_workers_end(struct meter *meter)
{
	workers_stop(meter);
	pthread_mutex_lock(&meter->lock);
	meter->quit = true;
	pthread_cond_broadcast(&meter->wake);
	pthread_mutex_unlock(&meter->lock);
	for (uint32_t i = 0; i < meter->worker_count; i++)
		pthread_join(meter->worker[i].thread, NULL);
}
