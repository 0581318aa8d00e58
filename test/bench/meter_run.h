/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bng-meter's parts: options (meter_options.c), load (meter_load.c), run (meter_run.c), report
 * (meter_report.c), commands (meter.c).
 */
#ifndef BNG_BENCH_METER_RUN_H
#define BNG_BENCH_METER_RUN_H

#include <jansson.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test/bench/meter.h"

#define METER_THREADS    8
#define METER_ERROR_TEXT 512

struct bpf_object;

struct meter_port {
	char device[IF_NAMESIZE];
	char netns[128]; /* name under /run/netns or path; "": ours */
	int ifindex;
	int link_fd;
	int socket_fd; /* lives in the device's namespace */
};

struct meter_options {
	struct meter_port port[METER_DIRECTIONS]; /* frames of a direction leave here */
	struct meter_config config;
	char object[256];
	bool core_mac_given;
	bool no_prime;
	bool commands;
	unsigned directions; /* 1 << enum meter_direction */
	uint32_t flows;
	uint32_t batch;
	uint32_t cpu[METER_THREADS];
	double seconds;
	double interval;
	uint64_t packets;
	uint64_t rate;
};

struct meter_totals {
	uint64_t generated;
	uint64_t skipped;
	uint64_t bytes_generated;
	uint64_t accepted; /* by the veth's ring */
	uint64_t received;
	uint64_t bytes;
	uint64_t reordered;
	uint64_t duplicated;
	uint64_t bad_ip_checksum;
	uint64_t bad_udp_checksum;
	uint64_t misdelivered;
	uint64_t remapped;
	uint64_t other;
	uint64_t mapped;
	uint64_t gap_ns;
	uint64_t first_ns; /* of this phase */
	uint64_t last_ns;
};

struct meter_phase {
	unsigned directions;
	uint64_t packets; /* 0: no limit */
	uint64_t rate;    /* 0: full speed */
	uint64_t started_ns;
	struct meter_totals before[METER_DIRECTIONS];
	struct meter_totals after[METER_DIRECTIONS];
};

struct meter;

struct meter_worker {
	struct meter *meter;
	pthread_t thread;
	uint32_t number;
	uint64_t waited_ns; /* for the CPU, in the last phase */
	int error;          /* of the last test run, errno */
};

struct meter {
	struct meter_options options;
	struct bpf_object *object;
	int generate_fd;
	struct meter_generator *generator;
	struct meter_turn *turn;
	struct meter_sink *sink;
	struct meter_control *control;
	struct meter_up_flow *up_flow;
	uint32_t flows; /* in use */

	struct meter_worker worker[METER_THREADS];
	uint32_t worker_count;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool quit;
	unsigned running; /* workers in the current phase */
	unsigned phase;   /* number of the current phase */
	atomic_bool stop;
	atomic_bool paced;
};

void meter_options_parse(int argc, char **argv, struct meter_options *options);
unsigned meter_direction(const char *text); /* 1 << enum meter_direction; 0: unknown */

uint64_t meter_now(void);

/* 0, or -errno and a message that says what to do. */
int meter_load(struct meter *meter, char *error, size_t error_size);
void meter_unload(struct meter *meter);

int meter_workers_start(struct meter *meter);
void meter_workers_end(struct meter *meter);
/* New flows join at once while the meter stands still, else at the end of a round. */
void meter_set_flows(struct meter *meter, uint32_t flows);
void meter_set_rate(struct meter *meter, uint64_t rate);
void meter_phase_start(struct meter *meter, struct meter_phase *phase);
bool meter_phase_running(struct meter *meter);
bool meter_phase_sent(struct meter *meter);
/* Stops the generators, waits for what is under way, takes the counters. */
void meter_phase_end(struct meter *meter, struct meter_phase *phase);

void meter_totals_read(struct meter *meter, struct meter_totals totals[static METER_DIRECTIONS]);
json_t *meter_phase_json(struct meter *meter, const struct meter_phase *phase, const char *name);
json_t *meter_mappings_json(const struct meter *meter);
/* One line for people about a running phase. */
void meter_progress(struct meter *meter, const struct meter_phase *phase);

#endif
