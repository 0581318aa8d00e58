/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The life of a subscriber: queued, set up, up, ended, tried again. Only
 * subscriber_go changes its state, and keeps count of who is being set up and up.
 */
#include <stdio.h>
#include <string.h>

#include "test/emulator/emulator.h"
#include "test/emulator/ppp.h"

#define ETHERNET_SHORTEST 60 /* without the check sequence */
#define NOBODY            UINT32_MAX

static const char *const state_names[STATE_COUNT] = {
#define STATE_TEXT(name, text) [STATE_##name] = #text,
	STATES(STATE_TEXT)
#undef STATE_TEXT
};

const char *state_name(enum state state)
{
	return state_names[state];
}

bool state_is_setup(enum state state)
{
	return state >= STATE_PADI && state <= STATE_REQUEST;
}

void subscriber_mac(const struct subscriber *subscriber, uint8_t *mac)
{
	uint8_t text[6] = {0x02, 0xe5};

	text[2] = (uint8_t)(subscriber->number >> 24);
	text[3] = (uint8_t)(subscriber->number >> 16);
	text[4] = (uint8_t)(subscriber->number >> 8);
	text[5] = (uint8_t)subscriber->number;
	memcpy(mac, text, 6);
}

void subscriber_tags(const struct subscriber *subscriber, struct tags *tags)
{
	const struct group *group = subscriber->group;
	uint32_t index = subscriber->number - group->first;

	tags->count = group->tag_count;
	for (int i = group->tag_count - 1; i >= 0; i--) {
		tags->tag[i].tpid = group->first_tag[i].tpid;
		tags->tag[i].vid = (uint16_t)(group->first_tag[i].vid + index % group->tag_range[i]);
		index /= group->tag_range[i];
	}
}

size_t subscriber_text(const struct subscriber *subscriber, const char *pattern, char *text, size_t size)
{
	const char *mark = strstr(pattern, "%n");
	int length;

	if (!mark)
		length = snprintf(text, size, "%s", pattern);
	else
		length = snprintf(text, size, "%.*s%u%s", (int)(mark - pattern), pattern, subscriber->number,
				  mark + 2);
	return (size_t)length < size ? (size_t)length : size - 1;
}

void subscriber_frame(const struct subscriber *subscriber, struct writer *writer, const uint8_t *to,
		      uint16_t ethertype)
{
	uint8_t mac[6];
	struct tags tags;

	subscriber_mac(subscriber, mac);
	subscriber_tags(subscriber, &tags);
	writer->length = 0;
	put_ethernet(writer, to, mac, &tags, ethertype);
}

void subscriber_send(struct emulator *emulator, struct writer *writer)
{
	if (writer->length < ETHERNET_SHORTEST)
		put_zeros(writer, ETHERNET_SHORTEST - writer->length);
	emulator->send(emulator, SIDE_ACCESS, writer->data, writer->length);
}

/* ---- States ---------------------------------------------------------------------- */

static void queue_run(struct emulator *emulator);

void subscriber_go(struct emulator *emulator, struct subscriber *subscriber, enum state state)
{
	emulator->under_way += (uint32_t)state_is_setup(state) - (uint32_t)state_is_setup(subscriber->state);
	emulator->up += (uint32_t)(state == STATE_UP) - (uint32_t)(subscriber->state == STATE_UP);
	subscriber->state = state;
	subscriber->tries = 0;
	timer_stop(&subscriber->timer);
}

static void setup_begin(struct emulator *emulator, struct subscriber *subscriber)
{
	subscriber->began_ns = emulator->now_ns;
	subscriber->address_be = 0;
	subscriber->flow.public_be = 0;
	if (!emulator->counts.setups++)
		emulator->counts.first_setup_ns = emulator->now_ns;
	if (subscriber->group->kind == KIND_PPPOE)
		discovery_begin(emulator, subscriber);
	else
		dhcp_begin(emulator, subscriber);
}

/* Starts those who wait, as many as may be under way. A subscriber that was stopped while
 * it waited is still in the queue, and is passed over. */
static void queue_run(struct emulator *emulator)
{
	while (emulator->queue_first != NOBODY && emulator->under_way < emulator->settings.under_way) {
		struct subscriber *subscriber = &emulator->subscriber[emulator->queue_first];
		emulator->queue_first = subscriber->next;
		subscriber->next = NOBODY;
		if (subscriber->state == STATE_QUEUED)
			setup_begin(emulator, subscriber);
	}
}

static bool queued(const struct emulator *emulator, const struct subscriber *subscriber)
{
	return subscriber->next != NOBODY ||
	       (emulator->queue_first != NOBODY && emulator->queue_last == subscriber->number);
}

void subscriber_start(struct emulator *emulator, struct subscriber *subscriber)
{
	if (subscriber->state != STATE_IDLE && subscriber->state != STATE_AGAIN)
		return;
	subscriber_go(emulator, subscriber, STATE_QUEUED);
	if (!queued(emulator, subscriber)) {
		if (emulator->queue_first == NOBODY)
			emulator->queue_first = subscriber->number;
		else
			emulator->subscriber[emulator->queue_last].next = subscriber->number;
		emulator->queue_last = subscriber->number;
	}
	queue_run(emulator);
}

void subscriber_up(struct emulator *emulator, struct subscriber *subscriber)
{
	subscriber_go(emulator, subscriber, STATE_UP);
	subscriber->failures = 0;
	subscriber->setup_us = (uint32_t)((emulator->now_ns - subscriber->began_ns) / 1000) + 1;
	emulator->counts.came_up++;
	emulator->counts.last_up_ns = emulator->now_ns;
	queue_run(emulator);
}

static uint32_t again_delay(struct emulator *emulator, const struct subscriber *subscriber)
{
	uint64_t delay = emulator->settings.again_ms;

	for (int i = 1; i < subscriber->failures && delay < emulator->settings.again_max_ms; i++)
		delay *= 2;
	if (delay > emulator->settings.again_max_ms)
		delay = emulator->settings.again_max_ms;
	return (uint32_t)(delay / 2 + emulator_random(emulator) % (delay + 1));
}

static void wait_or_rest(struct emulator *emulator, struct subscriber *subscriber)
{
	subscriber_go(emulator, subscriber, emulator->settings.again_ms ? STATE_AGAIN : STATE_IDLE);
	if (subscriber->state == STATE_AGAIN)
		timer_set(&emulator->timers, &subscriber->timer, again_delay(emulator, subscriber));
	queue_run(emulator);
}

void subscriber_failed(struct emulator *emulator, struct subscriber *subscriber, enum failure failure)
{
	emulator->counts.failed[failure]++;
	if (subscriber->failures < 32)
		subscriber->failures++;
	wait_or_rest(emulator, subscriber);
}

void subscriber_ended(struct emulator *emulator, struct subscriber *subscriber, enum end end)
{
	emulator->counts.ended[end]++;
	subscriber->address_be = 0;
	wait_or_rest(emulator, subscriber);
}

void subscriber_stop(struct emulator *emulator, struct subscriber *subscriber, bool told)
{
	bool up = subscriber->state == STATE_UP;

	if (told && subscriber->group->kind == KIND_PPPOE && subscriber->state > STATE_PADR &&
	    subscriber->state <= STATE_UP)
		ppp_terminate(emulator, subscriber);
	if (told && subscriber->group->kind == KIND_IPOE && up)
		dhcp_release(emulator, subscriber);
	emulator->counts.ended[END_STOPPED] += up;
	subscriber->address_be = 0;
	subscriber->failures = 0;
	subscriber_go(emulator, subscriber, STATE_IDLE);
	queue_run(emulator);
}

/* ---- Time ------------------------------------------------------------------------ */

bool subscriber_try(struct emulator *emulator, struct subscriber *subscriber, uint8_t most,
		    enum failure failure)
{
	if (++subscriber->tries >= most) {
		subscriber_failed(emulator, subscriber, failure);
		return false;
	}
	emulator->counts.retransmitted++;
	return true;
}

/* A tenth more or less, so that subscribers that began together do not stay together. */
void subscriber_wait(struct emulator *emulator, struct subscriber *subscriber, bool doubled)
{
	uint32_t delay = emulator->settings.retry_ms << (doubled ? subscriber->tries : 0);

	delay = delay - delay / 10 + emulator_random(emulator) % (delay / 5 + 1);
	timer_set(&emulator->timers, &subscriber->timer, delay);
}
