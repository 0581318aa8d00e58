/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * DHCPv4 packets as frames: Ethernet with up to two VLAN tags, IPv4, UDP, and
 * the message of RFC 2131 with its options (RFC 2132, 3046, 3396, 6842).
 *
 * The parser never reads behind `length` and copies what it keeps: a parsed
 * packet does not point into the frame. Fields ending in _be are network byte
 * order, all others host byte order.
 */
#ifndef BNG_DHCP4_PACKET_H
#define BNG_DHCP4_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/punt/frame.h"

#define DHCP4_SERVER_PORT    67
#define DHCP4_CLIENT_PORT    68
#define DHCP4_BROADCAST      0xffffffffu /* address, any byte order */
#define DHCP4_FLAG_BROADCAST 0x8000
#define DHCP4_OPTION_MAX     255

#define DHCP4_OP_REQUEST 1
#define DHCP4_OP_REPLY   2

enum dhcp4_type {
	DHCP4_NONE = 0, /* BOOTP */
	DHCP4_DISCOVER = 1,
	DHCP4_OFFER = 2,
	DHCP4_REQUEST = 3,
	DHCP4_DECLINE = 4,
	DHCP4_ACK = 5,
	DHCP4_NAK = 6,
	DHCP4_RELEASE = 7,
	DHCP4_INFORM = 8,
};

enum dhcp4_option {
	DHCP4_OPTION_PAD = 0,
	DHCP4_OPTION_SUBNET_MASK = 1,
	DHCP4_OPTION_ROUTER = 3,
	DHCP4_OPTION_DNS = 6,
	DHCP4_OPTION_MTU = 26,
	DHCP4_OPTION_REQUESTED_ADDRESS = 50,
	DHCP4_OPTION_LEASE_TIME = 51,
	DHCP4_OPTION_OVERLOAD = 52,
	DHCP4_OPTION_TYPE = 53,
	DHCP4_OPTION_SERVER_ID = 54,
	DHCP4_OPTION_PARAMETERS = 55,
	DHCP4_OPTION_MESSAGE = 56,
	DHCP4_OPTION_MAX_SIZE = 57,
	DHCP4_OPTION_RENEWAL_TIME = 58,
	DHCP4_OPTION_REBINDING_TIME = 59,
	DHCP4_OPTION_CLIENT_ID = 61,
	DHCP4_OPTION_RELAY_AGENT = 82,
	DHCP4_OPTION_END = 255,
};

/* The fixed part of a message, as on the wire. */
struct dhcp4_header {
	uint8_t op;
	uint8_t htype;
	uint8_t hlen;
	uint8_t hops;
	uint32_t xid_be;
	uint16_t secs_be;
	uint16_t flags_be;
	uint32_t ciaddr_be;
	uint32_t yiaddr_be;
	uint32_t siaddr_be;
	uint32_t giaddr_be;
	uint8_t chaddr[16];
	uint8_t sname[64];
	uint8_t file[128];
	uint32_t cookie_be;
};

_Static_assert(sizeof(struct dhcp4_header) == 240, "no padding");

/* An option's bytes, joined when it came in parts; length 0: absent or empty. */
struct dhcp4_bytes {
	uint16_t length;
	uint8_t data[DHCP4_OPTION_MAX];
};

enum dhcp4_overload {
	DHCP4_OVERLOAD_FILE = 1,
	DHCP4_OVERLOAD_SNAME = 2,
};

struct dhcp4_message {
	struct dhcp4_header header;
	enum dhcp4_type type;
	uint32_t requested_be; /* 0: option absent, also below */
	uint32_t server_id_be;
	uint16_t max_size;
	uint32_t lease_seconds; /* of a server */
	uint8_t overload;       /* enum dhcp4_overload: fields of the header that hold options, too */
	struct dhcp4_bytes parameters;
	struct dhcp4_bytes client_id;
	struct dhcp4_bytes relay_agent;
};

struct dhcp4_packet {
	struct frame_link link;
	struct frame_flow flow;
	struct dhcp4_message message;
};

/* -EBADMSG: malformed, -EILSEQ: wrong checksum, -EPROTO: no DHCP over UDP over
 * IPv4 for a server's port; *packet is then undefined. */
int dhcp4_packet_parse(const uint8_t *frame, size_t length, struct dhcp4_packet *packet);
int dhcp4_message_parse(const uint8_t *data, size_t length, struct dhcp4_message *message);

/* A message being written; what does not fit is left out and makes put false. */
struct dhcp4_writer {
	uint8_t *data;
	size_t used;
	size_t size;
};

/* Starts with the header; `size` is that of `data`, at least 300. */
void dhcp4_writer_init(struct dhcp4_writer *writer, const struct dhcp4_header *header, uint8_t *data,
		       size_t size);
bool dhcp4_put(struct dhcp4_writer *writer, uint8_t option, const void *data, size_t length);
bool dhcp4_put_be32(struct dhcp4_writer *writer, uint8_t option, uint32_t value_be);
/* Adds the end option and pads to 300 bytes (BOOTP); the message's length. */
size_t dhcp4_writer_finish(struct dhcp4_writer *writer);

#endif
