/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The file of whole lines: rotation to the byte, a disk that is full (a tiny
 * tmpfs), a line cut short by a crash, a file moved away.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controld/blocklog/sink.h"
#include "run.h"

static char directory[] = "/tmp/blocklog-sink-XXXXXX", path[64];
static struct sink sink;

/* Each test runs in a process of its own: the mount ends with its namespace. */
static void set_up(void)
{
	ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
	ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(mount("tmpfs", directory, "tmpfs", 0, "size=16k"), 0);
	snprintf(path, sizeof(path), "%s/blocks.log", directory);
	sink = (struct sink){.path = path, .max_bytes = 0, .keep = 2, .fd = -1};
}

static void tear_down(void)
{
	sink_close(&sink);
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

static void check_content(const char *suffix, const char *expected)
{
	char name[80], content[256] = "";
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	file = fopen(name, "r");
	if (!expected) {
		ck_assert_ptr_null(file);
		return;
	}
	ck_assert_msg(file != NULL, "%s is missing", name);
	content[fread(content, 1, sizeof(content) - 1, file)] = '\0';
	fclose(file);
	/* {"time":"2026-11-20T10:00:00.123Z",R} -> {R} */
	for (char *at = content; (at = strstr(at, "{\"time\"")); at++)
		memmove(at + 1, at + 35, strlen(at + 35) + 1);
	ck_assert_str_eq(content, expected);
}

static void check_write(const char *text, size_t expected_lines)
{
	size_t lines;

	ck_assert_int_eq(sink_write(&sink, text, strlen(text), &lines), 0);
	ck_assert_uint_eq(lines, expected_lines);
}

START_TEST(it_is_rotated_before_it_grows_too_large)
{
	sink.max_bytes = 8;
	check_write("aaa\nbbb\n", 2);
	check_content("", "aaa\nbbb\n");
	check_write("ccc\n", 1);
	check_content("", "ccc\n");
	check_content(".1", "aaa\nbbb\n");
	check_write("ddd\neee\nfff\nggg\nhhh\n", 5);
	check_content("", "ggg\nhhh\n");
	check_content(".1", "eee\nfff\n");
	check_content(".2", "ccc\nddd\n");
	check_content(".3", NULL);
	check_write("longer than that\n", 1);
	check_content("", "longer than that\n");
}
END_TEST

START_TEST(a_torn_line_is_ended)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	ck_assert_int_eq(write(fd, "whole\ntor", 9), 9);
	close(fd);
	check_write("next\n", 1);
	check_content("", "whole\ntor\nnext\n");
}
END_TEST

START_TEST(it_is_opened_again_when_moved_or_removed)
{
	char moved[80];

	snprintf(moved, sizeof(moved), "%s-moved", path);
	check_write("a\n", 1);
	ck_assert_int_eq(rename(path, moved), 0);
	check_write("b\n", 1);
	check_content("", "b\n");
	check_content("-moved", "a\n");
	ck_assert_int_eq(unlink(path), 0);
	check_write("c\n", 1);
	check_content("", "c\n");
	ck_assert_int_eq(truncate(path, 0), 0); /* copytruncate */
	check_write("d\n", 1);
	check_content("", "d\n");
}
END_TEST

/* Whoever reads one file alone knows which rules it was written under. */
START_TEST(each_file_begins_with_the_rules_in_force)
{
	sink.rules = "R}";
	sink.max_bytes = 46;
	check_write("aaa\nbbb\n", 2);
	check_content("", "{R}\naaa\nbbb\n");
	check_write("ccc\nddd\n", 2);
	check_content("", "{R}\nccc\nddd\n");
	check_content(".1", "{R}\naaa\nbbb\n");
	sink.rules = "S}";
	sink.rules_due = true;
	check_write("", 0);
	check_content("", "{R}\nccc\nddd\n{S}\n");
	check_write("eee\n", 1);
	check_content("", "{S}\neee\n");
	ck_assert_int_eq(truncate(path, 0), 0);
	check_write("fff\n", 1);
	check_content("", "{S}\nfff\n");
	sink.max_bytes = 10; /* less than the line of rules */
	check_write("ggg\nhhh\n", 2);
	check_content("", "{S}\nhhh\n");
	check_content(".1", "{S}\nggg\n");
	sink_close(&sink);
	sink.rules = NULL;
	ck_assert_int_eq(unlink(path), 0);
	check_write("i\n", 1);
	check_content("", "i\n");
}
END_TEST

/* 16 KiB are four pages: the file gets what fits, in whole lines. */
START_TEST(a_full_disk_gets_whole_lines_only)
{
	char text[300 * 100 + 1];
	struct stat facts;
	size_t lines, more;

	for (int i = 0; i < 300; i++)
		snprintf(text + i * 100, 101, "%098d\n\n", i);
	for (size_t i = 0; i < 300; i++)
		memcpy(text + i * 100 + 98, "x\n", 2);
	ck_assert_int_eq(sink_write(&sink, text, 30000, &lines), -ENOSPC);
	ck_assert_str_eq(sink.doing, "writing to");
	ck_assert_uint_gt(lines, 0);
	ck_assert_uint_lt(lines, 164);
	ck_assert_int_eq(stat(path, &facts), 0);
	ck_assert_int_eq(facts.st_size, (off_t)(lines * 100));
	ck_assert_int_eq(mount(NULL, directory, NULL, MS_REMOUNT, "size=64k"), 0);
	ck_assert_int_eq(sink_write(&sink, text + lines * 100, 30000 - lines * 100, &more), 0);
	ck_assert_uint_eq(lines + more, 300);
	ck_assert_int_eq(stat(path, &facts), 0);
	ck_assert_int_eq(facts.st_size, 30000);
}
END_TEST

START_TEST(what_cannot_be_opened_is_said)
{
	size_t lines = 99;

	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(sink_write(&sink, "a\n", 2, &lines), -EISDIR);
	ck_assert_str_eq(sink.doing, "opening");
	ck_assert_uint_eq(lines, 0);
	ck_assert_int_eq(rmdir(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(sink_write(&sink, "a\n", 2, &lines), -EINVAL);
	ck_assert_int_eq(unlink(path), 0);
	check_write("a\n", 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sink");
	Suite *suite = suite_create("blocklog sink");

	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_add_test(tests, it_is_rotated_before_it_grows_too_large);
	tcase_add_test(tests, a_torn_line_is_ended);
	tcase_add_test(tests, it_is_opened_again_when_moved_or_removed);
	tcase_add_test(tests, each_file_begins_with_the_rules_in_force);
	tcase_add_test(tests, a_full_disk_gets_whole_lines_only);
	tcase_add_test(tests, what_cannot_be_opened_is_said);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
