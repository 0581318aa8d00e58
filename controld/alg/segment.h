/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A frame with a TCP segment in it: where its parts are, and the frame with other
 * payload. Fields ending in _be are network byte order.
 */
#ifndef BNG_ALG_SEGMENT_H
#define BNG_ALG_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_FRAME_MAX 2048 /* as the punt veth takes them */

struct segment {
	uint32_t source_be;
	uint32_t destination_be;
	uint16_t source_port_be;
	uint16_t destination_port_be;
	uint32_t sequence;
	size_t ip; /* offsets in the frame */
	size_t tcp;
	size_t payload;
	size_t end; /* of the IP packet: what follows is padding */
};

/* 0, or -EBADMSG and *segment untouched: no whole, unfragmented TCP over IPv4. */
int segment_parse(const uint8_t *frame, size_t length, struct segment *segment);

/* The frame with `old` bytes at the front of the payload replaced by `text`; lengths and
 * checksums are changed by the difference, so that what was wrong stays wrong. Bytes
 * written to `out`, or 0 when it would be longer than SEGMENT_FRAME_MAX. */
size_t segment_replace(const uint8_t *frame, const struct segment *segment, size_t old, const char *text,
		       size_t length, uint8_t out[static SEGMENT_FRAME_MAX]);

#endif
