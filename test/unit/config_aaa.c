/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * /aaa: what is read, what is there without it, what is refused and where; and that its
 * password is never told.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/aaa.h"
#include "controld/config/config.h"
#include "run.h"

#define AROUND                                                                                               \
	"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"cgnat\": {\"pools\": [{\"name\": "    \
	"\"gold\", \"prefixes\": [\"203.0.113.0/29\"]}]}, \"radius\": {\"servers\": [{\"name\": \"one\", "   \
	"\"address\": \"192.0.2.1\", \"secret\": \"x\"}], \"nas_identifier\": \"b\"}, \"aaa\": %s}"

static char error[CONFIG_ERROR_TEXT];

static int read_aaa(const char *around, const char *aaa, struct config **config)
{
	char text[4096];

	*config = NULL;
	snprintf(text, sizeof(text), around, aaa);
	return config_parse(text, strlen(text), "bng.json", config, error, sizeof(error));
}

START_TEST(everything_is_read)
{
	struct config *config;
	int failure =
		read_aaa(AROUND,
			 "{\"ipoe\": {\"method\": \"radius\", \"fallback\": \"local\", \"username\": "
			 "\"x%{mac}\", \"password\": \"Hush-hush\"}, \"pppoe\": {\"method\": \"none\"}, "
			 "\"hold_off_seconds\": 7, \"invalid_values\": \"ignore\", \"attributes\": "
			 "[{\"attribute\": \"Filter-Id\", \"field\": \"rates\"}, {\"attribute\": \"X\", "
			 "\"field\": \"rate_up\", \"scale\": 1000}], \"profiles\": [{\"nat_pool\": \"\"}]}",
			 &config);

	ck_assert_msg(!failure, "%s", error);
	const struct config_aaa *aaa = &config->aaa;
	ck_assert(aaa->ipoe.method == CONFIG_AAA_RADIUS && aaa->ipoe.falls_back);
	ck_assert_str_eq(aaa->ipoe.user, "x%{mac}");
	ck_assert_str_eq(aaa->ipoe.password, "Hush-hush");
	ck_assert(aaa->pppoe.method == CONFIG_AAA_NONE && !aaa->pppoe.falls_back);
	ck_assert(aaa->hold_off_s == 7 && aaa->ignores_invalid);
	ck_assert_uint_eq(aaa->attribute_count, 2);
	ck_assert_uint_eq(aaa->attributes[0].target, TARGET_RATES);
	ck_assert_uint_eq(aaa->attributes[0].scale, 1);
	ck_assert_uint_eq(aaa->attributes[1].scale, 1000);
	ck_assert(aaa->profile_count == 1 && aaa->profiles[0].has_nat_pool && !aaa->profiles[0].nat_pool[0]);
	ck_assert_int_eq(aaa->profiles[0].rate_up, CONFIG_AAA_NOT_GIVEN);
	char *shown = json_dumps(config->document, 0);
	ck_assert_ptr_null(strstr(shown, "Hush"));
	free(shown);
	config_free(config);
}
END_TEST

START_TEST(without_it_all_is_as_before)
{
	struct config *config;

	ck_assert(!read_aaa("{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}]}%.0s", "", &config));
	ck_assert_uint_eq(config->aaa.ipoe.method, CONFIG_AAA_NONE);
	ck_assert_uint_eq(config->aaa.pppoe.method, CONFIG_AAA_RADIUS);
	ck_assert_uint_eq(config->aaa.hold_off_s, 10);
	ck_assert(!config->aaa.ignores_invalid);
	ck_assert_ptr_null(json_object_get(config->document, "aaa"));
	config_free(config);
}
END_TEST

static const struct {
	const char *aaa;
	const char *error;
} wrong[] = {
	{"3", "/aaa: 3: must be an object"},
	{"{\"ipo\": 1}", "/aaa/ipo: 1: "},
	{"{\"ipoe\": {\"method\": \"tacacs\"}}",
	 "/aaa/ipoe/method: \"tacacs\": must be \"none\", \"local\" or \"radius\""},
	{"{\"pppoe\": {\"method\": \"local\"}}",
	 "/aaa/pppoe/method: \"local\": must be \"none\" or \"radius\""},
	{"{\"pppoe\": {\"fallback\": \"local\"}}", "/aaa/pppoe/fallback: \"local\": "},
	{"{\"profiles\": [{\"filter\": \"x\"}]}",
	 "/aaa/profiles/0/filter: \"x\": must be the name of one of /filters"},
	{"{\"ipoe\": {\"fallback\": 1}}", "/aaa/ipoe/fallback: 1: "},
	{"{\"ipoe\": {\"fallback\": \"maybe\"}}",
	 "/aaa/ipoe/fallback: \"maybe\": must be \"refuse\" or \"local\""},
	{"{\"ipoe\": {\"username\": \"mac\"}}",
	 "/aaa/ipoe/username: \"mac\": must be a text with at least one of"},
	{"{\"ipoe\": {\"username\": \"%{mac\"}}", "/aaa/ipoe/username: \"%{mac\": must be"},
	{"{\"ipoe\": {\"username\": \"%{ma}%{mac}\"}}", "/aaa/ipoe/username: "},
	{"{\"ipoe\": {\"username\": \"%{mac}\\n\"}}", "/aaa/ipoe/username: "},
	{"{\"ipoe\": {\"password\": \"\"}}",
	 "/aaa/ipoe/password: \"(hidden)\": must be a text of 1-128 bytes"},
	{"{\"ipoe\": {\"password\": \"(hidden, 01234567)\"}}",
	 "/aaa/ipoe/password: \"(hidden)\": must be the secret"},
	{"{\"hold_off_seconds\": 3601}", "/aaa/hold_off_seconds: 3601: must be an integer 0-3600"},
	{"{\"invalid_values\": \"x\"}", "/aaa/invalid_values: \"x\": must be \"refuse\" or \"ignore\""},
	{"{\"attributes\": [{\"attribute\": \"A\", \"field\": \"speed\"}]}",
	 "/aaa/attributes/0/field: \"speed\": must be nothing, user, address, pool"},
	{"{\"attributes\": [{\"field\": \"pool\"}]}", "/aaa/attributes/0/attribute: missing"},
	{"{\"attributes\": [{\"attribute\": \"A\", \"field\": \"pool\"}, {\"attribute\": \"A\", \"field\": "
	 "\"user\"}]}",
	 "/aaa/attributes/1/attribute: \"A\": must be listed once"},
	{"{\"attributes\": [{\"attribute\": \"A\", \"field\": \"pool\", \"scale\": 0}]}",
	 "/aaa/attributes/0/scale: 0: "},
	{"{\"profiles\": [{}, {}]}",
	 "/aaa/profiles/1/pool: missing: must be in one profile only, or missing in one"},
	{"{\"profiles\": [{\"pool\": \"x\"}]}",
	 "/aaa/profiles/0/pool: \"x\": must be the name of an address pool"},
	{"{\"profiles\": [{\"nat_pool\": \"x\"}]}",
	 "/aaa/profiles/0/nat_pool: \"x\": must be the name of one of"},
	{"{\"profiles\": [{\"nat_pool\": 1}]}", "/aaa/profiles/0/nat_pool: 1: "},
	{"{\"profiles\": [{\"rate_up\": -1}]}",
	 "/aaa/profiles/0/rate_up: -1: must be an integer 0-1000000000000"},
	{"{\"profiles\": [{\"burst_up\": 1}]}", "/aaa/profiles/0/burst_up: 1: needs a rate_up"},
	{"{\"profiles\": [{\"burst_down\": 1, \"rate_up\": 1}]}",
	 "/aaa/profiles/0/burst_down: 1: needs a rate_down"},
	{"{\"profiles\": [{\"max_blocks\": 9}]}", "/aaa/profiles/0/max_blocks: 9: must be an integer 0-8"},
	{"{\"profiles\": [{\"dns\": [\"x\"]}]}", "/aaa/profiles/0/dns/0: \"x\": must be an IPv4 address"},
	{"{\"profiles\": [{\"dns\": [\"1.1.1.1\", \"1.1.1.2\", \"1.1.1.3\"]}]}", "/aaa/profiles/0/dns: "},
};

START_TEST(what_is_wrong_is_told_with_its_place)
{
	struct config *config;
	char expected[256];

	ck_assert_int_eq(read_aaa(AROUND, wrong[_i].aaa, &config), -EINVAL);
	snprintf(expected, sizeof(expected), "bng.json %s", wrong[_i].error);
	ck_assert_msg(!strncmp(error, expected, strlen(expected)), "%s", error);
}
END_TEST

START_TEST(pools_of_pppoe_are_address_pools)
{
	struct config *config;
	int failure = read_aaa(
		"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"gateways\": [{\"interface\": "
		"\"a\", \"address\": \"10.64.0.1\"}], \"pppoe\": {\"interfaces\": [\"a\"], \"pools\": "
		"[{\"name\": "
		"\"dial\", \"prefix\": \"10.64.0.0/24\", \"first\": \"10.64.0.2\", \"last\": \"10.64.0.9\", "
		"\"gateway\": \"10.64.0.1\"}]}, \"aaa\": %s}",
		"{\"profiles\": [{\"pool\": \"dial\", \"rate_up\": 5}]}", &config);

	ck_assert_msg(!failure, "%s", error);
	ck_assert(config_has_address_pool(config, "dial") && !config_has_address_pool(config, "dia"));
	config_free(config);
}
END_TEST

START_TEST(radius_needs_servers)
{
	struct config *config;

	ck_assert_int_eq(read_aaa("{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"aaa\": %s}",
				  "{\"ipoe\": {\"method\": \"radius\"}}", &config),
			 -EINVAL);
	ck_assert_str_eq(error, "bng.json /aaa/ipoe/method: \"radius\": needs servers: /radius is missing");
	ck_assert_int_eq(read_aaa(AROUND, "{\"ipoe\": {\"password\": \"Hush-hush\" x}}", &config), -EINVAL);
	ck_assert_ptr_null(strstr(error, "Hush"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_aaa");
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, everything_is_read);
	tcase_add_test(tcase, without_it_all_is_as_before);
	tcase_add_loop_test(tcase, what_is_wrong_is_told_with_its_place, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(tcase, pools_of_pppoe_are_address_pools);
	tcase_add_test(tcase, radius_needs_servers);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
