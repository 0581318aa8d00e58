/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The state of a TCP mapping (RFC 5382, RFC 7857 section 2), as a pure function
 * of the state, the FINs seen, the direction and the flags. One mapping may
 * serve several connections (endpoint-independent), so any doubt keeps it alive
 * longer:
 *
 *   state        event                        next
 *   PARTIAL      RST up or down               RESET
 *   PARTIAL      anything else from outside   ESTABLISHED
 *   ESTABLISHED  FIN, the other side's seen   CLOSING
 *   ESTABLISHED  RST                          RESET
 *   CLOSING      RST                          RESET
 *   CLOSING      SYN from inside              PARTIAL
 *   RESET        anything but RST             ESTABLISHED: the RST was not believed
 *   RESET        SYN from inside              PARTIAL
 */
#ifndef BNG_DATAPLANE_CGNAT_TCP_H
#define BNG_DATAPLANE_CGNAT_TCP_H

#include "abi/cgnat.h"

#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04

#define FIN_BOTH (BNG_MAPPING_FIN_INSIDE | BNG_MAPPING_FIN_OUTSIDE)

struct tcp_track {
	__u8 state; /* enum bng_mapping_state */
	__u8 fins;  /* of enum bng_mapping_flag */
};

static inline __attribute__((always_inline)) struct tcp_track cgnat_tcp_next(struct tcp_track now,
									     int from_inside, __u8 tcp_flags)
{
	if (tcp_flags & TCP_FLAG_RST)
		return (struct tcp_track){BNG_MAPPING_TCP_RESET, now.fins};
	if (from_inside && (tcp_flags & TCP_FLAG_SYN) && now.state != BNG_MAPPING_TCP_ESTABLISHED)
		return (struct tcp_track){BNG_MAPPING_TCP_PARTIAL, 0};
	if (now.state == BNG_MAPPING_TCP_PARTIAL && from_inside)
		return now;
	if (now.state == BNG_MAPPING_TCP_CLOSING)
		return now;
	if (now.state == BNG_MAPPING_TCP_RESET)
		now.fins = 0;
	if (tcp_flags & TCP_FLAG_FIN)
		now.fins |= from_inside ? BNG_MAPPING_FIN_INSIDE : BNG_MAPPING_FIN_OUTSIDE;
	now.state = now.fins == FIN_BOTH ? BNG_MAPPING_TCP_CLOSING : BNG_MAPPING_TCP_ESTABLISHED;
	return now;
}

#endif
