/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The packet as the stages see it, and the parser that fills it once.
 *
 * Pointers are into the packet and die with any bpf_xdp_adjust_head. Fields
 * ending in _be are network byte order, the others host byte order.
 */
#ifndef BNG_DATAPLANE_PACKET_H
#define BNG_DATAPLANE_PACKET_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "clock.h"
#include "ip_option.h"
#include "outcome.h"

#define VLAN_TAGS_MAX     2
#define VLAN_VID_MASK     0x0fff
#define IP_FRAGMENT_MASK  0x3fff /* more fragments, offset */
#define IP_OFFSET_MASK    0x1fff
#define IP_DONT_FRAGMENT  0x4000
#define IP_MORE_FRAGMENTS 0x2000
#define PPPOE_SESSION     0x1100
#define PPPOE_HEADER      6 /* bytes, without the PPP protocol */
#define PPP_IP            0x0021
#define ICMP_ECHO_REPLY   0
#define ICMP_ECHO_REQUEST 8
#define TCP_FIN           0x01
#define TCP_SYN           0x02
#define TCP_RST           0x04
#define TCP_ACK           0x10

struct vlan_tag {
	__be16 tci_be;
	__be16 next_be; /* ethertype of what follows */
};

/* Behind it is IP, or what `protocol_be` says. A discovery packet has tags there. */
struct pppoe_header {
	__be16 kind_be; /* version and type (PPPOE_SESSION), then the code */
	__be16 session_be;
	__be16 length_be; /* of what follows here */
	__be16 protocol_be;
};

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 id_be;
	__be16 sequence_be;
};

struct arp_packet {
	__be16 hardware_be;
	__be16 protocol_be;
	__u8 hardware_length;
	__u8 protocol_length;
	__be16 operation_be;
	__u8 sender_mac[6];
	__u8 sender_be[4];
	__u8 target_mac[6];
	__u8 target_be[4];
};

struct bng_pkt {
	struct xdp_md *ctx;
	void *data;
	void *end;
	__u32 tick;

	__u16 ethertype_be; /* behind the tags */
	__u8 encapsulation; /* bytes between the Ethernet header and IP: tags, PPPoE */
	__u8 tag_flags;     /* BNG_SUBSCRIBER_OUTER_AD, BNG_SUBSCRIBER_INNER_AD */
	__u32 vids;         /* outer_vid | inner_vid << 16, as in struct bng_subscriber */
	__u16 pppoe;        /* session id; 0: no PPPoE */
	void *l3;

	struct iphdr *ip;
	void *l4;
	__u16 ip_length;
	__u8 protocol; /* enum bng_protocol, once L4 is parsed */
	__u8 tcp_flags;
	__be16 source_port_be; /* ICMP: the identifier, both */
	__be16 destination_port_be;
	__u8 is_admitted; /* by the sender's filter, and charged against its rate */

	__u32 slot;
	struct bng_subscriber *session; /* NULL: none found yet */
};

static __always_inline __u32 bytes_between(const void *from, const void *to)
{
	__u64 length = to - from;

	asm volatile("" : "+r"(length)); /* now: a pointer kept for later would be cut to 32 bits */
	return length;
}

static __always_inline __u32 frame_length(const struct xdp_md *ctx)
{
	return bytes_between((void *)(long)ctx->data, (void *)(long)ctx->data_end);
}

static __always_inline int packet_init(struct bng_pkt *pkt, struct xdp_md *ctx)
{
	struct bng_meta *facts = meta_get();

	*pkt = (struct bng_pkt){
		.ctx = ctx,
		.data = (void *)(long)ctx->data,
		.end = (void *)(long)ctx->data_end,
	};
	if (!facts)
		return BNG_DROP_INTERNAL;
	pkt->tick = clock_tick(clock_now(facts));
	return 0;
}

static __always_inline int is_vlan(__be16 ethertype_be)
{
	return ethertype_be == bpf_htons(ETH_P_8021Q) || ethertype_be == bpf_htons(ETH_P_8021AD);
}

/* Takes one tag off the front; `ad_flag` is set when it is 802.1ad. */
static __always_inline int packet_parse_tag(struct bng_pkt *pkt, unsigned position, __u8 ad_flag)
{
	struct vlan_tag *tag = pkt->l3;

	if ((void *)(tag + 1) > pkt->end)
		return BNG_DROP_SHORT;
	if (pkt->ethertype_be == bpf_htons(ETH_P_8021AD))
		pkt->tag_flags |= ad_flag;
	pkt->vids |= (__u32)(bpf_ntohs(tag->tci_be) & VLAN_VID_MASK) << (16 * position);
	pkt->ethertype_be = tag->next_be;
	pkt->l3 = tag + 1;
	pkt->encapsulation += sizeof(*tag);
	return 0;
}

static __always_inline int packet_parse_ethernet(struct bng_pkt *pkt)
{
	struct ethhdr *eth = pkt->data;
	int verdict;

	if ((void *)(eth + 1) > pkt->end)
		return BNG_DROP_SHORT;
	pkt->ethertype_be = eth->h_proto;
	pkt->l3 = eth + 1;
	if (!is_vlan(pkt->ethertype_be))
		return 0;
	verdict = packet_parse_tag(pkt, 0, BNG_SUBSCRIBER_OUTER_AD);
	if (verdict || !is_vlan(pkt->ethertype_be))
		return verdict;
	verdict = packet_parse_tag(pkt, 1, BNG_SUBSCRIBER_INNER_AD);
	if (verdict)
		return verdict;
	return is_vlan(pkt->ethertype_be) ? BNG_DROP_VLAN : 0;
}

/* What is encapsulated must lie in the frame. */
static __always_inline int packet_parse_pppoe(struct bng_pkt *pkt)
{
	struct pppoe_header *header = pkt->l3;
	__u16 length;

	if ((void *)(header + 1) > pkt->end)
		return BNG_DROP_SHORT;
	length = bpf_ntohs(header->length_be);
	if (header->kind_be != bpf_htons(PPPOE_SESSION) || !header->session_be ||
	    length < sizeof(header->protocol_be))
		return BNG_DROP_PPPOE_HEADER;
	if (pkt->end - pkt->l3 - PPPOE_HEADER < length)
		return BNG_DROP_SHORT;
	pkt->pppoe = bpf_ntohs(header->session_be);
	pkt->encapsulation += sizeof(*header);
	pkt->l3 = header + 1;
	return 0;
}

static __always_inline int packet_parse_ip(struct bng_pkt *pkt)
{
	struct iphdr *ip = pkt->l3;
	__u32 header;

	if ((void *)(ip + 1) > pkt->end)
		return BNG_DROP_SHORT;
	header = ip->ihl * 4;
	pkt->ip_length = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || pkt->ip_length < header)
		return BNG_DROP_IP_HEADER;
	/* Not by adding to a pointer: before Linux 6.3 the verifier knows no bound of a
	 * number whose bytes were swapped. */
	if (pkt->end - pkt->l3 < pkt->ip_length)
		return BNG_DROP_SHORT;
	pkt->ip = ip;
	pkt->l4 = pkt->l3 + header;
	return 0;
}

static __always_inline int packet_parse_tcp(struct bng_pkt *pkt)
{
	struct tcphdr *tcp = pkt->l4;

	if ((void *)(tcp + 1) > pkt->end)
		return BNG_DROP_SHORT;
	pkt->protocol = BNG_PROTOCOL_TCP;
	pkt->source_port_be = tcp->source;
	pkt->destination_port_be = tcp->dest;
	pkt->tcp_flags = ((__u8 *)tcp)[13];
	return 0;
}

static __always_inline int packet_parse_udp(struct bng_pkt *pkt)
{
	struct udphdr *udp = pkt->l4;

	if ((void *)(udp + 1) > pkt->end)
		return BNG_DROP_SHORT;
	pkt->protocol = BNG_PROTOCOL_UDP;
	pkt->source_port_be = udp->source;
	pkt->destination_port_be = udp->dest;
	return 0;
}

static __always_inline int packet_parse_icmp(struct bng_pkt *pkt)
{
	struct icmp_header *icmp = pkt->l4;

	if ((void *)(icmp + 1) > pkt->end)
		return BNG_DROP_SHORT;
	if (icmp->type != ICMP_ECHO_REQUEST && icmp->type != ICMP_ECHO_REPLY)
		return BNG_DROP_ICMP_TYPE;
	pkt->protocol = BNG_PROTOCOL_ICMP;
	pkt->source_port_be = icmp->id_be;
	pkt->destination_port_be = icmp->id_be;
	return 0;
}

/* Loopback, this network, multicast and class E are never a host's. */
static __always_inline int is_unicast(__be32 address_be)
{
	__u32 first = bpf_ntohl(address_be) >> 24;

	return first && first != 127 && first < 224;
}

/* IP, in PPPoE or not. */
static __always_inline int packet_parse_network(struct bng_pkt *pkt)
{
	int verdict = pkt->ethertype_be == bpf_htons(ETH_P_PPP_SES) ? packet_parse_pppoe(pkt) : 0;

	return verdict ? verdict : packet_parse_ip(pkt);
}

/* For a function that gets the context only: fills the packet up to IP, which has
 * been seen to be well formed before. */
static __always_inline int packet_again(struct bng_pkt *pkt, struct xdp_md *ctx)
{
	int verdict = packet_init(pkt, ctx);

	if (!verdict)
		verdict = packet_parse_ethernet(pkt);
	return verdict ? verdict : packet_parse_network(pkt);
}

/* An ICMP message with a source route, which is not to leave for the internet (RFC 5508
 * section 7.3). */
static __always_inline int is_source_routed(const struct bng_pkt *pkt)
{
	__u32 first = (void *)(pkt->ip + 1) - pkt->data;

	return pkt->ip->protocol == IPPROTO_ICMP && pkt->ip->ihl > sizeof(*pkt->ip) / 4 &&
	       ip_option_routes(pkt->ctx, first, pkt->l4 - pkt->data);
}

/* The L4 header must lie inside the IP packet, not only inside the frame. `is_leaving`
 * is known when this is compiled. */
static __always_inline int packet_parse_protocol(struct bng_pkt *pkt, int is_leaving)
{
	__u16 payload = pkt->ip_length - pkt->ip->ihl * 4;

	switch (pkt->ip->protocol) {
	case IPPROTO_TCP:
		return payload < sizeof(struct tcphdr) ? BNG_DROP_SHORT : packet_parse_tcp(pkt);
	case IPPROTO_UDP:
		return payload < sizeof(struct udphdr) ? BNG_DROP_SHORT : packet_parse_udp(pkt);
	case IPPROTO_ICMP:
		if (is_leaving && is_source_routed(pkt))
			return BNG_DROP_ICMP_SOURCE_ROUTE;
		return payload < sizeof(struct icmp_header) ? BNG_DROP_SHORT : packet_parse_icmp(pkt);
	default:
		return BNG_DROP_PROTOCOL;
	}
}

static __always_inline int packet_parse_ports(struct bng_pkt *pkt)
{
	return packet_parse_protocol(pkt, 0);
}

/* Of a later fragment, too. */
static __always_inline int has_ports(const struct bng_pkt *pkt)
{
	return pkt->ip->protocol == IPPROTO_TCP || pkt->ip->protocol == IPPROTO_UDP;
}

static __always_inline int is_fragment(const struct bng_pkt *pkt)
{
	return (pkt->ip->frag_off & bpf_htons(IP_FRAGMENT_MASK)) != 0;
}

/* Opens a connection, and nothing else. */
static __always_inline int is_syn(const struct bng_pkt *pkt)
{
	return (pkt->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN;
}

/* Of a whole packet. */
static __always_inline int packet_parse_l4(struct bng_pkt *pkt)
{
	return is_fragment(pkt) ? BNG_DROP_FRAGMENT : packet_parse_ports(pkt);
}

/* The same of one that is to leave for the internet. */
static __always_inline int packet_parse_leaving(struct bng_pkt *pkt)
{
	return is_fragment(pkt) ? BNG_DROP_FRAGMENT : packet_parse_protocol(pkt, 1);
}

#endif
