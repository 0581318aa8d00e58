/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * CGNAT on the packet path: find the mapping, keep it alive, say what the packet
 * becomes. The packet itself is changed in rewrite.h.
 *
 * Endpoint-independent mapping and filtering (RFC 4787 REQ-1, REQ-8; RFC 5382
 * REQ-1, REQ-3). Refreshed by packets from inside; for TCP also from outside.
 */
#ifndef BNG_DATAPLANE_CGNAT_H
#define BNG_DATAPLANE_CGNAT_H

#include "cgnat_create.h"
#include "cgnat_tcp.h"
#include "cgnat_timer.h"
#include "flow.h"
#include "session.h"

#define REFRESH_TRIES      4
#define TOUCH_FROM_INSIDE  0x100
#define TOUCH_REMOTE_SHIFT 16

/* Such a packet never opens a mapping, nor a dead one again. */
static __always_inline int is_reset(const struct bng_pkt *pkt)
{
	return pkt->protocol == BNG_PROTOCOL_TCP && (pkt->tcp_flags & TCP_RST);
}

/* The word after a packet, without the tick. `fresh`: as if the mapping had just been
 * made. */
static __always_inline __u64 mapping_advance(__u64 word, __u8 tcp_flags, int from_inside, int fresh)
{
	__u8 flags = bng_mapping_word_flags(word) & ~FIN_BOTH;
	struct tcp_track track = {bng_mapping_word_state(word), 0};

	if (bng_mapping_word_protocol(word) == BNG_PROTOCOL_TCP) {
		track.fins = bng_mapping_word_flags(word) & FIN_BOTH;
		if (fresh)
			track = (struct tcp_track){BNG_MAPPING_TCP_PARTIAL, 0};
		track = cgnat_tcp_next(track, from_inside, tcp_flags);
	}
	return bng_mapping_word(bng_mapping_word_key(word), track.state, flags | track.fins, 0);
}

/* Its tick, when the packet promises `tick`: an earlier promise for the same state
 * stands if it is longer. */
static __always_inline __u64 mapping_promise(__u64 before, __u64 after, __u32 tick, int fresh)
{
	__u32 earlier = bng_mapping_word_tick(before);

	if (!fresh && bng_mapping_word_state(before) == bng_mapping_word_state(after) &&
	    !mapping_is_unpromised(before) && (__s32)(earlier - tick) > 0)
		tick = earlier;
	return after | (__u64)tick << 32;
}

/* RFC 7857 section 7.1: a RST from inside may be the answer to anything that came from
 * outside. It may shorten the mapping's life, not prolong it. */
static __always_inline int mapping_outlives_reset(__u64 word, const __u32 *timeout, __u32 tick)
{
	__u32 left = timeout[bng_mapping_word_state(word) & 7] - (tick - bng_mapping_word_tick(word));

	return (__s32)left > (__s32)timeout[BNG_MAPPING_TCP_RESET];
}

/* Advances the entry of `port` if it still is `key`'s. 0: gone. `how`: TCP flags,
 * with TOUCH_FROM_INSIDE, and the remote port (_be) above. */
__noinline int cgnat_touch(__u32 port, __u32 key, __u32 tick, __u32 how)
{
	struct bng_pool_address *address = pool_address_get(port >> 16);
	struct bng_pool *nat_pool = address ? pool_get(address->pool) : NULL;
	int from_inside = how & TOUCH_FROM_INSIDE;
	__u64 *word = port_word(port);

	if (!word || !nat_pool)
		return 0;
	for (int i = 0; i < REFRESH_TRIES; i++) {
		__u64 before = *(volatile __u64 *)word, after;
		__u32 promised = tick;
		int expired;

		if (bng_mapping_word_key(before) != key)
			return 0;
		expired = bng_mapping_word_free(before, nat_pool->timeout, tick);
		if (expired && (!from_inside || (how & TCP_RST)))
			return 0;
		if (from_inside && (how & TCP_RST) &&
		    !mapping_outlives_reset(before, nat_pool->timeout, tick))
			return 1;
		after = expired ? mapping_new_word(key, bng_mapping_word_state(before), tick) : before;
		after = mapping_advance(after, how, from_inside, expired);
		if (nat_pool->flags & BNG_POOL_PORT_TIMERS)
			promised += cgnat_timer_shift(address->pool, after, how >> TOUCH_REMOTE_SHIFT);
		after = mapping_promise(before, after, promised, expired);
		if (after == before || __sync_val_compare_and_swap(word, before, after) == before)
			return 1;
	}
	return 1; /* others keep it alive this very moment */
}

/* True if the packet changes nothing about a mapping: seen in this very tick, and
 * no TCP state can come of it. (One that promises more is mapping_renew's.) */
static __always_inline int mapping_is_current(const struct bng_pkt *pkt, __u64 word)
{
	if ((__s32)(bng_mapping_word_tick(word) - pkt->tick) < 0)
		return 0;
	if (pkt->protocol != BNG_PROTOCOL_TCP)
		return 1;
	return bng_mapping_word_state(word) == BNG_MAPPING_TCP_ESTABLISHED &&
	       !(pkt->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST));
}

static __always_inline __u32 touch_how(const struct bng_pkt *pkt, int from_inside)
{
	__be16 remote_be = from_inside ? pkt->destination_port_be : pkt->source_port_be;

	return pkt->tcp_flags | (from_inside ? TOUCH_FROM_INSIDE : 0) |
	       (__u32)remote_be << TOUCH_REMOTE_SHIFT;
}

/* Keeps the mapping of `port` alive, which is `key`'s and whose word was `seen`.
 * 0: gone meanwhile. */
static __always_inline int mapping_touch(const struct bng_pkt *pkt, __u32 port, __u32 key, __u64 seen,
					 int from_inside)
{
	if (mapping_is_current(pkt, seen))
		return 1;
	return cgnat_touch(port, key, pkt->tick, touch_how(pkt, from_inside));
}

/* In a pool with timers by port: what the packet promises, when its mapping was
 * current and mapping_touch has nothing to do. */
static __always_inline void mapping_renew(const struct bng_pkt *pkt, const struct bng_pool *nat_pool,
					  __u64 word, __u32 port, int from_inside)
{
	if ((nat_pool->flags & BNG_POOL_PORT_TIMERS) && mapping_is_current(pkt, word))
		cgnat_touch(port, bng_mapping_word_key(word), pkt->tick, touch_how(pkt, from_inside));
}

static __always_inline __u8 first_state(__u8 protocol)
{
	switch (protocol) {
	case BNG_PROTOCOL_TCP:
		return BNG_MAPPING_TCP_PARTIAL;
	case BNG_PROTOCOL_UDP:
		return BNG_MAPPING_UDP;
	case BNG_PROTOCOL_ICMP:
		return BNG_MAPPING_ICMP;
	default:
		return BNG_MAPPING_TUNNEL;
	}
}

/* The first bucket of the first block: where nearly every packet ends. */
static __always_inline __u64 find_first(const struct bng_subscriber *session, __u32 key)
{
	__u32 hash = cgnat_hash(session->port_key, key), first = session->block[0];

	if (!first)
		return PORT_NONE;
	return bucket_find(probe_bucket(first, hash, session->block_shift & 15, 0), key,
			   probe_entry(hash, key));
}

/* Where the mapping is, or PORT_NONE. */
static __always_inline __u64 find_mapping(struct bng_pkt *pkt, __u32 key)
{
	__u64 port = find_first(pkt->session, key);

	return port != PORT_NONE ? port : cgnat_search(pkt->slot, key);
}

/* A port forwarding is there for everybody. */
static __always_inline int is_filtered(const struct bng_pool *nat_pool, __u64 word)
{
	return (nat_pool->flags & POOL_FILTERS) && !(bng_mapping_word_flags(word) & BNG_MAPPING_PINNED);
}

/* A remote end may answer for as long as it was promised, if that is longer than
 * usual; a shorter promise ends with the mapping. */
static __always_inline __u32 remote_tick(const struct bng_pkt *pkt, const struct bng_pool *nat_pool,
					 __u64 word)
{
	__s32 shift = nat_pool->flags & BNG_POOL_PORT_TIMERS
			      ? cgnat_timer_shift(pkt->session->pool, word, pkt->destination_port_be)
			      : 0;

	return pkt->tick + (shift > 0 ? shift : 0);
}

/* Of an FTP control connection, in a pool that looks after them. */
static __always_inline int is_alg(const struct bng_pkt *pkt, const struct bng_pool *nat_pool,
				  __be16 remote_port_be)
{
	return (nat_pool->flags & BNG_POOL_ALG_FTP) && remote_port_be == bpf_htons(BNG_FTP_PORT) &&
	       pkt->protocol == BNG_PROTOCOL_TCP && !is_fragment(pkt);
}

/* What the remote end means in a pool where it means something: for how long the
 * mapping lives, that it may answer, and that the payload may need looking at. 0 or an
 * outcome. */
static __always_inline int remember_remote(struct bng_pkt *pkt, const struct bng_pool *nat_pool, __u64 word,
					   __u32 port)
{
	if (!(nat_pool->flags & POOL_BY_REMOTE))
		return 0;
	mapping_renew(pkt, nat_pool, word, port, 1);
	if (is_filtered(nat_pool, word)) {
		int verdict = flow_note(port, pkt->ip->daddr,
					flow_remote(pkt, pkt->destination_port_be, nat_pool->flags, word),
					remote_tick(pkt, nat_pool, word));

		if (verdict)
			return verdict;
	}
	return is_alg(pkt, nat_pool, pkt->destination_port_be)
		       ? outcome_step(BNG_DROP_INTERNAL, STEP_ALG_UP, 0)
		       : 0;
}

/* From outside, UDP and ICMP keep nothing alive unless the pool says so. */
static __always_inline int outside_refreshes(const struct bng_pkt *pkt, const struct bng_pool *nat_pool)
{
	return pkt->protocol == BNG_PROTOCOL_TCP || (nat_pool->flags & BNG_POOL_REFRESH_INBOUND);
}

/* 0, or the verdict for a remote end that the pool's filtering keeps out, or a step:
 * what acknowledges nothing needs none. */
static __always_inline int check_remote(struct bng_pkt *pkt, const struct bng_pool *nat_pool, __u64 word,
					__u32 port)
{
	int verdict;

	if (!(nat_pool->flags & POOL_BY_REMOTE))
		return 0;
	verdict = is_filtered(nat_pool, word)
			  ? flow_ask(port, pkt->ip->saddr,
				     flow_remote(pkt, pkt->source_port_be, nat_pool->flags, word), pkt->tick)
			  : 0;
	if (verdict)
		return verdict;
	if (outside_refreshes(pkt, nat_pool))
		mapping_renew(pkt, nat_pool, word, port, 0);
	return (pkt->tcp_flags & TCP_ACK) && is_alg(pkt, nat_pool, pkt->source_port_be)
		       ? outcome_step(BNG_DROP_INTERNAL, STEP_ALG_DOWN, port >> 16)
		       : 0;
}

static __always_inline int cgnat_missing(const struct bng_pkt *pkt)
{
	return is_reset(pkt) ? BNG_DROP_TCP_FLAGS : outcome_step(BNG_DROP_CGNAT_BUSY, STEP_CREATE, 0);
}

/* Public end of the packet's source: 0, *address_be, *port_be; or an outcome:
 * STEP_CREATE when there is no mapping yet, or none any more. */
static __always_inline int cgnat_up(struct bng_pkt *pkt, __be32 *address_be, __be16 *port_be)
{
	__u32 key = bng_mapping_key(pkt->protocol, pkt->source_port_be);
	struct bng_pool *nat_pool = pool_get(pkt->session->pool);
	struct bng_pool_address *address;
	__u64 port, *word, seen;

	if (!nat_pool)
		return BNG_DROP_INTERNAL;
	port = find_mapping(pkt, key);
	if (port == PORT_NONE)
		return cgnat_missing(pkt);
	word = port_word(port);
	address = pool_address_get((__u32)port >> 16);
	if (!word || !address)
		return BNG_DROP_INTERNAL;
	seen = *(volatile __u64 *)word;
	if (bng_mapping_word_key(seen) != key || !mapping_touch(pkt, port, key, seen, 1))
		return cgnat_missing(pkt);
	*address_be = address->address_be;
	*port_be = bpf_htons(port & 0xffff);
	return remember_remote(pkt, nat_pool, seen, port);
}

static __always_inline int refuse_unmapped(struct bng_pool_address *address)
{
	__sync_fetch_and_add(&address->drops, 1);
	return BNG_DROP_CGNAT_NO_MAPPING;
}

/* Where a public port leads. */
struct cgnat_target {
	struct bng_pool_address *address;
	struct bng_pool *pool;
	__u64 seen; /* the word when it was found alive */
	__be16 inner_port_be;
};

/* Fills target, slot and session if `protocol` is mapped there; 0 or a verdict, which
 * nothing counts. */
static __always_inline int cgnat_find_owner(struct bng_pkt *pkt, __u32 port, __u8 protocol,
					    struct cgnat_target *target)
{
	struct bng_subscriber *session;
	struct bng_port_block *block;
	__u64 *word = port_word(port);

	target->address = pool_address_get(port >> 16);
	if (!target->address || !word)
		return BNG_DROP_INTERNAL;
	block = port_block_get(block_index(port, target->address));
	target->pool = pool_get(target->address->pool);
	if (!block || !target->pool)
		return BNG_DROP_INTERNAL;
	target->seen = *(volatile __u64 *)word;
	if (bng_mapping_word_protocol(target->seen) != protocol ||
	    bng_mapping_word_free(target->seen, target->pool->timeout, pkt->tick))
		return BNG_DROP_CGNAT_NO_MAPPING;
	session = subscriber_get(block->slot);
	if (!session || session->state != BNG_SUBSCRIBER_ACTIVE || session->generation != block->generation)
		return BNG_DROP_CGNAT_STALE;
	pkt->slot = block->slot;
	pkt->session = session;
	target->inner_port_be = target->seen & 0xffff;
	return 0;
}

/* The same for a packet that goes there. */
static __always_inline int cgnat_owner(struct bng_pkt *pkt, __u32 port, __u8 protocol,
				       struct cgnat_target *target)
{
	int verdict = cgnat_find_owner(pkt, port, protocol, target);

	return verdict == BNG_DROP_CGNAT_NO_MAPPING ? refuse_unmapped(target->address) : verdict;
}

/* The same for the packet's destination, which is the public address `index`; the
 * packet must pass the pool's filtering, and keeps the mapping alive as far as
 * packets from outside do. */
static __always_inline int cgnat_down(struct bng_pkt *pkt, __u32 index, __be16 *inner_port_be)
{
	__u32 port = index << 16 | bpf_ntohs(pkt->destination_port_be);
	struct cgnat_target target = {};
	int verdict = cgnat_owner(pkt, port, pkt->protocol, &target);

	if (!verdict)
		verdict = check_remote(pkt, target.pool, target.seen, port);
	if (verdict)
		return verdict;
	if (outside_refreshes(pkt, target.pool) &&
	    !mapping_touch(pkt, port, bng_mapping_word_key(target.seen), target.seen, 0))
		return refuse_unmapped(target.address);
	*inner_port_be = target.inner_port_be;
	return 0;
}

#endif
