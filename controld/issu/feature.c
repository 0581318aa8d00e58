/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Upgrading the data plane on request: one at a time, step by step, each step in
 * its own turn of the loop so that the caller sees it when it is done and DHCP
 * clients are served in between.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/issu/canary.h"
#include "controld/issu/history.h"
#include "controld/issu/migrate.h"
#include "controld/issu/upgrade.h"
#include "controld/issu/verify.h"
#include "lib/clock.h"
#include "lib/log.h"

#define CONFIRM_SECONDS_MAX 86400
#define ALLOWED_MAX         32
#define RECORD_WAIT_MS      1000
#define RECORD_TURN_MS      5
#define WATCH_SECONDS       5
#define WATCH_SECONDS_MAX   120 /* what is mapped by then and ends, ends by itself only after that */

struct issu {
	struct upgrade *running; /* NULL: none */
};

static void upgrade_free(struct upgrade *upgrade)
{
	if (upgrade->timer)
		event_free(upgrade->timer);
	if (upgrade->object >= 0)
		close(upgrade->object);
	kept_free(upgrade->kept);
	free(upgrade->signature);
	config_free(upgrade->next);
	verify_free(upgrade->verify);
	json_decref(upgrade->allowed);
	json_decref(upgrade->canary);
	json_decref(upgrade->canary_seen);
	sampler_stop(upgrade->sampler, &upgrade->sample);
	json_decref(upgrade->report);
	json_decref(upgrade->data);
	free(upgrade);
}

/* The step's line in the report, and to the caller at once. */
void upgrade_step_done(struct upgrade *upgrade, const char *name, const char *outcome)
{
	uint64_t now_ns = clock_boottime_ns();
	double ms = (double)(now_ns - upgrade->begun_ns) / 1e6;
	json_t *step = json_pack("{s:s, s:s, s:s, s:f}", "step", name, "outcome", outcome, "detail",
				 upgrade->detail, "ms", ms);

	upgrade->begun_ns = now_ns;
	log_info("upgrade: %-16s %s  %s  %.1f ms", name, outcome, upgrade->detail, ms);
	if (upgrade->peer)
		rpc_notify(upgrade->peer, "issu.step", json_incref(step));
	json_array_append_new(json_object_get(upgrade->report, "steps"), step);
}

/* What was staged for nothing goes. */
static void drop_staged(struct upgrade *upgrade)
{
	struct rpc_result result;

	if (upgrade->object < 0 || !upgrade->generation || upgrade->swapped)
		return;
	holder_call(upgrade->controld->holder, "object.drop",
		    json_pack("{s:I}", "generation", (json_int_t)upgrade->generation), NULL, 0, &result);
	rpc_result_done(&result);
}

static void schedule(struct upgrade *upgrade, unsigned delay_ms)
{
	struct timeval delay = {.tv_usec = (suseconds_t)delay_ms * 1000};

	event_add(upgrade->timer, &delay);
}

/* The caller hears of it when its record is durable, so that nobody's death makes it
 * unheard of; but not much later because of that. */
static void reply(struct upgrade *upgrade)
{
	if (history_waits(upgrade->controld) && upgrade->waited_ms < RECORD_WAIT_MS) {
		upgrade->waited_ms += RECORD_TURN_MS;
		schedule(upgrade, RECORD_TURN_MS);
		return;
	}
	upgrade->controld->issu->running = NULL;
	rpc_reply(upgrade->request, json_incref(upgrade->report), NULL, 0);
	history_look_soon(upgrade->controld);
	upgrade_free(upgrade);
}

static void finish(struct upgrade *upgrade)
{
	if (upgrade->watch_s) {
		watch_judge(upgrade);
		reply(upgrade);
		return;
	}
	upgrade_judge(upgrade);
	history_ended(upgrade, NULL);
	log_notice("upgrade: generation %llu -> %llu, %s%s", (unsigned long long)upgrade->generation_before,
		   (unsigned long long)upgrade->generation,
		   json_is_true(json_object_get(upgrade->report, "hitless")) ? "hitless" : "NOT hitless: ",
		   json_string_value(json_object_get(upgrade->report, "lost")));
	reply(upgrade);
}

/* Nothing was changed; what was staged is the next start's. */
static void finish_migration(struct upgrade *upgrade)
{
	json_object_set_new(upgrade->report, "generation", json_integer((json_int_t)upgrade->generation));
	reply(upgrade);
}

/* Nothing was changed, and nothing stays. */
static void finish_plan(struct upgrade *upgrade)
{
	const json_t *verify = json_object_get(upgrade->report, "verify");
	bool refused = upgrade->code != 0;

	upgrade->controld->issu->running = NULL;
	drop_staged(upgrade);
	json_object_set_new(upgrade->report, "generation", json_integer((json_int_t)upgrade->generation));
	json_object_set_new(upgrade->report, "possible", json_boolean(!refused));
	json_object_set_new(upgrade->report, "bridge", json_boolean(upgrade->next != NULL));
	if (refused && !json_is_object(verify))
		json_object_set_new(upgrade->report, "reason", json_string(upgrade->detail));
	else
		json_object_set_new(upgrade->report, "reason",
				    json_incref(json_object_get(verify, "reason")) ?: json_string(""));
	rpc_reply(upgrade->request, json_incref(upgrade->report), NULL, 0);
	upgrade_free(upgrade);
}

static void give_up(struct upgrade *upgrade, int failure)
{
	char why[600];

	upgrade->controld->issu->running = NULL;
	snprintf(why, sizeof(why), "%s: %s", upgrade->steps->name, upgrade->detail);
	history_ended(upgrade, why);
	drop_staged(upgrade);
	rpc_fail(upgrade->request, upgrade->code ? upgrade->code : ctl_code(failure),
		 json_incref(upgrade->data), "%s: %s; %s", upgrade->steps->name, upgrade->detail,
		 upgrade->left ? upgrade->left : "nothing was changed");
	upgrade_free(upgrade);
}

static void on_step(evutil_socket_t fd, short what, void *context)
{
	struct upgrade *upgrade = context;
	int failure;

	(void)fd;
	(void)what;
	if (!upgrade->steps->name) {
		reply(upgrade);
		return;
	}
	upgrade->detail[0] = '\0';
	if (!upgrade->begun_ns)
		upgrade->begun_ns = clock_boottime_ns();
	failure = upgrade->steps->run(upgrade);
	if (failure > 0) {
		schedule(upgrade, (unsigned)failure);
		return;
	}
	upgrade_step_done(upgrade, upgrade->steps->name, failure || upgrade->code ? "failed" : "ok");
	upgrade->begun_ns = 0;
	if (failure) {
		give_up(upgrade, failure);
		return;
	}
	upgrade->steps++;
	if (upgrade->steps->name)
		schedule(upgrade, upgrade->steps->delay_ms);
	else if (upgrade->is_plan)
		finish_plan(upgrade);
	else if (upgrade->is_migration)
		finish_migration(upgrade);
	else
		finish(upgrade);
}

static struct upgrade *upgrade_new(struct controld *controld, struct rpc_request *request,
				   const struct upgrade_step *steps)
{
	struct upgrade *upgrade = calloc(1, sizeof(*upgrade));

	if (!upgrade)
		return NULL;
	*upgrade = (struct upgrade){
		.controld = controld,
		.request = request,
		.peer = rpc_request_peer(request),
		.caller = *rpc_peer_credentials(rpc_request_peer(request)),
		.steps = steps,
		.object = -1,
		.report = json_pack("{s:[]}", "steps"),
	};
	upgrade->timer = event_new(controld->base, -1, 0, on_step, upgrade);
	if (upgrade->timer && upgrade->report)
		return upgrade;
	upgrade_free(upgrade);
	return NULL;
}

static const char *running_step(const struct controld *controld)
{
	const struct upgrade *running = controld->issu->running;

	return !running ? NULL : running->steps->name ? running->steps->name : "record kept";
}

static bool busy(struct controld *controld, struct rpc_request *request)
{
	if (!controld->issu->running)
		return false;
	rpc_fail(request, RPC_CONFLICT, NULL, "an upgrade is in progress (%s): wait until it has ended",
		 running_step(controld));
	return true;
}

static void start(struct controld *controld, struct upgrade *upgrade, struct rpc_request *request)
{
	if (!upgrade) {
		rpc_fail(request, RPC_INTERNAL, NULL, "starting the upgrade failed: out of memory");
		return;
	}
	controld->issu->running = upgrade;
	schedule(upgrade, upgrade->steps->delay_ms);
}

/* Names of differences; NULL: none. */
static json_t *read_allowed(struct json_reader *reader, const json_t *params)
{
	json_t *names = json_enter(reader, params, "allow_diff"), *name;
	size_t i;

	if (names && (!json_is_array(names) || json_array_size(names) > ALLOWED_MAX))
		json_reader_fail(reader, names, "must be an array of at most %d texts", ALLOWED_MAX);
	json_array_foreach(names, i, name)
	{
		json_enter_index(reader, names, i);
		if (!json_is_string(name) || json_string_length(name) >= VERIFY_NAME)
			json_reader_fail(reader, name, "must be the name of a difference");
		json_leave(reader);
	}
	json_leave(reader);
	return names;
}

/* What upgrade, plan and migrate all get: NULL after it was refused. */
static struct upgrade *of_object(struct controld *controld, struct rpc_request *request,
				 const struct upgrade_step *steps, struct json_reader *reader,
				 const json_t *params)
{
	const char *name = json_read_string(reader, params, "name");
	const char *signature = json_read_string_or(reader, params, "signature", NULL);
	json_t *allowed = read_allowed(reader, params);
	struct upgrade *upgrade;

	if (ctl_refused(request, reader) || busy(controld, request))
		return NULL;
	if (rpc_fd_count(request) != 1) {
		rpc_fail(request, RPC_INVALID_PARAMS, NULL,
			 "issu.%s needs one descriptor, of the object file; %zu came",
			 steps == plan_steps      ? "plan"
			 : steps == migrate_steps ? "migrate"
						  : "upgrade",
			 rpc_fd_count(request));
		return NULL;
	}
	if (names_refused(request, allowed, json_object_get(params, "canary"), rpc_fd(request, 0)))
		return NULL;
	upgrade = upgrade_new(controld, request, steps);
	if (!upgrade) {
		rpc_fail(request, RPC_INTERNAL, NULL, "starting the upgrade failed: out of memory");
		return NULL;
	}
	upgrade->object = dup(rpc_fd(request, 0));
	upgrade->signature = signature ? strdup(signature) : NULL;
	upgrade->allowed = allowed ? json_incref(allowed) : json_array();
	snprintf(upgrade->name, sizeof(upgrade->name), "%s", name);
	return upgrade;
}

static void handle_upgrade(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"name",       "confirm_s", "signature", "no_verify",
					      "allow_diff", "canary",    NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct upgrade *upgrade;
	json_t *params = ctl_params(request, &reader, members);
	json_t *canary;
	int64_t confirm_s;
	bool no_verify;

	if (!params)
		return;
	canary = canary_read(&reader, params);
	confirm_s = json_read_integer_or(&reader, params, "confirm_s", 1, CONFIRM_SECONDS_MAX, 0);
	no_verify = json_read_bool_or(&reader, params, "no_verify", false);
	upgrade = of_object(controld, request, canary ? canary_steps : upgrade_steps, &reader, params);
	if (!upgrade)
		return;
	upgrade->canary = json_incref(canary);
	upgrade->confirm_s = (unsigned)confirm_s;
	upgrade->no_verify = no_verify;
	start(controld, upgrade, request);
}

/* Nothing is swapped by it: `steps` is how far it goes. */
static void handle_object(struct controld *controld, struct rpc_request *request, const char *const members[],
			  const struct upgrade_step *steps)
{
	struct json_reader reader;
	struct upgrade *upgrade;
	json_t *params = ctl_params(request, &reader, members);

	if (!params)
		return;
	upgrade = of_object(controld, request, steps, &reader, params);
	if (!upgrade)
		return;
	upgrade->is_plan = steps == plan_steps;
	upgrade->is_migration = steps == migrate_steps;
	start(controld, upgrade, request);
}

static void handle_plan(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"name", "signature", "allow_diff", NULL};

	handle_object(context, request, members, plan_steps);
}

static void handle_migrate(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"name", "signature", NULL};

	handle_object(context, request, members, migrate_steps);
}

/* While a share bakes, going back is the canary's end: whoever waits for the upgrade hears of
 * it, too. */
static bool end_canary(struct controld *controld, struct rpc_request *request)
{
	const struct upgrade *running = controld->issu->running;
	struct rpc_result result;
	int failure;

	if (!running || running->steps->run != step_canary)
		return false;
	failure = holder_call(controld->holder, "swap.rollback",
			      json_pack("{s:I}", "generation", (json_int_t)running->generation_before), NULL,
			      0, &result);
	if (failure)
		rpc_fail(request, result.code ? result.code : ctl_code(failure), NULL, "%s", result.message);
	else
		rpc_reply(request,
			  json_pack("{s:I, s:I}", "canary_ended", (json_int_t)running->generation,
				    "generation", (json_int_t)running->generation_before),
			  NULL, 0);
	rpc_result_done(&result);
	return true;
}

static void handle_rollback(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"generation", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct upgrade *upgrade;
	json_t *params = ctl_params(request, &reader, members);
	int64_t generation;

	if (!params)
		return;
	generation = json_read_integer_or(&reader, params, "generation", 1, INT64_MAX, 0);
	if (ctl_refused(request, &reader) || (!generation && end_canary(controld, request)) ||
	    busy(controld, request))
		return;
	upgrade = upgrade_new(controld, request, rollback_steps);
	if (upgrade) {
		upgrade->generation = (uint64_t)generation;
		snprintf(upgrade->name, sizeof(upgrade->name), "rollback");
	}
	start(controld, upgrade, request);
}

/* No swap, only what is measured around one. */
static void handle_verify(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"seconds", NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct upgrade *upgrade;
	json_t *params = ctl_params(request, &reader, members);
	int64_t seconds;

	if (!params)
		return;
	seconds = json_read_integer_or(&reader, params, "seconds", 1, WATCH_SECONDS_MAX, WATCH_SECONDS);
	if (ctl_refused(request, &reader) || busy(controld, request))
		return;
	upgrade = upgrade_new(controld, request, watch_steps);
	if (upgrade)
		upgrade->watch_s = (unsigned)seconds;
	start(controld, upgrade, request);
}

static void handle_confirm(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct rpc_result result;
	int failure;

	if (!ctl_params(request, &reader, members))
		return;
	failure = holder_call(controld->holder, "swap.confirm", NULL, NULL, 0, &result);
	if (failure)
		rpc_fail(request, result.code ? result.code : ctl_code(failure), NULL, "%s", result.message);
	else
		rpc_reply(request, json_object(), NULL, 0);
	if (!failure)
		history_confirmed(controld);
	rpc_result_done(&result);
}

static void handle_status(struct rpc_request *request, void *context)
{
	static const char *const members[] = {NULL};
	struct controld *controld = context;
	struct json_reader reader;
	struct rpc_result status;
	int failure;

	if (!ctl_params(request, &reader, members))
		return;
	failure = holder_call(controld->holder, "holder.status", NULL, NULL, 0, &status);
	if (failure)
		rpc_fail(request, status.code ? status.code : ctl_code(failure), NULL, "%s", status.message);
	else
		rpc_reply(request,
			  json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:o, s:s?}", "current",
				    json_object_get(status.value, "generation"), "previous",
				    json_object_get(status.value, "previous"), "generations",
				    json_object_get(status.value, "generations"), "links",
				    json_object_get(status.value, "links"), "trial",
				    json_object_get(status.value, "trial"), "canary",
				    json_object_get(status.value, "canary"), "migration",
				    json_object_get(status.value, "migration"), "migrate_to",
				    migrate_asked_json(controld), "running", running_step(controld)),
			  NULL, 0);
	rpc_result_done(&status);
}

bool upgrade_runs(const struct controld *controld)
{
	return controld->issu && controld->issu->running;
}

static void on_closed(struct controld *controld, struct rpc_peer *peer)
{
	if (controld->issu && controld->issu->running && controld->issu->running->peer == peer)
		controld->issu->running->peer = NULL;
}

static int init(struct controld *controld)
{
	controld->issu = calloc(1, sizeof(*controld->issu));
	maps_capture_ask(controld->maps, 0); /* who asked for packets is gone */
	return controld->issu ? ctl_on_close(controld, on_closed) : -ENOMEM;
}

static void done(struct controld *controld)
{
	struct upgrade *running = controld->issu ? controld->issu->running : NULL;

	if (running) {
		rpc_fail(running->request, RPC_UNAVAILABLE, NULL, "%s: bng-controld is ending",
			 running_step(controld));
		upgrade_free(running);
	}
	free(controld->issu);
	controld->issu = NULL;
}

static const struct rpc_method methods[] = {
	{"issu.upgrade", 0, handle_upgrade},
	{"issu.plan", 0, handle_plan},
	{"issu.migrate", 0, handle_migrate},
	{"issu.migrate.cancel", 0, handle_migrate_cancel},
	{"issu.status", 0, handle_status},
	{"issu.rollback", 0, handle_rollback},
	{"issu.confirm", 0, handle_confirm},
	{"issu.verify", 0, handle_verify},
	{0},
};

const struct bng_feature issu_feature = {
	.name = "issu",
	.init = init,
	.free = done,
	.methods = methods,
};
