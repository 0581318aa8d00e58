/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Comparing what two objects do: frames, field by field, and what the bounds let pass;
 * and the configuration of both.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "controld/issu/golden.h"

#define IP_AT  14
#define UDP_AT 34

/* 192.0.2.1:53 from 203.0.113.1:4096, by UDP, "hi". Both checksums are right. */
static const uint8_t udp[] = {
	0x02, 0,    0,    0,  0, 1,  0x02, 0,    0,   0,  0,    2,    0x08, 0x00, /* Ethernet */
	0x45, 0,    0,    30, 0, 1,  0,    0,    63,  17, 0x7d, 0xcb, 203,  0,
	113,  1,    192,  0,  2, 1, /* IP */
	0x10, 0x00, 0x00, 53, 0, 10, 0xc7, 0x20, 'h', 'i'};

static struct frame frame_of(uint8_t bytes[static sizeof(udp)])
{
	memcpy(bytes, udp, sizeof(udp));
	return (struct frame){bytes, sizeof(udp)};
}

static uint16_t ones_sum(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Both checksums anew. */
static void make_right(uint8_t *bytes)
{
	put16(bytes + IP_AT + 10, 0);
	put16(bytes + IP_AT + 10, (uint16_t)~ones_sum(bytes + IP_AT, 20, 0));
	put16(bytes + UDP_AT + 6, 0);
	put16(bytes + UDP_AT + 6,
	      (uint16_t)~ones_sum(bytes + UDP_AT, 10, (uint32_t)ones_sum(bytes + IP_AT + 12, 8, 17 + 10)));
}

static const struct {
	size_t at;
	const char *field;
} fields[] = {
	{0, "ethernet"},
	{IP_AT + 1, "ip.header"},
	{IP_AT + 8, "ip.ttl"},
	{IP_AT + 11, "ip.checksum"},
	{IP_AT + 15, "ip.source"},
	{IP_AT + 19, "ip.destination"},
	{UDP_AT + 1, "l4.source_port"},
	{UDP_AT + 2, "l4.destination_port"},
	{UDP_AT + 7, "l4.checksum"},
	{UDP_AT + 9, "payload"},
};

static bool is_listed(const char *field)
{
	for (size_t i = 0; frame_fields[i]; i++)
		if (!strcmp(frame_fields[i], field))
			return true;
	return false;
}

START_TEST(a_difference_has_the_name_of_its_field)
{
	uint8_t a[sizeof(udp)], b[sizeof(udp)];
	struct frame old = frame_of(a), new = frame_of(b);

	ck_assert_ptr_null(frame_differs(&old, &new, false));
	b[fields[_i].at] ^= 1;
	ck_assert_str_eq(frame_differs(&old, &new, false), fields[_i].field);
	ck_assert(is_listed(fields[_i].field));
	new.length--;
	ck_assert_str_eq(frame_differs(&old, &new, false), "length");
}
END_TEST

START_TEST(another_public_end_is_no_difference_a_wrong_checksum_is)
{
	uint8_t a[sizeof(udp)], b[sizeof(udp)];
	struct frame old = frame_of(a), new = frame_of(b);
	uint32_t address_be;
	uint16_t port;

	make_right(a);
	b[IP_AT + 15] = 9;
	put16(b + UDP_AT, 5000);
	make_right(b);
	ck_assert(frame_source(&new, &address_be, &port));
	ck_assert(address_be == htonl(0xcb007109) && port == 5000);
	ck_assert_str_eq(frame_differs(&old, &new, false), "ip.checksum");
	ck_assert_ptr_null(frame_differs_beyond_source(&old, &new));
	b[IP_AT + 11] ^= 4;
	ck_assert_str_eq(frame_differs_beyond_source(&old, &new), "ip.checksum");
	b[IP_AT + 11] ^= 4;
	b[UDP_AT + 7] ^= 4;
	ck_assert_str_eq(frame_differs_beyond_source(&old, &new), "l4.checksum");
	a[UDP_AT + 7] ^= 4; /* wrong in both, by as much or not */
	a[UDP_AT + 9] = b[UDP_AT + 9] = 'o';
	b[IP_AT + 8]--;
	make_right(a);
	make_right(b);
	ck_assert_str_eq(frame_differs_beyond_source(&old, &new), "ip.ttl");
}
END_TEST

START_TEST(the_time_of_a_punt_does_not_count)
{
	uint8_t a[64] = {0}, b[64] = {0};
	const struct frame old = {a, sizeof(a)}, new = {b, sizeof(b)};

	b[offsetof(struct bng_punt, time_ns)] = 1;
	ck_assert_ptr_null(frame_differs(&old, &new, true));
	ck_assert_str_eq(frame_differs(&old, &new, false), "payload");
	b[offsetof(struct bng_punt, reason)] = 1;
	ck_assert_str_eq(frame_differs(&old, &new, true), "punt");
}
END_TEST

/* No length, wherever it is cut, reads beyond it. */
START_TEST(what_is_cut_is_still_described)
{
	uint8_t *cut = malloc(sizeof(udp));
	uint32_t address_be;
	uint16_t port;
	char text[96];

	for (uint32_t length = 0; length <= sizeof(udp); length++) {
		uint8_t *bytes = malloc(length ? length : 1);
		struct frame frame = {bytes, length}, other = {cut, length};

		memcpy(bytes, udp, length);
		memcpy(cut, udp, sizeof(udp));
		frame_describe(&frame, text, sizeof(text));
		frame_source(&frame, &address_be, &port);
		ck_assert_ptr_null(frame_differs_beyond_source(&frame, &other));
		free(bytes);
	}
	ck_assert_str_eq(text, "44 bytes, udp 203.0.113.1:4096 > 192.0.2.1:53");
	free(cut);
}
END_TEST

static const struct config_verify strict = {.time_ratio = 1.5};
static char reason[512];

START_TEST(what_differs_is_added_up_and_judged)
{
	struct verify_result result = {.log_ratio = 10 * log(1.499), .captured = 10};
	struct config_verify bounds = strict;
	json_t *allowed = json_pack("[s]", "forward_up>drop_ttl");

	ck_assert(verify_judge(&result, &bounds, NULL, reason, sizeof(reason)));
	difference_add(&result.differences, DIFFERENCE_VERDICT, "forward_up>drop_ttl", 2, "packet 1");
	difference_add(&result.differences, DIFFERENCE_VERDICT, "forward_up>drop_ttl", 3, "packet 2");
	difference_add(&result.differences, DIFFERENCE_VERDICT, "forward_up>pass_local", 1, "packet 3");
	ck_assert(!verify_judge(&result, &bounds, NULL, reason, sizeof(reason)));
	ck_assert_str_eq(reason, "6 runs of packets differ, /issu/verify/verdicts allows 0: most by verdict "
				 "forward_up>drop_ttl (5: packet 1)");
	ck_assert(!verify_judge(&result, &bounds, allowed, reason, sizeof(reason)));
	ck_assert_str_eq(reason, "1 runs of packets differ, /issu/verify/verdicts allows 0: most by verdict "
				 "forward_up>pass_local (1: packet 3)");
	bounds.verdicts = 1;
	ck_assert(verify_judge(&result, &bounds, allowed, reason, sizeof(reason)));
	ck_assert(!verify_judge(&result, &bounds, NULL, reason, sizeof(reason)));
	difference_add(&result.differences, DIFFERENCE_MAP, "alg", 7, "9 entries, not 2");
	ck_assert(!verify_judge(&result, &bounds, allowed, reason, sizeof(reason)));
	ck_assert_str_eq(reason,
			 "7 entries of maps differ, /issu/verify/map_effects allows 0: most by map alg "
			 "(7: 9 entries, not 2)");
	json_decref(allowed);
}
END_TEST

START_TEST(slower_is_told_by_the_ratio)
{
	struct verify_result result = {.log_ratio = 10 * log(1.501), .captured = 10};
	json_t *allowed = json_pack("[s]", "time");

	ck_assert(!verify_judge(&result, &strict, NULL, reason, sizeof(reason)));
	ck_assert_str_eq(reason,
			 "a packet takes 1.50 times as long as before, /issu/verify/time_ratio allows 1.5");
	ck_assert(verify_judge(&result, &strict, allowed, reason, sizeof(reason)));
	json_decref(allowed);
}
END_TEST

START_TEST(more_kinds_than_are_told_apart_never_pass)
{
	struct verify_result result = {0};
	struct config_verify bounds = strict;
	char name[16];

	bounds.verdicts = 1000;
	for (int i = 0; i < VERIFY_DIFFERENCES; i++) {
		snprintf(name, sizeof(name), "a>%d", i);
		difference_add(&result.differences, DIFFERENCE_VERDICT, name, 1, "");
	}
	ck_assert(verify_judge(&result, &bounds, NULL, reason, sizeof(reason)));
	difference_add(&result.differences, DIFFERENCE_VERDICT, "one more", 1, "");
	ck_assert(!verify_judge(&result, &bounds, NULL, reason, sizeof(reason)));
}
END_TEST

static int read_config(const char *issu, struct config **config, char error[static CONFIG_ERROR_TEXT])
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}, {\"name\": \"c\", \"role\": "
		 "\"core\"}]%s}",
		 issu);
	*config = NULL;
	return config_parse(text, strlen(text), "bng.json", config, error, CONFIG_ERROR_TEXT);
}

START_TEST(the_configuration_is_read_and_filled_in)
{
	char error[CONFIG_ERROR_TEXT];
	struct config *config;

	ck_assert_msg(!read_config("", &config, error), "%s", error);
	ck_assert(config->verify.enabled && config->verify.packets == 256 && config->verify.seconds == 2);
	ck_assert(!config->verify.verdicts && config->verify.time_ratio == 1.5);
	ck_assert_str_eq(config->verify.golden, "/usr/share/bng/golden");
	config_free(config);
	ck_assert_msg(
		!read_config(", \"issu\": {\"verify\": {\"enabled\": false, \"packets\": 9, \"seconds\": "
			     "0.5, \"verdicts\": 1, \"bytes\": 2, \"map_effects\": 3, \"time_ratio\": 4, "
			     "\"golden\": \"/g\"}}",
			     &config, error),
		"%s", error);
	ck_assert(!config->verify.enabled && config->verify.packets == 9 && config->verify.seconds == 0.5);
	ck_assert(config->verify.verdicts == 1 && config->verify.bytes == 2 &&
		  config->verify.map_effects == 3);
	ck_assert(config->verify.time_ratio == 4);
	ck_assert_str_eq(config->verify.golden, "/g");
	config_free(config);
}
END_TEST

static const struct {
	const char *verify, *expected;
} wrong[] = {
	{"\"packets\": 10001", "/issu/verify/packets: 10001: must be an integer 0-10000"},
	{"\"seconds\": -1", "/issu/verify/seconds: -1: must be a number 0-60"},
	{"\"time_ratio\": 0.5", "/issu/verify/time_ratio: 0.5: must be a number 1-100"},
	{"\"golden\": \"here\"",
	 "/issu/verify/golden: \"here\": must be a folder, its path from / on, of at most 255 bytes"},
	{"\"verdict\": 1", "/issu/verify/verdict: "},
};

START_TEST(every_error_names_its_place)
{
	char error[CONFIG_ERROR_TEXT], issu[256];
	struct config *config;

	snprintf(issu, sizeof(issu), ", \"issu\": {\"verify\": {%s}}", wrong[_i].verify);
	ck_assert_int_eq(read_config(issu, &config, error), -EINVAL);
	ck_assert_msg(strstr(error, wrong[_i].expected) != NULL, "expected %s, found %s", wrong[_i].expected,
		      error);
}
END_TEST

#define HEADER "\xd4\xc3\xb2\xa1\2\0\4\0\0\0\0\0\0\0\0\0\xff\xff\0\0\1\0\0\0"
#define RECORD                                                                                               \
	"\0\0\0\0\0\0\0\0\16\0\0\0\16\0\0\0"                                                                 \
	"fourteen bytes"
#define PACKET(verdict, set)                                                                                 \
	"{\"what\": \"w\", \"program\": \"core\", \"interface\": 3, \"verdict\": \"" verdict                 \
	"\", \"clock_ns\": 7, \"set\": " set "}"

static int parse_golden(const char *packets, size_t records, struct golden **golden, char error[static 512])
{
	const size_t record = sizeof(RECORD) - 1, header = sizeof(HEADER) - 1;
	char *capture = malloc(header + records * record), text[512];

	memcpy(capture, HEADER, header);
	for (size_t i = 0; i < records; i++)
		memcpy(capture + header + i * record, RECORD, record);
	snprintf(text, sizeof(text), "{\"world\": {}, \"packets\": [%s]}", packets);
	*golden = NULL;
	return golden_parse(strdup(text), strlen(text), capture, header + records * record, golden, error,
			    512);
}

START_TEST(golden_packets_are_read)
{
	struct golden *golden;
	char error[512] = "";

	ck_assert_msg(!parse_golden(PACKET("drop_ttl", "{\"pool\": {\"0\": \"01ff\"}}"), 1, &golden, error),
		      "%s", error);
	ck_assert_uint_eq(golden->count, 1);
	ck_assert(golden->packet[0].verdict == BNG_DROP_TTL && golden->packet[0].entry == WORLD_CORE);
	ck_assert(golden->packet[0].interface == 3 && golden->packet[0].clock_ns == 7);
	ck_assert_uint_eq(golden->packet[0].frame.length, 14);
	ck_assert_mem_eq(golden->packet[0].frame.bytes, "fourteen bytes", 14);
	golden_free(golden);
}
END_TEST

static const struct {
	const char *packets;
	size_t records;
	const char *expected;
} wrong_golden[] = {
	{PACKET("drop_all", "{}"), 1, "/packets/0/verdict: \"drop_all\": is not known here"},
	{PACKET("drop_ttl", "{\"pools\": {}}"), 1,
	 "/packets/0/set/pools: {}: must be an object with the entries of a map"},
	{PACKET("drop_ttl", "{\"pool\": {\"0\": \"0g\"}}"), 1,
	 "/packets/0/set/pool/0: \"0g\": must be bytes in hexadecimal, or null"},
	{PACKET("drop_ttl", "{}"), 0,
	 "/packets/0: missing: a whole frame of 14-2032 bytes for it in the pcap file"},
	{PACKET("drop_ttl", "{}"), 2, "/packets: missing: a packet for each frame of the pcap file"},
	{"7", 1, "/packets/0: 7: must be an object"},
};

START_TEST(an_error_in_golden_packets_names_its_place)
{
	struct golden *golden;
	char error[512] = "";

	ck_assert_int_eq(parse_golden(wrong_golden[_i].packets, wrong_golden[_i].records, &golden, error),
			 -EINVAL);
	ck_assert_ptr_null(golden);
	ck_assert_msg(strstr(error, wrong_golden[_i].expected) != NULL, "expected %s, found %s",
		      wrong_golden[_i].expected, error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verify");
	TCase *test = tcase_create("verify");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(test, a_difference_has_the_name_of_its_field, 0,
			    sizeof(fields) / sizeof(*fields));
	tcase_add_test(test, another_public_end_is_no_difference_a_wrong_checksum_is);
	tcase_add_test(test, the_time_of_a_punt_does_not_count);
	tcase_add_test(test, what_is_cut_is_still_described);
	tcase_add_test(test, what_differs_is_added_up_and_judged);
	tcase_add_test(test, slower_is_told_by_the_ratio);
	tcase_add_test(test, more_kinds_than_are_told_apart_never_pass);
	tcase_add_test(test, the_configuration_is_read_and_filled_in);
	tcase_add_loop_test(test, every_error_names_its_place, 0, sizeof(wrong) / sizeof(*wrong));
	tcase_add_test(test, golden_packets_are_read);
	tcase_add_loop_test(test, an_error_in_golden_packets_names_its_place, 0,
			    sizeof(wrong_golden) / sizeof(*wrong_golden));
	suite_add_tcase(suite, test);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
