/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPPoE discovery (RFC 2516, RFC 4638): PADI, PADO, PADR, PADS, PADT.
 */
#include <string.h>

#include "test/emulator/emulator.h"
#include "test/emulator/ppp.h"

#define HEADER          6
#define DISCOVERY_TRIES 5
#define BROADCAST       "\xff\xff\xff\xff\xff\xff"
#define TR101_VENDOR    0x0de9
#define TR101_CIRCUIT   1
#define SESSION_MAX     0xfffe

enum code {
	CODE_PADI = 0x09,
	CODE_PADO = 0x07,
	CODE_PADR = 0x19,
	CODE_PADS = 0x65,
	CODE_PADT = 0xa7,
};

enum tag_type {
	TAG_END = 0x0000,
	TAG_SERVICE_NAME = 0x0101,
	TAG_AC_NAME = 0x0102,
	TAG_HOST_UNIQ = 0x0103,
	TAG_COOKIE = 0x0104,
	TAG_VENDOR = 0x0105,
	TAG_RELAY_ID = 0x0110,
	TAG_MAX_PAYLOAD = 0x0120,
	TAG_SERVICE_NAME_ERROR = 0x0201,
	TAG_SYSTEM_ERROR = 0x0202,
	TAG_GENERIC_ERROR = 0x0203,
};

struct value {
	const uint8_t *data; /* NULL: the tag is not there */
	size_t length;
};

/* A discovery packet; of several service names, the one that was asked for. */
struct discovery {
	uint8_t code;
	uint16_t session;
	struct value service, ac_name, host_uniq, cookie, relay_id, max_payload;
	bool error;
};

static const char *service_of(const struct subscriber *subscriber)
{
	return subscriber->group->service;
}

static bool value_is(struct value value, const void *data, size_t length)
{
	return value.data && value.length == length && !memcmp(value.data, data, length);
}

/* ---- Reading --------------------------------------------------------------------- */

static void tag_take(struct discovery *found, uint16_t type, struct value value, const char *service)
{
	switch (type) {
	case TAG_SERVICE_NAME:
		if (!found->service.data || value_is(value, service, strlen(service)))
			found->service = value;
		break;
	case TAG_AC_NAME:
		found->ac_name = value;
		break;
	case TAG_HOST_UNIQ:
		found->host_uniq = value;
		break;
	case TAG_COOKIE:
		found->cookie = value;
		break;
	case TAG_RELAY_ID:
		found->relay_id = value;
		break;
	case TAG_MAX_PAYLOAD:
		found->max_payload = value;
		break;
	case TAG_SERVICE_NAME_ERROR:
	case TAG_SYSTEM_ERROR:
	case TAG_GENERIC_ERROR:
		found->error = true;
		break;
	}
}

static enum fault tags_parse(const uint8_t *data, size_t length, const char *service, struct discovery *found)
{
	size_t at = 0;

	while (at + 4 <= length) {
		uint16_t type = read16(data + at);
		size_t size = read16(data + at + 2);
		if (type == TAG_END)
			return FAULT_NONE;
		if (size > length - at - 4)
			return FAULT_PPPOE_TAG;
		tag_take(found, type, (struct value){data + at + 4, size}, service);
		at += 4 + size;
	}
	return at == length ? FAULT_NONE : FAULT_PPPOE_TAG;
}

static enum fault discovery_parse(const struct frame *frame, const char *service, struct discovery *found)
{
	const uint8_t *data = frame->payload;
	size_t length;

	*found = (struct discovery){0};
	if (frame->length < HEADER || data[0] != 0x11)
		return FAULT_PPPOE_HEADER;
	length = read16(data + 4);
	if (length > frame->length - HEADER)
		return FAULT_PPPOE_LENGTH;
	if (!is_padding(data + HEADER + length, frame->length - HEADER - length))
		return FAULT_FRAME_PADDING;
	found->code = data[1];
	found->session = read16(data + 2);
	return tags_parse(data + HEADER, length, service, found);
}

/* ---- Writing --------------------------------------------------------------------- */

static void put_tag(struct writer *writer, uint16_t type, const void *data, size_t length)
{
	put16(writer, type);
	put16(writer, (uint16_t)length);
	put_bytes(writer, data, length);
}

/* What the access node says of the line (TR-101). */
static void put_line(const struct subscriber *subscriber, struct writer *writer)
{
	char circuit[NAME_MAX_LENGTH];
	size_t length = subscriber_text(subscriber, subscriber->group->circuit, circuit, sizeof(circuit));

	if (!length)
		return;
	put16(writer, TAG_VENDOR);
	put16(writer, (uint16_t)(4 + 2 + length));
	put32(writer, TR101_VENDOR);
	put8(writer, TR101_CIRCUIT);
	put8(writer, (uint8_t)length);
	put_bytes(writer, circuit, length);
}

static void discovery_send(struct emulator *emulator, struct subscriber *subscriber, uint8_t code)
{
	const struct pppoe *pppoe = &subscriber->pppoe;
	struct writer writer;
	size_t head;

	subscriber_frame(subscriber, &writer,
			 code == CODE_PADI ? (const uint8_t *)BROADCAST : pppoe->server_mac,
			 ETHERTYPE_DISCOVERY);
	head = writer.length;
	put8(&writer, 0x11);
	put8(&writer, code);
	put32(&writer, 0);
	put_tag(&writer, TAG_SERVICE_NAME, service_of(subscriber), strlen(service_of(subscriber)));
	put_tag(&writer, TAG_HOST_UNIQ, &pppoe->host_uniq, sizeof(pppoe->host_uniq));
	if (subscriber->group->mru > PPP_MRU_DEFAULT) {
		put32(&writer, (uint32_t)TAG_MAX_PAYLOAD << 16 | 2);
		put16(&writer, subscriber->group->mru);
	}
	if (pppoe->cookie_length)
		put_tag(&writer, TAG_COOKIE, pppoe->cookie, pppoe->cookie_length);
	if (pppoe->relay_id_length)
		put_tag(&writer, TAG_RELAY_ID, pppoe->relay_id, pppoe->relay_id_length);
	put_line(subscriber, &writer);
	set16(&writer, head + 4, (uint16_t)(writer.length - head - HEADER));
	subscriber_send(emulator, &writer);
}

void discovery_terminate(struct emulator *emulator, struct subscriber *subscriber)
{
	struct writer writer;

	subscriber_frame(subscriber, &writer, subscriber->pppoe.server_mac, ETHERTYPE_DISCOVERY);
	put16(&writer, 0x1100 | CODE_PADT);
	put16(&writer, subscriber->pppoe.session);
	put16(&writer, 0);
	subscriber_send(emulator, &writer);
}

/* ---- The exchange ---------------------------------------------------------------- */

void discovery_begin(struct emulator *emulator, struct subscriber *subscriber)
{
	subscriber->pppoe = (struct pppoe){
		.host_uniq = (uint64_t)emulator_random(emulator) << 32 | subscriber->number,
		.mru = subscriber->group->mru > PPP_MRU_DEFAULT ? PPP_MRU_DEFAULT : subscriber->group->mru,
	};
	subscriber_go(emulator, subscriber, STATE_PADI);
	discovery_send(emulator, subscriber, CODE_PADI);
	subscriber_wait(emulator, subscriber, true);
}

void discovery_timeout(struct emulator *emulator, struct subscriber *subscriber)
{
	bool initiation = subscriber->state == STATE_PADI;

	if (!subscriber_try(emulator, subscriber, DISCOVERY_TRIES,
			    initiation ? FAILURE_DISCOVERY_UNANSWERED : FAILURE_REQUEST_UNANSWERED))
		return;
	discovery_send(emulator, subscriber, initiation ? CODE_PADI : CODE_PADR);
	subscriber_wait(emulator, subscriber, true);
}

/* What PADO and PADS have in common. A refusal needs no more than its error tag. */
static enum fault reply_check(const struct subscriber *subscriber, const struct discovery *found)
{
	const struct pppoe *pppoe = &subscriber->pppoe;

	if (!value_is(found->host_uniq, &pppoe->host_uniq, sizeof(pppoe->host_uniq)))
		return FAULT_PPPOE_HOST_UNIQ;
	if (found->error)
		return FAULT_NONE;
	if (!value_is(found->service, service_of(subscriber), strlen(service_of(subscriber))))
		return FAULT_PPPOE_SERVICE_NAME;
	if (found->max_payload.data &&
	    (found->max_payload.length != 2 || subscriber->group->mru <= PPP_MRU_DEFAULT ||
	     read16(found->max_payload.data) != subscriber->group->mru))
		return FAULT_PPPOE_MAX_PAYLOAD;
	return FAULT_NONE;
}

static enum fault offer_check(const struct subscriber *subscriber, const struct discovery *found)
{
	enum fault fault = reply_check(subscriber, found);

	if (fault)
		return fault;
	if (found->session)
		return FAULT_PPPOE_SESSION;
	if (!found->ac_name.data || !found->ac_name.length)
		return FAULT_PPPOE_AC_NAME;
	if (found->cookie.length > COOKIE_MAX || found->relay_id.length > RELAY_ID_MAX)
		return FAULT_PPPOE_TAG;
	return FAULT_NONE;
}

static void on_offer(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame,
		     const struct discovery *found)
{
	struct pppoe *pppoe = &subscriber->pppoe;
	enum fault fault = offer_check(subscriber, found);

	if (subscriber->state != STATE_PADI)
		return; /* the offer to a PADI that was sent again */
	if (fault) {
		emulator_fault(emulator, fault);
		return;
	}
	if (found->error)
		return; /* another concentrator may still answer */
	memcpy(pppoe->server_mac, frame->from, 6);
	pppoe->cookie_length = (uint8_t)found->cookie.length;
	pppoe->relay_id_length = (uint8_t)found->relay_id.length;
	if (found->cookie.length)
		memcpy(pppoe->cookie, found->cookie.data, found->cookie.length);
	if (found->relay_id.length)
		memcpy(pppoe->relay_id, found->relay_id.data, found->relay_id.length);
	subscriber_go(emulator, subscriber, STATE_PADR);
	discovery_send(emulator, subscriber, CODE_PADR);
	subscriber_wait(emulator, subscriber, true);
}

static void on_session(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame,
		       const struct discovery *found)
{
	struct pppoe *pppoe = &subscriber->pppoe;
	enum fault fault = reply_check(subscriber, found);

	if (subscriber->state != STATE_PADR)
		return;
	if (!fault && memcmp(frame->from, pppoe->server_mac, 6))
		fault = FAULT_PPPOE_SESSION;
	if (!fault && !found->error && (!found->session || found->session > SESSION_MAX))
		fault = FAULT_PPPOE_SESSION;
	if (fault) {
		emulator_fault(emulator, fault);
		return;
	}
	if (found->error) {
		subscriber_failed(emulator, subscriber, FAILURE_REFUSED);
		return;
	}
	pppoe->session = found->session;
	if (found->max_payload.data)
		pppoe->mru = subscriber->group->mru;
	ppp_begin(emulator, subscriber);
}

static void on_terminate(struct emulator *emulator, struct subscriber *subscriber,
			 const struct discovery *found)
{
	if (subscriber->state < STATE_LCP || subscriber->state > STATE_UP ||
	    found->session != subscriber->pppoe.session)
		return; /* of a session that is gone */
	if (subscriber->state == STATE_UP)
		subscriber_ended(emulator, subscriber, END_PADT);
	else
		subscriber_failed(emulator, subscriber, FAILURE_TERMINATED);
}

void discovery_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame)
{
	struct discovery found;
	enum fault fault = discovery_parse(frame, service_of(subscriber), &found);

	if (fault)
		emulator_fault(emulator, fault);
	else if (found.code == CODE_PADO)
		on_offer(emulator, subscriber, frame, &found);
	else if (found.code == CODE_PADS)
		on_session(emulator, subscriber, frame, &found);
	else if (found.code == CODE_PADT)
		on_terminate(emulator, subscriber, &found);
	else
		emulator_fault(emulator, FAULT_PPPOE_CODE);
}
