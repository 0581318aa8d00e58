/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * IPv4 options, of which only one kind is looked for: a route that the sender has
 * chosen. Off the fast path.
 */
#ifndef BNG_DATAPLANE_IP_OPTION_H
#define BNG_DATAPLANE_IP_OPTION_H

#include <linux/bpf.h>
#include <linux/ip.h>

#include <bpf/bpf_helpers.h>

#define IP_OPTIONS_MAX         40 /* bytes */
#define IP_OPTION_END          0
#define IP_OPTION_NOP          1
#define IP_OPTION_LOOSE_ROUTE  131
#define IP_OPTION_STRICT_ROUTE 137

struct option_walk {
	struct xdp_md *ctx;
	__u32 at;  /* of the next option in the frame */
	__u32 end; /* of the IP header */
	__u32 found;
};

/* One option: 0 to go on. What is malformed ends the search: no host follows it. */
static long option_step(__u32 index __attribute__((unused)), struct option_walk *walk)
{
	void *data = (void *)(long)walk->ctx->data, *end = (void *)(long)walk->ctx->data_end;
	__u8 *option = data + (walk->at & 0x7f);

	if (walk->at >= walk->end || (void *)(option + 1) > end || *option == IP_OPTION_END)
		return 1;
	if (*option == IP_OPTION_NOP) {
		walk->at++;
		return 0;
	}
	walk->found = *option == IP_OPTION_LOOSE_ROUTE || *option == IP_OPTION_STRICT_ROUTE;
	if (walk->found || (void *)(option + 2) > end || option[1] < 2)
		return 1;
	walk->at += option[1];
	return 0;
}

/* True if the options from `first` to `end` of the frame have a source route. */
__noinline int ip_option_routes(struct xdp_md *ctx, __u32 first, __u32 end)
{
	struct option_walk walk = {.ctx = ctx, .at = first, .end = end};

	bpf_loop(IP_OPTIONS_MAX, option_step, &walk, 0);
	return walk.found;
}

#endif
