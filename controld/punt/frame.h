/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Datagrams of control protocols as frames: Ethernet with up to two VLAN tags, PPPoE or
 * not, IPv4, UDP. A reply goes back through the encapsulation it came with.
 *
 * The parser never reads behind `length`; the payload points into the frame. Fields
 * ending in _be are network byte order, all others host byte order.
 */
#ifndef BNG_CONTROLD_FRAME_H
#define BNG_CONTROLD_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FRAME_MAX 1530 /* Ethernet, two tags, PPPoE, 1,500 bytes of IP */

struct frame_tag {
	uint16_t tpid;
	uint16_t tci; /* priority, DEI and VLAN id */
};

struct frame_link {
	uint8_t destination[6];
	uint8_t source[6];
	struct frame_tag tag[2]; /* outer first */
	unsigned tags;
	uint16_t pppoe_session; /* 0: no PPPoE */
};

struct frame_flow {
	uint32_t source_be;
	uint32_t destination_be;
	uint16_t source_port;
	uint16_t destination_port;
};

struct frame {
	struct frame_link link;
	struct frame_flow flow;
	const uint8_t *payload;
	size_t payload_length;
};

/* Where IPv4 begins behind up to two tags, in PPPoE or not; 0: it is something else, or
 * too short. */
size_t frame_find_ipv4(const uint8_t *data, size_t length);
/* What has become of the IPv4 packet that begins at `ipv4`: its length, for PPPoE. */
void frame_resized(uint8_t *data, size_t ipv4, uint16_t length);

/* What is in front of the payload: its length and what follows; 0: too short, or more
 * than two tags. */
size_t frame_parse_link(const uint8_t *data, size_t length, struct frame_link *link, uint16_t *type);
/* The same the other way: its length, or 0 when `size` is too small. */
size_t frame_build_link(const struct frame_link *link, uint16_t type, uint8_t *frame, size_t size);

static inline uint16_t frame_read_be16(const uint8_t *from)
{
	uint16_t value_be;

	memcpy(&value_be, from, sizeof(value_be));
	return value_be;
}

/* -EBADMSG: malformed, -EILSEQ: wrong checksum, -EPROTO: no UDP over IPv4, or a
 * fragment; *frame is then undefined. */
int frame_parse(const uint8_t *data, size_t length, struct frame *frame);

/* Wraps `payload` into a frame: its length, or 0 when `size` is too small. */
size_t frame_build(const struct frame_link *link, const struct frame_flow *flow, const uint8_t *payload,
		   size_t payload_length, uint8_t *frame, size_t size);

#endif
