/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The queue of each command, see the header.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "controld/hooks/hooks.h"
#include "lib/clock.h"
#include "lib/log.h"

#define WARN_NS 10000000000ULL

struct hook_run {
	LIST_ENTRY(hook_run) next;
	struct hook *hook;
	struct command *command;
};

/* At most once in a while, so that a flood of sessions does not become one of lines. */
static bool may_warn(struct hook *hook)
{
	uint64_t now = clock_boottime_ns();

	if (hook->warned_ns && now - hook->warned_ns < WARN_NS)
		return false;
	hook->warned_ns = now;
	return true;
}

static void hook_free(struct hook *hook)
{
	struct hook_text *text;
	struct hook_run *run;

	while ((text = STAILQ_FIRST(&hook->waiting))) {
		STAILQ_REMOVE_HEAD(&hook->waiting, next);
		free(text);
	}
	while ((run = LIST_FIRST(&hook->running))) {
		LIST_REMOVE(run, next);
		command_forget(run->command);
		free(run);
	}
	config_hook_done(&hook->config);
	free(hook);
}

static void count_end(struct hook *hook, const struct command_end *end)
{
	const char *name = hook->config.argv[0];

	if (end->timed_out)
		hook->counts.timed_out++;
	else if (end->status)
		hook->counts.failed++;
	else
		hook->counts.succeeded++;
	if (!end->status || !may_warn(hook))
		return;
	if (end->timed_out)
		log_warning("hook %s took longer than %u s and was killed", name, hook->config.timeout_s);
	else if (WIFSIGNALED(end->status))
		log_warning("hook %s ended by signal %d: %s", name, WTERMSIG(end->status), end->said);
	else
		log_warning("hook %s ended with status %d: %s", name, WEXITSTATUS(end->status), end->said);
}

static void start_waiting(struct hook *hook);

static void on_ended(const struct command_end *end, void *context)
{
	struct hook_run *run = context;
	struct hook *hook = run->hook;

	LIST_REMOVE(run, next);
	free(run);
	hook->running_count--;
	count_end(hook, end);
	if (hook->is_retired && !hook->running_count) {
		TAILQ_REMOVE(&hook->hooks->list, hook, next);
		hook_free(hook);
		return;
	}
	start_waiting(hook);
}

static int start(struct hook *hook, const char *text)
{
	struct hook_run *run = calloc(1, sizeof(*run));
	int failure = run ? command_start(hook->hooks->base, hook->config.argv, text, hook->config.timeout_s,
					  on_ended, run, &run->command)
			  : -ENOMEM;

	if (failure) {
		free(run);
		return failure;
	}
	run->hook = hook;
	LIST_INSERT_HEAD(&hook->running, run, next);
	hook->running_count++;
	hook->counts.started++;
	return 0;
}

static void start_waiting(struct hook *hook)
{
	struct hook_text *text;

	while (!hook->is_retired && hook->running_count < hook->config.concurrency &&
	       (text = STAILQ_FIRST(&hook->waiting))) {
		int failure = start(hook, text->text);

		STAILQ_REMOVE_HEAD(&hook->waiting, next);
		hook->waiting_count--;
		free(text);
		if (!failure)
			continue;
		hook->counts.refused++;
		if (may_warn(hook))
			log_warning("hook %s could not be started: %s", hook->config.argv[0],
				    strerror(-failure));
	}
}

bool hooks_want(const struct hooks *hooks, enum hook_event event)
{
	const struct hook *hook;

	TAILQ_FOREACH(hook, &hooks->list, next)
	if (!hook->is_retired && hook->config.events & event)
		return true;
	return false;
}

static void tell(struct hook *hook, const char *text)
{
	struct hook_text *waiting =
		hook->waiting_count < hook->hooks->queue ? malloc(sizeof(*waiting) + strlen(text) + 1) : NULL;

	if (!waiting) {
		hook->counts.dropped++;
		if (may_warn(hook))
			log_warning("hook %s: %u wait already: sessions are not told to it",
				    hook->config.argv[0], hook->waiting_count);
		return;
	}
	strcpy(waiting->text, text);
	STAILQ_INSERT_TAIL(&hook->waiting, waiting, next);
	hook->waiting_count++;
	start_waiting(hook);
}

void hooks_tell(struct hooks *hooks, enum hook_event event, const char *text)
{
	struct hook *hook;

	TAILQ_FOREACH(hook, &hooks->list, next)
	if (!hook->is_retired && hook->config.events & event)
		tell(hook, text);
}

/* ---- Configuration ------------------------------------------------------------------------ */

static struct hook *hook_new(struct hooks *hooks, const struct config_hook *config)
{
	struct hook *hook = calloc(1, sizeof(*hook));

	if (!hook || config_hook_copy(config, &hook->config)) {
		free(hook);
		return NULL;
	}
	hook->hooks = hooks;
	STAILQ_INIT(&hook->waiting);
	LIST_INIT(&hook->running);
	return hook;
}

/* The one that runs the same command for the same events. */
static struct hook *find_same(struct hooks *hooks, const struct config_hook *config)
{
	struct hook *hook;

	TAILQ_FOREACH(hook, &hooks->list, next)
	if (!hook->is_retired && config_hook_same(&hook->config, config))
		return hook;
	return NULL;
}

static void retire(struct hooks *hooks, const struct config_hooks *config)
{
	struct hook *hook, *following;

	for (hook = TAILQ_FIRST(&hooks->list); hook; hook = following) {
		bool is_wanted = false;

		following = TAILQ_NEXT(hook, next);
		for (size_t i = 0; i < config->count; i++)
			is_wanted = is_wanted || config_hook_same(&hook->config, &config->commands[i]);
		if (is_wanted)
			continue;
		hook->is_retired = true;
		if (!hook->running_count) {
			TAILQ_REMOVE(&hooks->list, hook, next);
			hook_free(hook);
		}
	}
}

int hooks_configure(struct hooks *hooks, const struct config_hooks *config)
{
	hooks->queue = config->queue;
	retire(hooks, config);
	for (size_t i = 0; i < config->count; i++) {
		struct hook *hook = find_same(hooks, &config->commands[i]);

		if (hook) {
			hook->config.timeout_s = config->commands[i].timeout_s;
			hook->config.concurrency = config->commands[i].concurrency;
			continue;
		}
		hook = hook_new(hooks, &config->commands[i]);
		if (!hook)
			return -ENOMEM;
		TAILQ_INSERT_TAIL(&hooks->list, hook, next);
	}
	return 0;
}

void hooks_free(struct hooks *hooks)
{
	struct hook *hook;

	while ((hook = TAILQ_FIRST(&hooks->list))) {
		TAILQ_REMOVE(&hooks->list, hook, next);
		hook_free(hook);
	}
}
