/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Making a mapping: the slow path of the way up.
 *
 * Invariants
 * 1. One creator at a time for a session (bng_subscriber.lock), so that an inner
 *    end never gets two public ports.
 * 2. An entry is taken by compare-and-swap from a free word, so that a port is
 *    never given twice.
 * 3. After the entry is published its block must still be ALLOCATED; if not, the
 *    entry is taken back and the search goes on (bng_sweep won).
 * 4. Nothing in use is ever overwritten: full means refused.
 * 5. A session that was moved makes its mappings at its address; blocks elsewhere are
 *    old: mappings are found there, and made there only where its address has no block
 *    for it, or at its limit of mappings. They do not count as blocks it has.
 */
#ifndef BNG_DATAPLANE_CGNAT_CREATE_H
#define BNG_DATAPLANE_CGNAT_CREATE_H

#include "cgnat_block.h"

#define LOCK_SPINS         65536
#define LOCK_STALE_TICKS   8            /* two seconds: no creator takes that long */
#define PORT_REFUSED       (1ULL << 32) /* | verdict: what cgnat_create returns when it refuses */
#define CREATE_LAST_RESORT 0x80
#define PORT_LEAVING       (PORT_NONE - 1)
#define LIMIT_PROBES       8 /* buckets of each block a session at its limit may look into */
#define TAKE_BACK_TRIES    8

struct lock_attempt {
	struct bng_subscriber *session;
	__u32 mine;
	__u32 taken;
};

static long lock_step(__u32 index __attribute__((unused)), struct lock_attempt *attempt)
{
	__u32 *lock = &attempt->session->lock;
	__u32 held = *(volatile __u32 *)lock;

	/* Either may be the later one: the lock may have changed hands while we waited. */
	if (held && attempt->mine - held + LOCK_STALE_TICKS < 2 * LOCK_STALE_TICKS)
		return 0;
	attempt->taken = __sync_val_compare_and_swap(lock, held, attempt->mine) == held;
	return attempt->taken;
}

/* True when the session's lock is ours. It nearly always is at once. */
static __always_inline int lock_take(struct bng_subscriber *session, __u32 mine)
{
	struct lock_attempt attempt = {.session = session, .mine = mine};

	if (!__sync_val_compare_and_swap(&session->lock, 0, mine))
		return 1;
	bpf_loop(LOCK_SPINS, lock_step, &attempt, 0);
	return attempt.taken;
}

struct create {
	__u64 word; /* the entry as it shall be */
	__u64 port; /* made, or PORT_NONE */
	struct bng_pool *pool;
	struct bng_port_block *block;
	__u32 hash;
	__u32 first; /* of the block */
	__u8 shift;
	__u8 entry;      /* of a bucket, to begin with */
	__u8 step;       /* 2: only ports of the same parity */
	__u8 at_limit;   /* only an expired entry may be taken: it is counted already */
	__u8 taken_over; /* one was */
};

/* What a mapping begins with. */
static __always_inline __u64 mapping_new_word(__u32 key, __u8 state, __u32 tick)
{
	struct bng_meta *facts = meta_get();
	__u32 epoch = facts ? facts->exempt_epoch % BNG_MAPPING_EPOCHS : 0;

	return bng_mapping_word(key, state, epoch << BNG_MAPPING_EPOCH_SHIFT, tick);
}

static __always_inline int is_at_limit(const struct bng_subscriber *session)
{
	return *(volatile __u32 *)&session->mappings >= session->max_mappings;
}

/* bng_sweep won: the entry is as it was, even if packets have refreshed it since. */
static __always_inline void entry_take_back(__u64 *word, __u64 after, __u64 before)
{
	__u32 key = bng_mapping_word_key(after);

#pragma clang loop unroll(disable)
	for (int i = 0; i < TAKE_BACK_TRIES; i++) {
		__u64 found = __sync_val_compare_and_swap(word, after, before);

		if (found == after || bng_mapping_word_key(found) != key)
			return;
		after = found;
	}
}

/* Publishes the mapping in one entry. True when done. */
static __always_inline int entry_take(struct create *create, __u64 *word, __u32 probe)
{
	struct bng_port_block *block = create->block;
	__u64 before = *(volatile __u64 *)word, after = create->word;

	if (!bng_mapping_word_free(before, create->pool->timeout, bng_mapping_word_tick(after)))
		return 0;
	if (create->at_limit && !(before & BNG_MAPPING_PROTOCOL_MASK))
		return 0;
	if (probe > block->max_probe)
		block->max_probe = probe;
	if (__sync_val_compare_and_swap(word, before, after) != before)
		return 0;
	if (*(volatile __u8 *)&block->state != BNG_BLOCK_ALLOCATED) {
		entry_take_back(word, after, before);
		return 0;
	}
	create->taken_over = (before & BNG_MAPPING_PROTOCOL_MASK) != 0;
	return 1;
}

static long create_step(__u32 probe, struct create *create)
{
	__u32 index = probe_bucket(create->first, create->hash, create->shift, probe);
	struct bng_mapping_bucket *bucket = bucket_get(index);

	if (!bucket)
		return 1;
	for (__u32 i = 0; i < BNG_PORTS_PER_BUCKET; i++) {
		__u32 entry = (create->entry + i * create->step) & (BNG_PORTS_PER_BUCKET - 1);

		if (entry_take(create, bucket_word(bucket, entry), probe)) {
			create->port = (__u64)index * BNG_PORTS_PER_BUCKET + entry;
			return 1;
		}
	}
	return 0;
}

static __always_inline __u64 create_count(const struct create *create, struct bng_subscriber *session)
{
	if (create->port != PORT_NONE && !create->taken_over) {
		__sync_fetch_and_add(&create->block->used, 1);
		__sync_fetch_and_add(&session->mappings, 1);
	}
	return create->port;
}

/* In the block that starts at `first`: the port; PORT_NONE when it is full;
 * PORT_LEAVING when bng_sweep is taking it back, so that it counts as gone. A block
 * whose every port is counted as used is not searched for expired ones, except with
 * CREATE_LAST_RESORT in `state`. */
__noinline __u64 cgnat_create_in_block(__u32 slot, __u32 first, __u32 key, __u8 state, __u32 tick)
{
	struct create create = {.first = first, .port = PORT_NONE};
	struct bng_subscriber *session = subscriber_get(slot);
	__u32 buckets;

	create.block = block_of_port(first);
	if (!session || !create.block)
		return PORT_LEAVING;
	create.pool = pool_get(session->pool);
	if (!create.pool || *(volatile __u8 *)&create.block->state != BNG_BLOCK_ALLOCATED)
		return PORT_LEAVING;
	create.word = mapping_new_word(key, state & ~CREATE_LAST_RESORT, tick);
	if (key >> 16 == BNG_PROTOCOL_UDP && (create.pool->flags & BNG_POOL_PORT_TIMERS))
		create.word |= (__u64)BNG_MAPPING_UNPROMISED << 24;
	create.hash = cgnat_hash(session->port_key, key);
	create.shift = session->block_shift & 15;
	create.at_limit = is_at_limit(session);
	create.entry = probe_entry(create.hash, key);
	create.step = key >> 16 == BNG_PROTOCOL_UDP ? 2 : 1;
	if (!create.at_limit && !(state & CREATE_LAST_RESORT) &&
	    *(volatile __u32 *)&create.block->used >= 1U << create.shift)
		return PORT_NONE;
	buckets = 1U << ((create.shift - 3) & 15);
	if (create.at_limit && buckets > LIMIT_PROBES)
		buckets = LIMIT_PROBES;
	bpf_loop(buckets, create_step, &create, 0);
	if (create.port == PORT_NONE && create.step == 2) {
		create.step = 1;
		bpf_loop(buckets, create_step, &create, 0);
	}
	return create_count(&create, session);
}

/* What a session has to make mappings in. */
struct holding {
	__u32 home;  /* the address it is paired with */
	__u8 hole;   /* place for one more block; BNG_BLOCKS_PER_SUBSCRIBER: none */
	__u8 blocks; /* at home, and not leaving */
	__u8 old;    /* elsewhere */
};

#define HAS_BLOCK 1
#define HAS_OLD   (1 << 8)
#define HAS_HOLE  (1 << 16) /* and the next bits: at this place */

/* What is at one place of bng_subscriber.block. A function of its own, so that the
 * verifier need not follow every way to every sum. */
__noinline __u32 cgnat_block_kind(__u32 slot, __u32 place, __u32 home)
{
	struct bng_subscriber *session = subscriber_get(slot);
	struct bng_port_block *block;
	__u32 first;

	if (!session || place >= BNG_BLOCKS_PER_SUBSCRIBER)
		return 0;
	first = *(volatile __u32 *)&session->block[place];
	if (!first)
		return HAS_HOLE << place;
	if (first >> 16 != home)
		return HAS_OLD;
	block = block_of_port(first);
	return block && *(volatile __u8 *)&block->state == BNG_BLOCK_ALLOCATED ? HAS_BLOCK : 0;
}

static __always_inline struct holding count_blocks(__u32 slot, __u32 home)
{
	__u32 sum = HAS_HOLE << BNG_BLOCKS_PER_SUBSCRIBER;

	for (__u32 i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++)
		sum += cgnat_block_kind(slot, i, home);
	return (struct holding){
		.home = home,
		.hole = lowest_bit(sum / HAS_HOLE),
		.blocks = sum / HAS_BLOCK,
		.old = sum / HAS_OLD,
	};
}

/* In the blocks the session has at home, or in those elsewhere. */
static __always_inline __u64 create_in_own(struct bng_subscriber *session, __u32 slot, __u32 key, __u8 state,
					   __u32 tick, __u32 home, int elsewhere)
{
	for (__u32 i = 0; i < BNG_BLOCKS_PER_SUBSCRIBER; i++) {
		__u32 first = *(volatile __u32 *)&session->block[i];
		__u64 port;

		if (!first || (first >> 16 != home) != elsewhere)
			continue;
		port = cgnat_create_in_block(slot, first, key, state, tick);
		if (port < PORT_REFUSED)
			return port;
	}
	return PORT_NONE;
}

static __always_inline void count_fallback(__u32 home)
{
	struct bng_pool_address *address = pool_address_get(home);

	if (address)
		__sync_fetch_and_add(&address->fallbacks, 1);
}

/* Where the session was before it was moved, also in place of an expired mapping; or
 * `verdict`. */
static __always_inline __u64 create_elsewhere(struct bng_subscriber *session, __u32 slot, __u32 key,
					      __u8 state, __u32 tick, __u32 home, int verdict)
{
	__u64 port = create_in_own(session, slot, key, state | CREATE_LAST_RESORT, tick, home, 1);

	if (port >= PORT_REFUSED)
		return PORT_REFUSED | verdict;
	count_fallback(home);
	return port;
}

/* In one more block; PORT_NONE when there is none. */
static __always_inline __u64 create_in_new_block(__u32 slot, __u32 key, __u8 state, __u32 tick,
						 const struct holding *has)
{
	__u32 first = cgnat_take_fixed(slot, has->home, has->blocks + has->old);
	int verdict;
	__u64 port;

	if (!first)
		first = cgnat_take_anywhere(slot, has->home, has->blocks + has->old);
	if (!first)
		return PORT_NONE;
	verdict = cgnat_give_block(slot, has->hole, first);
	if (verdict)
		return PORT_REFUSED | verdict;
	port = cgnat_create_in_block(slot, first, key, state, tick);
	return port < PORT_REFUSED ? port : PORT_REFUSED | BNG_DROP_CGNAT_BUSY;
}

/* Nothing was free in the blocks it has at home. */
static __always_inline __u64 create_in_another(struct bng_subscriber *session, __u32 slot, __u32 key,
					       __u8 state, __u32 tick, __u32 home)
{
	struct holding has = count_blocks(slot, home);
	int verdict = BNG_DROP_CGNAT_BLOCK_LIMIT;
	__u64 port;

	if (has.blocks < session->max_blocks && has.hole < BNG_BLOCKS_PER_SUBSCRIBER) {
		port = create_in_new_block(slot, key, state, tick, &has);
		if (port != PORT_NONE)
			return port;
		verdict = BNG_DROP_CGNAT_NO_BLOCK;
	}
	port = create_in_own(session, slot, key, state | CREATE_LAST_RESORT, tick, home, 0);
	if (port < PORT_REFUSED)
		return port;
	if (has.blocks >= session->max_blocks)
		return PORT_REFUSED | verdict;
	return create_elsewhere(session, slot, key, state, tick, home, verdict);
}

/* In a block the session has, else in one more. At its limit of mappings, in place
 * of an expired one: with nobody to sweep, the dead must not lock out the living. */
static __always_inline __u64 create_anywhere(struct bng_subscriber *session, __u32 slot, __u32 key,
					     __u8 state, __u32 tick)
{
	__u32 home = *(volatile __u32 *)&session->address_index;
	int at_limit = is_at_limit(session);
	__u64 port = create_in_own(session, slot, key, state, tick, home, 0);

	if (port < PORT_REFUSED)
		return port;
	if (at_limit)
		return create_elsewhere(session, slot, key, state, tick, home, BNG_DROP_CGNAT_MAPPING_LIMIT);
	return create_in_another(session, slot, key, state, tick, home);
}

static __always_inline void count_limit_hit(struct bng_subscriber *session)
{
	struct bng_pool_address *address = pool_address_get(session->address_index);

	if (address)
		__sync_fetch_and_add(&address->limit_hits, 1);
}

/* RFC 6888 REQ-5. The clock's grain is a tick, which a burst evens out. */
static __always_inline int creation_allowed(struct bng_subscriber *session, __u32 tick)
{
	struct bng_pool *nat_pool = pool_get(session->pool);
	__u64 interval;

	if (!nat_pool || !nat_pool->mapping_rate)
		return 1;
	interval = 1000000000ULL / nat_pool->mapping_rate;
	return rate_allow(&session->mapping_due_ns, (__u64)tick << BNG_TICK_SHIFT, interval,
			  interval * nat_pool->mapping_burst);
}

/* With the lock held. `created` is the count the session had when the mapping was
 * looked for in vain; if another CPU has made some since, it may be among them. */
static __always_inline __u64 create_locked(struct bng_subscriber *session, __u32 slot, __u32 key, __u8 state,
					   __u32 tick, __u16 created)
{
	__u64 port = PORT_NONE;

	if (session->created != created)
		port = cgnat_search(slot, key);
	if (port != PORT_NONE)
		return port;
	if (!creation_allowed(session, tick))
		port = PORT_REFUSED | BNG_DROP_CGNAT_RATE_LIMIT;
	else
		port = create_anywhere(session, slot, key, state, tick);
	if (port == (PORT_REFUSED | BNG_DROP_CGNAT_MAPPING_LIMIT) ||
	    port == (PORT_REFUSED | BNG_DROP_CGNAT_BLOCK_LIMIT) ||
	    port == (PORT_REFUSED | BNG_DROP_CGNAT_RATE_LIMIT))
		count_limit_hit(session);
	session->created++;
	return port;
}

/* The public port of an inner end, made if need be: a global port, or
 * PORT_REFUSED | verdict. */
__noinline __u64 cgnat_create(__u32 slot, __u32 key, __u8 state, __u32 tick)
{
	struct bng_subscriber *session = subscriber_get(slot);
	__u32 mine = tick | 1; /* never 0 */
	struct bng_pool *nat_pool;
	__u16 created;
	__u64 port;

	if (!session)
		return PORT_REFUSED | BNG_DROP_INTERNAL;
	nat_pool = pool_get(session->pool);
	if (!nat_pool || !nat_pool->address_count)
		return PORT_REFUSED | BNG_DROP_CGNAT_NO_POOL;
	created = *(volatile __u16 *)&session->created;
	port = cgnat_search(slot, key);
	if (port != PORT_NONE)
		return port;
	if (!lock_take(session, mine))
		return PORT_REFUSED | BNG_DROP_CGNAT_BUSY;
	port = create_locked(session, slot, key, state, tick, created);
	__sync_val_compare_and_swap(&session->lock, mine, 0);
	if (port >= PORT_REFUSED)
		event_refused(session, slot, pool_address_get(session->address_index), tick, port & 0xff);
	return port;
}

#endif
