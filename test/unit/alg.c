/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * FTP commands: which are read, what is written, and that frames and sequence numbers
 * come out right.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/alg/rewrite.h"
#include "run.h"

#define IP_AT    14
#define TCP_AT   (IP_AT + 20)
#define TEXT_AT  (TCP_AT + 20)
#define INNER    0x0a000005u
#define PUBLIC   0xcb007107u
#define SEQUENCE 0xfffffff0u

static const struct {
	const char *text;
	const char *written; /* to 203.0.113.7:40001; NULL: not read */
	unsigned port;
} lines[] = {
	{"PORT 10,0,0,5,156,65\r\n", "PORT 203,0,113,7,156,65\r\n", 40001},
	{"port 10,0,0,5,0,1\r\n", "port 203,0,113,7,156,65\r\n", 1},
	{"PORT 010,000,000,005,255,255\r\nRETR x\r\n", "PORT 203,0,113,7,156,65\r\n", 65535},
	{"EPRT |1|10.0.0.5|40001|\r\n", "EPRT |1|203.0.113.7|40001|\r\n", 40001},
	{"eprt !1!10.0.0.5!7!\r\n", "eprt !1!203.0.113.7!40001!\r\n", 7},
	{"PORT 10,0,0,5,0,0\r\n", NULL, 0},
	{"PORT 10,0,0,256,1,1\r\n", NULL, 0},
	{"PORT 10,0,0,5,1,256\r\n", NULL, 0},
	{"PORT 10,0,0,5,1\r\n", NULL, 0},
	{"PORT 10,0,0,5,1,1,1\r\n", NULL, 0},
	{"PORT 10,0,0,5,1,1", NULL, 0},
	{"PORT 10,0,0,5,1,1\r", NULL, 0},
	{"PORT 10,0,0,5,1,1\n", NULL, 0},
	{"PORT 10,0,0,5,1,1 \r\n", NULL, 0},
	{"PORT  10,0,0,5,1,1\r\n", NULL, 0},
	{"PORT 10,0,0,5,,1\r\n", NULL, 0},
	{"PORT 10,0,0,5,-1,1\r\n", NULL, 0},
	{"PORT 10,0,0,0005,1,1\r\n", NULL, 0},
	{"PORT 10.0.0.5.1.1\r\n", NULL, 0},
	{"PORT \r\n", NULL, 0},
	{"PORT", NULL, 0},
	{"", NULL, 0},
	{"EPRT |2|::1|40001|\r\n", NULL, 0},
	{"EPRT |1|10.0.0.5|65536|\r\n", NULL, 0},
	{"EPRT |1|10.0.0.5|0|\r\n", NULL, 0},
	{"EPRT |1|10.0.0.5|1\r\n", NULL, 0},
	{"EPRT |1!10.0.0.5|1|\r\n", NULL, 0},
	{"EPRT  1 10.0.0.5 1 \r\n", NULL, 0},
	{"PASV 10,0,0,5,1,1\r\n", NULL, 0},
};

START_TEST(a_line_is_read_and_written)
{
	const char *text = lines[_i].text;
	struct ftp_command command = {.port = 4242};
	char out[FTP_COMMAND_MAX];
	int failure = ftp_command_parse((const uint8_t *)text, strlen(text), &command);

	if (!lines[_i].written) {
		ck_assert_int_eq(failure, -EBADMSG);
		ck_assert_uint_eq(command.port, 4242);
		return;
	}
	ck_assert_int_eq(failure, 0);
	ck_assert_uint_eq(command.address_be, htonl(INNER));
	ck_assert_uint_eq(command.port, lines[_i].port);
	ck_assert_uint_eq(command.length, (size_t)(strchr(text, '\n') - text + 1));
	size_t length = ftp_command_build(&command, htonl(PUBLIC), 40001, out);
	ck_assert_uint_eq(length, strlen(lines[_i].written));
	ck_assert_int_eq(memcmp(out, lines[_i].written, length), 0);
}
END_TEST

static void write_be(uint8_t *at, uint32_t value, int bytes)
{
	while (bytes--)
		*at++ = (uint8_t)(value >> 8 * bytes);
}

static uint32_t sum(const uint8_t *data, size_t length)
{
	uint32_t total = 0;

	for (size_t i = 0; i < length; i++)
		total += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

/* 0 where the checksums, from scratch, are right. */
static unsigned wrong_checksums(const uint8_t *frame)
{
	const uint8_t *ip = frame + IP_AT;
	size_t length = (size_t)ip[2] << 8 | ip[3], tcp = length - 20;
	uint32_t pseudo = sum(ip + 12, 8) + 6 + (uint32_t)tcp;

	return (fold(sum(ip, 20)) != 0xffff) | (fold(pseudo + sum(ip + 20, tcp)) != 0xffff) << 1;
}

static size_t frame_build(uint8_t *frame, const char *text)
{
	size_t length = strlen(text);
	uint8_t *ip = frame + IP_AT, *tcp = frame + TCP_AT;

	memset(frame, 0, TEXT_AT);
	write_be(frame + 12, 0x0800, 2);
	ip[0] = 0x45;
	write_be(ip + 2, (uint32_t)(40 + length), 2);
	ip[8] = 64;
	ip[9] = 6;
	write_be(ip + 12, INNER, 4);
	write_be(ip + 16, 0xc0000201, 4);
	write_be(tcp, 4000, 2);
	write_be(tcp + 2, 21, 2);
	write_be(tcp + 4, SEQUENCE, 4);
	tcp[12] = 0x50;
	memcpy(frame + TEXT_AT, text, length);
	write_be(ip + 10, (uint16_t)~fold(sum(ip, 20)), 2);
	write_be(tcp + 16,
		 (uint16_t)~fold(sum(ip + 12, 8) + 6 + 20 + (uint32_t)length + sum(tcp, 20 + length)), 2);
	ck_assert_uint_eq(wrong_checksums(frame), 0);
	return TEXT_AT + length;
}

static struct command command_of(const uint8_t *frame, size_t length)
{
	struct segment segment;
	struct command command;

	ck_assert_int_eq(segment_parse(frame, length, &segment), 0);
	ck_assert_int_eq(command_parse(frame, &segment, &command), 0);
	return command;
}

START_TEST(a_frame_is_rewritten_whatever_its_length)
{
	static const char *const texts[] = {"PORT 10,0,0,5,1,2\r\n", "PORT 010,00,00,005,01,2\r\nRETR y\r\n",
					    "EPRT |1|10.0.0.5|3|\r\n"};
	uint8_t frame[512], out[SEGMENT_FRAME_MAX];
	size_t length = frame_build(frame, texts[_i]);
	struct bng_alg entry = {.position = SEQUENCE, .before = 9, .after = 9, .flags = BNG_ALG_PENDING};

	memset(frame + length, 0xaa, 20); /* padding */
	struct command command = command_of(frame, length + 20);
	size_t written = command_rewrite(&command, frame, htonl(PUBLIC), 40001, &entry, out);
	ck_assert_uint_eq(wrong_checksums(out), 0);
	ck_assert_int_eq((int)written - (int)length, entry.after - entry.before);
	ck_assert_uint_eq(entry.before, 9);
	ck_assert_uint_eq(entry.flags, 0);
	ck_assert_ptr_nonnull(memmem(out + TEXT_AT, written - TEXT_AT, "203", 3));
	if (strstr(texts[_i], "RETR"))
		ck_assert_int_eq(memcmp(out + written - 8, "RETR y\r\n", 8), 0);
	/* What was wrong stays wrong. */
	frame[TCP_AT + 17] ^= 4;
	entry.flags = BNG_ALG_PENDING;
	command_rewrite(&command, frame, htonl(PUBLIC), 40001, &entry, out);
	ck_assert_uint_eq(wrong_checksums(out), 2);
}
END_TEST

START_TEST(the_length_of_pppoe_follows)
{
	static const uint8_t header[] = {0x88, 0x64, 0x11, 0, 0, 5, 0, 0, 0, 0x21};
	uint8_t plain[512], frame[512], out[SEGMENT_FRAME_MAX];
	size_t length = frame_build(plain, "EPRT |1|10.0.0.5|3|\r\n") + 8;
	struct bng_alg entry = {.position = SEQUENCE, .flags = BNG_ALG_PENDING};
	struct command command;
	size_t written;

	memcpy(frame, plain, 12);
	memcpy(frame + 12, header, sizeof(header));
	memcpy(frame + 22, plain + 14, length - 22);
	write_be(frame + 18, (uint32_t)(length - 20), 2);
	command = command_of(frame, length);
	written = command_rewrite(&command, frame, htonl(PUBLIC), 40001, &entry, out);
	ck_assert_uint_gt(written, length);
	ck_assert_uint_eq((uint32_t)out[18] << 8 | out[19], written - 20);
	ck_assert_uint_eq(wrong_checksums(out + 8), 0);
}
END_TEST

START_TEST(a_command_sent_again_must_come_out_the_same)
{
	uint8_t frame[512], out[SEGMENT_FRAME_MAX], again[SEGMENT_FRAME_MAX];
	size_t length = frame_build(frame, "PORT 10,0,0,5,1,2\r\n");
	struct bng_alg entry = {.position = SEQUENCE, .before = 2, .after = 2, .flags = BNG_ALG_PENDING};
	struct command command = command_of(frame, length);
	size_t written = command_rewrite(&command, frame, htonl(PUBLIC), 40001, &entry, out);
	struct bng_alg after = entry;

	ck_assert_uint_gt(written, length);
	ck_assert_uint_eq(command_rewrite(&command, frame, htonl(PUBLIC), 40001, &entry, again), written);
	ck_assert_int_eq(memcmp(out, again, written), 0);
	ck_assert_int_eq(memcmp(&entry, &after, sizeof(entry)), 0);
	/* Another length would tear the stream. */
	ck_assert_uint_eq(command_rewrite(&command, frame, htonl(PUBLIC), 80, &entry, again), 0);
	entry.position = SEQUENCE + 5; /* about another command */
	ck_assert_uint_eq(command_rewrite(&command, frame, htonl(PUBLIC), 40001, &entry, again), 0);
	ck_assert(!command_give_up(&command.segment, &entry));
}
END_TEST

START_TEST(a_command_that_is_given_up_changes_no_number)
{
	uint8_t frame[512];
	size_t length = frame_build(frame, "PORT nonsense\r\n");
	struct bng_alg entry = {.position = SEQUENCE, .before = 5, .after = 5, .flags = BNG_ALG_PENDING};
	struct segment segment;
	struct command command;

	ck_assert_int_eq(segment_parse(frame, length, &segment), 0);
	ck_assert_int_eq(command_parse(frame, &segment, &command), -EBADMSG);
	ck_assert(command_give_up(&segment, &entry));
	ck_assert(entry.after == 5 && !entry.flags);
	ck_assert(!command_give_up(&segment, &entry));
}
END_TEST

START_TEST(only_the_subscribers_own_address_is_rewritten)
{
	uint8_t frame[512];
	size_t length = frame_build(frame, "PORT 10,0,0,6,1,2\r\n");
	struct segment segment;
	struct command command;

	ck_assert_int_eq(segment_parse(frame, length, &segment), 0);
	ck_assert_int_eq(command_parse(frame, &segment, &command), -EBADMSG);
}
END_TEST

START_TEST(a_segment_cut_anywhere_is_none)
{
	uint8_t frame[512];
	size_t length = frame_build(frame, "PORT 10,0,0,5,1,2\r\n");
	struct segment segment;

	for (size_t cut = 0; cut < length; cut++)
		ck_assert_int_eq(segment_parse(frame, cut, &segment), -EBADMSG);
	frame[IP_AT + 6] = 0x20; /* more fragments */
	ck_assert_int_eq(segment_parse(frame, length, &segment), -EBADMSG);
	frame[IP_AT + 6] = 0;
	frame[TCP_AT + 12] = 0xf0; /* a header longer than the packet */
	ck_assert_int_eq(segment_parse(frame, length, &segment), -EBADMSG);
	frame[TCP_AT + 12] = 0x40;
	ck_assert_int_eq(segment_parse(frame, length, &segment), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("alg");
	TCase *ftp = tcase_create("ftp");

	tcase_add_loop_test(ftp, a_line_is_read_and_written, 0, (int)(sizeof(lines) / sizeof(lines[0])));
	tcase_add_loop_test(ftp, a_frame_is_rewritten_whatever_its_length, 0, 3);
	tcase_add_test(ftp, the_length_of_pppoe_follows);
	tcase_add_test(ftp, a_command_sent_again_must_come_out_the_same);
	tcase_add_test(ftp, a_command_that_is_given_up_changes_no_number);
	tcase_add_test(ftp, only_the_subscribers_own_address_is_rewritten);
	tcase_add_test(ftp, a_segment_cut_anywhere_is_none);
	suite_add_tcase(suite, ftp);
	return run_suite(suite);
}
