/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * PAP, CHAP and MS-CHAPv2 as a client sees them, and what is asked of who authorises.
 */
#include <stdio.h>
#include <string.h>

#include "ppp_client.h"
#include "run.h"

static const struct ppp_params chap = {.auth = {CREDENTIAL_CHAP}, .name = "bng"};
static const struct ppp_params mschap2 = {.auth = {CREDENTIAL_MSCHAP2}, .name = "bng"};

#define CHALLENGE "22222222 22222222 22222222 22222222"
#define MD5       "00112233 44556677 8899aabb ccddeeff"
#define NT                                                                                                   \
	"a0a1a2a3 a4a5a6a7 a8a9aaab acadaeaf 00000000 00000000"                                              \
	"b0b1b2b3 b4b5b6b7 b8b9babb bcbdbebf c0c1c2c3 c4c5c6c7 00"
#define ALICE "616c696365"

/* In kept memory after the question: neither what was asked nor what answers it. */
static void forgot(const struct client *client, const char *secret)
{
	uint8_t bytes[256];
	size_t length = client_hex(secret, bytes);

	ck_assert_ptr_null(memmem(client->ppp, sizeof(*client->ppp), bytes, length));
}

static void to_challenge(struct client *client, const char *option)
{
	char options[64];

	snprintf(options, sizeof(options), "0104 05d4 %s 0506 11111111", option);
	client_hears(client, PPP_LCP, 1, 1, options);
	client_says(client, PPP_LCP, 2, 1, options);
	client_says(client, PPP_LCP, 1, 1, "");
	client_hears(client, PPP_LCP, 2, 1, "");
	client_hears(client, PPP_CHAP, 1, 1, "10" CHALLENGE "626e67");
	client_hears_nothing(client);
}

/* ---- PAP ----------------------------------------------------------------------------- */

START_TEST(rfc1334_s2_2_1_pap_is_asked_once)
{
	struct client *client = client_new(&client_pap);

	client_to_asked(client);
	ck_assert_str_eq(client->user, "alice");
	ck_assert_int_eq(client->kind, CREDENTIAL_PAP);
	ck_assert_uint_eq(client->response_length, 6);
	ck_assert_mem_eq(client->response, "secret", 6);
	ck_assert_uint_eq(client->challenge_length, 0);
	forgot(client, "736563726574");
	ck_assert_uint_eq(client->ppp->timer_ns, 0);
	client_says(client, PPP_PAP, 1, 2, "05" ALICE "06 736563726574");
	client_hears_nothing(client);
	ck_assert_uint_eq(client->asked, 1);
	forgot(client, "736563726574");
	client_granted(client, NULL);
	client_hears(client, PPP_PAP, 2, 2, "00"); /* the last one's id */
	client_hears(client, PPP_IPCP, 1, 1, "0306" GATEWAY);
	/* The Ack was lost. */
	client_says(client, PPP_PAP, 1, 3, "05" ALICE "06 736563726574");
	client_hears(client, PPP_PAP, 2, 3, "00");
	client_hears_nothing(client);
	ck_assert_uint_eq(client->asked, 1);
	client_free(client);
}
END_TEST

START_TEST(rfc1334_s2_2_2_pap_is_denied)
{
	struct client *client = client_new(&client_pap);

	client_to_asked(client);
	client_denied(client, "no", NULL, 0);
	client_hears(client, PPP_PAP, 3, 1, "02 6e6f");
	client_hears(client, PPP_LCP, 5, 2, "5041503a 206e6f"); /* PAP: no */
	ck_assert_uint_eq(client->ended, 0);
	client_says(client, PPP_PAP, 1, 2, "05" ALICE "06 736563726574");
	client_hears_nothing(client);
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_uint_eq(client->ended, 1);
	ck_assert_int_eq(client->cause, SESSION_END_USER_ERROR);
	ck_assert_str_eq(client->text, "PAP: no");
	ck_assert_uint_eq(client->down, 0);
	ck_assert_uint_eq(client->asked, 1);
	client_free(client);
}
END_TEST

START_TEST(an_outage_is_not_the_users_fault)
{
	struct client *client = client_new(&client_pap);

	client_to_asked(client);
	client_denied(client, NULL, NULL, SESSION_END_NAS_ERROR);
	client_hears(client, PPP_PAP, 3, 1, "07 72656675 736564"); /* refused */
	client->heard++;
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_int_eq(client->cause, SESSION_END_NAS_ERROR);
	client_free(client);
}
END_TEST

START_TEST(granted_without_an_address_is_not_granted)
{
	struct client *client = client_new(&client_pap);
	struct ppp_verdict verdict = {.is_granted = true};

	client_to_asked(client);
	ppp_authorised(client->ppp, &verdict, &client->out);
	client_hears(client, PPP_PAP, 3, 1, "0a 6e6f2061 64647265 7373"); /* no address */
	ck_assert_uint_eq(client->ppp->phase, PPP_TERMINATE);
	client_free(client);
}
END_TEST

START_TEST(rfc1334_s2_2_pap_that_is_malformed_is_dropped)
{
	static const char *const requests[] = {
		"",
		"05",
		"00",
		"05 616c6963",
		"05" ALICE,
		"05" ALICE "06 7365637265",
		"ff" ALICE "00",
		"05" ALICE "ff",
	};
	struct client *client = client_new(&client_pap);

	client_to_lcp(client);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		client_says(client, PPP_PAP, 1, 1, requests[i]);
	client_says(client, PPP_PAP, 2, 1, "00");
	client_says(client, PPP_PAP, 3, 1, "00");
	client_says(client, PPP_PAP, 9, 1, "05" ALICE "00");
	client_says(client, PPP_CHAP, 2, 1, "10" MD5 ALICE); /* not what was agreed on */
	client_hears_nothing(client);
	ck_assert_uint_eq(client->asked, 0);
	ck_assert_uint_eq(client->ppp->phase, PPP_AUTHENTICATE);
	client_says(client, PPP_PAP, 1, 1, "05" ALICE "00"); /* an empty password is one */
	ck_assert_uint_eq(client->asked, 1);
	ck_assert_uint_eq(client->response_length, 0);
	client_free(client);
}
END_TEST

/* A name goes into records and logs. */
START_TEST(a_user_is_text)
{
	static const struct {
		const char *user;
		bool is_good;
	} rows[] = {
		{"", false},         {"61", true},        {"6100", false},    {"610a", false},
		{"7f", false},       {"c3a4", true},      {"c3", false},      {"c328", false},
		{"c0af", false},     {"80", false},       {"e282ac", true},   {"e282", false},
		{"e08080", false},   {"eda080", false},   {"f09f9880", true}, {"f0808080", false},
		{"f4908080", false}, {"f5808080", false}, {"ff", false},      {"5c40e282ac", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&client_pap);
		char data[64];

		client_to_lcp(client);
		snprintf(data, sizeof(data), "%02zx %s 00", strlen(rows[i].user) / 2, rows[i].user);
		client_says(client, PPP_PAP, 1, 1, data);
		ck_assert_msg(client->asked == rows[i].is_good, "user %s", rows[i].user);
		ck_assert_uint_eq(client->ppp->phase, rows[i].is_good ? PPP_AUTHORISE : PPP_TERMINATE);
		ck_assert_uint_eq(client->sent - client->heard, rows[i].is_good ? 0 : 2);
		client_free(client);
	}
}
END_TEST

START_TEST(a_user_is_not_too_long)
{
	for (unsigned length = 252; length <= 255; length++) {
		struct client *client = client_new(&client_pap);
		char data[1024];
		size_t used = (size_t)snprintf(data, sizeof(data), "%02x", length);

		for (unsigned i = 0; i < length; i++)
			used += (size_t)snprintf(data + used, sizeof(data) - used, "61");
		strcat(data, "00");
		client_to_lcp(client);
		client_says(client, PPP_PAP, 1, 1, data);
		ck_assert_uint_eq(client->asked, length <= PPP_USER_MAX);
		client_free(client);
	}
}
END_TEST

START_TEST(pap_is_waited_for)
{
	struct client *client = client_new(&client_pap);

	client_to_lcp(client);
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_uint_eq(client->ppp->phase, PPP_AUTHENTICATE);
		client_waits(client, 3000);
	}
	client_hears(client, PPP_LCP, 5, 2, "5041503a 206e6f20 616e7377 6572"); /* PAP: no answer */
	client_says(client, PPP_LCP, 6, 2, "");
	ck_assert_int_eq(client->cause, SESSION_END_LOST_CARRIER);
	client_free(client);
}
END_TEST

/* ---- CHAP ----------------------------------------------------------------------------- */

START_TEST(rfc1994_s4_1_rfc1994_s4_2_chap_is_asked_once)
{
	struct client *client = client_new(&chap);
	uint8_t expected[64];

	to_challenge(client, "0305 c22305");
	client_says(client, PPP_CHAP, 2, 2, "10" MD5 ALICE); /* to another challenge */
	client_says(client, PPP_CHAP, 2, 1, "0f" MD5 ALICE);
	client_says(client, PPP_CHAP, 2, 1, "10 001122");
	client_says(client, PPP_CHAP, 1, 1, "10" MD5 ALICE); /* we are not asked */
	ck_assert_uint_eq(client->asked, 0);
	client_says(client, PPP_CHAP, 2, 1, "10" MD5 ALICE);
	client_says(client, PPP_CHAP, 2, 1, "10" MD5 ALICE);
	ck_assert_uint_eq(client->asked, 1);
	ck_assert_str_eq(client->user, "alice");
	ck_assert_int_eq(client->kind, CREDENTIAL_CHAP);
	ck_assert_uint_eq(client->id, 1);
	ck_assert_uint_eq(client->challenge_length, 16);
	client_hex(CHALLENGE, expected);
	ck_assert_mem_eq(client->challenge, expected, 16);
	ck_assert_uint_eq(client->response_length, 16);
	client_hex(MD5, expected);
	ck_assert_mem_eq(client->response, expected, 16);
	forgot(client, CHALLENGE);
	forgot(client, MD5);
	client_granted(client, NULL);
	client_hears(client, PPP_CHAP, 3, 1, "");
	client_hears(client, PPP_IPCP, 1, 1, "0306" GATEWAY);
	client_says(client, PPP_CHAP, 2, 1, "10" MD5 ALICE);
	client_hears(client, PPP_CHAP, 3, 1, "");
	client_says(client, PPP_CHAP, 2, 2, "10" MD5 ALICE);
	client_hears_nothing(client);
	client_free(client);
}
END_TEST

START_TEST(rfc1994_s4_1_a_challenge_is_repeated_as_it_was)
{
	struct client *client = client_new(&chap);

	to_challenge(client, "0305 c22305");
	for (unsigned i = 1; i < 10; i++) {
		client_waits(client, 3000);
		client_hears(client, PPP_CHAP, 1, 1, "10" CHALLENGE "626e67");
	}
	client_waits(client, 3000);
	client_hears(client, PPP_LCP, 5, 2, "43484150 3a206e6f 20616e73 776572"); /* CHAP: no answer */
	client_free(client);
}
END_TEST

START_TEST(rfc1994_s4_2_chap_is_denied)
{
	struct client *client = client_new(&chap);

	to_challenge(client, "0305 c22305");
	client_says(client, PPP_CHAP, 2, 1, "10" MD5 ALICE);
	client_denied(client, "no", NULL, 0);
	client_hears(client, PPP_CHAP, 4, 1, "6e6f");
	client_hears(client, PPP_LCP, 5, 2, "43484150 3a206e6f"); /* CHAP: no */
	client_free(client);
}
END_TEST

/* ---- MS-CHAPv2 -------------------------------------------------------------------------- */

START_TEST(rfc2759_s4_rfc2759_s5_mschap2_carries_the_proof)
{
	static const char proof[] = "S=0123456789ABCDEF0123456789ABCDEF01234567";
	struct client *client = client_new(&mschap2);
	uint8_t expected[64];
	char said[128] = "";

	to_challenge(client, "0305 c22381");
	client_says(client, PPP_CHAP, 2, 1, "10" MD5 ALICE); /* the wrong kind */
	ck_assert_uint_eq(client->asked, 0);
	client_says(client, PPP_CHAP, 2, 1, "31" NT "42 4e47 5c" ALICE); /* BNG\alice */
	ck_assert_uint_eq(client->asked, 1);
	ck_assert_str_eq(client->user, "BNG\\alice");
	ck_assert_int_eq(client->kind, CREDENTIAL_MSCHAP2);
	ck_assert_uint_eq(client->response_length, 49);
	client_hex(NT, expected);
	ck_assert_mem_eq(client->response, expected, 49);
	client_granted(client, proof);
	for (size_t i = 0; proof[i]; i++)
		snprintf(said + 2 * i, 3, "%02x", (uint8_t)proof[i]);
	client_hears(client, PPP_CHAP, 3, 1, said);
	client_hears(client, PPP_IPCP, 1, 1, "0306" GATEWAY);
	client_says(client, PPP_CHAP, 2, 1, "31" NT ALICE);
	client_hears(client, PPP_CHAP, 3, 1, said);
	client_free(client);
}
END_TEST

START_TEST(rfc2759_s5_mschap2_without_proof_is_not_granted)
{
	struct client *client = client_new(&mschap2);

	to_challenge(client, "0305 c22381");
	client_says(client, PPP_CHAP, 2, 1, "31" NT ALICE);
	client_granted(client, NULL);
	ck_assert_uint_eq(client->ppp->phase, PPP_TERMINATE);
	ck_assert_int_eq(client->ppp->cause, SESSION_END_NAS_ERROR);
	ck_assert_uint_eq(client->frames[client->heard].bytes[2], 4);
	client_free(client);
}
END_TEST

START_TEST(rfc2759_s6_mschap2_is_denied)
{
	static const struct {
		const char *error, *said;
	} rows[] = {
		{"E=691 R=1 C=0011 V=3 M=x", "E=691 R=0 C=33333333333333333333333333333333 V=3 M=no"},
		{"E=648 R=0 V=3", "E=648 R=0 C=33333333333333333333333333333333 V=3 M=no"},
		{NULL, "E=691 R=0 C=33333333333333333333333333333333 V=3 M=no"},
		{"nonsense", "E=691 R=0 C=33333333333333333333333333333333 V=3 M=no"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client *client = client_new(&mschap2);
		char said[256] = "";

		to_challenge(client, "0305 c22381");
		client_says(client, PPP_CHAP, 2, 1, "31" NT ALICE);
		client_denied(client, "no", rows[i].error, 0);
		for (size_t j = 0; rows[i].said[j]; j++)
			snprintf(said + 2 * j, 3, "%02x", (uint8_t)rows[i].said[j]);
		client_hears(client, PPP_CHAP, 4, 1, said);
		client_hears(client, PPP_LCP, 5, 2, "4d532d43 48415076 323a206e 6f"); /* MS-CHAPv2: no */
		client_free(client);
	}
}
END_TEST

START_TEST(a_long_message_is_cut)
{
	struct client *client = client_new(&mschap2);
	char message[1001] = "";

	memset(message, 'x', 1000);
	to_challenge(client, "0305 c22381");
	client_says(client, PPP_CHAP, 2, 1, "31" NT ALICE);
	client_denied(client, message, NULL, 0);
	ck_assert_uint_le(client->frames[client->heard].length, 6 + 200);
	ck_assert_uint_eq(strlen(client->ppp->text), sizeof(client->ppp->text) - 1);
	client_free(client);
}
END_TEST

/* ---- Nobody ----------------------------------------------------------------------------- */

START_TEST(without_authentication_the_line_is_asked_for)
{
	struct ppp_params params = {.auth = {CREDENTIAL_LINE, CREDENTIAL_PAP}};
	struct client *client = client_new(&params);

	client_hears(client, PPP_LCP, 1, 1, "0104 05d4 0506 11111111");
	client_says(client, PPP_LCP, 2, 1, "0104 05d4 0506 11111111");
	client_says(client, PPP_LCP, 1, 1, "");
	client_hears(client, PPP_LCP, 2, 1, "");
	ck_assert_uint_eq(client->asked, 1);
	ck_assert_str_eq(client->user, "(nobody)");
	ck_assert_int_eq(client->kind, CREDENTIAL_LINE);
	client_says(client, PPP_PAP, 1, 1, "05" ALICE "00");
	client_granted(client, NULL);
	client_hears(client, PPP_IPCP, 1, 1, "0306" GATEWAY);
	client_hears_nothing(client);
	client_free(client);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ppp_auth");
	TCase *tests = tcase_create("ppp_auth");

	tcase_add_test(tests, rfc1334_s2_2_1_pap_is_asked_once);
	tcase_add_test(tests, rfc1334_s2_2_2_pap_is_denied);
	tcase_add_test(tests, an_outage_is_not_the_users_fault);
	tcase_add_test(tests, granted_without_an_address_is_not_granted);
	tcase_add_test(tests, rfc1334_s2_2_pap_that_is_malformed_is_dropped);
	tcase_add_test(tests, a_user_is_text);
	tcase_add_test(tests, a_user_is_not_too_long);
	tcase_add_test(tests, pap_is_waited_for);
	tcase_add_test(tests, rfc1994_s4_1_rfc1994_s4_2_chap_is_asked_once);
	tcase_add_test(tests, rfc1994_s4_1_a_challenge_is_repeated_as_it_was);
	tcase_add_test(tests, rfc1994_s4_2_chap_is_denied);
	tcase_add_test(tests, rfc2759_s4_rfc2759_s5_mschap2_carries_the_proof);
	tcase_add_test(tests, rfc2759_s5_mschap2_without_proof_is_not_granted);
	tcase_add_test(tests, rfc2759_s6_mschap2_is_denied);
	tcase_add_test(tests, a_long_message_is_cut);
	tcase_add_test(tests, without_authentication_the_line_is_asked_for);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
