/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PPP frames: which protocol gets them, and what LCP says beside negotiating.
 */
#include "test/emulator/ppp.h"

#include <string.h>

#define PPPOE_HEADER   6
#define CONTROL_HEADER 4

/* ---- Frames ---------------------------------------------------------------------- */

static size_t pppoe_offset(const struct subscriber *subscriber)
{
	return 14 + 4 * (size_t)subscriber->group->tag_count;
}

void ppp_frame(struct subscriber *subscriber, struct writer *writer, uint16_t protocol)
{
	subscriber_frame(subscriber, writer, subscriber->pppoe.server_mac, ETHERTYPE_SESSION);
	put16(writer, 0x1100);
	put16(writer, subscriber->pppoe.session);
	put16(writer, 0);
	put16(writer, protocol);
}

void ppp_send(struct emulator *emulator, struct subscriber *subscriber, struct writer *writer)
{
	size_t head = pppoe_offset(subscriber);

	set16(writer, head + 4, (uint16_t)(writer->length - head - PPPOE_HEADER));
	subscriber_send(emulator, writer);
}

void ppp_control(struct emulator *emulator, struct subscriber *subscriber, uint16_t protocol,
		 const struct ppp_packet *packet)
{
	struct writer writer;

	ppp_frame(subscriber, &writer, protocol);
	put8(&writer, packet->code);
	put8(&writer, packet->id);
	put16(&writer, (uint16_t)(packet->length + CONTROL_HEADER));
	put_bytes(&writer, packet->data, packet->length);
	ppp_send(emulator, subscriber, &writer);
}

bool ppp_packet_parse(const uint8_t *data, size_t length, struct ppp_packet *packet)
{
	if (length < CONTROL_HEADER || read16(data + 2) != length)
		return false;
	*packet = (struct ppp_packet){data[0], data[1], data + CONTROL_HEADER, length - CONTROL_HEADER};
	return true;
}

/* ---- LCP beside negotiation ------------------------------------------------------ */

static void protocol_reject(struct emulator *emulator, struct subscriber *subscriber, const uint8_t *data,
			    size_t length)
{
	ppp_control(
		emulator, subscriber, PPP_LCP,
		&(struct ppp_packet){PPP_PROTOCOL_REJECT, (uint8_t)emulator_random(emulator), data, length});
}

static void on_echo_request(struct emulator *emulator, struct subscriber *subscriber,
			    const struct ppp_packet *packet)
{
	const struct pppoe *pppoe = &subscriber->pppoe;
	struct writer data = {.length = 0};

	if (packet->length < 4) {
		emulator_fault(emulator, FAULT_PPP_LENGTH);
		return;
	}
	if (read32(packet->data) != pppoe->peer_magic)
		emulator_fault(emulator, FAULT_PPP_MAGIC);
	put32(&data, pppoe->magic);
	put_bytes(&data, packet->data + 4, packet->length - 4);
	ppp_control(emulator, subscriber, PPP_LCP,
		    &(struct ppp_packet){PPP_ECHO_REPLY, packet->id, data.data, data.length});
	emulator->counts.echo_asked++;
}

static void on_echo_reply(struct emulator *emulator, struct subscriber *subscriber,
			  const struct ppp_packet *packet)
{
	struct pppoe *pppoe = &subscriber->pppoe;
	uint64_t gap = emulator->now_ns - pppoe->echo_reply_ns;

	if (packet->length != 4)
		emulator_fault(emulator, FAULT_PPP_LENGTH);
	else if (read32(packet->data) != pppoe->peer_magic)
		emulator_fault(emulator, FAULT_PPP_MAGIC);
	else if (!pppoe->echo_open || packet->id != pppoe->echo_id)
		emulator_fault(emulator, FAULT_ECHO_UNASKED);
	else {
		emulator->counts.echo_replies++;
		pppoe->echo_open = false;
		pppoe->echo_reply_ns = emulator->now_ns;
		if (gap > pppoe->echo_gap_ns)
			pppoe->echo_gap_ns = gap;
	}
}

void ppp_echo(struct emulator *emulator, struct subscriber *subscriber)
{
	struct pppoe *pppoe = &subscriber->pppoe;
	struct writer data = {.length = 0};

	put32(&data, pppoe->magic);
	pppoe->echo_id++;
	pppoe->echo_open = true;
	if (!pppoe->echo_reply_ns)
		pppoe->echo_reply_ns = emulator->now_ns;
	emulator->counts.echo_requests++;
	ppp_control(emulator, subscriber, PPP_LCP,
		    &(struct ppp_packet){PPP_ECHO_REQUEST, pppoe->echo_id, data.data, data.length});
}

static void on_terminate_request(struct emulator *emulator, struct subscriber *subscriber,
				 const struct ppp_packet *packet)
{
	ppp_control(emulator, subscriber, PPP_LCP,
		    &(struct ppp_packet){PPP_TERMINATE_ACK, packet->id, NULL, 0});
	if (subscriber->state == STATE_UP)
		subscriber_ended(emulator, subscriber, END_TERMINATE);
	else
		subscriber_failed(emulator, subscriber, FAILURE_TERMINATED);
}

static void on_rejected(struct emulator *emulator, struct subscriber *subscriber,
			const struct ppp_packet *packet)
{
	(void)subscriber;
	(void)packet;
	emulator_fault(emulator, FAULT_PPP_REJECTED);
}

static void ignore(struct emulator *emulator, struct subscriber *subscriber, const struct ppp_packet *packet)
{
	(void)emulator;
	(void)subscriber;
	(void)packet;
}

static void code_reject(struct emulator *emulator, struct subscriber *subscriber, uint16_t protocol,
			const struct ppp_packet *packet)
{
	ppp_control(emulator, subscriber, protocol,
		    &(struct ppp_packet){PPP_CODE_REJECT, (uint8_t)emulator_random(emulator),
					 packet->data - CONTROL_HEADER, packet->length + CONTROL_HEADER});
}

static void lcp_input(struct emulator *emulator, struct subscriber *subscriber,
		      const struct ppp_packet *packet)
{
	static void (*const by_code[])(struct emulator *, struct subscriber *, const struct ppp_packet *) = {
		[PPP_TERMINATE_REQUEST] = on_terminate_request,
		[PPP_TERMINATE_ACK] = ignore,
		[PPP_CODE_REJECT] = on_rejected,
		[PPP_PROTOCOL_REJECT] = on_rejected,
		[PPP_ECHO_REQUEST] = on_echo_request,
		[PPP_ECHO_REPLY] = on_echo_reply,
		[PPP_DISCARD_REQUEST] = ignore,
	};

	if (negotiation_input(emulator, subscriber, &ppp_lcp, packet))
		return;
	if (packet->code < sizeof(by_code) / sizeof(by_code[0]) && by_code[packet->code])
		by_code[packet->code](emulator, subscriber, packet);
	else
		code_reject(emulator, subscriber, PPP_LCP, packet);
}

static void ipcp_input(struct emulator *emulator, struct subscriber *subscriber,
		       const struct ppp_packet *packet)
{
	if (subscriber->state < STATE_IPCP)
		return; /* the phase has not been reached: it is sent again */
	if (negotiation_input(emulator, subscriber, &ppp_ipcp, packet))
		return;
	if (packet->code == PPP_TERMINATE_REQUEST) {
		ppp_control(emulator, subscriber, PPP_IPCP,
			    &(struct ppp_packet){PPP_TERMINATE_ACK, packet->id, NULL, 0});
		if (subscriber->state == STATE_UP)
			subscriber_ended(emulator, subscriber, END_TERMINATE);
		else
			subscriber_failed(emulator, subscriber, FAILURE_TERMINATED);
	} else if (packet->code == PPP_CODE_REJECT) {
		emulator_fault(emulator, FAULT_PPP_REJECTED);
	} else if (packet->code != PPP_TERMINATE_ACK) {
		code_reject(emulator, subscriber, PPP_IPCP, packet);
	}
}

/* ---- Dispatch -------------------------------------------------------------------- */

static const struct {
	uint16_t protocol;
	enum state from; /* earlier than this it is not expected, and discarded */
	void (*input)(struct emulator *, struct subscriber *, const struct ppp_packet *);
} by_protocol[] = {
	{PPP_LCP, STATE_LCP, lcp_input},
	{PPP_PAP, STATE_AUTH, pap_input},
	{PPP_CHAP, STATE_AUTH, chap_input},
	{PPP_IPCP, STATE_IPCP, ipcp_input},
};

static void control_input(struct emulator *emulator, struct subscriber *subscriber, const uint8_t *data,
			  size_t length)
{
	struct ppp_packet packet;

	for (size_t i = 0; i < sizeof(by_protocol) / sizeof(by_protocol[0]); i++) {
		if (by_protocol[i].protocol != read16(data))
			continue;
		if (!ppp_packet_parse(data + 2, length - 2, &packet))
			emulator_fault(emulator, FAULT_PPP_LENGTH);
		else if (subscriber->state >= by_protocol[i].from)
			by_protocol[i].input(emulator, subscriber, &packet);
		return;
	}
	if (subscriber->state > STATE_LCP)
		protocol_reject(emulator, subscriber, data, length);
}

void ppp_input(struct emulator *emulator, struct subscriber *subscriber, const uint8_t *data, size_t length)
{
	struct datagram datagram;
	enum fault fault;

	if (length - 2 > subscriber->pppoe.mru)
		emulator_fault(emulator, FAULT_PPP_MRU);
	if (read16(data) != PPP_IPV4) {
		control_input(emulator, subscriber, data, length);
		return;
	}
	fault = datagram_parse(data + 2, length - 2, false, &datagram);
	if (fault)
		emulator_fault(emulator, fault);
	else
		traffic_input(emulator, subscriber, &datagram);
}

void ppp_begin(struct emulator *emulator, struct subscriber *subscriber)
{
	do
		subscriber->pppoe.magic = emulator_random(emulator);
	while (!subscriber->pppoe.magic);
	negotiation_begin(emulator, subscriber, &ppp_lcp);
}

void ppp_timeout(struct emulator *emulator, struct subscriber *subscriber)
{
	if (subscriber->state == STATE_AUTH)
		auth_timeout(emulator, subscriber);
	else
		negotiation_timeout(emulator, subscriber,
				    subscriber->state == STATE_LCP ? &ppp_lcp : &ppp_ipcp);
}

/* As a client that is switched off in an orderly way: both, and no waiting. */
void ppp_terminate(struct emulator *emulator, struct subscriber *subscriber)
{
	ppp_control(emulator, subscriber, PPP_LCP,
		    &(struct ppp_packet){PPP_TERMINATE_REQUEST, (uint8_t)emulator_random(emulator), NULL, 0});
	discovery_terminate(emulator, subscriber);
}
