/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Prefixes routed to sessions: their entries through a session's life, a restart and a
 * reload; and what is refused.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/feature.h"
#include "controld/routes/routes.h"
#include "controld/session/detail.h"
#include "controld_fixture.h"
#include "lib/address.h"
#include "run.h"

extern const struct bng_feature routes_feature;

static const struct fixture_sizes sizes = {4096, 8, 1024};
static char error[512];

#define POOL                                                                                                 \
	"{\"name\": \"a\", \"interfaces\": [\"access0\"], \"prefix\": \"10.0.0.0/24\", \"first\": "          \
	"\"10.0.0.10\", \"last\": \"10.0.0.200\", \"router\": \"10.0.0.1\"}"
#define POOL_WIDER                                                                                           \
	POOL ", {\"name\": \"b\", \"interfaces\": [\"access0\"], \"prefix\": \"198.51.100.0/26\", "          \
	     "\"first\": \"198.51.100.10\", \"last\": \"198.51.100.20\", \"router\": \"198.51.100.1\"}"
#define GATEWAY_WIDER "{\"interface\": \"access0\", \"address\": \"198.51.100.1\"}, "
#define NAT           "{\"name\": \"n\", \"prefixes\": [\"203.0.113.0/30\"], \"block_size\": 512}"

static void configure(const char *pools, const char *gateway)
{
	static char text[65536];
	const char *rest = fixture_text(pools, "", NAT), *gateways = strstr(rest, "\"gateways\": [") + 13;

	snprintf(text, sizeof(text), "%.*s%s%s", (int)(gateways - rest), rest, gateway, gateways);
	ck_assert_msg(!fixture_configure(text, error, sizeof(error)), "%s", error);
}

static void setup(void)
{
	fixture_start(&sizes);
	configure(POOL, "");
}

static void opened(struct controld *controld, int failure, const struct session *session, void *context)
{
	(void)controld;
	ck_assert_int_eq(failure, 0);
	*(struct session *)context = *session;
}

/* Prefixes with a space between them. */
static void set_routes(struct session_profile *profile, const char *prefixes)
{
	profile->given |= PROFILE_ROUTE;
	profile->route_count = 0;
	for (const char *at = prefixes; *at; at += strspn(at, " ")) {
		struct profile_route *route = &profile->route[profile->route_count++];
		unsigned byte[4], length;
		int used;

		ck_assert_int_eq(sscanf(at, "%u.%u.%u.%u/%u%n", &byte[0], &byte[1], &byte[2], &byte[3],
					&length, &used),
				 5);
		route->first_be = htonl(byte[0] << 24 | byte[1] << 16 | byte[2] << 8 | byte[3]);
		route->length = (uint8_t)length;
		at += used;
	}
}

static struct session_detail *granted(const char *prefixes)
{
	struct session_detail *detail = session_detail_new(session_new_id(&fixture.controld));

	detail->source = strdup("r1");
	set_routes(&detail->profile, prefixes);
	return detail;
}

static struct session open_with(const char *address, const char *prefixes)
{
	struct session_detail *detail = granted(prefixes);
	struct session_spec spec = fixture_spec(address, (uint32_t)detail->session_id);
	struct session session = {0};

	spec.kind = BNG_SESSION_PPPOE;
	ck_assert_int_eq(session_open_durable(&fixture.controld, &spec, detail, opened, &session), 0);
	sessions_run(&fixture.controld);
	ck_assert_ptr_nonnull(session.record);
	return session;
}

static void change(const struct session *session, const char *prefixes)
{
	struct session_profile changes = {0};

	set_routes(&changes, prefixes);
	ck_assert_int_eq(session_change(&fixture.controld, session, &changes, "test"), 0);
}

/* Entries for other addresses than the session's, in all; each of a prefix named. */
static void check_routed(const struct session *session, const char *prefixes)
{
	struct session_profile profile = {0};
	uint32_t expected = 0, routed = 0, count;
	void *keys, *values;

	set_routes(&profile, prefixes);
	for (uint32_t i = 0; i < profile.route_count; i++) {
		struct route_span span = route_span_of(&profile.route[i]);

		for (uint32_t at = span.first; at <= span.last; at++, expected++) {
			uint32_t address_be = htonl(at), slot = 0;

			maps_get(fixture.controld.maps, MAP_slot_of_address, &address_be, &slot);
			ck_assert_uint_eq(slot, session->slot);
		}
	}
	ck_assert_int_eq(maps_snapshot(fixture.controld.maps, MAP_slot_of_address, &keys, &values, &count),
			 0);
	for (uint32_t i = 0; i < count; i++)
		routed += ((uint32_t *)values)[i] == session->slot &&
			  ((uint32_t *)keys)[i] != session->record->address_be;
	free(keys);
	free(values);
	ck_assert_uint_eq(routed, expected);
	ck_assert_int_eq(!!(session->record->flags & BNG_SUBSCRIBER_ROUTES), expected > 0);
}

static const char *why_refused(const struct session *session, uint32_t number)
{
	const struct route_owner *owner = owner_find(fixture.controld.routes, session->slot);

	return owner && number < owner->refused_count ? owner->refused[number].why : "";
}

START_TEST(routed_while_the_session_is_up)
{
	struct session session = open_with("10.0.0.20", "192.88.99.0/29 192.88.99.64/32"), other;

	check_routed(&session, "192.88.99.0/29 192.88.99.64/32");
	change(&session, "192.88.99.4/30 192.88.98.0/24");
	check_routed(&session, "192.88.99.4/30 192.88.98.0/24");
	change(&session, "");
	check_routed(&session, "");
	ck_assert_ptr_null(owner_find(fixture.controld.routes, session.slot));
	change(&session, "192.88.99.4/30");
	ck_assert_int_eq(session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test"), 0);
	check_routed(&session, "");
	other = open_with("10.0.0.21", "192.88.99.4/30");
	check_routed(&other, "192.88.99.4/30");
	fixture_stop();
}
END_TEST

static const struct {
	const char *prefix;
	const char *why;
} refusals[] = {
	{"192.88.96.0/23", "the prefix is wider than /24"},
	{"127.0.0.0/30", "these are no host's addresses"},
	{"0.0.0.0/24", "these are no host's addresses"},
	{"224.0.0.0/32", "these are no host's addresses"},
	{"10.0.0.0/24", "a DHCP pool or a gateway has addresses of it"},
	{"10.0.0.200/32", "a DHCP pool or a gateway has addresses of it"},
	{"10.0.8.0/24", "a DHCP pool or a gateway has addresses of it"}, /* a gateway's is in it */
	{"203.0.113.2/32", "a NAT pool has addresses of it"},
	{"192.88.99.0/25", "another session has addresses of it"},  /* routed */
	{"198.51.100.0/24", "another session has addresses of it"}, /* its own */
};

START_TEST(refused_as_a_whole_and_the_others_not)
{
	struct session first = open_with("198.51.100.200", "192.88.99.100/32"), session;
	char prefixes[128];

	snprintf(prefixes, sizeof(prefixes), "192.88.97.0/28 %s 192.88.97.32/28", refusals[_i].prefix);
	session = open_with("10.0.0.20", prefixes);
	check_routed(&session, "192.88.97.0/28 192.88.97.32/28");
	check_routed(&first, "192.88.99.100/32");
	ck_assert_str_eq(why_refused(&session, 0), refusals[_i].why);
	ck_assert_str_eq(why_refused(&session, 1), "");
	fixture_stop();
}
END_TEST

START_TEST(nobody_else_comes_up_with_a_routed_address)
{
	struct session session = open_with("10.0.0.20", "192.88.99.0/29"), other;
	struct session_spec spec = fixture_spec("192.88.99.3", 77);

	ck_assert_int_eq(session_open(&fixture.controld, &spec, &other), -EADDRINUSE);
	check_routed(&session, "192.88.99.0/29");
	change(&session, "");
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &other), 0);
	fixture_stop();
}
END_TEST

START_TEST(its_own_address_may_lie_in_its_prefix)
{
	struct session session = open_with("192.88.99.3", "192.88.99.0/29"), found;

	ck_assert_str_eq(why_refused(&session, 0), "");
	ck_assert(session.record->flags & BNG_SUBSCRIBER_ROUTES);
	change(&session, "");
	check_routed(&session, "");
	ck_assert(session_by_address(&fixture.controld, session.record->address_be, &found));
	change(&session, "192.88.99.2/31");
	ck_assert_int_eq(session_close(&fixture.controld, &session, SESSION_END_USER_REQUEST, "test"), 0);
	ck_assert_uint_eq(sessions_slot_of(fixture.controld.sessions, session.record->address_be),
			  session.slot); /* until the sweep has released it */
	fixture_stop();
}
END_TEST

START_TEST(what_was_refused_comes_when_it_can)
{
	struct session first = open_with("10.0.0.20", "192.88.99.0/30");
	struct session second = open_with("10.0.0.21", "192.88.99.0/29");

	check_routed(&second, "");
	ck_assert_str_eq(why_refused(&second, 0), "another session has addresses of it");
	session_close(&fixture.controld, &first, SESSION_END_USER_REQUEST, "test");
	ck_assert_int_eq(
		routes_feature.apply(&fixture.controld, fixture.controld.config, fixture.controld.config), 0);
	check_routed(&second, "192.88.99.0/29");
	ck_assert_str_eq(why_refused(&second, 0), "");
	fixture_stop();
}
END_TEST

START_TEST(a_new_pool_takes_the_addresses)
{
	struct session session = open_with("10.0.0.20", "198.51.100.32/30 198.51.100.128/30");

	check_routed(&session, "198.51.100.32/30 198.51.100.128/30");
	configure(POOL_WIDER, GATEWAY_WIDER);
	check_routed(&session, "198.51.100.128/30");
	ck_assert_str_eq(why_refused(&session, 0), "a DHCP pool or a gateway has addresses of it");
	configure(POOL, "");
	check_routed(&session, "198.51.100.32/30 198.51.100.128/30");
	fixture_stop();
}
END_TEST

START_TEST(full_is_refused_and_leaves_nothing)
{
	struct session session;
	char prefixes[256] = "";

	for (int i = 0; i < 2; i++) { /* 4,096 entries: two sessions with seven of them */
		struct session filler;

		prefixes[0] = '\0';
		for (int k = 0; k < 7; k++)
			snprintf(prefixes + strlen(prefixes), sizeof(prefixes) - strlen(prefixes),
				 "192.%d.%d.0/24 ", 90 + i, k);
		filler = open_with(i ? "10.0.0.31" : "10.0.0.30", prefixes);
		check_routed(&filler, prefixes);
	}
	session = open_with("10.0.0.20", "192.92.0.0/24 192.92.1.0/24 192.92.2.0/24 192.92.3.0/32");
	ck_assert_str_eq(why_refused(&session, 0), "map slot_of_address is full (/sizes/subscribers)");
	check_routed(&session, "192.92.0.0/24 192.92.1.0/24");
	fixture_stop();
}
END_TEST

static void adopt(struct session *session, struct session_detail *detail)
{
	session->record = &fixture.controld.maps->subscriber[session->slot];
	sessions_detail_set(fixture.controld.sessions, session, detail);
	routes_feature.hooks->adopted(&fixture.controld, session);
}

START_TEST(a_restart_keeps_them)
{
	struct session kept = open_with("10.0.0.20", "192.88.99.0/29 192.88.98.0/30");
	struct session lost = open_with("10.0.0.21", "192.88.97.0/30 192.88.97.8/30");
	struct session ended = open_with("10.0.0.22", "192.88.96.0/30");
	struct sessions_adopted adopted;
	uint32_t stray_be = htonl(0xc0586364);

	maps_set(fixture.controld.maps, MAP_slot_of_address, &stray_be, &kept.slot); /* 192.88.99.100 */
	ended.record->state = BNG_SUBSCRIBER_CLOSING;
	fixture_restart(&adopted);
	configure(POOL, "");
	ended.record = &fixture.controld.maps->subscriber[ended.slot];
	check_routed(&(struct session){lost.slot, &fixture.controld.maps->subscriber[lost.slot]},
		     "192.88.97.0/30 192.88.97.8/30");
	adopt(&lost, session_detail_new(1)); /* nothing is known of it */
	check_routed(&lost, "192.88.97.0/30 192.88.97.8/30");
	adopt(&kept, granted("192.88.99.0/29 192.88.98.0/29"));
	check_routed(&kept, "192.88.99.0/29 192.88.98.0/29"); /* and the stray one is gone */
	ended.record->flags = 0;
	check_routed(&ended, "");
	session_close(&fixture.controld, &lost, SESSION_END_USER_REQUEST, "test");
	check_routed(&lost, "");
	fixture_stop();
}
END_TEST

static Suite *routes_suite(void)
{
	Suite *suite = suite_create("routes");
	TCase *tests = tcase_create("routes");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, routed_while_the_session_is_up);
	tcase_add_loop_test(tests, refused_as_a_whole_and_the_others_not, 0,
			    sizeof(refusals) / sizeof(refusals[0]));
	tcase_add_test(tests, nobody_else_comes_up_with_a_routed_address);
	tcase_add_test(tests, its_own_address_may_lie_in_its_prefix);
	tcase_add_test(tests, what_was_refused_comes_when_it_can);
	tcase_add_test(tests, a_new_pool_takes_the_addresses);
	tcase_add_test(tests, full_is_refused_and_leaves_nothing);
	tcase_add_test(tests, a_restart_keeps_them);
	suite_add_tcase(suite, tests);
	return suite;
}

int main(void)
{
	return run_suite(routes_suite());
}
