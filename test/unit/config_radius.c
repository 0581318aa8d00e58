/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * /radius: what is read, what is refused and where, and that no secret is ever told.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"
#include "run.h"

#define AROUND "{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}], \"radius\": %s}"

static char error[CONFIG_ERROR_TEXT];

static int read_radius(const char *radius, struct config **config)
{
	char text[2048];

	*config = NULL;
	snprintf(text, sizeof(text), AROUND, radius);
	return config_parse(text, strlen(text), "bng.json", config, error, sizeof(error));
}

#define SERVER          "{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret\": \"Hush-hush\"}"
#define RADIUS(members) "{\"nas_identifier\": \"bng\", " members "}"

START_TEST(everything_is_read)
{
	struct config *config;
	int failure = read_radius(
		"{\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"port\": 1645, "
		"\"acct_port\": 1646,"
		" \"secret\": \"Hush-hush\", \"timeout_ms\": 500, \"retries\": 0, "
		"\"require_message_authenticator\": "
		"false}, {\"name\": \"two\", \"address\": \"192.0.2.2\", \"secret_file\": \"/etc/bng/s\"}],"
		" \"dictionary\": \"/d\", \"nas_address\": \"192.0.2.9\", \"source_address\": \"192.0.2.8\","
		" \"ports\": 2, \"rate\": 7, \"burst\": 3, \"queue\": 100, \"dead_seconds\": 5}",
		&config);

	ck_assert_msg(!failure, "%s", error);
	const struct config_radius *r = &config->radius;
	ck_assert(r->on && r->server_count == 2);
	ck_assert_str_eq(r->servers[0].secret, "Hush-hush");
	ck_assert_uint_eq(r->servers[0].port, 1645);
	ck_assert_uint_eq(r->servers[0].acct_port, 1646);
	ck_assert_uint_eq(r->servers[0].timeout_ms, 500);
	ck_assert_uint_eq(r->servers[0].retries, 0);
	ck_assert(!r->servers[0].needs_message_authenticator);
	ck_assert_str_eq(r->servers[1].secret_file, "/etc/bng/s");
	ck_assert_str_eq(r->servers[1].secret, "");
	ck_assert_uint_eq(r->servers[1].port, 1812);
	ck_assert_uint_eq(r->servers[1].acct_port, 1813);
	ck_assert_uint_eq(r->servers[1].timeout_ms, 2000);
	ck_assert_uint_eq(r->servers[1].retries, 2);
	ck_assert(r->servers[1].needs_message_authenticator);
	ck_assert_str_eq(r->dictionary, "/d");
	ck_assert_uint_eq(ntohl(r->nas_address_be), 0xc0000209);
	ck_assert_uint_eq(ntohl(r->source_be), 0xc0000208);
	ck_assert(r->ports == 2 && r->rate == 7 && r->burst == 3 && r->queue == 100 && r->dead_seconds == 5);
	config_free(config);
}
END_TEST

START_TEST(without_it_nobody_is_asked)
{
	struct config *config = NULL;
	static const char text[] = "{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}]}";

	ck_assert_int_eq(config_parse(text, strlen(text), "x", &config, error, sizeof(error)), 0);
	ck_assert(!config->radius.on && !config->radius.server_count);
	config_free(config);
}
END_TEST

static const struct {
	const char *radius;
	const char *expected;
} wrong[] = {
	{"3", "/radius: 3: must be an object"},
	{RADIUS("\"servers\": []"), "/radius/servers: missing: must have 1-8 servers"},
	{"{\"servers\": [" SERVER "]}", "/radius: missing: must have nas_identifier or nas_address"},
	{RADIUS("\"servers\": [" SERVER ", " SERVER "]"),
	 "/radius/servers/1/name: \"one\": must be no other"},
	{RADIUS("\"servers\": [" SERVER
		", {\"name\": \"two\", \"address\": \"192.0.2.1\", \"secret\": \"x\"}]"),
	 "/radius/servers/1/address: \"192.0.2.1\": must not have the port of another server"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\"}]"),
	 "/radius/servers/0: missing: give either secret or secret_file"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret\": \"Hush\", "
		"\"secret_file\": \"/x\"}]"),
	 "/radius/servers/0: missing: give either secret or secret_file"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret\": [\"Hush\"]}]"),
	 "/radius/servers/0/secret: \"(hidden)\": must be a text of 1-128 bytes"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret\": \"\"}]"),
	 "/radius/servers/0/secret: \"(hidden)\": must be a text of 1-128 bytes"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secrets\": \"Hush\"}]"),
	 "/radius/servers/0/secrets: \"(hidden)\": "},
	{RADIUS("\"servers\": {\"a\": {\"secret\": \"Hush\"}}"),
	 "/radius/servers: {\"a\":{\"secret\":\"(hidden)\"}}: must be an array"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret_file\": \"s\"}]"),
	 "/radius/servers/0/secret_file: \"(hidden)\": must be an absolute path"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"224.0.0.1\", \"secret\": \"x\"}]"),
	 "/radius/servers/0/address: \"224.0.0.1\": must be a unicast address"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret\": \"x\", "
		"\"acct_port\": 1812}]"),
	 "/radius/servers/0/acct_port: 1812: must not be the same as port"},
	{RADIUS("\"servers\": [" SERVER "], \"ports\": 17"), "/radius/ports: 17: must be an integer 1-16"},
	{RADIUS("\"servers\": [" SERVER "], \"queue\": 65537"),
	 "/radius/queue: 65537: must be an integer 1-65536"},
	{RADIUS("\"servers\": [" SERVER "], \"rates\": 1"), "/radius/rates: 1: "},
	{RADIUS("\"servers\": [" SERVER "], \"dictionary\": \"d\""),
	 "/radius/dictionary: \"d\": must be an absolute"},
	{RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", \"secret\": \"(hidden, "
		"12345678)\"}]"),
	 "/radius/servers/0/secret: \"(hidden)\": must be the secret itself, not what is shown in its place"},
	{RADIUS("\"servers\": [{\"secret\": Hush}]"), "not JSON: invalid token"},
};

START_TEST(every_error_names_its_place)
{
	struct config *config;

	ck_assert_int_eq(read_radius(wrong[_i].radius, &config), -EINVAL);
	ck_assert_ptr_null(config);
	ck_assert_msg(strstr(error, wrong[_i].expected) != NULL, "expected %s, found %s", wrong[_i].expected,
		      error);
	ck_assert_msg(!strstr(error, "Hush"), "%s", error);
}
END_TEST

/* What stands for a secret in the document is another when the secret is. */
START_TEST(a_changed_secret_is_seen_and_not_told)
{
	struct config *before, *same, *after;
	json_t *differences;

	ck_assert(!read_radius(RADIUS("\"servers\": [" SERVER "]"), &before));
	ck_assert(!read_radius(RADIUS("\"servers\": [" SERVER "]"), &same));
	ck_assert(!read_radius(RADIUS("\"servers\": [{\"name\": \"one\", \"address\": \"192.0.2.1\", "
				      "\"secret\": \"Hush\"}]"),
			       &after));
	char *dump = json_dumps(before->document, 0);
	ck_assert_ptr_null(strstr(dump, "Hush"));
	ck_assert_ptr_nonnull(strstr(dump, "(hidden, "));
	free(dump);
	differences = config_differences(before, same);
	ck_assert_uint_eq(json_array_size(differences), 0);
	json_decref(differences);
	differences = config_differences(before, after);
	ck_assert_uint_eq(json_array_size(differences), 1);
	const char *told = json_string_value(json_array_get(differences, 0));
	ck_assert_ptr_nonnull(strstr(told, "/radius/servers/one/secret: \"(hidden, "));
	ck_assert_ptr_null(strstr(told, "Hush"));
	json_decref(differences);
	config_free(before);
	config_free(same);
	config_free(after);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_radius");
	TCase *test = tcase_create("all");

	tcase_add_test(test, everything_is_read);
	tcase_add_test(test, without_it_nobody_is_asked);
	tcase_add_loop_test(test, every_error_names_its_place, 0, (int)(sizeof(wrong) / sizeof(wrong[0])));
	tcase_add_test(test, a_changed_secret_is_seen_and_not_told);
	suite_add_tcase(suite, test);
	return run_suite(suite);
}
