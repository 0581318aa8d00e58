/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The packet parser: cut at every byte, damaged at every byte, options in every
 * place and shape; and the frame builder read back by it.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/dhcp4/packet.h"
#include "run.h"

#define MESSAGE_MAX 1024

static uint8_t message[MESSAGE_MAX];
static size_t message_length;
static uint8_t frame[FRAME_MAX];
static size_t frame_length;

/* A DISCOVER whose options are these bytes. */
static void message_with(const char *options, size_t length)
{
	memset(message, 0, sizeof(message));
	message[0] = DHCP4_OP_REQUEST;
	memcpy(message + 236, "\x63\x82\x53\x63", 4);
	memcpy(message + 240, options, length);
	message_length = 240 + length;
}
#define MESSAGE_WITH(options) message_with(options, sizeof(options) - 1)

static void frame_with_tags(unsigned tags)
{
	struct frame_link link = {.tag = {{0x88a8, 100}, {0x8100, 0xe007}}, .tags = tags};
	struct frame_flow flow = {0, 0xffffffff, 68, 67};

	MESSAGE_WITH("\x35\x01\x01\x32\x04\x0a\x00\x00\x07\xff");
	frame_length = frame_build(&link, &flow, message, message_length, frame, sizeof(frame));
	ck_assert_uint_eq(frame_length, 14 + 4 * tags + 28 + message_length);
}

/* In memory of exactly its length, so that a sanitizer sees a read behind it. */
static int parse_exact(const uint8_t *data, size_t length, struct dhcp4_packet *packet)
{
	uint8_t *copy = malloc(length ? length : 1);

	memcpy(copy, data, length);
	int err = dhcp4_packet_parse(copy, length, packet);
	free(copy);
	return err;
}

static int parse_message(struct dhcp4_message *parsed)
{
	uint8_t *copy = malloc(message_length);

	memcpy(copy, message, message_length);
	int err = dhcp4_message_parse(copy, message_length, parsed);
	free(copy);
	return err;
}

START_TEST(frame_is_read_back)
{
	struct dhcp4_packet packet;

	frame_with_tags((unsigned)_i);
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), 0);
	ck_assert_uint_eq(packet.link.tags, (unsigned)_i);
	if (_i == 2) {
		ck_assert_uint_eq(packet.link.tag[0].tpid, 0x88a8);
		ck_assert_uint_eq(packet.link.tag[1].tci, 0xe007);
	}
	ck_assert_uint_eq(packet.flow.destination_port, 67);
	ck_assert_int_eq(packet.message.type, DHCP4_DISCOVER);
	ck_assert_uint_eq(packet.message.requested_be, inet_addr("10.0.0.7"));
}
END_TEST

START_TEST(frame_cut_anywhere_is_malformed)
{
	struct dhcp4_packet packet;

	frame_with_tags((unsigned)_i);
	for (size_t length = 0; length < frame_length; length++)
		ck_assert_int_eq(parse_exact(frame, length, &packet), -EBADMSG);
}
END_TEST

START_TEST(frame_padding_is_no_part_of_the_message)
{
	struct dhcp4_packet packet;
	uint8_t padded[FRAME_MAX + 64] = {0};

	frame_with_tags(1);
	memcpy(padded, frame, frame_length);
	memset(padded + frame_length, 0x35, 18);
	ck_assert_int_eq(parse_exact(padded, frame_length + 18, &packet), 0);
	ck_assert_int_eq(packet.message.type, DHCP4_DISCOVER);
}
END_TEST

/* Every bit from the IP header on is covered by a checksum, or is the checksum. */
START_TEST(frame_damaged_anywhere_is_refused)
{
	struct dhcp4_packet packet;

	frame_with_tags(2);
	for (size_t i = 14 + 8; i < frame_length; i++) {
		frame[i] ^= 0x10;
		ck_assert_msg(parse_exact(frame, frame_length, &packet) < 0, "byte %zu", i);
		frame[i] ^= 0x10;
	}
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), 0);
	frame[frame_length - 3] ^= 1;
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), -EILSEQ);
}
END_TEST

START_TEST(frame_without_udp_checksum_is_accepted)
{
	struct dhcp4_packet packet;

	frame_with_tags(0);
	memset(frame + 14 + 20 + 6, 0, 2);
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), 0);
}
END_TEST

START_TEST(frame_of_something_else)
{
	static const struct {
		size_t offset;
		uint8_t value;
		int error;
	} changes[] = {
		{12, 0x86, -EPROTO},  /* ethertype */
		{14, 0x44, -EBADMSG}, /* header of 16 bytes */
		{14, 0x65, -EBADMSG}, /* version 6 */
		{14, 0x4f, -EILSEQ},  /* header longer, checksum wrong */
	};
	struct dhcp4_packet packet;

	frame_with_tags(0);
	frame[changes[_i].offset] = changes[_i].value;
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), changes[_i].error);
}
END_TEST

/* Right after a change in the header. */
static void repair_ip(uint8_t *ip)
{
	uint32_t sum = 0;

	memset(ip + 10, 0, 2);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	ip[10] = (uint8_t)(~sum >> 8);
	ip[11] = (uint8_t)~sum;
}

START_TEST(frame_with_a_header_that_means_something_else)
{
	static const struct {
		size_t offset;
		uint8_t value;
	} changes[] = {
		{9, 6},    /* TCP */
		{6, 0x20}, /* first fragment */
		{7, 0x01}, /* later fragment */
	};
	struct dhcp4_packet packet;

	frame_with_tags(0);
	repair_ip(frame + 14);
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), 0);
	frame[14 + changes[_i].offset] = changes[_i].value;
	repair_ip(frame + 14);
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), -EPROTO);
}
END_TEST

START_TEST(frame_for_another_port)
{
	struct frame_link link = {0};
	struct frame_flow flow = {0, 0xffffffff, 67, 68};
	struct dhcp4_packet packet;

	MESSAGE_WITH("\x35\x01\x01\xff");
	frame_length = frame_build(&link, &flow, message, message_length, frame, sizeof(frame));
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), -EPROTO);
}
END_TEST

/* A sum of zero is sent as 0xffff: zero would say that there is none. */
START_TEST(checksum_is_never_zero)
{
	struct frame_link link = {0};
	struct frame_flow flow = {0, 0xffffffff, 68, 67};
	struct dhcp4_packet packet;
	uint8_t *check = frame + 14 + 20 + 6;

	MESSAGE_WITH("\x35\x01\x01\xff");
	frame_length = frame_build(&link, &flow, message, message_length, frame, sizeof(frame));
	memcpy(message + 44, check, 2); /* `sname`: the sum becomes 0xffff, its complement 0 */
	frame_length = frame_build(&link, &flow, message, message_length, frame, sizeof(frame));
	ck_assert_mem_eq(check, "\xff\xff", 2);
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), 0);
}
END_TEST

START_TEST(frame_with_three_tags)
{
	struct dhcp4_packet packet;

	frame_with_tags(2);
	memcpy(frame + 20, "\x81\x00", 2);
	ck_assert_int_eq(parse_exact(frame, frame_length, &packet), -EPROTO);
}
END_TEST

/* ---- Options -------------------------------------------------------------------- */

START_TEST(options_of_a_full_request)
{
	struct dhcp4_message parsed;

	MESSAGE_WITH("\x00\x00\x35\x01\x03\x32\x04\x0a\x00\x00\x07\x36\x04\x0a\x00\x00\x01\x39\x02\x05\xdc"
		     "\x37\x03\x01\x03\x06\x3d\x07\x01\x02\x03\x04\x05\x06\x07\x0c\x03"
		     "abc\x52\x04\x01\x02xx\xff");
	ck_assert_int_eq(parse_message(&parsed), 0);
	ck_assert_int_eq(parsed.type, DHCP4_REQUEST);
	ck_assert_uint_eq(parsed.requested_be, inet_addr("10.0.0.7"));
	ck_assert_uint_eq(parsed.server_id_be, inet_addr("10.0.0.1"));
	ck_assert_uint_eq(parsed.max_size, 1500);
	ck_assert_uint_eq(parsed.parameters.length, 3);
	ck_assert_mem_eq(parsed.parameters.data, "\x01\x03\x06", 3);
	ck_assert_uint_eq(parsed.client_id.length, 7);
	ck_assert_mem_eq(parsed.relay_agent.data, "\x01\x02xx", 4);
}
END_TEST

START_TEST(rfc2131_s4_1_options_continue_in_file_and_sname)
{
	struct dhcp4_message parsed;

	MESSAGE_WITH("\x34\x01\x03\xff");
	memcpy(message + 108, "\x35\x01\x03\x37\x02\x01\x03\xff", 8);         /* file */
	memcpy(message + 44, "\x37\x01\x06\x32\x04\x0a\x00\x00\x07\xff", 10); /* sname, after it */
	ck_assert_int_eq(parse_message(&parsed), 0);
	ck_assert_int_eq(parsed.type, DHCP4_REQUEST);
	ck_assert_uint_eq(parsed.requested_be, inet_addr("10.0.0.7"));
	ck_assert_uint_eq(parsed.parameters.length, 3);
	ck_assert_mem_eq(parsed.parameters.data, "\x01\x03\x06", 3);

	message[242] = 1; /* file only */
	ck_assert_int_eq(parse_message(&parsed), 0);
	ck_assert_uint_eq(parsed.requested_be, 0);
	message[242] = 2; /* sname only */
	ck_assert_int_eq(parse_message(&parsed), 0);
	ck_assert_int_eq(parsed.type, DHCP4_NONE);
	ck_assert_uint_eq(parsed.requested_be, inet_addr("10.0.0.7"));
}
END_TEST

START_TEST(option_in_parts_is_joined)
{
	struct dhcp4_message parsed;

	MESSAGE_WITH("\x3d\x02"
		     "ab"
		     "\x35\x01\x01"
		     "\x3d\x03"
		     "cde"
		     "\xff");
	ck_assert_int_eq(parse_message(&parsed), 0);
	ck_assert_uint_eq(parsed.client_id.length, 5);
	ck_assert_mem_eq(parsed.client_id.data, "abcde", 5);
}
END_TEST

START_TEST(options_need_no_end)
{
	struct dhcp4_message parsed;

	MESSAGE_WITH("\x35\x01\x01");
	ck_assert_int_eq(parse_message(&parsed), 0);
	ck_assert_int_eq(parsed.type, DHCP4_DISCOVER);
	MESSAGE_WITH("");
	ck_assert_int_eq(parse_message(&parsed), 0);
	ck_assert_int_eq(parsed.type, DHCP4_NONE);
}
END_TEST

static const struct {
	const char *bytes;
	size_t length;
} malformed[] = {
#define BYTES(text)                                                                                          \
	{                                                                                                    \
		text, sizeof(text) - 1                                                                       \
	}
	BYTES("\x35"),                             /* no length */
	BYTES("\x35\x01"),                         /* no value */
	BYTES("\x32\x04\x0a\x00\x00"),             /* value cut */
	BYTES("\x0c\xff"),                         /* longer than the message */
	BYTES("\x35\x02\x01\x01\xff"),             /* type of two bytes */
	BYTES("\x35\x01\x01\x35\x01\x03\xff"),     /* two types */
	BYTES("\x32\x03\x0a\x00\x00\xff"),         /* address of three bytes */
	BYTES("\x36\x05\x0a\x00\x00\x01\x01\xff"), /* address of five */
	BYTES("\x39\x01\x05\xff"),                 /* size of one byte */
	BYTES("\x3d\x01\x05\xff"),                 /* client id of one byte */
	BYTES("\x34\x01\x04\xff"),                 /* overload of nothing known */
	BYTES("\x34\x01\x01\xff\x00"),             /* see below: file is damaged */
#undef BYTES
};

START_TEST(rfc2131_s4_1_malformed_options_are_refused)
{
	struct dhcp4_message parsed;

	message_with(malformed[_i].bytes, malformed[_i].length);
	message[108 + 126] = 0x0c; /* last option of `file` runs out of it */
	message[108 + 127] = 0x01;
	ck_assert_int_eq(parse_message(&parsed), -EBADMSG);
}
END_TEST

START_TEST(message_must_be_dhcp)
{
	struct dhcp4_message parsed;

	MESSAGE_WITH("\x35\x01\x01\xff");
	message[236] ^= 1;
	ck_assert_int_eq(parse_message(&parsed), -EBADMSG);
	message[236] ^= 1;
	message_length = 239;
	ck_assert_int_eq(parse_message(&parsed), -EBADMSG);
}
END_TEST

/* ---- Writing ------------------------------------------------------------------------ */

START_TEST(writer_stops_at_its_size)
{
	struct dhcp4_header header = {.op = DHCP4_OP_REPLY};
	struct dhcp4_writer writer;
	uint8_t *data = malloc(310);
	uint8_t value[DHCP4_OPTION_MAX + 1] = {0};

	dhcp4_writer_init(&writer, &header, data, 310);
	ck_assert(!dhcp4_put(&writer, 82, value, DHCP4_OPTION_MAX + 1));
	ck_assert(!dhcp4_put(&writer, 82, value, 68));
	ck_assert(dhcp4_put(&writer, 82, value, 67)); /* 240 + 2 + 67 + end = 310 */
	ck_assert(!dhcp4_put(&writer, 1, value, 0));
	ck_assert_uint_eq(dhcp4_writer_finish(&writer), 310);
	ck_assert_uint_eq(data[309], DHCP4_OPTION_END);
	free(data);
}
END_TEST

START_TEST(short_messages_are_padded)
{
	struct dhcp4_header header = {.op = DHCP4_OP_REPLY};
	struct dhcp4_writer writer;
	uint8_t data[300];

	memset(data, 0xee, sizeof(data));
	dhcp4_writer_init(&writer, &header, data, sizeof(data));
	ck_assert(dhcp4_put_be32(&writer, 54, inet_addr("10.0.0.1")));
	ck_assert_uint_eq(dhcp4_writer_finish(&writer), 300);
	ck_assert_mem_eq(data + 236, "\x63\x82\x53\x63\x36\x04\x0a\x00\x00\x01\xff\x00", 12);
	ck_assert_uint_eq(data[299], 0);
}
END_TEST

START_TEST(frame_that_does_not_fit)
{
	struct frame_link link = {.tags = 2};
	struct frame_flow flow = {0};

	ck_assert_uint_eq(frame_build(&link, &flow, message, 300, frame, 349), 0);
	ck_assert_uint_eq(frame_build(&link, &flow, message, 300, frame, 350), 350);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4 packets");
	TCase *tests = tcase_create("packets");

	tcase_add_loop_test(tests, frame_is_read_back, 0, 3);
	tcase_add_loop_test(tests, frame_cut_anywhere_is_malformed, 0, 3);
	tcase_add_test(tests, frame_padding_is_no_part_of_the_message);
	tcase_add_test(tests, frame_damaged_anywhere_is_refused);
	tcase_add_test(tests, frame_without_udp_checksum_is_accepted);
	tcase_add_loop_test(tests, frame_of_something_else, 0, 4);
	tcase_add_loop_test(tests, frame_with_a_header_that_means_something_else, 0, 3);
	tcase_add_test(tests, frame_for_another_port);
	tcase_add_test(tests, checksum_is_never_zero);
	tcase_add_test(tests, frame_with_three_tags);
	tcase_add_test(tests, options_of_a_full_request);
	tcase_add_test(tests, rfc2131_s4_1_options_continue_in_file_and_sname);
	tcase_add_test(tests, option_in_parts_is_joined);
	tcase_add_test(tests, options_need_no_end);
	tcase_add_loop_test(tests, rfc2131_s4_1_malformed_options_are_refused, 0,
			    sizeof(malformed) / sizeof(malformed[0]));
	tcase_add_test(tests, message_must_be_dhcp);
	tcase_add_test(tests, writer_stops_at_its_size);
	tcase_add_test(tests, short_messages_are_padded);
	tcase_add_test(tests, frame_that_does_not_fit);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
