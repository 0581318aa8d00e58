/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * issu.verify: what an upgrade measures around its swap, for some seconds and without one.
 */
#include <inttypes.h>
#include <stdio.h>

#include "controld/controld.h"
#include "controld/issu/upgrade.h"
#include "lib/clock.h"

#define TURN_MS 250 /* a step that waits gives the loop back that often */

static int step_begin(struct upgrade *upgrade)
{
	int failure = drops_read(upgrade->controld->maps, &upgrade->start);

	return failure ? failure : step_record(upgrade);
}

static int step_watch(struct upgrade *upgrade)
{
	uint64_t now = clock_boottime_ns();
	const json_t *traffic;
	int failure;

	if (!upgrade->watch_end_ns) {
		upgrade->sampler = sampler_start(upgrade->controld->maps);
		upgrade->watch_end_ns = now + upgrade->watch_s * 1000000000ULL;
	}
	if (now < upgrade->watch_end_ns) {
		uint64_t left_ms = (upgrade->watch_end_ns - now) / 1000000 + 1;

		return left_ms < TURN_MS ? (int)left_ms : TURN_MS;
	}
	sampler_stop(upgrade->sampler, &upgrade->sample);
	upgrade->sampler = NULL;
	failure = passage_read(upgrade->controld, &upgrade->passage_end);
	if (failure)
		return failure;
	json_object_set_new(upgrade->report, "traffic",
			    passage_json(&upgrade->passage, &upgrade->passage_end));
	traffic = json_object_get(upgrade->report, "traffic");
	snprintf(upgrade->detail, sizeof(upgrade->detail),
		 "%" PRIu64 " packets forwarded in %u s, longest gap %.1f ms, %" JSON_INTEGER_FORMAT
		 " dropped",
		 upgrade->sample.packets, upgrade->watch_s, (double)upgrade->sample.longest_gap_ns / 1e6,
		 json_integer_value(json_object_get(traffic, "dropped")));
	return 0;
}

/* {hitless, lost, seconds, longest_gap_us}: nothing is missing, whatever came and went. */
void watch_judge(struct upgrade *upgrade)
{
	const struct kept_result *kept = &upgrade->kept_result;
	uint64_t lost, uncertain;
	bool known = passage_lost(&upgrade->passage, &upgrade->passage_end, &lost, &uncertain);
	bool hitless = known && !lost && !kept->sessions_lost && !kept->mappings_lost;
	char text[256] = "";

	if (!known)
		snprintf(text, sizeof(text), "not known: an interface came, went or began to count anew");
	else if (!hitless)
		snprintf(text, sizeof(text),
			 "%" PRIu64 " sessions, %" PRIu64 " mappings, %" PRIu64
			 " packets that came in, and neither left nor were dropped by name",
			 kept->sessions_lost, kept->mappings_lost, lost);
	json_object_set_new(upgrade->report, "hitless", json_boolean(hitless));
	json_object_set_new(upgrade->report, "lost", json_string(text));
	json_object_set_new(upgrade->report, "seconds", json_integer(upgrade->watch_s));
	json_object_set_new(upgrade->report, "longest_gap_us",
			    json_integer((json_int_t)(upgrade->sample.longest_gap_ns / 1000)));
}

const struct upgrade_step watch_steps[] = {
	{"state recorded", step_begin, 0},
	{"traffic watched", step_watch, 0},
	{"state compared", step_compare, 0},
	{0},
};
