/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Questions and tricks around XDP programs on interfaces.
 */
#ifndef BNG_LIB_XDP_H
#define BNG_LIB_XDP_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/problem.h"

/* Attaches a program to an interface that no other program has. VLAN tags are kept
 * in the packet. The link's descriptor, or negative and a problem that names who is
 * there. */
int xdp_attach(const char *interface, int program_fd, bool generic, struct problem *problem);

/* Programs attached to spare veth ends (bngpark0...). While both are parked, the
 * kernel's XDP dispatcher knows them already and replacing one by the other on a
 * real interface takes microseconds instead of 11 ms. */
#define XDP_PARK_MAX  8
#define XDP_PARK_NAME "bngpark%u"
struct xdp_park {
	size_t count;
	int link[XDP_PARK_MAX];
	__u32 program_id[XDP_PARK_MAX];
};
/* A program that is parked already, and one too many, are left out. 0 or -errno. */
int xdp_park(struct xdp_park *park, __u32 program_id, int program_fd);
void xdp_unpark(struct xdp_park *park);

#endif
