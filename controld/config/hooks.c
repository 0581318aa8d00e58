/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /hooks: commands that are told of sessions.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controld/config/parse.h"

static const struct {
	const char *name;
	enum hook_event event;
} events[] = {{"up", HOOK_UP}, {"change", HOOK_CHANGE}, {"down", HOOK_DOWN}};

#define EVENTS (sizeof(events) / sizeof(events[0]))

static void read_events(struct json_reader *reader, json_t *element, struct config_hook *hook)
{
	json_t *array = json_enter(reader, element, "events"), *name;
	size_t i;

	json_array_foreach(array, i, name)
	{
		size_t at = 0;

		while (at < EVENTS &&
		       (!json_is_string(name) || strcmp(json_string_value(name), events[at].name)))
			at++;
		(void)json_enter_index(reader, array, i);
		if (at == EVENTS)
			json_reader_fail(reader, name, "must be \"up\", \"change\" or \"down\"");
		else
			hook->events |= events[at].event;
		json_leave(reader);
	}
	if (json_reader_ok(reader) && !hook->events)
		json_reader_fail(reader, array, "must be an array of \"up\", \"change\" or \"down\"");
	json_leave(reader);
}

static void read_words(struct json_reader *reader, json_t *element, struct config_hook *hook)
{
	json_t *array = json_enter(reader, element, "command"), *word;
	size_t count = json_array_size(array), i;
	const char *first = json_string_value(json_array_get(array, 0));

	if (!first || first[0] != '/' || count > CONFIG_HOOK_WORDS) {
		json_reader_fail(reader, array,
				 "must be an array of 1-%d texts, the first the absolute path of a program",
				 CONFIG_HOOK_WORDS);
	} else {
		hook->argv = calloc(count + 1, sizeof(*hook->argv));
		json_array_foreach(array, i, word)
		{
			(void)json_enter_index(reader, array, i);
			if (!json_is_string(word))
				json_reader_fail(reader, word, "must be a text");
			else if (hook->argv && !(hook->argv[i] = strdup(json_string_value(word))))
				json_reader_fail(reader, word, "must fit into memory");
			json_leave(reader);
		}
	}
	json_leave(reader);
}

static void read_command(struct json_reader *reader, json_t *element, void *target, void *context)
{
	static const char *const members[] = {"events", "command", "timeout_s", "concurrency", NULL};
	struct config_hook *hook = target;

	(void)context;
	json_read_only(reader, element, members);
	read_events(reader, element, hook);
	read_words(reader, element, hook);
	hook->timeout_s = (uint32_t)config_integer(reader, element, "timeout_s", 1, 3600, 10);
	hook->concurrency = (uint32_t)config_integer(reader, element, "concurrency", 1, 256, 4);
}

static void check_commands(struct json_reader *reader, json_t *hooks, const struct config_hooks *config)
{
	json_t *commands = json_enter(reader, hooks, "commands");

	for (size_t i = 0; json_reader_ok(reader) && i < config->count; i++) {
		json_t *command = json_enter_index(reader, commands, i);

		for (size_t j = 0; j < i; j++)
			if (config_hook_same(&config->commands[i], &config->commands[j]))
				json_reader_fail(reader, command, "must not be there twice");
		json_leave(reader);
	}
	json_leave(reader);
}

void config_read_hooks(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"commands", "queue", NULL};
	json_t *hooks = json_enter(reader, root, "hooks");

	if (hooks) {
		json_read_only(reader, hooks, members);
		config_array(reader, hooks, "commands", CONFIG_HOOKS, sizeof(*config->hooks.commands),
			     &config->hooks.commands, &config->hooks.count, read_command, NULL);
		config->hooks.queue = (uint32_t)config_integer(reader, hooks, "queue", 1, 1000000, 10000);
		check_commands(reader, hooks, &config->hooks);
	}
	json_leave(reader);
}

/* ---- Values ------------------------------------------------------------------------------ */

void config_hook_done(struct config_hook *hook)
{
	for (char **word = hook->argv; word && *word; word++)
		free(*word);
	free(hook->argv);
	hook->argv = NULL;
}

void config_hooks_free(struct config_hooks *config)
{
	for (size_t i = 0; i < config->count; i++)
		config_hook_done(&config->commands[i]);
	free(config->commands);
}

static size_t word_count(const struct config_hook *hook)
{
	size_t count = 0;

	while (hook->argv[count])
		count++;
	return count;
}

int config_hook_copy(const struct config_hook *from, struct config_hook *to)
{
	size_t count = word_count(from);

	*to = *from;
	to->argv = calloc(count + 1, sizeof(*to->argv));
	for (size_t i = 0; to->argv && i < count; i++) {
		to->argv[i] = strdup(from->argv[i]);
		if (!to->argv[i])
			config_hook_done(to);
	}
	return to->argv ? 0 : -ENOMEM;
}

bool config_hook_same(const struct config_hook *a, const struct config_hook *b)
{
	if (a->events != b->events || word_count(a) != word_count(b))
		return false;
	for (size_t i = 0; a->argv[i]; i++)
		if (strcmp(a->argv[i], b->argv[i]) != 0)
			return false;
	return true;
}
