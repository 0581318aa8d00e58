/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * DHCP (RFC 2131, 2132, 3046) and the ARP that an IPoE subscriber needs.
 */
#include <arpa/inet.h>
#include <string.h>

#include "test/emulator/emulator.h"

#define HEADER         236
#define COOKIE         0x63825363
#define SHORTEST       300
#define DHCP_TRIES     5
#define SERVER_PORT    67
#define CLIENT_PORT    68
#define ARP_LENGTH     28
#define ARP_RETRY_MS   1000
#define BROADCAST_MAC  "\xff\xff\xff\xff\xff\xff"
#define BROADCAST_ADDR 0xffffffffu
#define TTL            64

enum type {
	DISCOVER = 1,
	OFFER = 2,
	REQUEST = 3,
	ACK = 5,
	NAK = 6,
	RELEASE = 7,
};

enum option {
	OPTION_PAD = 0,
	OPTION_MASK = 1,
	OPTION_ROUTER = 3,
	OPTION_DNS = 6,
	OPTION_REQUESTED = 50,
	OPTION_LEASE = 51,
	OPTION_TYPE = 53,
	OPTION_SERVER = 54,
	OPTION_PARAMETERS = 55,
	OPTION_MAX_SIZE = 57,
	OPTION_T1 = 58,
	OPTION_T2 = 59,
	OPTION_CLIENT_ID = 61,
	OPTION_RELAY_AGENT = 82,
	OPTION_END = 255,
};

/* Fixed lengths of options; 0: a multiple of four, at least one. */
static const struct {
	uint8_t option;
	uint8_t length;
} lengths[] = {
	{OPTION_MASK, 4}, {OPTION_ROUTER, 0}, {OPTION_DNS, 0}, {OPTION_LEASE, 4},
	{OPTION_TYPE, 1}, {OPTION_SERVER, 4}, {OPTION_T1, 4},  {OPTION_T2, 4},
};

struct value {
	const uint8_t *data; /* NULL: not there */
	uint8_t length;
};

struct reply {
	uint32_t address_be; /* yiaddr */
	uint8_t type;
	struct value option[256];
};

/* ---- Reading --------------------------------------------------------------------- */

static bool length_right(uint8_t option, uint8_t length)
{
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		if (lengths[i].option == option)
			return lengths[i].length ? length == lengths[i].length : length && length % 4 == 0;
	}
	return true;
}

static enum fault options_parse(const uint8_t *data, size_t length, struct reply *reply)
{
	size_t at = 0;

	while (at < length && data[at] != OPTION_END) {
		uint8_t option = data[at++];
		if (option == OPTION_PAD)
			continue;
		if (at == length || data[at] > length - at - 1)
			return FAULT_DHCP_OPTION;
		if (reply->option[option].data || !length_right(option, data[at]))
			return FAULT_DHCP_OPTION;
		reply->option[option] = (struct value){data + at + 1, data[at]};
		at += 1 + (size_t)data[at];
	}
	if (at == length) /* no end */
		return FAULT_DHCP_OPTION;
	return is_padding(data + at + 1, length - at - 1) ? FAULT_NONE : FAULT_DHCP_OPTION;
}

static enum fault reply_parse(const struct subscriber *subscriber, const struct datagram *datagram,
			      struct reply *reply)
{
	const uint8_t *data = datagram->payload;
	uint8_t mac[6];
	enum fault fault;

	memset(reply, 0, sizeof(*reply));
	subscriber_mac(subscriber, mac);
	if (datagram->length < HEADER + 4 || data[0] != 2 || data[1] != 1 || data[2] != 6 ||
	    memcmp(data + 28, mac, 6) || !is_padding(data + 34, 10) || read32(data + HEADER) != COOKIE)
		return FAULT_DHCP_HEADER;
	if (read32(data + 4) != subscriber->dhcp.xid)
		return FAULT_DHCP_XID;
	reply->address_be = read32_be(data + 16);
	fault = options_parse(data + HEADER + 4, datagram->length - HEADER - 4, reply);
	if (fault)
		return fault;
	if (!reply->option[OPTION_TYPE].data || !reply->option[OPTION_SERVER].data)
		return FAULT_DHCP_MISSING;
	reply->type = reply->option[OPTION_TYPE].data[0];
	return FAULT_NONE;
}

/* Option 82: the circuit id alone. Returns its length. */
static size_t relay_agent(const struct subscriber *subscriber, uint8_t *data)
{
	char circuit[NAME_MAX_LENGTH];
	size_t length = subscriber_text(subscriber, subscriber->group->circuit, circuit, sizeof(circuit));

	if (!length)
		return 0;
	data[0] = 1;
	data[1] = (uint8_t)length;
	memcpy(data + 2, circuit, length);
	return length + 2;
}

/* What an OFFER or ACK must have beside being one. */
static enum fault grant_check(const struct subscriber *subscriber, const struct reply *reply)
{
	uint8_t agent[NAME_MAX_LENGTH + 2];
	size_t agent_length = relay_agent(subscriber, agent);
	const struct value *echoed = &reply->option[OPTION_RELAY_AGENT];

	if (!reply->address_be || !reply->option[OPTION_LEASE].data || !reply->option[OPTION_MASK].data ||
	    !reply->option[OPTION_ROUTER].data || !read32(reply->option[OPTION_LEASE].data))
		return FAULT_DHCP_MISSING;
	if (echoed->length != agent_length || (agent_length && memcmp(echoed->data, agent, agent_length)))
		return FAULT_DHCP_RELAY_AGENT;
	return FAULT_NONE;
}

/* ---- Writing --------------------------------------------------------------------- */

static void put_option(struct writer *writer, uint8_t option, const void *data, size_t length)
{
	put8(writer, option);
	put8(writer, (uint8_t)length);
	put_bytes(writer, data, length);
}

static void put_header(const struct subscriber *subscriber, struct writer *writer, uint32_t client_be)
{
	uint8_t mac[6];

	subscriber_mac(subscriber, mac);
	put32(writer, 0x01010600);
	put32(writer, subscriber->dhcp.xid);
	put32(writer, 0); /* secs, flags */
	put32_be(writer, client_be);
	put_zeros(writer, 12);
	put_bytes(writer, mac, 6);
	put_zeros(writer, 10 + 64 + 128);
	put32(writer, COOKIE);
}

/* `begin` is where the message begins: some servers take none that is shorter than BOOTP's. */
static void put_options(const struct subscriber *subscriber, struct writer *writer, size_t begin,
			uint8_t type, bool selecting)
{
	static const uint8_t wanted[] = {OPTION_MASK,  OPTION_ROUTER, OPTION_DNS,
					 OPTION_LEASE, OPTION_T1,     OPTION_T2};
	uint8_t agent[NAME_MAX_LENGTH + 2], identity[7] = {1};
	size_t agent_length = relay_agent(subscriber, agent);

	subscriber_mac(subscriber, identity + 1);
	put_option(writer, OPTION_TYPE, &type, 1);
	put_option(writer, OPTION_CLIENT_ID, identity, sizeof(identity));
	if (selecting)
		put_option(writer, OPTION_REQUESTED, &subscriber->address_be, 4);
	if (selecting || type == RELEASE)
		put_option(writer, OPTION_SERVER, &subscriber->dhcp.server_be, 4);
	if (type != RELEASE) {
		put_option(writer, OPTION_PARAMETERS, wanted, sizeof(wanted));
		put_option(writer, OPTION_MAX_SIZE, "\x05\xdc", 2);
	}
	if (agent_length)
		put_option(writer, OPTION_RELAY_AGENT, agent, agent_length);
	put8(writer, OPTION_END);
	if (writer->length - begin < SHORTEST)
		put_zeros(writer, SHORTEST - (writer->length - begin));
}

/* To everybody until there is a lease; then to the server, through the router. */
static void message_send(struct emulator *emulator, struct subscriber *subscriber, uint8_t type)
{
	const struct dhcp *dhcp = &subscriber->dhcp;
	bool bound = subscriber->state == STATE_UP;
	bool direct = bound && dhcp->router_known;
	struct datagram to = {.from_be = bound ? subscriber->address_be : 0,
			      .to_be = direct ? dhcp->server_be : BROADCAST_ADDR,
			      .from_port = CLIENT_PORT,
			      .to_port = SERVER_PORT,
			      .ttl = TTL};
	struct writer writer;
	size_t begin, message;

	subscriber_frame(subscriber, &writer, direct ? dhcp->router_mac : (const uint8_t *)BROADCAST_MAC,
			 ETHERTYPE_IPV4);
	begin = datagram_begin(&writer, &to);
	message = writer.length;
	put_header(subscriber, &writer, bound ? subscriber->address_be : 0);
	put_options(subscriber, &writer, message, type, type == REQUEST && !bound);
	datagram_end(&writer, begin);
	subscriber_send(emulator, &writer);
}

/* ---- The exchange ---------------------------------------------------------------- */

void dhcp_begin(struct emulator *emulator, struct subscriber *subscriber)
{
	subscriber->dhcp = (struct dhcp){.xid = emulator_random(emulator)};
	subscriber_go(emulator, subscriber, STATE_DISCOVER);
	message_send(emulator, subscriber, DISCOVER);
	subscriber_wait(emulator, subscriber, true);
}

static void renewal_wait(struct emulator *emulator, struct subscriber *subscriber)
{
	uint64_t half_ms = (uint64_t)subscriber->dhcp.lease_s * 500;

	timer_set(&emulator->timers, &subscriber->timer,
		  half_ms < UINT32_MAX ? (uint32_t)half_ms : UINT32_MAX);
}

void dhcp_renew(struct emulator *emulator, struct subscriber *subscriber)
{
	if (subscriber->state != STATE_UP || subscriber->group->kind != KIND_IPOE)
		return;
	if (!subscriber->dhcp.renewing) {
		subscriber->dhcp.renewing = true;
		subscriber->dhcp.xid = emulator_random(emulator);
		subscriber->tries = 0;
		emulator->counts.renewals++;
	}
	message_send(emulator, subscriber, REQUEST);
	subscriber_wait(emulator, subscriber, true);
}

static void up_timeout(struct emulator *emulator, struct subscriber *subscriber)
{
	const struct dhcp *dhcp = &subscriber->dhcp;

	if (emulator->now_ns - dhcp->bound_ns > (uint64_t)dhcp->lease_s * 1000000000) {
		subscriber_ended(emulator, subscriber, END_LEASE_EXPIRED);
	} else if (!dhcp->renewing && !dhcp->router_known) {
		arp_ask(emulator, subscriber);
		emulator->counts.retransmitted++;
	} else {
		if (dhcp->renewing && subscriber->tries < DHCP_TRIES) {
			subscriber->tries++;
			emulator->counts.retransmitted++;
		}
		dhcp_renew(emulator, subscriber);
	}
}

void dhcp_timeout(struct emulator *emulator, struct subscriber *subscriber)
{
	bool discovering = subscriber->state == STATE_DISCOVER;

	if (subscriber->state == STATE_UP) {
		up_timeout(emulator, subscriber);
		return;
	}
	if (!subscriber_try(emulator, subscriber, DHCP_TRIES,
			    discovering ? FAILURE_DISCOVERY_UNANSWERED : FAILURE_REQUEST_UNANSWERED))
		return;
	message_send(emulator, subscriber, discovering ? DISCOVER : REQUEST);
	subscriber_wait(emulator, subscriber, true);
}

static void on_offer(struct emulator *emulator, struct subscriber *subscriber, const struct reply *reply)
{
	enum fault fault = grant_check(subscriber, reply);

	if (fault) {
		emulator_fault(emulator, fault);
		return;
	}
	subscriber->address_be = reply->address_be;
	subscriber->dhcp.server_be = read32_be(reply->option[OPTION_SERVER].data);
	subscriber_go(emulator, subscriber, STATE_REQUEST);
	message_send(emulator, subscriber, REQUEST);
	subscriber_wait(emulator, subscriber, true);
}

static enum fault ack_check(const struct subscriber *subscriber, const struct reply *reply)
{
	enum fault fault = grant_check(subscriber, reply);

	if (fault)
		return fault;
	if (read32_be(reply->option[OPTION_SERVER].data) != subscriber->dhcp.server_be)
		return FAULT_DHCP_SERVER;
	return reply->address_be == subscriber->address_be ? FAULT_NONE : FAULT_ADDRESS_CHANGED;
}

static void on_ack(struct emulator *emulator, struct subscriber *subscriber, const struct reply *reply)
{
	struct dhcp *dhcp = &subscriber->dhcp;
	enum fault fault = ack_check(subscriber, reply);

	if (fault) {
		emulator_fault(emulator, fault);
		return;
	}
	dhcp->lease_s = read32(reply->option[OPTION_LEASE].data);
	dhcp->bound_ns = emulator->now_ns;
	dhcp->router_be = read32_be(reply->option[OPTION_ROUTER].data);
	if (subscriber->state == STATE_UP) {
		dhcp->renewing = false;
		emulator->counts.renewed++;
		renewal_wait(emulator, subscriber);
		return;
	}
	subscriber_up(emulator, subscriber);
	arp_ask(emulator, subscriber);
}

void dhcp_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame,
		const struct datagram *datagram)
{
	bool up = subscriber->state == STATE_UP;
	struct reply reply;
	enum fault fault;

	(void)frame;
	if (subscriber->state != STATE_DISCOVER && subscriber->state != STATE_REQUEST && !up)
		return;
	fault = reply_parse(subscriber, datagram, &reply);
	if (fault == FAULT_DHCP_XID && up)
		return; /* the second answer to a request that was sent twice */
	if (fault)
		emulator_fault(emulator, fault);
	else if (reply.type == OFFER && subscriber->state == STATE_DISCOVER)
		on_offer(emulator, subscriber, &reply);
	else if (reply.type == ACK && (subscriber->state == STATE_REQUEST || subscriber->dhcp.renewing))
		on_ack(emulator, subscriber, &reply);
	else if (reply.type == NAK && subscriber->state == STATE_REQUEST)
		subscriber_failed(emulator, subscriber, FAILURE_REFUSED);
	else if (reply.type == NAK && subscriber->dhcp.renewing)
		subscriber_ended(emulator, subscriber, END_LEASE_REFUSED);
	else if (reply.type != OFFER && reply.type != ACK)
		emulator_fault(emulator, FAULT_DHCP_TYPE);
}

void dhcp_release(struct emulator *emulator, struct subscriber *subscriber)
{
	message_send(emulator, subscriber, RELEASE);
}

/* ---- ARP ------------------------------------------------------------------------- */

static void arp_send(struct emulator *emulator, struct subscriber *subscriber, uint16_t operation,
		     const uint8_t *to, uint32_t to_be)
{
	struct writer writer;
	uint8_t mac[6];

	subscriber_mac(subscriber, mac);
	subscriber_frame(subscriber, &writer, operation == 1 ? (const uint8_t *)BROADCAST_MAC : to,
			 ETHERTYPE_ARP);
	put32(&writer, 0x00010800);
	put16(&writer, 0x0604);
	put16(&writer, operation);
	put_bytes(&writer, mac, 6);
	put32_be(&writer, subscriber->address_be);
	put_bytes(&writer, to, 6);
	put32_be(&writer, to_be);
	subscriber_send(emulator, &writer);
}

void arp_ask(struct emulator *emulator, struct subscriber *subscriber)
{
	static const uint8_t unknown[6];

	arp_send(emulator, subscriber, 1, unknown, subscriber->dhcp.router_be);
	timer_set(&emulator->timers, &subscriber->timer, ARP_RETRY_MS);
}

void arp_input(struct emulator *emulator, struct subscriber *subscriber, const struct frame *frame)
{
	const uint8_t *arp = frame->payload;
	struct dhcp *dhcp = &subscriber->dhcp;

	if (frame->length < ARP_LENGTH || read32(arp) != 0x00010800 || read16(arp + 4) != 0x0604) {
		emulator_fault(emulator, FAULT_ARP);
		return;
	}
	if (subscriber->state != STATE_UP)
		return;
	if (read16(arp + 6) == 1 && read32_be(arp + 24) == subscriber->address_be) {
		arp_send(emulator, subscriber, 2, arp + 8, read32_be(arp + 14));
	} else if (read16(arp + 6) == 2 && read32_be(arp + 14) == dhcp->router_be) {
		if (memcmp(arp + 8, frame->from, 6) || read32_be(arp + 24) != subscriber->address_be) {
			emulator_fault(emulator, FAULT_ARP);
			return;
		}
		memcpy(dhcp->router_mac, arp + 8, 6);
		dhcp->router_known = true;
		if (!dhcp->renewing)
			renewal_wait(emulator, subscriber);
	}
}
