/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE sessions, found by what their control packets have instead of an inner address:
 * map `pppoe_session`, hash, bng_pppoe_key -> __u32 slot. controld adds an entry before
 * it publishes the record and takes it out when the session ends; one whose record is
 * not ACTIVE with the same PPPoE id counts for nothing.
 *
 * Map `pppoe_limit`, array, index = enum bng_pppoe_limited: how many discovery packets
 * of one sender get as far as controld. Senders are hashed into a fixed number of token
 * buckets; those that share one share its tokens.
 */
#ifndef BNG_ABI_PPPOE_H
#define BNG_ABI_PPPOE_H

#include <linux/types.h>

#define BNG_PPPOE_BUCKETS 8192 /* for each limit */

/* Host byte order, as in struct bng_subscriber. */
struct bng_pppoe_key {
	__u16 interface; /* interface index */
	__u16 session;   /* PPPoE id, never 0 */
	__u16 outer_vid;
	__u16 inner_vid;
	__u8 mac[6];
	__u8 reserved[2]; /* 0 */
};

_Static_assert(sizeof(struct bng_pppoe_key) == 16, "no padding");

enum bng_pppoe_limited {
	BNG_PPPOE_LIMIT_MAC = 0,     /* discovery packets of a MAC */
	BNG_PPPOE_LIMIT_VLAN = 1,    /* discovery packets of an interface and its tags */
	BNG_PPPOE_LIMIT_SESSION = 2, /* PPP packets of a MAC whose session is not open */
	BNG_PPPOE_LIMITS = 3,
};

struct bng_pppoe_limit {
	__u32 rate;  /* packets/s; 0: the default */
	__u32 burst; /* packets; 0: the default */
	__u32 seed;  /* of the hash, so that nobody can choose with whom he shares */
	__u32 reserved;
};

/* bng_subscriber.ppp_alive of a tick (abi/meta.h): a little more than seconds, modulo 2^16. */
static inline __u16 bng_ppp_alive(__u32 tick)
{
	return tick >> 2;
}

/* The latest tick it may stand for, seen from `now`, which is not 19 hours later. */
static inline __u32 bng_ppp_alive_tick(__u16 ppp_alive, __u32 now)
{
	__u32 ago = (__u16)(bng_ppp_alive(now) - ppp_alive);

	return ago ? (now | 3) - (ago << 2) : now;
}

#endif
