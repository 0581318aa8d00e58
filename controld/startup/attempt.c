/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Starts in a row that failed, see the header.
 */
#include "controld/startup/attempt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc.h"

#define PAUSES_AFTER 6 /* starts that got nowhere */
#define PAUSE_MAX_S  5
#define COUNT_MAX    1000000

enum attempt_choice attempt_choose(struct attempt_record *record, const char *program, const char *version,
				   bool has_previous)
{
	bool is_known = !strcmp(record->program, program), is_all_failed;

	if (!is_known) {
		*record = (struct attempt_record){0};
		snprintf(record->program, sizeof(record->program), "%s", program);
		snprintf(record->version, sizeof(record->version), "%s", version);
	}
	if (record->starts < COUNT_MAX)
		record->starts++;
	is_all_failed = record->previous_failures >= ATTEMPT_FAILURES;
	if (has_previous && record->failures >= ATTEMPT_FAILURES && !is_all_failed) {
		record->previous_failures++;
		return ATTEMPT_PREVIOUS;
	}
	if (is_all_failed)
		record->failures = record->previous_failures = 0;
	if (record->failures < COUNT_MAX)
		record->failures++;
	return ATTEMPT_THIS;
}

unsigned attempt_pause_s(const struct attempt_record *record)
{
	unsigned more = record->starts > PAUSES_AFTER ? record->starts - PAUSES_AFTER : 0;

	return more < PAUSE_MAX_S ? more : PAUSE_MAX_S;
}

static void read_text(const json_t *object, const char *member, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, member));

	snprintf(text, size, "%s", value ? value : "");
}

static unsigned read_count(const json_t *object, const char *member)
{
	json_int_t value = json_integer_value(json_object_get(object, member));

	return value > 0 && value <= COUNT_MAX ? (unsigned)value : 0;
}

void attempt_parse(const char *text, size_t length, struct attempt_record *record)
{
	json_t *object = json_loadb(text, length, 0, NULL);

	*record = (struct attempt_record){0};
	read_text(object, "program", record->program, sizeof(record->program));
	read_text(object, "version", record->version, sizeof(record->version));
	read_text(object, "phase", record->phase, sizeof(record->phase));
	read_text(object, "reason", record->reason, sizeof(record->reason));
	read_text(object, "at", record->at, sizeof(record->at));
	record->failures = read_count(object, "failures");
	record->previous_failures = read_count(object, "previous_failures");
	record->starts = read_count(object, "starts");
	json_decref(object);
}

/* One member a line, as controld-start reads it. A text that was cut may end in the middle of a character:
 * rpc_text mends it. */
char *attempt_format(const struct attempt_record *record)
{
	json_t *object = json_pack(
		"{s:o, s:o, s:i, s:i, s:i, s:o, s:o, s:o}", "program", rpc_text(record->program), "version",
		rpc_text(record->version), "failures", (int)record->failures, "previous_failures",
		(int)record->previous_failures, "starts", (int)record->starts, "phase",
		rpc_text(record->phase), "reason", rpc_text(record->reason), "at", rpc_text(record->at));
	char *text = object ? json_dumps(object, JSON_INDENT(1)) : NULL;

	json_decref(object);
	return text;
}

json_t *attempt_json(const struct attempt *attempt)
{
	const struct attempt_record *before = &attempt->before;

	if (!before->failures && !before->reason[0])
		return json_null();
	return json_pack("{s:o, s:i, s:o, s:o, s:o}", "version", rpc_text(before->version), "failures",
			 (int)before->failures, "phase", rpc_text(before->phase), "reason",
			 rpc_text(before->reason), "at", rpc_text(before->at));
}
