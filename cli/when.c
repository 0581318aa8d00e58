/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moments as people write them, see the header. Fields are counted digits, so that
 * nothing is taken for something else.
 */
#include "when.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY    86400000ll
#define HOUR   3600000ll
#define MINUTE 60000ll

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 || year % 400 == 0));
}

/* Exactly `digits` digits and the mark behind them, which '\0' stands for none. */
static int field(const char **text, const char *end, int digits, char mark, int min, int max, int *value)
{
	const char *at = *text;

	*value = 0;
	for (int i = 0; i < digits; i++, at++) {
		if (at >= end || !isdigit((unsigned char)*at))
			return -EINVAL;
		*value = *value * 10 + (*at - '0');
	}
	if (*value < min || *value > max || (mark && (at >= end || *at++ != mark)))
		return -EINVAL;
	*text = at;
	return 0;
}

struct parts {
	int year, month, day;
	int64_t ms;    /* of the day */
	int64_t grain; /* what the last field given stands for, ms */
};

static int read_date(const char **text, const char *end, struct parts *parts)
{
	if (field(text, end, 4, '-', 1970, 9999, &parts->year) ||
	    field(text, end, 2, '-', 1, 12, &parts->month) || field(text, end, 2, 0, 1, 31, &parts->day))
		return -EINVAL;
	return parts->day <= month_days(parts->year, parts->month) ? 0 : -EINVAL;
}

static void read_fraction(const char **text, const char *end, struct parts *parts)
{
	int64_t scale = 100;

	for (++*text; *text < end && isdigit((unsigned char)**text); ++*text, scale /= 10)
		parts->ms += (**text - '0') * scale;
	parts->grain = 1;
}

/* hh:mm[:ss[.fff]] */
static int read_time(const char **text, const char *end, struct parts *parts)
{
	int hour, minute, second;

	if (field(text, end, 2, ':', 0, 23, &hour) || field(text, end, 2, 0, 0, 59, &minute))
		return -EINVAL;
	parts->ms = hour * HOUR + minute * MINUTE;
	parts->grain = MINUTE;
	if (*text < end && **text == ':') {
		++*text;
		if (field(text, end, 2, 0, 0, 60, &second))
			return -EINVAL;
		parts->ms += second * 1000ll;
		parts->grain = 1000;
	}
	if (parts->grain == 1000 && *text + 1 < end && **text == '.' && isdigit((unsigned char)(*text)[1]))
		read_fraction(text, end, parts);
	return 0;
}

/* Minutes that the zone is ahead of UTC: "Z", "+01:00", "-0530". */
static int read_zone(const char *text, const char *end, int *minutes)
{
	int sign = *text == '-' ? -1 : 1, hour, minute;

	*minutes = 0;
	if (*text == 'Z' || *text == 'z')
		return text + 1 == end ? 0 : -EINVAL;
	if ((*text != '+' && *text != '-') || end - text < 5)
		return -EINVAL;
	text++;
	if (field(&text, end, 2, text[2] == ':' ? ':' : 0, 0, 23, &hour) ||
	    field(&text, end, 2, 0, 0, 59, &minute) || text != end)
		return -EINVAL;
	*minutes = sign * (hour * 60 + minute);
	return 0;
}

static int64_t utc_of(const struct parts *parts)
{
	return days_of(parts->year, parts->month, parts->day) * DAY + parts->ms;
}

/* As the clock on the wall of this machine has it. */
static int64_t local_of(const struct parts *parts)
{
	struct tm wall = {
		.tm_year = parts->year - 1900,
		.tm_mon = parts->month - 1,
		.tm_mday = parts->day,
		.tm_hour = (int)(parts->ms / HOUR),
		.tm_min = (int)(parts->ms / MINUTE % 60),
		.tm_sec = (int)(parts->ms / 1000 % 60),
		.tm_isdst = -1,
	};

	return (int64_t)mktime(&wall) * 1000 + parts->ms % 1000;
}

static void today(int64_t now, struct parts *parts)
{
	time_t seconds = (time_t)(now / 1000);
	struct tm wall;

	localtime_r(&seconds, &wall);
	parts->year = wall.tm_year + 1900;
	parts->month = wall.tm_mon + 1;
	parts->day = wall.tm_mday;
}

static int parse_epoch(const char *text, struct when *when)
{
	char *end;
	long long seconds;

	if (!isdigit((unsigned char)*text) || strlen(text) > 11)
		return -EINVAL;
	seconds = strtoll(text, &end, 10);
	if (*end)
		return -EINVAL;
	*when = (struct when){seconds * 1000, (seconds + 1) * 1000};
	return 0;
}

int when_parse(const char *text, int64_t now, struct when *when)
{
	const char *end = text + strlen(text);
	struct parts parts = {0};
	int64_t from;
	int ahead;

	if (*text == '@')
		return parse_epoch(text + 1, when);
	if (end - text > 2 && text[2] == ':') {
		today(now, &parts);
	} else {
		if (read_date(&text, end, &parts) || text >= end || !strchr("Tt ", *text))
			return -EINVAL;
		text++;
	}
	if (read_time(&text, end, &parts) || (text < end && read_zone(text, end, &ahead)))
		return -EINVAL;
	from = text < end ? utc_of(&parts) - ahead * MINUTE : local_of(&parts);
	*when = (struct when){from, from + parts.grain};
	return 0;
}

int when_exact(const char *text, size_t length, int64_t *moment)
{
	const char *end = text + length;
	struct parts parts = {0};

	if (read_date(&text, end, &parts) || text >= end || *text++ != 'T' || read_time(&text, end, &parts) ||
	    end - text != 1 || *text != 'Z')
		return -EINVAL;
	*moment = utc_of(&parts);
	return 0;
}

char *when_format(int64_t moment, char text[static WHEN_TEXT])
{
	time_t seconds = (time_t)(moment / 1000);
	struct tm parts;
	char date[24];

	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, WHEN_TEXT, "%s.%03uZ", date, (unsigned)(moment % 1000));
	return text;
}
