/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * RADIUS packets: the examples of RFC 2865 section 7, and everything that a wrong
 * secret, a forged or a cut packet must not pass.
 */
#include <check.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/radius/packet.h"
#include "controld/radius/seal.h"
#include "run.h"

static const struct radius_secret secret = {"xyzzy5461", 9}, other = {"xyzzy5462", 9};

static size_t hex(const char *text, uint8_t *out)
{
	size_t length = 0;
	unsigned byte;
	int used;

	for (; sscanf(text, " %2x%n", &byte, &used) == 1; text += used)
		out[length++] = (uint8_t)byte;
	return length;
}

/* The example request of section 7.1, without what RFC 3579 adds. */
static const char telnet_request[] = "01 00 00 38 0f 40 3f 94 73 97 80 57 bd 83 d5 cb 98 f4 22 7a"
				     "01 06 6e 65 6d 6f 02 12 0d be 70 8d 93 d4 13 ce 31 96 e4 3f"
				     "78 2a 0a ee 04 06 c0 a8 01 10 05 06 00 00 00 03";
static const char telnet_accept[] = "02 00 00 26 86 fe 22 0e 76 24 ba 2a 10 05 f6 bf 9b 55 e0 b2"
				    "06 06 00 00 00 01 0f 06 00 00 00 00 0e 06 c0 a8 01 03";

START_TEST(rfc2865_s3_example_reply_is_genuine)
{
	uint8_t request[RADIUS_PACKET_MAX], reply[RADIUS_PACKET_MAX];
	size_t length;

	hex(telnet_request, request);
	length = hex(telnet_accept, reply);
	ck_assert_uint_eq(length, 38);
	ck_assert_int_eq(radius_verify(reply, &length, request, &secret, false), RADIUS_GENUINE);
	ck_assert_int_eq(radius_verify(reply, &length, request, &other, false), RADIUS_BAD_AUTHENTICATOR);
	ck_assert_int_eq(radius_verify(reply, &length, request, &secret, true),
			 RADIUS_NO_MESSAGE_AUTHENTICATOR);
	for (size_t i = 1; i < length; i++) {
		if (i == RADIUS_AT_LENGTH || i == RADIUS_AT_LENGTH + 1)
			continue;
		reply[i] ^= 1;
		size_t told = length;
		ck_assert_int_ne(radius_verify(reply, &told, request, &secret, false), RADIUS_GENUINE);
		reply[i] ^= 1;
	}
}
END_TEST

/* The password hidden as in section 7.1, signed as RFC 3579 section 3.2 says. */
START_TEST(rfc2865_s5_2_hidden_password_is_found_again)
{
	uint8_t request[RADIUS_PACKET_MAX], *value, before[RADIUS_PACKET_MAX];
	size_t length = hex(telnet_request, request), size = 0;
	unsigned digest_size = 0;

	length += hex("50 12 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00", request + length);
	request[RADIUS_AT_LENGTH + 1] = (uint8_t)length;
	value = radius_find(request, length, RADIUS_MESSAGE_AUTHENTICATOR, &size);
	ck_assert_uint_eq(size, RADIUS_DIGEST);
	uint8_t digest[RADIUS_DIGEST];
	HMAC(EVP_md5(), secret.data, (int)secret.length, request, length, digest, &digest_size);
	memcpy(value, digest, sizeof(digest));
	memcpy(before, request, length);
	ck_assert_int_eq(radius_open(request, length, &other), -EBADMSG);
	ck_assert_mem_eq(request, before, length);
	ck_assert_int_eq(radius_open(request, length, &secret), 0);
	value = radius_find(request, length, RADIUS_USER_PASSWORD, &size);
	ck_assert_uint_eq(size, 16);
	ck_assert_mem_eq(value, "arctangent\0\0\0\0\0", 16);
}
END_TEST

/* Section 7.2. */
START_TEST(rfc1994_s4_1_rfc2865_s5_3_example_of_chap)
{
	uint8_t data[RADIUS_PACKET_MAX], challenge[16], expected[17], *value;
	struct radius_builder builder;
	size_t size = 0;

	hex("2a ee 86 f0 8d 0d 55 96 9c a5 97 8e 0d 33 67 a2", challenge);
	hex("16 e9 75 57 c3 16 18 58 95 f2 93 ff 63 44 07 72 75", expected);
	radius_begin(&builder, data, sizeof(data), RADIUS_ACCESS_REQUEST);
	ck_assert_int_eq(radius_add_chap(&builder, 0x16, challenge, 16, "arctangent", 10), 0);
	size_t length = radius_end(&builder);
	value = radius_find(data, length, RADIUS_CHAP_PASSWORD, &size);
	ck_assert_uint_eq(size, 17);
	ck_assert_mem_eq(value, expected, 17);
	value = radius_find(data, length, RADIUS_CHAP_CHALLENGE, &size);
	ck_assert_uint_eq(size, 16);
	ck_assert_mem_eq(value, challenge, 16);
}
END_TEST

static size_t request_of(uint8_t *data, const char *password)
{
	struct radius_builder builder;

	radius_begin(&builder, data, RADIUS_PACKET_MAX, RADIUS_ACCESS_REQUEST);
	radius_add_text(&builder, RADIUS_USER_NAME, "nemo");
	radius_add_password(&builder, password, strlen(password));
	return radius_end(&builder);
}

START_TEST(a_request_goes_from_one_secret_to_another)
{
	static const char *const passwords[] = {"", "a", "exactly 16 bytes", "seventeen bytes..",
						"0123456789abcdef0123456789abcdef0123456789abcdef"};

	for (size_t i = 0; i < sizeof(passwords) / sizeof(passwords[0]); i++) {
		uint8_t data[RADIUS_PACKET_MAX], open[RADIUS_PACKET_MAX], first[RADIUS_DIGEST], *value;
		size_t length = request_of(data, passwords[i]), size = 0;

		memcpy(open, data, length);
		ck_assert_uint_eq(data[RADIUS_HEADER], RADIUS_MESSAGE_AUTHENTICATOR); /* first of all */
		ck_assert_int_eq(radius_seal(data, length, 7, &secret), 0);
		ck_assert_uint_eq(data[RADIUS_AT_ID], 7);
		memcpy(first, data + RADIUS_AT_AUTHENTICATOR, sizeof(first));
		value = radius_find(data, length, RADIUS_USER_PASSWORD, &size);
		ck_assert_uint_eq(size % 16, 0);
		ck_assert_mem_ne(value, value - data + open, size);
		ck_assert_int_eq(radius_open(data, length, &other), -EBADMSG);
		ck_assert_int_eq(radius_open(data, length, &secret), 0);
		ck_assert_mem_eq(radius_find(data, length, RADIUS_USER_PASSWORD, &size), value - data + open,
				 size);
		ck_assert_int_eq(radius_seal(data, length, 8, &other), 0);
		ck_assert_mem_ne(first, data + RADIUS_AT_AUTHENTICATOR, sizeof(first));
		ck_assert_int_eq(radius_open(data, length, &other), 0);
	}
}
END_TEST

START_TEST(rfc2866_s3_accounting_is_signed_in_its_header)
{
	uint8_t data[RADIUS_PACKET_MAX];
	struct radius_builder builder;
	size_t length, size;

	radius_begin(&builder, data, sizeof(data), RADIUS_ACCOUNTING_REQUEST);
	radius_add_integer(&builder, 40, 7);
	length = radius_end(&builder);
	ck_assert_uint_eq(length, 26);
	ck_assert_ptr_null(radius_find(data, length, RADIUS_MESSAGE_AUTHENTICATOR, &size));
	ck_assert_int_eq(radius_seal(data, length, 9, &secret), 0);
	ck_assert_int_eq(radius_open(data, length, &other), -EBADMSG);
	ck_assert_int_eq(radius_open(data, length, &secret), 0);
	data[25] ^= 1;
	ck_assert_int_eq(radius_open(data, length, &secret), -EBADMSG);
}
END_TEST

/* A server's part, in code of its own. */
static size_t reply_to(const uint8_t *request, uint8_t code, unsigned authenticators, uint8_t *reply)
{
	uint8_t message[RADIUS_PACKET_MAX], digest[RADIUS_DIGEST];
	unsigned size = 0;
	size_t length = 20;

	memcpy(reply, request, 20);
	reply[0] = code;
	for (unsigned i = 0; i < authenticators; i++) {
		memcpy(reply + length, "\x50\x12", 2);
		memset(reply + length + 2, 0, 16);
		length += 18;
	}
	memcpy(reply + length, "\x12\x04hi", 4);
	length += 4;
	reply[2] = (uint8_t)(length >> 8);
	reply[3] = (uint8_t)length;
	HMAC(EVP_md5(), secret.data, (int)secret.length, reply, length, digest, &size);
	for (unsigned i = 0; i < authenticators; i++)
		memcpy(reply + 22 + 18 * i, digest, 16);
	memcpy(message, reply, length);
	memcpy(message + length, secret.data, secret.length);
	EVP_Digest(message, length + secret.length, reply + 4, &size, EVP_md5(), NULL);
	return length;
}

START_TEST(rfc2865_s3_replies_are_judged)
{
	static const struct {
		uint8_t request, reply;
		unsigned authenticators;
		enum radius_verdict verdict;
	} rows[] = {
		{1, 2, 1, RADIUS_GENUINE},
		{1, 3, 1, RADIUS_GENUINE},
		{1, 11, 1, RADIUS_GENUINE},
		{1, 5, 1, RADIUS_WRONG_CODE},
		{1, 1, 1, RADIUS_WRONG_CODE},
		{4, 5, 0, RADIUS_GENUINE},
		{4, 5, 1, RADIUS_GENUINE},
		{4, 2, 1, RADIUS_WRONG_CODE},
		{1, 2, 2, RADIUS_MALFORMED},
		{1, 2, 0, RADIUS_NO_MESSAGE_AUTHENTICATOR},
		{1, 3, 0, RADIUS_NO_MESSAGE_AUTHENTICATOR},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t request[RADIUS_PACKET_MAX], reply[RADIUS_PACKET_MAX];
		struct radius_builder builder;

		radius_begin(&builder, request, sizeof(request), rows[i].request);
		size_t length = radius_end(&builder);
		ck_assert_int_eq(radius_seal(request, length, 3, &secret), 0);
		length = reply_to(request, rows[i].reply, rows[i].authenticators, reply);
		ck_assert_int_eq(radius_verify(reply, &length, request, &secret, true), rows[i].verdict);
	}
}
END_TEST

/* The response authenticator is right, the Message-Authenticator is not: what
 * Blast-RADIUS would look like. */
START_TEST(a_wrong_message_authenticator_is_refused)
{
	uint8_t request[RADIUS_PACKET_MAX], reply[RADIUS_PACKET_MAX], message[RADIUS_PACKET_MAX];
	size_t length = request_of(request, "secret"), told;
	unsigned size = 0;

	ck_assert_int_eq(radius_seal(request, length, 3, &secret), 0);
	length = reply_to(request, RADIUS_ACCESS_ACCEPT, 1, reply);
	reply[25] ^= 1;
	memcpy(reply + 4, request + 4, 16);
	memcpy(message, reply, length);
	memcpy(message + length, secret.data, secret.length);
	EVP_Digest(message, length + secret.length, reply + 4, &size, EVP_md5(), NULL);
	told = length;
	ck_assert_int_eq(radius_verify(reply, &told, request, &secret, false), RADIUS_BAD_AUTHENTICATOR);
}
END_TEST

START_TEST(rfc2865_s3_cut_packets_are_malformed)
{
	uint8_t whole[RADIUS_PACKET_MAX];
	size_t length = hex(telnet_accept, whole);

	ck_assert_uint_eq(radius_length(whole, length), length);
	ck_assert_uint_eq(radius_length(whole, length + 10), length); /* padding */
	for (size_t cut = 0; cut < length; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1); /* the sanitizer sees what is read behind it */

		memcpy(exact, whole, cut);
		ck_assert_uint_eq(radius_length(exact, cut), 0);
		free(exact);
	}
	whole[21] = 1;
	ck_assert_uint_eq(radius_length(whole, length), 0);
	whole[21] = 255;
	ck_assert_uint_eq(radius_length(whole, length), 0);
}
END_TEST

START_TEST(rfc2865_s5_26_vendor_attributes_come_one_by_one)
{
	uint8_t data[RADIUS_PACKET_MAX];
	struct radius_builder builder;
	struct radius_attribute a;

	radius_begin(&builder, data, sizeof(data), RADIUS_ACCESS_ACCEPT);
	radius_add_text(&builder, 18, "hello");
	radius_add_vendor(&builder, 14988, 8, "10M/10M", 7);
	radius_add(&builder, RADIUS_VENDOR_SPECIFIC, "\0\0\0\x09\x01\x04xy\x02\x03z", 11);
	radius_add(&builder, RADIUS_VENDOR_SPECIFIC, "\0\0\0\x09\x01\x09xy", 8); /* longer than it is */
	radius_add(&builder, RADIUS_VENDOR_SPECIFIC, "\0\0\0\x09", 4);
	size_t length = radius_end(&builder);
	ck_assert_uint_eq(radius_length(data, length), length);
	struct radius_cursor cursor = radius_attributes(data, length);
	static const struct {
		uint32_t vendor;
		uint8_t type, size;
		const char *value;
	} expected[] = {{0, 18, 5, "hello"}, {14988, 8, 7, "10M/10M"}, {9, 1, 2, "xy"},
			{9, 2, 1, "z"},      {0, 26, 8, "\0\0\0\x09"}, {0, 26, 4, "\0\0\0\x09"}};
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		ck_assert(radius_next(&cursor, &a));
		ck_assert_uint_eq(a.vendor, expected[i].vendor);
		ck_assert_uint_eq(a.type, expected[i].type);
		ck_assert_uint_eq(a.length, expected[i].size);
		ck_assert_mem_eq(a.value, expected[i].value, a.length < 4 ? a.length : 4);
	}
	ck_assert(!radius_next(&cursor, &a));
}
END_TEST

START_TEST(what_does_not_fit_is_told)
{
	uint8_t data[64], big[300] = {0};
	struct radius_builder builder;

	radius_begin(&builder, data, sizeof(data), RADIUS_ACCESS_REQUEST);
	radius_add(&builder, 1, big, 20);
	ck_assert_uint_eq(radius_end(&builder), 60);
	radius_add(&builder, 1, big, 3);
	ck_assert_uint_eq(radius_end(&builder), 0);
	uint8_t room[RADIUS_PACKET_MAX];
	radius_begin(&builder, room, sizeof(room), RADIUS_ACCESS_REQUEST);
	radius_add(&builder, 1, big, RADIUS_VALUE_MAX + 1);
	ck_assert_uint_eq(radius_end(&builder), 0);
	radius_begin(&builder, room, sizeof(room), RADIUS_ACCESS_REQUEST);
	radius_add_password(&builder, big, RADIUS_PASSWORD_MAX + 1);
	ck_assert_uint_eq(radius_end(&builder), 0);
	radius_begin(&builder, room, sizeof(room), RADIUS_ACCESS_REQUEST);
	radius_add_vendor(&builder, 9, 1, big, 248);
	ck_assert_uint_eq(radius_end(&builder), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("radius_packet");
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, rfc2865_s3_example_reply_is_genuine);
	tcase_add_test(tcase, rfc2865_s5_2_hidden_password_is_found_again);
	tcase_add_test(tcase, rfc1994_s4_1_rfc2865_s5_3_example_of_chap);
	tcase_add_test(tcase, a_request_goes_from_one_secret_to_another);
	tcase_add_test(tcase, rfc2866_s3_accounting_is_signed_in_its_header);
	tcase_add_test(tcase, rfc2865_s3_replies_are_judged);
	tcase_add_test(tcase, a_wrong_message_authenticator_is_refused);
	tcase_add_test(tcase, rfc2865_s3_cut_packets_are_malformed);
	tcase_add_test(tcase, rfc2865_s5_26_vendor_attributes_come_one_by_one);
	tcase_add_test(tcase, what_does_not_fit_is_told);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
