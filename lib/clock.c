/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Boottime inside, wall-clock text outside. The offset between the two is read
 * at each conversion, so that a corrected wall clock is believed at once.
 */
#include "lib/clock.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S 1000000000LL

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

uint64_t clock_boottime_ns(void)
{
	return (uint64_t)read_clock(CLOCK_BOOTTIME);
}

char *clock_format(uint64_t boottime_ns, char text[static CLOCK_TEXT])
{
	int64_t wall = read_clock(CLOCK_REALTIME) - read_clock(CLOCK_BOOTTIME) + (int64_t)boottime_ns;
	time_t seconds = wall / NS_PER_S;
	struct tm parts;
	char date[24];
	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, CLOCK_TEXT, "%s.%03dZ", date, (int)(wall % NS_PER_S / 1000000));
	return text;
}
