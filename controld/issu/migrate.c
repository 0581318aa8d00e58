/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Asking for a migration (controld/startup/migrate.h): a bridge is staged and stays so, with the
 * sizes that the configuration's file has now; the next start goes over it. All that can be
 * known to be wrong is refused before.
 */
#include "controld/issu/migrate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/ctl/reload.h"
#include "controld/issu/upgrade.h"
#include "controld/maps/sizes.h"
#include "controld/startup/migrate.h"

/* A bridge only makes maps larger, and not those whose entries would be elsewhere then. */
static int check_size(struct upgrade *upgrade, const struct size_compared *size)
{
	const char *why = size->wanted < size->running ? "a map does not shrink" : size->stays;

	if (size->wanted == size->running || (!size->stays && size->wanted > size->running))
		return 0;
	snprintf(upgrade->detail, sizeof(upgrade->detail),
		 "%s /sizes/%s: %u: %u expected, as the running maps have: %s",
		 reload_file(upgrade->controld), size->name, size->wanted, size->running, why);
	upgrade->code = RPC_CONFLICT;
	return -EBUSY;
}

int migrate_prepare(struct upgrade *upgrade)
{
	struct size_compared sizes[SIZES_COUNT];
	char error[CONFIG_ERROR_TEXT];
	int failure = 0;

	if (config_load(reload_file(upgrade->controld), &upgrade->next, error, sizeof(error))) {
		snprintf(upgrade->detail, sizeof(upgrade->detail), "%.500s", error);
		upgrade->code = RPC_INVALID_PARAMS;
		return -EINVAL;
	}
	maps_sizes_compare(upgrade->controld->maps, upgrade->next, sizes);
	for (size_t i = 0; !failure && i < SIZES_COUNT; i++)
		failure = check_size(upgrade, &sizes[i]);
	return failure;
}

static int refuse(struct upgrade *upgrade, const char *why)
{
	snprintf(upgrade->detail, sizeof(upgrade->detail), "%s: %s", upgrade->name, why);
	upgrade->code = RPC_CONFLICT;
	return -EBUSY;
}

static int step_bridge(struct upgrade *upgrade)
{
	int failure;

	if (!maps_is_bridge(upgrade->object))
		return refuse(upgrade,
			      "no bridge: it has no map NAME" MAPS_OLD ", of an object that runs until then");
	failure = migrate_prepare(upgrade);
	if (!failure)
		snprintf(upgrade->detail, sizeof(upgrade->detail), "%s is one; maps get the /sizes of %s",
			 upgrade->name, reload_file(upgrade->controld));
	return failure;
}

/* Whether one of them becomes something else. */
static bool would_change(const json_t *map)
{
	return json_object_get(map, "detail") ||
	       !json_equal(json_object_get(map, "entries_old"), json_object_get(map, "entries_new"));
}

int migrate_changes(struct upgrade *upgrade)
{
	bool changes = false;
	json_t *map;
	size_t i;

	json_array_foreach(json_object_get(upgrade->report, "maps"), i, map)
	{
		const char *result = json_string_value(json_object_get(map, "result"));

		changes |= result && !strcmp(result, "migrate") && would_change(map);
	}
	if (!changes)
		return refuse(upgrade, "nothing to migrate: its maps have the sizes and the layout of those "
				       "that run; /sizes "
				       "in the configuration makes them larger");
	return 0;
}

/* From here on it is the next start's. What was asked for before is not any more. */
static int step_ask(struct upgrade *upgrade)
{
	int failure;

	migrate_forget(upgrade->controld);
	failure = migrate_ask(upgrade->controld, upgrade->generation);
	if (failure)
		snprintf(upgrade->detail, sizeof(upgrade->detail),
			 "writing down what is asked for failed: %s", strerror(-failure));
	else
		snprintf(upgrade->detail, sizeof(upgrade->detail),
			 "generation %" PRIu64 " is for the next start of bng-controld", upgrade->generation);
	return failure;
}

const struct upgrade_step migrate_steps[] = {
	{"links found", step_links, 0},  {"bridge checked", step_bridge, 0}, {"object staged", step_stage, 0},
	{"maps compared", step_maps, 0}, {"request kept", step_ask, 0},      {0},
};

void handle_migrate_cancel(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct json_reader reader;
	uint64_t generation = migrate_asked(controld);

	if (!ctl_params(request, &reader, members))
		return;
	if (!generation) {
		rpc_fail(request, RPC_NOT_FOUND, NULL, "no migration was asked for");
		return;
	}
	migrate_forget(controld);
	rpc_reply(request, json_pack("{s:I}", "generation", (json_int_t)generation), NULL, 0);
}

json_t *migrate_asked_json(const struct controld *controld)
{
	uint64_t generation = migrate_asked(controld);

	return generation ? json_integer((json_int_t)generation) : json_null();
}
