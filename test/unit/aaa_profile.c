/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What attributes mean: each one of the table, each one in a form that makes no sense,
 * several that say the same, and what the configuration adds.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/radius/dictionary.h"
#include "controld/radius/profile.h"
#include "controld/radius/values.h"
#include "run.h"

static struct config *config;
static struct dictionary *dictionary;
static struct attribute_map map;
static struct profile_reading reading;
static uint8_t packet[RADIUS_PACKET_MAX];
static struct radius_builder builder;

static void configure(const char *aaa)
{
	char text[2048], error[CONFIG_ERROR_TEXT] = "";

	snprintf(text, sizeof(text),
		 "{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"gateways\": [{\"interface\": "
		 "\"a\", "
		 "\"address\": \"10.0.0.1\"}], \"dhcp4\": {\"pools\": [{\"name\": \"homes\", \"interfaces\": "
		 "[\"a\"], \"prefix\": \"10.0.0.0/24\", \"first\": \"10.0.0.10\", \"last\": \"10.0.0.99\", "
		 "\"router\": \"10.0.0.1\"}]}, \"cgnat\": {\"pools\": [{\"name\": \"gold\", \"prefixes\": "
		 "[\"203.0.113.0/29\"]}]}, \"filters\": {\"walled\": {\"default\": \"deny\"}, \"open\": "
		 "{\"default\": \"permit\"}}, \"aaa\": %s}",
		 aaa);
	config_free(config);
	attribute_map_done(&map);
	config = NULL;
	ck_assert_msg(!config_parse(text, strlen(text), "test", &config, error, sizeof(error)), "%s", error);
	ck_assert_msg(!attribute_map_build(&map, &config->aaa, dictionary, error, sizeof(error)), "%s",
		      error);
}

static void setup(void)
{
	char error[256];

	dictionary = dictionary_new();
	ck_assert_msg(!dictionary_load(dictionary, DICTIONARY, error, sizeof(error)), "%s", error);
	configure("{}");
	reading = (struct profile_reading){.wrong = 0};
	radius_begin(&builder, packet, sizeof(packet), RADIUS_ACCESS_ACCEPT);
}

static void teardown(void)
{
	profile_done(&reading.profile);
	attribute_map_done(&map);
	config_free(config);
	config = NULL;
	dictionary_free(dictionary);
}

/* What was built, read. */
static const struct session_profile *read_all(void)
{
	size_t length = radius_end(&builder);

	profile_done(&reading.profile);
	ck_assert_uint_gt(length, 0);
	ck_assert_int_eq(profile_read(&map, config, packet, radius_length(packet, length), &reading), 0);
	return &reading.profile;
}

static void add_bytes(uint32_t vendor, uint8_t type, const void *value, size_t length)
{
	if (vendor)
		radius_add_vendor(&builder, vendor, type, value, length);
	else
		radius_add(&builder, type, value, length);
}

static void add_text(uint32_t vendor, uint8_t type, const char *text)
{
	add_bytes(vendor, type, text, strlen(text));
}

static void add_number(uint32_t vendor, uint8_t type, uint32_t number)
{
	uint32_t number_be = htonl(number);

	add_bytes(vendor, type, &number_be, sizeof(number_be));
}

/* ---- One attribute each, and what it is as JSON ------------------------------------------ */

struct good {
	uint32_t vendor;
	uint8_t type;
	const char *text; /* or a number */
	uint32_t number;
	const char *json; /* of the profile */
};

#define BITS(member, bits, burst) "{\"" member "\": {\"bits_s\": " bits ", \"burst_bytes\": " burst "}}"
#define BOTH(up, up_burst, down, down_burst)                                                                 \
	"{\"up\": {\"bits_s\": " up ", \"burst_bytes\": " up_burst "}, \"down\": {\"bits_s\": " down         \
	", \"burst_bytes\": " down_burst "}}"

static const struct good goods[] = {
	{0, 1, "nemo", 0, "{\"user\": \"nemo\"}"},
	{0, 8, NULL, 0x0a000007, "{\"address\": \"10.0.0.7\"}"},
	{0, 8, NULL, 0xfffffffe, "{}"},
	{0, 8, NULL, 0xffffffff, "{}"},
	{0, 11, "walled", 0, "{\"filter\": \"walled\"}"},
	{0, 22, "10.1.0.0/24 0.0.0.0 1", 0, "{\"routes\": [\"10.1.0.0/24\"]}"},
	{0, 22, "10.1.0.0/24", 0, "{\"routes\": [\"10.1.0.0/24\"]}"},
	{0, 22, "172.16.0.0 0.0.0.0 1 2 -1x", 0, NULL},
	{0, 22, "172.16.0.0 0.0.0.0 1 2 3", 0, "{\"routes\": [\"172.16.0.0/16\"]}"},
	{0, 22, "192.0.2.0 0.0.0.0", 0, "{\"routes\": [\"192.0.2.0/24\"]}"},
	{0, 27, NULL, 3600, "{\"session_timeout_s\": 3600}"},
	{0, 28, NULL, 600, "{\"idle_timeout_s\": 600}"},
	{0, 85, NULL, 300, "{\"interim_s\": 300}"},
	{0, 88, "homes", 0, "{\"pool\": \"homes\"}"},
	{9, 1, "sub:Ingress-Committed-Data-Rate=5000000", 0, BITS("up", "5000000", "0")},
	{9, 1, "sub:egress-committed-data-rate=7000000", 0, BITS("down", "7000000", "0")},
	{9, 1, "ip:sub-qos-policy-in=10M", 0, BITS("up", "10000000", "0")},
	{9, 1, "ip:sub-qos-policy-out=gold-policy", 0, "{}"},
	{9, 1, "ip:addr-pool=homes", 0, "{\"pool\": \"homes\"}"},
	{9, 1, "ip:dns-servers=192.0.2.1 192.0.2.2", 0, "{\"dns\": [\"192.0.2.1\", \"192.0.2.2\"]}"},
	{9, 1,
	 "lcp:interface-config#1=rate-limit input 2000000 8000 8000 conform-action transmit exceed-action "
	 "drop",
	 0, BITS("up", "2000000", "8000")},
	{9, 1,
	 "lcp:interface-config=rate-limit output access-group 102 128000 4000 8000 conform-action transmit",
	 0, BITS("down", "128000", "4000")},
	{9, 1, "lcp:interface-config#2=ip vrf forwarding X", 0, "{}"},
	{9, 1, "h323-something", 0, "{}"},
	{311, 28, NULL, 0xc0000235, "{\"dns\": [\"192.0.2.53\"]}"},
	{311, 29, NULL, 0xc0000236, "{\"dns\": [\"192.0.2.54\"]}"},
	{529, 135, NULL, 0xc0000235, "{\"dns\": [\"192.0.2.53\"]}"},
	{529, 136, NULL, 0xc0000236, "{\"dns\": [\"192.0.2.54\"]}"},
	{2011, 2, NULL, 512000, BITS("up", "512000", "0")},
	{2011, 5, NULL, 512000, BITS("down", "512000", "0")},
	{2011, 135, NULL, 0xc0000235, "{\"dns\": [\"192.0.2.53\"]}"},
	{2011, 136, NULL, 0xc0000235, "{\"dns\": [\"192.0.2.53\"]}"},
	{4874, 2, "homes", 0, "{\"pool\": \"homes\"}"},
	{4874, 4, NULL, 0xc0000235, "{\"dns\": [\"192.0.2.53\"]}"},
	{4874, 5, NULL, 0xc0000235, "{\"dns\": [\"192.0.2.53\"]}"},
	{14122, 7, NULL, 1000000, BITS("up", "1000000", "0")},
	{14122, 8, NULL, 2000000, BITS("down", "2000000", "0")},
	{14988, 8, "10M/20M", 0, BOTH("10000000", "0", "20000000", "0")},
	{14988, 8, "512k", 0, BOTH("512000", "0", "512000", "0")},
	{14988, 8, "1G/0", 0, BOTH("1000000000", "0", "0", "0")},
	/* Half of what 20M is above 10M, for 16 s: (20M - 10M) / 20M * 8M * 16 / 8 */
	{14988, 8, "10M/10M 20M/10M 8M/8M 16/16 8 1M/1M", 0, BOTH("10000000", "8000000", "10000000", "0")},
	{14988, 8, "10M/10M 0/0 0/0 0s/0s", 0, BOTH("10000000", "0", "10000000", "0")},
	{32473, 1, NULL, 10000, BITS("up", "10000000", "0")},
	{32473, 2, NULL, 4294967295, BITS("down", "4294967295000", "0")},
	{32473, 3, "gold", 0, "{\"nat_pool\": \"gold\"}"},
	{32473, 3, "", 0, "{\"nat_pool\": \"\"}"},
	{32473, 4, NULL, 8, "{\"max_blocks\": 8}"},
	{32473, 5, NULL, 65536, "{\"max_mappings\": 65536}"},
	{32473, 6, NULL, 1400, "{}"},
	{0, 4, NULL, 7, "{}"},
};

START_TEST(each_attribute_has_its_meaning)
{
	const struct good *row = &goods[_i];
	char error[256] = "";

	if (row->text)
		add_text(row->vendor, row->type, row->text);
	else
		add_number(row->vendor, row->type, row->number);
	read_all();
	if (!row->json) {
		ck_assert_uint_eq(reading.wrong, 1);
		return;
	}
	json_t *expected = json_loads(row->json, 0, NULL), *found = profile_json(&reading.profile);
	char *text = json_dumps(found, JSON_COMPACT);
	ck_assert_ptr_nonnull(expected);
	snprintf(error, sizeof(error), "%s, %s", text, reading.trouble);
	ck_assert_msg(json_equal(expected, found) && !reading.wrong, "%s, expected %s", error, row->json);
	free(text);
	json_decref(expected);
	json_decref(found);
}
END_TEST

/* ---- What makes no sense ----------------------------------------------------------------- */

static const struct {
	uint32_t vendor;
	uint8_t type;
	const char *bytes;
	size_t length;
	const char *trouble;
} wrong[] = {
#define ROW(vendor, type, bytes, trouble)                                                                    \
	{                                                                                                    \
		vendor, type, bytes, sizeof(bytes) - 1, trouble                                              \
	}
	ROW(0, 1, "", "User-Name: \"\": must be a name"),
	ROW(0, 1, "a\0b", "User-Name: 0x610062: must be text"),
	ROW(0, 1, "a\nb", "User-Name: 0x610a62: must be text"),
	ROW(0, 8, "\x0a\0\0", "Framed-IP-Address: 0x0a0000: must be an IPv4 address"),
	ROW(0, 8, "\0\0\0\0", "Framed-IP-Address: 0x00000000: must be a unicast address"),
	ROW(0, 8, "\xe0\0\0\1", "Framed-IP-Address: 0xe0000001: must be a unicast address"),
	ROW(0, 8, "\x7f\0\0\1", "Framed-IP-Address: 0x7f000001: must be a unicast address"),
	ROW(0, 11, "a,b", "Filter-Id: \"a,b\": must be the name of one of /filters"),
	ROW(0, 11, "walled.in", "Filter-Id: \"walled.in\": must be the name of one of /filters"),
	ROW(0, 11, "", "Filter-Id: \"\": must be the name of one of /filters"),
	ROW(0, 22, "10.1.0.1/24 0.0.0.0", "Framed-Route: \"10.1.0.1/24 0.0.0.0\": must be a route"),
	ROW(0, 22, "10.1.0.0/33", "Framed-Route: \"10.1.0.0/33\": must be a route"),
	ROW(0, 22, "0.0.0.0/0 0.0.0.0 1", "Framed-Route: "),
	ROW(0, 22, "224.0.0.0/8", "Framed-Route: "),
	ROW(0, 22, "", "Framed-Route: "),
	ROW(0, 22, "10.1.0.0/24 gateway", "Framed-Route: "),
	ROW(0, 22, "10.1.0.0/24 10.0.0.9 1", "route 1: its gateway must be 0.0.0.0 or the Framed-IP-Address"),
	ROW(0, 27, "\1\2\3\4\5\6\7\x08\x09", "Session-Timeout: "),
	ROW(0, 27, "", "Session-Timeout: 0x: must be a number of seconds"),
	ROW(0, 27, "\1\0\0\0\0", "Session-Timeout: 0x0100000000: must be a number of seconds"),
	ROW(0, 88, "nowhere", "Framed-Pool: \"nowhere\": must be the name of a configured address pool"),
	ROW(0, 88, "a-name-that-is-much-too-long-for-a-pool-of-ours", "Framed-Pool: "),
	ROW(0, 123, "\0\x40\x20\1\x0d", "Delegated-IPv6-Prefix: 0x004020010d: must be an IPv6 prefix"),
	ROW(0, 123, "\0\x81", "Delegated-IPv6-Prefix: "),
	ROW(0, 123, "\0\x10\x20\1\x0d",
	    "Delegated-IPv6-Prefix: 0x001020010d: must be an IPv6 prefix, no bits"),
	ROW(9, 1, "sub:Ingress-Committed-Data-Rate=fast", "Cisco-AVPair: "),
	ROW(9, 1, "ip:addr-pool=nowhere", "Cisco-AVPair: "),
	ROW(9, 1, "ip:dns-servers=224.0.0.1", "Cisco-AVPair: "),
	ROW(9, 1, "lcp:interface-config#1=rate-limit sideways 1 2", "Cisco-AVPair: "),
	ROW(9, 1, "lcp:interface-config#1=rate-limit input", "Cisco-AVPair: "),
	ROW(9, 1, "lcp:interface-config#1=rate-limit input 1M x", "Cisco-AVPair: "),
	ROW(311, 28, "\0\0\0\0", "MS-Primary-DNS-Server: 0x00000000: must be a unicast address"),
	ROW(14988, 8, "10M/", "Mikrotik-Rate-Limit: \"10M/\": must be \"up/down\""),
	ROW(14988, 8, "10MB", "Mikrotik-Rate-Limit: "),
	ROW(14988, 8, "10M/10M 20M/x", "Mikrotik-Rate-Limit: "),
	ROW(14988, 8, " ", "Mikrotik-Rate-Limit: "),
	ROW(14988, 8, "99999999999999999999", "Mikrotik-Rate-Limit: "),
	ROW(32473, 1, "", "Holdfast-Rate-Up: 0x: must be a rate"),
	ROW(32473, 1, "\xff\xff\xff\xff\xff\xff\xff\xff", "Holdfast-Rate-Up: "),
	ROW(32473, 3, "silver", "Holdfast-NAT-Pool: \"silver\": must be the name of one of /cgnat/pools"),
	ROW(32473, 4, "\0\0\0\x09", "Holdfast-Max-Blocks: 0x00000009: must be a number 0-8"),
	ROW(32473, 5, "\0\1\0\1", "Holdfast-Max-Mappings: 0x00010001: must be a number 0-65536"),
#undef ROW
};

START_TEST(a_value_without_sense_is_left_out_and_told)
{
	add_bytes(wrong[_i].vendor, wrong[_i].type, wrong[_i].bytes, wrong[_i].length);
	add_number(0, 28, 60);
	read_all();
	ck_assert_msg(!strncmp(reading.trouble, wrong[_i].trouble, strlen(wrong[_i].trouble)),
		      "\"%s\", not \"%s\"", reading.trouble, wrong[_i].trouble);
	ck_assert_uint_eq(reading.wrong, 1);
	ck_assert_uint_eq(reading.profile.given, PROFILE_IDLE_TIMEOUT);
}
END_TEST

/* ---- Several ------------------------------------------------------------------------------- */

START_TEST(ours_goes_before_others_in_any_order)
{
	add_text(14988, 8, "1M/2M");
	add_number(32473, 1, 5000);
	add_number(14122, 7, 77);
	add_number(14122, 8, 88);
	const struct session_profile *profile = read_all();
	ck_assert_uint_eq(profile->up.bits_s, 5000000);
	ck_assert_uint_eq(profile->down.bits_s, 2000000);
	radius_begin(&builder, packet, sizeof(packet), RADIUS_ACCESS_ACCEPT);
	add_number(32473, 1, 5000);
	add_number(32473, 10, 15000);
	add_text(14988, 8, "1M/2M");
	profile = read_all();
	ck_assert_uint_eq(profile->up.bits_s, 5000000);
	ck_assert_uint_eq(profile->up.burst_bytes, 15000);
	ck_assert_uint_eq(profile->down.bits_s, 2000000);
	ck_assert_uint_eq(reading.wrong, 0);
}
END_TEST

START_TEST(what_may_be_there_several_times_adds_up)
{
	uint8_t class[2][253];

	memset(class, 0xc1, sizeof(class));
	add_number(0, 8, 0x0a000007);
	add_text(0, 22, "10.1.0.0/24 10.0.0.7");
	add_text(0, 22, "10.2.0.0/24 10.0.0.8");
	add_text(0, 22, "10.3.0.0/24 0.0.0.0");
	add_text(0, 11, "walled");
	add_text(0, 11, "walled");
	add_bytes(0, 25, class[0], 253);
	add_bytes(0, 25, "\0x", 2);
	add_number(311, 28, 0xc0000201);
	add_number(311, 29, 0xc0000202);
	add_number(0, 27, 10);
	add_number(0, 27, 20);
	const struct session_profile *profile = read_all();
	ck_assert_uint_eq(reading.wrong, 1); /* the second route leads elsewhere */
	ck_assert_uint_eq(profile->route_count, 2);
	ck_assert_uint_eq(ntohl(profile->route[0].first_be), 0x0a010000);
	ck_assert_uint_eq(ntohl(profile->route[1].first_be), 0x0a030000);
	ck_assert_str_eq(profile->filter, "walled");
	ck_assert_uint_eq(profile->class_length, 254 + 3);
	ck_assert(profile->class[0] == 253 && profile->class[254] == 2 &&
		  !memcmp(profile->class + 255, "\0x", 2));
	ck_assert_uint_eq(ntohl(profile->dns_be[0]), 0xc0000201);
	ck_assert_uint_eq(ntohl(profile->dns_be[1]), 0xc0000202);
	ck_assert_uint_eq(profile->session_timeout_s, 10);
}
END_TEST

START_TEST(what_there_is_no_room_for_is_counted)
{
	uint8_t class[253] = {0};
	char route[32];

	for (int i = 0; i < 5; i++)
		add_bytes(0, 25, class, sizeof(class));
	for (int i = 0; i < 10; i++) {
		snprintf(route, sizeof(route), "10.%d.0.0/16", i);
		add_text(0, 22, route);
	}
	add_text(0, 11, "walled");
	add_text(0, 11, "open");
	const struct session_profile *profile = read_all();
	ck_assert_uint_eq(profile->class_length, 4 * 254);
	ck_assert_uint_eq(profile->route_count, PROFILE_ROUTES);
	ck_assert_str_eq(profile->filter, "walled");
	ck_assert_uint_eq(reading.unknown_filters, 1); /* of two, one would be none */
	ck_assert_uint_eq(reading.wrong, 1 + 2 + 1);
	ck_assert_str_eq(reading.trouble,
			 "Class: 0x0000000000000000000000000000000000000000: must be part of at most "
			 "1024 bytes");
}
END_TEST

START_TEST(a_delegated_prefix_is_read)
{
	add_bytes(0, 123, "\0\x38\x20\1\x0d\xb8\0\1\2", 9);
	const struct session_profile *profile = read_all();
	json_t *json = profile_json(profile);

	ck_assert_uint_eq(profile->given, PROFILE_DELEGATED_PREFIX);
	ck_assert_str_eq(json_string_value(json_object_get(json, "delegated_prefix")), "2001:db8:1:200::/56");
	json_decref(json);
}
END_TEST

START_TEST(the_configuration_adds_and_takes_away)
{
	configure("{\"attributes\": [{\"attribute\": \"mikrotik-rate-limit\", \"field\": \"nothing\"}, "
		  "{\"attribute\": \"Attr-26.4711.9\", \"field\": \"rate_down\", \"scale\": 8}, "
		  "{\"attribute\": \"Attr-230\", \"field\": \"rates\"}, "
		  "{\"attribute\": \"Reply-Message\", \"field\": \"session_timeout\", \"scale\": 60}]}");
	add_text(14988, 8, "1M/2M");
	add_number(32473, 2, 1);
	add_number(4711, 9, 1000);
	add_text(0, 230, "3M/4M");
	add_text(0, 18, "30");
	const struct session_profile *profile = read_all();
	ck_assert_uint_eq(reading.wrong, 0);
	ck_assert_uint_eq(profile->down.bits_s, 8000);
	ck_assert_uint_eq(profile->up.bits_s, 3000000);
	ck_assert_uint_eq(profile->session_timeout_s, 1800);
	ck_assert_uint_eq(attribute_fields(attribute_find(&map, 0, 230)),
			  PROFILE_RATE_UP | PROFILE_RATE_DOWN);
	ck_assert_uint_eq(attribute_fields(attribute_find(&map, 14988, 8)), 0);
	ck_assert_ptr_null(attribute_find(&map, 0, 231));
}
END_TEST

START_TEST(names_that_are_not_known_are_refused)
{
	struct attribute_map other;
	char error[CONFIG_ERROR_TEXT] = "";

	config_free(config);
	config = NULL;
	const char *text =
		"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"aaa\": {\"attributes\": "
		"[{\"attribute\": \"Framed-Pool\", \"field\": \"filter\"}, {\"attribute\": \"Attr-0\", "
		"\"field\": \"filter\"}]}}";
	ck_assert(!config_parse(text, strlen(text), "test", &config, error, sizeof(error)));
	ck_assert_int_eq(attribute_map_build(&other, &config->aaa, dictionary, error, sizeof(error)),
			 -EINVAL);
	ck_assert_str_eq(
		error,
		"/aaa/attributes/1/attribute: \"Attr-0\": must be a name of the dictionary, or numbers "
		"such as \"Attr-26.14988.8\"");
	ck_assert_uint_eq(other.count, 1);
	attribute_map_done(&other);
}
END_TEST

START_TEST(every_built_in_name_is_in_our_dictionary)
{
	for (uint32_t vendor = 0; vendor < 40000; vendor++)
		for (unsigned type = 1; type < 256; type++) {
			const struct attribute_row *row = attribute_find(&map, vendor, (uint8_t)type);
			struct radius_attribute attribute = {vendor, (uint8_t)type, 0, packet};

			if (!row)
				continue;
			json_t *said = dictionary_describe(dictionary, &attribute);
			ck_assert_str_eq(json_string_value(json_object_get(said, "name")), row->name);
			json_decref(said);
		}
}
END_TEST

START_TEST(messages_are_joined_and_printable)
{
	char text[16];
	size_t length;

	add_text(0, 18, "hello ");
	add_text(0, 18, "wor\nld, and more");
	length = radius_end(&builder);
	profile_message(packet, length, text, sizeof(text));
	ck_assert_str_eq(text, "hello wor?ld, a");
	radius_begin(&builder, packet, sizeof(packet), RADIUS_ACCESS_ACCEPT);
	profile_message(packet, radius_end(&builder), text, sizeof(text));
	ck_assert_str_eq(text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("aaa_profile");
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, each_attribute_has_its_meaning, 0, sizeof(goods) / sizeof(goods[0]));
	tcase_add_loop_test(tcase, a_value_without_sense_is_left_out_and_told, 0,
			    sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tcase, ours_goes_before_others_in_any_order);
	tcase_add_test(tcase, what_may_be_there_several_times_adds_up);
	tcase_add_test(tcase, what_there_is_no_room_for_is_counted);
	tcase_add_test(tcase, a_delegated_prefix_is_read);
	tcase_add_test(tcase, the_configuration_adds_and_takes_away);
	tcase_add_test(tcase, names_that_are_not_known_are_refused);
	tcase_add_test(tcase, every_built_in_name_is_in_our_dictionary);
	tcase_add_test(tcase, messages_are_joined_and_printable);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
