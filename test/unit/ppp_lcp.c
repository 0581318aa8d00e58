/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * LCP as a client sees it: options that are taken, nak'd and rejected, each side's; loops;
 * the other codes; what is malformed.
 */
#include <stdio.h>

#include "ppp_client.h"
#include "run.h"

static const struct ppp_params all_methods = {
	.auth = {CREDENTIAL_MSCHAP2, CREDENTIAL_CHAP, CREDENTIAL_PAP},
};

/* ---- What the client asks for ------------------------------------------------------ */

START_TEST(rfc1661_s5_3_rfc1661_s5_4_rfc1661_s6_1_options_of_the_client)
{
	static const struct {
		const char *request;
		uint8_t code; /* of the answer */
		const char *answer;
	} rows[] = {
		{"", 2, ""},
		{"0104 05d4", 2, "0104 05d4"},
		{"0104 0080", 2, "0104 0080"},
		{"0104 007f", 3, "0104 05d4"}, /* too small to be of use */
		{"0104 05d5", 3, "0104 05d4"}, /* more than PPPoE has without RFC 4638 */
		{"0104 05dc", 3, "0104 05d4"}, /* 1500 */
		{"0103 05", 3, "0104 05d4"},   /* of a wrong length: the right one */
		{"0102", 3, "0104 05d4"},      /* of no length */
		{"0506 12345678", 2, "0506 12345678"},
		{"0506 00000000", 3, "0506 33333333"}, /* 0 is none */
		{"0702", 4, "0702"},                   /* protocol field compression */
		{"0802", 4, "0802"},                   /* address field compression */
		{"0206 000a0000", 4, "0206 000a0000"}, /* characters to be escaped */
		{"0304 c023", 4, "0304 c023"},         /* we do not say who we are */
		{"0305 c22381", 4, "0305 c22381"},
		{"0d03 06", 4, "0d03 06"},                         /* callback */
		{"1104 05dc 1304 0102", 4, "1104 05dc 1304 0102"}, /* multilink */
		{"ff03 aa", 4, "ff03 aa"},
		{"0104 05d4 0506 12345678 0702 0802", 4, "0702 0802"}, /* rejects first, alone */
		{"0104 05dc 0702", 4, "0702"},
		{"0104 05dc 0506 00000000", 3, "0104 05d4 0506 33333333"},
		{"0104 05d4 0104 05d4", 4, "0104 05d4"}, /* once is enough */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&client_pap);

		client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
		client_says(client, PPP_LCP, 1, 0xa5, rows[i].request);
		client_hears(client, PPP_LCP, rows[i].code, 0xa5, rows[i].answer);
		client_hears_nothing(client);
		ck_assert_uint_eq(client->ppp->lcp.state, rows[i].code == 2 ? PPP_ACK_SENT : PPP_REQ_SENT);
		client_free(client);
	}
}
END_TEST

START_TEST(rfc4638_s5_1_larger_packets_where_discovery_allowed_them)
{
	static const struct {
		uint16_t most;
		const char *ours, *request, *answer;
		uint8_t code;
		uint16_t mtu;
	} rows[] = {
		{1500, "0104 05dc", "0104 05dc", "0104 05dc", 2, 1500},
		{1500, "0104 05dc", "0104 05d4", "0104 05d4", 2, 1492},
		{1500, "0104 05dc", "", "", 2, 1500}, /* says nothing: 1500 by RFC 1661 */
		{1500, "0104 05dc", "0104 05dd", "0104 05dc", 3, 1500},
		{9000, "0104 05dc", "0104 05dc", "0104 05dc", 2, 1500}, /* no more than Ethernet has */
		{1498, "0104 05da", "0104 05dc", "0104 05da", 3, 1498},
		{0, "0104 05d4", "", "", 2, 1492}, /* what PPPoE takes is less than it says */
		{0, "0104 05d4", "0104 0240", "0104 0240", 2, 576},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ppp_params params = {.mru = rows[i].most};
		struct client *client = client_new(&params);
		char ours[64];

		snprintf(ours, sizeof(ours), "%s 0506 11111111", rows[i].ours);
		client_hears(client, PPP_LCP, 1, 1, ours);
		client_says(client, PPP_LCP, 1, 9, rows[i].request);
		client_hears(client, PPP_LCP, rows[i].code, 9, rows[i].answer);
		ck_assert_uint_eq(client->ppp->mtu, rows[i].mtu);
		client_free(client);
	}
}
END_TEST

/* Section 4.6, Max-Failure: what was nak'd in vain is rejected. */
START_TEST(rfc1661_s4_6_naks_in_vain_become_rejects)
{
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	for (uint8_t id = 1; id <= 5; id++) {
		client_says(client, PPP_LCP, 1, id, "0104 05dc");
		client_hears(client, PPP_LCP, 3, id, "0104 05d4");
	}
	client_says(client, PPP_LCP, 1, 6, "0104 05dc");
	client_hears(client, PPP_LCP, 4, 6, "0104 05dc");
	client_says(client, PPP_LCP, 1, 7, "");
	client_hears(client, PPP_LCP, 2, 7, "");
	ck_assert_uint_eq(client->ppp->mtu, 1492);
	ck_assert_uint_eq(client->ppp->lcp.naks_sent, 0);
	client_free(client);
}
END_TEST

/* ---- What we ask for --------------------------------------------------------------- */

START_TEST(rfc1661_s5_3_our_options_are_nakd)
{
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 3, 1, "0104 0500 0506 99999999");
	client_hears(client, PPP_LCP, 1, 2, "0104 0500 0304 c023 0506 22222222");
	client_says(client, PPP_LCP, 3, 2, "0104 05dc"); /* more than we have: as before */
	client_hears(client, PPP_LCP, 1, 3, "0104 0500 0304 c023 0506 22222222");
	client_says(client, PPP_LCP, 3, 3,
		    "0104 0000 0206 00000000 1104 05dc"); /* nor what was not asked for */
	client_hears(client, PPP_LCP, 1, 4, "0104 0500 0304 c023 0506 22222222");
	client_says(client, PPP_LCP, 3, 4, "0103 00"); /* of a wrong length */
	client_hears(client, PPP_LCP, 1, 5, "0104 0500 0304 c023 0506 22222222");
	client_says(client, PPP_LCP, 2, 5, "0104 0500 0304 c023 0506 22222222");
	ck_assert_uint_eq(client->ppp->mru, 0x500);
	ck_assert_uint_eq(client->ppp->magic, 0x22222222);
	ck_assert_uint_eq(client->ppp->lcp.state, PPP_ACK_RCVD);
	client_free(client);
}
END_TEST

START_TEST(rfc1661_s5_4_our_options_are_rejected)
{
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 4, 1, "0506 11111111");
	client_hears(client, PPP_LCP, 1, 2, "0104 05d4 0304 c023");
	client_says(client, PPP_LCP, 4, 2, "0104 05d4");
	client_hears(client, PPP_LCP, 1, 3, "0304 c023");
	client_says(client, PPP_LCP, 2, 3, "0304 c023");
	ck_assert_uint_eq(client->ppp->magic, 0);
	/* Without a number of ours nothing is taken for a loop. */
	client_says(client, PPP_LCP, 1, 1, "0506 11111111");
	client_hears(client, PPP_LCP, 2, 1, "0506 11111111");
	client_says(client, PPP_LCP, 9, 4, "11111111");
	client_hears(client, PPP_LCP, 10, 4, "00000000");
	client_free(client);
}
END_TEST

START_TEST(disagreement_has_an_end)
{
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	for (uint8_t id = 1; id <= 10; id++) {
		client_says(client, PPP_LCP, 3, id, "0104 05dc");
		client_hears(client, PPP_LCP, 1, (uint8_t)(id + 1), "0104 05d4 0304 c023 0506 11111111");
	}
	client_says(client, PPP_LCP, 3, 11, "0104 05dc");
	client_hears(client, PPP_LCP, 5, 12,
		     "4c43503a 206e6f20 61677265 656d656e 74"); /* LCP: no agreement */
	client_says(client, PPP_LCP, 6, 12, "");
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_USER_ERROR);
	client_free(client);
}
END_TEST

/* ---- Authentication is agreed on --------------------------------------------------- */

static void offers(struct client *client, uint8_t id, const char *auth)
{
	char options[64];

	snprintf(options, sizeof(options), "0104 05d4 %s 0506 11111111", auth);
	client_hears(client, PPP_LCP, 1, id, options);
}

START_TEST(rfc1661_s6_2_authentication_in_the_configured_order)
{
	struct client *client = client_new(&all_methods);

	offers(client, 1, "0305 c22381");
	client_says(client, PPP_LCP, 3, 1, "0304 c227"); /* EAP: not ours; the next one */
	offers(client, 2, "0305 c22305");
	client_says(client, PPP_LCP, 3, 2, "0305 c22381"); /* which it did not want before */
	offers(client, 3, "0304 c023");
	client_says(client, PPP_LCP, 3, 3, "0305 c22305");
	client_hears(client, PPP_LCP, 5, 4,
		     "4c43503a 206e6f20 61757468 656e7469 63617469 6f6e2069 6e20636f 6d6d6f6e");
	ck_assert_uint_eq(client->ended, 0);
	client_says(client, PPP_LCP, 6, 4, "");
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_USER_ERROR);
	ck_assert_str_eq(client->text, "LCP: no authentication in common");
	ck_assert_uint_eq(client->asked, 0);
	client_free(client);
}
END_TEST

START_TEST(rfc1661_s6_2_authentication_as_the_client_wishes)
{
	static const struct {
		const char *wish, *next;
		uint8_t code;
	} rows[] = {
		{"0304 c023", "0304 c023", 3},     {"0305 c22305", "0305 c22305", 3},
		{"0305 c22380", "0305 c22305", 3}, /* MS-CHAPv1: the next of ours */
		{"0302", "0305 c22305", 3},        {"0305 c22381", "0305 c22305", 4},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&all_methods);

		offers(client, 1, "0305 c22381");
		client_says(client, PPP_LCP, rows[i].code, 1, rows[i].wish);
		offers(client, 2, rows[i].next);
		client_free(client);
	}
}
END_TEST

START_TEST(who_will_not_authenticate_is_ended)
{
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 4, 1, "0304 c023");
	client_hears(client, PPP_LCP, 5, 2,
		     "4c43503a 206e6f20 61757468 656e7469 63617469 6f6e2069 6e20636f 6d6d6f6e");
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_uint_eq(client->ended, 1);
	client_free(client);
}
END_TEST

/* ---- Loops ------------------------------------------------------------------------- */

START_TEST(rfc1661_s6_4_our_own_voice_is_recognised)
{
	struct client *client = client_new(&client_pap);
	unsigned rounds = 0;

	/* A wire that comes back: whatever is sent is received. */
	while (!client->ended && client->ppp->phase != PPP_TERMINATE) {
		uint8_t frame[PPP_FRAME_MAX];
		size_t length = client->frames[client->heard].length;

		ck_assert_uint_lt(client->heard, client->sent);
		memcpy(frame, client->frames[client->heard].bytes, length);
		client->heard++;
		ppp_input(client->ppp, frame, length, &client->out);
		ck_assert_uint_lt(++rounds, 30);
	}
	ck_assert_str_eq(client->ppp->text, "LCP: the line is looped back");
	ck_assert_int_eq(client->ppp->cause, SESSION_END_LOST_CARRIER);
	client_free(client);
}
END_TEST

/* Two that drew the same number draw again, and then it is no loop. */
START_TEST(rfc1661_s6_4_the_same_number_by_chance)
{
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 1, 1, "0506 11111111 0702"); /* the reject of 07 waits */
	client_hears(client, PPP_LCP, 3, 1, "0506 33333333");
	ck_assert_uint_eq(client->ppp->loops, 1);
	client_says(client, PPP_LCP, 1, 2, "0506 33333333");
	client_hears(client, PPP_LCP, 2, 2, "0506 33333333");
	ck_assert_uint_eq(client->ppp->loops, 0);
	client_free(client);
}
END_TEST

/* ---- Other codes ------------------------------------------------------------------- */

START_TEST(rfc1661_s5_6_rfc1661_s5_8_codes_in_an_open_lcp)
{
	static const struct {
		uint8_t code;
		const char *data;
		uint8_t answer; /* 0: none */
		uint8_t id;
		const char *said;
	} rows[] = {
		{9, "c0ffee00", 10, 7, "11111111"},
		{9, "c0ffee00 0102030405", 10, 7, "11111111 0102030405"},
		{9, "00000000", 10, 7, "11111111"},
		{9, "c0ffee", 0, 0, ""}, /* no room for a number */
		{9, "", 0, 0, ""},
		{10, "c0ffee00", 0, 0, ""},
		{11, "c0ffee00 00", 0, 0, ""},
		{12, "c0ffee00 68656c6c6f", 0, 0, ""}, /* identification */
		{13, "c0ffee00 00000e10", 0, 0, ""},   /* time remaining */
		{14, "0102", 7, 0, "0e07 0006 0102"},
		{0, "", 7, 0, "0007 0004"},
		{255, "", 7, 0, "ff07 0004"},
		{8, "80fd 0101 0004", 0, 0, ""}, /* rejects what we never said */
		{8, "80", 0, 0, ""},
		{7, "0c01 0004", 0, 0, ""}, /* rejects what PPP does without */
		{7, "09", 0, 0, ""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&client_pap);

		client_to_lcp(client);
		client_says(client, PPP_LCP, rows[i].code, 7, rows[i].data);
		if (rows[i].answer)
			client_hears(client, PPP_LCP, rows[i].answer, rows[i].id, rows[i].said);
		client_hears_nothing(client);
		ck_assert_uint_eq(client->ppp->lcp.state, PPP_OPENED);
		ck_assert_uint_eq(client->ppp->phase, PPP_AUTHENTICATE);
		ck_assert_uint_ne(client->ppp->timer_ns, 0); /* none of it stops the clock */
		client_free(client);
	}
}
END_TEST

START_TEST(rfc1661_s5_8_echo_is_not_answered_before)
{
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 9, 7, "c0ffee00");
	client_hears_nothing(client);
	client_free(client);
}
END_TEST

START_TEST(rfc1661_s5_7_fatal_rejects)
{
	static const struct {
		const char *frame, *text;
	} rows[] = {
		{"c021 07 09 0008 01 01 0004", "LCP: what PPP needs was rejected"},
		{"c021 07 09 0008 07 01 0004", "LCP: what PPP needs was rejected"},
		{"c021 08 09 0006 c021", "LCP: what PPP needs was rejected"},
		{"c021 08 09 0006 c023", "PAP: the client does not speak it"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&client_pap);

		client_to_lcp(client);
		client_says_raw(client, rows[i].frame);
		ck_assert_uint_eq(client->ppp->phase, PPP_TERMINATE);
		ck_assert_uint_eq(client->sent, client->heard + 1); /* Terminate-Request */
		client_says(client, PPP_LCP, 6, 2, "");
		ck_assert_uint_eq(client->ended, 1);
		ck_assert_str_eq(client->text, rows[i].text);
		ck_assert_int_eq(client->cause, SESSION_END_USER_ERROR);
		client_free(client);
	}
}
END_TEST

/* ---- Malformed --------------------------------------------------------------------- */

START_TEST(rfc1661_s5_what_is_malformed_is_dropped)
{
	static const char *const frames[] = {
		"",
		"c0",
		"c021",
		"c021 01",
		"c021 01 01 00",
		"c021 01 01 0003",
		"c021 01 01 0005",
		"c021 01 01 ffff 0104",
		"c021 01 01 0010 0104 05d4", /* tells more than there is */

		"c021 01 01 0005 01", /* half an option */
		"c021 01 01 0006 0101",
		"c021 01 01 0006 0100",      /* shorter than its header */
		"c021 01 01 0008 0105 05d4", /* longer than the packet */
		"c021 01 01 0009 0104 05d4 05",
		"c021 02 01 0012 0104 05d4 0304 c023 0506 11111112", /* an Ack of something else */
		"c021 02 01 000c 0104 05d4 0304 c023",
		"c021 02 02 0012 0104 05d4 0304 c023 0506 11111111", /* of no request of ours */
		"c021 03 01 0007 0104 05",
		"c021 03 02 0008 0104 0500",
		"c021 04 01 0005 05",
		"c021 04 00 000a 0506 11111111",
		"8021 01 01 0004",
		"c023 01 01 000a 0161 0161",
		"c223 02 01 0004",
		"0057 0102",
		"80fd 01 01 0004",
	};
	struct client *client = client_new(&client_pap);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0304 c023 0506 11111111");
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		client_says_raw(client, frames[i]);
		client_hears_nothing(client);
	}
	ck_assert_uint_eq(client->ppp->lcp.state, PPP_REQ_SENT);
	/* Bytes behind the told length are padding. */
	client_says_raw(client, "c021 01 01 0004 00000000");
	client_hears(client, PPP_LCP, 2, 1, "");
	client_free(client);
}
END_TEST

/* An answer that comes twice is none the second time: nothing is torn down. */
START_TEST(rfc1661_s5_2_answers_count_once)
{
	struct client *client = client_new(&client_pap);

	client_to_lcp(client);
	client_says(client, PPP_LCP, 2, 1, "0104 05d4 0304 c023 0506 11111111");
	client_says(client, PPP_LCP, 3, 1, "0104 0500");
	client_says(client, PPP_LCP, 4, 1, "0304 c023");
	client_hears_nothing(client);
	ck_assert_uint_eq(client->ppp->lcp.state, PPP_OPENED);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ppp_lcp");
	TCase *tests = tcase_create("ppp_lcp");

	tcase_add_test(tests, rfc1661_s5_3_rfc1661_s5_4_rfc1661_s6_1_options_of_the_client);
	tcase_add_test(tests, rfc4638_s5_1_larger_packets_where_discovery_allowed_them);
	tcase_add_test(tests, rfc1661_s4_6_naks_in_vain_become_rejects);
	tcase_add_test(tests, rfc1661_s5_3_our_options_are_nakd);
	tcase_add_test(tests, rfc1661_s5_4_our_options_are_rejected);
	tcase_add_test(tests, disagreement_has_an_end);
	tcase_add_test(tests, rfc1661_s6_2_authentication_in_the_configured_order);
	tcase_add_test(tests, rfc1661_s6_2_authentication_as_the_client_wishes);
	tcase_add_test(tests, who_will_not_authenticate_is_ended);
	tcase_add_test(tests, rfc1661_s6_4_our_own_voice_is_recognised);
	tcase_add_test(tests, rfc1661_s6_4_the_same_number_by_chance);
	tcase_add_test(tests, rfc1661_s5_6_rfc1661_s5_8_codes_in_an_open_lcp);
	tcase_add_test(tests, rfc1661_s5_8_echo_is_not_answered_before);
	tcase_add_test(tests, rfc1661_s5_7_fatal_rejects);
	tcase_add_test(tests, rfc1661_s5_what_is_malformed_is_dropped);
	tcase_add_test(tests, rfc1661_s5_2_answers_count_once);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
