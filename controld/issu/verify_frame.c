/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Comparing frames. A difference has the name of the field where it begins.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "controld/issu/verify.h"
#include "lib/address.h"

#define ETHERNET_BYTES 14
#define IPV4_BYTES     20
#define ETH_IP         0x0800
#define ETH_QINQ       0x88a8
#define ETH_VLAN       0x8100
#define ETH_PPPOE      0x8864
#define PUNT_TIME      ((uint32_t)offsetof(struct bng_punt, time_ns))

/* Where things lie in a frame; 0: not there. */
struct shape {
	uint32_t ip, l4, end; /* end: of the IP packet */
	uint8_t protocol;
	bool first; /* fragment, or whole: it has an L4 header */
};

static uint16_t load16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t ip_offset(const struct frame *frame)
{
	uint32_t at = ETHERNET_BYTES;
	uint16_t type;

	if (frame->length < ETHERNET_BYTES)
		return 0;
	type = load16(frame->bytes + 12);
	while ((type == ETH_VLAN || type == ETH_QINQ) && at + 4 <= frame->length) {
		type = load16(frame->bytes + at + 2);
		at += 4;
	}
	if (type == ETH_PPPOE && at + 8 <= frame->length && load16(frame->bytes + at + 6) == 0x0021)
		return at + 8;
	return type == ETH_IP ? at : 0;
}

static struct shape shape_of(const struct frame *frame)
{
	struct shape shape = {.ip = ip_offset(frame)};
	const uint8_t *ip = frame->bytes + shape.ip;
	uint32_t header, length;

	if (!shape.ip || shape.ip + IPV4_BYTES > frame->length || ip[0] >> 4 != 4)
		return (struct shape){0};
	header = (ip[0] & 15) * 4u;
	length = load16(ip + 2);
	if (header < IPV4_BYTES || length < header || shape.ip + length > frame->length)
		return (struct shape){0};
	shape.l4 = shape.ip + header;
	shape.end = shape.ip + length;
	shape.protocol = ip[9];
	shape.first = !(load16(ip + 6) & 0x1fff);
	return shape;
}

/* Of the L4 checksum; 0: it has none. */
static uint32_t checksum_offset(const struct shape *shape)
{
	uint32_t at = shape->protocol == IPPROTO_TCP    ? 16
		      : shape->protocol == IPPROTO_UDP  ? 6
		      : shape->protocol == IPPROTO_ICMP ? 2
							: 0;

	return at && shape->first && shape->l4 + at + 2 <= shape->end ? shape->l4 + at : 0;
}

const char *const frame_fields[] = {
	"ethernet",  "encapsulation",  "ip.ttl",      "ip.header",      "ip.checksum",
	"ip.source", "ip.destination", "l4.checksum", "l4.source_port", "l4.destination_port",
	"payload",   "length",         "punt",        "frame",          NULL,
};

static const char *field_at(const struct shape *shape, uint32_t at)
{
	uint32_t l4 = at - shape->l4;

	if (at < ETHERNET_BYTES)
		return "ethernet";
	if (!shape->ip)
		return "payload";
	if (at < shape->ip)
		return "encapsulation";
	if (at < shape->l4) {
		uint32_t ip = at - shape->ip;

		return ip == 8                ? "ip.ttl"
		       : ip == 10 || ip == 11 ? "ip.checksum"
		       : ip >= 12 && ip < 16  ? "ip.source"
		       : ip >= 16 && ip < 20  ? "ip.destination"
					      : "ip.header";
	}
	if (checksum_offset(shape) && at - checksum_offset(shape) < 2)
		return "l4.checksum";
	if (shape->first && (shape->protocol == IPPROTO_TCP || shape->protocol == IPPROTO_UDP) && l4 < 4)
		return l4 < 2 ? "l4.source_port" : "l4.destination_port";
	return "payload";
}

const char *frame_differs(const struct frame *old, const struct frame *new, bool is_punt)
{
	const struct shape shape = shape_of(old);

	if (old->length != new->length)
		return "length";
	for (uint32_t i = 0; i < old->length; i++) {
		if (is_punt && i >= PUNT_TIME && i < PUNT_TIME + sizeof(uint64_t))
			continue;
		if (old->bytes[i] != new->bytes[i])
			return is_punt ? i < sizeof(struct bng_punt) ? "punt" : "frame" : field_at(&shape, i);
	}
	return NULL;
}

static uint32_t sum_words(const uint8_t *bytes, uint32_t length, uint32_t sum)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += load16(bytes + i);
	if (length & 1)
		sum += (uint32_t)bytes[length - 1] << 8;
	return sum;
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* What the sums over a packet come to: the same for what is right, and for what is wrong by
 * as much. */
static uint32_t residues(const struct frame *frame, const struct shape *shape)
{
	const uint8_t *ip = frame->bytes + shape->ip, *l4 = frame->bytes + shape->l4;
	uint32_t length = shape->end - shape->l4, sum = 0, at = checksum_offset(shape);
	uint16_t header = folded(sum_words(ip, shape->l4 - shape->ip, 0));

	if (!at || (shape->protocol == IPPROTO_UDP && !load16(frame->bytes + at)))
		return (uint32_t)header << 16;
	if (shape->protocol != IPPROTO_ICMP)
		sum = sum_words(ip + 12, 8, shape->protocol + length);
	return (uint32_t)header << 16 | folded(sum_words(l4, length, sum));
}

/* The fields that follow from the public end become zero. */
static void forget_source(uint8_t *bytes, const struct shape *shape)
{
	uint32_t checksum = checksum_offset(shape);

	memset(bytes + shape->ip + 10, 0, 6);
	if (checksum)
		memset(bytes + checksum, 0, 2);
	if (checksum && shape->protocol == IPPROTO_ICMP && shape->l4 + 6 <= shape->end)
		memset(bytes + shape->l4 + 4, 0, 2);
	else if (checksum)
		memset(bytes + shape->l4, 0, 2);
}

const char *frame_differs_beyond_source(const struct frame *old, const struct frame *new)
{
	const struct shape a = shape_of(old), b = shape_of(new);
	uint8_t bytes[2][FRAME_ROOM];
	uint32_t before, after;

	if (!a.ip || !b.ip || a.ip != b.ip || a.l4 != b.l4 || old->length != new->length ||
	    old->length > FRAME_ROOM)
		return frame_differs(old, new, false);
	before = residues(old, &a);
	after = residues(new, &b);
	if (before != after)
		return before >> 16 != after >> 16 ? "ip.checksum" : "l4.checksum";
	memcpy(bytes[0], old->bytes, old->length);
	memcpy(bytes[1], new->bytes, new->length);
	forget_source(bytes[0], &a);
	forget_source(bytes[1], &b);
	return frame_differs(&(struct frame){bytes[0], old->length}, &(struct frame){bytes[1], new->length},
			     false);
}

bool frame_source(const struct frame *frame, uint32_t *address_be, uint16_t *port)
{
	const struct shape shape = shape_of(frame);

	if (!shape.ip)
		return false;
	memcpy(address_be, frame->bytes + shape.ip + 12, sizeof(*address_be));
	*port = 0;
	if (checksum_offset(&shape) && shape.l4 + 6 <= shape.end)
		*port = load16(frame->bytes + shape.l4 + (shape.protocol == IPPROTO_ICMP ? 4 : 0));
	return true;
}

void frame_describe(const struct frame *frame, char *text, size_t size)
{
	const struct shape shape = shape_of(frame);
	char source[ADDRESS_TEXT], destination[ADDRESS_TEXT];
	const uint8_t *ip = frame->bytes + shape.ip, *l4 = frame->bytes + shape.l4;
	uint32_t from, to;

	if (!shape.ip) {
		snprintf(text, size, "%u bytes", frame->length);
		return;
	}
	memcpy(&from, ip + 12, sizeof(from));
	memcpy(&to, ip + 16, sizeof(to));
	address_format(from, source);
	address_format(to, destination);
	if (checksum_offset(&shape) && shape.protocol != IPPROTO_ICMP)
		snprintf(text, size, "%u bytes, %s %s:%u > %s:%u", frame->length,
			 shape.protocol == IPPROTO_TCP ? "tcp" : "udp", source, load16(l4), destination,
			 load16(l4 + 2));
	else
		snprintf(text, size, "%u bytes, IP protocol %u, %s > %s", frame->length, shape.protocol,
			 source, destination);
}
