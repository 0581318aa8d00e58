/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What fault.bpf.c can do to packets.
 */
#ifndef BNG_BENCH_FAULT_H
#define BNG_BENCH_FAULT_H

#include <linux/types.h>

#define FAULTS(X)                                                                                            \
	X(NONE, "none")                                                                                      \
	X(DROP, "drop")                                                                                      \
	X(IP_CHECKSUM, "ip-checksum")                                                                        \
	X(UDP_PAYLOAD, "udp-payload") /* a bit flips, the checksum stays */                                  \
	X(DUPLICATE, "duplicate")                                                                            \
	X(SWAP, "swap")             /* sequence numbers 2n and 2n + 1 change places */                       \
	X(REMAP, "remap")           /* another source port */                                                \
	X(MISDELIVER, "misdeliver") /* another destination port */

enum fault {
#define FAULT_ENUM(name, text) FAULT_##name,
	FAULTS(FAULT_ENUM)
#undef FAULT_ENUM
		FAULT_COUNT
};

/* Read-only data of the object. */
struct fault_config {
	__u32 fault; /* enum fault */
	__u32 every; /* the n-th, 2n-th, ... packet of each direction */
};

#endif
