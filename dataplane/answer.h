/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the gateway answers by itself, so that subscribers see it alive with
 * every process dead: ARP for its addresses and ICMP echo to them.
 */
#ifndef BNG_DATAPLANE_ANSWER_H
#define BNG_DATAPLANE_ANSWER_H

#include "rewrite.h"

#define ARP_REQUEST     1
#define ARP_REPLY       2
#define ANSWER_TTL_HOPS 64

/* Interface index of the ingress; 0: not ours. */
static __always_inline __u32 ingress_interface(const struct xdp_md *ctx)
{
	__u32 ifindex = ctx->ingress_ifindex;
	__u32 *index = bpf_map_lookup_elem(&interface_of_ifindex, &ifindex);

	return index ? *index : 0;
}

static __always_inline int is_gateway(__u32 interface_index, __be32 address_be)
{
	struct bng_gateway_key key = {.interface = interface_index, .address_be = address_be};

	return bpf_map_lookup_elem(&gateway, &key) != NULL;
}

static __always_inline __be32 load_address(const __u8 *from)
{
	__be32 address_be;

	__builtin_memcpy(&address_be, from, sizeof(address_be));
	return address_be;
}

/* In place: the tags stay as they are. */
static __always_inline int answer_arp(struct bng_pkt *pkt)
{
	struct arp_packet *arp = pkt->l3;
	struct ethhdr *eth = pkt->data;
	__u32 index = ingress_interface(pkt->ctx);
	struct bng_interface *ingress = interface_get(index);
	__be32 target_be;

	if ((void *)(arp + 1) > pkt->end || (void *)(eth + 1) > pkt->end)
		return BNG_DROP_SHORT;
	if (!index || !ingress)
		return BNG_DROP_NO_INTERFACE;
	target_be = load_address(arp->target_be);
	if (arp->hardware_be != bpf_htons(1) || arp->protocol_be != bpf_htons(ETH_P_IP) ||
	    arp->hardware_length != ETH_ALEN || arp->protocol_length != 4 ||
	    arp->operation_be != bpf_htons(ARP_REQUEST) || !is_gateway(index, target_be))
		return BNG_DROP_ARP;
	arp->operation_be = bpf_htons(ARP_REPLY);
	copy_mac(arp->target_mac, arp->sender_mac);
	__builtin_memcpy(arp->target_be, arp->sender_be, 4);
	copy_mac(arp->sender_mac, ingress->mac);
	__builtin_memcpy(arp->sender_be, &target_be, 4);
	copy_mac(eth->h_dest, eth->h_source);
	copy_mac(eth->h_source, ingress->mac);
	return BNG_ANSWER_ARP;
}

/* In place; L4 is parsed and the destination is the gateway. */
static __always_inline int answer_echo(struct bng_pkt *pkt)
{
	struct icmp_header *icmp = pkt->l4;
	struct ethhdr *eth = pkt->data;
	struct bng_interface *ingress = interface_get(pkt->session->interface);
	struct iphdr *ip = pkt->ip;
	__be32 source_be = ip->saddr;
	__u16 before = *(__u16 *)&ip->ttl;

	if ((void *)(icmp + 1) > pkt->end || (void *)(eth + 1) > pkt->end)
		return BNG_DROP_SHORT;
	if (icmp->type != ICMP_ECHO_REQUEST || icmp->code || !ingress)
		return BNG_DROP_GATEWAY;
	icmp->type = ICMP_ECHO_REPLY;
	icmp->checksum =
		checksum_apply(icmp->checksum, checksum_difference16(bpf_htons(ICMP_ECHO_REQUEST << 8), 0));
	ip->saddr = ip->daddr;
	ip->daddr = source_be;
	ip->ttl = ANSWER_TTL_HOPS;
	ip->check = checksum_apply(ip->check, checksum_difference16(before, *(__u16 *)&ip->ttl));
	copy_mac(eth->h_dest, eth->h_source);
	copy_mac(eth->h_source, ingress->mac);
	return BNG_ANSWER_ECHO;
}

#endif
