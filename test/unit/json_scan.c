/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/json_scan, lib/json_take: what is JSON and what is not, and where the parts of a call are.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json_scan.h"
#include "lib/json_take.h"
#include "lib/rpc.h"
#include "run.h"

static bool scans(const char *text, size_t length)
{
	struct json_scan scan = {text, text + length};
	struct json_slice value;
	return json_scan_value(&scan, &value) && json_scan_ended(&scan);
}

static const char *const good[] = {
	"{}",
	" [ ] ",
	"[1,-0,0.5,1e5,-1.25E-09,123456789012345678]",
	"\"\"",
	"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\"",
	"\"\\ud83d\\ude00\"",
	"\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"",
	"{\"a\":{\"b\":[true,false,null,{}]},\"c\":\"d\"}",
};

START_TEST(accepts)
{
	ck_assert_msg(scans(good[_i], strlen(good[_i])), "%s", good[_i]);
	/* No prefix of a whole text is whole, and nothing is read behind the end. */
	for (size_t length = 0; length < strlen(good[_i]); length++) {
		char *copy = malloc(length + 1);
		memcpy(copy, good[_i], length);
		bool blank = strspn(good[_i] + length, " ") == strlen(good[_i] + length);
		if (!blank)
			ck_assert_msg(!scans(copy, length), "%s: %zu", good[_i], length);
		free(copy);
	}
}
END_TEST

static const char *const bad[] = {
	"",
	"{",
	"}",
	"{]",
	"[1,]",
	"[,1]",
	"[1 2]",
	"{\"a\":1,}",
	"{\"a\"}",
	"{\"a\" 1}",
	"{a:1}",
	"{1:1}",
	"tru",
	"nul",
	"True",
	"01",
	"-",
	"+1",
	"1.",
	".5",
	"1e",
	"1e+",
	"1e100",
	"1234567890123456789",
	"0x1",
	"\"",
	"\"\t\"",
	"\"\x01\"",
	"\"\\x\"",
	"\"\\u12g4\"",
	"\"\\u0000\"",
	"\"\\ud800\"",
	"\"\\ude00\"",
	"\"\\ud83d\\u0041\"",
	"\"\xc3\"",
	"\"\xc0\x80\"",
	"\"\xe0\x80\x80\"",
	"\"\xed\xa0\x80\"",
	"\"\xf4\x90\x80\x80\"",
	"\"\xff\"",
	"1 2",
	"{} x",
	"[1}",
};

START_TEST(refuses)
{
	ck_assert_msg(!scans(bad[_i], strlen(bad[_i])), "%s", bad[_i]);
}
END_TEST

START_TEST(nesting_is_bounded)
{
	char text[2 * JSON_SCAN_DEPTH + 2];
	memset(text, '[', JSON_SCAN_DEPTH);
	memset(text + JSON_SCAN_DEPTH, ']', JSON_SCAN_DEPTH);
	ck_assert(scans(text, 2 * JSON_SCAN_DEPTH));
	memset(text, '[', JSON_SCAN_DEPTH + 1);
	memset(text + JSON_SCAN_DEPTH + 1, ']', JSON_SCAN_DEPTH + 1);
	ck_assert(!scans(text, 2 * JSON_SCAN_DEPTH + 2));
}
END_TEST

static const struct {
	const char *line;
	bool parts;
} lines[] = {
	{"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\",\"params\":{\"a\":[1]}}", true},
	{"{ \"params\" : {} , \"method\" : \"m\" , \"jsonrpc\" : \"2.0\" } ", true},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", true},
	{"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}", true},
	{"{\"jsonrpc\":\"1.0\",\"method\":\"m\"}", false},
	{"{\"method\":\"m\"}", false},
	{"{\"jsonrpc\":\"2.0\"}", false},
	{"{\"jsonrpc\":\"2.0\",\"method\":5}", false},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"method\":\"n\"}", false},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[1]}", false},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{}}", false},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"other\":1}", false},
	{"{\"jsonrpc\":\"2.0\",\"m\\u0065thod\":\"m\"}", false},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"m\"} x", false},
	{"[]", false},
};

START_TEST(parts_of_a_line)
{
	struct rpc_parts parts;
	ck_assert_msg(rpc_line_parts(lines[_i].line, strlen(lines[_i].line), &parts) == lines[_i].parts, "%s",
		      lines[_i].line);
	if (!lines[_i].parts)
		return;
	ck_assert(json_slice_is(parts.method, "m"));
	ck_assert(!parts.params.text || parts.params.text[0] == '{');
	ck_assert(_i != 0 || (json_slice_is(parts.id, "7") && json_slice_is(parts.params, "{\"a\":[1]}")));
}
END_TEST

/* ---- Values out of it (lib/json_take.h) ------------------------------------------------ */

static struct json_slice slice(const char *text)
{
	return (struct json_slice){text, strlen(text)};
}

static const struct {
	const char *text;
	bool is_integer;
	int64_t number;
} integers[] = {
	{"0", true, 0},
	{"-5", true, -5},
	{"100", true, 100},
	{"101", false, 0},
	{"-6", false, 0},
	{"", false, 0},
	{"-", false, 0},
	{"1.0", false, 0},
	{"1e1", false, 0},
	{"\"1\"", false, 0},
	{"null", false, 0},
	{" 1", false, 0},
	{"1000000000000000000000", false, 0},
};

START_TEST(integers_are_taken_within_their_bounds)
{
	int64_t number = 0;

	ck_assert(json_take_integer(slice(integers[_i].text), -5, 100, &number) == integers[_i].is_integer);
	if (integers[_i].is_integer)
		ck_assert_int_eq(number, integers[_i].number);
}
END_TEST

START_TEST(strings_are_taken_with_and_without_escapes)
{
	static const struct {
		const char *json, *text;
	} rows[] = {{"\"\"", ""}, {"\"abc\"", "abc"}, {"\"a\\\"\\u00e4\"", "a\"\xc3\xa4"},
		    {"7", NULL},  {"null", NULL},     {"[]", NULL}};
	char four[4];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = json_take_string(slice(rows[i].json));

		ck_assert_pstr_eq(text, rows[i].text);
		free(text);
	}
	ck_assert(json_take_chars(slice("\"abc\""), four, sizeof(four)));
	ck_assert_str_eq(four, "abc");
	ck_assert(!json_take_chars(slice("\"abcd\""), four, sizeof(four)));
	ck_assert(!json_take_chars(slice("\"\\n\""), four, sizeof(four)));
	ck_assert(!json_take_chars(slice("1"), four, sizeof(four)));
}
END_TEST

struct pair {
	int64_t a, b;
};

static bool take_a(struct json_slice value, void *into)
{
	return json_take_integer(value, 0, 9, &((struct pair *)into)->a);
}

static bool take_b(struct json_slice value, void *into)
{
	return json_take_integer(value, 0, 9, &((struct pair *)into)->b);
}

static const struct {
	const char *text;
	bool is_taken;
} objects[] = {
	{"{\"a\":1,\"b\":2}", true},
	{" { \"b\" : 2 , \"x\" : [{}] , \"a\" : 1 } ", true},
	{"{\"a\":1}", true},
	{"{\"b\":2}", false},
	{"{\"a\":1,\"a\":1}", false},
	{"{\"a\":\"1\"}", false},
	{"{\"a\":1,\"b\":10}", false},
	{"{\"a\":1", false},
	{"{\"a\":1}}", false},
	{"{\"a\":1,\"x\":tru}", false},
	{"[1]", false},
	{"", false},
};

START_TEST(objects_are_taken_by_a_table)
{
	static const struct json_taker takers[] = {{"a", take_a, true}, {"b", take_b, false}};
	struct pair pair = {0, 2};

	ck_assert_msg(json_take_object(slice(objects[_i].text), takers, 2, &pair) == objects[_i].is_taken,
		      "%s", objects[_i].text);
	if (objects[_i].is_taken)
		ck_assert(pair.a == 1 && pair.b == 2);
	ck_assert(!json_take_object((struct json_slice){NULL, 0}, takers, 2, &pair));
}
END_TEST

static bool add_digit(struct json_slice value, size_t index, void *context)
{
	int64_t digit, *number = context;

	if (index == 3 || !json_take_integer(value, 0, 9, &digit))
		return false;
	*number = *number * 10 + digit;
	return true;
}

START_TEST(arrays_are_taken_in_their_order)
{
	static const char *const wrong[] = {"[1,2,3,4]", "[1,x]", "[1,2", "[1]]", "{}", "[,1]", "1"};
	int64_t number = 0;

	ck_assert(json_take_array(slice("[1, 2,3]"), add_digit, &number));
	ck_assert_int_eq(number, 123);
	ck_assert(json_take_array(slice("[]"), add_digit, &number));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(!json_take_array(slice(wrong[i]), add_digit, &number), "%s", wrong[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("json_scan");
	TCase *tests = tcase_create("json_scan");
	tcase_add_loop_test(tests, accepts, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tests, refuses, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tests, nesting_is_bounded);
	tcase_add_loop_test(tests, parts_of_a_line, 0, sizeof(lines) / sizeof(lines[0]));
	tcase_add_loop_test(tests, integers_are_taken_within_their_bounds, 0,
			    sizeof(integers) / sizeof(integers[0]));
	tcase_add_test(tests, strings_are_taken_with_and_without_escapes);
	tcase_add_loop_test(tests, objects_are_taken_by_a_table, 0, sizeof(objects) / sizeof(objects[0]));
	tcase_add_test(tests, arrays_are_taken_in_their_order);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
