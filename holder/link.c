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
#include "lib/bpf/xdp.h"
#include "lib/log.h"
#include "lib/netdev.h"
#include "lib/rpc.h"

/* bpffs takes no dots in names, interfaces no colons: one stands for the other. */
static const char *translate(const char *interface, char name[static IF_NAMESIZE], char from, char to)
{
	snprintf(name, IF_NAMESIZE, "%s", interface);
	for (char *c = name; *c; c++)
		*c = *c == from ? to : *c;
	return name;
}

struct link *link_find(struct holder *holder, const char *interface)
{
	for (struct link *link = holder->links; link < holder->links + LINKS_MAX; link++) {
		if (!strcmp(link->interface, interface))
			return link;
	}
	return NULL;
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
	struct link *link = link_find(holder, "");
	int fd = bpf_obj_get(pin_path(holder, path, "if/%s/link", pinned));
	if (fd < 0 || !link)
		return fd < 0 ? -errno : -ENOSPC;
	*link = (struct link){.fd = fd};
	translate(pinned, link->interface, ':', '.');
	if (readlink(pin_path(holder, path, "if/%s/role", pinned), link->role, sizeof(link->role) - 1) < 0)
		link->role[0] = '\0';
	link_refresh(link);
	return 0;
}

void links_watch(struct holder *holder)
{
	for (struct link *link = holder->links; link < holder->links + LINKS_MAX; link++) {
		__u32 before = link->ifindex;
		if (link->interface[0])
			link_refresh(link);
		if (before == link->ifindex)
			continue;
		log_warning("%s: the link was detached behind our back: attach it again", link->interface);
		holder_event(holder, json_pack("{s:s, s:s, s:s}", "type", "link", "interface",
					       link->interface, "state", "detached"));
	}
}

void links_follow(struct holder *holder)
{
	for (struct link *link = holder->links; link < holder->links + LINKS_MAX; link++) {
		__u32 id;
		if (!link->interface[0])
			continue;
		link_refresh(link);
		int fd = role_open(holder, holder->current, link->role, &id);
		if (link->ifindex && id != link->program_id &&
		    (fd < 0 || bpf_link_update(link->fd, fd, NULL)))
			log_error("%s: going to bng_%s of generation %u: %s", link->interface, link->role,
				  holder->current, strerror(errno));
		if (fd >= 0)
			close(fd);
		link_refresh(link);
	}
}

static int refuse_foreign(unsigned ifindex, const char *interface, struct problem *problem)
{
	struct xdp_owner owner;
	int error = xdp_owner(ifindex, &owner);
	if (error)
		return refuse_errno(problem, error, "asking what runs there");
	if (!owner.program_id)
		return 0;
	return refuse(problem, RPC_CONFLICT,
		      json_pack("{s:s, s:s, s:i, s:s}", "interface", interface, "owner", owner.text,
				"program_id", owner.program_id, "program_name", owner.program),
		      "XDP program %u, not ours, runs there (%s): remove it (xdp-loader unload %s --all, or "
		      "ip link set "
		      "%s xdp off)",
		      owner.program_id, owner.text, interface, interface);
}

static int pin_link(struct holder *holder, const char *interface, const char *role, int fd)
{
	char path[PIN_TEXT], folder[PIN_TEXT], name[IF_NAMESIZE];
	translate(interface, name, '.', ':');
	bpffs_remove(pin_path(holder, folder, "if/%s", name));
	int error = mkdir(folder, 0700) ? -errno : 0;
	if (!error)
		error = bpffs_link(pin_path(holder, path, "if/%s/role", name), role);
	step(STEP_attach_pin);
	if (!error && bpf_obj_pin(fd, pin_path(holder, path, "if/%s/link", name)))
		error = -errno;
	if (!error)
		error = link_load(holder, name);
	if (error)
		bpffs_remove(folder);
	return error;
}

static int create_link(struct holder *holder, const char *interface, const char *role, int program,
		       bool generic, struct problem *problem)
{
	unsigned ifindex = if_nametoindex(interface);
	if (!ifindex)
		return refuse(problem, RPC_NOT_FOUND, NULL, "there is no such interface");
	if (!link_find(holder, ""))
		return refuse(problem, RPC_LIMIT, NULL, "%d links are attached already", LINKS_MAX);
	int error = refuse_foreign(ifindex, interface, problem);
	if (error)
		return error;
	if (netdev_keep_vlan_tags(interface))
		log_warning("%s: the NIC strips VLAN tags and does not let us stop that", interface);
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	step(STEP_attach_create);
	int fd = bpf_link_create(program, (int)ifindex, BPF_XDP, &options);
	if (fd < 0)
		return refuse_errno(problem, fd, "%s mode (a driver without native XDP needs mode generic)",
				    generic ? "generic" : "native");
	error = pin_link(holder, interface, role, fd);
	close(fd);
	return error ? refuse_errno(problem, error, "pinning the link") : 0;
}

int link_attach(struct holder *holder, const char *interface, const char *role, bool generic, bool *adopted,
		struct problem *problem)
{
	struct link *link = link_find(holder, interface);
	__u32 id;
	int error = 0, program = role_open(holder, holder->current, role, &id);
	problem_context(problem, "attach %s as %s", interface, role);
	if (program < 0)
		return refuse(problem, RPC_CONFLICT, NULL,
			      "generation %u, the current one, has no program bng_%s: commit one",
			      holder->current, role);
	if (link)
		link_refresh(link);
	*adopted = link && link->ifindex && link->ifindex == if_nametoindex(interface);
	if (link && !*adopted)
		link_detach(holder, link);
	if (!*adopted)
		error = create_link(holder, interface, role, program, generic, problem);
	else if (strcmp(link->role, role) || link->generic != generic)
		error = refuse(problem, RPC_CONFLICT, NULL,
			       "it is attached as %s in %s mode: detach it first", link->role,
			       link->generic ? "generic" : "native");
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
