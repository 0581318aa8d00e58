/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The emulator against bytes: a session as Debian's pppd held it, a lease made by hand,
 * and each of them broken in every place. Time and the other end are the test's.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/emulator/emulator.h"
#include "test/emulator/ppp.h"

#define SECOND    1000000000ULL
#define BEGIN     (100 * SECOND)
#define SERVER_IP 0x0a000001
#define CLIENT_IP 0x0a000017

static struct emulator emulator;
static struct subscriber *alice;
static uint8_t sent[FRAME_MAX]; /* the last frame */
static size_t sent_length;
static unsigned sent_count;

static void keep_sent(struct emulator *from, enum side side, const uint8_t *data, size_t length)
{
	(void)from;
	(void)side;
	ck_assert_uint_ge(length, 60);
	memcpy(sent, data, length);
	sent_length = length;
	sent_count++;
}

static void begin(enum kind kind)
{
	struct group group = {.kind = kind,
			      .count = 1,
			      .user = "user%n",
			      .password = "password%n",
			      .auth = AUTH_PAP | AUTH_CHAP_MD5 | AUTH_MSCHAP2,
			      .mru = PPP_MRU_DEFAULT,
			      .dns = true};

	ck_assert_int_eq(emulator_init(&emulator, 4, BEGIN), 0);
	emulator.send = keep_sent;
	emulator.traffic.remote_be = htonl(0xc6130001);
	sent_count = 0;
	ck_assert_int_eq(emulator_add(&emulator, &group), 0);
	alice = &emulator.subscriber[0];
	subscriber_start(&emulator, alice);
}

static size_t hex(const char *text, uint8_t *out)
{
	size_t length = 0;
	unsigned byte;

	for (; sscanf(text, "%2x", &byte) == 1; text += 2)
		out[length++] = (uint8_t)byte;
	return length;
}

static uint64_t fault_count(void)
{
	uint64_t count = 0;

	for (int i = 0; i < FAULT_COUNT; i++)
		count += emulator.faults.count[i];
	return count;
}

/* ---- pppd -------------------------------------------------------------------------- */

/* What pppd sent, the state afterwards, and the random values that the recording had then. */
static const struct step {
	const char *frame;
	enum state after;
	uint8_t id; /* 0: stays */
} recorded[] = {
	{"02e50000000052540012345688631107000000380102000c636f6e63656e747261746f72010100000104001417f5c1"
	 "25b075f9d9e3b9854320572c925f00000001030008000000002949eeaa",
	 STATE_PADR, 0},
	{"02e500000000525400123456886311650001001001010000"
	 "01030008000000002949eeaa000000000000000000000000000000000000000000000000",
	 STATE_LCP, 0x23},
	{"02e5000000005254001234568864110000010014c02101010012010405d40304c0230506d33f97db"
	 "0000000000000000000000000000000000000000",
	 STATE_LCP, 0},
	{"02e5000000005254001234568864110000010010c0210223000e010405d40506a92aba1a"
	 "000000000000000000000000000000000000000000000000",
	 STATE_AUTH, 0x1b},
	{"02e500000000525400123456886411000001000ac02109000008d33f97db", STATE_AUTH, 0},
	{"02e500000000525400123456886411000001000fc023021b000d084c6f67696e206f6b", STATE_IPCP, 0xb9},
	{"02e500000000525400123456886411000001000c80210101000a03060a400001", STATE_IPCP, 0},
	{"02e500000000525400123456886411000001001080570101000e010a64d64941c6b15b79", STATE_IPCP, 0},
	{"02e5000000005254001234568864110000010018802103b9001603060a40000a8106c00002018306c0000202",
	 STATE_IPCP, 0},
	{"02e5000000005254001234568864110000010018802102ba001603060a40000a8106c00002018306c0000202", STATE_UP,
	 0},
	{"02e500000000525400123456886411000001000ac02109010008d33f97db", STATE_UP, 0},
	{"02e500000000525400123456886311a7000100110203000d5265636569766564205041445400", STATE_IDLE, 0},
};

#define STEPS (sizeof(recorded) / sizeof(recorded[0]))

static void step_settle(const struct step *step)
{
	struct pppoe *pppoe = &alice->pppoe;

	if (step->id && alice->state == STATE_LCP) {
		pppoe->lcp.id = step->id;
		pppoe->magic = 0xa92aba1a;
	} else if (step->id && alice->state == STATE_AUTH) {
		pppoe->auth_id = step->id;
	} else if (step->id) {
		pppoe->ipcp.id = step->id;
	}
}

static void play(size_t steps)
{
	uint8_t frame[FRAME_MAX];

	begin(KIND_PPPOE);
	memcpy(&alice->pppoe.host_uniq, "\x00\x00\x00\x00\x29\x49\xee\xaa", 8);
	for (size_t i = 0; i < steps; i++) {
		size_t length = hex(recorded[i].frame, frame);
		emulator_input(&emulator, SIDE_ACCESS, frame, length);
		ck_assert_int_eq(alice->state, recorded[i].after);
		step_settle(&recorded[i]);
	}
	ck_assert_uint_eq(fault_count(), 0);
}

START_TEST(session_with_pppd)
{
	play(STEPS - 1);
	ck_assert_uint_eq(emulator.up, 1);
	ck_assert_uint_eq(emulator.under_way, 0);
	ck_assert_uint_eq(ntohl(alice->address_be), 0x0a40000a);
	ck_assert_uint_eq(ntohl(alice->pppoe.dns_be[1]), 0xc0000202);
	ck_assert_uint_eq(emulator.counts.echo_asked, 2);
	emulator_done(&emulator);
	play(STEPS);
	ck_assert_uint_eq(emulator.counts.ended[END_PADT], 1);
	ck_assert_uint_eq(emulator.up, 0);
	emulator_done(&emulator);
}
END_TEST

/* No byte of a frame may be other than it was without being noticed or mattering: whatever
 * happens, nobody is up who should not be, and nothing is read that is not there. */
START_TEST(session_with_pppd_broken)
{
	uint8_t frame[FRAME_MAX], *cut;

	for (size_t i = 0; i < STEPS; i++) {
		size_t length = hex(recorded[i].frame, frame);
		for (size_t at = 0; at < length; at++) {
			play(i);
			frame[at] ^= 0xff;
			emulator_input(&emulator, SIDE_ACCESS, frame, length);
			frame[at] ^= 0xff;
			emulator_done(&emulator);
			play(i);
			cut = malloc(at);
			memcpy(cut, frame, at);
			emulator_input(&emulator, SIDE_ACCESS, cut, at);
			ck_assert(at >= 14 || alice->state == (i ? recorded[i - 1].after : STATE_PADI));
			free(cut);
			emulator_done(&emulator);
		}
	}
}
END_TEST

/* Row: the step that is changed, the byte, its new value, the fault. */
static const struct {
	size_t step, at;
	uint8_t value;
	enum fault fault;
} broken[] = {
	{0, 14, 0x21, FAULT_PPPOE_HEADER},  {0, 15, 0x77, FAULT_PPPOE_CODE},
	{0, 17, 1, FAULT_PPPOE_SESSION},    {0, 18, 1, FAULT_PPPOE_LENGTH},
	{0, 23, 0xff, FAULT_PPPOE_TAG},     {0, 75, 0xab, FAULT_PPPOE_HOST_UNIQ},
	{0, 21, 0x09, FAULT_PPPOE_AC_NAME}, {0, 37, 0x09, FAULT_PPPOE_SERVICE_NAME},
	{1, 17, 0, FAULT_PPPOE_SESSION},    {1, 59, 1, FAULT_FRAME_PADDING},
	{2, 17, 2, FAULT_PPPOE_SESSION},    {2, 25, 0x13, FAULT_PPP_LENGTH},
	{2, 27, 9, FAULT_PPP_OPTION},       {2, 30, 8, FAULT_PPP_FRAMING},
	{3, 35, 0x1b, FAULT_PPP_OPTION},    {4, 29, 0, FAULT_PPP_MAGIC},
	{5, 26, 9, FAULT_AUTH_LENGTH},      {5, 22, 9, FAULT_AUTH_METHOD},
	{6, 28, 0x99, FAULT_NONE},          {8, 26, 9, FAULT_PPP_OPTION},
	{9, 31, 0, FAULT_PPP_OPTION},       {10, 22, 10, FAULT_ECHO_UNASKED},
};

START_TEST(fault_has_its_name)
{
	uint8_t frame[FRAME_MAX];
	size_t length = hex(recorded[broken[_i].step].frame, frame);

	play(broken[_i].step);
	frame[broken[_i].at] = broken[_i].value;
	emulator_input(&emulator, SIDE_ACCESS, frame, length);
	ck_assert_str_eq(fault_name(emulator.faults.first), fault_name(broken[_i].fault));
	emulator_done(&emulator);
}
END_TEST

START_TEST(setup_is_tried_again_and_given_up)
{
	begin(KIND_PPPOE);
	emulator.settings.again_ms = 10000;
	ck_assert_uint_eq(sent_count, 1);
	for (int i = 1; i < 150 && alice->state == STATE_PADI; i++)
		emulator_run(&emulator, BEGIN + (uint64_t)i * SECOND);
	ck_assert_uint_eq(sent_count, 5);
	ck_assert_int_eq(alice->state, STATE_AGAIN);
	ck_assert_uint_eq(emulator.counts.failed[FAILURE_DISCOVERY_UNANSWERED], 1);
	ck_assert_uint_eq(emulator.under_way, 0);
	for (int i = 0; i < 16 && alice->state == STATE_AGAIN; i++)
		emulator_run(&emulator, emulator.now_ns + SECOND);
	ck_assert_int_eq(alice->state, STATE_PADI);
	ck_assert_uint_eq(sent_count, 6);
	emulator_done(&emulator);
}
END_TEST

/* A Configure-Request for what is open: all begins anew, and it is told. */
START_TEST(renegotiation_is_a_fault)
{
	uint8_t frame[FRAME_MAX];

	play(STEPS - 1);
	emulator_input(&emulator, SIDE_ACCESS, frame, hex(recorded[2].frame, frame));
	ck_assert_int_eq(alice->state, STATE_LCP);
	ck_assert_uint_eq(emulator.faults.count[FAULT_RENEGOTIATED], 1);
	ck_assert_uint_eq(emulator.counts.ended[END_RENEGOTIATE], 1);
	ck_assert_uint_eq(emulator.up, 0);
	emulator_done(&emulator);
}
END_TEST

START_TEST(echo_gap_is_measured)
{
	uint8_t reply[] = {0x02, 0xe5, 0,    0,    0,    0,    0x52, 0x54, 0,    0x12,
			   0x34, 0x56, 0x88, 0x64, 0x11, 0,    0,    0x01, 0,    0x0a,
			   0xc0, 0x21, 0x0a, 0x00, 0,    0x08, 0xd3, 0x3f, 0x97, 0xdb};

	play(STEPS - 1);
	for (uint8_t second = 1; second <= 5; second++) {
		emulator.now_ns += SECOND;
		ppp_echo(&emulator, alice);
		reply[23] = alice->pppoe.echo_id;
		if (second != 3)
			emulator_input(&emulator, SIDE_ACCESS, reply, sizeof(reply));
	}
	ck_assert_uint_eq(fault_count(), 0);
	ck_assert_uint_eq(emulator.counts.echo_requests - emulator.counts.echo_replies, 1);
	ck_assert_uint_eq(alice->pppoe.echo_gap_ns, 2 * SECOND);
	emulator_input(&emulator, SIDE_ACCESS, reply, sizeof(reply));
	ck_assert_uint_eq(emulator.faults.count[FAULT_ECHO_UNASKED], 1);
	emulator_done(&emulator);
}
END_TEST

/* ---- Traffic ------------------------------------------------------------------------ */

/* The last packet sent, seen by the peer from this address, back to the subscriber. */
static void reflect(uint32_t public_be, unsigned times)
{
	uint8_t up[FRAME_MAX];
	struct datagram datagram;
	struct writer writer = {.length = 0};
	struct tags none = {.count = 0};
	size_t at;

	ck_assert_int_eq(datagram_parse(sent + 22, sent_length - 22, true, &datagram), FAULT_NONE);
	ck_assert_uint_eq(datagram.from_be, alice->address_be);
	memcpy(up, datagram.payload, datagram.length);
	datagram.from_be = public_be;
	datagram.payload = NULL;
	put_ethernet(&writer, (const uint8_t *)"\x02\0\0\0\0\2", (const uint8_t *)"\x02\0\0\0\0\1", &none,
		     ETHERTYPE_IPV4);
	at = datagram_begin(&writer, &datagram);
	put_bytes(&writer, up, datagram.length);
	datagram_end(&writer, at);
	emulator_input(&emulator, SIDE_CORE, writer.data, writer.length);
	ck_assert_int_eq(datagram_parse(sent + 14, sent_length - 14, true, &datagram), FAULT_NONE);
	ck_assert_uint_eq(datagram.to_be, public_be);
	memcpy(up, datagram.payload, datagram.length);
	datagram.to_be = alice->address_be;
	writer.length = 0;
	ppp_frame(alice, &writer, PPP_IPV4);
	memcpy(writer.data, "\x02\xe5\0\0\0\0\x52\x54\0\x12\x34\x56", 12);
	at = datagram_begin(&writer, &datagram);
	put_bytes(&writer, up, datagram.length);
	datagram_end(&writer, at);
	set16(&writer, 18, (uint16_t)(writer.length - 20));
	for (unsigned i = 0; i < times; i++)
		emulator_input(&emulator, SIDE_ACCESS, writer.data, writer.length);
}

START_TEST(every_packet_is_accounted_for)
{
	static const uint32_t public = 0x0a7100cb, other = 0x0b7100cb;

	play(STEPS - 1);
	emulator.traffic.rate = 20;
	for (int i = 1; i <= 20; i++) {
		unsigned before = sent_count;
		emulator_run(&emulator, BEGIN + (uint64_t)i * SECOND / 20 + 1000);
		ck_assert_uint_eq(sent_count, before + 1);
		reflect(i < 15 ? public : other, i == 7 ? 0 : i == 9 ? 2 : 1);
	}
	ck_assert_uint_eq(alice->flow.sent, 20);
	ck_assert_uint_eq(alice->flow.received, 19);
	ck_assert_uint_eq(emulator.traffic.echoed, 20);
	ck_assert_uint_eq(emulator.faults.count[FAULT_TRAFFIC_ORDER], 1);
	ck_assert_uint_eq(emulator.faults.count[FAULT_PUBLIC_CHANGED], 6);
	ck_assert_uint_eq(fault_count(), 7);
	emulator_done(&emulator);
}
END_TEST

/* ---- DHCP --------------------------------------------------------------------------- */

enum dhcp_change {
	AS_IT_SHOULD_BE,
	OTHER_XID,
	NO_LEASE_TIME,
	NO_ROUTER,
	NO_END,
	ROUTER_OF_THREE,
	TYPE_TWICE,
	OTHER_ADDRESS,
	OTHER_SERVER,
	OTHER_MAC,
	BAD_CHECKSUM,
	BAD_IP_CHECKSUM,
	TOO_LONG,
	NAMELESS_AGENT,
	DHCP_CHANGES,
};

static const enum fault dhcp_fault[DHCP_CHANGES] = {
	[OTHER_XID] = FAULT_DHCP_XID,
	[NO_LEASE_TIME] = FAULT_DHCP_MISSING,
	[NO_ROUTER] = FAULT_DHCP_MISSING,
	[NO_END] = FAULT_DHCP_OPTION,
	[ROUTER_OF_THREE] = FAULT_DHCP_OPTION,
	[TYPE_TWICE] = FAULT_DHCP_OPTION,
	[OTHER_ADDRESS] = FAULT_ADDRESS_CHANGED,
	[OTHER_SERVER] = FAULT_DHCP_SERVER,
	[OTHER_MAC] = FAULT_DHCP_HEADER,
	[BAD_CHECKSUM] = FAULT_UDP_CHECKSUM,
	[BAD_IP_CHECKSUM] = FAULT_IP_CHECKSUM,
	[TOO_LONG] = FAULT_IP_LENGTH,
	[NAMELESS_AGENT] = FAULT_DHCP_RELAY_AGENT,
};

static void put_address(struct writer *writer, uint8_t option, uint32_t value)
{
	put16(writer, (uint16_t)(option << 8 | 4));
	put32(writer, value);
}

static void put_message(struct writer *writer, uint8_t type, enum dhcp_change change)
{
	uint8_t mac[6];

	subscriber_mac(alice, mac);
	mac[5] = change == OTHER_MAC;
	put32(writer, 0x02010600);
	put32(writer, alice->dhcp.xid + (change == OTHER_XID));
	put_zeros(writer, 8);
	put32(writer, CLIENT_IP + (change == OTHER_ADDRESS));
	put_zeros(writer, 8);
	put_bytes(writer, mac, 6);
	put_zeros(writer, 202);
	put32(writer, 0x63825363);
	for (int i = 0; i < 1 + (change == TYPE_TWICE); i++) {
		put16(writer, 53 << 8 | 1);
		put8(writer, type);
	}
	put_address(writer, 54, SERVER_IP + (change == OTHER_SERVER));
	put_address(writer, 1, 0xffff0000);
	if (change == ROUTER_OF_THREE)
		put_bytes(writer, "\x03\x03\x0a\x00\x00", 5);
	else if (change != NO_ROUTER)
		put_address(writer, 3, SERVER_IP);
	if (change != NO_LEASE_TIME)
		put_address(writer, 51, 600);
	if (change == NAMELESS_AGENT)
		put_bytes(writer, "\x52\x03\x01\x01\x61", 5);
	if (change != NO_END)
		put8(writer, 255);
}

static void answer(uint8_t type, enum dhcp_change change)
{
	struct datagram from = {.from_be = htonl(SERVER_IP),
				.to_be = htonl(CLIENT_IP),
				.from_port = 67,
				.to_port = 68,
				.ttl = 64};
	struct tags none = {.count = 0};
	struct writer writer = {.length = 0};
	size_t at;
	uint8_t mac[6];

	subscriber_mac(alice, mac);
	put_ethernet(&writer, mac, (const uint8_t *)"\x02\0\0\0\0\1", &none, ETHERTYPE_IPV4);
	at = datagram_begin(&writer, &from);
	put_message(&writer, type, change);
	datagram_end(&writer, at);
	if (change == BAD_CHECKSUM)
		writer.data[writer.length - 2] ^= 1;
	if (change == BAD_IP_CHECKSUM)
		writer.data[at + 8] ^= 1;
	if (change == TOO_LONG)
		writer.data[at + 2]++;
	emulator_input(&emulator, SIDE_ACCESS, writer.data, writer.length);
}

START_TEST(lease_is_taken_renewed_and_lost)
{
	begin(KIND_IPOE);
	answer(2, AS_IT_SHOULD_BE);
	ck_assert_int_eq(alice->state, STATE_REQUEST);
	answer(5, AS_IT_SHOULD_BE);
	ck_assert_int_eq(alice->state, STATE_UP);
	ck_assert_uint_eq(ntohl(alice->address_be), CLIENT_IP);
	ck_assert_uint_eq(read16(sent + 12), ETHERTYPE_ARP);
	alice->dhcp.router_known = true;
	dhcp_renew(&emulator, alice);
	answer(5, AS_IT_SHOULD_BE);
	ck_assert_uint_eq(emulator.counts.renewed, 1);
	for (int i = 1; i < 290; i++)
		emulator_run(&emulator, BEGIN + (uint64_t)i * SECOND);
	ck_assert_uint_eq(emulator.counts.renewals, 1);
	for (int i = 290; i < 1500 && alice->state == STATE_UP; i++)
		emulator_run(&emulator, BEGIN + (uint64_t)i * SECOND);
	ck_assert_uint_eq(emulator.counts.renewals, 2);
	ck_assert_uint_eq(emulator.counts.ended[END_LEASE_EXPIRED], 1);
	ck_assert_uint_eq(fault_count(), 0);
	emulator_done(&emulator);
}
END_TEST

START_TEST(lease_that_is_not_right_is_a_fault)
{
	begin(KIND_IPOE);
	answer(2, AS_IT_SHOULD_BE);
	answer(5, (enum dhcp_change)_i);
	ck_assert_str_eq(fault_name(emulator.faults.first), fault_name(dhcp_fault[_i]));
	ck_assert_int_eq(alice->state, _i == AS_IT_SHOULD_BE ? STATE_UP : STATE_REQUEST);
	emulator_done(&emulator);
}
END_TEST

/* ---- Pieces ------------------------------------------------------------------------- */

/* The example of RFC 2759 section 9.2. */
START_TEST(mschap2_example_of_the_standard)
{
	struct mschap2 exchange;
	uint8_t expected[24];

	hex("5B5D7C7D7B3F2F3E3C2C602132262628", exchange.server_challenge);
	hex("21402324255E262A28295F2B3A337C7E", exchange.peer_challenge);
	ck_assert_int_eq(mschap2_respond(&exchange, "User", "clientPass"), 0);
	hex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF", expected);
	ck_assert_mem_eq(exchange.response, expected, 24);
	hex("407A5589115FD0D6209F510FE9C04566932CDA56", expected);
	ck_assert_mem_eq(exchange.authenticator, expected, 20);
}
END_TEST

START_TEST(timers_come_in_their_time)
{
	static struct timers timers;
	struct timer near = {0}, far = {0}, never = {0};

	timers_init(&timers, 1000);
	timer_set(&timers, &near, 100);
	timer_set(&timers, &far, 3 * TIMER_SLOTS * TIMER_TICK_MS);
	timer_set(&timers, &never, 50);
	timer_stop(&never);
	ck_assert_ptr_null(timers_next_due(&timers, 1096));
	ck_assert_ptr_eq(timers_next_due(&timers, 1110), &near);
	ck_assert_ptr_null(timers_next_due(&timers, 1000 + 3 * TIMER_SLOTS * TIMER_TICK_MS));
	ck_assert_ptr_eq(timers_next_due(&timers, 1010 + 3 * TIMER_SLOTS * TIMER_TICK_MS), &far);
	ck_assert_ptr_null(timers_next_due(&timers, 1 << 30));
}
END_TEST

START_TEST(tags_count_up)
{
	struct group group = {.kind = KIND_PPPOE,
			      .first = 0,
			      .count = 100,
			      .tag_count = 2,
			      .first_tag = {{ETHERTYPE_QINQ, 100}, {ETHERTYPE_VLAN, 5}},
			      .tag_range = {4, 10}};
	struct subscriber subscriber = {.number = 37, .group = &group};
	struct tags tags;

	subscriber_tags(&subscriber, &tags);
	ck_assert_uint_eq(tags.tag[0].vid, 103);
	ck_assert_uint_eq(tags.tag[1].vid, 12);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("emulator");
	TCase *all = tcase_create("all");

	tcase_add_test(all, session_with_pppd);
	tcase_add_test(all, session_with_pppd_broken);
	tcase_add_loop_test(all, fault_has_its_name, 0, sizeof(broken) / sizeof(broken[0]));
	tcase_add_test(all, setup_is_tried_again_and_given_up);
	tcase_add_test(all, renegotiation_is_a_fault);
	tcase_add_test(all, echo_gap_is_measured);
	tcase_add_test(all, every_packet_is_accounted_for);
	tcase_add_test(all, lease_is_taken_renewed_and_lost);
	tcase_add_loop_test(all, lease_that_is_not_right_is_a_fault, 0, DHCP_CHANGES);
	tcase_add_test(all, mschap2_example_of_the_standard);
	tcase_add_test(all, timers_come_in_their_time);
	tcase_add_test(all, tags_count_up);
	suite_add_tcase(suite, all);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
