/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Dictionaries: the one that is shipped, those of FreeRADIUS, and each line that is
 * refused by its number.
 */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/radius/dictionary.h"
#include "run.h"

static char error[512];

static void described(const struct dictionary *dictionary, uint32_t vendor, uint8_t type, const char *value,
		      size_t length, const char *name, const char *text)
{
	struct radius_attribute attribute = {vendor, type, (uint8_t)length, (const uint8_t *)value};
	json_t *said = dictionary_describe(dictionary, &attribute);

	ck_assert_str_eq(json_string_value(json_object_get(said, "name")), name);
	ck_assert_str_eq(json_string_value(json_object_get(said, "value")), text);
	json_decref(said);
}

START_TEST(shipped_dictionary_names_what_comes)
{
	struct dictionary *d = dictionary_new();

	ck_assert_msg(!dictionary_load(d, DICTIONARY, error, sizeof(error)), "%s", error);
	described(d, 0, 8, "\x0a\0\0\x07", 4, "Framed-IP-Address", "10.0.0.7");
	described(d, 0, 8, "\x0a\0\0", 3, "Framed-IP-Address", "0x0a0000");
	described(d, 0, 6, "\0\0\0\x02", 4, "Service-Type", "Framed-User");
	described(d, 0, 27, "\0\0\x0e\x10", 4, "Session-Timeout", "3600");
	described(d, 0, 18, "hello", 5, "Reply-Message", "hello");
	described(d, 0, 18, "h\xff", 2, "Reply-Message", "0x68ff");
	described(d, 0, 18, "\x1b[2J", 4, "Reply-Message", "0x1b5b324a");
	described(d, 0, 18, "", 0, "Reply-Message", "");
	described(d, 0, 123, "\0\x38\x20\x01\x0d\xb8\0\0\x01", 9, "Delegated-IPv6-Prefix",
		  "2001:db8:0:100::/56");
	described(d, 0, 123, "\0\x81", 2, "Delegated-IPv6-Prefix", "0x0081");
	described(d, 0, 25, "\x01\x02", 2, "Class", "0x0102");
	described(d, 14988, 8, "1M", 2, "Mikrotik-Rate-Limit", "1M");
	described(d, 32473, 1, "\0\0\0\x09", 4, "Holdfast-Rate-Up", "9");
	described(d, 32473, 200, "x", 1, "Attr-26.32473.200", "0x78");
	described(d, 0, 200, "x", 1, "Attr-200", "0x78");
	dictionary_free(d);
}
END_TEST

/* Where FreeRADIUS keeps them; packaging/deps.sh installs it. */
START_TEST(dictionaries_of_freeradius_are_read)
{
	struct dictionary *d = dictionary_new();

	ck_assert_msg(!dictionary_load(d, "/usr/share/freeradius/dictionary", error, sizeof(error)), "%s",
		      error);
	ck_assert_uint_gt(dictionary_count(d), 3000);
	described(d, 0, 8, "\x0a\0\0\x07", 4, "Framed-IP-Address", "10.0.0.7");
	described(d, 14988, 8, "1M", 2, "Mikrotik-Rate-Limit", "1M");
	described(d, 311, 28, "\x0a\0\0\x07", 4, "MS-Primary-DNS-Server", "10.0.0.7");
	described(d, 0, 40, "\0\0\0\x02", 4, "Acct-Status-Type", "Stop");
	dictionary_free(d);
}
END_TEST

START_TEST(a_later_definition_wins)
{
	static const char text[] = "ATTRIBUTE Old 200 string\nATTRIBUTE New 200 integer # and so on\r\n"
				   "VALUE New One 1\nVALUE New Eins 1\nVALUE Nobody Else 1\n";
	struct dictionary *d = dictionary_new();

	ck_assert_int_eq(dictionary_parse(d, text, strlen(text), "text", error, sizeof(error)), 0);
	ck_assert_uint_eq(dictionary_count(d), 1);
	described(d, 0, 200, "\0\0\0\x01", 4, "New", "Eins");
	described(d, 0, 200, "\0\0\0\x02", 4, "New", "2");
	dictionary_free(d);
}
END_TEST

START_TEST(what_is_left_out)
{
	static const char text[] =
		"VENDOR Usual 9\nVENDOR Wide 10 format=2,2\nBEGIN-VENDOR Wide\nATTRIBUTE W 1 string\n"
		"END-VENDOR Wide\nBEGIN-VENDOR Usual\nATTRIBUTE T 2 tlv\nBEGIN-TLV T\nATTRIBUTE In 1 string\n"
		"END-TLV T\nATTRIBUTE Long 300 string\nATTRIBUTE Dot 2.1 string\nEND-VENDOR Usual\n";
	struct dictionary *d = dictionary_new();

	ck_assert_msg(!dictionary_parse(d, text, strlen(text), "text", error, sizeof(error)), "%s", error);
	ck_assert_uint_eq(dictionary_count(d), 1);
	described(d, 9, 2, "x", 1, "T", "0x78");
	dictionary_free(d);
}
END_TEST

START_TEST(wrong_lines_are_told)
{
	static const struct {
		const char *text, *told;
	} rows[] = {
		{"ATTRIBUTE", "text line 1: ATTRIBUTE: must be followed by"},
		{"\n\nATTRIBUTE A x string", "text line 3: ATTRIBUTE A: \"x\": must be a number"},
		{"VALUE A B", "text line 1: VALUE"},
		{"VALUE A B x", "text line 1: VALUE A B: \"x\": must be a number"},
		{"VENDOR V 0", "text line 1: VENDOR V: \"0\": must be a number 1-16777215"},
		{"BEGIN-VENDOR V", "text line 1: BEGIN-VENDOR V: no VENDOR of this name"},
		{"VENDOR V 1\nBEGIN-VENDOR V\nBEGIN-VENDOR V",
		 "text line 3: BEGIN-VENDOR V: the vendor before"},
		{"VENDOR V 1\nEND-VENDOR V", "text line 2: END-VENDOR"},
		{"VENDOR V 1\nBEGIN-VENDOR V", "text line 2: END-VENDOR is missing"},
		{"END-TLV x", "text line 1: END-TLV"},
		{"$INCLUDE other", "text line 1: $INCLUDE other: not here"},
		{"nonsense", "text line 1: \"nonsense\": must be ATTRIBUTE"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dictionary *d = dictionary_new();

		ck_assert_int_eq(
			dictionary_parse(d, rows[i].text, strlen(rows[i].text), "text", error, sizeof(error)),
			-EINVAL);
		ck_assert_msg(!strncmp(error, rows[i].told, strlen(rows[i].told)), "%s", error);
		dictionary_free(d);
	}
	struct dictionary *d = dictionary_new();
	ck_assert_int_eq(dictionary_load(d, "/nonexistent/file", error, sizeof(error)), -ENOENT);
	ck_assert_str_eq(error, "dictionary /nonexistent/file: reading it failed: No such file or directory");
	dictionary_free(d);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("radius_dictionary");
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, shipped_dictionary_names_what_comes);
	tcase_add_test(tcase, dictionaries_of_freeradius_are_read);
	tcase_add_test(tcase, a_later_definition_wins);
	tcase_add_test(tcase, what_is_left_out);
	tcase_add_test(tcase, wrong_lines_are_told);
	suite_add_tcase(suite, tcase);
	return run_suite(suite);
}
