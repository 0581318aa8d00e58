/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Running the phases: each is timed, and each has a deadline after which the
 * process says what it waited for and ends, so that whoever supervises it starts it again.
 */
#include "controld/startup/startup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/holder.h"
#include "controld/ctl/reload.h"
#include "controld/feature.h"
#include "controld/maps/names.h"
#include "controld/punt/socket.h"
#include "controld/startup/phases.h"
#include "controld/startup/seen.h"
#include "controld/startup/watchdog.h"
#include "controld/sync/resync.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/service.h"

#define STARTUP_PATH 108

static void holder_path(const struct startup *startup, char path[static STARTUP_PATH])
{
	snprintf(path, STARTUP_PATH, "%s/holder.sock", startup->options->state);
}

static void give_up(struct controld *controld, const char *reason, bool is_refused)
{
	struct startup *startup = controld->startup;
	char path[STARTUP_PATH];

	attempt_failed(startup->attempt, startup->phase->name, reason, is_refused);
	holder_path(startup, path);
	holder_tell_failure(controld, path, reason);
}

/* On the watchdog's thread: the main one may hang in any call. */
static void on_late(void *context)
{
	struct controld *controld = context;
	struct startup *startup = controld->startup;
	const struct phase *phase = startup->phase;
	const char *asking = holder_asking(controld->holder);
	const char *doing = asking ? asking : __atomic_load_n(&startup->doing, __ATOMIC_RELAXED);
	char reason[512];

	snprintf(reason, sizeof(reason), "not done within %u s; it waited for %s%s%s%s", startup->deadline_s,
		 phase->waits_for, doing ? " (" : "", doing ? doing : "", doing ? ")" : "");
	log_error("start: phase \"%s\" %s: %s%s%s. Ending; forwarding goes on, the next start tries again",
		  phase->name, reason, phase->advice, phase->key < 0 ? "" : ", /startup/deadline_s/",
		  phase->key < 0 ? "" : config_phase_name((enum config_phase)phase->key));
	give_up(controld, reason, false);
	_exit(STARTUP_LATE);
}

static void begin_phase(struct controld *controld, struct startup *startup, const struct phase *phase)
{
	const struct config *config = startup->config ? startup->config : controld->config;

	startup->deadline_s = phase->key < 0 ? PHASE_DEADLINE_S : config->deadline_s[phase->key];
	startup->detail[0] = '\0';
	__atomic_store_n(&startup->doing, NULL, __ATOMIC_RELAXED);
	startup->phase = phase;
	watchdog_arm(startup->watchdog, startup->deadline_s);
	attempt_phase(startup->attempt, phase->name);
	if (controld->holder)
		holder_tell_phase(controld->holder, phase->name, startup->deadline_s);
}

static int run_phases(struct controld *controld, struct startup *startup)
{
	int failure = 0;

	for (const struct phase *phase = startup_phases; !failure && phase->name; phase++) {
		struct phase_outcome *outcome = &startup->outcome[startup->count++];
		uint64_t begun = clock_boottime_ns();

		begin_phase(controld, startup, phase);
		failure = phase->run(controld, startup);
		outcome->name = phase->name;
		outcome->deadline_s = startup->deadline_s;
		outcome->ms = (double)(clock_boottime_ns() - begun) / 1e6;
		snprintf(outcome->detail, sizeof(outcome->detail), "%s", startup->detail);
		log_notice("[%s] %-22s %-60s %8.1f ms", failure ? "FAIL" : " ok ", outcome->name,
			   outcome->detail, outcome->ms);
	}
	watchdog_free(startup->watchdog);
	startup->watchdog = NULL;
	return failure;
}

static void say_ready(const struct controld *controld, const struct startup *startup)
{
	double ms = (double)(clock_boottime_ns() - controld->started_ns) / 1e6;

	if (startup->away_ms > 0)
		log_notice(
			"ready in %.1f ms; the control plane was away %.1f ms: %u sessions and %llu mappings "
			"adopted, none changed",
			ms, startup->away_ms, startup->sessions.active,
			(unsigned long long)startup->blocks.mappings);
	else
		log_notice("ready in %.1f ms", ms);
}

static void say_in_place(const struct attempt *attempt)
{
	const struct attempt_record *newer = &attempt->before;

	if (attempt->is_in_place)
		log_warning("running the previous version %s, because %s failed %u times: %s: %s",
			    BNG_VERSION, newer->version, newer->failures, newer->phase, newer->reason);
}

int startup_run(struct controld *controld, const struct startup_options *options, struct attempt *attempt)
{
	struct startup *startup = calloc(1, sizeof(*startup));
	int failure;

	controld->startup = startup;
	controld->names = calloc(1, sizeof(*controld->names));
	if (!startup || !controld->names)
		return STARTUP_FAILED;
	startup->options = options;
	startup->attempt = attempt;
	startup->listener = -1;
	failure = watchdog_new(on_late, controld, &startup->watchdog);
	if (failure) {
		log_error("starting the thread that watches the start failed: %s", strerror(-failure));
		return STARTUP_FAILED;
	}
	failure = run_phases(controld, startup);
	if (failure) {
		give_up(controld, log_last_error(), startup->is_refused);
		return startup->is_refused ? STARTUP_REFUSED : STARTUP_FAILED;
	}
	attempt_ready(attempt);
	service_ready();
	say_ready(controld, startup);
	say_in_place(attempt);
	return 0;
}

void startup_free(struct controld *controld)
{
	struct startup *startup = controld->startup;

	if (startup)
		watchdog_free(startup->watchdog);
	seen_free(controld);
	sync_free(controld);
	for (int i = startup ? startup->inits - 1 : -1; i >= 0; i--)
		if (bng_features[i]->free)
			bng_features[i]->free(controld);
	reload_free(controld);
	ctl_free(controld);
	punt_free(controld);
	sessions_free(controld);
	if (controld->holder)
		holder_close(controld);
	maps_close(controld->maps);
	config_free(controld->config);
	free(controld->names);
	if (startup) {
		config_free(startup->config);
		if (startup->listener >= 0)
			close(startup->listener);
		json_decref(startup->migration.done);
		json_decref(startup->pinned);
	}
	free(startup);
	controld->startup = NULL;
}
