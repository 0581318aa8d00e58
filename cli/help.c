/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Help, made from the rows.
 */
#include "command.h"

#include <stdio.h>
#include <string.h>

#define OPTION_COLUMN 28

/* What stands for an option's value. */
static const char *placeholder(const struct argument *argument)
{
	switch (argument->kind) {
	case ARGUMENT_ADDRESS:
		return " ADDRESS";
	case ARGUMENT_MAC:
		return " MAC";
	case ARGUMENT_NUMBER:
		return " N";
	case ARGUMENT_DURATION:
	case ARGUMENT_DURATIONS:
		return " TIME";
	case ARGUMENT_SHARES:
		return " SHARE";
	case ARGUMENT_BOUNDS:
		return " NAME=VALUE";
	case ARGUMENT_FILE:
	case ARGUMENT_FILE_IF_ANY:
	case ARGUMENT_FILES:
		return " FILE";
	case ARGUMENT_FOLDER:
		return " DIR";
	case ARGUMENT_ENDPOINT:
		return " ADDRESS:PORT";
	case ARGUMENT_FLAG:
		return "";
	default:
		return " NAME";
	}
}

static void append(char *text, size_t size, const char *more)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s", more);
}

static void append_value(char *text, size_t size, const struct argument *argument)
{
	if (argument->kind != ARGUMENT_CHOICE) {
		append(text, size, placeholder(argument));
		return;
	}
	for (const char *const *choice = argument->choices; *choice; choice++) {
		append(text, size, choice == argument->choices ? " " : "|");
		append(text, size, *choice);
	}
}

static void append_argument(char *text, size_t size, const struct argument *argument)
{
	bool option = argument_is_option(argument);
	bool may = option || argument->kind == ARGUMENT_REST || argument->kind == ARGUMENT_FILE_IF_ANY;

	append(text, size, may ? " [" : " ");
	append(text, size, argument->name);
	if (option)
		append_value(text, size, argument);
	append(text, size, argument->kind == ARGUMENT_REST ? "..." : "");
	append(text, size, may ? "]" : "");
	append(text, size, argument_is_repeated(argument) ? "..." : "");
}

void command_synopsis(const struct command *command, char *text, size_t size)
{
	snprintf(text, size, "%s", command->path);
	for (size_t i = 0; i < ARGUMENTS_MAX && command->arguments[i].name; i++)
		append_argument(text, size, &command->arguments[i]);
}

static void print_argument(const struct argument *argument)
{
	char name[128];

	snprintf(name, sizeof(name), "%s", argument->name);
	if (argument_is_option(argument))
		append_value(name, sizeof(name), argument);
	printf("  %-*s %s\n", OPTION_COLUMN, name, argument->help);
}

static void print_options(void)
{
	printf("\nFor every command:\n");
	for (const struct argument *option = cli_options; option->name; option++)
		print_argument(option);
}

size_t help_matching(const struct cli *cli, char *const *words, size_t count)
{
	size_t matches = 0;

	for (const struct command *command = commands; command->path; command++) {
		char path[128];
		size_t at = 0;
		snprintf(path, sizeof(path), "%s ", command->path);
		for (size_t i = 0; i < count; i++) {
			size_t length = strlen(words[i]);
			if (strncmp(path + at, words[i], length) != 0 || path[at + length] != ' ')
				break;
			at += length + 1;
			if (i + 1 == count) {
				help_command(cli, command);
				matches++;
			}
		}
	}
	return matches;
}

void help_command(const struct cli *cli, const struct command *command)
{
	char synopsis[512];

	command_synopsis(command, synopsis, sizeof(synopsis));
	printf("%s %s\n  %s\n", cli->name, synopsis, command->help);
	for (size_t i = 0; i < ARGUMENTS_MAX && command->arguments[i].name; i++)
		print_argument(&command->arguments[i]);
}

void help_all(const struct cli *cli)
{
	printf("usage: %s [OPTION...] COMMAND [ARGUMENT...]\n\n", cli->name);
	for (const struct command *command = commands; command->path; command++) {
		char name[128];
		snprintf(name, sizeof(name), "%s", command->path);
		for (size_t i = 0; i < ARGUMENTS_MAX && command->arguments[i].name; i++)
			if (!argument_is_option(&command->arguments[i]))
				append_argument(name, sizeof(name), &command->arguments[i]);
		printf("  %-34s %s\n", name, command->help);
	}
	print_options();
	printf("\n%s help COMMAND tells the arguments of one. Exit status: 0 done, 1 refused by the daemon,\n"
	       "2 wrong usage, 3 daemon not reachable, 4 upgraded but not hitless.\n",
	       cli->name);
}
