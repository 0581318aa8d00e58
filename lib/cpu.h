/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CPUs of this machine, and a thread that stays on one of them for a while.
 */
#ifndef BNG_LIB_CPU_H
#define BNG_LIB_CPU_H

#include <sched.h>
#include <stdbool.h>

/* The kernel's list "online" or "possible"; 0 or -errno (-ERANGE: a CPU above CPU_SETSIZE). */
int cpu_read_list(const char *name, cpu_set_t *cpus);
/* PREEMPT_RT: there packets are processed by threads that others may interrupt. */
bool cpu_kernel_is_realtime(void);

struct cpu_place {
	cpu_set_t cpus;
	int policy;
	struct sched_param priority;
};
/* The calling thread stays where it is, and if it may, before all ordinary threads, until
 * cpu_release(). The CPU or -errno. */
int cpu_hold(struct cpu_place *before, bool urgent);
void cpu_release(const struct cpu_place *before);

#endif
