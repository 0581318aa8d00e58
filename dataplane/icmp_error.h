/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * ICMP errors of others, on their way through the translation (RFC 5508
 * section 4): the packet they quote is translated back together with the outer
 * header. An error neither refreshes nor ends a mapping (REQ-6).
 */
#ifndef BNG_DATAPLANE_ICMP_ERROR_H
#define BNG_DATAPLANE_ICMP_ERROR_H

#include "cgnat.h"
#include "deliver.h"
#include "exempt.h"
#include "tunnel.h"

#define ICMP_PARAMETER_PROBLEM 12
#define ICMP_QUOTED_L4         8 /* bytes of it that every error quotes */
#define CHECKSUM_CHUNK         64
#define CHECKSUM_CHUNKS        160 /* 10,240 bytes: any jumbo frame */

/* The quoted packet. Its source and destination are those of the packet the
 * error is about. */
struct icmp_quote {
	struct iphdr *ip;
	void *l4;
	__u16 l4_length; /* how much of it was quoted */
	__u8 protocol;   /* enum bng_protocol */
	__be16 source_port_be;
	__be16 destination_port_be;
};

struct checksum_walk {
	struct xdp_md *ctx;
	__u32 offset;
	__u32 left;
	__u32 sum;
	__u8 chunk[CHECKSUM_CHUNK];
};

static long checksum_step(__u32 index __attribute__((unused)), struct checksum_walk *walk)
{
	__u32 length = walk->left < CHECKSUM_CHUNK ? walk->left : CHECKSUM_CHUNK;

	if (!length)
		return 1;
	/* The verifier of 6.1 learns nothing from a comparison with 0. */
	asm volatile("" : "+r"(length));
	length = ((length - 1) & (CHECKSUM_CHUNK - 1)) + 1;
	if (length < CHECKSUM_CHUNK)
		__builtin_memset(walk->chunk, 0, CHECKSUM_CHUNK);
	if (bpf_xdp_load_bytes(walk->ctx, walk->offset, walk->chunk, length))
		return 1;
	walk->sum = bpf_csum_diff(NULL, 0, (void *)walk->chunk, CHECKSUM_CHUNK, walk->sum);
	walk->offset += length;
	walk->left -= length;
	return 0;
}

/* True if the bytes' checksum, their own checksum field included, is right. */
__noinline int icmp_checksum_ok(struct xdp_md *ctx, __u32 offset, __u32 length)
{
	struct checksum_walk walk = {.ctx = ctx, .offset = offset, .left = length};

	bpf_loop(CHECKSUM_CHUNKS, checksum_step, &walk, 0);
	return !walk.left && checksum_fold(walk.sum) == 0xffff;
}

/* REQ-10: the errors a host must hear of. */
static __always_inline int is_icmp_error(const struct bng_pkt *pkt)
{
	__u8 *type = pkt->l4;

	if (pkt->ip->protocol != IPPROTO_ICMP || (void *)(type + 1) > pkt->end)
		return 0;
	return *type == 3 || *type == 11 || *type == ICMP_PARAMETER_PROBLEM;
}

static __always_inline int quote_ports(const struct bng_pkt *pkt, struct icmp_quote *quote)
{
	__be16 *port = quote->l4;
	__u8 *type = quote->l4;

	switch (quote->ip->protocol) {
	case IPPROTO_TCP:
		quote->protocol = BNG_PROTOCOL_TCP;
		break;
	case IPPROTO_UDP:
		quote->protocol = BNG_PROTOCOL_UDP;
		break;
	case IPPROTO_ICMP:
		quote->protocol = BNG_PROTOCOL_ICMP;
		break;
	default:
		quote->protocol = tunnel_protocol(quote->ip);
		/* As icmp_error_up looks for it: the quoted packet came from the remote end. */
		quote->destination_port_be = bng_tunnel_tag(quote->ip->saddr);
		return quote->protocol ? 0 : BNG_DROP_ICMP_QUOTE;
	}
	if (quote->l4 + ICMP_QUOTED_L4 > pkt->end)
		return BNG_DROP_SHORT;
	if (quote->protocol == BNG_PROTOCOL_ICMP && *type != ICMP_ECHO_REQUEST && *type != ICMP_ECHO_REPLY)
		return BNG_DROP_ICMP_QUOTE;
	quote->source_port_be = quote->protocol == BNG_PROTOCOL_ICMP ? port[2] : port[0];
	quote->destination_port_be = quote->protocol == BNG_PROTOCOL_ICMP ? port[2] : port[1];
	return 0;
}

/* 0 or a verdict. The outer checksum and the quoted IP header's must be right
 * (REQ-3). */
static __always_inline int quote_parse(struct bng_pkt *pkt, struct icmp_quote *quote)
{
	struct icmp_header *icmp = pkt->l4;
	__u32 length = pkt->ip_length - pkt->ip->ihl * 4;
	struct iphdr *inner = (void *)(icmp + 1);

	if ((void *)(inner + 1) > pkt->end || length < sizeof(*icmp) + sizeof(*inner) + ICMP_QUOTED_L4)
		return BNG_DROP_SHORT;
	if (!icmp_checksum_ok(pkt->ctx, pkt->l4 - pkt->data, length))
		return BNG_DROP_ICMP_CHECKSUM;
	if (inner->version != 4 || inner->ihl < 5 || (inner->frag_off & bpf_htons(IP_OFFSET_MASK)))
		return BNG_DROP_ICMP_QUOTE;
	if (sizeof(*icmp) + inner->ihl * 4 + ICMP_QUOTED_L4 > length)
		return BNG_DROP_SHORT;
	quote->ip = inner;
	quote->l4 = (void *)inner + inner->ihl * 4;
	quote->l4_length = length - sizeof(*icmp) - inner->ihl * 4;
	if (!icmp_checksum_ok(pkt->ctx, (void *)inner - pkt->data, inner->ihl * 4))
		return BNG_DROP_ICMP_CHECKSUM;
	return quote_ports(pkt, quote);
}

/* Applies a difference to the L4 checksum `at` bytes into the quoted header, if that
 * was quoted; what lies behind the IP packet is padding. The change of the checksum
 * itself is what the outer checksum must know of. */
static __always_inline __u32 quote_fix(const struct bng_pkt *pkt, const struct icmp_quote *quote, __u32 at,
				       __u32 difference)
{
	__u16 *field = quote->l4 + at, before, after;

	if (at + sizeof(*field) > quote->l4_length || (void *)(field + 1) > pkt->end)
		return 0;
	before = *field;
	if (!before && quote->protocol == BNG_PROTOCOL_UDP)
		return 0;
	after = checksum_apply(before, difference);
	if (!after && quote->protocol == BNG_PROTOCOL_UDP)
		after = 0xffff;
	*field = after;
	return checksum_difference16(before, after);
}

/* Translates one end of the quoted packet; returns the difference that makes to
 * the outer ICMP checksum. */
static __always_inline __u32 quote_rewrite(struct bng_pkt *pkt, struct icmp_quote *quote, int source,
					   __be32 address_be, __be16 port_be)
{
	__be32 *address = source ? &quote->ip->saddr : &quote->ip->daddr;
	__be16 before_be = source ? quote->source_port_be : quote->destination_port_be;
	__u32 ip_difference = checksum_difference32(*address, address_be);
	__u32 port_difference = checksum_difference16(before_be, port_be);
	__u32 outer = ip_difference;
	__be16 *field = quote->l4;

	outer += checksum_difference16(quote->ip->check, checksum_apply(quote->ip->check, ip_difference));
	rewrite_address(quote->ip, address, address_be);
	if (quote->protocol > BNG_PROTOCOL_ICMP || quote->l4 + ICMP_QUOTED_L4 > pkt->end)
		return outer;
	outer += port_difference;
	if (quote->protocol == BNG_PROTOCOL_ICMP) {
		field[2] = port_be;
		return outer + quote_fix(pkt, quote, 2, port_difference);
	}
	field[source ? 0 : 1] = port_be;
	if (quote->protocol == BNG_PROTOCOL_UDP)
		return outer + quote_fix(pkt, quote, 6, ip_difference + port_difference);
	return outer + quote_fix(pkt, quote, 16, ip_difference + port_difference);
}

static __always_inline void outer_rewrite(struct bng_pkt *pkt, int source, __be32 address_be,
					  __u32 difference)
{
	struct icmp_header *icmp = pkt->l4;
	__be32 *address = source ? &pkt->ip->saddr : &pkt->ip->daddr;

	if ((void *)(icmp + 1) > pkt->end)
		return;
	icmp->checksum = checksum_apply(icmp->checksum, checksum_fold(difference));
	rewrite_address(pkt->ip, address, address_be);
}

/* The public port that the quoted packet came from. */
static __always_inline __u64 quote_port(const struct bng_pkt *pkt, const struct icmp_quote *quote,
					__u32 index)
{
	if (quote->protocol > BNG_PROTOCOL_ICMP)
		return tunnel_find(index, quote->ip->daddr, quote->protocol, pkt->tick, 0);
	return index << 16 | bpf_ntohs(quote->source_port_be);
}

/* For the public address that is the outcome's parameter: REQ-4. Its slot is a
 * hairpinned error's sender (REQ-7). The verdict. */
__noinline int icmp_error_down(struct xdp_md *ctx, __u64 outcome)
{
	struct icmp_quote quote = {};
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);
	struct cgnat_target target = {};
	__u32 difference;
	__u64 port;

	if (!verdict)
		verdict = quote_parse(&pkt, &quote);
	if (verdict)
		return verdict;
	if (quote.ip->saddr != pkt.ip->daddr)
		return BNG_DROP_ICMP_QUOTE;
	port = quote_port(&pkt, &quote, outcome_parameter(outcome));
	if (port & TUNNEL_NONE)
		return BNG_DROP_ICMP_QUOTE;
	verdict = cgnat_owner(&pkt, port, quote.protocol, &target);
	if (!verdict)
		verdict = outcome_verdict(deliver_check(&pkt));
	if (verdict)
		return verdict == BNG_DROP_CGNAT_NO_MAPPING ? BNG_DROP_ICMP_QUOTE : verdict;
	difference = quote_rewrite(&pkt, &quote, 1, pkt.session->address_be, target.inner_port_be);
	outer_rewrite(&pkt, 0, pkt.session->address_be, difference);
	return deliver_from(&pkt, outcome_slot(outcome), BNG_FORWARD_ICMP_DOWN);
}

/* For a subscriber's own address, about a packet of its to an exempt port. The verdict. */
__noinline int icmp_error_down_exempt(struct xdp_md *ctx)
{
	struct bng_ranges *ranges = ranges_get();
	struct icmp_quote quote = {};
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);

	if (!verdict)
		verdict = quote_parse(&pkt, &quote);
	if (verdict)
		return verdict;
	if (quote.ip->saddr != pkt.ip->daddr ||
	    !exempt_port_find(quote.ip->daddr, bng_mapping_key(quote.protocol, quote.destination_port_be)))
		return BNG_DROP_NOT_EXEMPT;
	verdict = ranges ? session_find(&pkt, ranges, pkt.ip->daddr) : BNG_DROP_INTERNAL;
	if (!verdict)
		verdict = outcome_verdict(deliver_check(&pkt));
	return verdict ? verdict : deliver(&pkt, BNG_FORWARD_DOWN_EXEMPT);
}

/* True for an error to who has sent the quoted packet from an exempt port, unless that
 * was to a mapping's public end. */
static __always_inline int quote_is_exempt(const struct bng_pkt *pkt, const struct icmp_quote *quote,
					   __u32 slot, __u32 key)
{
	__u32 entry;

	if (!exempt_has_ports() || quote->ip->saddr != pkt->ip->daddr)
		return 0;
	entry = exempt_port_find(pkt->ip->daddr, bng_mapping_key(quote->protocol, quote->source_port_be));
	if (!(entry >> BNG_EXEMPT_EPOCH_SHIFT))
		return entry != 0;
	return !exempt_is_preceded(slot, key, entry, pkt->tick);
}

/* From the outcome's session, about a packet it was sent: REQ-5. Translated in place, to
 * be forwarded by the caller: 0 or a verdict. */
__noinline int icmp_error_up(struct xdp_md *ctx, __u64 outcome)
{
	int is_leaving = outcome_action(outcome) == STEP_ICMP_ERROR_UP;
	__u32 slot = outcome_slot(outcome), key;
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_pool_address *address;
	struct cgnat_target target = {};
	struct icmp_quote quote = {};
	struct bng_pkt pkt;
	int verdict = packet_again(&pkt, ctx);
	__u32 difference;
	__u64 port;

	if (!verdict)
		verdict = quote_parse(&pkt, &quote);
	if (verdict)
		return verdict;
	if (is_leaving && is_source_routed(&pkt))
		return BNG_DROP_ICMP_SOURCE_ROUTE;
	if (!session || quote.ip->daddr != session->address_be)
		return BNG_DROP_ICMP_QUOTE;
	key = bng_mapping_key(quote.protocol, quote.destination_port_be);
	if (is_leaving && quote_is_exempt(&pkt, &quote, slot, key))
		return 0;
	port = cgnat_search(slot, key);
	if (port == PORT_NONE || cgnat_owner(&pkt, port, quote.protocol, &target))
		return BNG_DROP_ICMP_QUOTE;
	address = target.address;
	difference = quote_rewrite(&pkt, &quote, 0, address->address_be, bpf_htons(port & 0xffff));
	outer_rewrite(&pkt, 1, address->address_be, difference);
	return 0;
}

#endif
