/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Completion for the shell, made from the rows: what may stand where the last
 * word stands, given the words before it.
 */
#include "command.h"

#include <stdio.h>
#include <string.h>

struct completion {
	const char *prefix;          /* of the word being typed */
	const struct argument *open; /* option whose value it is */
	char *path[WORDS_MAX];       /* words before it that are no options */
	size_t count;
	char *const *options; /* all words before it */
	int option_count;
};

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void candidate(const struct completion *completion, const char *text)
{
	if (starts_with(text, completion->prefix))
		puts(text);
}

static const struct argument *find_option(const struct argument *arguments, const char *name)
{
	for (size_t i = 0; arguments && arguments[i].name; i++)
		if (argument_is_option(&arguments[i]) && strcmp(arguments[i].name, name) == 0)
			return &arguments[i];
	return NULL;
}

static const struct argument *find_any_option(const char *name)
{
	const struct argument *option = find_option(cli_options, name);

	for (const struct command *command = commands; !option && command->path; command++)
		option = find_option(command->arguments, name);
	return option;
}

static void complete_value(const struct completion *completion, const struct argument *argument)
{
	if (argument->kind == ARGUMENT_FILE || argument->kind == ARGUMENT_FILE_IF_ANY ||
	    argument->kind == ARGUMENT_FILES || argument->kind == ARGUMENT_FOLDER)
		puts(":file");
	if (argument->kind == ARGUMENT_CHOICE)
		for (const char *const *choice = argument->choices; *choice; choice++)
			candidate(completion, *choice);
}

static bool was_given(const struct completion *completion, const char *option)
{
	for (int i = 0; i < completion->option_count; i++)
		if (strcmp(completion->options[i], option) == 0)
			return true;
	return false;
}

static void complete_options(const struct completion *completion, const struct argument *arguments)
{
	for (size_t i = 0; arguments && arguments[i].name; i++)
		if (argument_is_option(&arguments[i]) &&
		    (argument_is_repeated(&arguments[i]) || !was_given(completion, arguments[i].name)))
			candidate(completion, arguments[i].name);
}

/* The word after the ones that are there, in every path that goes on; the same
 * word of rows that follow each other is said once. */
static void complete_path(const struct completion *completion)
{
	char last[64] = "";

	for (const struct command *command = commands; command->path; command++) {
		const char *at = command->path;
		char word[64];
		size_t matched = 0;
		while (*at) {
			size_t length = strcspn(at, " ");
			snprintf(word, sizeof(word), "%.*s", (int)length, at);
			if (matched == completion->count || strcmp(word, completion->path[matched]) != 0)
				break;
			matched++;
			at += length + (at[length] == ' ');
		}
		if (*at && matched == completion->count && strcmp(word, last) != 0) {
			snprintf(last, sizeof(last), "%s", word);
			candidate(completion, word);
		}
	}
}

static void complete_positional(const struct completion *completion, const struct command *command,
				size_t used)
{
	size_t place = completion->count - used;

	for (size_t i = 0; command->arguments[i].name; i++) {
		if (argument_is_option(&command->arguments[i]))
			continue;
		if (command->arguments[i].kind == ARGUMENT_REST) {
			struct completion inner = *completion;
			inner.count = place;
			memmove(inner.path, completion->path + used, place * sizeof(inner.path[0]));
			complete_path(&inner);
			return;
		}
		if (place-- == 0) {
			complete_value(completion, &command->arguments[i]);
			return;
		}
	}
}

static void read_words(struct completion *completion, int count, char *const *words)
{
	completion->prefix = count ? words[count - 1] : "";
	completion->options = words;
	completion->option_count = count - 1;
	for (int i = 0; i < count - 1; i++) {
		const struct argument *option = words[i][0] == '-' ? find_any_option(words[i]) : NULL;
		if (option && option->kind != ARGUMENT_FLAG) {
			completion->open = i == count - 2 ? option : NULL;
			i++;
		} else if (words[i][0] != '-' && completion->count < WORDS_MAX) {
			completion->path[completion->count++] = words[i];
		}
	}
}

void complete_words(int count, char *const *words)
{
	struct completion completion = {0};
	size_t used;

	read_words(&completion, count, words);
	const struct command *command = command_find(completion.path, completion.count, &used);
	if (completion.open) {
		complete_value(&completion, completion.open);
	} else if (completion.prefix[0] == '-') {
		complete_options(&completion, command ? command->arguments : NULL);
		complete_options(&completion, cli_options);
	} else {
		complete_path(&completion);
		if (command)
			complete_positional(&completion, command, used);
	}
}
