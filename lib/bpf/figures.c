/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Differences of readings.
 */
#include "lib/bpf/figures.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"

#define RECENT_NS  1000000000ULL
#define USUAL_NS   (10 * RECENT_NS)
#define TAKE_NS    5000000ULL /* a reading takes a tenth of a millisecond */
#define TAKE_AGAIN 4

void figures_usual(struct figures *figures, const char *all)
{
	struct reading *usual = figures->usual;
	uint64_t now_ns = clock_boottime_ns();
	if (usual[1].time_ns && now_ns - usual[1].time_ns < USUAL_NS)
		return;
	usual[0] = usual[1];
	int fd = bpf_obj_get(all);
	usual[1].time_ns = fd >= 0 && !tally_read(fd, &usual[1].all) ? now_ns : 0;
	if (fd >= 0)
		close(fd);
}

/* The group first: what comes between the readings is taken for the rest's. */
static int take_once(const struct figures *figures, struct reading *reading)
{
	int error = tally_read(figures->group_fd, &reading->group);
	reading->time_ns = clock_boottime_ns();
	return error ? error : tally_read(figures->all_fd, &reading->all);
}

/* Whoever lost the CPU in between would take too much of the group's for the rest's. */
static int take(const struct figures *figures, struct reading *reading)
{
	int error = take_once(figures, reading);
	for (int again = TAKE_AGAIN; again && !error; again--) {
		if (clock_boottime_ns() - reading->time_ns < TAKE_NS)
			break;
		error = take_once(figures, reading);
	}
	return error;
}

int figures_begin(struct figures *figures)
{
	struct reading *usual = figures->usual[0].time_ns ? &figures->usual[0] : &figures->usual[1];
	int error = take(figures, &figures->begun);
	figures->now = figures->recent[0] = figures->recent[1] = figures->begun;
	if (!error && usual->time_ns) {
		tally_between(&usual->all, &figures->begun.all, &figures->before);
		figures->before_ns = figures->begun.time_ns - usual->time_ns;
		memset(figures->usual, 0, sizeof(figures->usual)); /* no step after this one is usual */
	}
	return error;
}

static void since(const struct figures *figures, const struct reading *from, struct judge_case *one)
{
	struct tally all;
	tally_between(&from->group, &figures->now.group, &one->group);
	tally_between(&from->all, &figures->now.all, &all);
	tally_between(&one->group, &all, &one->rest);
}

static bool breach_since(const struct figures *figures, const struct reading *from, double share,
			 double times, char *reason, size_t size)
{
	struct judge_case one = {.before = figures->before, .share = share, .times = times};
	since(figures, from, &one);
	return judge_breach(&figures->bounds, figures->names, &one, reason, size);
}

bool figures_breach(struct figures *figures, double share, char *reason, size_t size)
{
	int error = take(figures, &figures->now);
	if (error) {
		snprintf(reason, size, "reading the counters: %s", strerror(-error));
		return true;
	}
	if (figures->now.time_ns - figures->recent[1].time_ns >= RECENT_NS) {
		figures->recent[0] = figures->recent[1];
		figures->recent[1] = figures->now;
	}
	double times =
		figures->before_ns ? (double)figures_elapsed_ns(figures) / (double)figures->before_ns : 0;
	/* Bytes vary too much to be judged by seconds: as if the group were all. */
	return breach_since(figures, &figures->begun, share, times, reason, size) ||
	       breach_since(figures, &figures->recent[0], 1, 0, reason, size);
}

uint64_t figures_elapsed_ns(const struct figures *figures)
{
	return figures->now.time_ns - figures->begun.time_ns;
}

void figures_packets(const struct figures *figures, uint64_t *group, uint64_t *rest)
{
	struct judge_case one = {0};
	since(figures, &figures->begun, &one);
	*group = tally_sum(&one.group, figures->names, "").packets;
	*rest = tally_sum(&one.rest, figures->names, "").packets;
}
