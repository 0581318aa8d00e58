/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the holder says of its canary, asked again and again and told to the caller: a line
 * for each share that has baked. That nobody asks changes nothing.
 */
#include "controld/issu/canary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/holder.h"
#include "controld/issu/upgrade.h"
#include "lib/json.h"

#define LOOK_MS     200
#define AWAY_MAX    100 /* looks at a holder that is not there */
#define STEPS_MAX   16
#define SHARE_ALL   10000
#define BAKE_S_MAX  86400
#define PACKETS_MAX 1000000000

/* ---- The request -------------------------------------------------------------------- */

static void read_step(struct json_reader *reader, const json_t *step, int64_t *share)
{
	static const char *const members[] = {"share", "bake_s", NULL};

	json_read_only(reader, step, members);
	*share = json_read_integer(reader, step, "share", *share + 1, SHARE_ALL);
	json_read_integer(reader, step, "bake_s", 1, BAKE_S_MAX);
}

static void read_bounds(struct json_reader *reader, const json_t *canary)
{
	json_t *bounds = json_enter(reader, canary, "bounds"), *value;
	const char *name;

	if (bounds && !json_is_object(bounds))
		json_reader_fail(reader, bounds, "must be an object");
	json_object_foreach(bounds, name, value)
	{
		if (!strcmp(name, "packets"))
			json_read_integer(reader, bounds, name, 1, PACKETS_MAX);
		else
			json_read_number_or(reader, bounds, name, 0, 1, 0);
	}
	json_leave(reader);
}

json_t *canary_read(struct json_reader *reader, const json_t *params)
{
	static const char *const members[] = {"steps", "bounds", NULL};
	json_t *canary = json_enter(reader, params, "canary"), *steps;
	int64_t share = 0;
	size_t i;

	if (canary) {
		json_read_only(reader, canary, members);
		steps = json_enter(reader, canary, "steps");
		if (json_array_size(steps) < 1 || json_array_size(steps) > STEPS_MAX)
			json_reader_fail(reader, steps, "must be an array of 1-%d steps", STEPS_MAX);
		for (i = 0; i < json_array_size(steps); i++) {
			read_step(reader, json_enter_index(reader, steps, i), &share);
			json_leave(reader);
		}
		json_leave(reader);
		read_bounds(reader, canary);
	}
	json_leave(reader);
	return canary;
}

/* ---- The step ------------------------------------------------------------------------- */

static json_int_t integer_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

static void share_has_baked(struct upgrade *upgrade)
{
	const json_t *seen = upgrade->canary_seen;
	bool is_judged = integer_of(seen, "packets") >= integer_of(seen, "packets_needed");
	char name[32];

	snprintf(name, sizeof(name), "canary %.4g %%", (double)integer_of(seen, "share") * 100 / SHARE_ALL);
	snprintf(upgrade->detail, sizeof(upgrade->detail),
		 "%" JSON_INTEGER_FORMAT " packets, %" JSON_INTEGER_FORMAT " of the rest: %s",
		 integer_of(seen, "packets"), integer_of(seen, "rest_packets"),
		 is_judged ? "no figure left its bound"
			   : "too few to be judged: more subscribers, or longer, would tell more");
	upgrade_step_done(upgrade, name, "ok");
}

/* True while it runs; the last look at each share is what is told of it. */
static bool look(struct upgrade *upgrade, const json_t *canary)
{
	const char *state = json_string_value(json_object_get(canary, "state"));
	bool runs = state && !strcmp(state, "running"), passed = state && !strcmp(state, "passed");

	if (upgrade->canary_seen &&
	    (passed || (runs && integer_of(upgrade->canary_seen, "step") != integer_of(canary, "step"))))
		share_has_baked(upgrade);
	json_decref(upgrade->canary_seen);
	upgrade->canary_seen = json_incref((json_t *)canary);
	return runs;
}

static int ended(struct upgrade *upgrade)
{
	const json_t *seen = upgrade->canary_seen;
	const char *state = json_string_value(json_object_get(seen, "state"));
	const char *reason = json_string_value(json_object_get(seen, "reason"));

	json_object_set(upgrade->report, "canary", upgrade->canary_seen);
	if (state && !strcmp(state, "passed")) {
		upgrade->swapped = true;
		snprintf(upgrade->detail, sizeof(upgrade->detail), "generation %" PRIu64 " serves everybody",
			 upgrade->generation);
		return 0;
	}
	upgrade->code = RPC_CONFLICT;
	upgrade->left = "everybody is back on the old program";
	upgrade->data = json_pack("{s:O?}", "canary", upgrade->canary_seen);
	snprintf(upgrade->detail, sizeof(upgrade->detail), "%s: %s", state ? state : "it is not there",
		 reason ? reason : "the holder knows of none");
	return -ECANCELED;
}

int step_canary(struct upgrade *upgrade)
{
	struct rpc_result status;
	bool runs = true;

	if (!upgrade->canary_seen)
		upgrade->start = upgrade->swap;
	if (holder_call(upgrade->controld->holder, "swap.status", NULL, NULL, 0, &status)) {
		rpc_result_done(&status);
		if (++upgrade->canary_away < AWAY_MAX)
			return LOOK_MS;
		snprintf(upgrade->detail, sizeof(upgrade->detail), "the holder has been away too long");
		upgrade->left = "the holder's next start takes everybody back to the old program";
		return -ENOTCONN;
	}
	upgrade->canary_away = 0;
	runs = look(upgrade, json_object_get(status.value, "canary"));
	rpc_result_done(&status);
	if (!runs)
		return ended(upgrade);
	drops_read(upgrade->controld->maps, &upgrade->swap);
	return LOOK_MS;
}
