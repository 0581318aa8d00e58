/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A link as a whole: timers, the ways in which it ends or begins anew, and what is made
 * again of an open session.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "ppp_client.h"
#include "run.h"

#define FULL "0306" ADDRESS "8106" DNS_1 "8306" DNS_2

/* ---- Other protocols ------------------------------------------------------------------- */

START_TEST(rfc1661_s5_7_rfc1661_s3_5_unknown_protocols_are_rejected_once_there_is_a_network)
{
	struct client *client = client_new(&client_pap);

	client_to_asked(client);
	client_says_raw(client, "8057 01 01 0004");
	client_hears_nothing(client);
	client_granted(client, NULL);
	client->heard = client->sent;
	client_says_raw(client, "8057 01 01 000e 010a 0011223344556677");
	client_hears(client, PPP_LCP, 8, 0, "8057 01 01 000e 010a 0011223344556677");
	client_says_raw(client, "80fd 01");
	client_hears(client, PPP_LCP, 8, 1, "80fd 01");
	client_says_raw(client, "0021 4500");
	client_hears_nothing(client);
	client_free(client);
}
END_TEST

START_TEST(rfc1661_s5_7_a_reject_is_no_longer_than_the_client_takes)
{
	struct client *client = client_new(&client_pap);
	uint8_t frame[2000] = {0x80, 0x57, 1, 1, 0, 4};

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 2, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 1, 1, "0104 0080");
	client_says(client, PPP_PAP, 1, 1, "01 61 01 62");
	client_granted(client, NULL);
	client->heard = client->sent;
	ppp_input(client->ppp, frame, sizeof(frame), &client->out);
	ck_assert_uint_eq(client->frames[client->heard].length, 2 + 128);
	ck_assert_uint_eq(client->frames[client->heard].bytes[5], 128);
	client_free(client);
}
END_TEST

START_TEST(a_client_without_ipv4_is_ended)
{
	struct client *client = client_new(&client_pap);

	client_to_network(client);
	client_says(client, PPP_LCP, 8, 1, "8021 01 01 000a 0306" GATEWAY);
	client->heard++;
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_str_eq(client->text, "IPCP: the client does not speak it");
	ck_assert_uint_eq(client->ended, 1);
	client_free(client);
}
END_TEST

/* ---- Timers ---------------------------------------------------------------------------- */

START_TEST(rfc1661_s4_6_a_silent_client_is_given_up)
{
	struct client *client = client_new(&client_pap);

	for (uint8_t id = 1; id <= 10; id++) {
		client_hears(client, PPP_LCP, 1, id, "0104 05d4 0304 c023 0506 11111111");
		client_waits(client, 3000);
	}
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_str_eq(client->text, "LCP: no answer");
	ck_assert_int_eq(client->cause, SESSION_END_LOST_CARRIER);
	ck_assert_uint_eq(ppp_deadline(client->ppp), 0);
	client_free(client);
}
END_TEST

START_TEST(rfc1661_s4_6_timers_are_as_configured)
{
	struct ppp_params params = {.auth = {CREDENTIAL_PAP},
				    .max_configure = 2,
				    .max_terminate = 3,
				    .restart_ms = 500,
				    .setup_s = 9};
	struct client *client = client_new(&params);

	client->heard = client->sent;
	client_waits(client, 500);
	client_hears(client, PPP_LCP, 1, 2, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 2, 2, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 1, 1, "");
	client_hears(client, PPP_LCP, 2, 1, "");
	client_closed(client, SESSION_END_ADMIN_RESET, "x");
	for (uint8_t id = 3; id <= 5; id++) {
		client_hears(client, PPP_LCP, 5, id, "78");
		ck_assert_uint_eq(client->ended, 0);
		client_waits(client, 500);
	}
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_ADMIN_RESET);
	client_free(client);
}
END_TEST

/* It did not listen yet when our first request came; it need not wait 3 s for the next. */
START_TEST(a_late_listener_soon_gets_a_second_request)
{
	struct client *client = client_new(&client_pap);

	client->heard++; /* lost */
	client->out.now_ns += 100 * 1000000;
	client_says(client, PPP_LCP, 1, 1, "0506 c0ffee00");
	client_hears(client, PPP_LCP, 2, 1, "0506 c0ffee00");
	client_waits(client, 300);
	client_hears(client, PPP_LCP, 1, 2, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 2, 1, "0104 05d4 0304 c023 0506 11111111"); /* of the first, after all */
	client_hears_nothing(client);
	client_says(client, PPP_LCP, 1, 1, "0506 c0ffee00");
	client_hears(client, PPP_LCP, 2, 1, "0506 c0ffee00");
	client_waits(client, 3000); /* once only */
	client_hears(client, PPP_LCP, 1, 3, "0104 05d4 0304 c023 0506 11111111");
	client_free(client);
}
END_TEST

START_TEST(patience_has_an_end)
{
	static const struct {
		void (*to)(struct client *);
		enum session_end cause;
		const char *text;
	} rows[] = {
		{client_to_asked, SESSION_END_NAS_ERROR, "not up in time: phase authorise"},
		{client_to_prepare, SESSION_END_NAS_ERROR, "not up in time: phase prepare"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&client_pap);

		rows[i].to(client);
		client_waits(client, 120000);
		ck_assert_uint_eq(client->ppp->phase, PPP_TERMINATE);
		ck_assert_uint_eq(client->down, i == 1);
		client->heard = client->sent;
		client_waits(client, 3000);
		client->heard++;
		client_waits(client, 3000);
		ck_assert_uint_eq(client->ended, 1);
		ck_assert_str_eq(client->text, rows[i].text);
		ck_assert_int_eq(client->cause, rows[i].cause);
		client_free(client);
	}
}
END_TEST

START_TEST(ipcp_without_an_answer)
{
	struct client *client = client_new(&client_pap);

	client_to_network(client);
	for (uint8_t id = 2; id <= 10; id++) {
		client_waits(client, 3000);
		client_hears(client, PPP_IPCP, 1, id, "0306" GATEWAY);
	}
	client_waits(client, 3000);
	client_hears(client, PPP_LCP, 5, 2, "49504350 3a206e6f 20616e73 776572"); /* IPCP: no answer */
	client_free(client);
}
END_TEST

/* ---- An open session ------------------------------------------------------------------- */

START_TEST(rfc1661_s5_5_the_client_leaves)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	client_says(client, PPP_LCP, 5, 0x42, "627965");
	client_hears(client, PPP_LCP, 6, 0x42, "");
	client_hears_nothing(client);
	ck_assert_uint_eq(client->down, 1);
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_USER_REQUEST);
	ck_assert_str_eq(client->text, "LCP: terminated by the subscriber");
	ck_assert_uint_eq(client->ppp->phase, PPP_DEAD);
	client_says(client, PPP_LCP, 1, 1, "");
	client_hears_nothing(client);
	client_free(client);
}
END_TEST

START_TEST(the_client_leaves_the_network)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	client_says(client, PPP_IPCP, 5, 0x42, "");
	client_hears(client, PPP_IPCP, 6, 0x42, "");
	ck_assert_uint_eq(client->frames[client->heard++].bytes[2], PPP_TERMINATE_REQUEST);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->down, 1);
	ck_assert_uint_eq(client->ended, 0);
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_USER_REQUEST);
	client_free(client);
}
END_TEST

START_TEST(rfc1661_s5_5_we_take_leave)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	client_closed(client, SESSION_END_ADMIN_RESET, "by the operator");
	client_hears(client, PPP_LCP, 5, 2, "62792074 6865206f 70657261 746f72");
	client_closed(client, SESSION_END_NAS_ERROR, "a second time"); /* the first reason stays */
	client_says(client, PPP_LCP, 9, 1, "00000000");
	client_says(client, PPP_IPCP, 1, 9, FULL);
	client_says(client, PPP_PAP, 1, 9, "01 61 01 62");
	client_says(client, PPP_LCP, 1, 9, "0506 c0ffee00");
	client_hears_nothing(client);
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_uint_eq(client->down, 0); /* who closes knows */
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_ADMIN_RESET);
	ck_assert_str_eq(client->text, "by the operator");
	client_free(client);
}
END_TEST

/* Both take leave at once. */
START_TEST(leaves_cross)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	client_closed(client, SESSION_END_ADMIN_RESET, "x");
	client->heard++;
	client_says(client, PPP_LCP, 5, 0x42, "");
	client_hears(client, PPP_LCP, 6, 0x42, "");
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_ADMIN_RESET);
	client_free(client);
}
END_TEST

/* A client that starts anew: the session is over, the link goes on. */
START_TEST(the_client_negotiates_anew)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	client_says(client, PPP_LCP, 1, 1, "0506 beef0001");
	client_hears(client, PPP_LCP, 1, 2, "0104 05d4 0304 c023 0506 22222222");
	client_hears(client, PPP_LCP, 2, 1, "0506 beef0001");
	ck_assert_uint_eq(client->down, 1);
	ck_assert_int_eq(client->cause, SESSION_END_USER_REQUEST);
	ck_assert_str_eq(client->text, "negotiated anew");
	ck_assert_uint_eq(client->ended, 0);
	ck_assert_uint_eq(client->ppp->phase, PPP_ESTABLISH);
	ck_assert_uint_eq(client->ppp->address_be, 0);
	ck_assert_str_eq(client->ppp->user, "");
	client_says(client, PPP_LCP, 2, 2, "0104 05d4 0304 c023 0506 22222222");
	client_says(client, PPP_PAP, 1, 1, "03 626f62 00"); /* bob */
	ck_assert_uint_eq(client->asked, 2);
	ck_assert_str_eq(client->user, "bob");
	client_granted(client, NULL);
	client_hears(client, PPP_PAP, 2, 1, "00");
	client_hears(client, PPP_IPCP, 1, 1, "0306" GATEWAY);
	client_says(client, PPP_IPCP, 2, 1, "0306" GATEWAY);
	client_says(client, PPP_IPCP, 1, 1, "0306" ADDRESS);
	ck_assert_uint_eq(client->up, 2);
	client_ready(client);
	client_hears(client, PPP_IPCP, 2, 1, "0306" ADDRESS);
	ck_assert_uint_eq(client->ppp->phase, PPP_OPEN);
	client_free(client);
}
END_TEST

/* The same request again, as it may come out of a queue: it is acknowledged again. */
START_TEST(a_repeated_request_ends_nothing)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	client_says(client, PPP_LCP, 1, 1, "0104 05d4 0506 c0ffee00");
	client_hears(client, PPP_LCP, 2, 1, "0104 05d4 0506 c0ffee00");
	client_says(client, PPP_IPCP, 1, 2, FULL);
	client_hears(client, PPP_IPCP, 2, 2, FULL);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->phase, PPP_OPEN);
	ck_assert_uint_eq(client->down, 0);
	client_free(client);
}
END_TEST

/* The network is negotiated once more, for the same address: the session stays. */
START_TEST(ipcp_anew_keeps_the_session)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	client_says(client, PPP_IPCP, 1, 9, "0306" ADDRESS);
	client_hears(client, PPP_IPCP, 1, 2, "0306" GATEWAY);
	client_hears(client, PPP_IPCP, 2, 9, "0306" ADDRESS);
	client_says(client, PPP_IPCP, 2, 2, "0306" GATEWAY);
	ck_assert_uint_eq(client->ppp->ipcp.state, PPP_OPENED);
	ck_assert_uint_eq(client->ppp->phase, PPP_OPEN);
	ck_assert_uint_eq(ppp_deadline(client->ppp), 0);
	ck_assert_uint_eq(client->up, 1);
	ck_assert_uint_eq(client->down, 0);
	/* For another one it does not. */
	for (uint8_t id = 10; id < 15; id++)
		client_says(client, PPP_IPCP, 1, id, "0306 c0a80001");
	ck_assert_uint_eq(client->down, 0);
	client_says(client, PPP_IPCP, 1, 15, "0306 c0a80001");
	ck_assert_uint_eq(client->down, 1);
	ck_assert_uint_eq(client->ppp->phase, PPP_TERMINATE);
	client_free(client);
}
END_TEST

/* Made again of what the session knows. */
START_TEST(an_open_link_is_restored)
{
	struct client *client = client_new(&client_pap);
	struct ppp_verdict granted = {.address_be = htonl(0x0a000007), .gateway_be = htonl(0x0a000001)};

	client->heard = client->sent;
	ppp_restore(client->ppp, &client_pap, 0x12345678, 1480, &granted);
	ck_assert(ppp_is_whole(client->ppp));
	ck_assert_uint_eq(ppp_deadline(client->ppp), 0);
	ck_assert_uint_eq(client->ppp->mtu, 1480);
	client_says(client, PPP_LCP, 9, 5, "00000000 01");
	client_hears(client, PPP_LCP, 10, 5, "12345678 01");
	client_says(client, PPP_IPCP, 1, 3, "0306" ADDRESS);
	client_hears(client, PPP_IPCP, 1, 1, "0306" GATEWAY);
	client_hears(client, PPP_IPCP, 2, 3, "0306" ADDRESS);
	client_says(client, PPP_IPCP, 2, 1, "0306" GATEWAY);
	ck_assert_uint_eq(ppp_deadline(client->ppp), 0);
	client_closed(client, SESSION_END_SESSION_TIMEOUT, "time");
	client_hears(client, PPP_LCP, 5, 1, "74696d65");
	client_waits(client, 3000);
	client_hears(client, PPP_LCP, 5, 2, "74696d65");
	client_waits(client, 3000);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_uint_eq(client->down, 0);
	client_free(client);
}
END_TEST

START_TEST(a_restored_link_is_negotiated_anew)
{
	struct client *client = client_new(&client_pap);
	struct ppp_verdict granted = {.address_be = htonl(0x0a000007)};

	client->heard = client->sent;
	ppp_restore(client->ppp, &client_pap, 0x12345678, 1492, &granted);
	client_says(client, PPP_LCP, 1, 1, "0506 beef0001");
	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 22222222");
	client_hears(client, PPP_LCP, 2, 1, "0506 beef0001");
	ck_assert_uint_eq(client->down, 1);
	for (uint8_t id = 2; id <= 10; id++) {
		client_waits(client, 3000);
		client_hears(client, PPP_LCP, 1, id, "0104 05d4 0304 c023 0506 22222222");
	}
	client_waits(client, 3000);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ended, 1);
	client_free(client);
}
END_TEST

/* ---- Small things ---------------------------------------------------------------------- */

START_TEST(an_echo_request)
{
	uint8_t frame[PPP_ECHO_LENGTH], expected[PPP_ECHO_LENGTH];

	ck_assert_uint_eq(ppp_echo_request(0x12345678, 9, frame), PPP_ECHO_LENGTH);
	client_hex("c021 09 09 0008 12345678", expected);
	ck_assert_mem_eq(frame, expected, PPP_ECHO_LENGTH);
}
END_TEST

START_TEST(what_is_not_whole_is_seen)
{
	struct client *client = client_new(&client_pap);
	struct ppp ppp = *client->ppp;

	ck_assert(ppp_is_whole(&ppp));
#define BROKEN(member, value)                                                                                \
	do {                                                                                                 \
		struct ppp broken = ppp;                                                                     \
		broken.member = (value);                                                                     \
		ck_assert_msg(!ppp_is_whole(&broken), #member);                                              \
	} while (0)
	BROKEN(phase, PPP_DEAD);
	BROKEN(phase, PPP_PHASES);
	BROKEN(lcp.state, PPP_STATES);
	BROKEN(ipcp.state, 255);
	BROKEN(auth, 4);
	BROKEN(params.auth[2], 4);
	BROKEN(params.restart_ms, 0);
	BROKEN(held_length, 19);
	BROKEN(mtu, 127);
	BROKEN(mtu, 1501);
	BROKEN(mru, 0);
	BROKEN(params.mru, 1501);
#undef BROKEN
	memset(ppp.user, 'x', sizeof(ppp.user));
	ck_assert(!ppp_is_whole(&ppp));
	memset(&ppp, 0, sizeof(ppp));
	ck_assert(!ppp_is_whole(&ppp));
	memset(&ppp, 0xff, sizeof(ppp));
	ck_assert(!ppp_is_whole(&ppp));
	client_free(client);
}
END_TEST

START_TEST(what_happened_is_told)
{
	struct client *client = client_new(&client_pap);

	client_to_open(client);
	ck_assert_str_eq(client->traced, "phase dead -> establish\n"
					 "LCP: initial -> starting (open)\n"
					 "LCP: starting -> request sent (up)\n"
					 "LCP: request sent -> ack sent (good request)\n"
					 "LCP: ack sent -> opened (ack)\n"
					 "LCP: MRU 1492, the client's 1492, authentication by PAP\n"
					 "phase establish -> authenticate\n"
					 "phase authenticate -> authorise\n"
					 "phase authorise -> network\n"
					 "IPCP: initial -> starting (open)\n"
					 "IPCP: starting -> request sent (up)\n"
					 "IPCP: request sent -> ack received (ack)\n"
					 "phase network -> prepare\n"
					 "phase prepare -> open\n"
					 "IPCP: ack received -> opened (good request)\n");
	ck_assert_str_eq(ppp_phase_name(client->ppp), "open");
	client->out.trace = NULL;
	client_closed(client, SESSION_END_ADMIN_RESET, "x");
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ppp_link");
	TCase *tests = tcase_create("ppp_link");

	tcase_add_test(tests,
		       rfc1661_s5_7_rfc1661_s3_5_unknown_protocols_are_rejected_once_there_is_a_network);
	tcase_add_test(tests, rfc1661_s5_7_a_reject_is_no_longer_than_the_client_takes);
	tcase_add_test(tests, a_client_without_ipv4_is_ended);
	tcase_add_test(tests, rfc1661_s4_6_a_silent_client_is_given_up);
	tcase_add_test(tests, rfc1661_s4_6_timers_are_as_configured);
	tcase_add_test(tests, a_late_listener_soon_gets_a_second_request);
	tcase_add_test(tests, patience_has_an_end);
	tcase_add_test(tests, ipcp_without_an_answer);
	tcase_add_test(tests, rfc1661_s5_5_the_client_leaves);
	tcase_add_test(tests, the_client_leaves_the_network);
	tcase_add_test(tests, rfc1661_s5_5_we_take_leave);
	tcase_add_test(tests, leaves_cross);
	tcase_add_test(tests, the_client_negotiates_anew);
	tcase_add_test(tests, a_repeated_request_ends_nothing);
	tcase_add_test(tests, ipcp_anew_keeps_the_session);
	tcase_add_test(tests, an_open_link_is_restored);
	tcase_add_test(tests, a_restored_link_is_negotiated_anew);
	tcase_add_test(tests, an_echo_request);
	tcase_add_test(tests, what_is_not_whole_is_seen);
	tcase_add_test(tests, what_happened_is_told);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
