/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the files of this folder share.
 */
#ifndef BNG_CONTROLD_STARTUP_PHASES_H
#define BNG_CONTROLD_STARTUP_PHASES_H

#include <stddef.h>

#include "controld/ctl/holder.h"
#include "controld/session/sessions.h"
#include "controld/startup/startup.h"

#define PHASES_MAX 16

struct phase_outcome {
	const char *name;
	char detail[256];
	double ms;
};

struct startup {
	const struct startup_options *options;
	struct config *config; /* read, not applied yet */
	struct holder_hello hello;
	bool attached;  /* the holder has links: a controller was here before */
	bool loaded;    /* this start loaded the object */
	json_t *pinned; /* maps that are there already, from the holder's status */
	int listener;
	int inits; /* features that were initialised */
	struct sessions_adopted sessions;
	struct maps_blocks blocks;
	double away_ms; /* from the end of the last controller to ready; 0: there was none */
	struct phase_outcome outcome[PHASES_MAX];
	size_t count;
	char detail[256]; /* of the phase that runs */
};

struct phase {
	const char *name;
	unsigned deadline_s;
	int (*run)(struct controld *controld, struct startup *startup);
};

extern const struct phase startup_phases[];

__attribute__((format(printf, 2, 3))) void phase_say(struct startup *startup, const char *format, ...);

#endif
