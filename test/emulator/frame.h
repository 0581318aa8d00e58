/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Frames as a subscriber's machine sees them: read strictly, written plainly.
 *
 * Nothing here is shared with the gateway, so that the two judge each other. Fields
 * ending in _be are network byte order, all others host byte order. A parsed frame
 * points into what it was parsed from.
 */
#ifndef BNG_EMULATOR_FRAME_H
#define BNG_EMULATOR_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "test/emulator/fault.h"

#define FRAME_MAX  1600 /* received */
#define WRITER_MAX 2048 /* room to wrap one */

#define ETHERTYPE_IPV4      0x0800
#define ETHERTYPE_ARP       0x0806
#define ETHERTYPE_VLAN      0x8100
#define ETHERTYPE_QINQ      0x88a8
#define ETHERTYPE_DISCOVERY 0x8863
#define ETHERTYPE_SESSION   0x8864

struct tag {
	uint16_t tpid;
	uint16_t vid;
};

struct tags {
	uint8_t count;
	struct tag tag[2]; /* outer first */
};

struct frame {
	uint8_t to[6];
	uint8_t from[6];
	struct tags tags;
	uint16_t ethertype;
	const uint8_t *payload;
	size_t length; /* padding included */
};

struct datagram {
	uint32_t from_be;
	uint32_t to_be;
	uint16_t from_port;
	uint16_t to_port;
	uint8_t ttl;
	const uint8_t *payload;
	size_t length;
};

/* FAULT_NONE, or what is wrong. */
enum fault frame_parse(const uint8_t *data, size_t length, struct frame *frame);
/* IPv4 with UDP in it: both headers, both checksums, both lengths. Behind the IP packet
 * there may be zeros (`padding`), or nothing. */
enum fault datagram_parse(const uint8_t *data, size_t length, bool padding, struct datagram *datagram);
bool tags_equal(const struct tags *a, const struct tags *b);
bool is_padding(const uint8_t *data, size_t length);

uint16_t read16(const uint8_t *data);
uint32_t read32(const uint8_t *data);
uint64_t read64(const uint8_t *data);
uint32_t read32_be(const uint8_t *data);

/* What is being written. Who writes more than fits has a bug, and is ended. */
struct writer {
	uint8_t data[WRITER_MAX];
	size_t length;
};

void put8(struct writer *writer, uint8_t value);
void put16(struct writer *writer, uint16_t value);
void put32(struct writer *writer, uint32_t value);
void put32_be(struct writer *writer, uint32_t value_be);
void put64(struct writer *writer, uint64_t value);
void put_bytes(struct writer *writer, const void *data, size_t length);
void put_zeros(struct writer *writer, size_t length);
void set16(struct writer *writer, size_t at, uint16_t value);

void put_ethernet(struct writer *writer, const uint8_t *to, const uint8_t *from, const struct tags *tags,
		  uint16_t ethertype);
/* IPv4 and UDP; the payload follows, and datagram_end fills in lengths and checksums. */
size_t datagram_begin(struct writer *writer, const struct datagram *datagram);
void datagram_end(struct writer *writer, size_t begin);

#endif
