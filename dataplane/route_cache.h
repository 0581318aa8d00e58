/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A resolved next hop, as the route cache keeps it for one destination.
 */
#ifndef BNG_DATAPLANE_ROUTE_CACHE_H
#define BNG_DATAPLANE_ROUTE_CACHE_H

#include <linux/types.h>

#define ROUTE_CACHE_SHIFT   12
#define ROUTE_CACHE_ENTRIES (1 << ROUTE_CACHE_SHIFT)
#define ROUTE_CACHE_TICKS   3 /* a changed route or neighbour is seen within 0.8 s */

struct route {
	__u32 destination_be;
	__u32 tick;      /* when the kernel was asked */
	__u16 interface; /* interface index; 0: empty */
	__u16 mtu;
	__u8 destination_mac[6];
	__u8 source_mac[6];
	__u8 reserved[8];
};

#endif
