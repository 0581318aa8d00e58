/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Interfaces and the addresses the gateway answers for.
 *
 * An interface has a small index of ours (1 .. BNG_INTERFACES - 1; 0 means
 * none) that controld gives out and never changes while the interface is
 * configured. Maps:
 *   interface             array, index = interface index -> bng_interface
 *   interface_of_ifindex  hash, kernel ifindex -> __u32 interface index
 *   tx_interface          devmap, interface index -> kernel ifindex
 *   gateway               hash, bng_gateway_key -> __u32 (unused, 1)
 * The punt veth is the interface BNG_INTERFACE_PUNT.
 */
#ifndef BNG_ABI_INTERFACE_H
#define BNG_ABI_INTERFACE_H

#include <linux/types.h>

#define BNG_INTERFACES     64
#define BNG_INTERFACE_PUNT 63

enum bng_interface_role {
	BNG_ROLE_NONE = 0,
	BNG_ROLE_ACCESS = 1,
	BNG_ROLE_CORE = 2,
	BNG_ROLE_PUNT = 3,
};

enum bng_interface_flag {
	BNG_INTERFACE_PPPOE = 1 << 0, /* PPPoE is offered (live) */
};

struct bng_interface {
	__u32 ifindex;
	__u8 role;  /* enum bng_interface_role */
	__u8 flags; /* enum bng_interface_flag */
	__u8 reserved0[2];
	__u8 mac[6];
	__u16 mtu;        /* largest IP packet, bytes */
	__u32 address_be; /* source of ICMP errors to subscribers; first gateway address */
	__u8 reserved1[12];
};

_Static_assert(sizeof(struct bng_interface) == 32, "half a cache line");

struct bng_gateway_key {
	__u32 interface; /* interface index */
	__u32 address_be;
};

#endif
