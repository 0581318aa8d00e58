/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A client's view of the wire: what it says, and what was sent to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pppoe_double.h"

static void must(bool truth)
{
	if (!truth)
		abort();
}

/* ---- The client ------------------------------------------------------------------------------- */

static uint8_t *add_hex(uint8_t *at, const char *hex)
{
	unsigned byte;

	while (*hex) {
		if (*hex == ' ') {
			hex++;
			continue;
		}
		must(sscanf(hex, "%2x", &byte) == 1);
		*at++ = (uint8_t)byte;
		hex += 2;
	}
	return at;
}

static uint8_t *add_head(uint8_t *at, const struct double_client *client, bool is_session, bool is_broadcast)
{
	at = add_hex(at, is_broadcast ? "ffffffffffff" : "0200000000fe");
	at = add_hex(at, "0200000000");
	*at++ = client->mac;
	if (client->outer_vid) {
		at = add_hex(at, "8100");
		*at++ = (uint8_t)(client->outer_vid >> 8);
		*at++ = (uint8_t)client->outer_vid;
	}
	if (client->inner_vid) {
		at = add_hex(at, "8100");
		*at++ = (uint8_t)(client->inner_vid >> 8);
		*at++ = (uint8_t)client->inner_vid;
	}
	return add_hex(at, is_session ? "8864" : "8863");
}

static void set_length(uint8_t *header, const uint8_t *end)
{
	size_t length = (size_t)(end - header) - PPPOE_HEADER;

	header[4] = (uint8_t)(length >> 8);
	header[5] = (uint8_t)length;
}

static uint8_t *add_line(uint8_t *at, const struct double_client *client)
{
	size_t length = client->circuit ? strlen(client->circuit) : 0;

	if (!client->circuit)
		return at;
	at = add_hex(at, "0105 00");
	*at++ = (uint8_t)(length + 6);
	at = add_hex(at, "00000de9 01");
	*at++ = (uint8_t)length;
	memcpy(at, client->circuit, length);
	return at + length;
}

static enum pppoe_refusal discover(struct double_client *client, const char *head, const char *tags,
				   bool has_cookie)
{
	uint8_t frame[1024], *start = add_head(frame, client, false, !has_cookie), *at = add_hex(start, head);

	at = add_hex(at, tags);
	if (has_cookie) {
		at = add_hex(at, "0104 00");
		*at++ = client->cookie_length;
		memcpy(at, client->cookie, client->cookie_length);
		at += client->cookie_length;
	}
	at = add_line(at, client);
	set_length(start, at);
	return pppoe_discover(world.pppoe, 1, frame, (size_t)(at - frame), world.now_ns);
}

enum pppoe_refusal client_padi(struct double_client *client, const char *tags)
{
	enum pppoe_refusal why = discover(client, "1109 0000 0000", tags, false);
	const uint8_t *offer = sent("1107"), *cookie;
	uint16_t length;

	if (offer && (cookie = sent_tag(offer, PPPOE_TAG_AC_COOKIE, &length))) {
		client->cookie_length = (uint8_t)length;
		memcpy(client->cookie, cookie, length);
	}
	return why;
}

enum pppoe_refusal client_padr(struct double_client *client, const char *tags)
{
	enum pppoe_refusal why = discover(client, "1119 0000 0000", tags, true);
	const uint8_t *answer = sent("1165");

	client->session = answer ? (uint16_t)(answer[2] << 8 | answer[3]) : 0;
	return why;
}

enum pppoe_refusal client_padt(struct double_client *client)
{
	char head[16];

	snprintf(head, sizeof(head), "11a7%04x0000", client->session);
	uint8_t frame[64], *at = add_hex(add_head(frame, client, false, false), head);
	return pppoe_discover(world.pppoe, 1, frame, (size_t)(at - frame), world.now_ns);
}

static enum pppoe_refusal send_ppp(struct double_client *client, const uint8_t *packet, size_t length)
{
	uint8_t frame[2048], *start = add_head(frame, client, true, false), *at = add_hex(start, "1100");

	*at++ = (uint8_t)(client->session >> 8);
	*at++ = (uint8_t)client->session;
	at += 2;
	memcpy(at, packet, length);
	set_length(start, at + length);
	return pppoe_session_frame(world.pppoe, 1, frame, (size_t)(at + length - frame));
}

enum pppoe_refusal client_ppp(struct double_client *client, const char *hex)
{
	uint8_t packet[1024];

	return send_ppp(client, packet, (size_t)(add_hex(packet, hex) - packet));
}

void client_acknowledge(struct double_client *client, const char *what)
{
	const uint8_t *request = sent(what);
	uint8_t packet[1024];
	size_t length;

	must(request);
	length = (size_t)request[4] << 8 | request[5];
	memcpy(packet, request + PPPOE_HEADER, length);
	packet[2] = 2;
	send_ppp(client, packet, length);
}

bool client_discover(struct double_client *client)
{
	forget_sent();
	client_padi(client, "0101 0000 0103 0002 beef");
	client_padr(client, "0101 0000 0103 0002 beef");
	return client->session;
}

void client_say_name(struct double_client *client)
{
	client_ppp(client, "c023 0107 000d 04 6e656d6f 03 736563");
}

void client_authenticate(struct double_client *client)
{
	client_acknowledge(client, "1100 .... .... c021 01");
	client_ppp(client, "c021 0101 000e 0104 05d4 0506 01020304");
	client_say_name(client);
}

void client_network(struct double_client *client)
{
	const uint8_t *nak;
	uint8_t packet[64];
	size_t length;

	client_acknowledge(client, "1100 .... .... 8021 01");
	client_ppp(client, "8021 0101 000a 0306 00000000");
	nak = sent("1100 .... .... 8021 03");
	must(nak);
	length = (size_t)nak[4] << 8 | nak[5];
	must(length < sizeof(packet));
	memcpy(packet, nak + PPPOE_HEADER, length);
	packet[2] = 1; /* so be it */
	packet[3] = 2;
	send_ppp(client, packet, length);
}

uint32_t client_up(struct double_client *client)
{
	struct session session;
	struct session_client who;

	if (!client_discover(client))
		return 0;
	who = (struct session_client){.interface = 1,
				      .outer_vid = client->outer_vid,
				      .inner_vid = client->inner_vid,
				      .mac = {2, 0, 0, 0, 0, client->mac},
				      .pppoe_session = client->session};
	client_authenticate(client);
	world_grant(NULL, NULL);
	client_network(client);
	world_durable();
	return session_by_client(&world.controld, &who, &session) ? session.slot : 0;
}

/* ---- What was sent ------------------------------------------------------------------------------ */

static bool is_like(const uint8_t *at, size_t length, const char *hex)
{
	for (; *hex; hex += 2, at++, length--) {
		unsigned byte;

		while (*hex == ' ')
			hex++;
		if (!length)
			return false;
		if (*hex == '.')
			continue;
		must(sscanf(hex, "%2x", &byte) == 1);
		if (*at != byte)
			return false;
	}
	return true;
}

const uint8_t *sent(const char *hex)
{
	unsigned first = world.frames > DOUBLE_FRAMES ? world.frames - DOUBLE_FRAMES : 0;

	for (unsigned i = world.frames; i-- > first;) {
		const struct double_frame *frame = &world.frame[i % DOUBLE_FRAMES];
		size_t head = 14;

		while (frame->bytes[head - 2] == 0x81)
			head += 4;
		if (is_like(frame->bytes + head, frame->length - head, hex))
			return frame->bytes + head;
	}
	return NULL;
}

const uint8_t *sent_tag(const uint8_t *packet, uint16_t tag, uint16_t *length)
{
	const uint8_t *at = packet + PPPOE_HEADER, *end = at + (packet[4] << 8 | packet[5]);

	while (at < end) {
		*length = (uint16_t)(at[2] << 8 | at[3]);
		if ((at[0] << 8 | at[1]) == tag)
			return at + 4;
		at += 4 + *length;
	}
	return NULL;
}

void forget_sent(void)
{
	world.frames = 0;
}
