/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * IPCP as a client sees it, and what waits until there is a session.
 */
#include <arpa/inet.h>

#include "ppp_client.h"
#include "run.h"

#define FULL "0306" ADDRESS "8106" DNS_1 "8306" DNS_2

/* ---- IPCP ---------------------------------------------------------------------------- */

START_TEST(rfc1332_s3_3_options_of_the_network)
{
	static const struct {
		const char *request;
		uint8_t code; /* 0: good, and held */
		const char *answer;
	} rows[] = {
		{"0306" ADDRESS, 0, ""},
		{"0306 00000000", 3, "0306" ADDRESS},
		{"0306 c0a80001", 3, "0306" ADDRESS},
		{"0304 0000", 3, "0306" ADDRESS},
		{"", 3, "0306" ADDRESS}, /* is told to ask for it */
		{"8106 00000000", 3, "8106" DNS_1 "0306" ADDRESS},
		{"8106" DNS_1, 3, "0306" ADDRESS},
		{"0306" ADDRESS "8106 09090909", 3, "8106" DNS_1},
		{"0306" ADDRESS "8306" DNS_2, 0, ""},
		{"0206 002d0f01", 4, "0206 002d0f01"}, /* header compression */
		{"010a 00000000 00000000", 4, "010a 00000000 00000000"},
		{"8206 00000000 8406 00000000", 4, "8206 00000000 8406 00000000"}, /* WINS */
		{"0306 00000000 8206 00000000", 4, "8206 00000000"},
		{"0306" ADDRESS "0306" ADDRESS, 4, "0306" ADDRESS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&client_pap);

		client_to_network(client);
		client_says(client, PPP_IPCP, 1, 0x77, rows[i].request);
		if (rows[i].code)
			client_hears(client, PPP_IPCP, rows[i].code, 0x77, rows[i].answer);
		client_hears_nothing(client);
		ck_assert_uint_eq(!client->ppp->held_length, rows[i].code != 0);
		ck_assert_uint_eq(client->up, 0);
		client_free(client);
	}
}
END_TEST

START_TEST(a_server_we_do_not_have_is_rejected)
{
	struct client *client = client_new(&client_pap);
	struct ppp_verdict verdict = {
		.is_granted = true, .address_be = htonl(0x0a000007), .dns_be = {htonl(0x08080808)}};

	client_to_asked(client);
	ppp_authorised(client->ppp, &verdict, &client->out);
	client_hears(client, PPP_PAP, 2, 1, "00");
	client_hears(client, PPP_IPCP, 1, 1, ""); /* nor have we an address to tell */
	client_says(client, PPP_IPCP, 1, 1, "0306 00000000 8106 00000000 8306 00000000");
	client_hears(client, PPP_IPCP, 4, 1, "8306 00000000");
	client_says(client, PPP_IPCP, 2, 1, "");
	client_says(client, PPP_IPCP, 1, 2, "0306" ADDRESS);
	ck_assert_uint_eq(client->up, 1);
	client_free(client);
}
END_TEST

START_TEST(who_insists_on_another_address_is_ended)
{
	struct client *client = client_new(&client_pap);

	client_to_network(client);
	for (uint8_t id = 1; id <= 5; id++) {
		client_says(client, PPP_IPCP, 1, id, "0306 c0a80001 8106 09090909");
		client_hears(client, PPP_IPCP, 3, id, "0306" ADDRESS "8106" DNS_1);
	}
	/* A server of its own is rejected then, once; the address is not for it to choose. */
	client_says(client, PPP_IPCP, 1, 6, "0306 c0a80001 8106 09090909");
	client_hears(client, PPP_IPCP, 4, 6, "8106 09090909");
	client_says(client, PPP_IPCP, 1, 7, "0306 c0a80001");
	ck_assert_uint_eq(client->ppp->phase, PPP_TERMINATE);
	ck_assert_uint_eq(client->frames[client->heard++].bytes[2], PPP_TERMINATE_REQUEST);
	client_hears_nothing(client);
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_str_eq(client->text, "IPCP: the client insists on another address");
	ck_assert_int_eq(client->cause, SESSION_END_USER_ERROR);
	ck_assert_uint_eq(client->up + client->down, 0);
	client_free(client);
}
END_TEST

START_TEST(rfc1332_s3_3_our_address_is_left_out_where_it_is_not_wanted)
{
	struct client *client = client_new(&client_pap);

	client_to_network(client);
	client_says(client, PPP_IPCP, 4, 1, "0306" GATEWAY);
	client_hears(client, PPP_IPCP, 1, 2, "");
	client_says(client, PPP_IPCP, 2, 2, "");
	ck_assert_uint_eq(client->ppp->ipcp.state, PPP_ACK_RCVD);
	client_free(client);

	client = client_new(&client_pap);
	client_to_network(client);
	for (uint8_t id = 1; id < 5; id++) {
		client_says(client, PPP_IPCP, 3, id, "0306 c0a80001");
		client_hears(client, PPP_IPCP, 1, (uint8_t)(id + 1), "0306" GATEWAY);
	}
	client_says(client, PPP_IPCP, 3, 5, "0306 c0a80001");
	client_hears(client, PPP_IPCP, 1, 6, "");
	client_free(client);
}
END_TEST

/* ---- What waits for the session -------------------------------------------------------- */

/* In whatever order the two agree: the last Ack to the client comes when the session is up. */
START_TEST(the_client_may_send_when_there_is_a_session)
{
	struct client *client = client_new(&client_pap);

	client_to_network(client);
	client_says(client, PPP_IPCP, 1, 1, FULL);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->up, 0); /* it has not agreed to ours */
	client_says(client, PPP_IPCP, 2, 1, "0306" GATEWAY);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->up, 1);
	ck_assert_uint_eq(client->ppp->phase, PPP_PREPARE);
	client_says(client, PPP_IPCP, 1, 2, FULL); /* it is impatient */
	client_says(client, PPP_IPCP, 2, 1, "0306" GATEWAY);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->up, 1);
	client_ready(client);
	client_hears(client, PPP_IPCP, 2, 2, FULL);
	client_hears_nothing(client);
	client_ready(client); /* a second time means nothing */
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->ipcp.state, PPP_OPENED);
	client_free(client);

	client = client_new(&client_pap);
	client_to_open(client); /* the other order */
	client_free(client);
}
END_TEST

/* While the session is being prepared the client changes its mind. */
START_TEST(another_request_takes_the_place_of_the_one_that_waits)
{
	struct client *client = client_new(&client_pap);

	client_to_prepare(client);
	client_says(client, PPP_IPCP, 1, 3, "0306" ADDRESS "8206 00000000");
	client_hears(client, PPP_IPCP, 4, 3, "8206 00000000");
	client_ready(client);
	client_hears_nothing(client); /* the good one is no more */
	ck_assert_uint_eq(client->ppp->phase, PPP_OPEN);
	client_says(client, PPP_IPCP, 1, 4, "0306" ADDRESS);
	client_hears(client, PPP_IPCP, 2, 4, "0306" ADDRESS);
	ck_assert_uint_eq(client->ppp->ipcp.state, PPP_OPENED);
	ck_assert_uint_eq(client->up, 1);
	client_free(client);
}
END_TEST

START_TEST(the_session_could_not_be_opened)
{
	struct client *client = client_new(&client_pap);

	client_to_prepare(client);
	client_closed(client, SESSION_END_NAS_ERROR, "full");
	client_hears(client, PPP_LCP, 5, 2, "66756c6c");
	client_ready(client);
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->phase, PPP_TERMINATE);
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_uint_eq(client->down, 0);
	ck_assert_int_eq(client->cause, SESSION_END_NAS_ERROR);
	ck_assert_str_eq(client->text, "full");
	client_free(client);
}
END_TEST

START_TEST(the_client_leaves_while_the_session_is_prepared)
{
	struct client *client = client_new(&client_pap);

	client_to_prepare(client);
	client_says(client, PPP_LCP, 5, 9, "");
	client_hears(client, PPP_LCP, 6, 9, "");
	ck_assert_uint_eq(client->down, 1);
	ck_assert_uint_eq(client->ended, 1);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ppp_ipcp");
	TCase *tests = tcase_create("ppp_ipcp");

	tcase_add_test(tests, rfc1332_s3_3_options_of_the_network);
	tcase_add_test(tests, a_server_we_do_not_have_is_rejected);
	tcase_add_test(tests, who_insists_on_another_address_is_ended);
	tcase_add_test(tests, rfc1332_s3_3_our_address_is_left_out_where_it_is_not_wanted);
	tcase_add_test(tests, the_client_may_send_when_there_is_a_session);
	tcase_add_test(tests, another_request_takes_the_place_of_the_one_that_waits);
	tcase_add_test(tests, the_session_could_not_be_opened);
	tcase_add_test(tests, the_client_leaves_while_the_session_is_prepared);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
