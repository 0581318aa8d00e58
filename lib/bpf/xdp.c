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

static int ignore_print(enum libxdp_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

static void ask_libxdp(unsigned ifindex, struct xdp_owner *owner)
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

int xdp_owner(unsigned ifindex, struct xdp_owner *owner)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	*owner = (struct xdp_owner){0};
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
		snprintf(names[i], IF_NAMESIZE, "bngpark%u",
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
