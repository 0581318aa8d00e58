/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Datagrams in PPPoE: built and read back, cut at every byte, with lengths that lie.
 * Without PPPoE: dhcp4_packet.c.
 */
#include "controld/punt/frame.h"
#include "run.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define PAYLOAD   "sixteen bytes..."
#define PAYLOAD_N (sizeof(PAYLOAD) - 1)
#define SESSION   0xabcd
#define PADDING   18

static uint8_t built[FRAME_MAX];
static size_t built_length;
static unsigned tags;

static void build(void)
{
	struct frame_link link = {
		.destination = {2, 1},
		.source = {2, 2},
		.tag = {{0x88a8, 100}, {0x8100, 7}},
		.tags = tags,
		.pppoe_session = SESSION,
	};
	struct frame_flow flow = {htonl(0x0a000001), htonl(0x0a000005), 5351, 40000};

	built_length = frame_build(&link, &flow, (const uint8_t *)PAYLOAD, PAYLOAD_N, built, sizeof(built));
	ck_assert_uint_eq(built_length, 14 + 4 * tags + 8 + 28 + PAYLOAD_N);
}

static size_t pppoe_at(void)
{
	return 14 + 4 * tags;
}

/* In memory of exactly its length, so that a sanitizer sees a read behind it. */
static int parse_exact(size_t length, struct frame *frame)
{
	uint8_t *copy = malloc(length ? length : 1);
	size_t payload = 0;
	int failure;

	memcpy(copy, built, length);
	failure = frame_parse(copy, length, frame);
	if (!failure)
		payload = (size_t)(frame->payload - copy);
	frame->payload = built + payload;
	free(copy);
	return failure;
}

START_TEST(a_datagram_in_pppoe_is_built_and_read)
{
	static const uint8_t header[] = {0x88, 0x64, 0x11, 0, 0xab, 0xcd, 0, 2 + 28 + PAYLOAD_N, 0, 0x21};
	struct frame frame;

	tags = (unsigned)_i;
	build();
	ck_assert_mem_eq(built + pppoe_at() - 2, header, sizeof(header));
	ck_assert_uint_eq(frame_find_ipv4(built, built_length), pppoe_at() + 8);
	memset(built + built_length, 0xaa, PADDING);
	for (size_t padding = 0; padding <= PADDING; padding += PADDING) {
		ck_assert_int_eq(parse_exact(built_length + padding, &frame), 0);
		ck_assert_uint_eq(frame.link.tags, tags);
		ck_assert_uint_eq(frame.link.pppoe_session, SESSION);
		ck_assert_uint_eq(frame.payload_length, PAYLOAD_N);
		ck_assert_mem_eq(frame.payload, PAYLOAD, PAYLOAD_N);
	}
}
END_TEST

START_TEST(a_datagram_in_pppoe_cut_anywhere_is_none)
{
	struct frame frame;

	tags = (unsigned)_i;
	build();
	for (size_t length = 0; length < built_length; length++)
		ck_assert_int_lt(parse_exact(length, &frame), 0);
	for (size_t length = 0; length < pppoe_at() + 8; length++)
		ck_assert_uint_eq(frame_find_ipv4(built, length), 0);
}
END_TEST

START_TEST(every_field_of_pppoe_is_checked)
{
	static const struct {
		size_t at; /* in the PPPoE header */
		uint16_t value;
		int failure;
		bool found; /* by frame_find_ipv4 nevertheless */
	} changes[] = {
		{0, 0x1200, -EBADMSG, false}, /* type 2 */
		{0, 0x2100, -EBADMSG, false}, /* version 2 */
		{0, 0x11a7, -EBADMSG, false}, /* PADT */
		{2, 0, -EBADMSG, true},
		{4, 1, -EBADMSG, true},
		{4, 29 + PAYLOAD_N, -EBADMSG, true},
		{4, 31 + PAYLOAD_N, -EBADMSG, true},
		{4, 0xffff, -EBADMSG, true},
		{6, 0xc021, -EPROTO, false},
	};
	struct frame frame;
	uint8_t *at;

	tags = 1;
	build();
	at = built + pppoe_at() + changes[_i].at;
	at[0] = (uint8_t)(changes[_i].value >> 8);
	at[1] = (uint8_t)changes[_i].value;
	ck_assert_int_eq(parse_exact(built_length, &frame), changes[_i].failure);
	ck_assert_int_eq(frame_find_ipv4(built, built_length) != 0, changes[_i].found);
}
END_TEST

START_TEST(the_length_follows_the_packet_only_where_there_is_one)
{
	uint8_t before[sizeof(built)];

	tags = 2;
	build();
	frame_resized(built, pppoe_at() + 8, 0x1234);
	ck_assert_mem_eq(built + pppoe_at() + 4, "\x12\x36\x00\x21", 4);
	memcpy(built + 12, "\x08\x00", 2);
	memcpy(before, built, sizeof(built));
	frame_resized(built, 14, 0x1234);
	ck_assert_mem_eq(built, before, sizeof(built));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tests = tcase_create("pppoe");

	tcase_add_loop_test(tests, a_datagram_in_pppoe_is_built_and_read, 0, 3);
	tcase_add_loop_test(tests, a_datagram_in_pppoe_cut_anywhere_is_none, 0, 3);
	tcase_add_loop_test(tests, every_field_of_pppoe_is_checked, 0, 9);
	tcase_add_test(tests, the_length_follows_the_packet_only_where_there_is_one);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
