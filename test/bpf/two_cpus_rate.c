/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Two CPUs send for one session that has a rate, as fast as they can: how many packets
 * passed, beside the most that burst and rate allow for the time it took, by the data
 * plane's own clock.
 *
 *   two_cpus_rate OBJECT all|rate PACKETS
 *
 * A packet costs 1 ms. all: the burst is an hour, so each passes, and the bucket must
 * know of each: what its time exceeds the packets by is when the first one came.
 * rate: the burst is 100 packets.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "test/bpf/two_cpus.h"

#define CPUS       2
#define SLOT       FIRST_SLOT
#define IP_BYTES   1000
#define REMOTE     0xc0000201u /* 192.0.2.1 */
#define INNER_PORT 4000

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[IP_BYTES - 20 - 8];
} __attribute__((packed));

struct mode {
	const char *name;
	uint64_t cost_ns;
	uint64_t burst_ns;
};

static const struct mode modes[] = {
	{"all", 1000000, 3600000000000},
	{"rate", 1000000, 100000000},
};

static struct world world;
static pthread_barrier_t barrier;

struct cpu {
	pthread_t thread;
	int number;
	uint64_t packets;
	uint64_t passed;
};

static uint64_t plane_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec + world.meta->clock_offset_ns +
	       world.meta->clock_injected_ns;
}

static struct frame frame_build(void)
{
	const struct bng_subscriber *session = &world.subscriber[SLOT];
	struct frame frame = {.eth.h_proto = htons(ETH_P_IP)};

	memcpy(frame.eth.h_source, session->mac, ETH_ALEN);
	memcpy(frame.eth.h_dest, world.interface[session->interface].mac, ETH_ALEN);
	frame.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	frame.ip.tot_len = htons(IP_BYTES);
	frame.ip.saddr = session->address_be;
	frame.ip.daddr = htonl(REMOTE);
	frame.udp.source = htons(INNER_PORT);
	frame.udp.dest = htons(53);
	frame.udp.len = htons(IP_BYTES - 20);
	return frame;
}

static int run(const struct frame *in)
{
	struct xdp_md context = {.data_end = sizeof(*in), .ingress_ifindex = world.access_ifindex};
	struct frame out;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = sizeof(*in), .data_out = &out,
		    .data_size_out = sizeof(out), .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = 1);

	if (bpf_prog_test_run_opts(world.access_fd, &opts))
		err(2, "run a packet");
	return opts.retval;
}

static void *cpu_run(void *context)
{
	const struct frame frame = frame_build();
	struct cpu *cpu = context;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu->number, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		errx(2, "cannot run on CPU %d: this test needs two", cpu->number);
	pthread_barrier_wait(&barrier);
	for (uint64_t i = 0; i < cpu->packets; i++)
		cpu->passed += run(&frame) == XDP_REDIRECT;
	return NULL;
}

static void limit(const struct mode *mode)
{
	struct bng_subscriber *session = &world.subscriber[SLOT];
	uint64_t interval = (mode->cost_ns << BNG_RATE_SHIFT) / IP_BYTES;

	session->rate_up.limit = interval | mode->burst_ns / 1000 << 32;
	session->flags |= BNG_SUBSCRIBER_RATE;
}

static void report(const struct mode *mode, uint64_t sent, uint64_t passed, uint64_t begun, uint64_t ended)
{
	const struct bng_subscriber *session = &world.subscriber[SLOT];
	uint64_t most = (mode->burst_ns + ended - begun) / mode->cost_ns;
	/* The first packet found the bucket full, between begin and end. */
	int64_t slack = (int64_t)(session->rate_up.due_ns - passed * mode->cost_ns - begun);

	if (session->rate_up.due_ns - passed * mode->cost_ns > ended)
		slack = -1;
	if (most > sent)
		most = sent;
	printf("{\"sent\": %lu, \"passed\": %lu, \"refused\": %lu, \"counted\": %lu, \"of_session\": %llu, "
	       "\"most\": %lu, \"least\": %lu, \"slack_ns\": %ld}\n",
	       sent, passed, sent - passed, world_count(&world, BNG_DROP_RATE_UP), session->drop_packets,
	       most, mode->burst_ns / mode->cost_ns, slack);
}

int main(int argc, char **argv)
{
	const struct mode *mode = argc == 4 && !strcmp(argv[2], "rate") ? &modes[1] : &modes[0];
	struct cpu cpus[CPUS] = {0};
	uint64_t begun, sent = 0, passed = 0;

	if (argc != 4 || strcmp(argv[2], mode->name) != 0)
		errx(2, "usage: two_cpus_rate OBJECT all|rate PACKETS");
	world_open(&world, argv[1]);
	limit(mode);
	pthread_barrier_init(&barrier, NULL, CPUS);
	begun = plane_now();
	for (int i = 0; i < CPUS; i++) {
		cpus[i].number = i;
		cpus[i].packets = strtoull(argv[3], NULL, 10) / CPUS;
		if (pthread_create(&cpus[i].thread, NULL, cpu_run, &cpus[i]))
			err(2, "thread");
	}
	for (int i = 0; i < CPUS; i++) {
		pthread_join(cpus[i].thread, NULL);
		sent += cpus[i].packets;
		passed += cpus[i].passed;
	}
	report(mode, sent, passed, begun, plane_now());
	world_close(&world);
	return 0;
}
