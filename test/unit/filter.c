/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Filters: what /filters may say, and which one a session has in its life, over reloads
 * and restarts.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/feature.h"
#include "controld/maps/filter.h"
#include "controld/session/detail.h"
#include "controld_fixture.h"

extern const struct bng_feature filter_feature;

static const struct fixture_sizes sizes = {4096, 8, 1024};
static char error[512];

static void setup(void)
{
	fixture_start(&sizes);
}

static const char *text_with(const char *filters)
{
	static char text[65536];

	snprintf(text, sizeof(text), "{\"filters\": %s,%s", filters, fixture_text("", "", "") + 1);
	return text;
}

/* ---- Configuration ------------------------------------------------------------------------ */

static const struct {
	const char *rule;
	struct bng_filter_rule expected;
} rules[] = {
	{"{\"action\": \"permit\"}", {0, 0, 0, 0, 0, 7, {0}}},
	{"{\"action\": \"deny\", \"direction\": \"up\"}", {0, 0, 0, 0, 0, BNG_FILTER_UP, {0}}},
	{"{\"action\": \"deny\", \"direction\": \"down\", \"protocol\": \"icmp\"}",
	 {0, 0, 0, 0, 1, BNG_FILTER_DOWN, {0}}},
	{"{\"action\": \"deny\", \"protocol\": \"tcp\", \"ports\": \"80\"}", {0, 0, 80, 80, 6, 6, {0}}},
	{"{\"action\": \"deny\", \"protocol\": \"udp\", \"ports\": \"1-65535\"}",
	 {0, 0, 1, 65535, 17, 6, {0}}},
	{"{\"action\": \"deny\", \"protocol\": \"gre\", \"prefix\": \"192.0.2.0/24\"}",
	 {0xc0000200, 0xffffff00, 0, 0, 47, 6, {0}}},
	{"{\"action\": \"deny\", \"protocol\": \"esp\", \"prefix\": \"192.0.2.1/32\"}",
	 {0xc0000201, 0xffffffff, 0, 0, 50, 6, {0}}},
	{"{\"action\": \"deny\", \"prefix\": \"0.0.0.0/0\"}", {0, 0, 0, 0, 0, 6, {0}}},
};

START_TEST(a_rule_is_read)
{
	struct bng_filter_rule expected = rules[_i].expected;
	struct config *config;
	char text[512];

	snprintf(text, sizeof(text), "{\"a\": {\"default\": \"permit\", \"rules\": [%s]}}", rules[_i].rule);
	const char *whole = text_with(text);
	ck_assert_msg(!config_parse(whole, strlen(whole), "test", &config, error, sizeof(error)), "%s",
		      error);
	const struct bng_filter_half *half = &config_find_filter(config, "a")->rules;
	expected.address_be = htonl(expected.address_be);
	expected.mask_be = htonl(expected.mask_be);
	ck_assert(half->count == 1 && half->flags == BNG_FILTER_PERMIT);
	ck_assert_mem_eq(&half->rule[0], &expected, sizeof(expected));
	config_free(config);
	fixture_stop();
}
END_TEST

#define IN_RULE(member) "{\"a\": {\"default\": \"deny\", \"rules\": [{\"action\": \"deny\", " member "}]}}"

static const struct {
	const char *filters;
	const char *expected;
} wrong[] = {
	{"7", "/filters: 7: must be an object"},
	{"{\"a\": 7}", "/filters/a: 7: "},
	{"{\"a\": {}}", "/filters/a/default: missing"},
	{"{\"a\": {\"default\": \"drop\"}}", "/filters/a/default: \"drop\": must be \"permit\" or \"deny\""},
	{"{\"a\": {\"default\": \"deny\", \"rule\": []}}", "/filters/a/rule: "},
	{"{\"a,b\": {\"default\": \"deny\"}}", "/filters/a,b: "},
	{"{\"a b\": {\"default\": \"deny\"}}", "must have a name of 1-31 printable characters"},
	{"{\"\": {\"default\": \"deny\"}}", "must have a name of 1-31 printable characters"},
	{"{\"a-name-of-more-than-31-characters\": {\"default\": \"deny\"}}", "must have a name of 1-31"},
	{"{\"a\": {\"default\": \"deny\", \"rules\": [{}]}}", "/filters/a/rules/0/action: missing"},
	{IN_RULE("\"direction\": \"in\""), "/filters/a/rules/0/direction: \"in\": must be \"up\", \"down\""},
	{IN_RULE("\"protocol\": \"sctp\""), "/filters/a/rules/0/protocol: \"sctp\": must be \"any\""},
	{IN_RULE("\"prefix\": \"192.0.2.1/24\""), "/filters/a/rules/0/prefix: \"192.0.2.1/24\": "},
	{IN_RULE("\"prefix\": \"192.0.2.1\""), "/filters/a/rules/0/prefix: \"192.0.2.1\": "},
	{IN_RULE("\"ports\": \"80\""), "/filters/a/rules/0/ports: \"80\": needs the protocol"},
	{IN_RULE("\"protocol\": \"icmp\", \"ports\": \"80\""), "needs the protocol \"tcp\" or \"udp\""},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": 80"), "/filters/a/rules/0/ports: 80: "},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"\""), "/filters/a/rules/0/ports: \"\": must be a port"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"0\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"65536\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"2-1\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"1-65536\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"1-\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"-1\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"1--2\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"1-2-3\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"1,2\""), "must be a port such as"},
	{IN_RULE("\"protocol\": \"tcp\", \"ports\": \"000000080\""), "must be a port such as"},
};

START_TEST(an_error_names_its_place)
{
	struct config *config = NULL;
	const char *whole = text_with(wrong[_i].filters);

	ck_assert_int_ne(config_parse(whole, strlen(whole), "test", &config, error, sizeof(error)), 0);
	ck_assert_ptr_null(config);
	ck_assert_msg(strstr(error, wrong[_i].expected), "%s: %s", wrong[_i].filters, error);
	fixture_stop();
}
END_TEST

START_TEST(there_are_not_more_than_fit)
{
	char text[16384];
	struct config *config = NULL;

	for (int count = CONFIG_FILTERS; count <= CONFIG_FILTERS + 1; count++) {
		size_t used = 0;

		for (int i = 0; i < count; i++)
			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 "%c\"f%d\": {\"default\": \"deny\"}", i ? ',' : '{', i);
		snprintf(text + used, sizeof(text) - used, "}");
		const char *whole = text_with(text);
		int failure = config_parse(whole, strlen(whole), "test", &config, error, sizeof(error));

		ck_assert_int_eq(!failure, count == CONFIG_FILTERS);
		if (!failure)
			config_free(config);
	}
	ck_assert_msg(strstr(error, ": 63 filters found, at most 62 may be given"), "%s", error);
	fixture_stop();
}
END_TEST

/* ---- Sessions ---------------------------------------------------------------------------- */

#define A       "\"a\": {\"default\": \"deny\", \"rules\": [{\"action\": \"permit\", \"protocol\": \"udp\"}]}"
#define A_OTHER "\"a\": {\"default\": \"permit\"}"
#define B       "\"b\": {\"default\": \"permit\"}"
#define C       "\"c\": {\"default\": \"permit\"}"

static int configure(const char *filters)
{
	return fixture_configure(text_with(filters), error, sizeof(error));
}

static void opened(struct controld *controld, int failure, const struct session *session, void *context)
{
	(void)controld;
	ck_assert_int_eq(failure, 0);
	*(struct session *)context = *session;
}

static struct session_detail *granted(uint64_t id, const char *filter)
{
	struct session_detail *detail = session_detail_new(id);

	detail->source = strdup("r1");
	detail->profile.given = filter ? PROFILE_FILTER : 0;
	detail->profile.filter = filter ? strdup(filter) : NULL;
	return detail;
}

static struct session open_granted(const char *address, const char *filter)
{
	struct session_detail *detail = granted(session_new_id(&fixture.controld), filter);
	struct session_spec spec = fixture_spec(address, (uint32_t)detail->session_id);
	struct session session = {0};

	spec.kind = BNG_SESSION_PPPOE;
	ck_assert_int_eq(session_open_durable(&fixture.controld, &spec, detail, opened, &session), 0);
	sessions_run(&fixture.controld);
	ck_assert_ptr_nonnull(session.record);
	return session;
}

static void check_filter(const struct session *session, uint8_t number)
{
	ck_assert_uint_eq(session->record->filter, number);
	ck_assert_int_eq(!!(session->record->flags & BNG_SUBSCRIBER_FILTER), number != 0);
}

START_TEST(a_session_has_what_it_was_granted)
{
	struct session_profile changes = {.given = PROFILE_FILTER};
	struct session a, none, lost;

	ck_assert_int_eq(configure("{" A "," B "}"), 0);
	a = open_granted("192.0.2.1", "a");
	none = open_granted("192.0.2.2", NULL);
	lost = open_granted("192.0.2.3", "c"); /* it went while the session came up */
	check_filter(&a, filter_find(fixture.controld.maps, "a"));
	check_filter(&none, 0);
	check_filter(&lost, BNG_FILTER_CLOSED);
	changes.filter = strdup("b");
	ck_assert_int_eq(session_change(&fixture.controld, &none, &changes, "test"), 0);
	check_filter(&none, filter_find(fixture.controld.maps, "b"));
	strcpy(changes.filter, "x");
	ck_assert_int_eq(session_change(&fixture.controld, &none, &changes, "test"), -ENOENT);
	check_filter(&none, filter_find(fixture.controld.maps, "b"));
	ck_assert_str_eq(session_detail(&fixture.controld, &none)->profile.filter, "b");
	ck_assert_int_eq(configure("{" A "," B "," C "}"), 0);
	check_filter(&lost, filter_find(fixture.controld.maps, "c"));
	profile_done(&changes);
	fixture_stop();
}
END_TEST

START_TEST(numbers_stay_and_what_is_in_use_is_not_removed)
{
	const struct maps *maps = fixture.controld.maps;
	struct session session;
	uint8_t a, b;

	ck_assert_int_eq(configure("{" A "," B "}"), 0);
	a = filter_find(maps, "a");
	b = filter_find(maps, "b");
	ck_assert(a && b && a != b);
	ck_assert(filter_rules(maps, a)->count == 1 && !filter_rules(maps, a)->flags);
	session = open_granted("192.0.2.1", "b");
	ck_assert_int_eq(configure("{" A_OTHER "}"), -EBUSY);
	ck_assert_msg(strstr(error, "/filters/b: missing: must stay while sessions have it (1 do)"), "%s",
		      error);
	ck_assert_uint_eq(filter_rules(maps, a)->count, 1);
	ck_assert_int_eq(configure("{" B "," A_OTHER "," C "}"), 0);
	ck_assert(filter_find(maps, "a") == a && filter_find(maps, "b") == b);
	ck_assert(!filter_rules(maps, a)->count && filter_rules(maps, a)->flags == BNG_FILTER_PERMIT);
	ck_assert_int_eq(configure("{" B "}"), 0);
	ck_assert(!filter_find(maps, "a") && !filter_rules(maps, a)->flags); /* denies everything */
	check_filter(&session, b);
	fixture_stop();
}
END_TEST

START_TEST(a_restart_changes_nothing)
{
	struct sessions_adopted adopted;
	struct session a, b, unknown;
	struct bng_subscriber before;
	struct bng_filter table;

	ck_assert_int_eq(configure("{" A "," B "}"), 0);
	a = open_granted("192.0.2.1", "a");
	b = open_granted("192.0.2.2", "b");
	unknown = open_granted("192.0.2.3", NULL);
	before = *a.record;
	table = fixture.controld.maps->filter[a.record->filter];
	fixture_restart(&adopted);
	ck_assert_int_eq(configure("{" A "}"), 0); /* a start cannot refuse */
	a.record = &fixture.controld.maps->subscriber[a.slot];
	b.record = &fixture.controld.maps->subscriber[b.slot];
	unknown.record = &fixture.controld.maps->subscriber[unknown.slot];
	sessions_detail_set(fixture.controld.sessions, &a, granted(1, "a"));
	sessions_detail_set(fixture.controld.sessions, &b, session_detail_new(1)); /* forgotten */
	sessions_detail_set(fixture.controld.sessions, &unknown, granted(1, "walled,slow"));
	filter_feature.hooks->adopted(&fixture.controld, &a);
	filter_feature.hooks->adopted(&fixture.controld, &b);
	filter_feature.hooks->adopted(&fixture.controld, &unknown);
	ck_assert_mem_eq(a.record, &before, sizeof(before));
	ck_assert_mem_eq(&fixture.controld.maps->filter[a.record->filter], &table, sizeof(table));
	check_filter(&b, filter_find(fixture.controld.maps, "b"));
	check_filter(&unknown, 0); /* an upgrade takes nothing from a session that is up */
	ck_assert_int_eq(session_close(&fixture.controld, &b, SESSION_END_ADMIN_RESET, "test"), 0);
	ck_assert_int_eq(configure("{" A "}"), 0);
	ck_assert_uint_eq(filter_find(fixture.controld.maps, "b"), 0);
	fixture_stop();
}
END_TEST

static Suite *filter_suite(void)
{
	Suite *suite = suite_create("filter");
	TCase *config = tcase_create("config"), *sessions = tcase_create("sessions");

	tcase_add_checked_fixture(config, setup, NULL);
	tcase_add_loop_test(config, a_rule_is_read, 0, sizeof(rules) / sizeof(rules[0]));
	tcase_add_loop_test(config, an_error_names_its_place, 0, sizeof(wrong) / sizeof(wrong[0]));
	tcase_add_test(config, there_are_not_more_than_fit);
	suite_add_tcase(suite, config);
	tcase_add_checked_fixture(sessions, setup, NULL);
	tcase_add_test(sessions, a_session_has_what_it_was_granted);
	tcase_add_test(sessions, numbers_stay_and_what_is_in_use_is_not_removed);
	tcase_add_test(sessions, a_restart_changes_nothing);
	suite_add_tcase(suite, sessions);
	return suite;
}

int main(void)
{
	SRunner *runner = srunner_create(filter_suite());
	int failed;

	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
