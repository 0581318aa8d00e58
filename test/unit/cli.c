/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The command table and what is made from it: parsing, values, completion.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/print.h"
#include "cli/run.h"
#include "run.h"
#include "test/unit/capture.h"

#define LINE_WORDS 24

/* Splits at blanks; "_" stands for an empty word. */
static int split(const char *line, char *copy, char *words[LINE_WORDS])
{
	int count = 0;
	char *rest;

	strcpy(copy, line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		words[count++] = strcmp(word, "_") == 0 ? "" : word;
	return count;
}

static char *words[LINE_WORDS];
static char copy[512];
static struct cli cli;
static struct parsed parsed;

static int parse(const char *line)
{
	cli = (struct cli){.state = "/run/bng", .name = "bngcli", .color = true};
	return cli_parse(&cli, split(line, copy, words), words, &parsed);
}

/* ---- Rows -------------------------------------------------------------------- */

static size_t command_count(void)
{
	size_t count = 0;

	while (commands[count].path)
		count++;
	return count;
}

START_TEST(rows_are_whole)
{
	ck_assert_uint_ge(command_count(), 20);
	for (size_t i = 0; i < command_count(); i++) {
		const struct command *command = &commands[i];
		ck_assert_msg(command->help && command->help[0], "%s: no help", command->path);
		ck_assert_msg(!command->run == (command->method && command->print),
			      "%s: run or method and print", command->path);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(commands[k].path, command->path);
		ck_assert_msg(!command->arguments[ARGUMENTS_MAX].name, "%s: arguments have no end",
			      command->path);
	}
}
END_TEST

static const struct argument *general(const char *name)
{
	for (const struct argument *option = cli_options; option->name; option++)
		if (strcmp(option->name, name) == 0)
			return option;
	return NULL;
}

START_TEST(arguments_are_whole)
{
	for (size_t i = 0; i < command_count(); i++) {
		const struct argument *arguments = commands[i].arguments;
		for (size_t k = 0; arguments[k].name; k++) {
			const struct argument *argument = &arguments[k];
			ck_assert_msg(argument->help && argument->help[0], "%s: no help", argument->name);
			ck_assert_msg(!general(argument->name), "%s %s hides an option of all",
				      commands[i].path, argument->name);
			ck_assert_int_eq(argument->kind == ARGUMENT_CHOICE, argument->choices != NULL);
			if (argument->kind == ARGUMENT_NUMBER || argument->kind == ARGUMENT_DURATION)
				ck_assert_int_lt(argument->min, argument->max);
			if (argument_is_option(argument))
				ck_assert_int_eq(strncmp(argument->name, "--", 2), 0);
			else
				ck_assert_int_ne(argument->kind, ARGUMENT_FLAG);
		}
	}
}
END_TEST

/* Options are read before the command is known: a name means the same everywhere. */
START_TEST(option_takes_a_value_everywhere_or_nowhere)
{
	for (size_t i = 0; i < command_count(); i++)
		for (const struct argument *one = commands[i].arguments; one->name; one++)
			for (size_t k = 0; k < i; k++)
				for (const struct argument *other = commands[k].arguments; other->name;
				     other++)
					if (argument_is_option(one) && strcmp(one->name, other->name) == 0)
						ck_assert_int_eq(one->kind == ARGUMENT_FLAG,
								 other->kind == ARGUMENT_FLAG);
}
END_TEST

/* ---- Parsing ------------------------------------------------------------------- */

static const struct {
	const char *line;
	const char *path;
	const char *name; /* of an argument, or NULL */
	const char *value;
} good[] = {
	{"status", "status", NULL, NULL},
	{"sessions", "sessions", "--limit", NULL},
	{"sessions --limit 5", "sessions", "--limit", "5"},
	{"sessions --limit=5", "sessions", "--limit", "5"},
	{"--limit 5 sessions", "sessions", "--limit", "5"},
	{"sessions --in-state active --mac 02:00:00:00:00:07", "sessions", "--mac", "02:00:00:00:00:07"},
	{"session show 7", "session show", "ID|ADDRESS|MAC|USER", "7"},
	{"session show 10.0.0.7", "session show", "ID|ADDRESS|MAC|USER", "10.0.0.7"},
	{"session --json show 10.0.0.7", "session show", "ID|ADDRESS|MAC|USER", "10.0.0.7"},
	{"session add 10.9.0.2 02:00:00:00:00:02 access0 --outer-vid 100", "session add", "INTERFACE",
	 "access0"},
	{"drops --all", "drops", "--all", ""},
	{"issu upgrade bng.bpf.o", "issu upgrade", "FILE", "bng.bpf.o"},
	{"issu upgrade -", "issu upgrade", "FILE", "-"},
	{"issu upgrade --canary 1% --bake 60s --then 100% x.o --bound drops=1%", "issu upgrade", "FILE",
	 "x.o"},
	{"cgnat mappings --protocol tcp", "cgnat mappings", "--protocol", "tcp"},
	{"--state /x --timeout 3 help session show", "help", NULL, NULL},
};

START_TEST(good_lines)
{
	ck_assert_msg(parse(good[_i].line) == 0, "%s: %s", good[_i].line, parsed.error);
	ck_assert_str_eq(parsed.invocation.command->path, good[_i].path);
	if (good[_i].name && good[_i].value)
		ck_assert_str_eq(invocation_value(&parsed.invocation, good[_i].name), good[_i].value);
	else if (good[_i].name)
		ck_assert_ptr_null(invocation_value(&parsed.invocation, good[_i].name));
}
END_TEST

START_TEST(what_may_be_repeated_keeps_its_order)
{
	static const char *const order[] = {"--canary", "1%",  "--bake", "60s",
					    "--then",   "10%", "--bake", "90s"};

	ck_assert_int_eq(parse("issu upgrade --canary 1% --bake=60s x.o --then 10% --bake 90s"), 0);
	ck_assert_uint_eq(parsed.invocation.repeated_count, 4);
	for (size_t i = 0; i < 4; i++) {
		ck_assert_str_eq(parsed.invocation.repeated[i].name, order[2 * i]);
		ck_assert_str_eq(parsed.invocation.repeated[i].value, order[2 * i + 1]);
	}
	ck_assert_str_eq(invocation_repeated(&parsed.invocation, "--bake", 1), "90s");
	ck_assert_ptr_null(invocation_repeated(&parsed.invocation, "--bake", 2));
	ck_assert_int_eq(share_of("0.01%"), 1);
	ck_assert_int_eq(share_of("100%"), 10000);
	ck_assert_int_eq(share_of("100.01%"), -1);
	ck_assert_int_eq(share_of("0.015%"), -1);
}
END_TEST

static const struct {
	const char *line;
	const char *error;
} bad[] = {
	{"", "a command is missing"},
	{"--json", "a command is missing"},
	{"nonsense", "nonsense: no such command"},
	{"session", "session: must be followed by one of: show, disconnect, trace, add"},
	{"radius nonsense", "radius: must be followed by one of: servers, test"},
	{"cgnat lookup 203.0.113.7",
	 "PUBLIC-IP:PORT: \"203.0.113.7\": must be an address and a port such as 203.0.113.7:40000"},
	{"cgnat lookup 203.0.113.7:65536",
	 "PUBLIC-IP:PORT: \"203.0.113.7:65536\": must be an address and a port such as 203.0.113.7:40000"},
	{"cgnat forward add 10.0.0.7 icmp 22", "PROTOCOL: \"icmp\": must be one of tcp udp"},
	{"status now", "now: one word too many"},
	{"issu upgrade x.o --canary 0.001%",
	 "--canary: \"0.001%\": must be a share such as 1%, 0.5% or 100%, at least 0.01%"},
	{"issu upgrade x.o --then 1%%",
	 "--then: \"1%%\": must be a share such as 1%, 0.5% or 100%, at least 0.01%"},
	{"issu upgrade x.o --bound drops=",
	 "--bound: \"drops=\": must be a name and a value such as drops=0.5% or "
	 "packets=5000"},
	{"issu upgrade x.o --bound =1%",
	 "--bound: \"=1%\": must be a name and a value such as drops=0.5% or packets=5000"},
	{"issu upgrade x.o --bake 1",
	 "--bake: \"1\": must be a time such as 90s, 5m, 2h or 1d, of 1-86400 seconds"},
	{"session show", "ID|ADDRESS|MAC|USER is missing"},
	{"session show -7", "-7: this command has no such option"},
	{"session show 1 2", "2: one word too many"},
	{"session add 10.0.0.256 02:00:00:00:00:02 access0",
	 "ADDRESS: \"10.0.0.256\": must be an IPv4 address such as 10.0.0.7"},
	{"session add 10.0.0.2 02:00 access0", "MAC: \"02:00\": must be a MAC such as 02:00:00:00:00:07"},
	{"session add 10.0.0.2 02:00:00:00:00:02 _", "INTERFACE: \"\": must be something"},
	{"session add 10.0.0.2 02:00:00:00:00:02 a --outer-vid 4095",
	 "--outer-vid: \"4095\": must be a number 1-4094"},
	{"sessions --limit", "--limit needs a value"},
	{"sessions --limit 0", "--limit: \"0\": must be a number 1-100000000"},
	{"sessions --limit 5x", "--limit: \"5x\": must be a number 1-100000000"},
	{"sessions --limit 99999999999999999999",
	 "--limit: \"99999999999999999999\": must be a number 1-100000000"},
	{"sessions --in-state open", "--in-state: \"open\": must be one of active closing"},
	{"sessions --all", "--all: this command has no such option"},
	{"drops --all=yes", "--all takes no value"},
	{"--nonsense status", "--nonsense: this command has no such option"},
	{"--nonsense", "--nonsense: no such option"},
	{"--timeout 0 status", "--timeout: \"0\": must be a number 1-86400"},
};

START_TEST(bad_lines)
{
	ck_assert_msg(parse(bad[_i].line) == -EINVAL, "%s", bad[_i].line);
	ck_assert_str_eq(parsed.error, bad[_i].error);
}
END_TEST

START_TEST(options_for_every_command)
{
	ck_assert_int_eq(parse("--state /x --timeout 3 status --json --no-color"), 0);
	ck_assert_str_eq(cli.state, "/x");
	ck_assert_int_eq(cli.timeout_ms, 3000);
	ck_assert(cli.json);
	ck_assert(!cli.color);
	ck_assert_int_eq(parse("session show --help"), 0);
	ck_assert(parsed.help);
	ck_assert_int_eq(parse("--version"), 0);
	ck_assert(parsed.version);
}
END_TEST

START_TEST(too_many_words)
{
	char *many[WORDS_MAX + 1];

	for (int i = 0; i <= WORDS_MAX; i++)
		many[i] = "help";
	ck_assert_int_eq(cli_parse(&cli, WORDS_MAX, many, &parsed), 0);
	ck_assert_uint_eq(parsed.invocation.rest_count, WORDS_MAX - 1);
	ck_assert_int_eq(cli_parse(&cli, WORDS_MAX + 1, many, &parsed), -EINVAL);
}
END_TEST

/* ---- Requests --------------------------------------------------------------------- */

static const struct {
	const char *line;
	const char *params;
} requests[] = {
	{"session show 7", "{\"id\":7}"},
	{"session show user:7", "{\"user\":\"7\"}"},
	{"session disconnect 10.0.0.7", "{\"address\":\"10.0.0.7\"}"},
	{"session show 02:00:00:00:00:07", "{\"mac\":\"02:00:00:00:00:07\"}"},
	{"session show anna@isp", "{\"user\":\"anna@isp\"}"},
	{"session show 0006b0256c428b84", "{\"id\":1882524636842884}"},
	{"session show 0006025642884123", "{\"id\":1691419366932771}"},
	{"session show 1882524636842884", "{\"id\":1882524636842884}"},
	{"session show 999999999999999999", "{\"id\":999999999999999999}"},
	{"session show 9999999999999999999", "{\"user\":\"9999999999999999999\"}"},
	{"session show 0", "{\"user\":\"0\"}"},
	{"session add 10.9.0.2 02:00:00:00:00:02 access0 --outer-vid 100 --outer-tpid 802.1ad --max-blocks 2",
	 "{\"sessions\":[{\"address\":\"10.9.0.2\",\"interface\":\"access0\",\"mac\":\"02:00:00:00:00:02\","
	 "\"max_blocks\":2,\"outer_tpid\":\"802.1ad\",\"outer_vid\":100}]}"},
	{"cgnat blocks", "{\"filter\":{},\"limit\":1000}"},
	{"cgnat steering", "{}"},
	{"cgnat steering --limit 3", "{\"limit\":3}"},
	{"cgnat steering set observe", "{\"mode\":\"observe\"}"},
	{"cgnat forward add 10.0.0.7 tcp 22 --public-port 40022",
	 "{\"address\":\"10.0.0.7\",\"inner_port\":22,\"protocol\":\"tcp\",\"public_port\":40022}"},
	{"cgnat forward remove 10.0.0.7 udp 53",
	 "{\"address\":\"10.0.0.7\",\"inner_port\":53,\"protocol\":\"udp\"}"},
	{"cgnat forward list --address 10.0.0.7", "{\"address\":\"10.0.0.7\"}"},
	{"cgnat tunnels --public 203.0.113.7", "{\"filter\":{\"public\":\"203.0.113.7\"},\"limit\":1000}"},
	{"cgnat mappings --address 10.0.0.7 --protocol udp --limit 3",
	 "{\"filter\":{\"address\":\"10.0.0.7\",\"protocol\":\"udp\"},\"limit\":3}"},
};

START_TEST(requests_say_what_was_asked)
{
	ck_assert_int_eq(parse(requests[_i].line), 0);
	json_t *params = parsed.invocation.command->params(&parsed.invocation);
	char *text = json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);
	ck_assert_str_eq(text, requests[_i].params);
	free(text);
	json_decref(params);
}
END_TEST

START_TEST(numbers_as_text)
{
	static const struct {
		json_int_t value;
		const char *text;
	} numbers[] = {{0, "0"},          {999, "999"},  {1000, "1,000"}, {1234567, "1,234,567"},
		       {-1234, "-1,234"}, {-123, "-123"}};
	char text[32];

	cli.separators = true;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		ck_assert_str_eq(count_text(&cli, numbers[i].value, text, sizeof(text)), numbers[i].text);
	cli.separators = false;
	ck_assert_str_eq(count_text(&cli, 1234567, text, sizeof(text)), "1234567");
	ck_assert_str_eq(duration_text(59, text, sizeof(text)), "00:00:59");
	ck_assert_str_eq(duration_text(2 * 86400 + 3661, text, sizeof(text)), "2d 01:01:01");
}
END_TEST

/* ---- Completion --------------------------------------------------------------------- */

static const struct {
	const char *line;
	const char *candidates;
} completions[] = {
	{"st", "status\n"},
	{"s", "status\nsessions\nsession\nsync\n"},
	{"session _", "show\ndisconnect\ntrace\nadd\n"},
	{"session s", "show\n"},
	{"cgnat mappings --p", "--public\n--protocol\n"},
	{"cgnat mappings --protocol _", "tcp\nudp\nicmp\n"},
	{"cgnat mappings --protocol i", "icmp\n"},
	{"cgnat mappings --protocol tcp --p", "--public\n"},
	{"--json --state /x cg", "cgnat\n"},
	{"--st", "--state\n"},
	{"--state _", ":file\n"},
	{"radius _", "servers\ntest\n"},
	{"radius test nemo --method _", "pap\nchap\nmschap2\nline\n"},
	{"issu upgrade _", ":file\n"},
	{"issu upgrade file _", ""},
	{"status _", ""},
	{"session show _", ""},
	{"help cgnat _",
	 "pools\nblocks\nmappings\ntunnels\nlookup\nforward\npcp\nlog\nheld\nreputation\nsteering\n"},
	{"cgnat steering _", "set\n"},
	{"cgnat steering set _", "off\nobserve\nenforce\n"},
	{"nonsense _", ""},
};

START_TEST(completion_of_the_last_word)
{
	char line[512];
	char *arguments[LINE_WORDS];

	capture_begin(STDOUT_FILENO);
	complete_words(split(completions[_i].line, line, arguments), arguments);
	ck_assert_str_eq(capture_end(), completions[_i].candidates);
}
END_TEST

/* ---- The verdict on an upgrade ----------------------------------------------------------- */

#define DIGEST(sum)                                                                                          \
	"{\"sessions\":{\"count\":8,\"sha256\":\"a\"},\"mappings\":{\"count\":1234,\"sha256\":\"" sum "\"}}"
#define REPORT(hitless, lost, sum)                                                                           \
	"{\"hitless\":" hitless ",\"lost\":\"" lost                                                          \
	"\",\"swap\":{\"packets\":12345,\"dropped\":0,\"longest_gap_us\":340},"                              \
	"\"digest\":{\"before\":" DIGEST("0123456789") ",\"after\":" DIGEST(sum) "}}"

static const struct {
	const char *report;
	int status;
	const char *line;
} verdicts[] = {
	{REPORT("true", "", "0123456789"), CLI_OK,
	 "  UPGRADE: hitless. Forwarded meanwhile 12345 packets, lost 0, longest gap 0.3 ms. 8 sessions, "
	 "1234 mappings "
	 "and their public ports before = after (sha256 01234567...).\n"},
	{REPORT("true", "", "other"), CLI_OK,
	 "  UPGRADE: hitless. Forwarded meanwhile 12345 packets, lost 0, longest gap 0.3 ms. All sessions "
	 "and mappings "
	 "kept; subscribers opened or ended some meanwhile (sha256 of sessions a... -> a..., mappings "
	 "01234567... -> other...).\n"},
	{REPORT("false", "2 sessions, 3 mappings", "other"), CLI_NOT_HITLESS,
	 "  UPGRADE: NOT hitless: lost 2 sessions, 3 mappings\n"},
	{"{}", CLI_NOT_HITLESS, "  UPGRADE: NOT hitless: lost -\n"},
};

START_TEST(upgrade_is_hitless_only_when_the_report_says_so)
{
	json_t *report = json_loads(verdicts[_i].report, 0, NULL);

	ck_assert_ptr_nonnull(report);
	cli = (struct cli){.name = "bngcli"};
	capture_begin(STDOUT_FILENO);
	int status = issu_report(&cli, "UPGRADE", report);
	ck_assert_str_eq(capture_end(), verdicts[_i].line);
	ck_assert_int_eq(status, verdicts[_i].status);
	json_decref(report);
}
END_TEST

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int main(void)
{
	Suite *suite = suite_create("cli");
	TCase *tests = tcase_create("cli");

	tcase_add_test(tests, rows_are_whole);
	tcase_add_test(tests, arguments_are_whole);
	tcase_add_test(tests, option_takes_a_value_everywhere_or_nowhere);
	tcase_add_loop_test(tests, good_lines, 0, COUNT(good));
	tcase_add_test(tests, what_may_be_repeated_keeps_its_order);
	tcase_add_loop_test(tests, bad_lines, 0, COUNT(bad));
	tcase_add_test(tests, options_for_every_command);
	tcase_add_test(tests, too_many_words);
	tcase_add_loop_test(tests, requests_say_what_was_asked, 0, COUNT(requests));
	tcase_add_test(tests, numbers_as_text);
	tcase_add_loop_test(tests, completion_of_the_last_word, 0, COUNT(completions));
	tcase_add_loop_test(tests, upgrade_is_hitless_only_when_the_report_says_so, 0, COUNT(verdicts));
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
