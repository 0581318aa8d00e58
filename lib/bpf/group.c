/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Governing the program in group.bpf.c by its maps (invariants: group_layout.h).
 */
#include "lib/bpf/group.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/bpf/bpffs.h"
#include "lib/bpf/group.skel.h"
#include "lib/rpc.h"

#define STATE_SPAN 4096 /* the state's array, in whole pages */
_Static_assert(sizeof(struct group_state) <= STATE_SPAN, "the state is one page");

static const char *const modes[] = {
	[GROUP_FLOW] = "flow", [GROUP_STATELESS] = "stateless", [GROUP_BY_COOKIE] = "cookie"};

const char *group_mode_name(enum group_mode mode)
{
	return (size_t)mode < sizeof(modes) / sizeof(*modes) ? modes[mode] : "unknown";
}

int group_mode_parse(const char *name, enum group_mode *mode)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(name, modes[i]))
			continue;
		*mode = (enum group_mode)i;
		return 0;
	}
	return -EINVAL;
}

/* Rounded up, so that nothing is over too early. */
static __u32 ticks_of(unsigned seconds)
{
	return (__u32)(((__u64)seconds * 1000000000u + (1u << GROUP_TICK_SHIFT) - 1) >> GROUP_TICK_SHIFT);
}

/* ---- Pins ------------------------------------------------------------------------------- */

static int pin_all(const struct group_bpf *object, const char *folder)
{
	const struct {
		int fd;
		const char *name;
	} parts[] = {
		{bpf_program__fd(object->progs.group_select), "select"},
		{bpf_program__fd(object->progs.group_forget), "forget"},
		{bpf_map__fd(object->maps.state), "state"},
		{bpf_map__fd(object->maps.sockets), "sockets"},
		{bpf_map__fd(object->maps.flows), "flows"},
		{bpf_map__fd(object->maps.counts), "counts"},
		{bpf_map__fd(object->maps.expired), "expired"},
	};
	int error = mkdir(folder, 0700) ? -errno : 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && !error; i++)
		error = bpffs_pin(parts[i].fd, folder, parts[i].name);
	return error;
}

int group_create(const char *folder, const struct group_options *options, struct problem *problem)
{
	struct group_state state = {
		.layout = GROUP_LAYOUT,
		.mode = options->mode,
		.timeout = ticks_of(options->timeout_s),
		.cookie_offset = options->cookie_offset,
	};
	struct group_bpf *object = group_bpf__open();
	__u32 zero = 0;
	int error;

	if (!object)
		return refuse_errno(problem, errno, "opening the program");
	bpf_map__set_max_entries(object->maps.flows, options->flows);
	error = group_bpf__load(object);
	if (error)
		refuse_errno(problem, error, "loading the program");
	else if ((error = bpf_map_update_elem(bpf_map__fd(object->maps.state), &zero, &state, BPF_ANY)) ||
		 (error = pin_all(object, folder)))
		refuse_errno(problem, error, "pinning it in %s", folder);
	group_bpf__destroy(object);
	return error;
}

int group_open_pin(const char *folder, const char *name)
{
	char path[512];
	int length = snprintf(path, sizeof(path), "%s/%s", folder, name);

	return length < (int)sizeof(path) ? bpf_obj_get(path) : -ENAMETOOLONG;
}

static int map_state(const char *folder, struct group *group)
{
	int fd = group_open_pin(folder, "state");
	void *address =
		fd < 0 ? MAP_FAILED : mmap(NULL, STATE_SPAN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int error = address == MAP_FAILED ? -errno : 0;

	if (fd >= 0)
		close(fd);
	if (error)
		return error;
	group->state = address;
	return group->state->layout == GROUP_LAYOUT ? 0 : -EPROTO;
}

int group_open(const char *folder, struct group *group)
{
	int error;

	*group = (struct group){
		.select_fd = group_open_pin(folder, "select"),
		.sockets_fd = group_open_pin(folder, "sockets"),
		.counts_fd = group_open_pin(folder, "counts"),
		.flows_fd = group_open_pin(folder, "flows"),
	};
	error = group->select_fd < 0 || group->sockets_fd < 0 || group->counts_fd < 0 || group->flows_fd < 0
			? -ENOENT
			: map_state(folder, group);
	if (error)
		group_close(group);
	return error;
}

void group_close(struct group *group)
{
	const int fds[] = {group->select_fd, group->sockets_fd, group->counts_fd, group->flows_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (group->state)
		munmap(group->state, STATE_SPAN);
	group->state = NULL;
}

static unsigned room(const struct group *group)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(group->flows_fd, &info, &size) ? 0 : info.max_entries;
}

void group_options_read(const struct group *group, struct group_options *options)
{
	*options = (struct group_options){
		.mode = (enum group_mode)group->state->mode,
		.timeout_s = (unsigned)(((__u64)group->state->timeout << GROUP_TICK_SHIFT) / 1000000000u),
		.flows = room(group),
		.cookie_offset = group->state->cookie_offset,
	};
}

/* ---- Generations ------------------------------------------------------------------------ */

static __u32 place_of(const struct group *group, const struct group_generation *generation)
{
	return (__u32)(generation - group->state->generation);
}

__u32 group_target(const struct group *group, const struct group_generation *generation, size_t index)
{
	return place_of(group, generation) * GROUP_SOCKETS + (__u32)index;
}

unsigned group_cookie(const struct group *group, const struct group_generation *generation, size_t index)
{
	return GROUP_COOKIE + group_target(group, generation, index);
}

struct group_generation *group_find(const struct group *group, json_int_t number)
{
	for (__u32 i = 0; i < GROUP_PLACES; i++) {
		struct group_generation *generation = &group->state->generation[i];

		if (generation->tag && generation->number == (__u64)number)
			return generation;
	}
	return NULL;
}

/* The place that was free for longest, so that an old cookie names nobody for long. */
static struct group_generation *free_place(const struct group *group, __u32 *tag)
{
	struct group_state *state = group->state;

	for (__u32 i = 1; i <= GROUP_PLACES; i++) {
		__u32 serial = state->serial + i;

		if (state->generation[serial & GROUP_PLACE_MASK].sockets)
			continue;
		*tag = serial;
		return &state->generation[serial & GROUP_PLACE_MASK];
	}
	return NULL;
}

static void clear_targets(const struct group *group, const struct group_generation *generation)
{
	for (size_t i = 0; i < GROUP_SOCKETS; i++) {
		__u32 target = group_target(group, generation, i);

		bpf_map_delete_elem(group->sockets_fd, &target);
	}
}

static int list(const struct group *group, const struct group_generation *generation, size_t index,
		int socket, struct problem *problem)
{
	__u32 target = group_target(group, generation, index);
	__u64 value = (__u64)socket;

	if (!bpf_map_update_elem(group->sockets_fd, &target, &value, BPF_NOEXIST))
		return 0;
	if (errno == EBUSY)
		return refuse(problem, RPC_CONFLICT, NULL, "socket %zu is in a group already", index);
	return refuse_errno(problem, errno, "taking socket %zu", index);
}

static bool has_generations(const struct group *group)
{
	bool has = false;

	for (__u32 i = 0; i < GROUP_PLACES; i++)
		has = has || group->state->generation[i].sockets;
	return has;
}

/* Sockets that are bound like those of the group, or like each other when there are none. */
static int check_sockets(const struct group *group, const int *sockets, size_t count,
			 struct group_endpoint *endpoint, struct problem *problem)
{
	char found[GROUP_ENDPOINT_TEXT], wanted[GROUP_ENDPOINT_TEXT];

	*endpoint = has_generations(group) ? group->state->endpoint : (struct group_endpoint){0};
	for (size_t i = 0; i < count; i++) {
		struct group_endpoint bound;
		int error = group_endpoint_read(sockets[i], &bound, problem);

		if (error)
			return error;
		if (!endpoint->port_be)
			*endpoint = bound;
		if (!memcmp(endpoint, &bound, sizeof(bound)))
			continue;
		return refuse(problem, RPC_CONFLICT, NULL,
			      "socket %zu is bound to %s (by user %u, device %u), those of the group to %s "
			      "(user %u, device %u): they must be bound alike, in one network namespace",
			      i, group_endpoint_format(&bound, found), bound.uid, bound.ifindex,
			      group_endpoint_format(endpoint, wanted), endpoint->uid, endpoint->ifindex);
	}
	return 0;
}

static int attach(const struct group *group, int socket, struct problem *problem)
{
	if (!setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &group->select_fd,
			sizeof(group->select_fd)))
		return 0;
	return refuse_errno(problem, errno, "attaching the program");
}

/* The kernel gives sockets of the array back as their cookies. */
static bool is_same(const struct group *group, __u32 target, int socket, bool *gone)
{
	__u64 listed, cookie = 0;
	socklen_t size = sizeof(cookie);

	*gone = bpf_map_lookup_elem(group->sockets_fd, &target, &listed) != 0;
	return *gone || (!getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &size) && cookie == listed);
}

/* Its owner says it again, perhaps because we were away: what was closed is taken anew. */
static int add_again(struct group *group, struct group_generation *generation, const int *sockets,
		     size_t count, struct problem *problem)
{
	bool gone[GROUP_SOCKETS];
	int error = count == generation->sockets ? 0 : -EINVAL;

	for (size_t i = 0; i < count && !error; i++)
		error = is_same(group, group_target(group, generation, i), sockets[i], &gone[i]) ? 0
												 : -EINVAL;
	if (error)
		return refuse(problem, RPC_CONFLICT, NULL, "there is this generation with other sockets");
	for (size_t i = 0; i < count && !error; i++)
		error = gone[i] ? list(group, generation, i, sockets[i], problem) : 0;
	return error ? error : attach(group, sockets[0], problem);
}

static void count_from_zero(const struct group *group, __u32 place)
{
	int cpus = libbpf_num_possible_cpus();
	struct group_count counts[cpus > 0 ? cpus : 1];

	memset(counts, 0, sizeof(counts));
	bpf_map_update_elem(group->counts_fd, &place, counts, BPF_ANY);
}

int group_add(struct group *group, json_int_t number, const int *sockets, size_t count,
	      struct problem *problem)
{
	struct group_generation *generation = group_find(group, number);
	struct group_endpoint endpoint;
	__u32 tag;
	int error = check_sockets(group, sockets, count, &endpoint, problem);

	if (error || generation)
		return error ? error : add_again(group, generation, sockets, count, problem);
	generation = free_place(group, &tag);
	if (!generation)
		return refuse(problem, RPC_LIMIT, NULL, "%u generations are there already: drop one",
			      GROUP_PLACES);
	clear_targets(group, generation);
	count_from_zero(group, place_of(group, generation));
	for (size_t i = 0; i < count && !error; i++)
		error = list(group, generation, i, sockets[i], problem);
	if (!error)
		error = attach(group, sockets[0], problem);
	if (error) {
		clear_targets(group, generation);
		return error;
	}
	group->state->endpoint = endpoint;
	group->state->serial = tag;
	generation->number = (__u64)number;
	generation->worked = 0;
	__atomic_store_n(&generation->sockets, (__u32)count, __ATOMIC_RELEASE);
	__atomic_store_n(&generation->tag, tag, __ATOMIC_RELEASE);
	if (!group->state->working)
		group_work(group, generation);
	return 0;
}

/* What a program sends by what was true before is in its socket afterwards. */
static void grace(void)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&pause, NULL);
}

void group_work(struct group *group, struct group_generation *generation)
{
	generation->worked = 1;
	__atomic_store_n(&group->state->working, generation->tag, __ATOMIC_RELEASE);
	grace();
}

void group_count_read(const struct group *group, const struct group_generation *generation,
		      struct group_count *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct group_count counts[cpus > 0 ? cpus : 1];
	__u32 place = place_of(group, generation);

	*sum = (struct group_count){0};
	if (bpf_map_lookup_elem(group->counts_fd, &place, counts))
		return;
	for (int i = 0; i < cpus; i++) {
		sum->datagrams += counts[i].datagrams;
		sum->begun += counts[i].begun;
		sum->ended += counts[i].ended;
		sum->full += counts[i].full;
		sum->stray += counts[i].stray;
	}
}

void group_remove(struct group *group, struct group_generation *generation)
{
	struct group_count *gone = &group->state->gone, last;

	if (group->state->working == generation->tag)
		__atomic_store_n(&group->state->working, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&generation->tag, 0, __ATOMIC_RELEASE);
	grace();
	group_count_read(group, generation, &last);
	gone->datagrams += last.datagrams;
	gone->begun += last.begun;
	gone->ended += last.begun;
	gone->full += last.full;
	gone->stray += last.stray;
	clear_targets(group, generation);
	__atomic_store_n(&generation->sockets, 0, __ATOMIC_RELEASE);
}
