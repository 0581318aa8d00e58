/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A frame with an IPv4 packet as several, each with a fragment of it (RFC 791 section
 * 3.2). A fragment can be cut again.
 */
#ifndef BNG_LARGE_CUT_H
#define BNG_LARGE_CUT_H

#include <stddef.h>
#include <stdint.h>

#define CUT_FRAME_MAX 10240

/* 0 to go on. */
typedef int cut_send(const uint8_t *frame, size_t length, void *context);

/* Hands the fragments to `send` in order, each with at most `mtu` bytes of IP. 0;
 * -EBADMSG: no IPv4 packet, or one that must not be cut; -EMSGSIZE: `mtu` leaves no room
 * for data; or what `send` said. */
int cut_frame(const uint8_t *frame, size_t length, uint16_t mtu, cut_send *send, void *context);

#endif
