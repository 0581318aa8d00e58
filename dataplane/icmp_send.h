/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * ICMP errors of the gateway's own (RFC 792, RFC 1812 section 4.3): the packet
 * that cannot go on becomes the error about itself and leaves where it came in.
 * It is quoted as it was received, so this comes before any translation.
 */
#ifndef BNG_DATAPLANE_ICMP_SEND_H
#define BNG_DATAPLANE_ICMP_SEND_H

#include "rewrite.h"

#define ICMP_UNREACHABLE     3
#define ICMP_TIME_EXCEEDED   11
#define ICMP_CODE_HOST       1
#define ICMP_CODE_PORT       3
#define ICMP_CODE_TOO_BIG    4
#define ICMP_CODE_PROHIBITED 13
#define ICMP_ERROR_TTL       64
#define ICMP_ERROR_RATE      100  /* a second, unless bng_meta says otherwise */
#define ICMP_ERROR_QUOTED    28   /* the IP header and 8 bytes */
#define ICMP_ERROR_PREPENDED 28   /* new IP and ICMP headers */
#define IP_TRAFFIC_CLASS     0xfc /* of tos; the rest is ECN */

struct icmp_error {
	__u8 type;
	__u8 code;
	__u16 mtu; /* of the next link, for ICMP_CODE_TOO_BIG */
	__be32 source_be;
};

/* Each side has its own limit, so that the internet cannot use up the subscribers'. */
static __always_inline int icmp_error_allowed(int to_core)
{
	struct bng_meta *facts = meta_get();
	__u32 rate;

	if (!facts)
		return 0;
	rate = facts->icmp_error_rate ? facts->icmp_error_rate : ICMP_ERROR_RATE;
	return rate_allow(to_core ? &facts->icmp_error_core_due_ns : &facts->icmp_error_due_ns,
			  clock_now(facts), 1000000000ULL / rate, 1000000000ULL);
}

/* RFC 1122 section 3.2.2: no error about an error or a later fragment. */
static __always_inline int icmp_error_due(struct bng_pkt *pkt)
{
	__u8 *type = pkt->l4;

	if (pkt->ip->ihl != 5 || pkt->ip_length < ICMP_ERROR_QUOTED ||
	    (pkt->ip->frag_off & bpf_htons(IP_OFFSET_MASK)))
		return 0;
	if (pkt->ip->protocol != IPPROTO_ICMP)
		return 1;
	if ((void *)(type + 1) > pkt->end)
		return 0;
	return *type == ICMP_ECHO_REQUEST || *type == ICMP_ECHO_REPLY;
}

/* Fills the new IP and ICMP headers in front of the quoted packet, whose traffic class
 * the error has (RFC 5508 section 7.7). */
static __always_inline int icmp_error_build(struct bng_pkt *pkt, const struct icmp_error *error, __be32 to_be)
{
	struct iphdr *ip = pkt->l3;
	struct icmp_header *icmp = (void *)(ip + 1);
	struct iphdr *quoted = (void *)(icmp + 1);

	if ((void *)quoted + ICMP_ERROR_QUOTED > pkt->end)
		return BNG_DROP_INTERNAL;
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = quoted->tos & IP_TRAFFIC_CLASS,
		.ttl = ICMP_ERROR_TTL,
		.protocol = IPPROTO_ICMP,
		.tot_len = bpf_htons(ICMP_ERROR_PREPENDED + ICMP_ERROR_QUOTED),
		.saddr = error->source_be,
		.daddr = to_be,
	};
	ip->check = ~checksum_fold(bpf_csum_diff(NULL, 0, (void *)ip, sizeof(*ip), 0));
	*icmp = (struct icmp_header){
		.type = error->type,
		.code = error->code,
		.sequence_be = bpf_htons(error->mtu),
	};
	icmp->checksum =
		~checksum_fold(bpf_csum_diff(NULL, 0, (void *)icmp, sizeof(*icmp) + ICMP_ERROR_QUOTED, 0));
	return 0;
}

/* Cuts the frame to what is quoted and makes room for the new headers. */
static __always_inline int icmp_error_resize(struct bng_pkt *pkt, int encapsulation)
{
	int header = sizeof(struct ethhdr) + pkt->encapsulation;
	int surplus = (int)bytes_between(pkt->data, pkt->end) - header - ICMP_ERROR_QUOTED;
	int growth = encapsulation - pkt->encapsulation;

	if (surplus > 0 && bpf_xdp_adjust_tail(pkt->ctx, -surplus))
		return BNG_DROP_INTERNAL;
	if (bpf_xdp_adjust_head(pkt->ctx, -ICMP_ERROR_PREPENDED - growth))
		return BNG_DROP_INTERNAL;
	pkt->data = (void *)(long)pkt->ctx->data;
	pkt->end = (void *)(long)pkt->ctx->data_end;
	return 0;
}

/* To the session's subscriber. 0, or why none is sent. */
static __always_inline int icmp_send_access(struct bng_pkt *pkt, struct icmp_error *error, int why)
{
	struct bng_interface *ingress = interface_get(pkt->session->interface);
	__be32 to_be = pkt->ip->saddr;
	int verdict;

	if (!ingress || !ingress->address_be || !icmp_error_due(pkt) || !icmp_error_allowed(0))
		return why;
	error->source_be = ingress->address_be;
	verdict = icmp_error_resize(pkt, encapsulation_of(pkt->session));
	if (!verdict)
		verdict = rewrite_encapsulation(pkt, ingress, ICMP_ERROR_PREPENDED + ICMP_ERROR_QUOTED);
	return verdict ? verdict : icmp_error_build(pkt, error, to_be);
}

/* Back to the core. The source is the address the packet was for. */
static __always_inline int icmp_send_core(struct bng_pkt *pkt, struct icmp_error *error, int why)
{
	__be32 to_be = pkt->ip->saddr;
	struct ethhdr *eth = pkt->data;
	__u8 station[2 * ETH_ALEN];
	int verdict;

	if ((void *)(eth + 1) > pkt->end || !is_unicast(to_be) || !icmp_error_due(pkt) ||
	    !icmp_error_allowed(1))
		return why;
	error->source_be = pkt->ip->daddr;
	__builtin_memcpy(station, eth, sizeof(station));
	verdict = icmp_error_resize(pkt, 0);
	if (verdict)
		return verdict;
	eth = pkt->data;
	if ((void *)(eth + 1) > pkt->end)
		return BNG_DROP_INTERNAL;
	copy_mac(eth->h_dest, station + ETH_ALEN);
	copy_mac(eth->h_source, station);
	eth->h_proto = bpf_htons(ETH_P_IP);
	pkt->l3 = eth + 1;
	return icmp_error_build(pkt, error, to_be);
}

static __always_inline struct icmp_error icmp_error_of(__u64 outcome)
{
	switch (outcome_action(outcome)) {
	case STEP_TELL_TTL:
		return (struct icmp_error){.type = ICMP_TIME_EXCEEDED};
	case STEP_TELL_TOO_BIG:
		return (struct icmp_error){ICMP_UNREACHABLE, ICMP_CODE_TOO_BIG, outcome_parameter(outcome),
					   0};
	case STEP_TELL_HOST:
		return (struct icmp_error){ICMP_UNREACHABLE, ICMP_CODE_HOST, 0, 0};
	default:
		return (struct icmp_error){ICMP_UNREACHABLE, ICMP_CODE_PROHIBITED, 0, 0};
	}
}

/* One of STEP_TELL_*, to the subscriber of the outcome's slot, or to the core when
 * that is 0. The outcome's verdict, with TOLD if there is something to send. */
__noinline int icmp_send(struct xdp_md *ctx, __u64 outcome)
{
	struct icmp_error error = icmp_error_of(outcome);
	__u32 why = outcome_verdict(outcome), slot = outcome_slot(outcome);
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);

	if (verdict)
		return verdict;
	pkt.session = subscriber_get(slot);
	if (!pkt.session || (error.mtu && !(pkt.ip->frag_off & bpf_htons(IP_DONT_FRAGMENT))))
		return why;
	verdict = slot ? icmp_send_access(&pkt, &error, why) : icmp_send_core(&pkt, &error, why);
	if (verdict)
		return verdict;
	return (why == BNG_DROP_TTL ? BNG_ANSWER_TTL : why) | TOLD;
}

#endif
