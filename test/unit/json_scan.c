/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * lib/json_scan: what is JSON and what is not, and where the parts of a call are.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json_scan.h"
#include "lib/rpc.h"

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

int main(void)
{
	Suite *suite = suite_create("json_scan");
	TCase *tests = tcase_create("json_scan");
	tcase_add_loop_test(tests, accepts, 0, sizeof(good) / sizeof(good[0]));
	tcase_add_loop_test(tests, refuses, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tests, nesting_is_bounded);
	tcase_add_loop_test(tests, parts_of_a_line, 0, sizeof(lines) / sizeof(lines[0]));
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
