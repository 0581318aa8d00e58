/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a function writes to standard output or standard error, as text: up to 4 KiB
 * between capture_begin and capture_end. One at a time.
 */
#ifndef BNG_TEST_CAPTURE_H
#define BNG_TEST_CAPTURE_H

#include <check.h>
#include <stdio.h>
#include <unistd.h>

static struct {
	int target, saved, ends[2];
	char text[4096];
} capture;

static void capture_begin(int target)
{
	ck_assert_int_eq(pipe(capture.ends), 0);
	fflush(NULL);
	capture.target = target;
	capture.saved = dup(target);
	dup2(capture.ends[1], target);
}

static const char *capture_end(void)
{
	fflush(NULL);
	dup2(capture.saved, capture.target);
	close(capture.ends[1]);
	ssize_t length = read(capture.ends[0], capture.text, sizeof(capture.text) - 1);
	close(capture.ends[0]);
	close(capture.saved);
	capture.text[length > 0 ? length : 0] = '\0';
	return capture.text;
}

#endif
