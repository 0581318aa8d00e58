/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The data plane's entry programs: the order of the stages. A stage returns 0 to
 * go on, or the verdict that ends the packet.
 */
#include "answer.h"
#include "cgnat.h"
#include "punt.h"
#include "rewrite.h"
#include "route.h"
#include "session.h"
#include "sweep.h"
#include "verdict.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define IP_BROADCAST 0xffffffffu

/* Loopback, this network, multicast and class E are never forwarded. */
static __always_inline int is_forwardable(__be32 address_be)
{
	__u32 first = bpf_ntohl(address_be) >> 24;

	return first && first != 127 && first < 224;
}

static __always_inline int is_exempt(const struct bng_pkt *pkt, __be32 remote_be)
{
	struct bng_exempt_key key = {.prefix_length = 32, .address_be = remote_be};

	if (pkt->session->flags & BNG_SUBSCRIBER_EXEMPT)
		return 1;
	return pkt->meta->exempt_count && bpf_map_lookup_elem(&exempt, &key);
}

/* From a client that has no address yet, or to everybody: DHCP or nothing. */
static __always_inline int access_unbound(struct bng_pkt *pkt)
{
	int verdict = packet_parse_l4(pkt);

	if (verdict)
		return verdict;
	return is_dhcp4(pkt) ? punt(pkt, BNG_PUNT_DHCP4, BNG_PUNTED_DHCP4) : BNG_DROP_ADDRESS;
}

/* From an address without a session: a client that renews a lease which is gone
 * must hear a DHCPNAK (RFC 2131 section 4.3.2). Everything else: `verdict`. */
static __always_inline int access_stranger(struct bng_pkt *pkt, int verdict)
{
	if (!is_gateway(ingress_interface(pkt->ctx), pkt->ip->daddr) || packet_parse_l4(pkt) ||
	    !is_dhcp4(pkt))
		return verdict;
	return punt(pkt, BNG_PUNT_DHCP4, BNG_PUNTED_DHCP4);
}

/* To an address of this side: the gateway itself, or another subscriber. */
static __always_inline int access_inner(struct bng_pkt *pkt)
{
	int verdict;

	if (!is_gateway(pkt->session->interface, pkt->ip->daddr))
		return BNG_DROP_HAIRPIN;
	verdict = packet_parse_l4(pkt);
	if (verdict)
		return verdict;
	if (is_dhcp4(pkt))
		return punt(pkt, BNG_PUNT_DHCP4, BNG_PUNTED_DHCP4);
	return pkt->protocol == BNG_PROTOCOL_ICMP ? answer_echo(pkt) : BNG_DROP_GATEWAY;
}

static __always_inline int access_destination(struct bng_pkt *pkt, struct bng_ranges *ranges)
{
	__u32 destination = bpf_ntohl(pkt->ip->daddr);

	if (range_inner(ranges, destination))
		return access_inner(pkt);
	if (range_public(ranges, destination))
		return BNG_DROP_HAIRPIN;
	if (!is_forwardable(pkt->ip->daddr))
		return BNG_DROP_ADDRESS;
	return pkt->ip->ttl <= 1 ? answer_ttl(pkt) : 0;
}

static __always_inline void count_up(struct bng_pkt *pkt)
{
	struct bng_subscriber *session = pkt->session;

	__sync_fetch_and_add(&session->up_packets, 1);
	__sync_fetch_and_add(&session->up_bytes, pkt->ip_length);
	if (session->last_up_tick != pkt->tick)
		session->last_up_tick = pkt->tick;
}

/* Translated, if it is to be. FORWARD_UP, FORWARD_UP_EXEMPT or what went wrong. */
static __always_inline int access_translate(struct bng_pkt *pkt)
{
	__be32 public_be = 0;
	__be16 port_be = 0;
	int verdict;

	if (is_exempt(pkt, pkt->ip->daddr))
		return BNG_FORWARD_UP_EXEMPT;
	verdict = packet_parse_l4(pkt);
	if (verdict)
		return verdict;
	verdict = cgnat_up(pkt, &public_be, &port_be);
	if (verdict)
		return verdict;
	rewrite_nat(pkt, 1, public_be, port_be);
	return BNG_FORWARD_UP;
}

/* The kernel resolves the next hop: translated, untagged, addressed to us. */
static __always_inline int access_hand_over(struct bng_pkt *pkt)
{
	struct bng_interface *ingress = interface_get(pkt->session->interface);
	int verdict = ingress ? rewrite_up(pkt, ingress->mac, pkt->session->mac) : BNG_DROP_INTERNAL;

	return verdict ? verdict : BNG_PASS_NEIGHBOUR;
}

static __always_inline int access_forward(struct bng_pkt *pkt)
{
	struct route *route = NULL;
	int routed = route_find(pkt, &route), forward, verdict;

	if (routed && routed != BNG_PASS_NEIGHBOUR)
		return routed;
	forward = access_translate(pkt);
	if (forward != BNG_FORWARD_UP && forward != BNG_FORWARD_UP_EXEMPT)
		return forward;
	count_up(pkt);
	if (routed || !route)
		return access_hand_over(pkt);
	rewrite_ttl(pkt);
	verdict = rewrite_up(pkt, route->destination_mac, route->source_mac);
	if (verdict)
		return verdict;
	pkt->action = bpf_redirect_map(&tx_interface, route->interface, XDP_DROP);
	return pkt->action == XDP_REDIRECT ? forward : BNG_DROP_NO_INTERFACE;
}

static __always_inline int access_ip(struct bng_pkt *pkt)
{
	struct bng_ranges *ranges = ranges_get(pkt->meta);
	int verdict = packet_parse_ip(pkt);

	if (verdict)
		return verdict;
	if (!ranges)
		return BNG_DROP_INTERNAL;
	if (!pkt->ip->saddr || pkt->ip->daddr == IP_BROADCAST)
		return access_unbound(pkt);
	verdict = session_find(pkt, ranges, pkt->ip->saddr);
	if (verdict)
		return access_stranger(pkt, verdict);
	verdict = session_antispoof(pkt);
	if (verdict)
		return verdict;
	verdict = access_destination(pkt, ranges);
	return verdict ? verdict : access_forward(pkt);
}

static __always_inline int access_frame(struct bng_pkt *pkt)
{
	int verdict = packet_parse_ethernet(pkt);

	if (verdict)
		return verdict;
	switch (pkt->ethertype_be) {
	case bpf_htons(ETH_P_IP):
		return access_ip(pkt);
	case bpf_htons(ETH_P_ARP):
		return answer_arp(pkt);
	case bpf_htons(ETH_P_IPV6):
		return BNG_DROP_IPV6;
	case bpf_htons(ETH_P_PPP_DISC):
	case bpf_htons(ETH_P_PPP_SES):
		return BNG_DROP_PPPOE;
	default:
		return BNG_DROP_ETHERTYPE;
	}
}

/* From subscribers. */
SEC("xdp")
int bng_access(struct xdp_md *ctx)
{
	struct bng_pkt pkt;
	int verdict = packet_init(&pkt, ctx);

	return verdict_act(&pkt, verdict ? verdict : access_frame(&pkt));
}

/* Neither a public address nor a session: this host's own, or nobody's. */
static __always_inline int core_other(struct bng_pkt *pkt)
{
	struct bpf_fib_lookup question = {
		.family = AF_INET,
		.ipv4_src = pkt->ip->saddr,
		.ipv4_dst = pkt->ip->daddr,
		.ifindex = pkt->ctx->ingress_ifindex,
	};
	long answer = bpf_fib_lookup(pkt->ctx, &question, sizeof(question), 0);

	if (answer == BPF_FIB_LKUP_RET_NOT_FWDED)
		return BNG_PASS_LOCAL;
	return answer == BPF_FIB_LKUP_RET_FWD_DISABLED ? BNG_DROP_FORWARDING_OFF : BNG_DROP_NOT_SUBSCRIBER;
}

static __always_inline int core_deliver(struct bng_pkt *pkt, int forward)
{
	struct bng_subscriber *session = pkt->session;
	struct bng_interface *egress = interface_get(session->interface);
	int verdict;

	if (!egress)
		return BNG_DROP_INTERNAL;
	if (pkt->ip_length > egress->mtu)
		return BNG_DROP_MTU;
	rewrite_ttl(pkt);
	verdict = rewrite_down(pkt, egress->mac);
	if (verdict)
		return verdict;
	__sync_fetch_and_add(&session->down_packets, 1);
	__sync_fetch_and_add(&session->down_bytes, pkt->ip_length);
	pkt->action = bpf_redirect_map(&tx_interface, session->interface, XDP_DROP);
	return pkt->action == XDP_REDIRECT ? forward : BNG_DROP_NO_INTERFACE;
}

static __always_inline int core_translated(struct bng_pkt *pkt, __u32 address_index)
{
	int verdict = packet_parse_l4(pkt);
	__be16 port_be = 0;

	if (verdict)
		return verdict;
	if (pkt->ip->ttl <= 1)
		return BNG_DROP_TTL;
	verdict = cgnat_down(pkt, address_index, &port_be);
	if (verdict)
		return verdict;
	rewrite_nat(pkt, 0, pkt->session->address_be, port_be);
	return core_deliver(pkt, BNG_FORWARD_DOWN);
}

/* To a subscriber's own address: only from where it goes out untranslated. */
static __always_inline int core_untranslated(struct bng_pkt *pkt)
{
	if (!is_exempt(pkt, pkt->ip->saddr))
		return BNG_DROP_NOT_EXEMPT;
	if (pkt->ip->ttl <= 1)
		return BNG_DROP_TTL;
	return core_deliver(pkt, BNG_FORWARD_DOWN_EXEMPT);
}

static __always_inline int core_ip(struct bng_pkt *pkt)
{
	struct bng_ranges *ranges = ranges_get(pkt->meta);
	struct bng_range *hit;
	__u32 destination;
	int verdict = packet_parse_ip(pkt);

	if (verdict)
		return verdict;
	if (!ranges)
		return BNG_DROP_INTERNAL;
	destination = bpf_ntohl(pkt->ip->daddr);
	hit = range_public(ranges, destination);
	if (hit)
		return core_translated(pkt, hit->base + (destination - hit->first));
	if (!session_find(pkt, ranges, pkt->ip->daddr))
		return core_untranslated(pkt);
	return core_other(pkt);
}

/* From the internet. What is not IPv4, or is tagged, belongs to the host. */
SEC("xdp")
int bng_core(struct xdp_md *ctx)
{
	struct bng_pkt pkt;
	int verdict = packet_init(&pkt, ctx);

	if (!verdict)
		verdict = packet_parse_ethernet(&pkt);
	if (!verdict)
		verdict =
			pkt.tags || pkt.ethertype_be != bpf_htons(ETH_P_IP) ? BNG_PASS_LOCAL : core_ip(&pkt);
	return verdict_act(&pkt, verdict);
}

/* From controld, on the near end of the punt veth. */
SEC("xdp")
int bng_inject(struct xdp_md *ctx)
{
	struct bng_pkt pkt;
	int verdict = packet_init(&pkt, ctx);

	return verdict_act(&pkt, verdict ? verdict : inject(&pkt));
}

/* Once a second, by the holder. */
SEC("syscall")
int bng_sweep(void *ctx __attribute__((unused)))
{
	struct bng_meta *facts = meta_get();

	if (facts)
		sweep_run(facts);
	return 0;
}
