/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any JSON as a request for a canary: refused with where and why, or shares that grow
 * within bounds that are shares.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/bpf/judge.h"
#include "lib/bpf/rollout.h"
#include "lib/json.h"

static void check(const struct rollout *rollout, const struct judge_bounds *bounds)
{
	if (!rollout->count || rollout->count > ROLLOUT_STEPS_MAX || !bounds->packets)
		abort();
	for (size_t i = 0; i < rollout->count; i++) {
		if (!rollout->steps[i].bake_s || rollout->steps[i].share > ROLLOUT_ALL ||
		    rollout->steps[i].share <= (i ? rollout->steps[i - 1].share : 0))
			abort();
	}
	for (size_t i = 0; i < TALLY_MAX; i++) {
		if (!(bounds->of[i] == -1 || (bounds->of[i] >= 0 && bounds->of[i] <= 1)))
			abort();
	}
	if (!(bounds->drops >= 0 && bounds->drops <= 1 && bounds->bytes >= 0 && bounds->bytes <= 1))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const tally_names names = {"none", "forward_up", "drop_ttl", "drop_internal"};
	struct rollout rollout = {0};
	struct judge_bounds bounds;
	struct json_reader reader;
	json_t *request = json_loadb((const char *)data, size, 0, NULL);

	if (!request)
		return 0;
	json_reader_init(&reader);
	rollout_read(&reader, request, &rollout);
	const json_t *limits = json_enter(&reader, request, "bounds");
	judge_read_bounds(&reader, limits, names, &bounds);
	json_leave(&reader);
	if (json_reader_ok(&reader))
		check(&rollout, &bounds);
	json_decref(request);
	return 0;
}
