/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Records as text.
 */
#include "controld/blocklog/record.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "lib/address.h"

#define SEVERITY_WARNING 4
#define SEVERITY_INFO    6

static const char *const type_names[] = {
	[BLOCKLOG_ALLOCATED] = "block_allocated",
	[BLOCKLOG_FREED] = "block_freed",
	[BLOCKLOG_EVENTS_LOST] = "events_lost",
	[BLOCKLOG_RECORDS_LOST] = "records_lost",
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t record_wall_ms(uint64_t boottime_ns)
{
	return (now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME) + boottime_ns) / 1000000;
}

char *record_time(uint64_t time_ms, char text[static 32])
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm parts;
	char date[24];

	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text, 32, "%s.%03uZ", date, (unsigned)(time_ms % 1000));
	return text;
}

static bool is_loss(const struct blocklog_record *record)
{
	return record->type >= BLOCKLOG_EVENTS_LOST;
}

size_t record_json(const struct blocklog_record *record, char text[static RECORD_TEXT])
{
	char when[32], inner[ADDRESS_TEXT], public[ADDRESS_TEXT];
	json_t *object = json_pack("{s:s, s:s}", "time", record_time(record->time_ms, when), "type",
				   type_names[record->type]);
	size_t length;

	if (is_loss(record)) {
		json_object_set_new(object, "count", json_integer((json_int_t)record->session));
	} else {
		json_object_set_new(object, "session", json_integer((json_int_t)record->session));
		json_object_set_new(object, "address", json_string(address_format(record->inner_be, inner)));
		json_object_set_new(object, "public", json_string(address_format(record->public_be, public)));
		json_object_set_new(object, "first", json_integer(record->first));
		json_object_set_new(object, "last", json_integer(record->last));
		json_object_set_new(object, "pool", json_string(record->pool));
	}
	length = json_dumpb(object, text, RECORD_TEXT - 1, JSON_COMPACT);
	json_decref(object);
	text[length++] = '\n';
	return length;
}

char *record_rules(const char *rules)
{
	char when[32], *line;

	return asprintf(&line, "{\"time\":\"%s\",%s\n", record_time(now_ns(CLOCK_REALTIME) / 1000000, when),
			rules) < 0
		       ? NULL
		       : line;
}

static int syslog_header(const struct blocklog_record *record, const struct record_origin *origin,
			 char text[static RECORD_TEXT])
{
	int severity = is_loss(record) ? SEVERITY_WARNING : SEVERITY_INFO;
	char when[32];

	return snprintf(text, RECORD_TEXT, "<%d>1 %s %.255s bng-controld %ld %s [meta sequenceId=\"%u\"] ",
			origin->facility * 8 + severity, record_time(record->time_ms, when), origin->hostname,
			origin->pid, type_names[record->type], origin->sequence);
}

size_t record_syslog(const struct blocklog_record *record, const struct record_origin *origin,
		     char text[static RECORD_TEXT])
{
	char inner[ADDRESS_TEXT], public[ADDRESS_TEXT];
	int length = syslog_header(record, origin, text);
	char *rest = text + length;
	size_t room = RECORD_TEXT - (size_t)length;

	if (is_loss(record))
		return (size_t)(length + snprintf(rest, room, "count=%" PRIu64, record->session));
	return (size_t)(length + snprintf(rest, room,
					  "session=%" PRIu64
					  " address=%s public=%s first=%u last=%u pool=%.31s",
					  record->session, address_format(record->inner_be, inner),
					  address_format(record->public_be, public), record->first,
					  record->last, record->pool));
}
