/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From words to a checked invocation. Options may stand anywhere; what they are
 * called and what they take is known from the rows.
 */
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/address.h"

bool argument_is_option(const struct argument *argument)
{
	return argument->name[0] == '-';
}

bool argument_is_repeated(const struct argument *argument)
{
	return argument->kind >= ARGUMENT_FILES;
}

/* ---- One value ---------------------------------------------------------------- */

static int number_of(const char *text, int64_t *value)
{
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	*value = strtoll(text, &end, 10);
	return *end || errno ? -EINVAL : 0;
}

static int check_number(const struct argument *argument, const char *text, char *error, size_t size)
{
	int64_t value;

	if (number_of(text, &value) == 0 && value >= argument->min && value <= argument->max)
		return 0;
	snprintf(error, size, "%s: \"%s\": must be a number %lld-%lld", argument->name, text,
		 (long long)argument->min, (long long)argument->max);
	return -EINVAL;
}

int64_t duration_seconds(const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	long value = isdigit((unsigned char)text[0]) ? strtol(text, &end, 10) : -1;

	for (size_t i = 0; value >= 0 && value < 100000000 && i < 4; i++)
		if (end[0] == units[i].unit && !end[1])
			return value * units[i].seconds;
	return -1;
}

static int check_duration(const struct argument *argument, const char *text, char *error, size_t size)
{
	int64_t seconds = duration_seconds(text);

	if (seconds >= argument->min && seconds <= argument->max)
		return 0;
	snprintf(error, size, "%s: \"%s\": must be a time such as 90s, 5m, 2h or 1d, of %lld-%lld seconds",
		 argument->name, text, (long long)argument->min, (long long)argument->max);
	return -EINVAL;
}

static double fraction_of(const char *text, const char *unit)
{
	char *end;
	double value = isdigit((unsigned char)text[0]) ? strtod(text, &end) : -1;

	return value < 0 || strcmp(end, unit) != 0 ? -1 : value;
}

int64_t share_of(const char *text)
{
	double hundredths = fraction_of(text, "%") * 100;
	int64_t share = hundredths >= 0 && hundredths <= 10000 ? (int64_t)(hundredths + 0.5) : -1;

	return share >= 1 && fabs(hundredths - (double)share) < 1e-6 ? share : -1;
}

json_t *bound_value(const char *text)
{
	double per_cent = fraction_of(text, "%"), plain = fraction_of(text, "");

	if (per_cent >= 0)
		return json_real(per_cent / 100);
	if (plain < 0)
		return NULL;
	return strspn(text, "0123456789") == strlen(text) ? json_integer(atoll(text)) : json_real(plain);
}

static bool is_bound(const char *text)
{
	const char *equals = strchr(text, '=');
	json_t *value = equals && equals != text ? bound_value(equals + 1) : NULL;

	json_decref(value);
	return value != NULL;
}

static int check_choice(const struct argument *argument, const char *text, char *error, size_t size)
{
	for (const char *const *choice = argument->choices; *choice; choice++)
		if (strcmp(*choice, text) == 0)
			return 0;
	int length = snprintf(error, size, "%s: \"%s\": must be one of", argument->name, text);
	for (const char *const *choice = argument->choices; *choice && (size_t)length < size; choice++)
		length += snprintf(error + length, size - (size_t)length, " %s", *choice);
	return -EINVAL;
}

static int endpoint_check(const char *text)
{
	const char *colon = strchr(text, ':');
	char address[ADDRESS_TEXT];
	uint32_t address_be;
	int64_t port;

	if (!colon || (size_t)(colon - text) >= sizeof(address))
		return -EINVAL;
	snprintf(address, sizeof(address), "%.*s", (int)(colon - text), text);
	return address_parse(address, &address_be) || number_of(colon + 1, &port) || port > 65535 ? -EINVAL
												  : 0;
}

int argument_check(const struct argument *argument, const char *text, char *error, size_t size)
{
	uint8_t mac[6];
	uint32_t address_be;
	const char *expected = NULL;

	switch (argument->kind) {
	case ARGUMENT_NUMBER:
		return check_number(argument, text, error, size);
	case ARGUMENT_DURATION:
	case ARGUMENT_DURATIONS:
		return check_duration(argument, text, error, size);
	case ARGUMENT_CHOICE:
		return check_choice(argument, text, error, size);
	case ARGUMENT_ADDRESS:
		if (address_parse(text, &address_be))
			expected = "an IPv4 address such as 10.0.0.7";
		break;
	case ARGUMENT_MAC:
		if (mac_parse(text, mac))
			expected = "a MAC such as 02:00:00:00:00:07";
		break;
	case ARGUMENT_ENDPOINT:
		if (endpoint_check(text))
			expected = "an address and a port such as 203.0.113.7:40000";
		break;
	case ARGUMENT_SHARES:
		if (share_of(text) < 0)
			expected = "a share such as 1%, 0.5% or 100%, at least 0.01%";
		break;
	case ARGUMENT_BOUNDS:
		if (!is_bound(text))
			expected = "a name and a value such as drops=0.5% or packets=5000";
		break;
	default:
		if (!text[0])
			expected = "something";
		break;
	}
	if (!expected)
		return 0;
	snprintf(error, size, "%s: \"%s\": must be %s", argument->name, text, expected);
	return -EINVAL;
}

/* ---- Options --------------------------------------------------------------------- */

static const struct argument *option_in(const struct argument *arguments, const char *name, size_t length)
{
	for (; arguments && arguments->name; arguments++)
		if (argument_is_option(arguments) && strlen(arguments->name) == length &&
		    strncmp(arguments->name, name, length) == 0)
			return arguments;
	return NULL;
}

/* True when the option of this name takes a value, in whatever command: needed
 * before the command is known. */
static bool takes_value(const char *name, size_t length)
{
	const struct argument *option = option_in(cli_options, name, length);

	for (const struct command *command = commands; !option && command->path; command++)
		option = option_in(command->arguments, name, length);
	return option && option->kind != ARGUMENT_FLAG;
}

static void set_general(struct cli *cli, struct parsed *parsed, const char *name, const char *value)
{
	if (strcmp(name, "--json") == 0)
		cli->json = true;
	else if (strcmp(name, "--no-color") == 0)
		cli->color = false;
	else if (strcmp(name, "--state") == 0)
		cli->state = value;
	else if (strcmp(name, "--timeout") == 0)
		cli->timeout_ms = (int)(atoll(value) * 1000);
	else if (strcmp(name, "--help") == 0)
		parsed->help = true;
	else if (strcmp(name, "--version") == 0)
		parsed->version = true;
}

static int fail(struct parsed *parsed, const char *format, const char *what)
{
	snprintf(parsed->error, sizeof(parsed->error), format, what);
	return -EINVAL;
}

static int take_repeated(struct parsed *parsed, const struct argument *option, const char *value)
{
	struct invocation *invocation = &parsed->invocation;

	if (invocation->repeated_count == REPEATED_MAX)
		return fail(parsed, "%s: given too often", option->name);
	invocation->repeated[invocation->repeated_count++] = (struct repeated){option->name, value};
	return 0;
}

/* One option with its value, which is NULL for a flag. */
static int take_option(struct cli *cli, struct parsed *parsed, const char *name, size_t length,
		       const char *value)
{
	const struct command *command = parsed->invocation.command;
	const struct argument *general = option_in(cli_options, name, length);
	const struct argument *option =
		general ? general : option_in(command ? command->arguments : NULL, name, length);

	if (!option)
		return fail(parsed, command ? "%s: this command has no such option" : "%s: no such option",
			    name);
	if (option->kind == ARGUMENT_FLAG && value)
		return fail(parsed, "%s takes no value", option->name);
	if (option->kind != ARGUMENT_FLAG && !value)
		return fail(parsed, "%s needs a value", option->name);
	if (value && argument_check(option, value, parsed->error, sizeof(parsed->error)))
		return -EINVAL;
	if (general)
		set_general(cli, parsed, option->name, value);
	else if (argument_is_repeated(option))
		return take_repeated(parsed, option, value);
	else
		parsed->invocation.value[option - command->arguments] = value ? value : "";
	return 0;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1];
}

/* Splits options from words: all words, then (once the row is known) all options. */
static int collect_words(struct parsed *parsed, int count, char *const *words)
{
	for (int i = 0; i < count; i++) {
		if (is_option(words[i])) {
			i += !strchr(words[i], '=') && takes_value(words[i], strlen(words[i]));
			continue;
		}
		if (parsed->word_count == WORDS_MAX)
			return fail(parsed, "%s: too many words", words[i]);
		parsed->words[parsed->word_count++] = words[i];
	}
	return 0;
}

static int collect_options(struct cli *cli, struct parsed *parsed, int count, char *const *words)
{
	for (int i = 0; i < count; i++) {
		if (!is_option(words[i]))
			continue;
		size_t length = strcspn(words[i], "=");
		const char *value = words[i][length] ? words[i] + length + 1 : NULL;
		if (!value && takes_value(words[i], length) && i + 1 < count)
			value = words[i + 1];
		int err = take_option(cli, parsed, words[i], length, value);
		if (err)
			return err;
		i += !words[i][length] && value;
	}
	return 0;
}

/* ---- The row ----------------------------------------------------------------------- */

/* How many of the words a path takes; 0 when they are not its words. */
static size_t path_matches(const char *path, char *const *words, size_t count)
{
	size_t used = 0;

	while (*path) {
		size_t length = strcspn(path, " ");
		if (used == count || strlen(words[used]) != length || strncmp(words[used], path, length) != 0)
			return 0;
		used++;
		path += length + (path[length] == ' ');
	}
	return used;
}

const struct command *command_find(char *const *words, size_t count, size_t *used)
{
	const struct command *found = NULL;

	*used = 0;
	for (const struct command *command = commands; command->path; command++) {
		size_t length = path_matches(command->path, words, count);
		if (length > *used) {
			*used = length;
			found = command;
		}
	}
	return found;
}

static int take_positionals(struct parsed *parsed, size_t used)
{
	struct invocation *invocation = &parsed->invocation;
	const struct argument *arguments = invocation->command->arguments;

	for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i].name; i++) {
		if (argument_is_option(&arguments[i]))
			continue;
		if (arguments[i].kind == ARGUMENT_REST) {
			invocation->rest = parsed->words + used;
			invocation->rest_count = parsed->word_count - used;
			return 0;
		}
		if (used == parsed->word_count && arguments[i].kind == ARGUMENT_FILE_IF_ANY)
			continue;
		if (used == parsed->word_count)
			return fail(parsed, "%s is missing", arguments[i].name);
		invocation->value[i] = parsed->words[used++];
		if (argument_check(&arguments[i], invocation->value[i], parsed->error, sizeof(parsed->error)))
			return -EINVAL;
	}
	return used == parsed->word_count ? 0 : fail(parsed, "%s: one word too many", parsed->words[used]);
}

/* With the commands that begin with this word, if there are any. */
static int no_such_command(struct parsed *parsed)
{
	const char *word = parsed->words[0];
	size_t length = strlen(word);
	char those[200] = "";

	for (const struct command *command = commands; command->path; command++) {
		size_t used = strlen(those);

		if (!strncmp(command->path, word, length) && command->path[length] == ' ')
			snprintf(those + used, sizeof(those) - used, "%s%s", used ? ", " : "",
				 command->path + length + 1);
	}
	if (!those[0])
		return fail(parsed, "%s: no such command", word);
	snprintf(parsed->error, sizeof(parsed->error), "%s: must be followed by one of: %s", word, those);
	return -EINVAL;
}

int cli_parse(struct cli *cli, int count, char *const *words, struct parsed *parsed)
{
	size_t used;

	*parsed = (struct parsed){0};
	int err = collect_words(parsed, count, words);
	if (err)
		return err;
	parsed->invocation.command = command_find(parsed->words, parsed->word_count, &used);
	err = collect_options(cli, parsed, count, words);
	if (err || parsed->help || parsed->version)
		return err;
	if (!parsed->word_count)
		return fail(parsed, "%s", "a command is missing");
	if (!parsed->invocation.command)
		return no_such_command(parsed);
	return take_positionals(parsed, used);
}

/* ---- Values ------------------------------------------------------------------------- */

const char *invocation_value(const struct invocation *invocation, const char *name)
{
	const struct argument *arguments = invocation->command->arguments;

	for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i].name; i++)
		if (strcmp(arguments[i].name, name) == 0)
			return invocation->value[i];
	return NULL;
}

const char *invocation_repeated(const struct invocation *invocation, const char *name, size_t nth)
{
	for (size_t i = 0; i < invocation->repeated_count; i++)
		if (strcmp(invocation->repeated[i].name, name) == 0 && !nth--)
			return invocation->repeated[i].value;
	return NULL;
}

int64_t invocation_number(const struct invocation *invocation, const char *name, int64_t fallback)
{
	const char *value = invocation_value(invocation, name);

	return value ? atoll(value) : fallback;
}

static bool is_named(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static json_t *value_json(const struct argument *argument, const char *value)
{
	if (argument->kind == ARGUMENT_DURATION)
		return json_integer(duration_seconds(value));
	return argument->kind == ARGUMENT_NUMBER ? json_integer(atoll(value)) : json_string(value);
}

json_t *invocation_object(const struct invocation *invocation, const char *const *without)
{
	const struct argument *arguments = invocation->command->arguments;
	json_t *object = json_object();

	for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i].name; i++) {
		const char *value = invocation->value[i];
		char member[64];
		if (!value || !argument_is_option(&arguments[i]) || arguments[i].kind == ARGUMENT_FLAG ||
		    is_named(without, arguments[i].name))
			continue;
		snprintf(member, sizeof(member), "%s", arguments[i].name + 2);
		for (char *at = strchr(member, '-'); at; at = strchr(at, '-'))
			*at = '_';
		json_object_set_new(object, member, value_json(&arguments[i], value));
	}
	return object;
}
