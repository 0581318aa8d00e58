/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * MD4 and MS-CHAPv2 against the values of RFC 1320 and RFC 2759.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controld/radius/md4.h"
#include "controld/radius/mschap.h"
#include "run.h"

static const char *hex(const uint8_t *bytes, size_t length)
{
	static char text[256];

	for (size_t i = 0; i < length; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return text;
}

/* RFC 1320 appendix A.5 */
static const struct {
	const char *text;
	const char *digest;
} digests[] = {
	{"", "31d6cfe0d16ae931b73c59d7e0c089c0"},
	{"a", "bde52cb31de33e46245e05fbdbd6fb24"},
	{"abc", "a448017aaf21d8525fc10ae87aa6729d"},
	{"message digest", "d9130a8164549fe818874806e1c7014b"},
	{"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"},
	{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	 "043f8582f241db351ce627e153e7f0e4"},
	{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
	 "e33b4ddc9c38f2199c3e7b164fcc0536"},
};

START_TEST(rfc1320_digests)
{
	uint8_t digest[MD4_DIGEST];

	md4(digests[_i].text, strlen(digests[_i].text), digest);
	ck_assert_str_eq(hex(digest, sizeof(digest)), digests[_i].digest);
}
END_TEST

/* RFC 2759 section 9.2 */
static const uint8_t challenge[] = {0x5b, 0x5d, 0x7c, 0x7d, 0x7b, 0x3f, 0x2f, 0x3e,
				    0x3c, 0x2c, 0x60, 0x21, 0x32, 0x26, 0x26, 0x28};
static const uint8_t peer[] = {0x21, 0x40, 0x23, 0x24, 0x25, 0x5e, 0x26, 0x2a,
			       0x28, 0x29, 0x5f, 0x2b, 0x3a, 0x33, 0x7c, 0x7e};
static const char response_text[] = "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df";

START_TEST(rfc2759_s8_response_and_proof)
{
	static const char *const users[] = {"User", "DOMAIN\\User"};
	uint8_t response[MSCHAP_RESPONSE];
	char proof[MSCHAP_PROOF];

	ck_assert_int_eq(mschap_respond(users[_i], "clientPass", challenge, peer, response), 0);
	ck_assert_str_eq(hex(response, sizeof(response)), response_text);
	ck_assert_int_eq(mschap_prove(users[_i], "clientPass", challenge, peer, response, proof), 0);
	ck_assert_str_eq(proof, "S=407A5589115FD0D6209F510FE9C04566932CDA56");
}
END_TEST

START_TEST(passwords_are_utf8)
{
	static const struct {
		const char *password;
		int failure;
	} rows[] = {
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 0},
		{"", 0},
		{"\xc3", -EINVAL},
		{"\x80", -EINVAL},
		{"\xc0\xaf", -EINVAL},
		{"\xed\xa0\x80", -EINVAL},
		{"\xf4\x90\x80\x80", -EINVAL},
		{"\xff", -EINVAL},
		{"\xe2\x82", -EINVAL},
	};
	uint8_t response[MSCHAP_RESPONSE];
	char big[258];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ck_assert_int_eq(mschap_respond("u", rows[i].password, challenge, peer, response),
				 rows[i].failure);
	memset(big, 'x', sizeof(big));
	big[257] = '\0';
	ck_assert_int_eq(mschap_respond("u", big, challenge, peer, response), -EINVAL);
	big[255] = '\0';
	ck_assert_int_eq(mschap_respond("u", big, challenge, peer, response), 0);
}
END_TEST

START_TEST(attributes_are_in_the_order_of_rfc2548)
{
	uint8_t data[256], answer[MSCHAP_ANSWER];
	struct radius_builder builder;
	struct radius_attribute attribute;

	for (unsigned i = 0; i < sizeof(answer); i++)
		answer[i] = (uint8_t)i;
	radius_begin(&builder, data, sizeof(data), RADIUS_ACCOUNTING_REQUEST);
	mschap_add(&builder, 7, challenge, sizeof(challenge), answer);
	struct radius_cursor cursor = radius_attributes(data, radius_end(&builder));
	ck_assert(radius_next(&cursor, &attribute));
	ck_assert(attribute.vendor == 311 && attribute.type == 11 && attribute.length == 16);
	ck_assert(!memcmp(attribute.value, challenge, 16));
	ck_assert(radius_next(&cursor, &attribute));
	ck_assert(attribute.vendor == 311 && attribute.type == 25 && attribute.length == 50);
	ck_assert(attribute.value[0] == 7 && attribute.value[1] == 48);
	ck_assert(!memcmp(attribute.value + 2, answer, 48));
	ck_assert(!radius_next(&cursor, &attribute));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aaa_mschap");
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, rfc1320_digests, 0, sizeof(digests) / sizeof(digests[0]));
	tcase_add_loop_test(tcase, rfc2759_s8_response_and_proof, 0, 2);
	tcase_add_test(tcase, passwords_are_utf8);
	tcase_add_test(tcase, attributes_are_in_the_order_of_rfc2548);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
