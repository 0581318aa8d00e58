/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moments as people write them. Milliseconds since 1970, UTC.
 */
#ifndef BNG_CLI_WHEN_H
#define BNG_CLI_WHEN_H

#include <stddef.h>
#include <stdint.h>

#define WHEN_TEXT 32

/* [from, to): what is written in seconds means that whole second. */
struct when {
	int64_t from;
	int64_t to;
};

/* "2026-11-20T10:00:05Z", with a fraction, with another zone ("+01:00"), with none (local
 * time) and a blank for the T, without seconds; "10:00" today; "@1795168805". 0, or -EINVAL
 * and *when untouched. */
int when_parse(const char *text, int64_t now, struct when *when);
/* A moment of a log, "2026-11-20T10:00:00.123Z"; only that form, quickly. */
int when_exact(const char *text, size_t length, int64_t *moment);
char *when_format(int64_t moment, char text[static WHEN_TEXT]);

#endif
