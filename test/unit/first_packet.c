/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions by first packet, with the surroundings of the DHCP server's tests: who may come
 * up where, with what, and what becomes of those who may not.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/first_packet/server.h"
#include "dhcp4_double.h"
#include "run.h"

#define HOST "172.20.1.5"
#define MAC  0x0a

static struct config_first_packet rules[2];
static struct first_packet *server;
static const struct session_profile nothing;

static uint32_t host(const char *text)
{
	return ntohl(inet_addr(text));
}

static void begin(void)
{
	world_init();
	world.ask_error = 0;
	rules[0] = (struct config_first_packet){.interface = "access0",
						.prefix = {host("172.20.0.0"), host("172.20.255.255"), 16},
						.nat_pool = "default",
						.mss = 1400,
						.idle_timeout_s = 600};
	rules[1] = (struct config_first_packet){.interface = "access0",
						.prefix = {host("172.20.2.0"), host("172.20.2.255"), 24}};
	world.config.first_packets = rules;
	world.config.first_packet_count = 2;
	ck_assert_int_eq(first_packet_new(&world.controld, &server), 0);
	server->config = &world.config;
	world.controld.first_packet = server;
	world.handler = first_packet_on_answer;
}

static void end(void)
{
	world.controld.first_packet = NULL;
	first_packet_free(server);
	world_free();
}

static void restart(void)
{
	first_packet_free(server);
	ck_assert_int_eq(first_packet_new(&world.controld, &server), 0);
	server->config = &world.config;
	world.controld.first_packet = server;
}

/* A DHCP message is as good as any other packet: what matters is who sent it. */
static void send_from(const char *address, bool untagged)
{
	const struct request request = {.type = DHCP4_INFORM,
					.mac = MAC,
					.ciaddr = address,
					.destination = "198.18.0.1",
					.untagged = untagged};
	uint8_t frame[2048];
	size_t length = request_build(&request, frame);

	first_packet_serve(server, 1, frame, length, world.now_ns);
	if (!world.bus_is_slow)
		world_durable();
}

START_TEST(granted_subscriber_comes_up_where_it_was_seen)
{
	send_from(HOST, false);
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_uint_eq(world.question.kind, BNG_SESSION_FIRST_PACKET);
	ck_assert_uint_eq(world.question.address_be, inet_addr(HOST));
	ck_assert_uint_eq(world.question.client.outer_vid, 100);
	ck_assert_uint_eq(world.question.client.inner_vid, 7);
	world_answer(AUTHORISE_GRANTED, &nothing);
	const struct bng_subscriber *record = world_session(HOST);
	ck_assert_ptr_nonnull(record);
	ck_assert_uint_eq(record->kind, BNG_SESSION_FIRST_PACKET);
	ck_assert_uint_eq(record->flags, BNG_SUBSCRIBER_OUTER_AD);
	ck_assert_uint_eq(record->mac[5], MAC);
	ck_assert_uint_eq(record->pool, 5);
	ck_assert_uint_eq(record->session_id, world.question.session_id);
	ck_assert_uint_eq(world.spec.mss, 1400);
	ck_assert_uint_eq(world.spec.lease_seconds, 0);
	ck_assert_uint_eq(world.detail[1]->profile.idle_timeout_s, 600);
	ck_assert_str_eq(world.detail[1]->source, "server");
	ck_assert_uint_eq(server->stats.opened, 1);
	send_from(HOST, false);
	ck_assert_uint_eq(server->stats.elsewhere, 1);
	ck_assert_uint_eq(world.asked, 1);
}
END_TEST

START_TEST(longest_prefix_says_how)
{
	send_from("172.20.2.9", true);
	ck_assert_uint_eq(world.question.client.outer_vid, 0);
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_uint_eq(world.spec.flags, BNG_SUBSCRIBER_EXEMPT);
	ck_assert_uint_eq(world.detail[1]->profile.given & PROFILE_IDLE_TIMEOUT, 0);
}
END_TEST

START_TEST(answer_decides)
{
	const struct session_profile profile = {.given = PROFILE_IDLE_TIMEOUT | PROFILE_NAT_POOL |
							 PROFILE_MAX_BLOCKS | PROFILE_MAX_MAPPINGS |
							 PROFILE_USER,
						.idle_timeout_s = 60,
						.nat_pool = "business",
						.max_blocks = 9,
						.max_mappings = 77,
						.user = "shop"};

	send_from(HOST, false);
	world_answer(AUTHORISE_GRANTED, &profile);
	ck_assert_uint_eq(world.spec.pool, 6);
	ck_assert_uint_eq(world.spec.max_blocks, BNG_BLOCKS_PER_SUBSCRIBER);
	ck_assert_uint_eq(world.spec.max_mappings, 77);
	ck_assert_uint_eq(world.detail[1]->profile.idle_timeout_s, 60);
	ck_assert_str_eq(world.detail[1]->user, "shop");
}
END_TEST

START_TEST(nobody_to_ask_lets_in_as_configured)
{
	world.ask_error = -ENOTSUP;
	send_from(HOST, false);
	ck_assert_ptr_nonnull(world_session(HOST));
	ck_assert_ptr_null(world.detail[1]->source);
}
END_TEST

static const char *const outside[] = {"172.21.0.1", "172.19.255.255", "10.0.0.10"};

START_TEST(other_addresses_are_not_asked_about)
{
	send_from(outside[_i], false);
	ck_assert_uint_eq(server->stats.elsewhere, 1);
	ck_assert_uint_eq(world.asked, 0);
}
END_TEST

START_TEST(gateway_and_what_is_no_host_are_not_asked_about)
{
	world.gateway.address_be = inet_addr(HOST);
	send_from(HOST, false);
	ck_assert_uint_eq(server->stats.elsewhere, 1);
	rules[0].prefix = (struct config_prefix){0, UINT32_MAX, 0};
	send_from("224.0.0.1", false);
	send_from("127.0.0.1", false);
	ck_assert_uint_eq(server->stats.malformed, 2);
	ck_assert_uint_eq(world.asked, 0);
}
END_TEST

START_TEST(frame_that_ends_early_is_malformed)
{
	const struct request request = {.type = DHCP4_INFORM, .mac = MAC, .ciaddr = HOST};
	uint8_t whole[2048];

	request_build(&request, whole);
	for (size_t length = 0; length < 14 + 8 + 20; length++) {
		uint8_t *frame = malloc(length ? length : 1); /* so that the sanitizer sees its end */
		memcpy(frame, whole, length);
		first_packet_serve(server, 1, frame, length, world.now_ns);
		free(frame);
	}
	ck_assert_uint_eq(server->stats.malformed, 42);
	whole[6] |= 1;
	first_packet_serve(server, 1, whole, 100, world.now_ns);
	ck_assert_uint_eq(server->stats.malformed, 43);
	ck_assert_uint_eq(world.asked, 0);
}
END_TEST

START_TEST(subscriber_is_asked_about_once)
{
	for (int i = 0; i < 3; i++)
		send_from(HOST, false);
	ck_assert_uint_eq(world.asked, 1);
	ck_assert_uint_eq(server->stats.repeated, 2);
	world.bus_is_slow = true;
	world_answer(AUTHORISE_GRANTED, &nothing);
	send_from(HOST, false);
	ck_assert_uint_eq(server->stats.repeated, 3);
	world_durable();
	ck_assert_uint_eq(server->stats.opened, 1);
}
END_TEST

static const struct {
	enum authorise_outcome outcome;
	unsigned denied, unanswered;
} refusals[] = {{AUTHORISE_DENIED, 1, 0}, {AUTHORISE_UNANSWERED, 0, 1}, {AUTHORISE_UNAVAILABLE, 0, 1}};

START_TEST(who_is_not_let_in_is_held_off_for_a_while)
{
	send_from(HOST, false);
	world_answer(refusals[_i].outcome, NULL);
	ck_assert_uint_eq(server->stats.denied, refusals[_i].denied);
	ck_assert_uint_eq(server->stats.unanswered, refusals[_i].unanswered);
	world_seconds(FIRST_PACKET_HELD_SECONDS - 1);
	send_from(HOST, false);
	ck_assert_uint_eq(server->stats.held, 1);
	ck_assert_uint_eq(world.asked, 1);
	world_seconds(1);
	send_from(HOST, false);
	ck_assert_uint_eq(world.asked, 2);
}
END_TEST

START_TEST(question_that_cannot_be_asked_holds_off_too)
{
	world.ask_error = -EHOSTUNREACH;
	send_from(HOST, false);
	send_from(HOST, false);
	ck_assert_uint_eq(server->stats.unanswered, 1);
	ck_assert_uint_eq(server->stats.held, 1);
}
END_TEST

START_TEST(grant_that_is_not_for_here_opens_nothing)
{
	const struct session_profile other = {.given = PROFILE_ADDRESS,
					      .address_be = inet_addr("172.20.1.6")};
	const struct session_profile pool = {.given = PROFILE_NAT_POOL, .nat_pool = "gone"};

	send_from(HOST, false);
	world_answer(AUTHORISE_GRANTED, &other);
	world_seconds(FIRST_PACKET_HELD_SECONDS);
	send_from(HOST, false);
	world_answer(AUTHORISE_GRANTED, &pool);
	ck_assert_uint_eq(server->stats.grant, 2);
	world_seconds(FIRST_PACKET_HELD_SECONDS);
	send_from(HOST, false);
	world.config.first_packet_count = 0; /* reconfigured meanwhile */
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_uint_eq(server->stats.grant, 3);
	ck_assert_ptr_null(world_session(HOST));
}
END_TEST

START_TEST(answer_that_comes_again_opens_nothing_twice)
{
	world.bus_is_slow = true;
	send_from(HOST, false);
	world_answer(AUTHORISE_GRANTED, &nothing);
	world_answer(AUTHORISE_GRANTED, &nothing); /* the first is not durable yet */
	ck_assert_ptr_null(world_session(HOST));
	world_durable();
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_uint_eq(server->stats.opened, 1);
	ck_assert_ptr_nonnull(world_session(HOST));
}
END_TEST

START_TEST(address_or_subscriber_that_is_taken_is_counted)
{
	world.open_error = -EEXIST;
	send_from(HOST, false);
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_uint_eq(server->stats.taken, 1);
	send_from(HOST, false);
	ck_assert_uint_eq(server->stats.held, 1);
}
END_TEST

START_TEST(answer_after_a_restart_opens_the_session)
{
	send_from(HOST, false);
	restart();
	world_answer(AUTHORISE_GRANTED, &nothing);
	ck_assert_ptr_nonnull(world_session(HOST));
	ck_assert_uint_eq(world_session(HOST)->outer_vid, 100);
	world_answer(AUTHORISE_DENIED, NULL); /* the same answer again */
	ck_assert_uint_eq(server->stats.denied, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("first packet");
	TCase *tests = tcase_create("first packet");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_add_test(tests, granted_subscriber_comes_up_where_it_was_seen);
	tcase_add_test(tests, longest_prefix_says_how);
	tcase_add_test(tests, answer_decides);
	tcase_add_test(tests, nobody_to_ask_lets_in_as_configured);
	tcase_add_loop_test(tests, other_addresses_are_not_asked_about, 0,
			    sizeof(outside) / sizeof(outside[0]));
	tcase_add_test(tests, gateway_and_what_is_no_host_are_not_asked_about);
	tcase_add_test(tests, frame_that_ends_early_is_malformed);
	tcase_add_test(tests, subscriber_is_asked_about_once);
	tcase_add_loop_test(tests, who_is_not_let_in_is_held_off_for_a_while, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tests, question_that_cannot_be_asked_holds_off_too);
	tcase_add_test(tests, grant_that_is_not_for_here_opens_nothing);
	tcase_add_test(tests, answer_that_comes_again_opens_nothing_twice);
	tcase_add_test(tests, address_or_subscriber_that_is_taken_is_counted);
	tcase_add_test(tests, answer_after_a_restart_opens_the_session);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
