/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The kernel writes sets of CPUs as "0-3,8".
 */
#include "lib/cpu.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLDER "/sys/devices/system/cpu/"

static int read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return -errno;
	int error = fgets(line, size, file) ? 0 : -EIO;
	fclose(file);
	return error;
}

int cpu_read_list(const char *name, cpu_set_t *cpus)
{
	char path[64], line[4096], *at = line;
	snprintf(path, sizeof(path), FOLDER "%s", name);
	int error = read_line(path, line, sizeof(line));
	CPU_ZERO(cpus);
	while (!error && *at && *at != '\n') {
		char *end;
		unsigned long first = strtoul(at, &end, 10), last = first;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (end == at || last < first || last >= CPU_SETSIZE)
			return end == at || last < first ? -EPROTO : -ERANGE;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			CPU_SET(cpu, cpus);
		at = *end == ',' ? end + 1 : end;
	}
	return error;
}

bool cpu_kernel_is_realtime(void)
{
	char line[8];
	return !read_line("/sys/kernel/realtime", line, sizeof(line)) && line[0] == '1';
}

int cpu_hold(struct cpu_place *before, bool urgent)
{
	const struct sched_param lowest = {.sched_priority = 1};
	cpu_set_t here;
	before->policy = sched_getscheduler(0);
	if (before->policy < 0 || sched_getparam(0, &before->priority) ||
	    sched_getaffinity(0, sizeof(before->cpus), &before->cpus))
		return -errno;
	int cpu = sched_getcpu();
	CPU_ZERO(&here);
	CPU_SET(cpu, &here);
	if (sched_setaffinity(0, sizeof(here), &here))
		return -errno;
	if (urgent) /* slower, not less safe, where that is not permitted */
		sched_setscheduler(0, SCHED_FIFO, &lowest);
	return cpu;
}

void cpu_release(const struct cpu_place *before)
{
	sched_setscheduler(0, before->policy, &before->priority);
	sched_setaffinity(0, sizeof(before->cpus), &before->cpus);
}
