/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * BPF_F_TEST_RUN_ON_CPU calls the program from an interrupt of that CPU; of the caller's own
 * CPU it does not, and a packet could interrupt it there. So the caller stays on one CPU while
 * it asks another.
 */
#include "lib/bpf/mover.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/cpu.h"

/* Another one each time, so that no CPU alone has the work. */
static int other_cpu(int own, uint64_t turn)
{
	cpu_set_t online;
	int error = cpu_read_list("online", &online);
	if (error)
		return error;
	CPU_CLR(own, &online);
	int others = CPU_COUNT(&online), cpu = -1;
	if (!others)
		return -ENODEV;
	for (uint64_t left = turn % (unsigned)others + 1; left; left -= CPU_ISSET(cpu, &online) ? 1 : 0)
		cpu++;
	return cpu;
}

static int run_on(int cpu, int program, uint64_t for_ns)
{
	uint64_t begun_ns = clock_boottime_ns();
	LIBBPF_OPTS(bpf_test_run_opts, options, .flags = BPF_F_TEST_RUN_ON_CPU, .cpu = (__u32)cpu);
	int error;
	do
		error = bpf_prog_test_run_opts(program, &options);
	while (!error && !options.retval && clock_boottime_ns() - begun_ns < for_ns);
	if (error)
		return error;
	return options.retval > INT_MAX ? -EPROTO : (int)options.retval;
}

int mover_run(const char *path, uint64_t for_ns)
{
	static uint64_t turn;
	struct cpu_place before;
	int program = bpf_obj_get(path), own = program < 0 ? program : cpu_hold(&before, false);
	int result = own;
	if (own >= 0) {
		int other = other_cpu(own, turn++);
		result = other < 0 ? other : run_on(other, program, for_ns);
		cpu_release(&before);
	}
	if (program >= 0)
		close(program);
	return result;
}
