/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a session's filter says to a packet (abi/filter.h): by its remote end alone, so
 * that nothing has to be remembered of other packets.
 *
 * A later fragment has no ports. By address and protocol it passes where any port would be
 * permitted: its first fragment was judged by the port, and without that one the rest is
 * of no use. What should have ports and has none that can be read is denied by the first
 * rule that could.
 */
#ifndef BNG_DATAPLANE_FILTER_H
#define BNG_DATAPLANE_FILTER_H

#include "packet.h"

enum filter_ports {
	FILTER_PORT_READ,
	FILTER_PORT_LATER, /* of a later fragment: in its first one */
	FILTER_PORT_SHORT, /* cut off */
};

/* The remote end of a packet. */
struct filter_end {
	__be32 address_be;
	__u16 port;
	__u8 protocol;
	__u8 direction; /* BNG_FILTER_UP or _DOWN */
	__u8 ports;     /* enum filter_ports */
};

/* False: there is no IP header at that offset, which is a bug. */
static __always_inline int filter_read(struct xdp_md *ctx, __u32 offset, struct filter_end *end)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + (offset & 0x3f);
	int is_down = end->direction == BNG_FILTER_DOWN;
	__u32 header;
	__be16 *port;

	if ((void *)(ip + 1) > data_end)
		return 0;
	header = ip->ihl * 4;
	port = (void *)ip + header;
	end->address_be = is_down ? ip->saddr : ip->daddr;
	end->protocol = ip->protocol;
	if (ip->frag_off & bpf_htons(IP_OFFSET_MASK))
		end->ports = FILTER_PORT_LATER;
	else if ((void *)(port + 2) > data_end || bpf_ntohs(ip->tot_len) < header + 2 * sizeof(*port))
		end->ports = FILTER_PORT_SHORT;
	else
		end->port = bpf_ntohs(port[is_down ? 0 : 1]);
	return 1;
}

static __always_inline int filter_matches(const struct bng_filter_rule *rule, const struct filter_end *end)
{
	if (!(rule->flags & end->direction) || ((rule->address_be ^ end->address_be) & rule->mask_be) ||
	    (rule->protocol && rule->protocol != end->protocol))
		return 0;
	if (!rule->port_last)
		return 1;
	switch (end->ports) {
	case FILTER_PORT_READ:
		return end->port >= rule->port_first && end->port <= rule->port_last;
	case FILTER_PORT_LATER:
		return rule->flags & BNG_FILTER_PERMIT;
	default:
		return !(rule->flags & BNG_FILTER_PERMIT);
	}
}

/* Judges by the half, and counts: true if it passes. `key`: of the half's counters. */
static __always_inline int filter_permits(const struct bng_filter_half *half, const struct filter_end *end,
					  __u32 key)
{
	struct bng_filter_hits *hits = bpf_map_lookup_elem(&filter_hit, &key);
	__u32 decided = BNG_FILTER_RULES;
	__u8 flags = half->flags;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < BNG_FILTER_RULES && i < half->count; i++) {
		if (filter_matches(&half->rule[i], end)) {
			flags = half->rule[i].flags;
			decided = i;
			break;
		}
	}
	if (hits && decided <= BNG_FILTER_RULES)
		hits->packets[decided]++;
	return flags & BNG_FILTER_PERMIT;
}

/* A packet of the session in `slot`, whose IP header is at `offset`, from the subscriber or
 * to it: 0, or the verdict. */
__noinline int filter_judge(struct xdp_md *ctx, __u32 slot, __u32 offset, int is_down)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct filter_end end = {.direction = is_down ? BNG_FILTER_DOWN : BNG_FILTER_UP};
	__u32 number = session ? session->filter : 0, active;
	struct bng_filter *entry;

	if (!session)
		return BNG_DROP_INTERNAL;
	if (!number) /* taken off this moment */
		return 0;
	entry = bpf_map_lookup_elem(&filter, &number);
	if (!entry || !filter_read(ctx, offset, &end))
		return BNG_DROP_INTERNAL;
	active = *(volatile __u32 *)&entry->active & 1;
	if (filter_permits(&entry->half[active], &end, 2 * number + active))
		return 0;
	if (!is_down)
		return BNG_DROP_FILTER_UP;
	/* Here, because a step's outcome names the sender if anybody. */
	__sync_fetch_and_add(&session->drop_packets, 1);
	return BNG_DROP_FILTER_DOWN;
}

#endif
