/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Operators' commands that are told of sessions, in the order in which things happened:
 * each has so many processes at a time, and one queue; what finds it full is counted.
 */
#ifndef BNG_CONTROLD_HOOKS_H
#define BNG_CONTROLD_HOOKS_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>

#include "controld/config/config.h"
#include "controld/hooks/command.h"

struct hook_counts {
	uint64_t started, succeeded, failed, timed_out;
	uint64_t dropped; /* the queue was full */
	uint64_t refused; /* the system did not start it */
};

struct hook_text {
	STAILQ_ENTRY(hook_text) next;
	char text[];
};

struct hooks;
struct hook_run;

struct hook {
	struct hooks *hooks;
	struct config_hook config; /* its own copy */
	bool is_retired;           /* no longer configured: goes when nothing runs any more */
	STAILQ_HEAD(, hook_text) waiting;
	uint32_t waiting_count;
	LIST_HEAD(, hook_run) running;
	uint32_t running_count;
	struct hook_counts counts;
	uint64_t warned_ns;
	TAILQ_ENTRY(hook) next;
};

struct hooks {
	struct event_base *base;
	uint32_t queue;
	TAILQ_HEAD(, hook) list;
};

/* queue.c. The running ones go on; those that stay the same keep queue and counters. */
int hooks_configure(struct hooks *hooks, const struct config_hooks *config);
void hooks_free(struct hooks *hooks);
bool hooks_want(const struct hooks *hooks, enum hook_event event);
/* To each command that wants it. */
void hooks_tell(struct hooks *hooks, enum hook_event event, const char *text);

#endif
