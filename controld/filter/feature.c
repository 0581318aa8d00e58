/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Filters of the configuration, and who has them. A session gets its filter before its
 * first packet (session_set_filter); here is what comes later: a change, a start of
 * controld, other rules.
 *
 * A filter that sessions have is not removed: while controld runs that is refused, at a
 * start it stays in force until nobody has it. A name that is not configured changes
 * nothing of a session that is up.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controld/config/config.h"
#include "controld/feature.h"
#include "controld/filter/filter.h"
#include "controld/session/detail.h"
#include "lib/log.h"

void filter_users(const struct maps *maps, uint32_t users[static BNG_FILTERS])
{
	const struct bng_subscriber *records = maps->subscriber;

	memset(users, 0, BNG_FILTERS * sizeof(*users));
	for (uint32_t slot = 1; slot < maps_entries(maps, MAP_subscriber); slot++)
		if (records[slot].filter < BNG_FILTERS && records[slot].state == BNG_SUBSCRIBER_ACTIVE)
			users[records[slot].filter]++;
}

/* ---- The table ---------------------------------------------------------------------- */

static bool is_configured(const struct config *config, const char *name)
{
	return config && config_find_filter(config, name);
}

static int check(struct controld *controld, const struct config *old, const struct config *next, char *error,
		 size_t error_size)
{
	const struct maps *maps = controld->maps;
	uint32_t users[BNG_FILTERS];

	filter_users(maps, users);
	for (uint8_t i = 1; old && i < BNG_FILTER_CLOSED; i++) {
		const char *name = filter_name(maps, i);

		if (!users[i] || !is_configured(old, name) || is_configured(next, name))
			continue;
		snprintf(error, error_size,
			 "/filters/%s: missing: must stay while sessions have it (%" PRIu32
			 " do): give them another one first, or give this one other rules",
			 name, users[i]);
		return -EBUSY;
	}
	return 0;
}

static bool is_in_force(const struct maps *maps, const struct config_filter *filter)
{
	uint8_t number = filter_find(maps, filter->name);

	return number && !memcmp(filter_rules(maps, number), &filter->rules, sizeof(filter->rules));
}

/* Before others are added, so that there is room. */
static void remove_unused(struct maps *maps, const struct config *next)
{
	uint32_t users[BNG_FILTERS];

	filter_users(maps, users);
	for (uint8_t i = 1; i < BNG_FILTER_CLOSED; i++) {
		const char *name = filter_name(maps, i);

		if (!name[0] || is_configured(next, name))
			continue;
		if (users[i])
			log_warning("filter \"%s\" is not configured any more, but %" PRIu32
				    " sessions have it: its rules stay in force",
				    name, users[i]);
		else
			filter_remove(maps, i);
	}
}

static int put_in_force(struct maps *maps, const struct config_filter *filter)
{
	uint8_t number = filter_find(maps, filter->name);

	if (number)
		filter_publish(maps, number, &filter->rules);
	else if (!filter_add(maps, filter->name, &filter->rules)) {
		log_error("filter \"%s\": no room beside those that sessions still have", filter->name);
		return -ENOSPC;
	}
	return 0;
}

/* ---- Sessions ------------------------------------------------------------------------- */

/* True if it has what it was granted. */
static bool evaluate(struct controld *controld, const struct session *session)
{
	const struct session_detail *detail = session_detail(controld, session);
	const char *name = detail && detail->profile.given & PROFILE_FILTER ? detail->profile.filter : NULL;
	uint8_t number = name ? filter_find(controld->maps, name) : 0;

	if (!session_grant_is_known(controld, session))
		return true;
	if (name && !number)
		return false;
	filter_set(session->record, number);
	return true;
}

static void on_adopted(struct controld *controld, const struct session *session)
{
	if (!evaluate(controld, session))
		log_warning("session %" PRIu64 " was granted the filter \"%s\", which is not configured: it "
			    "stays as it is",
			    (uint64_t)session->record->session_id,
			    session_detail(controld, session)->profile.filter);
}

static void on_change(struct controld *controld, const struct session *session)
{
	evaluate(controld, session);
}

/* ---- The feature ------------------------------------------------------------------------- */

static int apply(struct controld *controld, const struct config *old, const struct config *next)
{
	struct session session;
	uint32_t slot = 0, changed = 0;
	int failure = 0;

	for (size_t i = 0; i < next->filters.count; i++)
		changed += !is_in_force(controld->maps, &next->filters.filter[i]);
	if (changed)
		maps_grace_period();
	remove_unused(controld->maps, next);
	for (size_t i = 0; !failure && i < next->filters.count; i++)
		if (!is_in_force(controld->maps, &next->filters.filter[i]))
			failure = put_in_force(controld->maps, &next->filters.filter[i]);
	/* Whose filter was missing has it now. At a start sessions are adopted later. */
	while (old && changed && session_next(controld, &slot, &session))
		evaluate(controld, &session);
	return failure;
}

static const struct session_hooks hooks = {.adopted = on_adopted, .change = on_change};

/* Before the feature `session`, which opens sessions by a new configuration. */
const struct bng_feature filter_feature = {
	.name = "filter",
	.check = check,
	.apply = apply,
	.methods = filter_methods,
	.hooks = &hooks,
};
