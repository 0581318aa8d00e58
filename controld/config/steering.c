/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading what is done about public addresses in trouble: /cgnat/steering.
 */
#include <string.h>

#include "controld/config/parse.h"
#include "dataplane/abi/meta.h"

#define WEIGHT_MAX 1e6

static const char *const modes[] = {
	[BNG_STEERING_OFF] = "off",
	[BNG_STEERING_OBSERVE] = "observe",
	[BNG_STEERING_ENFORCE] = "enforce",
};

#define MODES (sizeof(modes) / sizeof(modes[0]))

const char *config_steering_mode_name(uint8_t mode)
{
	return modes[mode < MODES ? mode : BNG_STEERING_OFF];
}

uint8_t config_steering_mode(struct json_reader *reader, json_t *object, const char *member,
			     const char *fallback)
{
	const char *text = config_string(reader, object, member, fallback);

	for (uint8_t mode = 0; text && mode < MODES; mode++)
		if (!strcmp(text, modes[mode]))
			return mode;
	json_reader_fail(reader, json_enter(reader, object, member),
			 "must be \"off\", \"observe\" or \"enforce\"");
	json_leave(reader);
	return BNG_STEERING_OFF;
}

static void read_weights(struct json_reader *reader, json_t *object, struct config_steering *steering)
{
	static const char *const members[] = {"alloc_failures", "limit_hits", "drops", NULL};
	json_t *weights = config_object(reader, object, "weights");

	json_read_only(reader, weights, members);
	steering->weight_failures = config_number(reader, weights, "alloc_failures", 0, WEIGHT_MAX, 8);
	steering->weight_limit_hits = config_number(reader, weights, "limit_hits", 0, WEIGHT_MAX, 1.7);
	steering->weight_drops = config_number(reader, weights, "drops", 0, WEIGHT_MAX, 5);
	json_leave(reader);
}

static void read_scores(struct json_reader *reader, json_t *object, struct config_steering *steering)
{
	steering->half_life_s = config_number(reader, object, "half_life_seconds", 1, 86400, 60);
	steering->pressured_below = config_number(reader, object, "pressured_below", 0, 100, 80);
	steering->degraded_below = config_number(reader, object, "degraded_below", 0, 100, 50);
	steering->threshold = config_number(reader, object, "threshold", 0, 100, 70);
	if (steering->degraded_below <= steering->pressured_below)
		return;
	json_reader_fail(reader, json_enter(reader, object, "degraded_below"),
			 "must not be above pressured_below, which is %g", steering->pressured_below);
	json_leave(reader);
}

void config_read_steering(struct json_reader *reader, json_t *cgnat, struct config_steering *steering)
{
	static const char *const members[] = {"mode",
					      "interval_seconds",
					      "half_life_seconds",
					      "weights",
					      "pressured_below",
					      "degraded_below",
					      "threshold",
					      "share_per_interval",
					      "stability_margin",
					      "hold_down_seconds",
					      "max_fill",
					      NULL};
	json_t *object = config_object(reader, cgnat, "steering");

	json_read_only(reader, object, members);
	steering->mode = config_steering_mode(reader, object, "mode", "off");
	steering->interval_s = (uint32_t)config_integer(reader, object, "interval_seconds", 1, 3600, 10);
	read_weights(reader, object, steering);
	read_scores(reader, object, steering);
	steering->share = config_number(reader, object, "share_per_interval", 0, 1, 0.02);
	steering->margin = config_number(reader, object, "stability_margin", 0, 100, 15);
	steering->hold_down_s =
		(uint32_t)config_integer(reader, object, "hold_down_seconds", 0, 30 * 86400, 1800);
	steering->max_fill = config_number(reader, object, "max_fill", 0, 1, 0.85);
	json_leave(reader);
}
