/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * /pppoe: what is read, what is filled in, what is refused and where.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/session/authorise.h"
#include "dataplane/abi/pppoe.h"
#include "run.h"

#define AROUND                                                                                               \
	"{\"interfaces\": [{\"name\": \"a\", \"role\": \"access\"}, {\"name\": \"c\", \"role\": \"core\"}]," \
	" \"gateways\": [{\"interface\": \"a\", \"address\": \"10.1.0.1\"}],"                                \
	" \"dhcp4\": {\"pools\": [{\"name\": \"homes\", \"interfaces\": [\"a\"], \"prefix\": "               \
	"\"10.1.0.0/24\","                                                                                   \
	" \"first\": \"10.1.0.9\", \"last\": \"10.1.0.99\", \"router\": \"10.1.0.1\"}]},"                    \
	" \"cgnat\": {\"pools\": [{\"name\": \"nat\", \"prefixes\": [\"203.0.113.0/29\"]}]}, \"pppoe\": %s}"
#define POOL                                                                                                 \
	"{\"name\": \"dsl\", \"prefix\": \"10.2.0.0/24\", \"first\": \"10.2.0.9\", \"last\": \"10.2.0.99\"," \
	" \"gateway\": \"10.1.0.1\"}"
#define PPPOE(members) "{\"interfaces\": [\"a\"], \"pools\": [" POOL "] " members "}"

static char error[CONFIG_ERROR_TEXT];

static int read_pppoe(const char *pppoe, struct config **config)
{
	char text[4096];

	*config = NULL;
	snprintf(text, sizeof(text), AROUND, pppoe);
	return config_parse(text, strlen(text), "bng.json", config, error, sizeof(error));
}

START_TEST(everything_is_read)
{
	struct config *config;
	int failure = read_pppoe(
		"{\"interfaces\": [\"a\"], \"ac_name\": \"bng 1\", \"service_names\": [\"internet\", "
		"\"voice\"],"
		" \"mru\": 1500, \"auth\": [\"mschapv2\", \"pap\"], \"max_sessions_per_mac\": 2,"
		" \"max_sessions_per_vlan\": 3, \"max_setup\": 4, \"setup_seconds\": 50,"
		" \"keepalive\": {\"interval_seconds\": 7, \"missed\": 8},"
		" \"limits\": {\"mac_rate\": 1, \"mac_burst\": 2, \"vlan_rate\": 3, \"vlan_burst\": 4,"
		" \"session_rate\": 5, \"session_burst\": 6}, \"pools\": [{\"name\": \"dsl\","
		" \"prefix\": \"10.2.0.0/24\", \"first\": \"10.2.0.9\", \"last\": \"10.2.0.99\","
		" \"gateway\": \"10.1.0.1\", \"dns\": [\"192.0.2.1\", \"192.0.2.2\"], \"nat_pool\": \"\","
		" \"mss\": 1400}]}",
		&config);

	ck_assert_msg(!failure, "%s", error);
	const struct config_pppoe *p = &config->pppoe;
	ck_assert(p->on && p->interface_count == 1 && p->pool_count == 1 && p->service_count == 2);
	ck_assert_str_eq(p->interfaces[0], "a");
	ck_assert_str_eq(p->ac_name, "bng 1");
	ck_assert_str_eq(p->service[1], "voice");
	ck_assert_uint_eq(p->mru, 1500);
	ck_assert_uint_eq(p->auth[0], CREDENTIAL_MSCHAP2);
	ck_assert_uint_eq(p->auth[1], CREDENTIAL_PAP);
	ck_assert_uint_eq(p->auth[2], 0);
	ck_assert_uint_eq(p->max_sessions_per_mac, 2);
	ck_assert_uint_eq(p->max_sessions_per_vlan, 3);
	ck_assert_uint_eq(p->max_setup, 4);
	ck_assert_uint_eq(p->setup_s, 50);
	ck_assert_uint_eq(p->keepalive_s, 7);
	ck_assert_uint_eq(p->keepalive_missed, 8);
	for (uint32_t i = 0; i < BNG_PPPOE_LIMITS; i++) {
		ck_assert_uint_eq(p->limits[i].rate, 2 * i + 1);
		ck_assert_uint_eq(p->limits[i].burst, 2 * i + 2);
	}
	ck_assert_uint_eq(p->pools[0].first, ntohl(inet_addr("10.2.0.9")));
	ck_assert_uint_eq(p->pools[0].last, ntohl(inet_addr("10.2.0.99")));
	ck_assert_uint_eq(p->pools[0].gateway_be, inet_addr("10.1.0.1"));
	ck_assert_uint_eq(p->pools[0].dns_be[1], inet_addr("192.0.2.2"));
	ck_assert_str_eq(p->pools[0].nat_pool, "");
	ck_assert_uint_eq(p->pools[0].mss, 1400);
	config_free(config);
}
END_TEST

START_TEST(defaults_are_filled_in)
{
	struct config *config;

	ck_assert_msg(!read_pppoe(PPPOE(""), &config), "%s", error);
	const struct config_pppoe *p = &config->pppoe;
	ck_assert_str_eq(p->ac_name, "holdfast");
	ck_assert_uint_eq(p->mru, 1492);
	ck_assert_uint_eq(p->auth[0], CREDENTIAL_CHAP);
	ck_assert_uint_eq(p->auth[1], CREDENTIAL_MSCHAP2);
	ck_assert_uint_eq(p->auth[2], CREDENTIAL_PAP);
	ck_assert_uint_eq(p->max_sessions_per_mac, 1);
	ck_assert_uint_eq(p->keepalive_s, 30);
	ck_assert_str_eq(p->pools[0].nat_pool, "nat");
	ck_assert_uint_eq(p->service_count, 0);
	const json_t *shown = json_object_get(config->document, "pppoe");
	ck_assert_uint_eq(json_array_size(json_object_get(shown, "auth")), 3);
	ck_assert_int_eq(json_integer_value(json_object_get(shown, "max_setup")), 4096);
	config_free(config);
}
END_TEST

static const struct {
	const char *pppoe;
	const char *where;
	const char *what;
} refused[] = {
	{"[]", "/pppoe", "object"},
	{PPPOE(", \"foo\": 1"), "/pppoe", "foo"},
	{"{\"interfaces\": [], \"pools\": [" POOL "]}", "/pppoe/interfaces", "at least one"},
	{"{\"interfaces\": [\"c\"], \"pools\": [" POOL "]}", "/pppoe/interfaces/0",
	 "\"c\": must be the name of an access"},
	{"{\"interfaces\": [\"a\"], \"pools\": []}", "/pppoe/pools", "at least one pool"},
	{"{\"interfaces\": [\"a\"], \"pools\": [" POOL ", " POOL "]}", "/pppoe/pools/1/name", "pool 0"},
	{PPPOE(", \"ac_name\": \"\""), "/pppoe/ac_name", "1-64 printable"},
	{PPPOE(", \"service_names\": [\"\"]"), "/pppoe/service_names/0", "1-64 printable"},
	{PPPOE(", \"mru\": 1501"), "/pppoe/mru", "576-1500"},
	{PPPOE(", \"auth\": []"), "/pppoe/auth", "at least one"},
	{PPPOE(", \"auth\": [\"eap\"]"), "/pppoe/auth/0", "\"eap\": must be"},
	{PPPOE(", \"auth\": [\"pap\", \"pap\"]"), "/pppoe/auth", "once"},
	{PPPOE(", \"max_sessions_per_mac\": 0"), "/pppoe/max_sessions_per_mac", "1-65534"},
	{PPPOE(", \"max_setup\": 16385"), "/pppoe/max_setup", "1-16384"},
	{PPPOE(", \"keepalive\": {\"missed\": 0}"), "/pppoe/keepalive/missed", "1-100"},
	{PPPOE(", \"keepalive\": {\"interval_seconds\": 1}"), "/pppoe/keepalive/interval_seconds",
	 "0 or 2-3600"},
	{PPPOE(", \"limits\": {\"mac_rate\": 0}"), "/pppoe/limits/mac_rate", "1-"},
#define POOL_WITH(prefix, first, last, gateway)                                                              \
	"{\"interfaces\": [\"a\"], \"pools\": [{\"name\": \"p\", \"prefix\": \"" prefix                      \
	"\", \"first\": \"" first "\", \"last\": \"" last "\", \"gateway\": \"" gateway "\"}]}"
	{POOL_WITH("10.2.0.0/31", "10.2.0.0", "10.2.0.1", "10.1.0.1"), "/pppoe/pools/0/prefix", "8-30"},
	{POOL_WITH("10.2.0.0/24", "10.2.0.0", "10.2.0.9", "10.1.0.1"), "/pppoe/pools/0/first",
	 "host address"},
	{POOL_WITH("10.2.0.0/24", "10.2.0.9", "10.2.1.9", "10.1.0.1"), "/pppoe/pools/0/last", "host address"},
	{POOL_WITH("10.2.0.0/24", "10.2.0.9", "10.2.0.8", "10.1.0.1"), "/pppoe/pools/0/last", "not be below"},
	{POOL_WITH("10.2.0.0/24", "10.2.0.9", "10.2.0.99", "10.2.0.9"), "/pppoe/pools/0/gateway", "outside"},
	{POOL_WITH("10.2.0.0/24", "10.2.0.9", "10.2.0.99", "10.2.0.1"), "/pppoe/pools/0/gateway", "add {"},
	{POOL_WITH("10.1.0.0/24", "10.1.0.9", "10.1.0.99", "10.1.0.1"), "/pppoe/pools/0/prefix",
	 "DHCP pool homes"},
	{POOL_WITH("203.0.113.0/24", "203.0.113.9", "203.0.113.99", "10.1.0.1"), "/pppoe/pools/0/prefix",
	 "CGNAT pool nat"},
	{POOL_WITH("10.128.0.0/9", "10.128.0.9", "10.128.0.99", "10.1.0.1"), "/sizes/subscribers", "PPPoE"},
};

START_TEST(what_is_wrong_is_said_where_it_is)
{
	struct config *config;
	int failure = read_pppoe(refused[_i].pppoe, &config);

	ck_assert_msg(failure == -EINVAL, "%s was accepted", refused[_i].pppoe);
	ck_assert_msg(strstr(error, refused[_i].where) && strstr(error, refused[_i].what), "%s: %s",
		      refused[_i].pppoe, error);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config_pppoe");
	TCase *cases = tcase_create("config");

	tcase_add_test(cases, everything_is_read);
	tcase_add_test(cases, defaults_are_filled_in);
	tcase_add_loop_test(cases, what_is_wrong_is_said_where_it_is, 0,
			    sizeof(refused) / sizeof(refused[0]));
	suite_add_tcase(suite, cases);
	return run_suite(suite);
}
