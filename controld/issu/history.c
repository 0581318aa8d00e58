/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The records, see the header. Until the bus has told what it kept, new ones have
 * no lasting number and stay here; then they follow the kept ones.
 */
#include "controld/issu/history.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/feature.h"
#include "controld/issu/upgrade.h"
#include "controld/startup/migrate.h"
#include "controld/sync/sync.h"
#include "lib/clock.h"
#include "lib/log.h"

#define TOPIC "upgrade"

#define TRIAL_RUNS          "running"
#define TRIAL_CONFIRMED     "confirmed"
#define TRIAL_NOT_CONFIRMED "not confirmed"
#define TRIAL_ROLLED_BACK   "rolled back"

struct history {
	json_t *records; /* the oldest first */
	json_t *kept;    /* by the bus, while it tells */
	struct event *look;
	unsigned waiting; /* records that are not durable yet */
	bool is_synced;
	bool told_refused; /* a migration that this start did not do */
};

static json_int_t integer_of(const json_t *object, const char *member)
{
	return json_integer_value(json_object_get(object, member));
}

static json_t *last_of(const struct history *history)
{
	size_t count = json_array_size(history->records);

	return count ? json_array_get(history->records, count - 1) : NULL;
}

/* ---- On the bus ----------------------------------------------------------------------- */

static const char *key_of(const json_t *record, char key[static 16])
{
	snprintf(key, 16, "%010u", (unsigned)integer_of(record, "number"));
	return key;
}

static void on_durable(void *context, int error, const char *reason)
{
	struct history *history = context;

	if (error == -EINVAL)
		log_error("bngsync refuses the record of an upgrade: %s", reason);
	history->waiting--;
}

static json_t *without_report(json_t *record)
{
	json_t *copy = json_copy(record);

	json_object_del(copy, "report");
	return copy;
}

/* A report that is larger than the bus takes stays here; its record does not. */
static void publish(struct controld *controld, json_t *record)
{
	struct history *history = controld->history;
	char key[16];
	int failure;

	if (!history->is_synced)
		return;
	failure = sync_put(controld, TOPIC, key_of(record, key), json_incref(record), on_durable, history);
	if (failure == -EINVAL)
		failure = sync_put(controld, TOPIC, key, without_report(record), on_durable, history);
	if (failure)
		log_warning("the record of an upgrade is not kept for the next start: %s",
			    strerror(-failure));
	else
		history->waiting++;
}

bool history_waits(const struct controld *controld)
{
	return controld->history && controld->history->waiting && sync_is_up(controld);
}

static void forget_old(struct controld *controld)
{
	struct history *history = controld->history;
	char key[16];

	while (json_array_size(history->records) > HISTORY_MAX) {
		if (history->is_synced)
			sync_delete(controld, TOPIC, key_of(json_array_get(history->records, 0), key), NULL,
				    NULL);
		json_array_remove(history->records, 0);
	}
}

/* Numbers it, behind the last one; steals it. */
static void add(struct controld *controld, json_t *record)
{
	struct history *history = controld->history;

	json_object_set_new(record, "number", json_integer(integer_of(last_of(history), "number") + 1));
	if (json_array_append_new(history->records, record))
		return;
	publish(controld, record);
	forget_old(controld);
}

static void on_record(struct controld *controld, const char *key, struct json_slice value)
{
	struct history *history = controld->history;
	size_t place = json_array_size(history->kept);
	json_t *record = json_loadb(value.text, value.length, 0, NULL);

	if (integer_of(record, "number") < 1 || !json_is_string(json_object_get(record, "kind"))) {
		log_warning("bngsync: record %s of the topic " TOPIC " is none of an upgrade: left out", key);
		json_decref(record);
		return;
	}
	while (place &&
	       integer_of(json_array_get(history->kept, place - 1), "number") > integer_of(record, "number"))
		place--;
	json_array_insert_new(history->kept, place, record);
}

static void on_synced(struct controld *controld)
{
	struct history *history = controld->history;
	json_t *own = history->records, *record;
	size_t i;

	history->records = history->kept;
	history->kept = json_array();
	history->is_synced = true;
	json_array_foreach(own, i, record) add(controld, json_incref(record));
	json_decref(own);
	history_look_soon(controld);
}

static void on_rewrite(struct controld *controld)
{
	json_t *record;
	size_t i;

	json_array_foreach(controld->history->records, i, record) publish(controld, record);
}

static const struct sync_topic topic = {
	.name = TOPIC, .record = on_record, .synced = on_synced, .rewrite = on_rewrite};

/* ---- Writing -------------------------------------------------------------------------- */

static json_t *time_json(void)
{
	char text[CLOCK_TEXT];

	return json_string(clock_format(clock_boottime_ns(), text));
}

/* The last record of what was changed; what was refused has changed nothing. */
static json_t *last_change(const struct history *history)
{
	size_t i = json_array_size(history->records);

	while (i--) {
		json_t *record = json_array_get(history->records, i);
		const char *outcome = json_string_value(json_object_get(record, "outcome"));

		if (outcome && strcmp(outcome, "refused") != 0)
			return record;
	}
	return NULL;
}

static bool trial_runs(const json_t *record)
{
	const char *trial = json_string_value(json_object_get(record, "trial"));

	return trial && !strcmp(trial, TRIAL_RUNS);
}

static void trial_ends(struct controld *controld, json_t *record, const char *how)
{
	if (!trial_runs(record))
		return;
	json_object_set_new(record, "trial", json_string(how));
	publish(controld, record);
}

static const char *outcome_of(const json_t *report, const char *refusal)
{
	if (refusal)
		return "refused";
	return json_is_true(json_object_get(report, "hitless")) ? "hitless" : "lost";
}

/* "passed", or why it was taken back; NULL: there was none. */
static const char *canary_text(const json_t *canary, char *text, size_t size)
{
	const char *state = json_string_value(json_object_get(canary, "state"));
	const char *reason = json_string_value(json_object_get(canary, "reason"));

	if (!state)
		return NULL;
	snprintf(text, size, "%s%s%s", state, reason && reason[0] ? ": " : "", reason ? reason : "");
	return text;
}

void history_ended(struct upgrade *upgrade, const char *refusal)
{
	struct controld *controld = upgrade->controld;
	const json_t *report = upgrade->report, *traffic = json_object_get(report, "traffic");
	const char *lost = json_string_value(json_object_get(report, "lost"));
	json_t *gap = json_object_get(json_object_get(report, "swap"), "longest_gap_us");
	bool is_rollback = upgrade->object < 0;
	char canary[256];

	if (upgrade->watch_s || upgrade->is_plan || upgrade->is_migration)
		return;
	if (!refusal && is_rollback)
		trial_ends(controld, last_change(controld->history), TRIAL_ROLLED_BACK);
	add(controld,
	    json_pack("{s:o, s:s, s:s, s:I, s:I, s:s, s:s, s:O?, s:O?, s:I, s:I, s:s?, s:s?, s:O}", "time",
		      time_json(), "kind", is_rollback ? "rollback" : "upgrade", "name",
		      is_rollback ? "" : upgrade->name, "from", (json_int_t)upgrade->generation_before, "to",
		      (json_int_t)upgrade->generation, "outcome", outcome_of(report, refusal), "detail",
		      refusal ? refusal : lost, "lost", json_object_get(traffic, "lost"), "longest_gap_us",
		      gap, "uid", (json_int_t)upgrade->caller.uid, "pid", (json_int_t)upgrade->caller.pid,
		      "trial", upgrade->confirm_s && !refusal ? TRIAL_RUNS : NULL, "canary",
		      canary_text(json_object_get(report, "canary"), canary, sizeof(canary)), "report",
		      report));
}

void history_confirmed(struct controld *controld)
{
	trial_ends(controld, last_change(controld->history), TRIAL_CONFIRMED);
}

/* ---- What others did ------------------------------------------------------------------- */

static const char *name_of(const json_t *status, json_int_t generation)
{
	const char *name = NULL;
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(status, "generations"), i,
			   entry) if (integer_of(entry, "generation") == generation) name =
		json_string_value(json_object_get(entry, "name"));
	return name ? name : "";
}

/* Steals report. */
static void add_unmeasured(struct controld *controld, const char *kind, const char *name, json_int_t from,
			   json_int_t to, const char *outcome, const char *detail, json_t *report)
{
	add(controld, json_pack("{s:o, s:s, s:s, s:I, s:I, s:s, s:o, s:n, s:n, s:n, s:n, s:n, s:n, s:o?}",
				"time", time_json(), "kind", kind, "name", name, "from", from, "to", to,
				"outcome", outcome, "detail", rpc_text(detail), "lost", "longest_gap_us",
				"uid", "pid", "trial", "canary", "report", report));
}

static void add_found(struct controld *controld, const json_t *status, json_int_t before, bool went_back)
{
	/* After one that was for another layout the bridge runs no more. */
	const json_t *migration = migrate_done(controld) ?: json_object_get(status, "migration");
	json_int_t now = integer_of(status, "generation"), bridge = integer_of(migration, "generation");
	const char *name = name_of(status, now);

	if (before < bridge && bridge <= now)
		add_unmeasured(controld, "migration", name, before, now, "unmeasured",
			       "maps took the place of others at a start of bng-controld",
			       json_pack("{s:o}", "migration", json_deep_copy(migration)));
	else if (went_back)
		add_unmeasured(controld, "not_confirmed", name, before, now, "unmeasured",
			       "nobody confirmed in time: bpfholder went back", NULL);
	else
		add_unmeasured(controld, "found", name, before, now, "unmeasured",
			       "not done by this bng-controld: found when it looked", NULL);
}

/* Once. What was asked for and not done is as much worth knowing as what was done. */
static void add_refused_migration(struct controld *controld, json_int_t now)
{
	struct history *history = controld->history;
	uint64_t generation;
	const char *why = migrate_refused(controld, &generation);

	if (why && !history->told_refused)
		add_unmeasured(controld, "migration", "", now, (json_int_t)generation, "refused", why, NULL);
	history->told_refused = true;
}

static void compare(struct controld *controld, const json_t *status)
{
	json_t *last = last_change(controld->history);
	/* Where all were refused, what ran is what they were to replace. */
	json_int_t before = last ? integer_of(last, "to") : integer_of(last_of(controld->history), "from");
	json_int_t now = integer_of(status, "generation");
	bool went_back = trial_runs(last) && now == integer_of(last, "from");

	if (now == before) {
		if (!json_is_object(json_object_get(status, "trial")))
			trial_ends(controld, last, TRIAL_CONFIRMED);
		return;
	}
	trial_ends(controld, last, went_back ? TRIAL_NOT_CONFIRMED : TRIAL_ROLLED_BACK);
	log_notice("history: generation %" JSON_INTEGER_FORMAT " runs, not %" JSON_INTEGER_FORMAT
		   " of the last record: %s",
		   now, before,
		   went_back ? "it was not confirmed in time" : "not by this bng-controld, as it runs now");
	add_found(controld, status, before, went_back);
}

static void on_look(evutil_socket_t fd, short what, void *context)
{
	struct controld *controld = context;
	struct history *history = controld->history;
	struct rpc_result status;

	(void)fd;
	(void)what;
	if (upgrade_runs(controld) || (!history->is_synced && !last_of(history)))
		return;
	if (!holder_call(controld->holder, "holder.status", NULL, NULL, 0, &status)) {
		add_refused_migration(controld, integer_of(status.value, "generation"));
		compare(controld, status.value);
	}
	rpc_result_done(&status);
}

void history_look_soon(struct controld *controld)
{
	if (controld->history && controld->history->look)
		event_active(controld->history->look, EV_TIMEOUT, 0);
}

/* ---- Reading --------------------------------------------------------------------------- */

static void handle_history(struct rpc_request *request, void *context)
{
	static const char *const members[] = {"number", NULL};
	struct controld *controld = context;
	const struct history *history = controld->history;
	struct json_reader reader;
	json_t *params = ctl_params(request, &reader, members), *record, *list;
	int64_t number;
	size_t i;

	if (!params)
		return;
	number = json_read_integer_or(&reader, params, "number", 1, INT32_MAX, 0);
	if (ctl_refused(request, &reader))
		return;
	list = json_array();
	json_array_foreach(history->records, i, record)
	{
		if (!number)
			json_array_append_new(list, without_report(record));
		else if (integer_of(record, "number") == number)
			json_array_append(list, record);
	}
	if (!number || json_array_size(list)) {
		rpc_reply(request, json_pack("{s:o, s:b}", "records", list, "whole", history->is_synced),
			  NULL, 0);
		return;
	}
	json_decref(list);
	rpc_fail(request, RPC_NOT_FOUND, NULL, "/number: %lld: there are records %lld to %lld",
		 (long long)number, (long long)integer_of(json_array_get(history->records, 0), "number"),
		 (long long)integer_of(last_of(history), "number"));
}

/* ---- The feature ----------------------------------------------------------------------- */

static int init(struct controld *controld)
{
	struct history *history = calloc(1, sizeof(*history));

	controld->history = history;
	if (!history)
		return -ENOMEM;
	history->records = json_array();
	history->kept = json_array();
	history->look = event_new(controld->base, -1, 0, on_look, controld);
	if (!history->records || !history->kept || !history->look)
		return -ENOMEM;
	holder_on_event(controld->holder, history_look_soon);
	return 0;
}

static void done(struct controld *controld)
{
	struct history *history = controld->history;

	if (!history)
		return;
	if (controld->holder)
		holder_on_event(controld->holder, NULL);
	if (history->look)
		event_free(history->look);
	json_decref(history->records);
	json_decref(history->kept);
	free(history);
	controld->history = NULL;
}

static const struct rpc_method methods[] = {{"issu.history", 0, handle_history}, {0}};

const struct bng_feature history_feature = {
	.name = "history",
	.init = init,
	.free = done,
	.methods = methods,
	.topic = &topic,
};
