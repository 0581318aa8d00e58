/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Rates: from bits a second to what the data plane has, and which one a session has in
 * its life, over reloads and restarts.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/feature.h"
#include "controld/maps/rate.h"
#include "controld/session/detail.h"
#include "controld_fixture.h"
#include "lib/clock.h"
#include "run.h"

#define SECOND 1000000000ULL

extern const struct bng_feature qos_feature;

static const struct fixture_sizes sizes = {4096, 8, 1024};
static char error[512];

/* ---- Conversion ------------------------------------------------------------------------ */

/* What passes in a second, as the data plane reckons (dataplane/rate.h). */
static uint64_t bytes_in_a_second(uint64_t limit, uint64_t size)
{
	uint64_t cost = (size * (limit & UINT32_MAX) + (1 << BNG_RATE_SHIFT) - 1) >> BNG_RATE_SHIFT;

	return SECOND / cost * size;
}

START_TEST(a_limit_is_never_above_the_rate_and_hardly_below)
{
	static const uint64_t tried[] = {8000,        9999,        64000,       1000000,
					 3000000,     10000000,    123456789,   1000000000,
					 10000000000, 25000000000, 100000000000};

	for (size_t i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
		uint64_t limit = rate_limit_of(tried[i], 0), bytes = bytes_in_a_second(limit, 1000);
		uint64_t told = rate_bits_s(limit);

		ck_assert_msg(bytes <= tried[i] / 8, "%lu: %lu bytes", tried[i], bytes);
		ck_assert_msg(bytes + 1000 >= tried[i] / 8 * 98 / 100, "%lu: %lu bytes", tried[i], bytes);
		ck_assert_msg(told <= tried[i] + 1 && told >= tried[i] - tried[i] / 500, "%lu: told %lu",
			      tried[i], told);
	}
	ck_assert_uint_eq(rate_bits_s(rate_limit_of(10000000, 0)), 10000000);
	ck_assert_uint_eq(rate_limit_of(0, 5), 0);
	ck_assert_uint_eq(rate_bits_s(0), 0);
	ck_assert_uint_eq(rate_burst(0), 0);
}
END_TEST

START_TEST(outside_the_bounds_the_nearest)
{
	ck_assert_uint_eq(rate_limit_of(1, 0), rate_limit_of(RATE_BITS_MIN, 0));
	ck_assert_uint_eq(rate_limit_of(UINT64_MAX, 0), rate_limit_of(RATE_BITS_MAX, 0));
	ck_assert(rate_is_valid(0) && rate_is_valid(8000) && rate_is_valid(100000000000));
	ck_assert(!rate_is_valid(7999) && !rate_is_valid(100000000001));
}
END_TEST

static const struct {
	uint64_t bits_s;
	uint64_t asked;
	uint64_t burst;
} bursts[] = {
	{100000000, 0, 1250000}, /* 100 ms */
	{100000, 0, 15000},      /* ten packets are more */
	{8000, 0, 15000},
	{100000000, 2000000, 2000000}, /* as asked for */
	{100000000, 20000, 250000},    /* but 20 ms */
	{1000000, 1, 15000},           /* and ten packets */
	{100000000000, 0, 1250000000},
	{8000, UINT64_MAX, 4294967}, /* more than an hour cannot be told */
	{100000000000, UINT64_MAX, 4294967295},
};

START_TEST(a_burst_is_long_enough)
{
	uint64_t limit = rate_limit_of(bursts[_i].bits_s, bursts[_i].asked), burst = rate_burst(limit);
	uint64_t microsecond = bursts[_i].bits_s / 8000000 + 2;

	ck_assert_msg(burst + burst / 300 + microsecond >= bursts[_i].burst &&
			      burst <= bursts[_i].burst + microsecond,
		      "%lu bit/s, %lu asked: %lu", bursts[_i].bits_s, bursts[_i].asked, burst);
}
END_TEST

START_TEST(what_passed_under_another_limit_is_not_waited_for)
{
	struct bng_subscriber record = {.flags = BNG_SUBSCRIBER_OUTER_AD};
	uint64_t slow = rate_limit_of(8000, 0), fast = rate_limit_of(100000000, 0), now = 5 * SECOND;

	ck_assert(rate_set(&record, slow, 0, now));
	ck_assert_uint_eq(record.flags, BNG_SUBSCRIBER_OUTER_AD | BNG_SUBSCRIBER_RATE);
	record.rate_up.due_ns = now + 14 * SECOND; /* nearly all of its burst */
	ck_assert(!rate_set(&record, slow, 0, now));
	ck_assert_uint_eq(record.rate_up.due_ns, now + 14 * SECOND);
	ck_assert(rate_set(&record, fast, slow, now));
	ck_assert_uint_eq(record.rate_up.due_ns, now + SECOND / 10);
	record.rate_up.due_ns = now + 7; /* what is owed stays owed */
	ck_assert(rate_set(&record, slow, slow, now));
	ck_assert_uint_eq(record.rate_up.due_ns, now + 7);
	ck_assert(rate_set(&record, 0, 0, now));
	ck_assert_uint_eq(record.flags, BNG_SUBSCRIBER_OUTER_AD);
	ck_assert(!rate_set(&record, 0, 0, now));
}
END_TEST

/* ---- Configuration ------------------------------------------------------------------------ */

static int read_qos(const char *qos, struct config **config)
{
	static char text[65536];

	fixture_start(&sizes);
	snprintf(text, sizeof(text), "{\"qos\": %s,%s", qos, fixture_text("", "", "") + 1);
	fixture_stop();
	return config_parse(text, strlen(text), "bng.json", config, error, sizeof(error));
}

static const struct {
	const char *text;
	uint64_t bits_s;
} rates[] = {
	{"0", 0},         {"8000", 8000},        {"100000000000", 100000000000}, {"\"0\"", 0},
	{"\"8k\"", 8000}, {"\"10M\"", 10000000}, {"\"100G\"", 100000000000},     {"\"12345\"", 12345},
};

START_TEST(a_rate_is_a_number_or_a_text)
{
	struct config *config;
	char qos[128];

	snprintf(qos, sizeof(qos), "{\"default_down\": {\"rate\": %s, \"burst\": 15000}}", rates[_i].text);
	ck_assert_msg(!read_qos(qos, &config), "%s", error);
	ck_assert_uint_eq(config->qos.down.bits_s, rates[_i].bits_s);
	ck_assert_uint_eq(config->qos.down.burst_bytes, 15000);
	ck_assert_uint_eq(config->qos.up.bits_s, 0);
	ck_assert_uint_eq(config->qos.up.burst_bytes, 0);
	config_free(config);
}
END_TEST

static const struct {
	const char *qos;
	const char *expected;
} wrong[] = {
	{"{\"default_up\": {\"rate\": 7999}}", "/qos/default_up/rate: 7999: must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": 100000000001}}",
	 "/qos/default_up/rate: 100000000001: must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": -1}}", "/qos/default_up/rate: -1: must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": 1.5}}", "/qos/default_up/rate: 1.5: must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"10m\"}}",
	 "/qos/default_up/rate: \"10m\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"10M5\"}}",
	 "/qos/default_up/rate: \"10M5\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"M\"}}",
	 "/qos/default_up/rate: \"M\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"\"}}", "/qos/default_up/rate: \"\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"101G\"}}",
	 "/qos/default_up/rate: \"101G\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"7k\"}}",
	 "/qos/default_up/rate: \"7k\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"9999999999999\"}}",
	 "/qos/default_up/rate: \"9999999999999\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"999999999999G\"}}",
	 "/qos/default_up/rate: \"999999999999G\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"-1M\"}}",
	 "/qos/default_up/rate: \"-1M\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": \"1 M\"}}",
	 "/qos/default_up/rate: \"1 M\": must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": true}}", "/qos/default_up/rate: true: must be 0 (unlimited) or 8000-"},
	{"{\"default_up\": {\"rate\": []}}", "/qos/default_up/rate: []: must be 0 (unlimited) or 8000-"},
	{"{\"default_down\": {\"burst\": 14999}}",
	 "/qos/default_down/burst: 14999: must be 0 (the default) or at least 15000 bytes, ten full packets"},
	{"{\"default_down\": {\"burst\": 4294967296}}",
	 "/qos/default_down/burst: 4294967296: must be an integer"},
	{"{\"default_down\": {\"bursts\": 15000}}", "/qos/default_down/bursts: 15000: "},
	{"{\"default_down\": 8000}", "/qos/default_down: 8000: must be an object"},
	{"{\"up\": {}}", "/qos/up: "},
	{"7", "/qos: 7: must be an object"},
};

START_TEST(an_error_names_its_place)
{
	struct config *config = NULL;

	ck_assert_int_ne(read_qos(wrong[_i].qos, &config), 0);
	ck_assert_ptr_null(config);
	ck_assert_msg(strstr(error, wrong[_i].expected), "%s: %s", wrong[_i].qos, error);
}
END_TEST

/* ---- Sessions ---------------------------------------------------------------------------- */

static void configure(const char *qos, const char *sessions)
{
	static char text[65536];
	const char *rest = fixture_text("", sessions, "");

	snprintf(text, sizeof(text), "{\"qos\": %s,%s", qos, rest + 1);
	ck_assert_msg(!fixture_configure(text, error, sizeof(error)), "%s", error);
}

static void opened(struct controld *controld, int failure, const struct session *session, void *context)
{
	(void)controld;
	ck_assert_int_eq(failure, 0);
	*(struct session *)context = *session;
}

/* A subscriber that "r1" has granted these rates, 0: nothing was said. */
static struct session open_granted(const char *address, uint64_t up, uint64_t down)
{
	struct session_detail *detail = session_detail_new(session_new_id(&fixture.controld));
	struct session_spec spec = fixture_spec(address, (uint32_t)detail->session_id);
	struct session session = {0};

	spec.kind = BNG_SESSION_PPPOE;
	detail->source = strdup("r1");
	detail->profile.up.bits_s = up;
	detail->profile.down.bits_s = down;
	detail->profile.given = (up ? PROFILE_RATE_UP : 0) | (down ? PROFILE_RATE_DOWN : 0);
	ck_assert_int_eq(session_open_durable(&fixture.controld, &spec, detail, opened, &session), 0);
	sessions_run(&fixture.controld);
	ck_assert_ptr_nonnull(session.record);
	return session;
}

static void check_rates(const struct session *session, uint64_t up, uint64_t down)
{
	ck_assert_uint_eq(rate_bits_s(session->record->rate_up.limit), up);
	ck_assert_uint_eq(rate_bits_s(session->record->rate_down.limit), down);
	ck_assert_int_eq(!!(session->record->flags & BNG_SUBSCRIBER_RATE), up || down);
}

static void setup(void)
{
	fixture_start(&sizes);
}

#define DEFAULTS                                                                                             \
	"{\"default_up\": {\"rate\": \"10M\"}, \"default_down\": {\"rate\": 50000000, \"burst\": 2000000}}"
#define HIGHER "{\"default_up\": {\"rate\": \"20M\"}, \"default_down\": {\"rate\": 50000000}}"
#define STATIC                                                                                               \
	"{\"address\": \"192.0.2.9\", \"mac\": \"02:00:00:00:00:09\", \"interface\": \"access0\", "          \
	"\"nat_pool\": \"\"}"

START_TEST(granted_or_the_default_or_none)
{
	struct session both, up, none, fixed;

	configure(DEFAULTS, STATIC);
	both = open_granted("192.0.2.1", 1000000, 2000000);
	up = open_granted("192.0.2.2", 1000000, 0);
	none = open_granted("192.0.2.3", 0, 0);
	ck_assert(session_by_address(&fixture.controld, htonl(0xc0000209), &fixed));
	check_rates(&both, 1000000, 2000000);
	check_rates(&up, 1000000, 50000000);
	check_rates(&none, 10000000, 50000000);
	check_rates(&fixed, 10000000, 50000000);
	ck_assert_uint_eq(rate_burst(none.record->rate_down.limit), 2000000);
	ck_assert_uint_eq(rate_burst(none.record->rate_up.limit), 125000);
	configure(HIGHER, STATIC);
	check_rates(&both, 1000000, 2000000);
	check_rates(&up, 1000000, 50000000);
	check_rates(&none, 20000000, 50000000);
	check_rates(&fixed, 20000000, 50000000);
	ck_assert_uint_eq(rate_burst(none.record->rate_down.limit), 625000);
	ck_assert_uint_eq(fixture.downs, 0); /* a static session is the same one with a rate */
	configure("{}", STATIC);
	check_rates(&both, 1000000, 2000000);
	check_rates(&up, 1000000, 0);
	check_rates(&none, 0, 0);
	check_rates(&fixed, 0, 0);
	fixture_stop();
}
END_TEST

START_TEST(a_change_is_live)
{
	struct session_profile changes = {.given = PROFILE_RATE_DOWN, .down = {5000000, 800000}};
	struct session session;

	configure(DEFAULTS, "");
	session = open_granted("192.0.2.1", 1000000, 2000000);
	ck_assert_int_eq(session_change(&fixture.controld, &session, &changes, "test"), 0);
	check_rates(&session, 1000000, 5000000);
	ck_assert_uint_eq(rate_burst(session.record->rate_down.limit), 800000);
	changes.down = (struct profile_rate){0, 0}; /* given: unlimited */
	ck_assert_int_eq(session_change(&fixture.controld, &session, &changes, "test"), 0);
	check_rates(&session, 1000000, 0);
	changes.down = (struct profile_rate){1, 0};
	ck_assert_int_eq(session_change(&fixture.controld, &session, &changes, "test"), 0);
	check_rates(&session, 1000000, 8000);
	fixture_stop();
}
END_TEST

static void adopt(const struct session *session, struct session_detail *detail)
{
	sessions_detail_set(fixture.controld.sessions, session, detail);
	qos_feature.hooks->adopted(&fixture.controld, session);
}

static struct session_detail *granted(uint64_t down)
{
	struct session_detail *detail = session_detail_new(1);

	detail->source = strdup("r1");
	detail->profile.given = down ? PROFILE_RATE_DOWN : 0;
	detail->profile.down.bits_s = down;
	return detail;
}

START_TEST(a_restart_writes_only_what_is_different)
{
	struct sessions_adopted adopted;
	struct bng_subscriber before;
	struct session session, lost;

	configure(DEFAULTS, "");
	session = open_granted("192.0.2.1", 1000000, 2000000);
	lost = open_granted("192.0.2.2", 1000000, 2000000);
	session.record->rate_down.due_ns = lost.record->rate_down.due_ns = clock_boottime_ns() + SECOND / 20;
	before = *session.record;
	fixture_restart(&adopted);
	ck_assert_uint_eq(adopted.active, 2);
	configure(HIGHER, "");
	session.record = &fixture.controld.maps->subscriber[session.slot];
	lost.record = &fixture.controld.maps->subscriber[lost.slot];
	check_rates(&session, 1000000, 2000000); /* before anything is known of it */
	adopt(&session, granted(2000000));
	before.rate_up.limit = rate_limit_of(20000000, 0); /* its detail says nothing of it */
	ck_assert_mem_eq(session.record, &before, sizeof(before));
	adopt(&lost, session_detail_new(1)); /* the bus has lost who it is */
	check_rates(&lost, 1000000, 2000000);
	configure(DEFAULTS, "");
	check_rates(&lost, 1000000, 2000000);
	fixture_stop();
}
END_TEST

START_TEST(who_is_not_known_and_has_the_default_gets_the_next_one)
{
	struct session_spec spec = fixture_spec("192.0.2.1", 1);
	struct session session;

	configure(DEFAULTS, "");
	spec.kind = BNG_SESSION_DHCP;
	ck_assert_int_eq(session_open(&fixture.controld, &spec, &session), 0);
	check_rates(&session, 10000000, 50000000);
	configure(HIGHER, "");
	check_rates(&session, 20000000, 50000000);
	fixture_stop();
}
END_TEST

static Suite *qos_suite(void)
{
	Suite *suite = suite_create("qos");
	TCase *conversion = tcase_create("conversion"), *config = tcase_create("config"),
	      *sessions = tcase_create("sessions");

	tcase_add_test(conversion, a_limit_is_never_above_the_rate_and_hardly_below);
	tcase_add_test(conversion, outside_the_bounds_the_nearest);
	tcase_add_loop_test(conversion, a_burst_is_long_enough, 0, sizeof(bursts) / sizeof(bursts[0]));
	tcase_add_test(conversion, what_passed_under_another_limit_is_not_waited_for);
	suite_add_tcase(suite, conversion);
	tcase_add_loop_test(config, a_rate_is_a_number_or_a_text, 0, sizeof(rates) / sizeof(rates[0]));
	tcase_add_loop_test(config, an_error_names_its_place, 0, sizeof(wrong) / sizeof(wrong[0]));
	suite_add_tcase(suite, config);
	tcase_add_checked_fixture(sessions, setup, NULL);
	tcase_add_test(sessions, granted_or_the_default_or_none);
	tcase_add_test(sessions, a_change_is_live);
	tcase_add_test(sessions, a_restart_writes_only_what_is_different);
	tcase_add_test(sessions, who_is_not_known_and_has_the_default_gets_the_next_one);
	suite_add_tcase(suite, sessions);
	return suite;
}

int main(void)
{
	return run_suite(qos_suite());
}
