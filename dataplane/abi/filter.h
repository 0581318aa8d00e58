/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Packet filters: map `filter`, an mmapable array; index = number, which
 * bng_subscriber.filter names. Rules are looked at in their order, the first one that
 * matches decides, else the filter's default does.
 *
 * Packets go by the half that `active` says. controld writes the other half, when no
 * packet can still be in it, and turns `active`: a packet sees all of the old rules or all
 * of the new ones. Map `filter_hit` (per CPU, index = 2 * number + half) counts what each
 * rule has decided.
 *
 * An entry of zeros denies everything; that of BNG_FILTER_CLOSED is never written.
 */
#ifndef BNG_ABI_FILTER_H
#define BNG_ABI_FILTER_H

#include <linux/types.h>

#define BNG_FILTERS       64
#define BNG_FILTER_RULES  32
#define BNG_FILTER_NAME   32
#define BNG_FILTER_CLOSED (BNG_FILTERS - 1)

enum bng_filter_flag {
	BNG_FILTER_PERMIT = 1 << 0, /* else deny */
	BNG_FILTER_UP = 1 << 1,     /* for what the subscriber sends */
	BNG_FILTER_DOWN = 1 << 2,   /* for what it gets */
};

/* Address and ports are those of the remote end. */
struct bng_filter_rule {
	__u32 address_be;
	__u32 mask_be;
	__u16 port_first; /* of TCP and UDP */
	__u16 port_last;  /* 0: any port, or none */
	__u8 protocol;    /* as in the IP header; 0: any */
	__u8 flags;       /* enum bng_filter_flag */
	__u8 reserved[2];
};

struct bng_filter_half {
	__u8 count;
	__u8 flags; /* BNG_FILTER_PERMIT: what no rule matches passes */
	__u8 reserved[6];
	struct bng_filter_rule rule[BNG_FILTER_RULES];
};

struct bng_filter {
	__u32 active; /* bit 0 */
	__u32 reserved;
	__u8 name[BNG_FILTER_NAME]; /* controld's; "": not in use */
	struct bng_filter_half half[2];
};

struct bng_filter_hits {
	__u64 packets[BNG_FILTER_RULES + 1]; /* the last one: by the default */
};

_Static_assert(sizeof(struct bng_filter_rule) == 16, "no padding");
_Static_assert(sizeof(struct bng_filter_half) == 520, "no padding");
_Static_assert(sizeof(struct bng_filter) == 1080, "no padding");

#endif
