/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * GRE (PPTP's and any other) and ESP through the translation: the address changes,
 * nothing else. Any fragment can be translated by itself. Off the fast path.
 */
#ifndef BNG_DATAPLANE_TUNNEL_H
#define BNG_DATAPLANE_TUNNEL_H

#include "cgnat.h"
#include "deliver.h"
#include "tunnel_find.h"

#define GRE_HEADER 4
#define ESP_HEADER 8

static __always_inline __u8 tunnel_protocol(const struct iphdr *ip)
{
	switch (ip->protocol) {
	case IPPROTO_GRE:
		return BNG_PROTOCOL_GRE;
	case IPPROTO_ESP:
		return BNG_PROTOCOL_ESP;
	default:
		return BNG_PROTOCOL_NONE;
	}
}

/* Fills what packet_parse_ports would, with the remote end's tag for ports. */
static __always_inline int tunnel_parse(struct bng_pkt *pkt, __be32 remote_be)
{
	__u16 payload = pkt->ip_length - pkt->ip->ihl * 4;

	pkt->protocol = tunnel_protocol(pkt->ip);
	pkt->source_port_be = pkt->destination_port_be = bng_tunnel_tag(remote_be);
	if (pkt->ip->frag_off & bpf_htons(IP_OFFSET_MASK))
		return 0;
	return payload < (pkt->protocol == BNG_PROTOCOL_GRE ? GRE_HEADER : ESP_HEADER) ? BNG_DROP_SHORT : 0;
}

/* The tunnel is another's, or there is no room for it: management is told. */
static __always_inline int tunnel_refuse(struct bng_subscriber *session, __u32 slot, __u32 tick, int verdict)
{
	event_refused(session, slot, pool_address_get(session->address_index), tick, verdict);
	return verdict;
}

/* From the subscriber of `slot`: the source is translated in place. 0, or an outcome:
 * STEP_CREATE when there is no mapping. A tunnel that is another's is seen before one
 * is made, if the subscriber has a public address. */
__noinline int tunnel_up(struct xdp_md *ctx, __u32 slot)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_pool_address *address;
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);
	__u64 port, owner;
	__be32 remote_be;
	__u32 key;

	if (!verdict)
		verdict = tunnel_parse(&pkt, pkt.ip->daddr);
	if (verdict || !session)
		return verdict ? verdict : BNG_DROP_INTERNAL;
	remote_be = pkt.ip->daddr;
	key = bng_mapping_key(pkt.protocol, pkt.source_port_be);
	port = cgnat_search(slot, key);
	owner = tunnel_find(port == PORT_NONE ? session->address_index : (__u32)port >> 16, remote_be,
			    pkt.protocol, pkt.tick, 0);
	if (!(owner & TUNNEL_NONE) && owner != port)
		return tunnel_refuse(session, slot, pkt.tick, BNG_DROP_TUNNEL_TAKEN);
	if (port == PORT_NONE || !cgnat_touch(port, key, pkt.tick, TOUCH_FROM_INSIDE))
		return outcome_step(BNG_DROP_CGNAT_BUSY, STEP_CREATE, 0);
	verdict = owner & TUNNEL_NONE ? tunnel_claim(port, remote_be, pkt.protocol, pkt.tick) : 0;
	address = pool_address_get((__u32)port >> 16);
	if (verdict)
		return tunnel_refuse(session, slot, pkt.tick, verdict);
	if (!address)
		return BNG_DROP_INTERNAL;
	rewrite_address(pkt.ip, &pkt.ip->saddr, address->address_be);
	return 0;
}

static __always_inline int tunnel_unknown(__u32 index)
{
	struct bng_pool_address *address = pool_address_get(index);

	if (address)
		__sync_fetch_and_add(&address->drops, 1);
	return BNG_DROP_TUNNEL_UNKNOWN;
}

/* For the public address that is the outcome's parameter. An outcome. */
__noinline __u32 tunnel_down(struct xdp_md *ctx, __u64 outcome)
{
	struct cgnat_target target = {};
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);
	__u64 port;

	if (!verdict)
		verdict = tunnel_parse(&pkt, pkt.ip->saddr);
	if (verdict)
		return verdict;
	port = tunnel_find(outcome_parameter(outcome), pkt.ip->saddr, pkt.protocol, pkt.tick, 0);
	if (port & TUNNEL_NONE)
		return tunnel_unknown(outcome_parameter(outcome));
	verdict = cgnat_owner(&pkt, port, pkt.protocol, &target);
	if (!verdict)
		verdict = deliver_check(&pkt);
	if (verdict)
		return verdict;
	if (target.pool->flags & BNG_POOL_REFRESH_INBOUND)
		cgnat_touch(port, bng_mapping_word_key(target.seen), pkt.tick, 0);
	rewrite_address(pkt.ip, &pkt.ip->daddr, pkt.session->address_be);
	return deliver(&pkt, BNG_FORWARD_DOWN);
}

#endif
