/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Control packets between the data plane and controld.
 *
 * Up: XDP puts a bng_punt in front of the whole original frame (Ethernet header
 * and tags included) and redirects it to the punt veth (BNG_INTERFACE_PUNT);
 * controld reads it from a packet socket on the veth's other end.
 * Down: controld sends bng_punt + a whole frame into the same socket; the
 * program bng_inject on the near end strips the header and sends the frame out
 * of `interface`. Everything is in host byte order except where named _be.
 * Handed back: controld sends what it got (header and frame) as it got it, later;
 * bng_inject then treats the frame as if it had just come in on `interface`.
 *
 * The header starts like an Ethernet header so that a packet socket and a
 * capture tool accept it; ethertype 0x88b5 is IEEE's for local experiments.
 */
#ifndef BNG_ABI_PUNT_H
#define BNG_ABI_PUNT_H

#include <linux/types.h>

#define BNG_PUNT_ETHERTYPE 0x88b5
#define BNG_PUNT_VERSION   1

enum bng_punt_reason {
	BNG_PUNT_REASON_NONE = 0,
	BNG_PUNT_REASON_DHCP4 = 1,
	BNG_PUNT_REASON_INJECT = 2, /* downwards: controld to the wire */
	BNG_PUNT_REASON_PIN = 3,    /* downwards: a port forwarding, struct bng_pin behind bng_punt */
	/* To be held until its first is noted (abi/fragment.h), and handed back. */
	BNG_PUNT_REASON_FRAGMENT_UP = 4,
	BNG_PUNT_REASON_FRAGMENT_DOWN = 5, /* the same, from the core */
	/* Unsolicited, from the core: handed back after six seconds (RFC 5382 REQ-4). */
	BNG_PUNT_REASON_SYN = 6,
	BNG_PUNT_REASON_PCP = 7, /* a session's PCP request to its gateway */
	/* A command with an address (abi/alg.h): handed back rewritten, or as it is. */
	BNG_PUNT_REASON_FTP = 8,
	BNG_PUNT_REASON_EXPECT = 9, /* downwards: struct bng_expect behind bng_punt */
	BNG_PUNT_REASON_PPPOE_DISCOVERY = 10,
	BNG_PUNT_REASON_PPPOE_SESSION = 11, /* PPP control, or of a PPPoE session that is not open */
	BNG_PUNT_REASON_FIRST_PACKET = 12,  /* of an address without session, where such may come up */
	BNG_PUNT_REASON_LARGE = 13,         /* a frame for PPPoE session `slot`, to be sent in fragments */
	BNG_PUNT_REASONS = 16,
};

#define BNG_PUNT_LARGE_MAX 2000 /* bytes of IP: the punt veth takes no more */

enum bng_punt_flag {
	BNG_PUNT_REFUSED = 1 << 0, /* handed back: there was no room for it; FTP: it is as it was */
};

struct bng_punt {
	__u8 destination[6];
	__u8 source[6];
	__u16 ethertype_be;
	__u8 version;
	__u8 reason;     /* enum bng_punt_reason */
	__u16 interface; /* ingress (up) or egress (down) interface index */
	__u16 flags;     /* enum bng_punt_flag */
	__u32 slot;      /* session of the source address, 0: none */
	__u64 time_ns;   /* boottime at ingress */
};

_Static_assert(sizeof(struct bng_punt) == 32, "no padding");

enum bng_pin_action {
	BNG_PIN_SET = 1,
	BNG_PIN_CLEAR = 2, /* the mapping stays until its timer ends it */
	BNG_PIN_LEASE = 3, /* for PCP: struct bng_pin_lease */
	BNG_PIN_LEASE_END = 4,
};

/* Makes the mapping of an inner port of session `slot` if need be, and pins it. What
 * became of it is seen in map `mapping`. */
struct bng_pin {
	__u64 session_id; /* the slot's, or nothing is done */
	__u16 inner_port_be;
	__u16 public_port; /* 0: any */
	__u8 protocol;     /* enum bng_protocol: UDP or TCP */
	__u8 action;       /* enum bng_pin_action */
	__u8 flags;        /* 0: by RPC, else by the configuration */
	__u8 reserved0;
};

_Static_assert(sizeof(struct bng_pin) == 16, "no padding");

/* The same for a lease: only if the record is ACTIVE and of this inner end, and what
 * became of it is written there. A mapping that somebody else has pinned stays theirs. */
struct bng_pin_lease {
	struct bng_pin pin;
	__u32 record; /* index in map `pcp` */
	__u32 reserved0;
};

_Static_assert(sizeof(struct bng_pin_lease) == 24, "no padding");

/* A data connection is on its way from `remote_be` to a TCP port of session `slot`:
 * makes its mapping if need be. What became of it is seen in map `mapping`. */
struct bng_expect {
	__u64 session_id; /* the slot's, or nothing is done */
	__u32 remote_be;
	__u16 inner_port_be;
	__u8 reserved[2];
};

_Static_assert(sizeof(struct bng_expect) == 16, "no padding");

/* Map `punt_limit`, array, index = reason: token bucket that protects controld. */
struct bng_punt_limit {
	__u32 rate;   /* packets/s; 0: the default */
	__u32 burst;  /* packets; 0: the default */
	__u64 due_ns; /* written by the data plane */
};

#endif
