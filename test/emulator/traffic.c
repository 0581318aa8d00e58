/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A steady trickle of numbered packets for each session, sent back by a peer on the core
 * side, so that what is lost, doubled or overtaken is known exactly; and LCP echoes.
 *
 * Subscribers are visited in turn, as many in a second as the rate asks for: the packets
 * of one session are evenly spaced, and so are those of all.
 */
#include <arpa/inet.h>

#include "test/emulator/emulator.h"
#include "test/emulator/ppp.h"

#define MARK         0x48466531
#define MARK_LENGTH  20 /* mark, number, sequence, time */
#define OUR_PORT     40000
#define REMOTE_PORT  7777
#define REMOTES      16
#define TTL          64
#define LONGEST_STEP 100000000 /* ns: after a pause, what was missed is not made up for */

static void put_mark(struct writer *writer, const struct subscriber *subscriber, uint64_t now_ns)
{
	put32(writer, MARK);
	put32(writer, subscriber->number);
	put32(writer, subscriber->flow.sent);
	put64(writer, now_ns);
}

static uint32_t remote_of(const struct emulator *emulator, const struct subscriber *subscriber)
{
	return htonl(ntohl(emulator->traffic.remote_be) + subscriber->number % REMOTES);
}

static void packet_send(struct emulator *emulator, struct subscriber *subscriber)
{
	bool pppoe = subscriber->group->kind == KIND_PPPOE;
	struct datagram to = {.from_be = subscriber->address_be,
			      .to_be = remote_of(emulator, subscriber),
			      .from_port = OUR_PORT,
			      .to_port = REMOTE_PORT,
			      .ttl = TTL};
	struct writer writer;
	size_t begin;

	if (subscriber->state != STATE_UP || (!pppoe && !subscriber->dhcp.router_known))
		return;
	if (pppoe)
		ppp_frame(subscriber, &writer, PPP_IPV4);
	else
		subscriber_frame(subscriber, &writer, subscriber->dhcp.router_mac, ETHERTYPE_IPV4);
	subscriber->flow.sent++;
	begin = datagram_begin(&writer, &to);
	put_mark(&writer, subscriber, emulator->now_ns);
	datagram_end(&writer, begin);
	if (pppoe)
		ppp_send(emulator, subscriber, &writer);
	else
		subscriber_send(emulator, &writer);
}

static void echo_send(struct emulator *emulator, struct subscriber *subscriber)
{
	if (subscriber->state == STATE_UP && subscriber->group->kind == KIND_PPPOE)
		ppp_echo(emulator, subscriber);
}

static void visit(struct emulator *emulator, int turn, double rate, double seconds,
		  void (*each)(struct emulator *, struct subscriber *))
{
	struct traffic *traffic = &emulator->traffic;

	if (rate <= 0 || !emulator->count) {
		traffic->visits[turn] = 0;
		return;
	}
	traffic->visits[turn] += rate * seconds * emulator->count;
	for (; traffic->visits[turn] >= 1; traffic->visits[turn]--) {
		if (traffic->cursor[turn] >= emulator->count)
			traffic->cursor[turn] = 0;
		each(emulator, &emulator->subscriber[traffic->cursor[turn]++]);
	}
}

void traffic_run(struct emulator *emulator)
{
	struct traffic *traffic = &emulator->traffic;
	uint64_t step = emulator->now_ns - traffic->last_ns;
	double seconds = (double)(step < LONGEST_STEP ? step : LONGEST_STEP) / 1e9;

	traffic->last_ns = emulator->now_ns;
	visit(emulator, 0, traffic->rate, seconds, packet_send);
	visit(emulator, 1, traffic->echo_rate, seconds, echo_send);
}

/* ---- Coming back ----------------------------------------------------------------- */

static bool is_marked(const struct datagram *datagram)
{
	return datagram->length == MARK_LENGTH && read32(datagram->payload) == MARK;
}

static enum fault flow_take(struct flow *flow, uint32_t sequence)
{
	if (sequence > flow->sent)
		return FAULT_TRAFFIC_UNKNOWN;
	if (sequence <= flow->last)
		return FAULT_TRAFFIC_ORDER;
	flow->last = sequence;
	flow->received++;
	return FAULT_NONE;
}

void traffic_input(struct emulator *emulator, struct subscriber *subscriber, const struct datagram *datagram)
{
	uint64_t took;
	enum fault fault;

	if (subscriber->state != STATE_UP)
		return;
	if (datagram->to_be != subscriber->address_be) {
		emulator_fault(emulator, FAULT_IP_ADDRESS);
		return;
	}
	if (!is_marked(datagram) || read32(datagram->payload + 4) != subscriber->number ||
	    datagram->to_port != OUR_PORT || datagram->from_be != remote_of(emulator, subscriber) ||
	    datagram->from_port != REMOTE_PORT) {
		emulator_fault(emulator, FAULT_TRAFFIC_UNKNOWN);
		return;
	}
	fault = flow_take(&subscriber->flow, read32(datagram->payload + 8));
	if (fault)
		emulator_fault(emulator, fault);
	took = emulator->now_ns - read64(datagram->payload + 12);
	if (took > emulator->traffic.late_ns)
		emulator->traffic.late_ns = took;
}

static void public_check(struct emulator *emulator, struct flow *flow, const struct datagram *datagram)
{
	if (!flow->public_be) {
		flow->public_be = datagram->from_be;
		flow->public_port = datagram->from_port;
	} else if (flow->public_be != datagram->from_be || flow->public_port != datagram->from_port) {
		emulator_fault(emulator, FAULT_PUBLIC_CHANGED);
	}
}

void peer_input(struct emulator *emulator, const struct frame *frame)
{
	struct datagram datagram, back;
	struct writer writer = {.length = 0};
	enum fault fault = datagram_parse(frame->payload, frame->length, true, &datagram);
	uint32_t number;
	size_t begin;

	if (fault) {
		emulator_fault(emulator, fault);
		return;
	}
	number = is_marked(&datagram) ? read32(datagram.payload + 4) : UINT32_MAX;
	if (number >= emulator->count) {
		emulator_fault(emulator, FAULT_TRAFFIC_UNKNOWN);
		return;
	}
	public_check(emulator, &emulator->subscriber[number].flow, &datagram);
	back = (struct datagram){.from_be = datagram.to_be,
				 .to_be = datagram.from_be,
				 .from_port = datagram.to_port,
				 .to_port = datagram.from_port,
				 .ttl = TTL};
	put_ethernet(&writer, frame->from, frame->to, &frame->tags, ETHERTYPE_IPV4);
	begin = datagram_begin(&writer, &back);
	put_bytes(&writer, datagram.payload, datagram.length);
	datagram_end(&writer, begin);
	if (writer.length < 60)
		put_zeros(&writer, 60 - writer.length);
	emulator->traffic.echoed++;
	emulator->send(emulator, SIDE_CORE, writer.data, writer.length);
}
