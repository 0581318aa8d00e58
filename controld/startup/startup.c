/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Running the phases: each is timed, and each has a deadline after which the
 * process ends, so that whoever supervises it starts it again.
 */
#include "controld/startup/startup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "controld/config/config.h"
#include "controld/controld.h"
#include "controld/ctl/ctl.h"
#include "controld/ctl/reload.h"
#include "controld/feature.h"
#include "controld/maps/names.h"
#include "controld/punt/socket.h"
#include "controld/startup/phases.h"
#include "controld/sync/resync.h"
#include "lib/clock.h"
#include "lib/log.h"

/* What the deadline's signal handler says; written before it is armed. */
static char deadline_text[256];

static void on_deadline(int signal_number)
{
	ssize_t written = write(STDERR_FILENO, deadline_text, strlen(deadline_text));

	(void)signal_number;
	(void)written;
	_exit(3);
}

static void set_deadline(const char *name, unsigned seconds)
{
	struct itimerval timer = {.it_value = {.tv_sec = seconds}};

	snprintf(deadline_text, sizeof(deadline_text),
		 "bng-controld: start: \"%s\" was not done within %u s: ending; forwarding goes on, the next "
		 "start "
		 "tries again\n",
		 name, seconds);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int run_phases(struct controld *controld, struct startup *startup)
{
	struct sigaction action = {.sa_handler = on_deadline};
	int failure = 0;

	sigaction(SIGALRM, &action, NULL);
	for (const struct phase *phase = startup_phases; !failure && phase->name; phase++) {
		struct phase_outcome *outcome = &startup->outcome[startup->count++];
		uint64_t begun = clock_boottime_ns();

		startup->detail[0] = '\0';
		set_deadline(phase->name, phase->deadline_s);
		failure = phase->run(controld, startup);
		outcome->name = phase->name;
		outcome->ms = (double)(clock_boottime_ns() - begun) / 1e6;
		snprintf(outcome->detail, sizeof(outcome->detail), "%s", startup->detail);
		log_notice("[%s] %-22s %-60s %8.1f ms", failure ? "FAIL" : " ok ", outcome->name,
			   outcome->detail, outcome->ms);
	}
	set_deadline("", 0);
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

int startup_run(struct controld *controld, const struct startup_options *options)
{
	struct startup *startup = calloc(1, sizeof(*startup));
	char error[CONFIG_ERROR_TEXT];
	int failure;

	controld->startup = startup;
	if (!startup)
		return -ENOMEM;
	startup->options = options;
	startup->listener = -1;
	controld->names = calloc(1, sizeof(*controld->names));
	if (!controld->names)
		return -ENOMEM;
	failure = config_load(options->config_file, &startup->config, error, sizeof(error));
	if (failure) {
		log_error("%s", error);
		return failure;
	}
	failure = run_phases(controld, startup);
	if (!failure)
		say_ready(controld, startup);
	return failure;
}

void startup_free(struct controld *controld)
{
	struct startup *startup = controld->startup;

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
	}
	json_decref(startup->pinned);
	free(startup);
	controld->startup = NULL;
}
