/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Where programs run. An interface is ours while its bpf_link is pinned; somebody
 * else's program there is named and left alone.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/bpf/rollout.h"
#include "lib/bpf/xdp.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rpc.h"

#define MEND_NS 1000000000ULL

/* bpffs takes no dots in names, interfaces no colons: one stands for the other. */
static const char *translate(const char *interface, char name[static IF_NAMESIZE], char from, char to)
{
	snprintf(name, IF_NAMESIZE, "%s", interface);
	for (char *c = name; *c; c++)
		*c = *c == from ? to : *c;
	return name;
}

void link_event(struct holder *holder, const char *interface, const char *state)
{
	holder_event(holder,
		     json_pack("{s:s, s:s, s:s}", "type", "link", "interface", interface, "state", state));
}

struct link *link_find(struct holder *holder, const char *interface)
{
	for (struct link *link = holder->links; link < holder->links + LINKS_MAX; link++) {
		if (!strcmp(link->interface, interface))
			return link;
	}
	return NULL;
}

struct link *link_of_pin(struct holder *holder, const char *pinned)
{
	char interface[IF_NAMESIZE];
	return link_find(holder, translate(pinned, interface, ':', '.'));
}

void link_refresh(struct link *link)
{
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	if (bpf_obj_get_info_by_fd(link->fd, &info, &size))
		return;
	link->program_id = info.prog_id;
	link->ifindex = info.xdp.ifindex;
	if (link->ifindex && !bpf_xdp_query((int)link->ifindex, 0, &query))
		link->generic = query.attach_mode == XDP_ATTACHED_SKB;
}

int link_load(struct holder *holder, const char *pinned)
{
	char path[PIN_TEXT];
	char first;
	struct link *link = link_find(holder, "");
	int fd = bpf_obj_get(pin_path(holder, path, "if/%s/link", pinned));
	if (fd < 0 || !link)
		return fd < 0 ? -errno : -ENOSPC;
	*link = (struct link){.fd = fd};
	translate(pinned, link->interface, ':', '.');
	if (readlink(pin_path(holder, path, "if/%s/role", pinned), link->role, sizeof(link->role) - 1) < 0)
		link->role[0] = '\0';
	link->generic = readlink(pin_path(holder, path, "if/%s/generic", pinned), &first, 1) == 1;
	/* Of a holder that died while it attached again. */
	unlink(pin_path(holder, path, "if/%s/again", pinned));
	link_refresh(link);
	return 0;
}

/* The old pin stays until the new link is pinned beside it. */
static int attach_again(struct holder *holder, struct link *link, struct problem *problem)
{
	char path[PIN_TEXT], again[PIN_TEXT], name[IF_NAMESIZE];
	translate(link->interface, name, '.', ':');
	int program = running_open(holder, link->role);
	if (program < 0)
		return refuse_errno(problem, program, "bng_%s of generation %u", link->role, holder->current);
	int fd = xdp_attach(link->interface, program, link->generic, problem);
	close(program);
	if (fd < 0)
		return fd;
	step("again_pin");
	int error = bpffs_pin(fd, pin_path(holder, path, "if/%s", name), "again");
	step("again_rename");
	pin_path(holder, path, "if/%s/link", name);
	if (!error && rename(pin_path(holder, again, "if/%s/again", name), path))
		error = -errno;
	if (error) {
		close(fd);
		return refuse_errno(problem, error, "pinning the link");
	}
	close(link->fd);
	link->fd = fd;
	link_refresh(link);
	link_event(holder, link->interface, "attached");
	return 0;
}

/* What was detached behind our back, with --reattach: once a second, told once. */
static void mend(struct holder *holder, struct link *link)
{
	struct problem problem = {0};
	uint64_t now_ns = clock_boottime_ns();
	if (now_ns < link->mend_ns || !if_nametoindex(link->interface))
		return;
	link->mend_ns = now_ns + MEND_NS;
	problem_context(&problem, "attach %s again as %s", link->interface, link->role);
	if (!attach_again(holder, link, &problem))
		log_warning("%s: attached again", link->interface);
	else if (!link->mend_failed)
		log_error("%s; tried again every second", problem.text);
	link->mend_failed = problem.code != 0;
	json_decref(problem.data);
}

void links_watch(struct holder *holder)
{
	for_each_link(link, holder)
	{
		__u32 before = link->ifindex;
		link_refresh(link);
		if (before && !link->ifindex) {
			log_warning("%s: the link was detached behind our back%s", link->interface,
				    holder->reattach ? "" : ": attach it again");
			link_event(holder, link->interface, "detached");
		}
		if (!link->ifindex && holder->reattach)
			mend(holder, link);
	}
}

void links_follow(struct holder *holder)
{
	for_each_link(link, holder)
	{
		link_refresh(link);
		if (!link->ifindex || link->program_id == running_id(holder, link->role))
			continue;
		int fd = running_open(holder, link->role);
		if (fd < 0 || bpf_link_update(link->fd, fd, NULL))
			log_error("%s: going to bng_%s of generation %u: %s", link->interface, link->role,
				  holder->current, strerror(errno));
		if (fd >= 0)
			close(fd);
		link_refresh(link);
	}
}

static int lend(const struct holder *holder, unsigned generation, const char *name, const char *role,
		int program)
{
	char path[PIN_TEXT];
	return rollout_set_program(pin_path(holder, path, "gen/%u/scratch/%s_%s", generation, name, role),
				   program);
}

int links_lend(struct holder *holder, unsigned generation, const char *name, struct problem *problem)
{
	int error = 0;
	for_each_link(link, holder)
	{
		int program = role_open(holder, holder->current, link->role);
		int failure =
			!error && program >= 0 ? lend(holder, generation, name, link->role, program) : 0;
		if (failure)
			error = refuse_errno(problem, failure, "%s_%s, which is to call the current program",
					     name, link->role);
		if (program >= 0)
			close(program);
	}
	return error;
}

void links_take_back(struct holder *holder, unsigned generation, const char *name)
{
	for_each_link(link, holder) lend(holder, generation, name, link->role, -1);
}

static int pin_link(struct holder *holder, const char *interface, const char *role, bool generic, int fd)
{
	char path[PIN_TEXT], folder[PIN_TEXT], name[IF_NAMESIZE];
	translate(interface, name, '.', ':');
	bpffs_remove(pin_path(holder, folder, "if/%s", name));
	int error = mkdir(folder, 0700) ? -errno : 0;
	if (!error)
		error = bpffs_link(pin_path(holder, path, "if/%s/role", name), role);
	if (!error && generic)
		error = bpffs_link(pin_path(holder, path, "if/%s/generic", name), "yes");
	step("attach_pin");
	if (!error)
		error = bpffs_pin(fd, folder, "link");
	if (!error)
		error = link_load(holder, name);
	if (error)
		bpffs_remove(folder);
	return error;
}

static int create_link(struct holder *holder, const char *interface, const char *role, int program,
		       bool generic, struct problem *problem)
{
	if (!link_find(holder, ""))
		return refuse(problem, RPC_LIMIT, NULL, "%d links are attached already", LINKS_MAX);
	step("attach_create");
	int fd = xdp_attach(interface, program, generic, problem);
	if (fd < 0)
		return fd;
	int error = pin_link(holder, interface, role, generic, fd);
	close(fd);
	if (error)
		return refuse_errno(problem, error, "pinning the link");
	link_event(holder, interface, "attached");
	return 0;
}

int link_attach(struct holder *holder, const char *interface, const char *role, bool generic, bool *adopted,
		struct problem *problem)
{
	struct link *link = link_find(holder, interface);
	int error = 0, program = running_open(holder, role);
	problem_context(problem, "attach %s as %s", interface, role);
	if (program < 0)
		return refuse(problem, RPC_CONFLICT, NULL,
			      "current generation (%u) has no bng_%s: commit one that has", holder->current,
			      role);
	if (link)
		link_refresh(link);
	*adopted = link && link->ifindex;
	bool is_same = link && !strcmp(link->role, role) && link->generic == generic;
	if (link && !*adopted && !is_same)
		link_detach(holder, link);
	if (!*adopted && is_same)
		error = attach_again(holder, link, problem);
	else if (!*adopted)
		error = create_link(holder, interface, role, program, generic, problem);
	else if (!is_same || link->ifindex != if_nametoindex(interface))
		error = refuse(problem, RPC_CONFLICT, NULL,
			       "it is attached to interface %u as %s in %s mode: detach it", link->ifindex,
			       link->role, link->generic ? "generic" : "native");
	else
		links_follow(holder);
	close(program);
	return error;
}

int link_detach(struct holder *holder, struct link *link)
{
	char path[PIN_TEXT], name[IF_NAMESIZE];
	int error = bpffs_remove(pin_path(holder, path, "if/%s", translate(link->interface, name, '.', ':')));
	if (error)
		return error;
	close(link->fd);
	*link = (struct link){0};
	return 0;
}
