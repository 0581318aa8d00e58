/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * bngcli: asks the daemons and prints what they say. It knows methods, not
 * internals. Exit status: enum cli_exit.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "command.h"

#define STATE_DIRECTORY "/run/bng"

static int usage(const struct cli *cli, const struct parsed *parsed)
{
	const struct command *command = parsed->invocation.command;
	char synopsis[512];

	fprintf(stderr, "%s: %s\n", cli->name, parsed->error);
	if (command) {
		command_synopsis(command, synopsis, sizeof(synopsis));
		fprintf(stderr, "usage: %s %s\n", cli->name, synopsis);
	} else {
		fprintf(stderr, "%s help lists the commands\n", cli->name);
	}
	return CLI_USAGE;
}

static int help(const struct cli *cli, const struct parsed *parsed)
{
	if (parsed->invocation.command)
		help_command(cli, parsed->invocation.command);
	else if (!parsed->word_count || !help_matching(cli, parsed->words, parsed->word_count))
		help_all(cli);
	return CLI_OK;
}

/* What could not be written is an error, not a success. */
static int finish(const struct cli *cli, int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "%s: cannot write to standard output\n", cli->name);
	return status ? status : CLI_REFUSED;
}

int main(int argc, char **argv)
{
	bool terminal = isatty(STDOUT_FILENO);
	struct cli cli = {
		.state = STATE_DIRECTORY,
		.color = terminal && !getenv("NO_COLOR"),
		.separators = terminal,
		.name = "bngcli",
	};
	struct parsed parsed;

	setlocale(LC_CTYPE, "");
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && strcmp(argv[1], "--complete") == 0) {
		complete_words(argc - 2, argv + 2);
		return finish(&cli, CLI_OK);
	}
	if (cli_parse(&cli, argc - 1, argv + 1, &parsed))
		return usage(&cli, &parsed);
	if (parsed.help)
		return finish(&cli, help(&cli, &parsed));
	if (parsed.version)
		parsed.invocation =
			(struct invocation){.command = command_find((char *[]){"version"}, 1, &(size_t){0})};
	return finish(&cli, command_run(&cli, &parsed.invocation));
}
