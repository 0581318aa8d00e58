/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Where a session may come up by its first packet: map `first_packet_prefix`, an LPM trie. A
 * packet whose source has no session and lies in a prefix of the interface it came in on
 * goes to controld (BNG_PUNT_REASON_FIRST_PACKET). The value means nothing yet.
 */
#ifndef BNG_ABI_FIRST_PACKET_H
#define BNG_ABI_FIRST_PACKET_H

#include <linux/types.h>

/* The interface must be the entry's, so it comes before the address. */
#define BNG_FIRST_PACKET_INTERFACE_BITS 32

struct bng_first_packet_key {
	__u32 prefix_length; /* BNG_FIRST_PACKET_INTERFACE_BITS and the address's */
	__u32 interface;     /* interface index */
	__u32 address_be;
};

_Static_assert(sizeof(struct bng_first_packet_key) == 12, "no padding");

#define BNG_FIRST_PACKET_PREFIXES 256

#endif
