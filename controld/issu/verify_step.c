/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Verification as a step of an upgrade: it begins, is looked at again and again, and what
 * it found goes into the report. In a plan it never fails: the report says what would.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/issu/upgrade.h"
#include "controld/issu/verify.h"
#include "lib/rpc.h"

#define LOOK_MS 20

static int leave_out(struct upgrade *upgrade, const char *why)
{
	snprintf(upgrade->detail, sizeof(upgrade->detail), "left out (%s)", why);
	json_object_set_new(upgrade->report, "verify", json_null());
	return 0;
}

static int refuse(struct upgrade *upgrade, const char *why)
{
	snprintf(upgrade->detail, sizeof(upgrade->detail), "%s", why);
	upgrade->code = RPC_CONFLICT;
	if (upgrade->is_plan)
		return 0;
	upgrade->data = json_pack("{s:O?}", "verify", json_object_get(upgrade->report, "verify"));
	return -ECANCELED;
}

static int report(struct upgrade *upgrade)
{
	const struct config_verify *bounds = &upgrade->controld->config->verify;
	const struct verify_result *result;
	const char *error;
	json_t *verdict;
	int failure = verify_outcome(upgrade->verify, &result, &error);

	if (failure) {
		json_object_set_new(upgrade->report, "verify", json_null());
		return refuse(upgrade, error);
	}
	verdict = verify_json(result, bounds, upgrade->allowed);
	json_object_set_new(upgrade->report, "verify", verdict);
	if (!json_is_true(json_object_get(verdict, "passed")))
		return refuse(upgrade, json_string_value(json_object_get(verdict, "reason")));
	verify_summary(result, upgrade->detail, sizeof(upgrade->detail));
	return 0;
}

int step_verify(struct upgrade *upgrade)
{
	int failure;

	if (upgrade->no_verify)
		return leave_out(upgrade, "--no-verify");
	if (upgrade->next)
		return leave_out(upgrade,
				 "it is a bridge, which moves maps: no other ones make it what it is");
	if (upgrade->is_from_bridge)
		return leave_out(upgrade,
				 "a bridge runs, which moves maps: no other ones make it what it is");
	if (!upgrade->controld->config->verify.enabled)
		return leave_out(upgrade, "/issu/verify/enabled is false");
	if (!upgrade->verify) {
		upgrade->verify = verify_start(upgrade->controld, (unsigned)upgrade->generation_before,
					       (unsigned)upgrade->generation);
		return upgrade->verify ? LOOK_MS : refuse(upgrade, "starting it failed: out of memory");
	}
	if (!verify_has_ended(upgrade->verify))
		return LOOK_MS;
	failure = report(upgrade);
	verify_free(upgrade->verify);
	upgrade->verify = NULL;
	return failure;
}
