/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE from subscribers: IPv4 data goes on as any packet does; the rest is a step off
 * the fast path. LCP echoes of an open session end here (RFC 1661 section 5.8), so that
 * its subscriber sees the gateway alive with every process dead. Discovery and PPP
 * control go to controld, as much of it as one sender may send.
 */
#ifndef BNG_DATAPLANE_PPPOE_H
#define BNG_DATAPLANE_PPPOE_H

#include "punt.h"
#include "session.h"

#define PPPOE_PADI       0x1109 /* kind_be */
#define PPPOE_PADR       0x1119
#define PPPOE_PADT       0x11a7
#define PPP_LCP          0xc021
#define LCP_ECHO_REQUEST 9
#define LCP_ECHO_REPLY   10

struct lcp_echo {
	__u8 code;
	__u8 id;
	__be16 length_be; /* of the whole LCP packet */
	__be32 magic_be;
};

/* Bytes behind the PPPoE packet at L3, whose header has been seen to be well formed. */
static __always_inline int pppoe_padding(const struct bng_pkt *pkt, const struct pppoe_header *header)
{
	return (int)bytes_between(header, pkt->end) - PPPOE_HEADER - bpf_ntohs(header->length_be);
}

/* The session's IPv4 data: 0, IP begins at L3 and nothing is behind it; or an outcome. */
static __always_inline int pppoe_data(struct bng_pkt *pkt)
{
	struct pppoe_header *header = pkt->l3;
	int verdict = packet_parse_pppoe(pkt);

	if (verdict)
		return verdict;
	if (header->protocol_be != bpf_htons(PPP_IP))
		return outcome_step(BNG_DROP_INTERNAL, STEP_PPPOE, 0);
	return pppoe_padding(pkt, header) ? outcome_step(BNG_DROP_INTERNAL, STEP_PPPOE_TRIM, 0) : 0;
}

/* STEP_PPPOE_TRIM: Ethernet's padding is not the subscriber's data. 0 or a verdict. */
__noinline int pppoe_trim(struct xdp_md *ctx)
{
	struct bng_pkt pkt;
	struct pppoe_header *header;
	int verdict = packet_init(&pkt, ctx);

	if (!verdict)
		verdict = packet_parse_ethernet(&pkt);
	header = pkt.l3;
	if (!verdict)
		verdict = packet_parse_pppoe(&pkt);
	if (verdict)
		return verdict;
	return bpf_xdp_adjust_tail(ctx, -pppoe_padding(&pkt, header)) ? BNG_DROP_INTERNAL : 0;
}

static const struct bng_pppoe_limit pppoe_default[BNG_PPPOE_LIMITS] = {
	[BNG_PPPOE_LIMIT_MAC] = {.rate = 10, .burst = 20},
	[BNG_PPPOE_LIMIT_VLAN] = {.rate = 3000, .burst = 1500},
	[BNG_PPPOE_LIMIT_SESSION] = {.rate = 50, .burst = 100},
};

/* Whether a sender, named by two words, may send one more. */
static __always_inline int pppoe_allowed(enum bng_pppoe_limited limited, __u32 low, __u32 high, __u64 now_ns)
{
	__u32 index = limited, bucket;
	struct bng_pppoe_limit *limit = bpf_map_lookup_elem(&pppoe_limit, &index);
	__u64 *due, interval;

	if (!limit)
		return 0;
	bucket = (low ^ limit->seed) * 0x9e3779b1 ^ (high + limit->seed) * 0x85ebca6b;
	bucket ^= bucket >> 15;
	bucket = (bucket * 0xc2b2ae35) >> 16;
	bucket = limited * BNG_PPPOE_BUCKETS + bucket % BNG_PPPOE_BUCKETS;
	due = bpf_map_lookup_elem(&pppoe_bucket, &bucket);
	if (!due)
		return 0;
	interval = 1000000000ULL / (limit->rate ? limit->rate : pppoe_default[limited].rate);
	return rate_allow(due, now_ns, interval,
			  interval * (limit->burst ? limit->burst : pppoe_default[limited].burst));
}

static __always_inline int pppoe_allowed_mac(const struct bng_pkt *pkt, enum bng_pppoe_limited limited,
					     __u64 now_ns)
{
	__u16 *mac = pkt->data + ETH_ALEN;

	return pppoe_allowed(limited, mac[0] | (__u32)mac[1] << 16, mac[2], now_ns);
}

/* For us, from one station. Only who looks for a server asks everybody. */
static __always_inline int pppoe_stations(const struct bng_pkt *pkt, const struct bng_interface *ingress,
					  int is_padi)
{
	__u16 *destination = pkt->data;

	if (*(__u8 *)(pkt->data + ETH_ALEN) & 1)
		return BNG_DROP_PPPOE_HEADER;
	if (is_padi && (destination[0] & destination[1] & destination[2]) == 0xffff)
		return 0;
	return mac_differs(ingress->mac, destination) ? BNG_DROP_OTHER_STATION : 0;
}

/* One sender's flood ends at its own limit before it takes what its VLAN may send. */
static __always_inline int pppoe_discovery(struct bng_pkt *pkt, const struct bng_interface *ingress,
					   __u32 index, __u64 now_ns)
{
	struct pppoe_header *header = pkt->l3;
	int verdict;

	if ((void *)header + PPPOE_HEADER > pkt->end)
		return BNG_DROP_SHORT;
	switch (header->kind_be) {
	case bpf_htons(PPPOE_PADI):
	case bpf_htons(PPPOE_PADR):
	case bpf_htons(PPPOE_PADT):
		break;
	default:
		return BNG_DROP_PPPOE_HEADER;
	}
	if (pppoe_padding(pkt, header) < 0)
		return BNG_DROP_SHORT;
	verdict = pppoe_stations(pkt, ingress, header->kind_be == bpf_htons(PPPOE_PADI));
	if (verdict)
		return verdict;
	if (!pppoe_allowed_mac(pkt, BNG_PPPOE_LIMIT_MAC, now_ns))
		return BNG_DROP_PPPOE_FLOOD_MAC;
	if (!pppoe_allowed(BNG_PPPOE_LIMIT_VLAN, pkt->vids, index, now_ns))
		return BNG_DROP_PPPOE_FLOOD_VLAN;
	return punt(pkt, BNG_PUNT_REASON_PPPOE_DISCOVERY, BNG_PUNT_PPPOE_DISCOVERY);
}

/* The open session that a PPP packet is of; NULL: none. */
static __always_inline struct bng_subscriber *pppoe_find(struct bng_pkt *pkt, __u32 index)
{
	struct bng_pppoe_key key = {
		.interface = index,
		.session = pkt->pppoe,
		.outer_vid = pkt->vids,
		.inner_vid = pkt->vids >> 16,
	};
	struct bng_subscriber *session;
	__u32 *slot;

	__builtin_memcpy(key.mac, pkt->data + ETH_ALEN, ETH_ALEN);
	slot = bpf_map_lookup_elem(&pppoe_session, &key);
	session = slot ? subscriber_get(*slot) : NULL;
	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE || session->pppoe_session != pkt->pppoe)
		return NULL;
	pkt->slot = *slot;
	pkt->session = session;
	return session;
}

/* An LCP echo of the packet's session: the verdict; 0: it is something else, or has our
 * own magic number, which is for controld to judge. */
static __always_inline int pppoe_echo(struct bng_pkt *pkt, const struct bng_interface *ingress)
{
	struct pppoe_header *header = pkt->l3 - sizeof(*header);
	__be32 magic_be = bpf_htonl(pkt->session->ppp_magic);
	struct lcp_echo *lcp = pkt->l3;
	struct ethhdr *eth = pkt->data;

	if (header->protocol_be != bpf_htons(PPP_LCP) || (void *)(lcp + 1) > pkt->end ||
	    bpf_ntohs(lcp->length_be) < sizeof(*lcp) ||
	    bpf_ntohs(lcp->length_be) + sizeof(header->protocol_be) > bpf_ntohs(header->length_be))
		return 0;
	if ((lcp->code != LCP_ECHO_REQUEST && lcp->code != LCP_ECHO_REPLY) ||
	    (magic_be && lcp->magic_be == magic_be))
		return 0;
	if (pkt->session->ppp_alive != bng_ppp_alive(pkt->tick))
		pkt->session->ppp_alive = bng_ppp_alive(pkt->tick);
	if (lcp->code == LCP_ECHO_REPLY)
		return BNG_ANSWER_PPP_ALIVE;
	lcp->code = LCP_ECHO_REPLY;
	lcp->magic_be = magic_be;
	copy_mac(eth->h_dest, eth->h_source);
	copy_mac(eth->h_source, ingress->mac);
	return BNG_ANSWER_PPP_ECHO;
}

/* PPP that is not data. What comes of a session is limited by session. */
static __always_inline int pppoe_control(struct bng_pkt *pkt, const struct bng_interface *ingress,
					 __u32 index, __u64 now_ns)
{
	const __u64 interval = 1000000000ULL / PUNT_SUBSCRIBER_RATE;
	struct bng_subscriber *session;
	int verdict = packet_parse_pppoe(pkt);

	if (!verdict)
		verdict = pppoe_stations(pkt, ingress, 0);
	if (verdict)
		return verdict;
	session = pppoe_find(pkt, index);
	if (session) {
		verdict = session_antispoof(pkt);
		if (!verdict)
			verdict = pppoe_echo(pkt, ingress);
		if (verdict)
			return verdict;
		if (!rate_allow(&session->punt_due_ns, now_ns, interval, interval * PUNT_SUBSCRIBER_BURST))
			return BNG_DROP_PUNT_SUBSCRIBER;
	} else if (!pppoe_allowed_mac(pkt, BNG_PPPOE_LIMIT_SESSION, now_ns)) {
		return BNG_DROP_PUNT_SUBSCRIBER;
	}
	return punt(pkt, BNG_PUNT_REASON_PPPOE_SESSION, BNG_PUNT_PPPOE_SESSION);
}

/* STEP_PPPOE. The verdict. */
__noinline int access_pppoe(struct xdp_md *ctx)
{
	__u32 index = ingress_interface(ctx);
	struct bng_interface *ingress = interface_get(index);
	struct bng_meta *facts = meta_get();
	struct bng_pkt pkt;
	int verdict = packet_init(&pkt, ctx);

	if (!verdict)
		verdict = packet_parse_ethernet(&pkt);
	if (verdict)
		return verdict;
	if (!index || !ingress || !facts)
		return BNG_DROP_NO_INTERFACE;
	if (!(ingress->flags & BNG_INTERFACE_PPPOE))
		return BNG_DROP_PPPOE;
	return pkt.ethertype_be == bpf_htons(ETH_P_PPP_DISC)
		       ? pppoe_discovery(&pkt, ingress, index, clock_now(facts))
		       : pppoe_control(&pkt, ingress, index, clock_now(facts));
}

#endif
