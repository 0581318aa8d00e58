/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Fuzz target of PPPoE: the input is a list of frames from a subscriber, each with a byte
 * in front that says what happens before it (time, an answer of who authorises, a session
 * that becomes durable or is closed, a restart). A cookie that a PADR needs is put in, and
 * the session id that the server gave out, so that mutations reach what is behind them.
 *
 * Whatever comes, kept memory stays whole and every frame sent is a PPPoE frame.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "test/unit/pppoe_double.h"

enum before {
	BEFORE_NOTHING,
	BEFORE_SECOND,
	BEFORE_GRANT,
	BEFORE_DENY,
	BEFORE_DURABLE,
	BEFORE_RESTART,
	BEFORE_RELEASE,
	BEFORE_KEEPALIVE,
	BEFORES,
};

#define FRAMES_MAX 24

static uint8_t cookie[COOKIE_BYTES];
static uint16_t session;

static void happen(enum before what)
{
	switch (what) {
	case BEFORE_SECOND:
		world_seconds(1.1);
		break;
	case BEFORE_GRANT:
		world_grant(NULL, NULL);
		break;
	case BEFORE_DENY:
		world_deny("no");
		break;
	case BEFORE_DURABLE:
		if (world.opening.is_waiting)
			world_durable();
		break;
	case BEFORE_RESTART:
		world_restart();
		break;
	case BEFORE_RELEASE:
		world_release();
		break;
	case BEFORE_KEEPALIVE:
		world_seconds(20);
		keepalive_second(world.pppoe, world.now_ns);
		break;
	default:
		break;
	}
}

/* What a client that speaks to this server would know. */
static void complete(uint8_t *frame, size_t length, size_t head)
{
	static const uint8_t asked[] = {0x01, 0x04, 0x00, COOKIE_BYTES};
	uint8_t *place = memmem(frame + head, length - head, asked, sizeof(asked));

	if (place && (size_t)(frame + length - place) >= sizeof(asked) + COOKIE_BYTES)
		memcpy(place + sizeof(asked), cookie, COOKIE_BYTES);
	if (length >= head + 4 && frame[head + 2] == 0xff && frame[head + 3] == 0xff) {
		frame[head + 2] = (uint8_t)(session >> 8);
		frame[head + 3] = (uint8_t)session;
	}
}

static void look_at_sent(void)
{
	unsigned count = world.frames < DOUBLE_FRAMES ? world.frames : DOUBLE_FRAMES;

	for (unsigned i = 0; i < count; i++) {
		const struct double_frame *frame = &world.frame[i];
		struct frame_link link;
		struct discovery packet;
		uint16_t type, length;
		size_t head = frame_parse_link(frame->bytes, frame->length, &link, &type);
		const uint8_t *at = frame->bytes + head, *value;

		if (!head || (type != PPPOE_ETHERTYPE_DISCOVERY && type != PPPOE_ETHERTYPE_SESSION) ||
		    frame->length < head + PPPOE_HEADER ||
		    frame->length != head + PPPOE_HEADER + (size_t)(at[4] << 8 | at[5]))
			abort();
		if (type == PPPOE_ETHERTYPE_SESSION)
			continue;
		if (at[1] == PPPOE_PADS && (at[2] || at[3]))
			session = (uint16_t)(at[2] << 8 | at[3]);
		value = at[1] == PPPOE_PADO ? sent_tag(at, PPPOE_TAG_AC_COOKIE, &length) : NULL;
		if (value && length == COOKIE_BYTES)
			memcpy(cookie, value, COOKIE_BYTES);
		if (at[1] == PPPOE_PADT && discovery_parse(at, frame->length - head, &packet))
			abort();
	}
	forget_sent();
}

static void check_memory(void)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < world.pppoe->links->header->high; i++) {
		const struct link_record *record = link_record(world.pppoe->links, i);

		if (record->state == LINK_FREE)
			continue;
		used++;
		if (!link_is_whole(record) || !world.pppoe->live[i])
			abort();
	}
	if (used != link_count(world.pppoe->links))
		abort();
}

static void serve(const uint8_t *data, size_t length)
{
	uint8_t *frame = malloc(length ? length : 1);
	struct frame_link link;
	uint16_t type;
	size_t head;

	if (!frame)
		return;
	memcpy(frame, data, length);
	head = frame_parse_link(frame, length, &link, &type);
	if (head)
		complete(frame, length, head);
	if (head && type == PPPOE_ETHERTYPE_SESSION)
		pppoe_session_frame(world.pppoe, 1, frame, length);
	else
		pppoe_discover(world.pppoe, 1, frame, length, world.now_ns);
	free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of each frame: what happens before it, its length (two bytes), its bytes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;

	memset(cookie, 0, sizeof(cookie));
	session = 0;
	world_init();
	for (int i = 0; i < FRAMES_MAX && end - data >= 3; i++) {
		size_t length = (size_t)data[1] << 8 | data[2];

		happen(data[0] % BEFORES);
		look_at_sent();
		data += 3;
		length = length < (size_t)(end - data) ? length : (size_t)(end - data);
		serve(data, length);
		data += length;
		look_at_sent();
		check_memory();
	}
	world_free();
	return 0;
}
