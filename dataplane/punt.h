/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Control packets to controld and from it (abi/punt.h), rate-limited by reason.
 */
#ifndef BNG_DATAPLANE_PUNT_H
#define BNG_DATAPLANE_PUNT_H

#include "answer.h"

#define PUNT_RATE             5000
#define PUNT_BURST            2000
#define PUNT_SUBSCRIBER_RATE  10 /* of one session, where sessions ask by themselves */
#define PUNT_SUBSCRIBER_BURST 20
#define DHCP_SERVER_PORT      67
#define PCP_SERVER_PORT       5351

static __always_inline int punt_allowed(__u32 reason, __u64 now_ns)
{
	struct bng_punt_limit *limit = bpf_map_lookup_elem(&punt_limit, &reason);
	__u64 interval;

	if (!limit)
		return 0;
	interval = 1000000000ULL / (limit->rate ? limit->rate : PUNT_RATE);
	return rate_allow(&limit->due_ns, now_ns, interval,
			  interval * (limit->burst ? limit->burst : PUNT_BURST));
}

static __always_inline int punt(struct bng_pkt *pkt, __u8 reason, int verdict)
{
	__u32 index = ingress_interface(pkt->ctx);
	struct bng_meta *facts = meta_get();
	struct bng_punt *header;
	__u64 now_ns;

	if (!index || !facts)
		return BNG_DROP_NO_INTERFACE;
	now_ns = clock_now(facts);
	if (!punt_allowed(reason, now_ns))
		return BNG_DROP_PUNT_LIMIT;
	if (bpf_xdp_adjust_head(pkt->ctx, -(int)sizeof(*header)))
		return BNG_DROP_INTERNAL;
	header = (void *)(long)pkt->ctx->data;
	if ((void *)(header + 1) > (void *)(long)pkt->ctx->data_end)
		return BNG_DROP_INTERNAL;
	*header = (struct bng_punt){
		.destination = {0x02, 0, 0, 0, 0, 1},
		.source = {0x02, 0, 0, 0, 0, 2},
		.ethertype_be = bpf_htons(BNG_PUNT_ETHERTYPE),
		.version = BNG_PUNT_VERSION,
		.reason = reason,
		.interface = index,
		.slot = pkt->slot,
		.time_ns = now_ns,
	};
	return bpf_redirect_map(&tx_interface, BNG_INTERFACE_PUNT, XDP_DROP) == XDP_REDIRECT
		       ? verdict
		       : BNG_DROP_NO_INTERFACE;
}

/* For a client's packet to a DHCP server, L4 parsed. */
static __always_inline int is_dhcp4(const struct bng_pkt *pkt)
{
	return pkt->protocol == BNG_PROTOCOL_UDP && pkt->destination_port_be == bpf_htons(DHCP_SERVER_PORT);
}

/* For a session's packet to the gateway, L4 parsed. */
static __always_inline int is_pcp(const struct bng_pkt *pkt)
{
	return pkt->protocol == BNG_PROTOCOL_UDP && pkt->destination_port_be == bpf_htons(PCP_SERVER_PORT);
}

/* What is_pcp said yes to. One subscriber that asks all the time takes nothing of what
 * the others may ask. */
static __always_inline int punt_pcp(struct bng_pkt *pkt)
{
	const __u64 interval = 1000000000ULL / PUNT_SUBSCRIBER_RATE;
	struct bng_pool *nat_pool = pool_get(pkt->session->pool);
	struct bng_meta *facts = meta_get();

	if (!facts || !nat_pool || !(nat_pool->flags & BNG_POOL_PCP))
		return BNG_DROP_GATEWAY;
	if (!rate_allow(&pkt->session->punt_due_ns, clock_now(facts), interval,
			interval * PUNT_SUBSCRIBER_BURST))
		return BNG_DROP_PUNT_SUBSCRIBER;
	return punt(pkt, BNG_PUNT_REASON_PCP, BNG_PUNT_PCP);
}

/* Whether a packet on the punt veth has a header and room for a frame behind it. */
static __always_inline int is_punt(const struct bng_pkt *pkt)
{
	const struct bng_punt *header = pkt->data;

	return (void *)(header + 1) + sizeof(struct ethhdr) <= pkt->end &&
	       header->ethertype_be == bpf_htons(BNG_PUNT_ETHERTYPE) && header->version == BNG_PUNT_VERSION;
}

/* From controld to the wire, what is_punt said yes to. */
static __always_inline int inject(struct bng_pkt *pkt)
{
	struct bng_punt *header = pkt->data;
	__u32 index;

	if ((void *)(header + 1) > pkt->end || header->interface >= BNG_INTERFACE_PUNT)
		return BNG_DROP_INJECT;
	index = header->interface;
	if (bpf_xdp_adjust_head(pkt->ctx, sizeof(*header)))
		return BNG_DROP_INTERNAL;
	return bpf_redirect_map(&tx_interface, index, XDP_DROP) == XDP_REDIRECT ? BNG_INJECT
										: BNG_DROP_NO_INTERFACE;
}

#endif
