/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the files of this folder share.
 */
#ifndef BNG_CONTROLD_STARTUP_PHASES_H
#define BNG_CONTROLD_STARTUP_PHASES_H

#include <stddef.h>

#include "controld/ctl/holder.h"
#include "controld/session/sessions.h"
#include "controld/startup/attempt.h"
#include "controld/startup/startup.h"

#define PHASES_MAX 16

struct phase_outcome {
	const char *name;
	unsigned deadline_s;
	char detail[256];
	double ms;
};

struct startup {
	const struct startup_options *options;
	struct attempt *attempt;
	struct watchdog *watchdog; /* NULL once ready */
	const struct phase *phase; /* that runs */
	const char *doing;         /* a part of it that has a name, or NULL; read by the watchdog */
	unsigned deadline_s;       /* of the phase */
	struct config *config;     /* read, not applied yet */
	struct holder_hello hello;
	bool is_refused; /* for what was found: another version would find the same */
	bool attached;   /* the holder has links: a controller was here before */
	bool loaded;     /* this start loaded the object */
	json_t *pinned;  /* maps that are there already, from the holder's status */
	int listener;
	int inits; /* features that were initialised */
	struct {
		bool is_staged; /* the generation that was asked for is there */
		uint64_t generation;
		char refused[1024]; /* why the holder did not; "": it did, or was not asked */
		json_t *done;       /* as swap.status had it; NULL: nothing was to be done */
	} migration;
	struct sessions_adopted sessions;
	struct maps_blocks blocks;
	double away_ms; /* from the end of the last controller to ready; 0: there was none */
	struct phase_outcome outcome[PHASES_MAX];
	size_t count;
	char detail[256]; /* of the phase that runs */
};

struct phase {
	const char *name;
	int key;               /* enum config_phase, or -1: its deadline is PHASE_DEADLINE_S */
	const char *waits_for; /* what is slow when it is late, */
	const char *advice;    /* and what can be done then */
	int (*run)(struct controld *controld, struct startup *startup);
};

#define PHASE_DEADLINE_S 10

extern const struct phase startup_phases[];

__attribute__((format(printf, 2, 3))) void phase_say(struct startup *startup, const char *format, ...);

#endif
