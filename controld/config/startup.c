/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /startup: how long each phase of a start may take.
 */
#include "controld/config/parse.h"

#define DEADLINE_MAX_S 3600

static const struct {
	const char *name;
	uint32_t deadline_s;
} phases[CONFIG_PHASE_COUNT] = {
#define PHASE(name, deadline_s) {#name, deadline_s},
	CONFIG_PHASES(PHASE)
#undef PHASE
};

const char *config_phase_name(enum config_phase phase)
{
	return phases[phase].name;
}

void config_read_startup(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"deadline_s", NULL};
	const char *names[CONFIG_PHASE_COUNT + 1] = {NULL};
	json_t *startup = config_object(reader, root, "startup"), *deadlines;

	json_read_only(reader, startup, members);
	deadlines = config_object(reader, startup, "deadline_s");
	for (size_t i = 0; i < CONFIG_PHASE_COUNT; i++)
		names[i] = phases[i].name;
	json_read_only(reader, deadlines, names);
	for (size_t i = 0; i < CONFIG_PHASE_COUNT; i++)
		config->deadline_s[i] = (uint32_t)config_integer(reader, deadlines, phases[i].name, 1,
								 DEADLINE_MAX_S, phases[i].deadline_s);
	json_leave(reader);
	json_leave(reader);
}
