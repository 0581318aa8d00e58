/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the gateway answers by itself, so that subscribers see it alive with
 * every process dead: ARP for its addresses, ICMP echo to them, and ICMP time
 * exceeded (RFC 792) for a subscriber's packet whose TTL ran out.
 */
#ifndef BNG_DATAPLANE_ANSWER_H
#define BNG_DATAPLANE_ANSWER_H

#include "rewrite.h"

#define ARP_REQUEST          1
#define ARP_REPLY            2
#define ANSWER_TTL_HOPS      64
#define ICMP_TIME_EXCEEDED   11
#define ICMP_ERROR_RATE      100 /* a second, unless bng_meta says otherwise */
#define ICMP_ERROR_QUOTED    28  /* the IP header and 8 bytes */
#define ICMP_ERROR_PREPENDED 28  /* new IP and ICMP headers */

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

static __always_inline int icmp_error_allowed(struct bng_pkt *pkt)
{
	__u32 rate = pkt->meta->icmp_error_rate ? pkt->meta->icmp_error_rate : ICMP_ERROR_RATE;

	return rate_allow(&pkt->meta->icmp_error_due_ns, pkt->now_ns, 1000000000ULL / rate, 1000000000ULL);
}

/* Fills the new IP and ICMP headers in front of the quoted packet. */
static __always_inline int icmp_error_build(struct bng_pkt *pkt, __be32 source_be, __be32 destination_be)
{
	struct iphdr *ip = pkt->l3;
	struct icmp_header *icmp = (void *)(ip + 1);

	if ((void *)(icmp + 1) + ICMP_ERROR_QUOTED > pkt->end)
		return BNG_DROP_INTERNAL;
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.ttl = ANSWER_TTL_HOPS,
		.protocol = IPPROTO_ICMP,
		.tot_len = bpf_htons(ICMP_ERROR_PREPENDED + ICMP_ERROR_QUOTED),
		.saddr = source_be,
		.daddr = destination_be,
	};
	ip->check = ~checksum_fold(bpf_csum_diff(NULL, 0, (void *)ip, sizeof(*ip), 0));
	*icmp = (struct icmp_header){.type = ICMP_TIME_EXCEEDED};
	icmp->checksum =
		~checksum_fold(bpf_csum_diff(NULL, 0, (void *)icmp, sizeof(*icmp) + ICMP_ERROR_QUOTED, 0));
	return BNG_ANSWER_TTL;
}

/* RFC 1122 section 3.2.2: no error about an error or a later fragment. */
static __always_inline int icmp_error_due(struct bng_pkt *pkt)
{
	__u8 *type = pkt->l4;

	if (pkt->ip->frag_off & bpf_htons(IP_OFFSET_MASK))
		return 0;
	if (pkt->ip->protocol != IPPROTO_ICMP)
		return 1;
	if ((void *)(type + 1) > pkt->end)
		return 0;
	return *type == ICMP_ECHO_REQUEST || *type == ICMP_ECHO_REPLY;
}

/* The subscriber's packet becomes the error about itself. */
static __always_inline int answer_ttl(struct bng_pkt *pkt)
{
	struct bng_interface *ingress = interface_get(pkt->session->interface);
	__be32 client_be = pkt->ip->saddr;
	int tags = encapsulation_tags(pkt->session), verdict, surplus;

	if (pkt->ip->ihl != 5 || pkt->ip_length < ICMP_ERROR_QUOTED || !ingress || !ingress->address_be ||
	    !icmp_error_due(pkt) || !icmp_error_allowed(pkt))
		return BNG_DROP_TTL;
	/* Padding and payload beyond what is quoted go. */
	surplus = pkt->length - sizeof(struct ethhdr) - pkt->tags * (int)sizeof(struct vlan_tag) -
		  ICMP_ERROR_QUOTED;
	if (surplus > 0 && bpf_xdp_adjust_tail(pkt->ctx, -surplus))
		return BNG_DROP_INTERNAL;
	if (bpf_xdp_adjust_head(pkt->ctx,
				-ICMP_ERROR_PREPENDED - (tags - pkt->tags) * (int)sizeof(struct vlan_tag)))
		return BNG_DROP_INTERNAL;
	pkt->data = (void *)(long)pkt->ctx->data;
	pkt->end = (void *)(long)pkt->ctx->data_end;
	verdict = rewrite_encapsulation(pkt, ingress->mac, tags);
	return verdict ? verdict : icmp_error_build(pkt, ingress->address_be, client_be);
}

#endif
