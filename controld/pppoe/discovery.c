/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Discovery packets, see the header. A table says where a tag's value goes.
 */
#include "controld/pppoe/discovery.h"

#include <errno.h>
#include <string.h>

#define VERSION_TYPE  0x11
#define TAG_HEADER    4
#define VENDOR_TR101  3561 /* the Broadband Forum's, TR-101 appendix */
#define TR101_CIRCUIT 1
#define TR101_REMOTE  2

static uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void write16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static int take_line(struct pppoe_bytes *to, const uint8_t *value, uint16_t length)
{
	if (to->data || length > PPPOE_LINE_MAX)
		return -EBADMSG;
	*to = (struct pppoe_bytes){value, length};
	return 0;
}

/* What the access node put in: sub-tags of one byte type, one byte length. */
static int take_vendor(struct discovery *packet, const uint8_t *value, uint16_t length)
{
	const uint8_t *end = value + length;

	if (length < 4)
		return -EBADMSG;
	if (((uint32_t)read16(value) << 16 | read16(value + 2)) != VENDOR_TR101)
		return 0;
	for (value += 4; value < end; value += 2 + value[1]) {
		int failure = 0;

		if (end - value < 2 || end - value - 2 < value[1])
			return -EBADMSG;
		if (value[0] == TR101_CIRCUIT)
			failure = take_line(&packet->circuit_id, value + 2, value[1]);
		else if (value[0] == TR101_REMOTE)
			failure = take_line(&packet->remote_id, value + 2, value[1]);
		if (failure)
			return failure;
	}
	return 0;
}

static int take_max_payload(struct discovery *packet, const uint8_t *value, uint16_t length)
{
	if (length != 2)
		return -EBADMSG;
	packet->max_payload = read16(value);
	return 0;
}

static struct pppoe_bytes *place_of(struct discovery *packet, uint16_t tag)
{
	switch (tag) {
	case PPPOE_TAG_SERVICE_NAME:
		return &packet->service;
	case PPPOE_TAG_HOST_UNIQ:
		return &packet->host_uniq;
	case PPPOE_TAG_RELAY_SESSION:
		return &packet->relay;
	case PPPOE_TAG_AC_COOKIE:
		return &packet->cookie;
	default:
		return NULL;
	}
}

static int take_tag(struct discovery *packet, uint16_t tag, const uint8_t *value, uint16_t length)
{
	struct pppoe_bytes *place = place_of(packet, tag);

	if (tag == PPPOE_TAG_VENDOR)
		return take_vendor(packet, value, length);
	if (tag == PPPOE_TAG_MAX_PAYLOAD)
		return take_max_payload(packet, value, length);
	if (!place)
		return 0;
	if (place->data)
		return -EBADMSG;
	*place = (struct pppoe_bytes){value, length};
	return 0;
}

int discovery_parse(const uint8_t *data, size_t length, struct discovery *packet)
{
	const uint8_t *at = data + PPPOE_HEADER, *end;
	int failure = 0;

	*packet = (struct discovery){0};
	if (length < PPPOE_HEADER || data[0] != VERSION_TYPE || read16(data + 4) > length - PPPOE_HEADER)
		return -EBADMSG;
	packet->code = data[1];
	packet->session = read16(data + 2);
	for (end = at + read16(data + 4); !failure && at < end;) {
		uint16_t tag, size;

		if (end - at < TAG_HEADER)
			return -EBADMSG;
		tag = read16(at);
		size = read16(at + 2);
		if (tag == PPPOE_TAG_END)
			return 0;
		at += TAG_HEADER;
		if (end - at < size)
			return -EBADMSG;
		failure = take_tag(packet, tag, at, size);
		at += size;
	}
	return failure;
}

void discovery_begin(struct discovery_writer *writer, enum pppoe_code code, uint16_t session, uint8_t *data,
		     size_t size)
{
	if (size > PPPOE_HEADER + PPPOE_DISCOVERY_MAX)
		size = PPPOE_HEADER + PPPOE_DISCOVERY_MAX;
	*writer = (struct discovery_writer){data, PPPOE_HEADER, size, size < PPPOE_HEADER};
	if (writer->full)
		return;
	data[0] = VERSION_TYPE;
	data[1] = (uint8_t)code;
	write16(data + 2, session);
}

void discovery_put(struct discovery_writer *writer, enum pppoe_tag tag, const void *value, size_t length)
{
	uint8_t *at = writer->data + writer->used;

	if (writer->full || writer->size - writer->used < TAG_HEADER ||
	    writer->size - writer->used - TAG_HEADER < length) {
		writer->full = true;
		return;
	}
	write16(at, (uint16_t)tag);
	write16(at + 2, (uint16_t)length);
	if (length)
		memcpy(at + TAG_HEADER, value, length);
	writer->used += TAG_HEADER + length;
}

void discovery_echo(struct discovery_writer *writer, enum pppoe_tag tag, const struct pppoe_bytes *value)
{
	if (value->data)
		discovery_put(writer, tag, value->data, value->length);
}

size_t discovery_end(struct discovery_writer *writer)
{
	if (writer->full)
		return 0;
	write16(writer->data + 4, (uint16_t)(writer->used - PPPOE_HEADER));
	return writer->used;
}
