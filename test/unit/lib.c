/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/: addresses, time, and JSON members with errors that name their place.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "run.h"
#include "test/unit/capture.h"

START_TEST(address_round_trip)
{
	uint32_t address_be = 0;
	char text[ADDRESS_TEXT];
	ck_assert_int_eq(address_parse("203.0.113.20", &address_be), 0);
	ck_assert_uint_eq(ntohl(address_be), 0xcb007114);
	ck_assert_str_eq(address_format(address_be, text), "203.0.113.20");
	ck_assert_str_eq(address_format(UINT32_MAX, text), "255.255.255.255");
}
END_TEST

static const char *const bad_addresses[] = {
	"",         "1",        "1.2.3",    "1.2.3.4.5", "1.2.3.256",
	"01.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.x",   "0x1.2.3.4",
};

START_TEST(address_refused)
{
	uint32_t address_be = 7;
	ck_assert_int_eq(address_parse(bad_addresses[_i], &address_be), -EINVAL);
	ck_assert_uint_eq(address_be, 7);
}
END_TEST

static const struct {
	const char *text;
	uint32_t first, last;
	unsigned length;
} prefixes[] = {
	{"10.0.0.0/16", 0x0a000000, 0x0a00ffff, 16},
	{"0.0.0.0/0", 0, 0xffffffff, 0},
	{"192.0.2.1/32", 0xc0000201, 0xc0000201, 32},
	{"192.0.2.0/31", 0xc0000200, 0xc0000201, 31},
};

START_TEST(prefix_parsed)
{
	uint32_t first, last;
	unsigned length;
	ck_assert_int_eq(prefix_parse(prefixes[_i].text, &first, &last, &length), 0);
	ck_assert_uint_eq(first, prefixes[_i].first);
	ck_assert_uint_eq(last, prefixes[_i].last);
	ck_assert_uint_eq(length, prefixes[_i].length);
}
END_TEST

static const char *const bad_prefixes[] = {
	"10.0.0.0",
	"10.0.0.0/",
	"10.0.0.0/33",
	"10.0.0.0/-1",
	"10.0.0.0/016",
	"10.0.0.1/16",
	"10.0.0.0/16 ",
	"10.0.0/16",
	"/8",
	"10.0.0.0/00",
	"10.0.0.0/+8",
	"255.255.255.2555/32",
	"10.0.0.0/99999999999999999999",
};

START_TEST(prefix_refused)
{
	uint32_t first = 1, last = 2;
	unsigned length = 3;
	ck_assert_int_eq(prefix_parse(bad_prefixes[_i], &first, &last, &length), -EINVAL);
	ck_assert(first == 1 && last == 2 && length == 3);
}
END_TEST

START_TEST(mac_round_trip)
{
	uint8_t mac[6] = {0};
	char text[MAC_TEXT];
	ck_assert_int_eq(mac_parse("02:00:5E:00:53:aF", mac), 0);
	ck_assert_mem_eq(mac, "\x02\x00\x5e\x00\x53\xaf", 6);
	ck_assert_str_eq(mac_format(mac, text), "02:00:5e:00:53:af");
	ck_assert_int_eq(mac_parse("02:00:5e:00:53", mac), -EINVAL);
	ck_assert_int_eq(mac_parse("02-00-5e-00-53-af", mac), -EINVAL);
	ck_assert_int_eq(mac_parse("02:00:5e:00:53:ag", mac), -EINVAL);
	ck_assert_int_eq(mac_parse("02:00:5e:00:53:af:", mac), -EINVAL);
	ck_assert_mem_eq(mac, "\x02\x00\x5e\x00\x53\xaf", 6);
}
END_TEST

START_TEST(clock_text)
{
	char now[CLOCK_TEXT], later[CLOCK_TEXT];
	uint64_t instant = clock_boottime_ns();
	clock_format(instant, now);
	clock_format(instant + 3600ULL * 1000000000ULL, later);
	ck_assert_uint_eq(strlen(now), strlen("2026-11-20T10:00:00.123Z"));
	ck_assert_int_eq(now[10], 'T');
	ck_assert_int_eq(now[23], 'Z');
	ck_assert_str_gt(later, now);
	ck_assert_str_eq(now + 13 + 1 + 2, later + 13 + 1 + 2);
}
END_TEST

START_TEST(json_error_names_place)
{
	json_t *document =
		json_loads("{\"pools\":[{\"prefix\":\"203.0.113.0/33\",\"size\":70000}]}", 0, NULL);
	struct json_reader reader;
	json_reader_init(&reader);
	json_t *pools = json_enter(&reader, document, "pools");
	json_t *pool = json_enter_index(&reader, pools, 0);
	ck_assert_str_eq(json_read_string(&reader, pool, "prefix"), "203.0.113.0/33");
	ck_assert(json_reader_ok(&reader));
	json_t *prefix = json_enter(&reader, pool, "prefix");
	json_reader_fail(&reader, prefix, "prefix length must be %d-%d", 0, 32);
	json_leave(&reader);
	ck_assert_str_eq(reader.error, "/pools/0/prefix: \"203.0.113.0/33\": prefix length must be 0-32");
	ck_assert_int_eq(json_read_integer(&reader, pool, "size", 1, 4096), 1);
	ck_assert_str_eq(json_read_string(&reader, pool, "prefix"), "");
	json_leave(&reader);
	json_leave(&reader);
	ck_assert_str_eq(reader.pointer, "");
	json_decref(document);
}
END_TEST

static const struct {
	const char *document;
	const char *error;
} integers[] = {
	{"{\"a\":5}", ""},
	{"{\"a\":11}", "/a: 11: must be an integer 0-10"},
	{"{\"a\":-1}", "/a: -1: must be an integer 0-10"},
	{"{\"a\":5.0}", "/a: 5.0: must be an integer 0-10"},
	{"{\"a\":\"5\"}", "/a: \"5\": must be an integer 0-10"},
	{"{\"a\":null}", "/a: null: must be an integer 0-10"},
	{"{}", "/a: missing: must be given"},
	{"[]", "/: []: must be an object"},
};

START_TEST(json_integer_in_range)
{
	json_t *document = json_loads(integers[_i].document, 0, NULL);
	struct json_reader reader;
	json_reader_init(&reader);
	int64_t value = json_read_integer(&reader, document, "a", 0, 10);
	ck_assert_str_eq(reader.error, integers[_i].error);
	ck_assert_int_eq(value, integers[_i].error[0] ? 0 : 5);
	json_decref(document);
}
END_TEST

START_TEST(json_optional)
{
	json_t *document = json_loads("{\"yes\":true,\"text\":\"t\",\"n\":3,\"wrong\":1}", 0, NULL);
	struct json_reader reader;
	json_reader_init(&reader);
	ck_assert(json_read_bool_or(&reader, document, "yes", false));
	ck_assert(json_read_bool_or(&reader, document, "absent", true));
	ck_assert_str_eq(json_read_string_or(&reader, document, "text", "f"), "t");
	ck_assert_str_eq(json_read_string_or(&reader, document, "absent", "f"), "f");
	ck_assert_int_eq(json_read_integer_or(&reader, document, "n", 0, 9, 4), 3);
	ck_assert_int_eq(json_read_integer_or(&reader, document, "absent", 0, 9, 4), 4);
	ck_assert(json_reader_ok(&reader));
	json_read_bool_or(&reader, document, "wrong", false);
	ck_assert_str_eq(reader.error, "/wrong: 1: must be true or false");
	json_decref(document);
}
END_TEST

START_TEST(json_unknown_member)
{
	static const char *const known[] = {"name", "role", NULL};
	json_t *document = json_loads("{\"name\":1,\"rôle/x~\":2}", 0, NULL);
	struct json_reader reader;
	json_reader_init(&reader);
	json_read_only(&reader, document, known);
	ck_assert_str_eq(reader.error, "/rôle~1x~0: 2: unknown; known here: name, role");
	json_decref(document);
}
END_TEST

START_TEST(json_deep_pointer)
{
	struct json_reader reader;
	char name[100];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	json_reader_init(&reader);
	for (int i = 0; i < 10; i++)
		json_enter(&reader, NULL, name);
	json_enter(&reader, NULL, "x");
	ck_assert_uint_eq(strlen(reader.pointer), 200);
	for (int i = 0; i < 11; i++)
		json_leave(&reader);
	ck_assert_str_eq(reader.pointer, "");
	json_leave(&reader);
	ck_assert_str_eq(reader.pointer, "");
}
END_TEST

START_TEST(log_is_one_line)
{
	const char *text;

	capture_begin(STDERR_FILENO);
	log_init("test", LOG_LEVEL_INFO);
	log_debug("not written");
	log_info("one\ntwo %d", 3);
	text = capture_end();
	ck_assert(strchr(text, ' '));
	ck_assert_str_eq(strchr(text, ' '), " test: one two 3\n");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib");
	TCase *tests = tcase_create("lib");
	tcase_add_test(tests, address_round_trip);
	tcase_add_loop_test(tests, address_refused, 0, sizeof(bad_addresses) / sizeof(*bad_addresses));
	tcase_add_loop_test(tests, prefix_parsed, 0, sizeof(prefixes) / sizeof(*prefixes));
	tcase_add_loop_test(tests, prefix_refused, 0, sizeof(bad_prefixes) / sizeof(*bad_prefixes));
	tcase_add_test(tests, mac_round_trip);
	tcase_add_test(tests, clock_text);
	tcase_add_test(tests, json_error_names_place);
	tcase_add_loop_test(tests, json_integer_in_range, 0, sizeof(integers) / sizeof(*integers));
	tcase_add_test(tests, json_optional);
	tcase_add_test(tests, json_unknown_member);
	tcase_add_test(tests, json_deep_pointer);
	tcase_add_test(tests, log_is_one_line);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
