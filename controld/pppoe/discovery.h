/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Discovery packets as bytes (RFC 2516, RFC 4638, TR-101 section 3.9.2): what is behind
 * the Ethernet header and its tags.
 *
 * A parsed packet points into the frame and is bounded by it. Everything is in host
 * byte order.
 */
#ifndef BNG_PPPOE_DISCOVERY_H
#define BNG_PPPOE_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PPPOE_ETHERTYPE_DISCOVERY 0x8863
#define PPPOE_ETHERTYPE_SESSION   0x8864
#define PPPOE_HEADER              6
#define PPPOE_DISCOVERY_MAX       1484 /* bytes of tags, RFC 2516 section 5 */
#define PPPOE_LINE_MAX            253  /* of a circuit or remote id: what RADIUS can say */

enum pppoe_code {
	PPPOE_SESSION_DATA = 0x00,
	PPPOE_PADO = 0x07,
	PPPOE_PADI = 0x09,
	PPPOE_PADR = 0x19,
	PPPOE_PADS = 0x65,
	PPPOE_PADT = 0xa7,
};

enum pppoe_tag {
	PPPOE_TAG_END = 0x0000,
	PPPOE_TAG_SERVICE_NAME = 0x0101,
	PPPOE_TAG_AC_NAME = 0x0102,
	PPPOE_TAG_HOST_UNIQ = 0x0103,
	PPPOE_TAG_AC_COOKIE = 0x0104,
	PPPOE_TAG_VENDOR = 0x0105,
	PPPOE_TAG_RELAY_SESSION = 0x0110,
	PPPOE_TAG_MAX_PAYLOAD = 0x0120,
	PPPOE_TAG_SERVICE_NAME_ERROR = 0x0201,
	PPPOE_TAG_AC_SYSTEM_ERROR = 0x0202,
	PPPOE_TAG_GENERIC_ERROR = 0x0203,
};

/* A tag's value; data NULL: the tag was not there. */
struct pppoe_bytes {
	const uint8_t *data;
	uint16_t length;
};

struct discovery {
	uint8_t code;
	uint16_t session;
	struct pppoe_bytes service;
	struct pppoe_bytes host_uniq;
	struct pppoe_bytes relay;
	struct pppoe_bytes cookie;
	struct pppoe_bytes circuit_id; /* of the access node's tag */
	struct pppoe_bytes remote_id;
	uint16_t max_payload; /* 0: not given */
};

/* 0, or -EBADMSG: not PPPoE, a length that leads out of the packet, a tag that may be
 * there once and is twice, a line identification that is none. */
int discovery_parse(const uint8_t *data, size_t length, struct discovery *packet);

/* A packet being written; what does not fit makes its end 0. */
struct discovery_writer {
	uint8_t *data;
	size_t used;
	size_t size;
	bool full;
};

void discovery_begin(struct discovery_writer *writer, enum pppoe_code code, uint16_t session, uint8_t *data,
		     size_t size);
void discovery_put(struct discovery_writer *writer, enum pppoe_tag tag, const void *value, size_t length);
/* The tag as it came, if it came. */
void discovery_echo(struct discovery_writer *writer, enum pppoe_tag tag, const struct pppoe_bytes *value);
/* Bytes of the packet, or 0. */
size_t discovery_end(struct discovery_writer *writer);

#endif
