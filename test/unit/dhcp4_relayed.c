/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a relay changes in messages, both ways, byte for byte; and what the server makes of
 * replies of others.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "controld/dhcp4/relayed.h"
#include "dhcp4_double.h"
#include "run.h"

#define A             "10.0.0.10"
#define SERVER        "10.0.0.1"
#define ANOTHER       "192.0.2.68"
#define MAC           0x0a
#define REFUSED(name) (world.dhcp4->stats.refused[DHCP4_REFUSED_##name])

static const struct request discover = {.type = DHCP4_DISCOVER, .mac = MAC};
static const struct request select_a = {.type = DHCP4_REQUEST, .mac = MAC, .requested = A, .server = SERVER};
static const struct request renew = {.type = DHCP4_REQUEST, .mac = MAC, .ciaddr = A, .destination = SERVER};

static void begin(void)
{
	world_init();
	world.pool[0].relay_be[0] = inet_addr(OTHER_SERVER);
	world.pool[0].relay_count = 1;
	world.pool[0].giaddr_be = inet_addr("198.51.100.1");
}

static enum dhcp4_refusal says(const char *server, enum dhcp4_type type, const char *address,
			       uint32_t lease_s)
{
	uint8_t data[1024];
	size_t length = server_reply(type, address, lease_s, server, data);

	return dhcp4_relay_back(world.dhcp4, inet_addr(server), data, length, world.now_ns);
}

START_TEST(rfc3046_s2_1_message_goes_up_with_where_and_whose_it_is)
{
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.relays, 1);
	ck_assert_uint_eq(world.frames, 0);
	ck_assert_uint_eq(world.relayed_to_be, inet_addr(OTHER_SERVER));
	ck_assert_uint_eq(world.relayed[3], 1); /* hops */
	ck_assert_int_eq(memcmp(world.relayed + 24, "\xc6\x33\x64\x01", 4), 0);
	const uint8_t *agent = message_option(world.relayed, world.relayed_length, 82);
	ck_assert_int_eq(memcmp(agent + 2,
				"\x01\x0d"
				"access0:100.7"
				"\x05\x04\x0a\0\0\x01"
				"\x09",
				22),
			 0);
}
END_TEST

START_TEST(rfc3046_s2_1_line_of_an_access_node_goes_up_and_comes_back)
{
	struct request request = discover;

	request.options = "52080106"
			  "706f72742037";
	world.config.option82.policy = OPTION82_ACCEPT;
	ck_assert_int_eq(ask(&request), DHCP4_ACCEPTED);
	const uint8_t *agent = message_option(world.relayed, world.relayed_length, 82);
	ck_assert_int_eq(memcmp(agent + 2, "\x01\x06port 7\x05\x04", 10), 0);
	ck_assert_int_eq(server_says(DHCP4_OFFER, A, 600), DHCP4_ACCEPTED);
	ck_assert_ptr_nonnull(strstr(answer(), " 82=0106706f72742037"));
}
END_TEST

/* Option 52 says that the field `file` holds options, too. */
START_TEST(option_82_in_a_field_of_the_header_is_the_clients_own_word)
{
	static const struct relayed_client from = {.tags = 1};
	const struct relayed_way way = {.giaddr_be = 1, .router_be = 1, .server_be = 2, .circuit = "line"};
	uint8_t data[300] = {1, 1, 6}, up[RELAYED_MAX], down[RELAYED_MAX];
	struct dhcp4_message message;

	memcpy(data + 108,
	       "\x0c\x02pc\x52\x08\x01\x06"
	       "forged\x36\x04\x0a\0\0\x01\xff",
	       21);
	memcpy(data + 236, "\x63\x82\x53\x63\x35\x01\x03\x34\x01\x01\xff", 11);
	size_t used = relayed_up(data, sizeof(data), &from, &way, up);
	ck_assert_uint_eq(used, 300);
	ck_assert_ptr_null(memmem(up, used, "forged", 6));
	ck_assert_int_eq(memcmp(up + 108, "\x0c\x02pc", 4), 0);
	ck_assert_int_eq(dhcp4_message_parse(up, used, &message), 0);
	ck_assert_uint_eq(message.server_id_be, 2);
	ck_assert_int_eq(memcmp(message.relay_agent.data, "\x01\x04line\x09", 7), 0);
	ck_assert_uint_ne(relayed_down(up, used, 1, 60, down), 0);
}
END_TEST

START_TEST(lease_of_another_server_becomes_a_session)
{
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_OFFER, A, 600), DHCP4_ACCEPTED);
	ck_assert_str_eq(answer(), "client 88a8:0064 8100:0007 10.0.0.1:67>" A
				   ":68 flags 0000 ci 0.0.0.0 yi " A " 53=02 54=0a000001 51=00000258");
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	const uint8_t *id = message_option(world.relayed, world.relayed_length, 54);
	ck_assert_int_eq(memcmp(id, "\x36\x04\xc0\0\x02\x43", 6), 0);
	ck_assert_ptr_null(world_session(A));
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_ptr_nonnull(strstr(answer(), "yi " A " 53=05 54=0a000001 51=00000258"));
	ck_assert_uint_eq(world_session(A)->lease_seconds, 600);
	ck_assert_uint_eq(world_session(A)->flags, BNG_SUBSCRIBER_OUTER_AD);
	ck_assert_uint_eq(world.dhcp4->stats.bound, 1);
	ck_assert_uint_eq(world.dhcp4->stats.returned, 2);

	world_restart();
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	world_restart();
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 300), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world_session(A)->lease_seconds, 300);
	ck_assert_uint_eq(world.dhcp4->stats.renewed, 1);
}
END_TEST

START_TEST(first_server_that_offers_is_the_one_that_is_asked)
{
	world.ask_error = 0;
	world.pool[0].relay_be[1] = inet_addr(ANOTHER);
	world.pool[0].relay_count = 2;
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	world_answer(AUTHORISE_GRANTED, &(struct session_profile){0});
	ck_assert_uint_eq(world.relays, 2);
	ck_assert_int_eq(says(ANOTHER, DHCP4_OFFER, A, 600), DHCP4_ACCEPTED);
	ck_assert_int_eq(says(OTHER_SERVER, DHCP4_OFFER, "10.0.0.11", 600), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.relays, 3);
	ck_assert_uint_eq(world.relayed_to_be, inet_addr(ANOTHER));
}
END_TEST

START_TEST(both_tags_come_back_as_they_went)
{
	uint8_t frame[2048];
	size_t length = request_build(&select_a, frame);

	memcpy(frame + 16, "\x88\xa8", 2);
	ck_assert_int_eq(serve(frame, length), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_ptr_nonnull(strstr(answer(), "client 88a8:0064 88a8:0007 "));
	ck_assert_uint_eq(world_session(A)->flags, BNG_SUBSCRIBER_OUTER_AD | BNG_SUBSCRIBER_INNER_AD);
}
END_TEST

START_TEST(another_address_ends_the_session_of_the_first)
{
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	server_says(DHCP4_ACK, "10.0.0.11", 600);
	ck_assert_ptr_null(world_session(A));
}
END_TEST

START_TEST(message_that_goes_in_circles_is_relayed_no_further)
{
	uint8_t frame[2048];
	struct request request = discover;

	request.no_udp_checksum = true;
	for (uint8_t hops = 15; hops <= 16; hops++) {
		size_t length = request_build(&request, frame);

		frame[22 + 28 + 3] = hops; /* behind Ethernet with two tags, IP, UDP */
		ck_assert_int_eq(serve(frame, length), hops < 16 ? DHCP4_ACCEPTED : DHCP4_REFUSED_MALFORMED);
	}
	ck_assert_uint_eq(world.relays, 1);
}
END_TEST

START_TEST(ack_waits_for_the_record_and_comes_once)
{
	world.bus_is_slow = true;
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.frames, 0);
	world_durable();
	ck_assert_uint_eq(world.frames, 1);
}
END_TEST

START_TEST(nobody_is_relayed_before_it_is_authorised)
{
	world.ask_error = 0;
	ck_assert_int_eq(ask(&discover), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.relays, 0);
	world_answer(AUTHORISE_GRANTED,
		     &(struct session_profile){.given = PROFILE_SESSION_TIMEOUT, .session_timeout_s = 100});
	ck_assert_uint_eq(world.relays, 1);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_ptr_nonnull(strstr(answer(), " 51=00000064"));
	ck_assert_uint_eq(world_session(A)->lease_seconds, 100);
}
END_TEST

START_TEST(ack_of_a_client_that_nobody_asked_about_opens_nothing)
{
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	world_restart();
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_REFUSED_NO_BINDING);
	ck_assert_ptr_null(world_session(A));
}
END_TEST

START_TEST(refusal_of_the_server_ends_the_session)
{
	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&renew), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_NAK, "0.0.0.0", 0), DHCP4_ACCEPTED);
	ck_assert_ptr_nonnull(strstr(answer(), "all "));
	ck_assert_ptr_null(world_session(A));
}
END_TEST

START_TEST(release_is_told_and_ends_the_session)
{
	const struct request release = {.type = DHCP4_RELEASE, .mac = MAC, .ciaddr = A, .server = SERVER};

	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 600), DHCP4_ACCEPTED);
	ck_assert_int_eq(ask(&release), DHCP4_ACCEPTED);
	ck_assert_uint_eq(world.relays, 2);
	ck_assert_ptr_null(world_session(A));
}
END_TEST

START_TEST(reply_that_is_not_for_here_is_refused)
{
	uint8_t data[1024];
	size_t length;

	ck_assert_int_eq(ask(&select_a), DHCP4_ACCEPTED);
	ck_assert_int_eq(server_says(DHCP4_ACK, "10.0.0.99", 600), DHCP4_REFUSED_NO_POOL);
	ck_assert_int_eq(server_says(DHCP4_ACK, A, 0), DHCP4_REFUSED_MALFORMED); /* no lease time */
	length = server_reply(DHCP4_ACK, A, 600, "192.0.2.99", data);
	ck_assert_int_eq(dhcp4_relay_back(world.dhcp4, inet_addr(OTHER_SERVER), data, length, world.now_ns),
			 DHCP4_REFUSED_OTHER_SERVER);
	length = server_reply(DHCP4_ACK, A, 600, OTHER_SERVER, data);
	data[0] = DHCP4_OP_REQUEST;
	ck_assert_int_eq(dhcp4_relay_back(world.dhcp4, inet_addr(OTHER_SERVER), data, length, world.now_ns),
			 DHCP4_REFUSED_MALFORMED);
	data[0] = DHCP4_OP_REPLY;
	data[28 + 5]++; /* chaddr */
	ck_assert_int_eq(dhcp4_relay_back(world.dhcp4, inet_addr(OTHER_SERVER), data, length, world.now_ns),
			 DHCP4_REFUSED_MALFORMED);
	for (length = 0; length < 300; length++) {
		uint8_t *cut = malloc(length ? length : 1); /* so that the sanitizer sees its end */
		memcpy(cut, data, length);
		ck_assert_int_ne(
			dhcp4_relay_back(world.dhcp4, inet_addr(OTHER_SERVER), cut, length, world.now_ns), 0);
		free(cut);
	}
	ck_assert_ptr_null(world_session(A));
	ck_assert_uint_eq(world.frames, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("dhcp4 relayed");
	TCase *tests = tcase_create("relayed");

	tcase_add_checked_fixture(tests, begin, world_free);
	tcase_add_test(tests, rfc3046_s2_1_message_goes_up_with_where_and_whose_it_is);
	tcase_add_test(tests, rfc3046_s2_1_line_of_an_access_node_goes_up_and_comes_back);
	tcase_add_test(tests, option_82_in_a_field_of_the_header_is_the_clients_own_word);
	tcase_add_test(tests, lease_of_another_server_becomes_a_session);
	tcase_add_test(tests, first_server_that_offers_is_the_one_that_is_asked);
	tcase_add_test(tests, both_tags_come_back_as_they_went);
	tcase_add_test(tests, another_address_ends_the_session_of_the_first);
	tcase_add_test(tests, message_that_goes_in_circles_is_relayed_no_further);
	tcase_add_test(tests, ack_waits_for_the_record_and_comes_once);
	tcase_add_test(tests, nobody_is_relayed_before_it_is_authorised);
	tcase_add_test(tests, ack_of_a_client_that_nobody_asked_about_opens_nothing);
	tcase_add_test(tests, refusal_of_the_server_ends_the_session);
	tcase_add_test(tests, release_is_told_and_ends_the_session);
	tcase_add_test(tests, reply_that_is_not_for_here_is_refused);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
