/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Cutting packets: what comes out is put together again, byte for byte.
 */
#include "controld/large/cut.h"
#include "run.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LINK    (14 + 4 + 8) /* a tag, PPPoE */
#define DATA    3000
#define PADDING 7

static uint8_t frame[LINK + 60 + DATA + PADDING], options[40];
static size_t header, data_length;
static struct {
	uint8_t frame[CUT_FRAME_MAX];
	size_t length;
} sent[64];
static int sent_count, fail_at;

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void build(size_t length, unsigned fragment, size_t option_bytes)
{
	static const uint8_t link[] = {0x81, 0, 0, 9, 0x88, 0x64, 0x11, 0, 0, 5, 0, 0, 0, 0x21};
	uint8_t *ip = frame + LINK;

	header = 20 + option_bytes;
	data_length = length;
	memcpy(frame + 12, link, sizeof(link));
	put16(frame + LINK - 4, (unsigned)(2 + header + length));
	memset(ip, 0, 20);
	ip[0] = (uint8_t)(0x40 | header / 4);
	ip[1] = 0xb8;
	put16(ip + 2, (unsigned)(header + length));
	put16(ip + 4, 0x1234);
	put16(ip + 6, fragment);
	ip[8] = 63;
	ip[9] = 17;
	memcpy(ip + 20, options, option_bytes);
	for (size_t i = 0; i < length; i++)
		ip[header + i] = (uint8_t)(i * 7 + i / 256);
	memset(ip + header + length, 0xaa, PADDING);
}

static int keep(const uint8_t *data, size_t length, void *context)
{
	(void)context;
	ck_assert_int_lt(sent_count, 64);
	memcpy(sent[sent_count].frame, data, length);
	sent[sent_count].length = length;
	return ++sent_count == fail_at ? -ENOBUFS : 0;
}

static int cut(uint16_t mtu)
{
	uint8_t *copy = malloc(LINK + header + data_length + PADDING);
	int failure;

	memcpy(copy, frame, LINK + header + data_length + PADDING);
	sent_count = 0;
	failure = cut_frame(copy, LINK + header + data_length + PADDING, mtu, keep, NULL);
	free(copy);
	return failure;
}

static bool checksum_is_right(const uint8_t *ip, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i += 2)
		sum += get16(ip + i);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* Every fragment fits and follows the one before; together they are the packet. */
static void check_all(uint16_t mtu)
{
	size_t done = 0;
	unsigned first = get16(frame + LINK + 6);

	for (int i = 0; i < sent_count; i++) {
		const uint8_t *ip = sent[i].frame + LINK;
		size_t length = (ip[0] & 15) * 4u, total = get16(ip + 2);
		bool is_end = i == sent_count - 1;

		ck_assert_uint_eq(sent[i].length, LINK + total);
		ck_assert_uint_le(total, mtu);
		ck_assert_uint_eq(get16(sent[i].frame + LINK - 4), total + 2);
		ck_assert_mem_eq(sent[i].frame, frame, LINK - 4);
		ck_assert_uint_eq(get16(ip + 6) & 0x1fff, (first & 0x1fff) + done / 8);
		ck_assert_int_eq(get16(ip + 6) & 0x2000, is_end ? (int)(first & 0x2000) : 0x2000);
		ck_assert(checksum_is_right(ip, length));
		ck_assert_mem_eq(ip + 4, frame + LINK + 4, 2);
		ck_assert_mem_eq(ip + 8, frame + LINK + 8, 2);
		ck_assert_mem_eq(ip + 12, frame + LINK + 12, 8);
		ck_assert_mem_eq(ip + length, frame + LINK + header + done, total - length);
		done += total - length;
	}
	ck_assert_uint_eq(done, data_length);
}

START_TEST(a_packet_is_cut_for_every_mtu)
{
	static const size_t lengths[] = {0, 1, 7, 8, 9, 1464, 1472, 1480, DATA};

	for (uint16_t mtu = 80; mtu < 3100; mtu = (uint16_t)(mtu + (mtu % 128 < 9 ? 1 : 31))) {
		build(lengths[_i], 0, 0);
		ck_assert_int_eq(cut(mtu), 0);
		check_all(mtu);
		ck_assert_int_eq(sent_count == 1, header + data_length <= mtu);
	}
}
END_TEST

START_TEST(a_fragment_is_cut_again)
{
	for (int more = 0; more < 2; more++) {
		build(1480, (more ? 0x2000 : 0) | 185, 0);
		ck_assert_int_eq(cut(1492), 0);
		ck_assert_int_eq(sent_count, 2);
		check_all(1492);
	}
	build(1481, 0x2000, 0); /* only the last one may end so */
	ck_assert_int_eq(cut(1492), -EBADMSG);
	build(1480, 0x1fff, 0); /* beyond what a packet can be */
	ck_assert_int_eq(cut(1492), -EBADMSG);
}
END_TEST

START_TEST(options_are_copied_as_they_say)
{
	/* NOP, record route (not copied), router alert (copied), end. */
	static const uint8_t some[] = {1, 7, 7, 4, 0, 0, 0, 0, 0x94, 4, 0, 0, 0, 0, 0, 0};
	const uint8_t *later;

	memcpy(options, some, sizeof(some));
	build(2000, 0, sizeof(some));
	ck_assert_int_eq(cut(1000), 0);
	ck_assert_int_eq(sent_count, 3);
	check_all(1000);
	ck_assert_mem_eq(sent[0].frame + LINK + 20, some, sizeof(some));
	later = sent[1].frame + LINK;
	ck_assert_uint_eq(later[0], 0x46);
	ck_assert_mem_eq(later + 20, "\x94\x04\0\0", 4);
}
END_TEST

START_TEST(malformed_options_end_where_they_are)
{
	static const uint8_t kinds[][8] = {{0x94, 0}, {0x94, 1}, {0x94, 9}, {1, 1, 1, 1, 1, 1, 1, 0x94}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		memcpy(options, kinds[i], sizeof(kinds[i]));
		build(2000, 0, sizeof(kinds[i]));
		ck_assert_int_eq(cut(1000), 0);
		check_all(1000);
		ck_assert_uint_eq(sent[1].frame[LINK], 0x45);
	}
	memset(options, 0, sizeof(options));
}
END_TEST

START_TEST(what_must_not_be_cut_is_not)
{
	build(1480, 0x4000, 0); /* DF */
	ck_assert_int_eq(cut(1492), -EBADMSG);
	build(1480, 0, 0);
	ck_assert_int_eq(cut(27), -EMSGSIZE);
	build(80, 0, 0);
	ck_assert_int_eq(cut(28), 0);
	ck_assert_int_eq(sent_count, 10);
	check_all(28);
}
END_TEST

START_TEST(cut_anywhere_it_is_none)
{
	build(100, 0, 0);
	for (size_t length = 0; length < LINK + header + data_length; length++) {
		uint8_t *copy = malloc(length ? length : 1);

		memcpy(copy, frame, length);
		ck_assert_int_eq(cut_frame(copy, length, 60, keep, NULL), -EBADMSG);
		free(copy);
	}
}
END_TEST

START_TEST(a_failure_ends_it)
{
	build(DATA, 0, 0);
	fail_at = 2;
	ck_assert_int_eq(cut(500), -ENOBUFS);
	ck_assert_int_eq(sent_count, 2);
	fail_at = 0;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("large");
	TCase *tests = tcase_create("cut");

	tcase_add_loop_test(tests, a_packet_is_cut_for_every_mtu, 0, 9);
	tcase_add_test(tests, a_fragment_is_cut_again);
	tcase_add_test(tests, options_are_copied_as_they_say);
	tcase_add_test(tests, malformed_options_end_where_they_are);
	tcase_add_test(tests, what_must_not_be_cut_is_not);
	tcase_add_test(tests, cut_anywhere_it_is_none);
	tcase_add_test(tests, a_failure_ends_it);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
