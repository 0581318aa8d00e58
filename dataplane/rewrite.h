/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What changes in a forwarded packet: addresses, ports, TTL, checksums, then the
 * Ethernet header, its tags and PPPoE.
 */
#ifndef BNG_DATAPLANE_REWRITE_H
#define BNG_DATAPLANE_REWRITE_H

#include "checksum.h"
#include "packet.h"

static __always_inline void rewrite_tcp(struct bng_pkt *pkt, __u32 difference, int source, __be16 port_be)
{
	struct tcphdr *tcp = pkt->l4;

	if ((void *)(tcp + 1) > pkt->end)
		return;
	if (source)
		tcp->source = port_be;
	else
		tcp->dest = port_be;
	tcp->check = checksum_apply(tcp->check, difference);
}

static __always_inline void rewrite_udp(struct bng_pkt *pkt, __u32 difference, int source, __be16 port_be)
{
	struct udphdr *udp = pkt->l4;
	__u16 checksum;

	if ((void *)(udp + 1) > pkt->end)
		return;
	if (source)
		udp->source = port_be;
	else
		udp->dest = port_be;
	if (!udp->check) /* none was sent, none is added */
		return;
	checksum = checksum_apply(udp->check, difference);
	udp->check = checksum ? checksum : 0xffff;
}

static __always_inline void rewrite_icmp(struct bng_pkt *pkt, __u32 difference, __be16 id_be)
{
	struct icmp_header *icmp = pkt->l4;

	if ((void *)(icmp + 1) > pkt->end)
		return;
	icmp->id_be = id_be;
	icmp->checksum = checksum_apply(icmp->checksum, difference);
}

/* The address alone: a later fragment has no ports. */
static __always_inline void rewrite_address(struct iphdr *ip, __be32 *address, __be32 address_be)
{
	ip->check = checksum_apply(ip->check, checksum_difference32(*address, address_be));
	*address = address_be;
}

/* New source (or destination) address and port. */
static __always_inline void rewrite_nat(struct bng_pkt *pkt, int source, __be32 address_be, __be16 port_be)
{
	__be32 *address = source ? &pkt->ip->saddr : &pkt->ip->daddr;
	__be16 before_be = source ? pkt->source_port_be : pkt->destination_port_be;
	__u32 ip_difference = checksum_difference32(*address, address_be);
	__u32 port_difference = checksum_difference16(before_be, port_be);

	rewrite_address(pkt->ip, address, address_be);
	if (pkt->protocol == BNG_PROTOCOL_TCP)
		rewrite_tcp(pkt, ip_difference + port_difference, source, port_be);
	else if (pkt->protocol == BNG_PROTOCOL_UDP)
		rewrite_udp(pkt, ip_difference + port_difference, source, port_be);
	else
		rewrite_icmp(pkt, port_difference, port_be);
}

/* The caller has checked that it is above 1. */
static __always_inline void rewrite_ttl(struct bng_pkt *pkt)
{
	__u32 check = pkt->ip->check + bpf_htons(0x0100);

	pkt->ip->ttl--;
	pkt->ip->check = check + (check >= 0xffff);
}

/* Room for exactly this encapsulation; after this the packet's pointers are new. */
static __always_inline int rewrite_resize(struct bng_pkt *pkt, int encapsulation)
{
	int grow = encapsulation - pkt->encapsulation;

	if (grow && bpf_xdp_adjust_head(pkt->ctx, -grow))
		return BNG_DROP_INTERNAL;
	pkt->data = (void *)(long)pkt->ctx->data;
	pkt->end = (void *)(long)pkt->ctx->data_end;
	return 0;
}

static __always_inline void copy_mac(void *to, const void *from)
{
	__builtin_memcpy(to, from, ETH_ALEN);
}

/* Untagged Ethernet, towards the core. */
static __always_inline int rewrite_up(struct bng_pkt *pkt, const void *destination_mac,
				      const void *source_mac)
{
	struct ethhdr *eth;
	int verdict = rewrite_resize(pkt, 0);

	if (verdict)
		return verdict;
	eth = pkt->data;
	if ((void *)(eth + 1) > pkt->end)
		return BNG_DROP_INTERNAL;
	copy_mac(eth->h_dest, destination_mac);
	copy_mac(eth->h_source, source_mac);
	eth->h_proto = bpf_htons(ETH_P_IP);
	return 0;
}

static __always_inline __be16 tag_type(const struct bng_subscriber *session, __u8 ad_flag)
{
	return session->flags & ad_flag ? bpf_htons(ETH_P_8021AD) : bpf_htons(ETH_P_8021Q);
}

/* What the session has between the Ethernet header and IP, in bytes. */
static __always_inline int encapsulation_of(const struct bng_subscriber *session)
{
	int tags = session->inner_vid ? 2 : session->outer_vid ? 1 : 0;
	int bytes = tags * (int)sizeof(struct vlan_tag);

	return session->pppoe_session ? bytes + (int)sizeof(struct pppoe_header) : bytes;
}

/* Writes the session's Ethernet header and tags at the front, where there is room for
 * them, and says where they end. */
static __always_inline int rewrite_tags(struct bng_pkt *pkt, const void *source_mac, __be16 inside_be)
{
	struct bng_subscriber *session = pkt->session;
	struct ethhdr *eth = pkt->data;
	struct vlan_tag *tag = (struct vlan_tag *)(eth + 1);

	if ((void *)(tag + VLAN_TAGS_MAX) > pkt->end)
		return BNG_DROP_INTERNAL;
	copy_mac(eth->h_dest, session->mac);
	copy_mac(eth->h_source, source_mac);
	eth->h_proto = inside_be;
	pkt->l3 = tag;
	if (!session->outer_vid)
		return 0;
	eth->h_proto = tag_type(session, BNG_SUBSCRIBER_OUTER_AD);
	tag[0].tci_be = bpf_htons(session->outer_vid);
	tag[0].next_be = inside_be;
	pkt->l3 = tag + 1;
	if (!session->inner_vid)
		return 0;
	tag[0].next_be = tag_type(session, BNG_SUBSCRIBER_INNER_AD);
	tag[1].tci_be = bpf_htons(session->inner_vid);
	tag[1].next_be = inside_be;
	pkt->l3 = tag + 2;
	return 0;
}

static __always_inline int rewrite_pppoe(struct bng_pkt *pkt, __u16 ip_length)
{
	struct pppoe_header *header = pkt->l3;

	if ((void *)(header + 1) > pkt->end)
		return BNG_DROP_INTERNAL;
	header->kind_be = bpf_htons(PPPOE_SESSION);
	header->session_be = bpf_htons(pkt->session->pppoe_session);
	header->length_be = bpf_htons(ip_length + sizeof(header->protocol_be));
	header->protocol_be = bpf_htons(PPP_IP);
	pkt->l3 = header + 1;
	return 0;
}

/* All that the session has in front of `ip_length` bytes of IP, where there is room for
 * it; L3 begins behind it. PUNT_LARGE: it is there, and too large for a PPPoE session. */
static __always_inline int rewrite_encapsulation(struct bng_pkt *pkt, const struct bng_interface *egress,
						 __u16 ip_length)
{
	int verdict;

	if (!pkt->session->pppoe_session)
		return rewrite_tags(pkt, egress->mac, bpf_htons(ETH_P_IP));
	verdict = rewrite_tags(pkt, egress->mac, bpf_htons(ETH_P_PPP_SES));
	if (!verdict)
		verdict = rewrite_pppoe(pkt, ip_length);
	if (!verdict && ip_length > bng_subscriber_mtu(pkt->session, egress->mtu))
		verdict = BNG_PUNT_LARGE;
	return verdict;
}

/* The session's encapsulation, towards the subscriber. */
static __always_inline int rewrite_down(struct bng_pkt *pkt, const struct bng_interface *egress)
{
	int verdict = rewrite_resize(pkt, encapsulation_of(pkt->session));

	return verdict ? verdict : rewrite_encapsulation(pkt, egress, pkt->ip_length);
}

#endif
