/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Running an operator's command with a text on its standard input, without ever waiting
 * for it: no shell, no descriptor of ours, a process group of its own, an end after a
 * time. A command that runs when we end goes on.
 */
#ifndef BNG_CONTROLD_HOOKS_COMMAND_H
#define BNG_CONTROLD_HOOKS_COMMAND_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COMMAND_SAID_MAX 200

struct command_end {
	int status;                  /* as of wait() */
	bool timed_out;              /* and was killed */
	char said[COMMAND_SAID_MAX]; /* the first line of its standard error */
};

struct command;

typedef void command_ended(const struct command_end *end, void *context);

/* Starts argv[0] (ends with NULL). 0, and `ended` will be called, never before this
 * returns; or -errno, and it was not started. */
int command_start(struct event_base *base, char *const *argv, const char *text, uint32_t timeout_s,
		  command_ended *ended, void *context, struct command **command);
/* Forgets it; the process goes on. */
void command_forget(struct command *command);

#endif
