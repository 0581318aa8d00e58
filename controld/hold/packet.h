/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What must be known of a frame to hold it: the datagram it belongs to, or the
 * connection it wants. The frame itself is kept as it came.
 *
 * The parser never reads behind `length`. Fields ending in _be are network byte order.
 */
#ifndef BNG_HOLD_PACKET_H
#define BNG_HOLD_PACKET_H

#include <stddef.h>
#include <stdint.h>

#define HOLD_FRAME_MAX 2048 /* as the punt veth takes them */

struct hold_packet {
	uint32_t source_be;
	uint32_t destination_be;
	uint16_t id_be;
	uint8_t ip_protocol;
	uint16_t offset;              /* of a fragment, bytes; 0: the first, or no fragment */
	uint16_t source_port_be;      /* TCP only, where offset is 0 */
	uint16_t destination_port_be; /* the same */
};

/* Of what is held, since this process started. */
struct hold_stats {
	uint32_t held;
	uint64_t bytes;
	uint64_t released; /* handed back: its first came, its time came */
	uint64_t expired;  /* handed back: its first did not come */
	uint64_t repeated; /* not taken: the same is in already */
	uint64_t refused;  /* not taken: no room */
};

/* 0, or -EBADMSG and *packet untouched. */
int hold_packet_parse(const uint8_t *frame, size_t length, struct hold_packet *packet);

#endif
