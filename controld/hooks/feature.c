/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Sessions told to the outside: to operators' commands, and as events to whoever follows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/feature.h"
#include "controld/hooks/hooks.h"
#include "controld/session/detail.h"
#include "lib/clock.h"

static const char *event_name(enum hook_event event)
{
	return event == HOOK_UP ? "session_up" : event == HOOK_DOWN ? "session_down" : "session_change";
}

/* What an event has of a session: enough to ask for the rest. */
static json_t *short_json(json_t *session)
{
	static const char *const members[] = {"address",   "mac",       "user", "interface",
					      "outer_vid", "inner_vid", "kind"};
	json_t *event = json_object();

	json_object_set(event, "session", json_object_get(session, "id"));
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		json_object_set(event, members[i], json_object_get(session, members[i]));
	return event;
}

static void set_facts(json_t *object, const char *type, enum session_end end, const char *why)
{
	char when[CLOCK_TEXT];

	json_object_set_new(object, "time", json_string(clock_format(clock_boottime_ns(), when)));
	json_object_set_new(object, "type", json_string(type));
	if (!why)
		return;
	json_object_set_new(object, "end", json_string(session_end_name(end)));
	json_object_set_new(object, "reason", json_string(why));
}

static void tell(struct controld *controld, const struct session *session, enum hook_event event,
		 enum session_end end, const char *why)
{
	struct hooks *hooks = controld->hooks;
	bool is_followed = ctl_followed(controld), is_wanted = hooks_want(hooks, event);
	json_t *object, *brief;
	char *text;

	if (!is_followed && !is_wanted)
		return;
	object = session_describe(controld, session);
	if (is_followed) {
		brief = short_json(object);
		set_facts(brief, event_name(event), end, why);
		ctl_event(controld, brief);
	}
	set_facts(object, event_name(event), end, why);
	text = is_wanted ? json_dumps(object, JSON_COMPACT) : NULL;
	if (text)
		hooks_tell(hooks, event, text);
	free(text);
	json_decref(object);
}

static void on_up(struct controld *controld, const struct session *session)
{
	tell(controld, session, HOOK_UP, 0, NULL);
}

static void on_change(struct controld *controld, const struct session *session)
{
	tell(controld, session, HOOK_CHANGE, 0, NULL);
}

static void on_down(struct controld *controld, const struct session *session, enum session_end end,
		    const char *why)
{
	tell(controld, session, HOOK_DOWN, end, why);
}

static const struct session_hooks session_hooks = {.up = on_up, .change = on_change, .down = on_down};

static int feature_init(struct controld *controld)
{
	struct hooks *hooks = calloc(1, sizeof(*hooks));

	controld->hooks = hooks;
	if (!hooks)
		return -ENOMEM;
	hooks->base = controld->base;
	TAILQ_INIT(&hooks->list);
	return 0;
}

static void feature_free(struct controld *controld)
{
	if (!controld->hooks)
		return;
	hooks_free(controld->hooks);
	free(controld->hooks);
	controld->hooks = NULL;
}

static int feature_apply(struct controld *controld, const struct config *old, const struct config *next)
{
	(void)old;
	return hooks_configure(controld->hooks, &next->hooks);
}

static json_t *hook_json(const struct hook *hook)
{
	const struct hook_counts *counts = &hook->counts;

	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "command",
			 hook->config.argv[0], "leaving", hook->is_retired, "running",
			 (json_int_t)hook->running_count, "waiting", (json_int_t)hook->waiting_count,
			 "started", (json_int_t)counts->started, "succeeded", (json_int_t)counts->succeeded,
			 "failed", (json_int_t)counts->failed, "timed_out", (json_int_t)counts->timed_out,
			 "dropped", (json_int_t)counts->dropped, "refused", (json_int_t)counts->refused);
}

static void handle_stats(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	const struct controld *controld = context;
	json_t *list = json_array();
	struct json_reader reader;
	const struct hook *hook;

	if (!ctl_params(request, &reader, members)) {
		json_decref(list);
		return;
	}
	TAILQ_FOREACH(hook, &controld->hooks->list, next)
	json_array_append_new(list, hook_json(hook));
	rpc_reply(request, json_pack("{s:o}", "hooks", list), NULL, 0);
}

static const struct rpc_method methods[] = {
	{"hooks.stats", 0, handle_stats},
	{0},
};

const struct bng_feature hooks_feature = {
	.name = "hooks",
	.init = feature_init,
	.free = feature_free,
	.apply = feature_apply,
	.methods = methods,
	.hooks = &session_hooks,
};
