/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Time: nanoseconds of CLOCK_BOOTTIME inside, RFC 3339 UTC for people.
 */
#ifndef BNG_LIB_CLOCK_H
#define BNG_LIB_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT 32

uint64_t clock_boottime_ns(void);
/* The wall-clock text of a boottime instant, "2026-11-20T10:00:00.123Z". */
char *clock_format(uint64_t boottime_ns, char text[static CLOCK_TEXT]);

#endif
