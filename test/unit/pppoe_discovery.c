/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Discovery packets and cookies: what is read, what is refused, what is written.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/pppoe/cookie.h"
#include "controld/pppoe/discovery.h"

#define SECOND 1000000000ull

/* Hexadecimal digits, blanks between them; memory of exactly that size. */
static uint8_t *bytes_of(const char *hex, size_t *length)
{
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
	unsigned byte;

	ck_assert_ptr_nonnull(bytes);
	for (*length = 0; *hex; hex += *hex == ' ' ? 1 : 2)
		if (*hex != ' ' && sscanf(hex, "%2x", &byte) == 1)
			bytes[(*length)++] = (uint8_t)byte;
	return realloc(bytes, *length ? *length : 1);
}

static uint8_t *packet_bytes;

static int parse(const char *hex, struct discovery *packet)
{
	size_t length;

	free(packet_bytes);
	packet_bytes = bytes_of(hex, &length);
	return discovery_parse(packet_bytes, length, packet);
}

static void ck_bytes(const struct pppoe_bytes *bytes, const char *text)
{
	ck_assert_ptr_nonnull(bytes->data);
	ck_assert_uint_eq(bytes->length, strlen(text));
	ck_assert(!memcmp(bytes->data, text, bytes->length));
}

START_TEST(rfc2516_s4_every_tag_is_read)
{
	struct discovery packet;

	ck_assert_int_eq(parse("11 19 0000 003d"
			       "0101 0003 6e6574"
			       "0103 0002 abcd"
			       "0110 0001 07"
			       "0104 0004 636f6f6b"
			       "0120 0002 05dc"
			       "0105 000f 00000de9 01 03 657468 02 04 6c696e65"
			       "0102 0002 6163"
			       "0000 0000",
			       &packet),
			 0);
	ck_assert_uint_eq(packet.code, PPPOE_PADR);
	ck_assert_uint_eq(packet.session, 0);
	ck_bytes(&packet.service, "net");
	ck_bytes(&packet.host_uniq, "\xab\xcd");
	ck_bytes(&packet.relay, "\x07");
	ck_bytes(&packet.cookie, "cook");
	ck_bytes(&packet.circuit_id, "eth");
	ck_bytes(&packet.remote_id, "line");
	ck_assert_uint_eq(packet.max_payload, 1500);
}
END_TEST

START_TEST(rfc2516_s4_nothing_is_read_behind_the_length)
{
	struct discovery packet;

	/* Ethernet's padding; an end of list; a session id. */
	ck_assert_int_eq(parse("11 09 0000 0004 0101 0000 0103 0001 41", &packet), 0);
	ck_assert(packet.service.data && !packet.service.length && !packet.host_uniq.data);
	ck_assert_int_eq(parse("11 09 0000 000c 0101 0000 0000 0000 0103 ffff", &packet), 0);
	ck_assert_ptr_null(packet.host_uniq.data);
	ck_assert_int_eq(parse("11 a7 1234 0000", &packet), 0);
	ck_assert_uint_eq(packet.session, 0x1234);
}
END_TEST

static const char *const malformed[] = {
	"",
	"11 09 0000 00",
	"12 09 0000 0000",
	"11 09 0000 0001",
	"11 09 0000 0003 010100",
	"11 09 0000 0004 0101 0001",
	"11 09 0000 0005 0101 0002 41",
	"11 09 0000 0008 0101 0000 0101 0000",                  /* two service names */
	"11 09 0000 000a 0103 0001 41 0103 0001 41",            /* two host-uniqs */
	"11 09 0000 0005 0120 0001 05",                         /* half a max payload */
	"11 09 0000 0007 0120 0003 0005dc",                     /* too much of it */
	"11 09 0000 0006 0105 0002 0000",                       /* no vendor */
	"11 09 0000 0009 0105 0005 00000de9 01",                /* half a sub-tag */
	"11 09 0000 000b 0105 0007 00000de9 01 02 41",          /* one that leads out */
	"11 09 0000 000e 0105 000a 00000de9 01 01 41 01 01 42", /* two circuits */
	"11 09 0000 0016 0105 0007 00000de9 02 01 41 0105 0007 00000de9 02 01 41",
};

START_TEST(rfc2516_s4_malformed_packets_are_refused)
{
	struct discovery packet;

	ck_assert_msg(parse(malformed[_i], &packet) == -EBADMSG, "%s", malformed[_i]);
}
END_TEST

START_TEST(other_vendors_say_what_they_like)
{
	struct discovery packet;

	ck_assert_int_eq(parse("11 09 0000 000d 0101 0000 0105 0005 00000001 ff", &packet), 0);
	ck_assert_ptr_null(packet.circuit_id.data);
}
END_TEST

/* A circuit id as long as RADIUS can say, and one longer. */
START_TEST(a_line_has_an_end)
{
	uint8_t data[600] = {0x11, 0x09, 0, 0, 0, 0, 0x01, 0x05, 0, 0, 0, 0, 0x0d, 0xe9, 1};
	struct discovery packet;

	for (unsigned length = 252; length <= 255; length++) {
		data[5 - 1] = (uint8_t)((length + 10) >> 8);
		data[5] = (uint8_t)(length + 10);
		data[8] = (uint8_t)((length + 6) >> 8);
		data[9] = (uint8_t)(length + 6);
		data[15] = (uint8_t)length;
		ck_assert_int_eq(discovery_parse(data, 16 + length, &packet),
				 length <= PPPOE_LINE_MAX ? 0 : -EBADMSG);
	}
}
END_TEST

START_TEST(what_is_written_is_read_again)
{
	uint8_t data[128];
	struct discovery_writer writer;
	struct discovery packet;
	const struct pppoe_bytes uniq = {(const uint8_t *)"uniq", 4}, none = {NULL, 0};

	discovery_begin(&writer, PPPOE_PADS, 0x4321, data, sizeof(data));
	discovery_put(&writer, PPPOE_TAG_SERVICE_NAME, "", 0);
	discovery_echo(&writer, PPPOE_TAG_HOST_UNIQ, &uniq);
	discovery_echo(&writer, PPPOE_TAG_RELAY_SESSION, &none);
	ck_assert_uint_eq(discovery_end(&writer), 6 + 4 + 8);
	ck_assert(!memcmp(data, "\x11\x65\x43\x21\x00\x0c\x01\x01\x00\x00\x01\x03\x00\x04uniq", 18));
	ck_assert_int_eq(discovery_parse(data, 18, &packet), 0);
	ck_bytes(&packet.host_uniq, "uniq");
}
END_TEST

START_TEST(what_does_not_fit_is_not_sent)
{
	static const uint8_t big[1480];
	uint8_t data[2000];
	struct discovery_writer writer;

	for (size_t size = 0; size < 30; size++) {
		discovery_begin(&writer, PPPOE_PADO, 0, data, size);
		if (size >= PPPOE_HEADER)
			discovery_put(&writer, PPPOE_TAG_AC_NAME, "0123456789", 10);
		ck_assert_uint_eq(discovery_end(&writer), size < 20 ? 0 : 20);
	}
	/* Never more than RFC 2516 allows, whatever there is room for. */
	discovery_begin(&writer, PPPOE_PADO, 0, data, sizeof(data));
	discovery_put(&writer, PPPOE_TAG_AC_NAME, big, 1480);
	ck_assert_uint_eq(discovery_end(&writer), 1490);
	discovery_put(&writer, PPPOE_TAG_AC_NAME, "", 0);
	ck_assert_uint_eq(discovery_end(&writer), 0);
}
END_TEST

/* ---- Cookies ---------------------------------------------------------------------------- */

static struct cookie_keys keys;
static const struct session_client client = {
	.interface = 3, .outer_vid = 100, .inner_vid = 7, .mac = {2, 0, 0, 0, 0, 9}};
static const struct pppoe_bytes internet = {(const uint8_t *)"internet", 8}, any = {NULL, 0};

static bool good(const struct session_client *whose, const struct pppoe_bytes *service, uint64_t now_ns,
		 const uint8_t cookie[static COOKIE_BYTES])
{
	const struct pppoe_bytes bytes = {cookie, COOKIE_BYTES};

	return cookie_is_good(&keys, whose, service, now_ns, &bytes);
}

static void new_keys(uint64_t now_ns)
{
	keys = (struct cookie_keys){.current = 2};
	cookie_keys_turn(&keys, now_ns);
}

START_TEST(a_cookie_is_good_for_its_client_for_a_while)
{
	uint64_t now = 5000 * SECOND;
	uint8_t cookie[COOKIE_BYTES];

	new_keys(now);
	cookie_make(&keys, &client, &internet, now, cookie);
	ck_assert(good(&client, &internet, now, cookie));
	ck_assert(good(&client, &internet, now + COOKIE_SECONDS * SECOND, cookie));
	ck_assert(!good(&client, &internet, now + (COOKIE_SECONDS + 1) * SECOND, cookie));
	ck_assert(!good(&client, &internet, now - SECOND, cookie));
}
END_TEST

START_TEST(it_is_good_for_nobody_else)
{
	uint8_t cookie[COOKIE_BYTES];
	struct session_client others[5] = {client, client, client, client, client};
	const struct pppoe_bytes service = {(const uint8_t *)"other", 5};

	new_keys(1);
	cookie_make(&keys, &client, &internet, 1, cookie);
	others[0].interface++;
	others[1].outer_vid++;
	others[2].inner_vid++;
	others[3].mac[0] ^= 4;
	others[4].mac[5]++;
	for (int i = 0; i < 5; i++)
		ck_assert_msg(!good(&others[i], &internet, 1, cookie), "%d", i);
	ck_assert(!good(&client, &service, 1, cookie));
	ck_assert(!good(&client, &any, 1, cookie));
	for (int i = 0; i < COOKIE_BYTES * 8; i++) {
		cookie[i / 8] ^= (uint8_t)(1 << i % 8);
		ck_assert_msg(!good(&client, &internet, 1, cookie), "bit %d", i);
		cookie[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	ck_assert(good(&client, &internet, 1, cookie));
}
END_TEST

/* Who asked for any service may choose one of those offered. */
START_TEST(any_service_is_each_service)
{
	uint8_t cookie[COOKIE_BYTES];
	const struct pppoe_bytes cut = {cookie, COOKIE_BYTES - 1}, none = {NULL, 0};

	new_keys(1);
	cookie_make(&keys, &client, &any, 1, cookie);
	ck_assert(good(&client, &internet, 1, cookie));
	ck_assert(good(&client, &any, 1, cookie));
	ck_assert(!cookie_is_good(&keys, &client, &any, 1, &cut));
	ck_assert(!cookie_is_good(&keys, &client, &any, 1, &none));
}
END_TEST

START_TEST(keys_turn_and_the_last_one_stays)
{
	uint64_t hour = COOKIE_KEY_SECONDS * SECOND;
	uint8_t cookie[COOKIE_BYTES], first[32];

	keys = (struct cookie_keys){.current = 2};
	ck_assert(!good(&client, &any, 1, cookie));
	new_keys(SECOND);
	memcpy(first, keys.key[keys.current], 32);
	cookie_keys_turn(&keys, hour);
	ck_assert(!memcmp(first, keys.key[keys.current], 32));
	cookie_make(&keys, &client, &any, hour, cookie);
	cookie_keys_turn(&keys, SECOND + hour);
	ck_assert(memcmp(first, keys.key[keys.current], 32));
	ck_assert(good(&client, &any, SECOND + hour, cookie));
	cookie_keys_turn(&keys, SECOND + 2 * hour);
	ck_assert(!good(&client, &any, SECOND + hour, cookie));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pppoe_discovery");
	TCase *packets = tcase_create("packets"), *cookies = tcase_create("cookies");

	tcase_add_test(packets, rfc2516_s4_every_tag_is_read);
	tcase_add_test(packets, rfc2516_s4_nothing_is_read_behind_the_length);
	tcase_add_loop_test(packets, rfc2516_s4_malformed_packets_are_refused, 0,
			    sizeof(malformed) / sizeof(malformed[0]));
	tcase_add_test(packets, other_vendors_say_what_they_like);
	tcase_add_test(packets, a_line_has_an_end);
	tcase_add_test(packets, what_is_written_is_read_again);
	tcase_add_test(packets, what_does_not_fit_is_not_sent);
	tcase_add_test(cookies, a_cookie_is_good_for_its_client_for_a_while);
	tcase_add_test(cookies, it_is_good_for_nobody_else);
	tcase_add_test(cookies, any_service_is_each_service);
	tcase_add_test(cookies, keys_turn_and_the_last_one_stays);
	suite_add_tcase(suite, packets);
	suite_add_tcase(suite, cookies);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(packet_bytes);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
