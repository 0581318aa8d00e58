/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Once a second: flows that are over are found here, a part of the table at a time, and
 * forgotten by the program, which looks again; generations whose sockets are all closed, or
 * whose removal was interrupted, are removed.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/bpf/group.h"
#include "lib/clock.h"

#define SWEEP_CHUNK  1024u
#define SWEEP_BUDGET 16384u /* flows looked at in one run */

struct chunk {
	struct group_flow_key key[SWEEP_CHUNK];
	group_flow flow[SWEEP_CHUNK];
};

struct forgetting {
	int program, expired_fd;
	struct group_expired list;
};

static int forget(struct forgetting *work)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	__u32 zero = 0;
	int error = 0;

	if (work->list.count)
		error = bpf_map_update_elem(work->expired_fd, &zero, &work->list, BPF_ANY);
	if (work->list.count && !error)
		error = bpf_prog_test_run_opts(work->program, &options);
	work->list.count = 0;
	return error;
}

static int forget_over(const struct group *group, struct forgetting *work, const struct chunk *chunk,
		       __u32 count)
{
	__u32 tick = (__u32)(clock_boottime_ns() >> GROUP_TICK_SHIFT);
	int error = 0;

	for (__u32 i = 0; i < count && !error; i++) {
		if (!group_flow_is_over(group->state, chunk->flow[i], tick))
			continue;
		work->list.key[work->list.count++] = chunk->key[i];
		if (work->list.count == GROUP_EXPIRED_MAX)
			error = forget(work);
	}
	return error ? error : forget(work);
}

/* Goes on where the last run stopped, until the budget is used up or the end is reached. */
static int sweep_flows(const struct group *group, struct forgetting *work)
{
	static struct chunk chunk;
	__u32 *cursor = &group->state->cursor;
	int error = 0;

	for (__u32 seen = 0; seen < SWEEP_BUDGET && !error;) {
		__u32 count = SWEEP_CHUNK, from = *cursor, next = 0;
		int status = bpf_map_lookup_batch(group->flows_fd, from ? &from : NULL, &next, chunk.key,
						  chunk.flow, &count, NULL);

		if (status && status != -ENOENT) {
			*cursor = 0;
			return status;
		}
		*cursor = status ? 0 : next;
		seen += count;
		error = forget_over(group, work, &chunk, count);
		if (status)
			break;
	}
	return error;
}

static bool is_closed(const struct group *group, const struct group_generation *generation)
{
	bool closed = true;

	for (size_t i = 0; i < generation->sockets && closed; i++) {
		__u32 target = group_target(group, generation, i);
		__u64 cookie;

		closed = bpf_map_lookup_elem(group->sockets_fd, &target, &cookie) != 0;
	}
	return closed;
}

static void remove_closed(struct group *group)
{
	for (__u32 i = 0; i < GROUP_PLACES; i++) {
		struct group_generation *generation = &group->state->generation[i];

		if (generation->sockets && (!generation->tag || is_closed(group, generation)))
			group_remove(group, generation);
	}
}

int group_sweep(const char *folder)
{
	static struct forgetting work;
	struct group group;
	int error = group_open(folder, &group);

	if (error)
		return error;
	work = (struct forgetting){.program = group_open_pin(folder, "forget"),
				   .expired_fd = group_open_pin(folder, "expired")};
	error = work.program < 0 || work.expired_fd < 0 ? -ENOENT : sweep_flows(&group, &work);
	if (work.program >= 0)
		close(work.program);
	if (work.expired_fd >= 0)
		close(work.expired_fd);
	remove_closed(&group);
	group_close(&group);
	return error;
}
