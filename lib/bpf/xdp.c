/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The spare veth pairs stay where they are, down and empty: making them again for
 * every swap would cost more than they do.
 */
#include "lib/bpf/xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "lib/netdev.h"
#include "lib/rpc.h"

struct owner {
	__u32 program_id;
	char program[64];
	char text[256]; /* "program xdp_pass", "libxdp's dispatcher for a b": no other owner is known */
};

static int ignore_print(enum libxdp_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void ask_libxdp(unsigned ifindex, struct owner *owner)
{
	libxdp_set_print(ignore_print);
	struct xdp_multiprog *found = xdp_multiprog__get_from_ifindex((int)ifindex);
	snprintf(owner->text, sizeof(owner->text), "a program that cannot be asked");
	if (libxdp_get_error(found))
		return;
	const struct xdp_program *one = xdp_multiprog__main_prog(found);
	snprintf(owner->program, sizeof(owner->program), "%s", one ? xdp_program__name(one) : "");
	size_t length = (size_t)snprintf(owner->text, sizeof(owner->text), "program %s", owner->program);
	if (!xdp_multiprog__is_legacy(found)) {
		length = (size_t)snprintf(owner->text, sizeof(owner->text), "libxdp's dispatcher for");
		one = NULL;
		while (length < sizeof(owner->text) && (one = xdp_multiprog__next_prog(one, found)))
			length += (size_t)snprintf(owner->text + length, sizeof(owner->text) - length, " %s",
						   xdp_program__name(one));
	}
	xdp_multiprog__close(found);
}

static int ask_owner(unsigned ifindex, struct owner *owner)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	*owner = (struct owner){0};
	int error = bpf_xdp_query((int)ifindex, 0, &query);
	if (error)
		return error;
	const __u32 ids[] = {query.prog_id, query.drv_prog_id, query.skb_prog_id, query.hw_prog_id};
	for (size_t i = 0; i < 4 && !owner->program_id; i++)
		owner->program_id = ids[i];
	if (owner->program_id)
		ask_libxdp(ifindex, owner);
	return 0;
}

static int refuse_foreign(unsigned ifindex, const char *interface, struct problem *problem)
{
	struct owner owner;
	int error = ask_owner(ifindex, &owner);
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

int xdp_attach(const char *interface, int program_fd, bool generic, struct problem *problem)
{
	unsigned ifindex = if_nametoindex(interface);
	if (!ifindex)
		return refuse(problem, RPC_NOT_FOUND, NULL, "there is no such interface");
	int error = refuse_foreign(ifindex, interface, problem);
	if (error)
		return error;
	error = netdev_keep_vlan_tags(interface);
	if (error)
		return refuse_errno(problem, error, "the NIC strips VLAN tags, and stopping that");
	LIBBPF_OPTS(bpf_link_create_opts, options,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(program_fd, (int)ifindex, BPF_XDP, &options);
	if (fd >= 0)
		return fd;
	return refuse_errno(problem, fd, "%s mode (a driver without native XDP needs mode generic)",
			    generic ? "generic" : "native");
}

int xdp_park(struct xdp_park *park, __u32 program_id, int program_fd)
{
	char names[2][IF_NAMESIZE];
	bool created;
	for (size_t i = 0; i < park->count; i++) {
		if (park->program_id[i] == program_id)
			return 0;
	}
	if (park->count == XDP_PARK_MAX)
		return 0;
	for (size_t i = 0; i < 2; i++)
		snprintf(names[i], IF_NAMESIZE, XDP_PARK_NAME,
			 (unsigned)((park->count & ~(size_t)1) + i) % XDP_PARK_MAX);
	int error = netdev_veth(names[0], names[1], &created);
	if (error)
		return error;
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
	int fd = bpf_link_create(program_fd, (int)if_nametoindex(names[park->count & 1]), BPF_XDP, &options);
	if (fd < 0)
		return -errno;
	park->link[park->count] = fd;
	park->program_id[park->count++] = program_id;
	return 0;
}

void xdp_unpark(struct xdp_park *park)
{
	while (park->count)
		close(park->link[--park->count]);
}
