/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The data plane's entry programs: the order of the stages. A stage returns 0 to
 * go on, or the verdict that ends the packet.
 */
#include "admit.h"
#include "alg.h"
#include "canary.h"
#include "capture.h"
#include "cgnat.h"
#include "control.h"
#include "exempt.h"
#include "fragment.h"
#include "hairpin.h"
#include "hold.h"
#include "icmp_error.h"
#include "onward.h"
#include "pppoe.h"
#include "rewrite.h"
#include "session.h"
#include "sweep.h"
#include "tunnel.h"
#include "untranslated.h"
#include "verdict.h"

#ifdef BNG_BRIDGE
#include "bridge_run.h"
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The packet gets its public source: FORWARD_UP, or an outcome. `verdict` is what
 * packet_parse_l4 said. A hairpinned query keeps its identifier, which names the
 * other end. */
static __always_inline int access_nat(struct bng_pkt *pkt, int verdict, int is_hairpin)
{
	__be32 public_be = 0;
	__be16 port_be = 0;

	if (verdict == BNG_DROP_ICMP_TYPE && is_icmp_error(pkt))
		return outcome_step(BNG_DROP_ICMP_TYPE, STEP_ICMP_ERROR_UP, 0);
	if (verdict)
		return verdict;
	verdict = cgnat_up(pkt, &public_be, &port_be);
	if (is_hairpin && outcome_action(verdict) == STEP_ALG_UP)
		verdict = 0; /* not between subscribers */
	if (verdict)
		return verdict;
	if (is_hairpin && pkt->protocol == BNG_PROTOCOL_ICMP)
		port_be = pkt->source_port_be;
	rewrite_nat(pkt, 1, public_be, port_be);
	return BNG_FORWARD_UP;
}

/* What has no ports that could be read: `verdict` says why. */
static __always_inline int access_without_ports(struct bng_pkt *pkt, int verdict, int is_exempt)
{
	if (is_source_routed(pkt))
		return BNG_DROP_ICMP_SOURCE_ROUTE;
	return is_exempt ? BNG_FORWARD_UP_EXEMPT : access_nat(pkt, verdict, 0);
}

/* Translated, if it is to be. */
static __always_inline int access_translate(struct bng_pkt *pkt)
{
	__u32 entry = exempt_find(pkt, pkt->ip->saddr, pkt->ip->daddr);
	int verdict = packet_parse_leaving(pkt);

	if (verdict)
		return access_without_ports(pkt, verdict, entry != 0);
	if ((entry && !exempt_comes_late(pkt, entry)) || exempt_by_port(pkt))
		return BNG_FORWARD_UP_EXEMPT;
	return access_nat(pkt, 0, 0);
}

static __always_inline int is_forward(int verdict)
{
	return verdict == BNG_FORWARD_UP || verdict == BNG_FORWARD_UP_EXEMPT;
}

/* What has no ports that could be looked up: `verdict` says why. */
static __always_inline int core_later(const struct bng_pkt *pkt, int verdict, __u32 address_index)
{
	enum step step = STEP_NONE;

	if (verdict == BNG_DROP_ICMP_TYPE && is_icmp_error(pkt))
		step = STEP_ICMP_ERROR_DOWN;
	else if (verdict == BNG_DROP_FRAGMENT || verdict == BNG_DROP_PROTOCOL)
		step = tunnel_protocol(pkt->ip)       ? STEP_TUNNEL_DOWN
		       : verdict == BNG_DROP_FRAGMENT ? STEP_FRAGMENT_DOWN
						      : STEP_NONE;
	if (step == STEP_NONE)
		return verdict;
	if (pkt->ip->ttl <= 1)
		return outcome_step(BNG_DROP_TTL, STEP_TELL_TTL, 0);
	return outcome_step(BNG_DROP_INTERNAL, step, address_index);
}

/* To a public address of ours, from an address that is routed to the session: as if from
 * the core. */
static __always_inline int access_hairpin_routed(struct bng_pkt *pkt, __u32 address_index)
{
	int verdict = packet_parse_l4(pkt);

	if (verdict)
		return tunnel_protocol(pkt->ip) ? BNG_DROP_TUNNEL_HAIRPIN
						: core_later(pkt, verdict, address_index);
	mss_apply(pkt);
	return outcome_step(BNG_DROP_INTERNAL, STEP_HAIRPIN, address_index);
}

/* To a public address of ours. */
static __always_inline int access_hairpin(struct bng_pkt *pkt, __u32 address_index)
{
	int verdict;

	if (session_routes(pkt->session, pkt->ip->saddr))
		return access_hairpin_routed(pkt, address_index);
	if (is_fragment(pkt) && !tunnel_protocol(pkt->ip))
		return outcome_step(BNG_DROP_FRAGMENT, STEP_FRAGMENT_HAIRPIN, address_index);
	verdict = access_nat(pkt, packet_parse_l4(pkt), 1);
	if (outcome_action(verdict) == STEP_ICMP_ERROR_UP)
		return outcome_step(BNG_DROP_ICMP_TYPE, STEP_ICMP_ERROR_HAIRPIN, address_index);
	if (verdict != BNG_FORWARD_UP)
		return tunnel_protocol(pkt->ip) ? BNG_DROP_TUNNEL_HAIRPIN : verdict;
	mss_apply(pkt);
	return outcome_step(BNG_DROP_INTERNAL, STEP_HAIRPIN, address_index);
}

/* To an address that is not reached by a route: 0 if it is. */
static __always_inline int access_destination(struct bng_pkt *pkt, struct bng_ranges *ranges)
{
	__u32 destination = bpf_ntohl(pkt->ip->daddr);
	struct bng_range *hit;
	int verdict;

	if (range_inner(ranges, destination))
		return outcome_step(BNG_DROP_INTERNAL, STEP_CONTROL, 0);
	if (!is_unicast(pkt->ip->daddr))
		return BNG_DROP_ADDRESS;
	if (pkt->ip->ttl <= 1)
		return outcome_step(BNG_DROP_TTL, STEP_TELL_TTL, 0);
	verdict = admit_up(pkt);
	if (verdict)
		return verdict;
	hit = range_public(ranges, destination);
	return hit ? access_hairpin(pkt, hit->base + (destination - hit->first)) : 0;
}

/* A subscriber that gets no port is told so, if the pool's policy says it. */
static __always_inline int access_refuse(const struct bng_subscriber *session, int verdict)
{
	struct bng_pool *nat_pool = pool_get(session->pool);

	if (!nat_pool || nat_pool->refusal == BNG_REFUSAL_SILENT)
		return verdict;
	switch (verdict) {
	case BNG_DROP_CGNAT_NO_BLOCK:
	case BNG_DROP_CGNAT_BLOCK_LIMIT:
	case BNG_DROP_CGNAT_MAPPING_LIMIT:
	case BNG_DROP_CGNAT_RATE_LIMIT:
	case BNG_DROP_CGNAT_FLOW_FULL:
	case BNG_DROP_TUNNEL_TAKEN:
	case BNG_DROP_TUNNEL_FULL:
		return outcome_step(
			verdict,
			nat_pool->refusal == BNG_REFUSAL_HOST ? STEP_TELL_HOST : STEP_TELL_PROHIBITED, 0);
	default:
		return verdict;
	}
}

/* STEP_CREATE: the packet's mapping. 0, or an outcome. */
__noinline __u64 access_create(struct xdp_md *ctx, __u32 slot)
{
	struct bng_pkt pkt;
	__u32 outcome = packet_again(&pkt, ctx);
	__u64 port;

	if (!outcome)
		outcome = tunnel_protocol(pkt.ip) ? tunnel_parse(&pkt, pkt.ip->daddr)
						  : packet_parse_ports(&pkt);
	pkt.session = subscriber_get(slot);
	if (!outcome && !pkt.session)
		outcome = BNG_DROP_INTERNAL;
	if (outcome)
		return outcome_of(outcome, slot);
	port = cgnat_create(slot, bng_mapping_key(pkt.protocol, pkt.source_port_be),
			    first_state(pkt.protocol), pkt.tick);
	return port < PORT_REFUSED ? 0 : outcome_of(access_refuse(pkt.session, port & 0xff), slot);
}

/* STEP_FRAGMENT_UP and _HAIRPIN: translated, then onward, or to another subscriber. */
static __always_inline __u64 access_fragment(struct xdp_md *ctx, __u64 outcome)
{
	__u32 slot = outcome_slot(outcome), next = fragment_up(ctx, outcome);

	if (outcome_action(next) == STEP_CREATE) {
		__u64 refused = access_create(ctx, slot);

		if (refused)
			return refused;
		next = fragment_up(ctx, outcome);
	}
	if (!next && outcome_action(outcome) == STEP_FRAGMENT_HAIRPIN)
		next = outcome_step(BNG_DROP_INTERNAL, STEP_FRAGMENT_DOWN, outcome_parameter(outcome));
	else if (!next)
		next = access_onward(ctx, slot, BNG_FORWARD_UP);
	else if (next == BNG_DROP_FRAGMENT)
		next = outcome_step(BNG_DROP_FRAGMENT, STEP_HOLD_FRAGMENT, 0);
	return outcome_of(next, slot);
}

/* STEP_ICMP_ERROR_UP and _HAIRPIN: the same for an ICMP error. */
static __always_inline __u64 access_icmp_error(struct xdp_md *ctx, __u64 outcome)
{
	__u32 slot = outcome_slot(outcome), next = icmp_error_up(ctx, outcome);

	if (!next && outcome_action(outcome) == STEP_ICMP_ERROR_HAIRPIN)
		next = outcome_step(BNG_DROP_INTERNAL, STEP_ICMP_ERROR_DOWN, outcome_parameter(outcome));
	else if (!next)
		next = access_onward(ctx, slot, BNG_FORWARD_ICMP_UP);
	return outcome_of(next, slot);
}

/* STEP_TUNNEL_UP: the same for GRE and ESP. */
static __always_inline __u64 access_tunnel(struct xdp_md *ctx, __u32 slot)
{
	struct bng_subscriber *session = subscriber_get(slot);
	__u32 next = tunnel_up(ctx, slot);

	if (outcome_action(next) == STEP_CREATE) {
		__u64 refused = access_create(ctx, slot);

		if (refused)
			return refused;
		next = tunnel_up(ctx, slot);
	}
	if (!next)
		next = access_onward(ctx, slot, BNG_FORWARD_UP);
	else if (session)
		next = access_refuse(session, next);
	return outcome_of(next, slot);
}

/* STEP_ALG_UP and _BACK: the same for an FTP control connection. */
static __always_inline __u64 access_alg(struct xdp_md *ctx, __u64 outcome)
{
	int is_back = outcome_action(outcome) == STEP_ALG_BACK;
	__u32 slot = outcome_slot(outcome), next = alg_up(ctx, slot, is_back);

	if (next == BNG_FORWARD_UP && is_back && (outcome_parameter(outcome) & BNG_PUNT_REFUSED))
		next = BNG_FORWARD_ALG_PLAIN;
	if (next == BNG_FORWARD_UP || next == BNG_FORWARD_ALG_PLAIN)
		next = access_onward(ctx, slot, next);
	return outcome_of(next, slot);
}

/* A step that a packet from a subscriber takes before the last one. */
static __always_inline __u64 access_step(struct xdp_md *ctx, __u64 outcome)
{
	switch (outcome_action(outcome)) {
	case STEP_FRAGMENT_UP:
	case STEP_FRAGMENT_HAIRPIN:
		return access_fragment(ctx, outcome);
	case STEP_ICMP_ERROR_UP:
	case STEP_ICMP_ERROR_HAIRPIN:
		return access_icmp_error(ctx, outcome);
	case STEP_TUNNEL_UP:
		return access_tunnel(ctx, outcome_slot(outcome));
	case STEP_ALG_UP:
		return access_alg(ctx, outcome);
	default:
		return outcome;
	}
}

/* What could not be translated at once. */
static __always_inline int access_later(const struct bng_pkt *pkt, int verdict)
{
	if (verdict != BNG_DROP_FRAGMENT && verdict != BNG_DROP_PROTOCOL)
		return verdict;
	if (tunnel_protocol(pkt->ip))
		return outcome_step(verdict, STEP_TUNNEL_UP, 0);
	return verdict == BNG_DROP_FRAGMENT ? outcome_step(verdict, STEP_FRAGMENT_UP, 0) : verdict;
}

static __always_inline int access_forward(struct bng_pkt *pkt)
{
	struct route *route = NULL;
	int routed = access_route(pkt, &route), forward;

	if (routed && !is_pass(routed))
		return routed;
	forward = access_translate(pkt);
	if (!is_forward(forward))
		return access_later(pkt, forward);
	mss_apply(pkt);
	return access_send(pkt, route, routed, forward, pkt->session->interface);
}

static __always_inline int access_ip(struct bng_pkt *pkt)
{
	struct bng_ranges *ranges = ranges_get();
	int verdict = packet_parse_ip(pkt);

	if (verdict)
		return verdict;
	if (!ranges)
		return BNG_DROP_INTERNAL;
	if (!pkt->ip->saddr || pkt->ip->daddr == IP_BROADCAST)
		return outcome_step(BNG_DROP_INTERNAL, STEP_CONTROL, 0);
	verdict = session_find(pkt, ranges, pkt->ip->saddr);
	if (verdict && pkt->pppoe)
		return BNG_DROP_PPPOE_NO_SESSION;
	if (verdict)
		return outcome_step(verdict, STEP_CONTROL, 0);
	verdict = session_antispoof(pkt);
	if (verdict)
		return verdict;
	verdict = access_destination(pkt, ranges);
	return access_refuse(pkt->session, verdict ? verdict : access_forward(pkt));
}

static __always_inline int access_frame(struct bng_pkt *pkt)
{
	int verdict = packet_parse_ethernet(pkt);

	if (verdict)
		return verdict;
	switch (pkt->ethertype_be) {
	case bpf_htons(ETH_P_IP):
		break;
	case bpf_htons(ETH_P_ARP):
		return outcome_step(BNG_DROP_INTERNAL, STEP_CONTROL, 0);
	case bpf_htons(ETH_P_IPV6):
		return BNG_DROP_IPV6;
	case bpf_htons(ETH_P_PPP_DISC):
		return outcome_step(BNG_DROP_INTERNAL, STEP_PPPOE, 0);
	case bpf_htons(ETH_P_PPP_SES):
		verdict = pppoe_data(pkt);
		if (verdict)
			return verdict;
		break;
	default:
		return BNG_DROP_ETHERTYPE;
	}
	return access_ip(pkt);
}

/* The fast path from subscribers: an outcome. `is_admitted`: a second time, with the mapping
 * made. */
__noinline __u64 access_run(struct xdp_md *ctx, int is_admitted)
{
	struct bng_pkt pkt;
	__u32 outcome = packet_init(&pkt, ctx);

	pkt.is_admitted = is_admitted;
	if (!outcome)
		outcome = access_frame(&pkt);
	return outcome_of(outcome, pkt.slot);
}

/* The fast path once more, after what it could not do. */
static __always_inline __u64 access_again(struct xdp_md *ctx, __u64 outcome)
{
	__u64 refused;

	if (outcome_action(outcome) == STEP_PPPOE_TRIM) {
		refused = pppoe_trim(ctx);
		outcome = refused ? refused : access_run(ctx, 0);
	}
	if (outcome_action(outcome) == STEP_CREATE) {
		refused = access_create(ctx, outcome_slot(outcome));
		outcome = refused ? refused : access_run(ctx, 1);
	}
	return outcome;
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

static __always_inline int core_translated(struct bng_pkt *pkt, __u32 address_index)
{
	int verdict = packet_parse_l4(pkt);
	__be16 port_be = 0;

	if (verdict)
		return core_later(pkt, verdict, address_index);
	if (pkt->ip->ttl <= 1)
		return outcome_step(BNG_DROP_TTL, STEP_TELL_TTL, 0);
	verdict = cgnat_down(pkt, address_index, &port_be);
	if (verdict)
		return is_syn(pkt) ? outcome_step(verdict, STEP_HOLD_SYN, address_index) : verdict;
	verdict = deliver_check(pkt);
	if (verdict)
		return verdict;
	mss_apply(pkt);
	rewrite_nat(pkt, 0, pkt->session->address_be, port_be);
	return deliver(pkt, BNG_FORWARD_DOWN);
}

static __always_inline int core_ip(struct bng_pkt *pkt)
{
	struct bng_ranges *ranges = ranges_get();
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

/* The fast path from the internet: an outcome. What is not IPv4, or is tagged,
 * belongs to the host. */
__noinline __u64 core_run(struct xdp_md *ctx)
{
	struct bng_pkt pkt;
	__u32 outcome = packet_init(&pkt, ctx);

	if (!outcome)
		outcome = packet_parse_ethernet(&pkt);
	if (!outcome)
		outcome = pkt.encapsulation || pkt.ethertype_be != bpf_htons(ETH_P_IP) ? BNG_PASS_LOCAL
										       : core_ip(&pkt);
	return outcome_of(outcome, pkt.slot);
}

/* STEP_FRAGMENT_DOWN and _EXEMPT, from a wire: one that comes before its first is held. */
static __always_inline __u32 fragment_down_or_hold(struct xdp_md *ctx, __u64 outcome)
{
	__u32 verdict = fragment_down(ctx, outcome);

	return verdict == BNG_DROP_FRAGMENT ? hold_fragment(ctx, outcome_slot(outcome)) : verdict;
}

/* STEP_ALG_DOWN: who sends what is too large is told. */
static __always_inline __u32 alg_down_or_tell(struct xdp_md *ctx, __u64 outcome)
{
	__u64 next = alg_down(ctx, outcome);

	return outcome_action(next) ? icmp_send(ctx, next) : outcome_verdict(next);
}

/* The step an outcome asks for: the verdict. */
static __always_inline __u32 step_take(struct xdp_md *ctx, __u64 outcome)
{
	switch (outcome_action(outcome)) {
	case STEP_NONE:
	case STEP_CREATE: /* a second time: reclaimed at once */
		return outcome_verdict(outcome);
	case STEP_CONTROL:
		return access_control(ctx, outcome_slot(outcome));
	case STEP_PPPOE:
		return access_pppoe(ctx);
	case STEP_HAIRPIN:
		return hairpin(ctx, outcome);
	case STEP_FRAGMENT_DOWN:
	case STEP_FRAGMENT_DOWN_EXEMPT:
		return fragment_down_or_hold(ctx, outcome);
	case STEP_HOLD_FRAGMENT:
		return hold_fragment(ctx, outcome_slot(outcome));
	case STEP_HOLD_SYN:
		return hold_syn(ctx, outcome);
	case STEP_ALG_DOWN:
		return alg_down_or_tell(ctx, outcome);
	case STEP_ALG_PUNT:
		return alg_punt(ctx, outcome_slot(outcome));
	case STEP_ICMP_ERROR_DOWN:
		return icmp_error_down(ctx, outcome);
	case STEP_ICMP_ERROR_DOWN_EXEMPT:
		return icmp_error_down_exempt(ctx);
	case STEP_TUNNEL_DOWN:
		outcome = tunnel_down(ctx, outcome);
		return outcome_action(outcome) ? icmp_send(ctx, outcome) : outcome;
	default:
		return icmp_send(ctx, outcome);
	}
}

/* The same for what was handed back: nothing is held twice. */
static __always_inline __u32 held_take(struct xdp_md *ctx, __u64 outcome)
{
	switch (outcome_action(outcome)) {
	case STEP_FRAGMENT_DOWN:
	case STEP_FRAGMENT_DOWN_EXEMPT:
		return fragment_down(ctx, outcome);
	case STEP_ANSWER_SYN:
		return answer_syn(ctx, outcome);
	default:
		return outcome_verdict(outcome);
	}
}

/* `is_canary`: known when this is compiled. */
static __always_inline int entry_end(__u32 verdict, __u32 length, __u64 outcome, int is_canary)
{
	if (bridge_gave_up())
		verdict = outcome = BNG_DROP_INTERNAL;
	if (is_canary)
		canary_tally(verdict & ~(TOLD | PUNTED), length);
	return verdict_act(verdict, length, outcome_slot(outcome));
}

static __always_inline int access_entry(struct xdp_md *ctx, int is_canary)
{
	__u32 length = frame_length(ctx);
	__u64 outcome;

	capture_if_wanted(ctx, BNG_CAPTURE_ACCESS);
	outcome = access_run(ctx, 0);
	if (outcome_action(outcome))
		outcome = access_step(ctx, access_again(ctx, outcome));
	return entry_end(step_take(ctx, outcome), length, outcome, is_canary);
}

/* Errors go back to the core, whomever the packet was for. */
static __always_inline int core_entry(struct xdp_md *ctx, int is_canary)
{
	__u32 length = frame_length(ctx);
	__u64 outcome;

	capture_if_wanted(ctx, BNG_CAPTURE_CORE);
	outcome = core_run(ctx);
	return entry_end(step_take(ctx, (__u32)outcome), length, outcome, is_canary);
}

/* From controld, on the near end of the punt veth. */
static __always_inline int inject_entry(struct xdp_md *ctx, int is_canary)
{
	__u32 length = frame_length(ctx);
	__u64 outcome = inject_run(ctx);

	if (outcome_action(outcome))
		length -= sizeof(struct bng_punt); /* counted as the frame it is again */
	if (outcome_action(outcome) == STEP_FRAGMENT_UP || outcome_action(outcome) == STEP_FRAGMENT_HAIRPIN)
		outcome = access_fragment(ctx, outcome);
	if (outcome_action(outcome) == STEP_ALG_BACK)
		outcome = access_alg(ctx, outcome);
	return entry_end(held_take(ctx, outcome), length, outcome, is_canary);
}

#ifndef BNG_BRIDGE
#define ENTRY(role)                                                                                          \
	SEC("xdp")                                                                                           \
	int bng_##role(struct xdp_md *ctx)                                                                   \
	{                                                                                                    \
		return role##_entry(ctx, 0);                                                                 \
	}                                                                                                    \
	SEC("xdp")                                                                                           \
	int bng_canary_##role(struct xdp_md *ctx)                                                            \
	{                                                                                                    \
		if (!canary_takes(canary_place_##role(ctx)))                                                 \
			bpf_tail_call(ctx, &canary_old_##role, 0);                                           \
		return role##_entry(ctx, 1);                                                                 \
	}
#endif

ENTRY(access)
ENTRY(core)
ENTRY(inject)

/* Once a second, by the holder. */
SEC("syscall")
int bng_sweep(void *ctx __attribute__((unused)))
{
	struct bng_meta *facts = meta_get();

	if (facts && bridge_is_done())
		sweep_run(facts);
	return 0;
}
