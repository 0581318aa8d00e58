/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The whole: making subscribers, handing them time and frames.
 */
#include "test/emulator/emulator.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test/emulator/ppp.h"

#define NOBODY      UINT32_MAX
#define NS_PER_MS   1000000
#define SERVER_PORT 67
#define CLIENT_PORT 68
#define BROADCAST   "\xff\xff\xff\xff\xff\xff"
#define DHCP_CHADDR 28
#define MAC_PREFIX  0x02e5

int emulator_init(struct emulator *emulator, uint32_t capacity, uint64_t now_ns)
{
	*emulator = (struct emulator){
		.now_ns = now_ns,
		.capacity = capacity,
		.queue_first = NOBODY,
		.random = now_ns | 1,
		.settings = {.under_way = 64, .retry_ms = 3000, .again_max_ms = 60000},
		.traffic = {.last_ns = now_ns},
	};
	timers_init(&emulator->timers, now_ns / NS_PER_MS);
	emulator->group = calloc(GROUPS_MAX, sizeof(*emulator->group));
	emulator->subscriber = calloc(capacity, sizeof(*emulator->subscriber));
	if (emulator->group && emulator->subscriber)
		return 0;
	emulator_done(emulator);
	return -ENOMEM;
}

void emulator_done(struct emulator *emulator)
{
	free(emulator->group);
	free(emulator->subscriber);
	emulator->group = NULL;
	emulator->subscriber = NULL;
	emulator->count = 0;
}

int emulator_add(struct emulator *emulator, const struct group *group)
{
	struct group *own = &emulator->group[emulator->group_count];

	if (emulator->group_count == GROUPS_MAX || group->count > emulator->capacity - emulator->count)
		return -ENOSPC;
	*own = *group;
	own->first = emulator->count;
	emulator->group_count++;
	for (uint32_t i = 0; i < group->count; i++, emulator->count++)
		emulator->subscriber[emulator->count] =
			(struct subscriber){.number = emulator->count, .next = NOBODY, .group = own};
	return 0;
}

void emulator_fault(struct emulator *emulator, enum fault fault)
{
	fault_note(&emulator->faults, fault, emulator->input, emulator->input_length);
}

/* xorshift64*: neither secret nor even, but every run differs. */
uint32_t emulator_random(struct emulator *emulator)
{
	emulator->random ^= emulator->random >> 12;
	emulator->random ^= emulator->random << 25;
	emulator->random ^= emulator->random >> 27;
	return (uint32_t)(emulator->random * 0x2545f4914f6cdd1dULL >> 32);
}

/* ---- Time ------------------------------------------------------------------------ */

static void timeout(struct emulator *emulator, struct subscriber *subscriber)
{
	static void (*const by_state[STATE_COUNT])(struct emulator *, struct subscriber *) = {
		[STATE_PADI] = discovery_timeout, [STATE_PADR] = discovery_timeout,
		[STATE_LCP] = ppp_timeout,        [STATE_AUTH] = ppp_timeout,
		[STATE_IPCP] = ppp_timeout,       [STATE_DISCOVER] = dhcp_timeout,
		[STATE_REQUEST] = dhcp_timeout,   [STATE_UP] = dhcp_timeout,
		[STATE_AGAIN] = subscriber_start,
	};

	if (by_state[subscriber->state])
		by_state[subscriber->state](emulator, subscriber);
}

void emulator_run(struct emulator *emulator, uint64_t now_ns)
{
	struct timer *timer;

	emulator->now_ns = now_ns;
	emulator->input = NULL;
	emulator->input_length = 0;
	while ((timer = timers_next_due(&emulator->timers, now_ns / NS_PER_MS)))
		timeout(emulator, (struct subscriber *)((char *)timer - offsetof(struct subscriber, timer)));
	traffic_run(emulator);
}

/* ---- Frames ---------------------------------------------------------------------- */

static struct subscriber *subscriber_of_mac(struct emulator *emulator, const uint8_t *mac)
{
	uint32_t number = read32(mac + 2);

	if (read16(mac) != MAC_PREFIX || number >= emulator->count)
		return NULL;
	return &emulator->subscriber[number];
}

static void ip_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame)
{
	struct datagram datagram;
	enum fault fault = datagram_parse(frame->payload, frame->length, true, &datagram);

	if (fault)
		emulator_fault(emulator, fault);
	else if (datagram.from_port == SERVER_PORT && datagram.to_port == CLIENT_PORT)
		dhcp_input(emulator, subscriber, frame, &datagram);
	else
		traffic_input(emulator, subscriber, &datagram);
}

static void session_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame)
{
	const uint8_t *head = frame->payload;
	size_t length;

	if (frame->length < 6 || head[0] != 0x11 || head[1]) {
		emulator_fault(emulator, FAULT_PPPOE_HEADER);
		return;
	}
	length = read16(head + 4);
	if (length > frame->length - 6 || length < 2)
		emulator_fault(emulator, FAULT_PPPOE_LENGTH);
	else if (!is_padding(head + 6 + length, frame->length - 6 - length))
		emulator_fault(emulator, FAULT_FRAME_PADDING);
	else if (subscriber->state < STATE_LCP || subscriber->state > STATE_UP)
		return; /* under way when the session ended */
	else if (read16(head + 2) != subscriber->pppoe.session ||
		 memcmp(frame->from, subscriber->pppoe.server_mac, 6))
		emulator_fault(emulator, FAULT_PPPOE_SESSION);
	else
		ppp_input(emulator, subscriber, head + 6, length);
}

/* A broadcast is for whom it names: DHCP's client hardware address, ARP's target. */
static struct subscriber *subscriber_of_broadcast(struct emulator *emulator, const struct frame *frame)
{
	const uint8_t *mac = frame->payload + 20 + 8 + DHCP_CHADDR;

	if (frame->ethertype != ETHERTYPE_IPV4 || frame->length < 20 + 8 + DHCP_CHADDR + 6)
		return NULL;
	return subscriber_of_mac(emulator, mac);
}

static void access_input(struct emulator *emulator, const struct frame *frame)
{
	bool broadcast = !memcmp(frame->to, BROADCAST, 6);
	struct subscriber *subscriber =
		broadcast ? subscriber_of_broadcast(emulator, frame) : subscriber_of_mac(emulator, frame->to);
	struct tags tags;

	if (!subscriber) {
		if (!broadcast && read16(frame->to) == MAC_PREFIX)
			emulator_fault(emulator, FAULT_FRAME_SUBSCRIBER);
		return;
	}
	subscriber_tags(subscriber, &tags);
	if (!tags_equal(&tags, &frame->tags))
		emulator_fault(emulator, FAULT_FRAME_TAGS);
	else if (subscriber->group->kind == KIND_PPPOE && frame->ethertype == ETHERTYPE_DISCOVERY)
		discovery_input(emulator, subscriber, frame);
	else if (subscriber->group->kind == KIND_PPPOE && frame->ethertype == ETHERTYPE_SESSION)
		session_input(emulator, subscriber, frame);
	else if (subscriber->group->kind == KIND_IPOE && frame->ethertype == ETHERTYPE_IPV4)
		ip_input(emulator, subscriber, frame);
	else if (subscriber->group->kind == KIND_IPOE && frame->ethertype == ETHERTYPE_ARP)
		arp_input(emulator, subscriber, frame);
}

void emulator_input(struct emulator *emulator, enum side side, const uint8_t *data, size_t length)
{
	struct frame frame;
	enum fault fault;

	emulator->input = data;
	emulator->input_length = length;
	fault = frame_parse(data, length, &frame);
	if (fault)
		emulator_fault(emulator, fault);
	else if (side == SIDE_ACCESS)
		access_input(emulator, &frame);
	else
		peer_input(emulator, &frame);
}
