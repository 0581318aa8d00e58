/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Ethernet, tags, IPv4, UDP: bytes in, bytes out.
 */
#include "test/emulator/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define IP_HEADER    20
#define UDP_HEADER   8
#define PROTOCOL_UDP 17
#define IP_FRAGMENT  0x3fff /* MF and offset */

uint16_t read16(const uint8_t *data)
{
	return (uint16_t)(data[0] << 8 | data[1]);
}

uint32_t read32(const uint8_t *data)
{
	return (uint32_t)read16(data) << 16 | read16(data + 2);
}

uint64_t read64(const uint8_t *data)
{
	return (uint64_t)read32(data) << 32 | read32(data + 4);
}

uint32_t read32_be(const uint8_t *data)
{
	uint32_t value;

	memcpy(&value, data, sizeof(value));
	return value;
}

bool is_padding(const uint8_t *data, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (data[i])
			return false;
	}
	return true;
}

bool tags_equal(const struct tags *a, const struct tags *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++) {
		if (a->tag[i].tpid != b->tag[i].tpid || a->tag[i].vid != b->tag[i].vid)
			return false;
	}
	return true;
}

enum fault frame_parse(const uint8_t *data, size_t length, struct frame *frame)
{
	size_t at = 12;

	*frame = (struct frame){0};
	if (length < 14)
		return FAULT_FRAME_SHORT;
	memcpy(frame->to, data, 6);
	memcpy(frame->from, data + 6, 6);
	frame->ethertype = read16(data + at);
	while (frame->ethertype == ETHERTYPE_VLAN || frame->ethertype == ETHERTYPE_QINQ) {
		if (length < at + 6)
			return FAULT_FRAME_SHORT;
		if (frame->tags.count == 2)
			return FAULT_FRAME_TAGS;
		frame->tags.tag[frame->tags.count++] =
			(struct tag){frame->ethertype, read16(data + at + 2) & 0x0fff};
		at += 4;
		frame->ethertype = read16(data + at);
	}
	frame->payload = data + at + 2;
	frame->length = length - at - 2;
	return FAULT_NONE;
}

/* Ones' complement sum of 16-bit words, not folded. */
static uint32_t sum(const uint8_t *data, size_t length, uint32_t start)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		start += read16(data + i);
	return length % 2 ? start + (uint32_t)(data[length - 1] << 8) : start;
}

static uint16_t fold(uint32_t value)
{
	while (value >> 16)
		value = (value & 0xffff) + (value >> 16);
	return (uint16_t)~value;
}

/* Of a UDP packet behind a 20-byte IP header: 0 when the checksum in it is right. */
static uint16_t udp_sum(const uint8_t *ip, size_t udp_length)
{
	uint32_t pseudo = sum(ip + 12, 8, PROTOCOL_UDP + (uint32_t)udp_length);

	return fold(sum(ip + IP_HEADER, udp_length, pseudo));
}

static enum fault check_ip(const uint8_t *data, size_t length, bool padding)
{
	size_t total;

	if (length < IP_HEADER || data[0] != 0x45)
		return FAULT_IP_HEADER;
	total = read16(data + 2);
	if (total < IP_HEADER || total > length)
		return FAULT_IP_LENGTH;
	if (fold(sum(data, IP_HEADER, 0)))
		return FAULT_IP_CHECKSUM;
	if (read16(data + 6) & IP_FRAGMENT)
		return FAULT_IP_HEADER;
	if (padding ? !is_padding(data + total, length - total) : total != length)
		return padding ? FAULT_FRAME_PADDING : FAULT_IP_LENGTH;
	return FAULT_NONE;
}

enum fault datagram_parse(const uint8_t *data, size_t length, bool padding, struct datagram *datagram)
{
	enum fault fault = check_ip(data, length, padding);
	const uint8_t *udp = data + IP_HEADER;
	size_t total;

	if (fault)
		return fault;
	total = read16(data + 2);
	if (data[9] != PROTOCOL_UDP || total < IP_HEADER + UDP_HEADER)
		return FAULT_IP_HEADER;
	if (read16(udp + 4) != total - IP_HEADER)
		return FAULT_UDP_LENGTH;
	if (read16(udp + 6) && udp_sum(data, total - IP_HEADER))
		return FAULT_UDP_CHECKSUM;
	*datagram = (struct datagram){
		.from_be = read32_be(data + 12),
		.to_be = read32_be(data + 16),
		.from_port = read16(udp),
		.to_port = read16(udp + 2),
		.ttl = data[8],
		.payload = udp + UDP_HEADER,
		.length = total - IP_HEADER - UDP_HEADER,
	};
	return FAULT_NONE;
}

/* ---- Writing --------------------------------------------------------------------- */

static uint8_t *room(struct writer *writer, size_t length)
{
	assert(writer->length + length <= sizeof(writer->data));
	writer->length += length;
	return writer->data + writer->length - length;
}

void put8(struct writer *writer, uint8_t value)
{
	*room(writer, 1) = value;
}

void put16(struct writer *writer, uint16_t value)
{
	put8(writer, (uint8_t)(value >> 8));
	put8(writer, (uint8_t)value);
}

void put32(struct writer *writer, uint32_t value)
{
	put16(writer, (uint16_t)(value >> 16));
	put16(writer, (uint16_t)value);
}

void put32_be(struct writer *writer, uint32_t value_be)
{
	put_bytes(writer, &value_be, sizeof(value_be));
}

void put64(struct writer *writer, uint64_t value)
{
	put32(writer, (uint32_t)(value >> 32));
	put32(writer, (uint32_t)value);
}

void put_bytes(struct writer *writer, const void *data, size_t length)
{
	if (length)
		memcpy(room(writer, length), data, length);
}

void put_zeros(struct writer *writer, size_t length)
{
	memset(room(writer, length), 0, length);
}

void set16(struct writer *writer, size_t at, uint16_t value)
{
	assert(at + 2 <= writer->length);
	writer->data[at] = (uint8_t)(value >> 8);
	writer->data[at + 1] = (uint8_t)value;
}

void put_ethernet(struct writer *writer, const uint8_t *to, const uint8_t *from, const struct tags *tags,
		  uint16_t ethertype)
{
	put_bytes(writer, to, 6);
	put_bytes(writer, from, 6);
	for (int i = 0; i < tags->count; i++) {
		put16(writer, tags->tag[i].tpid);
		put16(writer, tags->tag[i].vid);
	}
	put16(writer, ethertype);
}

size_t datagram_begin(struct writer *writer, const struct datagram *datagram)
{
	size_t begin = writer->length;

	put16(writer, 0x4500);
	put_zeros(writer, 6); /* length, id, not a fragment */
	put8(writer, datagram->ttl);
	put8(writer, PROTOCOL_UDP);
	put16(writer, 0);
	put32_be(writer, datagram->from_be);
	put32_be(writer, datagram->to_be);
	put16(writer, datagram->from_port);
	put16(writer, datagram->to_port);
	put32(writer, 0);
	return begin;
}

void datagram_end(struct writer *writer, size_t begin)
{
	size_t total = writer->length - begin;
	uint8_t *ip = writer->data + begin;
	uint16_t checksum;

	set16(writer, begin + 2, (uint16_t)total);
	set16(writer, begin + 10, fold(sum(ip, IP_HEADER, 0)));
	set16(writer, begin + IP_HEADER + 4, (uint16_t)(total - IP_HEADER));
	checksum = udp_sum(ip, total - IP_HEADER);
	set16(writer, begin + IP_HEADER + 6, checksum ? checksum : 0xffff);
}
