/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Two CPUs make and lose mappings at once, a third thread sweeps, closes sessions and
 * moves them to another public address. What each packet becomes is judged while it runs:
 * 1. an inner end that is alive keeps its public port;
 * 2. a public port that is alive is given to nobody else;
 * 3. a packet to a live port arrives at its inner end.
 * And everything is recounted at the end.
 *
 * Judging needs to know what is certainly alive, so the clock moves by one tick
 * at a time, and not twice during one packet of the other CPU.
 *
 *   two_cpus OBJECT OPERATIONS SEED
 */
#include "test/bpf/two_cpus.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
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
#include <unistd.h>

#define CPUS            2
#define INNER_PORTS     240
#define CERTAINLY       (TIMEOUT_TICKS - 6) /* ticks since it was seen alive */
#define HOT_SESSIONS    4
#define FRAME_SIZE      60
#define REMOTE_ADDRESS  0xc0000201u /* 192.0.2.1 */
#define JUMP_ONE_IN     200
#define JUMP_PATIENCE   100 /* turns given to others, to let them finish their packet */
#define DOWN_ONE_IN     4
#define SILENCE_SHIFT   6 /* ticks */
#define TOGETHER_ONE_IN 4
#define MOMENT          16 /* packets */
#define CLOSE_ONE_IN    16 /* sweeps */

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	uint8_t payload[FRAME_SIZE - 14 - 20 - 8];
} __attribute__((packed));

/* What is known: last seen at `tick` by the session's `generation`. */
union sighting {
	uint64_t word;
	struct {
		uint32_t value; /* of an end: its public port; of a port: slot << 16 | inner port */
		uint16_t tick;
		uint16_t generation;
	};
};

static struct world world;
static uint64_t ends[FIRST_SLOT + SESSIONS][INNER_PORTS];
static uint64_t ports[PUBLIC_PORTS];
static uint64_t done[CPUS]; /* packets finished, by CPU */
static int finished;

struct cpu {
	pthread_t thread;
	int number;
	uint64_t operations;
	uint64_t random;
	uint64_t seen; /* done[] of the other one when the clock was moved last */
	uint64_t up, down, refused, unreachable, jumps;
	unsigned wrong;
};

struct kept {
	uint64_t closed;
	uint64_t moved;
};

static uint32_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

static uint64_t load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static void see(uint64_t *word, uint32_t value, uint32_t tick, uint16_t generation)
{
	union sighting now = {.value = value, .tick = tick, .generation = generation};

	__atomic_store_n(word, now.word, __ATOMIC_SEQ_CST);
}

static int is_active(uint32_t slot, uint16_t generation)
{
	const struct bng_subscriber *session = &world.subscriber[slot];

	return __atomic_load_n(&session->generation, __ATOMIC_SEQ_CST) == generation &&
	       __atomic_load_n(&session->state, __ATOMIC_SEQ_CST) == BNG_SUBSCRIBER_ACTIVE;
}

static int is_alive(union sighting seen, uint32_t tick)
{
	return seen.word && (uint16_t)(tick - seen.tick) <= CERTAINLY;
}

/* Runs one frame; the XDP action. */
static int run(int program, uint32_t ifindex, const struct frame *in, struct frame *out)
{
	struct xdp_md context = {.data_end = sizeof(*in), .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = sizeof(*in), .data_out = out,
		    .data_size_out = sizeof(*out), .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = 1);

	if (bpf_prog_test_run_opts(program, &opts))
		err(2, "run a packet");
	return opts.retval;
}

static struct frame frame_build(uint32_t source, uint16_t sport, uint32_t destination, uint16_t dport)
{
	struct frame frame = {.eth.h_proto = htons(ETH_P_IP)};

	frame.ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	frame.ip.tot_len = htons(sizeof(frame) - sizeof(frame.eth));
	frame.ip.saddr = htonl(source);
	frame.ip.daddr = htonl(destination);
	frame.udp.source = htons(sport);
	frame.udp.dest = htons(dport);
	frame.udp.len = htons(sizeof(frame.udp) + sizeof(frame.payload));
	return frame;
}

/* The inner end (slot, number) was given the public port `port`. */
static unsigned judge_port(uint32_t slot, uint32_t number, uint32_t port, union sighting before,
			   uint32_t tick, uint16_t generation)
{
	union sighting owner = {.word = load(&ports[port])};
	uint32_t owner_slot = owner.value >> 16;

	if (is_alive(before, tick) && before.generation == generation && before.value != port) {
		fprintf(stderr, "slot %u port %u: moved from %x to %x while alive\n", slot, number,
			before.value, port);
		return 1;
	}
	if (is_alive(owner, tick) && owner.value != (slot << 16 | number) &&
	    is_active(owner_slot, owner.generation)) {
		fprintf(stderr, "public port %x: given to slot %u while slot %u has it\n", port, slot,
			owner_slot);
		return 1;
	}
	return 0;
}

/* A few sessions get half of the traffic, on both CPUs; every third is silent for
 * long enough to lose all it has. */
static uint32_t choose_slot(struct cpu *cpu, uint32_t tick)
{
	uint32_t slot, choice;

	do {
		choice = next_random(&cpu->random);
		slot = FIRST_SLOT + (choice & 1 ? (choice >> 1) % HOT_SESSIONS : (choice >> 1) % SESSIONS);
	} while (slot % 5 % 3 == (tick >> SILENCE_SHIFT) % 3);
	return slot;
}

/* The inner end of the next packet. Often it is the one that both CPUs have in this
 * moment, so that they make the same mapping at the same time. */
static uint32_t choose_end(struct cpu *cpu, uint32_t tick, uint32_t *number)
{
	uint64_t moment = (load(&done[0]) + load(&done[1])) / MOMENT;

	*number = next_random(&cpu->random) % INNER_PORTS;
	if (next_random(&cpu->random) % TOGETHER_ONE_IN)
		return choose_slot(cpu, tick);
	*number = moment / HOT_SESSIONS % INNER_PORTS;
	return FIRST_SLOT + moment % HOT_SESSIONS;
}

static void packet_up(struct cpu *cpu)
{
	uint32_t tick = world_tick(&world), number, slot = choose_end(cpu, tick, &number), port;
	const struct bng_subscriber *session = &world.subscriber[slot];
	uint16_t generation = __atomic_load_n(&session->generation, __ATOMIC_SEQ_CST);
	union sighting before = {.word = load(&ends[slot][number])};
	struct frame in = frame_build(INNER_FIRST + slot, 4000 + number, REMOTE_ADDRESS, 53), out;
	int action;

	if (before.word && before.generation != generation)
		before.word = 0;
	memcpy(in.eth.h_source, session->mac, ETH_ALEN);
	memcpy(in.eth.h_dest, world.interface[session->interface].mac, ETH_ALEN);
	action = run(world.access_fd, world.access_ifindex, &in, &out);
	if (action != XDP_REDIRECT) {
		cpu->refused++;
		if (is_alive(before, tick) && is_active(slot, generation)) {
			fprintf(stderr, "slot %u port %u: refused while alive at %x\n", slot, number,
				before.value);
			cpu->wrong++;
		}
		return;
	}
	cpu->up++;
	port = (ntohl(out.ip.saddr) - PUBLIC_FIRST) << 16 | ntohs(out.udp.source);
	if (!is_active(slot, generation))
		return; /* closed meanwhile: whose it was cannot be said */
	cpu->wrong += judge_port(slot, number, port, before, tick, generation);
	see(&ports[port], slot << 16 | number, tick, generation);
	see(&ends[slot][number], port, tick, generation);
}

static void packet_down(struct cpu *cpu)
{
	uint32_t slot = FIRST_SLOT + next_random(&cpu->random) % SESSIONS, tick = world_tick(&world);
	uint32_t number = next_random(&cpu->random) % INNER_PORTS;
	union sighting end = {.word = load(&ends[slot][number])};
	struct frame in =
		frame_build(REMOTE_ADDRESS, 53, PUBLIC_FIRST + (end.value >> 16), end.value & 0xffff);
	struct frame out;
	int arrived = run(world.core_fd, world.core_ifindex, &in, &out) == XDP_REDIRECT;

	cpu->down += arrived;
	cpu->unreachable += !arrived;
	if (!is_alive(end, tick) || !is_active(slot, end.generation))
		return;
	if (!arrived || ntohl(out.ip.daddr) != INNER_FIRST + slot || ntohs(out.udp.dest) != 4000 + number) {
		fprintf(stderr, "public port %x: a packet does not arrive at slot %u port %u\n", end.value,
			slot, number);
		cpu->wrong++;
	}
}

/* One tick on, unless the other CPU has still the same packet in hand. */
static void clock_jump(struct cpu *cpu)
{
	uint64_t others = load(&done[!cpu->number]);

	for (int i = 0; i < JUMP_PATIENCE && others == cpu->seen; i++) {
		sched_yield();
		others = load(&done[!cpu->number]);
	}
	if (others == cpu->seen && !__atomic_load_n(&finished, __ATOMIC_SEQ_CST))
		return;
	cpu->seen = others;
	cpu->jumps++;
	__atomic_fetch_add(&world.meta->clock_injected_ns, 1LL << BNG_TICK_SHIFT, __ATOMIC_SEQ_CST);
}

static void *cpu_run(void *context)
{
	struct cpu *cpu = context;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu->number, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		errx(2, "cannot run on CPU %d: this test needs two", cpu->number);
	for (uint64_t i = 0; i < cpu->operations; i++) {
		if (next_random(&cpu->random) % JUMP_ONE_IN == 0)
			clock_jump(cpu);
		if (next_random(&cpu->random) % DOWN_ONE_IN == 0)
			packet_down(cpu);
		else
			packet_up(cpu);
		__atomic_fetch_add(&done[cpu->number], 1, __ATOMIC_SEQ_CST);
	}
	__atomic_fetch_add(&finished, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void sweep(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (bpf_prog_test_run_opts(world.sweep_fd, &opts))
		err(2, "run bng_sweep");
}

/* What the holder and controld do: returns how many sessions it closed and moved. */
static struct kept housekeeping(uint64_t seed)
{
	struct kept kept = {0};
	uint64_t random = seed;

	while (__atomic_load_n(&finished, __ATOMIC_SEQ_CST) < CPUS) {
		uint32_t slot = FIRST_SLOT + next_random(&random) % SESSIONS;
		uint8_t state = __atomic_load_n(&world.subscriber[slot].state, __ATOMIC_SEQ_CST);

		sweep();
		if (state == BNG_SUBSCRIBER_FREE)
			session_open(&world, slot);
		else if (state == BNG_SUBSCRIBER_ACTIVE && next_random(&random) % CLOSE_ONE_IN == 0) {
			session_close(&world, slot);
			kept.closed++;
		} else if (state == BNG_SUBSCRIBER_ACTIVE) {
			kept.moved += session_move(&world, slot);
		}
		sched_yield();
	}
	return kept;
}

static unsigned report(const struct cpu *cpus, struct kept kept)
{
	uint64_t operations = 0, up = 0, down = 0, refused = 0, jumps = 0, counted = 0;
	unsigned wrong = cpus[0].wrong + cpus[1].wrong + world_recount(&world);

	for (int i = 0; i < CPUS; i++) {
		operations += cpus[i].operations;
		up += cpus[i].up;
		down += cpus[i].down;
		refused += cpus[i].refused;
		jumps += cpus[i].jumps;
	}
	printf("{\"wrong\": %u, \"operations\": %lu, \"up\": %lu, \"down\": %lu, \"refused\": %lu, "
	       "\"jumps\": %lu, "
	       "\"closed\": %lu, \"moved\": %lu, \"sweeps\": %llu, \"expired\": %llu, \"released\": %llu, "
	       "\"verdicts\": {",
	       wrong, operations, up, down, refused, jumps, kept.closed, kept.moved, world.meta->sweep_runs,
	       world.meta->sweep_expired, world.meta->sweep_released);
#define PRINT_VERDICT(name, text, meaning)                                                                   \
	printf("%s\"%s\": %lu", BNG_##name ? ", " : "", #name, world_count(&world, BNG_##name));             \
	counted += world_count(&world, BNG_##name);
	BNG_VERDICTS(PRINT_VERDICT)
	printf("}, \"counted\": %lu}\n", counted);
	return wrong;
}

int main(int argc, char **argv)
{
	struct cpu cpus[CPUS] = {0};
	struct kept kept;
	unsigned wrong;

	if (argc != 4)
		errx(2, "usage: two_cpus OBJECT OPERATIONS SEED");
	world_open(&world, argv[1]);
	for (int i = 0; i < CPUS; i++) {
		cpus[i].number = i;
		cpus[i].operations = strtoull(argv[2], NULL, 10) / CPUS;
		cpus[i].random = strtoull(argv[3], NULL, 10) + 0x9e3779b97f4a7c15ULL * i;
		if (pthread_create(&cpus[i].thread, NULL, cpu_run, &cpus[i]))
			err(2, "thread");
	}
	kept = housekeeping(strtoull(argv[3], NULL, 10));
	for (int i = 0; i < CPUS; i++)
		pthread_join(cpus[i].thread, NULL);
	wrong = report(cpus, kept);
	world_close(&world);
	return wrong ? 1 : 0;
}
