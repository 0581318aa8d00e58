/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A command is a row: its words, what it does in a few words, its arguments,
 * and who answers it. Help, completion and the checking of arguments are made
 * from the row alone.
 */
#ifndef BNG_CLI_COMMAND_H
#define BNG_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGUMENTS_MAX 12
#define WORDS_MAX     64
#define REPEATED_MAX  64

enum cli_exit {
	CLI_OK = 0,
	CLI_REFUSED = 1,     /* by the daemon */
	CLI_USAGE = 2,       /* of the command line */
	CLI_UNREACHABLE = 3, /* daemon */
	CLI_NOT_HITLESS = 4, /* upgrade finished, but something was lost */
};

enum argument_kind {
	ARGUMENT_TEXT,
	ARGUMENT_ADDRESS,
	ARGUMENT_MAC,
	ARGUMENT_ENDPOINT, /* ADDRESS:PORT */
	ARGUMENT_NUMBER,
	ARGUMENT_DURATION, /* 90s, 5m, 2h, 1d; min and max in seconds */
	ARGUMENT_FILE,
	ARGUMENT_FILE_IF_ANY, /* a positional one that may be left out */
	ARGUMENT_FOLDER,
	ARGUMENT_CHOICE,
	ARGUMENT_FLAG, /* an option without value */
	ARGUMENT_REST, /* all words that follow */
	/* Options that may be given several times: */
	ARGUMENT_FILES,
	ARGUMENT_TEXTS,
	ARGUMENT_DURATIONS,
	ARGUMENT_SHARES, /* 1%, 0.5%, 100% */
	ARGUMENT_BOUNDS, /* NAME=VALUE; the value 0.005, 0.5% or a number of packets */
};

/* "--name" is an option, anything else a positional argument that must be given. */
struct argument {
	const char *name;
	enum argument_kind kind;
	const char *help;
	int64_t min; /* of a number */
	int64_t max;
	const char *const *choices; /* ends with NULL */
};

enum cli_server { SERVER_CONTROLD, SERVER_HOLDER, SERVER_SYNC };

struct cli;
struct invocation;

struct command {
	const char *path; /* words, "cgnat pools" */
	const char *help;
	struct argument arguments[ARGUMENTS_MAX + 1];
	enum cli_server server;
	/* Either a method, the maker of its params (NULL: none) and a printer ... */
	const char *method;
	json_t *(*params)(const struct invocation *invocation);
	int (*print)(struct cli *cli, const json_t *result, const struct invocation *invocation);
	/* ... or a function that does it all. */
	int (*run)(struct cli *cli, const struct invocation *invocation);
};

struct cli {
	const char *state;
	int timeout_ms;   /* 0: the command's default */
	bool json;        /* print the RPC's own objects */
	bool color;       /* colours on standard output */
	bool separators;  /* 1,234,567 */
	const char *name; /* of the program, for its messages */
	/* Of a refusal's data: true when it was shown in the command's own way. */
	bool (*show_refused)(const struct cli *cli, const char *member, const json_t *value);
};

/* A command line that has been checked against its row. */
struct invocation {
	const struct command *command;
	const char *value[ARGUMENTS_MAX]; /* by place in command->arguments; NULL: not given */
	char *const *rest;                /* of ARGUMENT_REST */
	size_t rest_count;
	/* options that may be given several times, in the order of the command line */
	struct repeated {
		const char *name, *value;
	} repeated[REPEATED_MAX];
	size_t repeated_count;
};

extern const struct command commands[];     /* ends with path NULL */
extern const struct argument cli_options[]; /* accepted by every command; ends with name NULL */

/* ---- parse.c ---- */

struct parsed {
	struct invocation invocation;
	bool help;
	bool version;
	char error[256];
	char *words[WORDS_MAX]; /* of the command line without options */
	size_t word_count;
};

/* Options for every command go into `cli`. 0, or -EINVAL and `error`. */
int cli_parse(struct cli *cli, int count, char *const *words, struct parsed *parsed);
bool argument_is_option(const struct argument *argument);
bool argument_is_repeated(const struct argument *argument);
/* 0, or -EINVAL and what is wrong with `text`. */
int argument_check(const struct argument *argument, const char *text, char *error, size_t error_size);
/* Seconds of "5m", and hundredths of a per cent of "0.5%"; -1: it is none. */
int64_t duration_seconds(const char *text);
int64_t share_of(const char *text);
/* A share or, of `packets`, a number; NULL: it is none. */
json_t *bound_value(const char *text);
/* The row whose path is the first words; *used says how many. NULL: none. */
const struct command *command_find(char *const *words, size_t count, size_t *used);

/* The value of an argument by name, NULL when it was not given. */
const char *invocation_value(const struct invocation *invocation, const char *name);
/* The nth value, from 0, of an option that may be given several times; NULL: there is none. */
const char *invocation_repeated(const struct invocation *invocation, const char *name, size_t nth);
int64_t invocation_number(const struct invocation *invocation, const char *name, int64_t fallback);
/* {"outer_vid": 7, ...} from the options that were given; options named in
 * `without` (ends with NULL) are left out, and flags. */
json_t *invocation_object(const struct invocation *invocation, const char *const *without);

/* ---- help.c, complete.c ---- */

void help_all(const struct cli *cli);
void help_command(const struct cli *cli, const struct command *command);
/* All rows whose path starts with these words; how many there were. */
size_t help_matching(const struct cli *cli, char *const *words, size_t count);
/* "session show ID|ADDRESS [--x N]" */
void command_synopsis(const struct command *command, char *text, size_t size);
/* Candidates for the last of the words, one a line; ":file" asks for file names. */
void complete_words(int count, char *const *words);

#endif
