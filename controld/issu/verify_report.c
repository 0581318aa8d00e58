/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Differences, gathered by what they are, and the bounds that decide.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controld/issu/verify.h"

static const char *const kind_names[DIFFERENCE_KINDS] = {"verdict", "bytes", "map"};

void difference_add(struct differences *differences, enum difference_kind kind, const char *name,
		    uint64_t count, const char *example)
{
	struct difference *item = differences->item, *end = item + differences->count;

	while (item < end && (item->kind != kind || strcmp(item->name, name) != 0))
		item++;
	if (item == end && differences->count == VERIFY_DIFFERENCES) {
		differences->others += count;
		return;
	}
	if (item == end) {
		*item = (struct difference){.kind = kind};
		snprintf(item->name, sizeof(item->name), "%s", name);
		snprintf(item->example, sizeof(item->example), "%s", example);
		differences->count++;
	}
	item->count += count;
}

void verify_note(struct verify_result *result, const char *format, ...)
{
	size_t used = strlen(result->note), left = sizeof(result->note) - used;
	va_list arguments;
	int length = snprintf(result->note + used, left, "%s", used ? "; " : "");

	if (length < 0 || (size_t)length >= left)
		return;
	va_start(arguments, format);
	vsnprintf(result->note + used + (size_t)length, left - (size_t)length, format, arguments);
	va_end(arguments);
}

static bool is_allowed(const json_t *allowed, const char *name)
{
	size_t i;
	const json_t *text;

	json_array_foreach(allowed, i, text)
	{
		if (!strcmp(json_string_value(text), name))
			return true;
	}
	return false;
}

double verify_ratio(const struct verify_result *result)
{
	size_t packets = result->golden + result->captured;

	return packets ? exp(result->log_ratio / (double)packets) : 1;
}

static bool judge_kind(const struct verify_result *result, enum difference_kind kind, uint64_t bound,
		       const json_t *allowed, char *reason, size_t size)
{
	static const char *const members[DIFFERENCE_KINDS] = {"verdicts", "bytes", "map_effects"};
	const struct difference *worst = NULL;
	uint64_t sum = 0;

	for (size_t i = 0; i < result->differences.count; i++) {
		const struct difference *item = &result->differences.item[i];

		if (item->kind != kind || is_allowed(allowed, item->name))
			continue;
		sum += item->count;
		if (!worst || item->count > worst->count)
			worst = item;
	}
	if (!worst || sum <= bound)
		return true;
	snprintf(reason, size,
		 "%" PRIu64 " %s differ, /issu/verify/%s allows %" PRIu64 ": most by %s %s (%" PRIu64 ": %s)",
		 sum, kind == DIFFERENCE_MAP ? "entries of maps" : "runs of packets", members[kind], bound,
		 kind_names[kind], worst->name, worst->count, worst->example);
	return false;
}

bool verify_judge(const struct verify_result *result, const struct config_verify *bounds,
		  const json_t *allowed, char *reason, size_t size)
{
	const uint64_t bound[DIFFERENCE_KINDS] = {bounds->verdicts, bounds->bytes, bounds->map_effects};

	for (enum difference_kind kind = 0; kind < DIFFERENCE_KINDS; kind++)
		if (!judge_kind(result, kind, bound[kind], allowed, reason, size))
			return false;
	if (result->differences.others) {
		snprintf(reason, size, "more than %d kinds of differences", VERIFY_DIFFERENCES);
		return false;
	}
	if (verify_ratio(result) <= bounds->time_ratio || is_allowed(allowed, "time"))
		return true;
	snprintf(reason, size,
		 "a packet takes %.2f times as long as before, /issu/verify/time_ratio allows %g",
		 verify_ratio(result), bounds->time_ratio);
	return false;
}

static uint64_t per_packet(const struct verify_result *result, uint64_t ns)
{
	size_t packets = result->golden + result->captured;

	return packets ? ns / packets : 0;
}

json_t *verify_json(const struct verify_result *result, const struct config_verify *bounds,
		    const json_t *allowed)
{
	char reason[512] = "";
	bool passed = verify_judge(result, bounds, allowed, reason, sizeof(reason));
	json_t *list = json_array();

	for (size_t i = 0; i < result->differences.count; i++) {
		const struct difference *item = &result->differences.item[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s, s:b}", "kind",
						      kind_names[item->kind], "name", item->name, "count",
						      (json_int_t)item->count, "example", item->example,
						      "allowed", is_allowed(allowed, item->name)));
	}
	return json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:{s:I, s:I, s:f, s:i}, s:O, s:s}",
			 "passed", passed, "reason", reason, "golden", (json_int_t)result->golden,
			 "golden_elsewhere", (json_int_t)result->elsewhere, "golden_mended",
			 (json_int_t)result->mended, "captured", (json_int_t)result->captured, "runs",
			 (json_int_t)result->runs, "differences", list, "time", "old_ns",
			 (json_int_t)per_packet(result, result->old_ns), "new_ns",
			 (json_int_t)per_packet(result, result->new_ns), "ratio", verify_ratio(result),
			 "tries", (int)result->tries, "allowed", allowed, "note", result->note);
}

void verify_summary(const struct verify_result *result, char *text, size_t size)
{
	uint64_t sums[DIFFERENCE_KINDS] = {0};

	for (size_t i = 0; i < result->differences.count; i++)
		sums[result->differences.item[i].kind] += result->differences.item[i].count;
	snprintf(text, size,
		 "%zu packets (%zu golden, %zu captured), %d runs of each by both: %" PRIu64
		 " verdicts, %" PRIu64 " bytes, %" PRIu64 " map entries differ; %" PRIu64 " -> %" PRIu64
		 " ns a packet (%.2f)%s%s",
		 result->golden + result->captured, result->golden, result->captured, VERIFY_ROUNDS,
		 sums[DIFFERENCE_VERDICT], sums[DIFFERENCE_BYTES], sums[DIFFERENCE_MAP],
		 per_packet(result, result->old_ns), per_packet(result, result->new_ns), verify_ratio(result),
		 result->note[0] ? "; " : "", result->note);
}
