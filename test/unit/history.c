/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moments as people write them, and who had a port by lines of a log, also when some
 * come twice, late or not at all.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/history.h"
#include "lib/address.h"
#include "run.h"

#define NOW 1795168805000ll /* 2026-11-20T10:00:05Z */

/* ---- moments ------------------------------------------------------------------------ */

static const struct {
	const char *text;
	int64_t from, length;
} moments[] = {
	{"2026-11-20T10:00:05Z", NOW, 1000},
	{"2026-11-20t10:00:05z", NOW, 1000},
	{"2026-11-20 10:00:05Z", NOW, 1000},
	{"2026-11-20T10:00:05.25Z", NOW + 250, 1},
	{"2026-11-20T10:00:05.123456Z", NOW + 123, 1},
	{"2026-11-20T11:00:05+01:00", NOW, 1000},
	{"2026-11-20T04:30:05-0530", NOW, 1000},
	{"2026-11-20T10:00Z", NOW - 5000, 60000},
	{"2026-11-20 12:00:05", NOW, 1000}, /* local time: see main */
	{"2026-07-20 12:00", 1784538000000ll, 60000},
	{"12:00:05", NOW, 1000},
	{"@1795168805", NOW, 1000},
	{"1970-01-01T00:00:00Z", 0, 1000},
	{"2024-02-29T00:00:00Z", 1709164800000ll, 1000},
};

START_TEST(moments_are_read)
{
	struct when when = {0};

	ck_assert_int_eq(when_parse(moments[_i].text, NOW, &when), 0);
	ck_assert_int_eq(when.from, moments[_i].from);
	ck_assert_int_eq(when.to - when.from, moments[_i].length);
}
END_TEST

static const char *const no_moments[] = {
	"",
	"yesterday",
	"2026-11-20",
	"2026-11-20T",
	"2026-11-20T10",
	"2026-13-20T10:00Z",
	"2026-11-31T10:00Z",
	"2025-02-29T10:00Z",
	"2026-11-20T24:00Z",
	"2026-11-20T10:60Z",
	"2026-11-20T10:00:05X",
	"2026-11-20T10:00:05Zx",
	"2026-11-20T10:00:05.Z",
	"2026-11-20T10:00.5Z",
	"2026-11-20T10:00:05+1",
	"2026-11-20T10:00:05+0100x",
	"2026-11-20T10:00:05+24:00",
	"26-11-20T10:00Z",
	"-2026-11-20T10:00Z",
	"10:0",
	"@",
	"@-5",
	"@5x",
	"@999999999999",
};

START_TEST(what_is_no_moment_is_refused)
{
	struct when when = {7, 8};

	ck_assert_int_eq(when_parse(no_moments[_i], NOW, &when), -EINVAL);
	ck_assert_int_eq(when.from, 7);
}
END_TEST

START_TEST(exact_moments_round_trip)
{
	char text[WHEN_TEXT];
	int64_t moment;

	for (int64_t at = 0; at < 4102444800000ll; at += 86400000ll * 7 + 12345678) {
		when_format(at, text);
		ck_assert_int_eq(when_exact(text, strlen(text), &moment), 0);
		ck_assert_int_eq(moment, at);
	}
	ck_assert_int_ne(when_exact("2026-11-20T10:00:05", 19, &moment), 0);
	ck_assert_int_ne(when_exact("2026-11-20T10:00:05Z", 10, &moment), 0);
}
END_TEST

/* ---- history ----------------------------------------------------------------------------- */

static struct history history;
static struct history_holder holders[4];

/* Who had 203.0.113.0:2000 from `at` seconds after NOW on, for one second. */
static void ask(int at)
{
	struct when when = {NOW + at * 1000, NOW + at * 1000 + 1000};

	history_begin(&history, 0xcb007100, 2000, &when);
}

__attribute__((format(printf, 3, 4))) static void line(int at, const char *type, const char *format, ...)
{
	char text[1024], when[WHEN_TEXT];
	va_list arguments;
	int length = snprintf(text, sizeof(text), "{\"time\":\"%s\",\"type\":\"%s\"",
			      when_format(NOW + at * 1000, when), type);

	va_start(arguments, format);
	length += vsnprintf(text + length, sizeof(text) - (size_t)length, format, arguments);
	va_end(arguments);
	text[length++] = '}';
	history_line(&history, text, (size_t)length);
}

static void block(int at, bool given, int session, int first, const char *public)
{
	line(at, given ? "block_allocated" : "block_freed",
	     ",\"session\":%d,\"address\":\"100.64.0.%d\",\"public\":\"%s\",\"first\":%d,\"last\":%d,"
	     "\"pool\":\"n\"",
	     session, session, public, first, first + 511);
}

static void given(int at, int session)
{
	block(at, true, session, 1536, "203.0.113.0");
}

static void taken(int at, int session)
{
	block(at, false, session, 1536, "203.0.113.0");
}

/* Subscribers of 100.64.N.0/24, one block each of 203.0.113.0/30. */
static void rule(int at, int since, int n)
{
	char when[WHEN_TEXT];

	line(at, "deterministic_pools",
	     ",\"since\":\"%s\",\"pools\":[{\"name\":\"d\",\"prefixes\":[\"203.0.113.0/"
	     "30\"],\"block_size\":512,"
	     "\"deterministic\":{\"subscribers\":[\"100.64.%d.0/24\"]}}]",
	     when_format(NOW + since * 1000, when), n);
}

static void no_rule(int at, int since)
{
	char when[WHEN_TEXT];

	line(at, "deterministic_pools", ",\"since\":\"%s\",\"pools\":[]",
	     when_format(NOW + since * 1000, when));
}

/* The sessions that had it, "7 8"; "d100.64.1.1" by rule. */
static const char *answer(void)
{
	static char text[128];
	size_t count = history_holders(&history, holders, 4), length = 0;
	char address[ADDRESS_TEXT];

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (holders[i].kind == HISTORY_DETERMINISTIC)
			length += (size_t)sprintf(text + length, "%sd%s", i ? " " : "",
						  address_format(htonl(holders[i].subscriber), address));
		else
			length += (size_t)sprintf(text + length, "%s%lld", i ? " " : "",
						  (long long)holders[i].session);
	return text;
}

static const struct {
	int at;
	const char *answer;
	bool covered;
} life[] = {
	{-200, "", false}, {-101, "", false}, {-90, "", true},  {0, "7", true},
	{9, "7", true},    {10, "", true},    {130, "8", true}, {139, "8", true},
	{150, "", true},   {200, "9", true},  {999, "9", true},
};

START_TEST(holders_come_and_go)
{
	ask(life[_i].at);
	given(200, 9);
	taken(140, 8);
	line(-100, "something_new", ",\"of\":\"a later version\"");
	given(130, 8);
	given(130, 8); /* at least once */
	given(0, 7);
	taken(10, 7);
	taken(10, 7);
	block(0, true, 1, 1024, "203.0.113.0");
	block(0, true, 2, 1536, "203.0.113.1");
	ck_assert_str_eq(answer(), life[_i].answer);
	ck_assert_int_eq(history_covers(&history), life[_i].covered);
	ck_assert_uint_eq(history.unreadable, 0);
	history_done(&history);
}
END_TEST

START_TEST(a_whole_second_may_have_two_holders)
{
	ask(10);
	given(0, 7);
	taken(10, 7);
	given(10, 8);
	ck_assert_str_eq(answer(), "8"); /* given back at the very beginning */
	history_done(&history);
	ask(9);
	history.when.to += 1000;
	given(0, 7);
	taken(10, 7);
	given(10, 8);
	ck_assert_str_eq(answer(), "7 8");
	history_done(&history);
}
END_TEST

/* Given before the log begins: had it since the beginning, at least. */
START_TEST(what_came_before_the_log_is_seen_by_its_end)
{
	for (int at = -200; at <= 100; at += 100) {
		ask(at);
		line(-100, "x", "%s", "");
		taken(50, 7);
		ck_assert_str_eq(answer(), at == -100 || at == 0 ? "7" : "");
		if (holders[0].session == 7 && at == 0)
			ck_assert_int_eq(holders[0].given, -1);
		history_done(&history);
	}
}
END_TEST

/* The record of a release is lost: the next holder ends it. */
START_TEST(what_was_lost_ends_with_the_next)
{
	ask(5);
	given(0, 7);
	given(100, 8);
	line(60, "events_lost", ",\"count\":3");
	line(50, "records_lost", ",\"count\":4");
	ck_assert_str_eq(answer(), "7");
	ck_assert(holders[0].cut);
	ck_assert_int_eq(holders[0].returned, NOW + 100000);
	ck_assert_int_eq(history.lost, 7);
	ck_assert_int_eq(history.lost_last, NOW + 60000);
	history_done(&history);
	ask(150);
	given(0, 7);
	given(100, 8);
	ck_assert_str_eq(answer(), "8");
	history_done(&history);
}
END_TEST

/* 2000 is a port of the second subscriber. */
START_TEST(rfc7422_the_rule_of_then_answers)
{
	static const struct {
		int at;
		const char *answer;
	} rows[] = {{-50, "d100.64.0.1"},
		    {99, "d100.64.0.1"},
		    {100, "d100.64.1.1"},
		    {200, ""},
		    {300, "d100.64.2.1"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool known;

		ask(rows[i].at);
		rule(300, 300, 2);
		no_rule(200, 200);
		rule(150, 100, 1);
		rule(101, 100, 1); /* a file begins with it again */
		rule(0, -100, 0);
		ck_assert_str_eq(answer(), rows[i].answer);
		history_rule_at(&history, history.when.from, &known);
		ck_assert(known);
		history_done(&history);
	}
}
END_TEST

/* What the log names has it, whatever the rule says; with it, that is overflow. */
START_TEST(what_is_in_the_log_goes_before_the_rule)
{
	ask(5);
	rule(-10, -10, 0);
	given(0, 7);
	taken(10, 7);
	ck_assert_str_eq(answer(), "7");
	ck_assert_int_eq(holders[0].kind, HISTORY_OVERFLOW);
	history_done(&history);
	ask(11);
	rule(-10, -10, 0);
	given(0, 7);
	taken(10, 7);
	ck_assert_str_eq(answer(), "d100.64.0.1");
	history_done(&history);
}
END_TEST

static struct deterministic *configured(void)
{
	json_t *pool = json_loads("{\"prefixes\": [\"203.0.113.0/30\"], \"deterministic\": "
				  "{\"subscribers\": [\"10.0.0.0/24\"]}}",
				  0, NULL);
	struct json_reader reader;
	struct deterministic *read;

	json_reader_init(&reader);
	read = deterministic_read(&reader, pool);
	json_decref(pool);
	return read;
}

START_TEST(the_configuration_answers_where_no_log_does)
{
	bool known;

	ask(0);
	history_configured(&history, configured(), "c");
	ck_assert_str_eq(answer(), "d10.0.0.1");
	history_rule_at(&history, NOW, &known);
	ck_assert(!known);
	history_done(&history);
	ask(0); /* a log that knows of rules */
	rule(-5, -5, 0);
	history_configured(&history, configured(), "c");
	ck_assert_str_eq(answer(), "d100.64.0.1");
	history_done(&history);
	ask(0); /* a log that was written under no rule */
	line(-5, "x", "%s", "");
	history_configured(&history, configured(), "c");
	ck_assert_str_eq(answer(), "");
	history_done(&history);
	ask(-10); /* and does not go back to then */
	line(-5, "x", "%s", "");
	history_configured(&history, configured(), "c");
	ck_assert_str_eq(answer(), "d10.0.0.1");
	history_rule_at(&history, history.when.from, &known);
	ck_assert(!known);
	history_done(&history);
}
END_TEST

static const char *const garbage[] = {
	"torn",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"block_allocated\",\"public\":\"203.0.113.0\"",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"block_allocated\",\"public\":\"203.0.113.0\"}",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"block_freed\",\"session\":-1,\"address\":\"10.0.0."
	"1\","
	"\"public\":\"203.0.113.0\",\"first\":1536,\"last\":2047}",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"block_freed\",\"session\":1,\"address\":\"10.0.0."
	"1\","
	"\"public\":\"203.0.113.0\",\"first\":1536,\"last\":65536}",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"block_freed\",\"session\":1,\"address\":\"10.0.0."
	"1\","
	"\"public\":\"203.0.113.0\",\"first\":1536,\"last\":1535}",
	"{\"time\":\"2026-11-20\",\"type\":\"events_lost\",\"count\":1}",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"events_lost\",\"count\":-1}",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"deterministic_pools\",\"since\":\"x\",\"pools\":[]"
	"}",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"deterministic_pools\",\"since\":"
	"\"2026-11-20T10:00:00.000Z\",\"pools\":[{\"name\":\"n\"}]}",
	"{\"time\":\"2026-11-20T10:00:00.000Z\",\"time\":\"2026-11-20T10:00:00.000Z\",\"type\":\"x\"}",
	"[\"time\", \"2026-11-20T10:00:00.000Z\"]",
};

START_TEST(what_is_no_line_is_counted_and_passed_over)
{
	ask(0);
	history_line(&history, garbage[_i], strlen(garbage[_i]));
	history_line(&history, "", 0);
	ck_assert_uint_eq(history.lines, 1);
	ck_assert_uint_eq(history.unreadable, 1);
	ck_assert(!history_covers(&history));
	given(0, 7);
	ck_assert_str_eq(answer(), "7");
	history_done(&history);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("history");
	TCase *tests = tcase_create("history");

	setenv("TZ", "EET-2EEST,M3.5.0/3,M10.5.0/4", 1);
	tzset();
	tcase_add_loop_test(tests, moments_are_read, 0, sizeof(moments) / sizeof(*moments));
	tcase_add_loop_test(tests, what_is_no_moment_is_refused, 0, sizeof(no_moments) / sizeof(*no_moments));
	tcase_add_test(tests, exact_moments_round_trip);
	tcase_add_loop_test(tests, holders_come_and_go, 0, sizeof(life) / sizeof(*life));
	tcase_add_test(tests, a_whole_second_may_have_two_holders);
	tcase_add_test(tests, what_came_before_the_log_is_seen_by_its_end);
	tcase_add_test(tests, what_was_lost_ends_with_the_next);
	tcase_add_test(tests, rfc7422_the_rule_of_then_answers);
	tcase_add_test(tests, what_is_in_the_log_goes_before_the_rule);
	tcase_add_test(tests, the_configuration_answers_where_no_log_does);
	tcase_add_loop_test(tests, what_is_no_line_is_counted_and_passed_over, 0,
			    sizeof(garbage) / sizeof(*garbage));
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
