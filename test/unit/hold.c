/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What is held, without packets on wires: order, bounds, time, and that every frame
 * leaves as it came.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/hold/fragments.h"
#include "controld/hold/syns.h"
#include "run.h"

#define IP_AT     14
#define IP_BYTES  20
#define SECOND    1000000000ULL
#define SENT_MAX  4096
#define FRAME     (IP_AT + IP_BYTES + 8)
#define LIFETIME  (2 * SECOND)
#define SYN_DELAY (6 * SECOND)

static struct {
	unsigned sent;
	struct bng_punt header[SENT_MAX];
	uint8_t frame[SENT_MAX][FRAME];
	size_t length[SENT_MAX];
	unsigned room; /* how many may still be sent */
	uint16_t noted_id;
} world;

static void setup(void)
{
	memset(&world, 0, sizeof(world));
	world.room = SENT_MAX;
}

static int take(const struct bng_punt *header, const uint8_t *frame, size_t length, void *context)
{
	(void)context;
	if (!world.room)
		return -ENOBUFS;
	world.room--;
	ck_assert_uint_le(length, FRAME);
	world.header[world.sent] = *header;
	memcpy(world.frame[world.sent], frame, length);
	world.length[world.sent++] = length;
	return 0;
}

static bool is_noted(const struct hold_packet *packet, void *context)
{
	(void)context;
	return ntohs(packet->id_be) == world.noted_id;
}

static const struct fragments_ways ways = {is_noted, take, NULL};

/* A packet of 8 bytes behind the IP header; `offset` in units of 8. */
static void frame_build(uint8_t frame[static FRAME], uint8_t protocol, uint32_t source, uint16_t id,
			uint16_t offset)
{
	uint8_t *ip = frame + IP_AT;
	uint32_t source_be = htonl(source);

	memset(frame, 0, FRAME);
	memcpy(frame + 12, "\x08", 1);
	ip[0] = 0x45;
	ip[3] = IP_BYTES + 8;
	ip[4] = (uint8_t)(id >> 8);
	ip[5] = (uint8_t)id;
	ip[6] = (uint8_t)(offset >> 8);
	ip[7] = (uint8_t)offset;
	ip[9] = protocol;
	memcpy(ip + 12, &source_be, 4);
}

static int put(struct fragments *fragments, uint32_t source, uint16_t id, uint16_t offset, uint64_t now_ns)
{
	struct bng_punt header = {
		.reason = BNG_PUNT_REASON_FRAGMENT_UP, .interface = 7, .slot = source, .time_ns = now_ns};
	uint8_t frame[FRAME];

	frame_build(frame, 17, source, id, offset);
	return fragments_put(fragments, &header, frame, sizeof(frame), now_ns);
}

static struct fragments *small(uint32_t packets, uint32_t of_source)
{
	struct fragments_limits limits = {packets, of_source, (uint64_t)packets * HOLD_FRAME_MAX, LIFETIME};
	struct fragments *fragments = fragments_new(&limits);

	ck_assert_ptr_nonnull(fragments);
	return fragments;
}

static unsigned sent_offset(unsigned number)
{
	return world.frame[number][IP_AT + 7];
}

START_TEST(fragments_leave_sorted_once_their_first_was_seen_twice)
{
	static const uint16_t order[] = {5, 1, 9, 3, 3};
	struct fragments *fragments = small(16, 16);

	for (size_t i = 0; i < 5; i++)
		ck_assert_int_eq(put(fragments, 1, 77, order[i], SECOND), 0);
	ck_assert_int_eq(put(fragments, 1, 78, 2, SECOND), 0);
	fragments_look(fragments, SECOND, &ways);
	world.noted_id = 77;
	fragments_look(fragments, SECOND, &ways);
	ck_assert_uint_eq(world.sent, 0); /* it may be on its way still */
	fragments_look(fragments, SECOND, &ways);
	ck_assert_uint_eq(world.sent, 5);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(sent_offset(i), ((const unsigned[]){1, 3, 3, 5, 9})[i]);
		ck_assert_uint_eq(world.header[i].interface, 7);
		ck_assert_uint_eq(world.header[i].flags, 0);
	}
	ck_assert_uint_eq(fragments_stats(fragments)->held, 1);
	ck_assert_uint_eq(fragments_stats(fragments)->bytes, FRAME);
	ck_assert_uint_eq(fragments_stats(fragments)->released, 5);
	fragments_free(fragments);
}
END_TEST

START_TEST(a_first_that_was_seen_once_and_is_gone_releases_nothing)
{
	struct fragments *fragments = small(16, 16);

	put(fragments, 1, 77, 1, SECOND);
	world.noted_id = 77;
	fragments_look(fragments, SECOND, &ways);
	world.noted_id = 0;
	fragments_look(fragments, SECOND, &ways);
	world.noted_id = 77;
	fragments_look(fragments, SECOND, &ways);
	ck_assert_uint_eq(world.sent, 0);
	fragments_look(fragments, SECOND, &ways);
	ck_assert_uint_eq(world.sent, 1);
	fragments_free(fragments);
}
END_TEST

START_TEST(what_never_gets_its_first_leaves_after_its_lifetime)
{
	struct fragments *fragments = small(16, 16);

	put(fragments, 1, 1, 1, SECOND);
	put(fragments, 1, 2, 1, 2 * SECOND);
	put(fragments, 1, 1, 2, 2 * SECOND); /* of the same: makes it no younger */
	fragments_look(fragments, SECOND + LIFETIME - 1, &ways);
	ck_assert_uint_eq(world.sent, 0);
	fragments_look(fragments, SECOND + LIFETIME, &ways);
	ck_assert_uint_eq(world.sent, 2);
	fragments_look(fragments, 2 * SECOND + LIFETIME, &ways);
	ck_assert_uint_eq(world.sent, 3);
	ck_assert_uint_eq(fragments_stats(fragments)->expired, 3);
	ck_assert_uint_eq(fragments_stats(fragments)->held, 0);
	ck_assert_uint_eq(fragments_stats(fragments)->bytes, 0);
	fragments_free(fragments);
}
END_TEST

START_TEST(time_that_it_waited_in_the_socket_counts)
{
	struct bng_punt header = {.time_ns = SECOND};
	struct fragments *fragments = small(16, 16);
	uint8_t frame[FRAME];

	frame_build(frame, 17, 1, 1, 1);
	ck_assert_int_eq(fragments_put(fragments, &header, frame, sizeof(frame), 100 * SECOND), 0);
	fragments_look(fragments, 100 * SECOND, &ways);
	ck_assert_uint_eq(world.sent, 1);
	header.time_ns = 200 * SECOND; /* a clock that is ahead makes nothing immortal */
	ck_assert_int_eq(fragments_put(fragments, &header, frame, sizeof(frame), 100 * SECOND), 0);
	fragments_look(fragments, 100 * SECOND + LIFETIME, &ways);
	ck_assert_uint_eq(world.sent, 2);
	fragments_free(fragments);
}
END_TEST

START_TEST(full_refuses_the_new_one_and_keeps_the_old)
{
	struct fragments *fragments = small(8, 3);

	for (uint16_t i = 0; i < 3; i++)
		ck_assert_int_eq(put(fragments, 1, (uint16_t)(10 + i), 1, SECOND), 0);
	ck_assert_int_eq(put(fragments, 1, 10, 2, SECOND), -ENOSPC); /* its share */
	for (uint32_t source = 2; source < 7; source++)
		ck_assert_int_eq(put(fragments, source, 10, 1, SECOND), 0);
	ck_assert_int_eq(put(fragments, 99, 10, 1, SECOND), -ENOSPC); /* all there is */
	ck_assert_uint_eq(fragments_stats(fragments)->held, 8);
	ck_assert_uint_eq(fragments_stats(fragments)->refused, 2);
	fragments_look(fragments, SECOND + LIFETIME, &ways);
	ck_assert_uint_eq(world.sent, 8);
	ck_assert_int_eq(put(fragments, 99, 10, 1, 4 * SECOND), 0);
	fragments_free(fragments);
}
END_TEST

START_TEST(bytes_are_a_limit_of_their_own)
{
	struct fragments_limits limits = {100, 100, 3 * FRAME - 1, LIFETIME};
	struct fragments *fragments = fragments_new(&limits);

	ck_assert_int_eq(put(fragments, 1, 1, 1, SECOND), 0);
	ck_assert_int_eq(put(fragments, 1, 1, 2, SECOND), 0);
	ck_assert_int_eq(put(fragments, 1, 1, 3, SECOND), -ENOSPC);
	fragments_free(fragments);
}
END_TEST

START_TEST(what_cannot_be_sent_stays_and_leaves_later_in_order)
{
	struct fragments *fragments = small(16, 16);

	world.noted_id = 1;
	for (uint16_t i = 4; i; i--)
		put(fragments, 1, 1, i, SECOND);
	world.room = 2;
	fragments_look(fragments, SECOND, &ways);
	fragments_look(fragments, SECOND, &ways);
	ck_assert_uint_eq(world.sent, 2);
	ck_assert_uint_eq(fragments_stats(fragments)->held, 2);
	world.room = 1;
	fragments_flush(fragments, &ways);
	ck_assert_uint_eq(world.sent, 3);
	world.room = 9;
	fragments_look(fragments, SECOND, &ways);
	ck_assert_uint_eq(world.sent, 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(sent_offset(i), i + 1);
	fragments_free(fragments);
}
END_TEST

START_TEST(only_later_fragments_are_held)
{
	struct fragments *fragments = small(16, 16);
	struct bng_punt header = {0};
	uint8_t frame[FRAME];

	ck_assert_int_eq(put(fragments, 1, 1, 0, SECOND), -EBADMSG);
	frame_build(frame, 17, 1, 1, 1);
	for (size_t length = 0; length < FRAME; length++)
		ck_assert_int_eq(fragments_put(fragments, &header, frame, length, SECOND), -EBADMSG);
	ck_assert_uint_eq(fragments_stats(fragments)->held, 0);
	fragments_free(fragments);
}
END_TEST

START_TEST(sources_are_not_mixed_up)
{
	struct fragments *fragments = small(2048, 4);

	for (uint32_t source = 1; source <= 512; source++)
		for (uint16_t i = 1; i <= 4; i++)
			ck_assert_int_eq(put(fragments, source, 5, i, SECOND), 0);
	for (uint32_t source = 1; source <= 512; source++)
		ck_assert_int_eq(put(fragments, source, 6, 1, SECOND), -ENOSPC);
	world.noted_id = 5;
	fragments_look(fragments, SECOND, &ways);
	fragments_look(fragments, SECOND, &ways);
	ck_assert_uint_eq(world.sent, 2048);
	for (unsigned i = 0; i < 2048; i++) {
		ck_assert_uint_eq(world.header[i].slot, i / 4 + 1);
		ck_assert_uint_eq(sent_offset(i), i % 4 + 1);
	}
	fragments_free(fragments);
}
END_TEST

static int put_syn(struct syns *syns, uint32_t source, uint16_t port, uint64_t now_ns)
{
	struct bng_punt header = {.reason = BNG_PUNT_REASON_SYN, .slot = source, .time_ns = now_ns};
	uint8_t frame[FRAME];

	frame_build(frame, 6, source, 1, 0);
	frame[IP_AT + IP_BYTES] = (uint8_t)(port >> 8);
	frame[IP_AT + IP_BYTES + 1] = (uint8_t)port;
	return syns_put(syns, &header, frame, sizeof(frame), now_ns);
}

static struct syns *few(uint32_t packets)
{
	struct syns_limits limits = {packets, (uint64_t)packets * FRAME, SYN_DELAY};
	struct syns *syns = syns_new(&limits);

	ck_assert_ptr_nonnull(syns);
	return syns;
}

START_TEST(rfc5382_req4_a_syn_leaves_six_seconds_after_it_came)
{
	struct syns *syns = few(10);

	ck_assert_uint_eq(syns_look(syns, SECOND, take, NULL), 0);
	ck_assert_int_eq(put_syn(syns, 1, 80, SECOND), 0);
	ck_assert_int_eq(put_syn(syns, 2, 80, SECOND + 5), 0);
	ck_assert_int_eq(put_syn(syns, 1, 80, 3 * SECOND), -EEXIST);
	ck_assert_int_eq(put_syn(syns, 1, 81, 4 * SECOND), 0);
	ck_assert_uint_eq(syns_look(syns, SECOND + SYN_DELAY - 1, take, NULL), SECOND + SYN_DELAY);
	ck_assert_uint_eq(world.sent, 0);
	ck_assert_uint_eq(syns_look(syns, SECOND + SYN_DELAY + 5, take, NULL), 4 * SECOND + SYN_DELAY);
	ck_assert_uint_eq(world.sent, 2);
	ck_assert_uint_eq(world.header[0].slot, 1);
	ck_assert_uint_eq(world.header[1].slot, 2);
	ck_assert_int_eq(put_syn(syns, 1, 80, 8 * SECOND), 0); /* a new one */
	ck_assert_uint_eq(syns_stats(syns)->repeated, 1);
	ck_assert_uint_eq(syns_stats(syns)->held, 2);
	syns_free(syns);
}
END_TEST

START_TEST(syns_are_bounded)
{
	struct syns *syns = few(100);

	for (uint16_t i = 0; i < 100; i++)
		ck_assert_int_eq(put_syn(syns, 1, i, SECOND), 0);
	ck_assert_int_eq(put_syn(syns, 1, 100, SECOND), -ENOSPC);
	ck_assert_int_eq(put_syn(syns, 1, 5, SECOND), -EEXIST);
	world.room = 60;
	ck_assert_uint_eq(syns_look(syns, 9 * SECOND, take, NULL), SECOND + SYN_DELAY);
	ck_assert_uint_eq(world.sent, 60);
	world.room = 60;
	ck_assert_uint_eq(syns_look(syns, 9 * SECOND, take, NULL), 0);
	ck_assert_uint_eq(world.sent, 100);
	ck_assert_uint_eq(syns_stats(syns)->refused, 1);
	ck_assert_uint_eq(syns_stats(syns)->held, 0);
	ck_assert_uint_eq(syns_stats(syns)->bytes, 0);
	syns_free(syns);
}
END_TEST

START_TEST(only_tcp_is_a_syn)
{
	struct syns *syns = few(1);
	struct bng_punt header = {0};
	uint8_t frame[FRAME];

	frame_build(frame, 17, 1, 1, 0);
	ck_assert_int_eq(syns_put(syns, &header, frame, sizeof(frame), SECOND), -EBADMSG);
	frame_build(frame, 6, 1, 1, 1);
	ck_assert_int_eq(syns_put(syns, &header, frame, sizeof(frame), SECOND), -EBADMSG);
	frame_build(frame, 6, 1, 1, 0);
	frame[IP_AT + 3] = IP_BYTES + 3; /* ports cut */
	ck_assert_int_eq(syns_put(syns, &header, frame, sizeof(frame), SECOND), -EBADMSG);
	syns_free(syns);
}
END_TEST

START_TEST(a_frame_is_read_behind_its_tags)
{
	struct hold_packet packet = {0};
	uint8_t frame[FRAME + 12];

	frame_build(frame + 8, 17, 0x0a000005, 0x1234, 3);
	memcpy(frame + 12, "\x88\xa8\x00\x01\x81\x00\x00\x02\x08\x00", 10);
	ck_assert_int_eq(hold_packet_parse(frame, FRAME + 8, &packet), 0);
	ck_assert_uint_eq(packet.source_be, htonl(0x0a000005));
	ck_assert_uint_eq(packet.id_be, htons(0x1234));
	ck_assert_uint_eq(packet.offset, 24);
	memcpy(frame + 12, "\x88\x64\x11\x00\x00\x07\x00\x2c\x00\x21", 10); /* PPPoE */
	ck_assert_int_eq(hold_packet_parse(frame, FRAME + 8, &packet), 0);
	ck_assert_uint_eq(packet.source_be, htonl(0x0a000005));
	frame_build(frame + 12, 17, 1, 1, 3);
	memcpy(frame + 12, "\x81\x00\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03\x08\x00", 14);
	ck_assert_int_eq(hold_packet_parse(frame, FRAME + 12, &packet), -EBADMSG); /* three */
	ck_assert_uint_eq(packet.offset, 24);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		fragments_leave_sorted_once_their_first_was_seen_twice,
		a_first_that_was_seen_once_and_is_gone_releases_nothing,
		what_never_gets_its_first_leaves_after_its_lifetime,
		time_that_it_waited_in_the_socket_counts,
		full_refuses_the_new_one_and_keeps_the_old,
		bytes_are_a_limit_of_their_own,
		what_cannot_be_sent_stays_and_leaves_later_in_order,
		only_later_fragments_are_held,
		sources_are_not_mixed_up,
		rfc5382_req4_a_syn_leaves_six_seconds_after_it_came,
		syns_are_bounded,
		only_tcp_is_a_syn,
		a_frame_is_read_behind_its_tags,
	};
	Suite *suite = suite_create("hold");
	TCase *hold = tcase_create("hold");

	tcase_add_checked_fixture(hold, setup, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(hold, tests[i]);
	suite_add_tcase(suite, hold);
	return run_suite(suite);
}
