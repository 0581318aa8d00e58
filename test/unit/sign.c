/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Signatures: what minisign 0.11 made is accepted; every bit of it counts.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sign/sign.h"

static const char key_a[] = "untrusted comment: minisign public key 548E8AF1279733B\n"
			    "RWQ7c3kSr+hIBYy7k2/zHBTH6HoKfLLEkwd9KhcEJ2v3dgwsN5fk47wq\n";
static const char message[] = "holdfast";
static const char *const signatures[] = {
	"untrusted comment: signature from minisign secret key\n"
	"RUQ7c3kSr+hIBS6k1Wp/SCPz0fIEysiKPw/dTmgfWmkIi1y45KXEsMKbkwEt+rkrIddzuAz3VDVAorWj/"
	"+OPfEJkFP6oUufqhAc=\n"
	"trusted comment: timestamp:1795294417\tfile:m\thashed\n"
	"rly1lT2aej2RIfdrPu8jJfMpt4hgGn4Wc9boTGavPp5tFa1Jf34zvNEScu1G7k1LL2THF1wAdFc24pTQAbw3Aw==\n",
	"untrusted comment: signature from minisign secret key\n"
	"RWQ7c3kSr+hIBZCj441FZow6XdmnYtg6GT3LrQWk5Wc+3IttzGSSvAynm7y1ark0M9/"
	"T7Tcl7+p8e5RcicSoxnTrksGYJmfzrgg=\n"
	"trusted comment: legacy one\n"
	"DrIvwLyNVWDnvfRqtltGq69pLpiBila3xz+1AsYdAaCJxG7RX0Hs6jnFdOabtDkfrbwAXkIbo7RzJIj4QCxrAQ==\n",
};

static struct sign_keys keys;

static void read_key(void)
{
	keys.count = 1;
	ck_assert_ptr_null(sign_key_parse(key_a, strlen(key_a), &keys.key[0]));
}

/* NULL or why not. */
static const char *verdict(const char *text, size_t length, const void *bytes, size_t size)
{
	struct signature signature;
	const char *wrong = signature_parse(text, length, &signature);
	return wrong ? wrong : signature_verify(&keys, &signature, bytes, size);
}

START_TEST(what_minisign_signed_is_accepted)
{
	struct signature signature;
	char id[SIGN_ID_TEXT];
	read_key();
	ck_assert_ptr_null(signature_parse(signatures[_i], strlen(signatures[_i]), &signature));
	ck_assert_int_eq(signature.hashed, _i == 0);
	ck_assert_str_eq(sign_id_format(signature.key_id, id), "548E8AF1279733B");
	ck_assert_ptr_null(signature_verify(&keys, &signature, message, strlen(message)));
}
END_TEST

START_TEST(other_bytes_are_refused)
{
	static const char *const others[] = {"holdfasu", "holdfas", "holdfast\n", ""};
	read_key();
	for (size_t i = 0; i < 4; i++)
		ck_assert_str_eq(
			verdict(signatures[_i], strlen(signatures[_i]), others[i], strlen(others[i])),
			"the signature is not of this file: one of them was changed");
}
END_TEST

/* One character at a time: only the untrusted comment's text may be another. */
START_TEST(every_character_counts)
{
	char text[512];
	size_t length = strlen(signatures[_i]), free_to_change = 0;
	size_t comment = strlen("untrusted comment: "), end = strcspn(signatures[_i], "\n");
	read_key();
	for (size_t at = 0; at + 1 < length; at++) {
		strcpy(text, signatures[_i]);
		text[at] = text[at] == 'A' ? 'B' : 'A';
		bool accepted = !verdict(text, length, message, strlen(message));
		ck_assert_msg(accepted == (at >= comment && at < end), "character %zu", at);
		free_to_change += accepted;
	}
	ck_assert_uint_eq(free_to_change, end - comment);
}
END_TEST

START_TEST(a_part_is_refused)
{
	read_key();
	for (size_t length = 0; length + 1 < strlen(signatures[_i]); length++) {
		char *part = strndup(signatures[_i], length); /* so that a read behind it is seen */
		ck_assert_ptr_nonnull(verdict(part, length, message, strlen(message)));
		free(part);
	}
}
END_TEST

START_TEST(another_key_is_not_accepted)
{
	char id[SIGN_ID_TEXT];
	read_key();
	keys.key[0].id++;
	ck_assert_str_eq(sign_id_format(keys.key[0].id, id), "548E8AF1279733C");
	ck_assert_str_eq(verdict(signatures[_i], strlen(signatures[_i]), message, strlen(message)),
			 "it was signed by a key that is not accepted");
	keys.count = 0;
	ck_assert_ptr_nonnull(verdict(signatures[_i], strlen(signatures[_i]), message, strlen(message)));
}
END_TEST

/* The id is no proof: a key with the same id and other bits does not do, and hides nothing. */
START_TEST(the_id_proves_nothing)
{
	read_key();
	keys.key[1] = keys.key[0];
	keys.key[0].public[7] ^= 1;
	ck_assert_ptr_nonnull(verdict(signatures[_i], strlen(signatures[_i]), message, strlen(message)));
	keys.count = 2;
	ck_assert_ptr_null(verdict(signatures[_i], strlen(signatures[_i]), message, strlen(message)));
}
END_TEST

START_TEST(lines_may_end_as_on_windows)
{
	char text[600] = "", *at = text;
	read_key();
	for (const char *c = signatures[_i]; *c; c++) {
		if (*c == '\n')
			*at++ = '\r';
		*at++ = *c;
	}
	ck_assert_ptr_null(verdict(text, (size_t)(at - text), message, strlen(message)));
}
END_TEST

static const char *const bad_keys[] = {
	"",
	"untrusted comment: only\n",
	"RWQ7c3kSr+hIBYy7k2/zHBTH6HoKfLLEkwd9KhcEJ2v3dgwsN5fk47w",
	"RWQ7c3kSr+hIBYy7k2/zHBTH6HoKfLLEkwd9KhcEJ2v3dgwsN5fk47wq=",
	"RWQ7c3kSr+hIBYy7k2/zHBTH6HoKfLLEkwd9KhcEJ2v3dgwsN5fk47 q",
	"RUQ7c3kSr+hIBYy7k2/zHBTH6HoKfLLEkwd9KhcEJ2v3dgwsN5fk47wq",
	"RWQ7c3kSr+hIBYy7k2/zHBTH6HoKfLLEkwd9KhcEJ2v3dgwsN5fk47wq\nmore\n",
};

START_TEST(what_is_no_key_is_refused)
{
	struct sign_key key;
	ck_assert_ptr_nonnull(sign_key_parse(bad_keys[_i], strlen(bad_keys[_i]), &key));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sign");
	TCase *one = tcase_create("sign");
	tcase_add_loop_test(one, what_minisign_signed_is_accepted, 0, 2);
	tcase_add_loop_test(one, other_bytes_are_refused, 0, 2);
	tcase_add_loop_test(one, every_character_counts, 0, 2);
	tcase_add_loop_test(one, a_part_is_refused, 0, 2);
	tcase_add_loop_test(one, another_key_is_not_accepted, 0, 2);
	tcase_add_loop_test(one, the_id_proves_nothing, 0, 2);
	tcase_add_loop_test(one, lines_may_end_as_on_windows, 0, 2);
	tcase_add_loop_test(one, what_is_no_key_is_refused, 0, sizeof(bad_keys) / sizeof(*bad_keys));
	suite_add_tcase(suite, one);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
