/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who has a public port: asked from bng-controld for now, answered from configuration
 * and log for a moment in the past, with no daemon at all (history.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "history.h"
#include "lib/address.h"
#include "logfile.h"
#include "print.h"
#include "run.h"

#define CONFIGURATION "/etc/bng/bng.json"
#define HOLDERS_MAX   16
#define NOTE_TEXT     1024

struct lookup {
	struct cli *cli;
	const struct invocation *invocation;
	char address[ADDRESS_TEXT];
	int port;
	struct when when;
	const char *config; /* file that was read, or NULL */
	json_t *document;
	json_t *files; /* of the log */
	json_t *notes;
	struct history history;
	struct history_holder holders[HOLDERS_MAX];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void note(struct lookup *lookup, const char *format, ...)
{
	char text[NOTE_TEXT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_array_append_new(lookup->notes, json_string(text));
}

__attribute__((format(printf, 2, 3))) static int refuse_lookup(const struct lookup *lookup,
							       const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: cgnat lookup: ", lookup->cli->name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return CLI_REFUSED;
}

/* ---- now ---------------------------------------------------------------------------- */

static int print_live(struct cli *cli, const json_t *result)
{
	const char *member;
	json_t *value;

	json_object_foreach((json_t *)result, member, value)
	{
		char text[VALUE_TEXT];

		print_fact(member, "%s", value_text(cli, value, COLUMN_TEXT, text, sizeof(text)));
	}
	return CLI_OK;
}

static int run_live(struct lookup *lookup)
{
	json_t *params = json_pack("{s:s, s:i}", "public", lookup->address, "port", lookup->port), *result;
	int status = call_once(lookup->cli, SERVER_CONTROLD, "cgnat.lookup", params, &result);

	if (status)
		return status;
	if (lookup->cli->json)
		print_json(result);
	else
		status = print_live(lookup->cli, result);
	json_decref(result);
	return status;
}

/* ---- then: what there is to read ------------------------------------------------------ */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static int read_when(struct lookup *lookup)
{
	const char *text = invocation_value(lookup->invocation, "--at");
	int64_t now = now_ms();
	char moment[WHEN_TEXT];

	lookup->when = (struct when){now, now + 1};
	if (text && when_parse(text, now, &lookup->when)) {
		fprintf(stderr,
			"%s: --at: \"%s\": must be a moment such as 2026-11-20T10:00:05Z, "
			"2026-11-20T11:00:05+01:00, \"2026-11-20 11:00\" (local time), 11:00 (today) or "
			"@1795168805\n",
			lookup->cli->name, text);
		return CLI_USAGE;
	}
	if (lookup->when.from > now)
		return refuse_lookup(lookup, "--at %s: %s is in the future", text,
				     when_format(lookup->when.from, moment));
	return CLI_OK;
}

/* The usual one may be absent when a log is given. */
static int read_config(struct lookup *lookup)
{
	const char *asked = invocation_value(lookup->invocation, "--config");
	const char *file = asked ? asked : CONFIGURATION;
	json_error_t error;

	lookup->document = json_load_file(file, 0, &error);
	if (json_is_object(lookup->document)) {
		lookup->config = file;
		return CLI_OK;
	}
	if (!asked && invocation_repeated(lookup->invocation, "--log", 0))
		return CLI_OK;
	return refuse_lookup(lookup,
			     "%s: %s; --config names another configuration, --log a log of port blocks", file,
			     lookup->document ? "is no JSON object" : error.text);
}

/* The rule that has the address, by the configuration. */
static int read_rule(struct lookup *lookup)
{
	const json_t *cgnat = json_object_get(lookup->document, "cgnat"), *pool;
	struct json_reader reader;
	size_t i;

	json_reader_init(&reader);
	json_enter(&reader, NULL, "cgnat");
	json_enter(&reader, NULL, "pools");
	json_array_foreach(json_object_get(cgnat, "pools"), i, pool)
	{
		const char *name = json_string_value(json_object_get(pool, "name"));
		struct deterministic *rule = NULL;

		json_enter_index(&reader, NULL, i);
		if (json_object_get(pool, "deterministic"))
			rule = deterministic_read(&reader, pool);
		json_leave(&reader);
		if (rule && deterministic_dynamic_from(rule, lookup->history.address))
			history_configured(&lookup->history, rule, name ? name : "");
		else
			deterministic_free(rule);
	}
	return json_reader_ok(&reader) ? CLI_OK
				       : refuse_lookup(lookup, "%s %s", lookup->config, reader.error);
}

static int find_files(struct lookup *lookup)
{
	const json_t *log = json_object_get(json_object_get(lookup->document, "cgnat"), "log");
	const char *path = json_string_value(json_object_get(json_object_get(log, "file"), "path"));
	const char *given;
	char error[LOGFILE_ERROR];

	for (size_t i = 0; (given = invocation_repeated(lookup->invocation, "--log", i)); i++)
		if (logfile_find(given, lookup->files, error))
			return refuse_lookup(lookup, "%s", error);
	if (invocation_repeated(lookup->invocation, "--log", 0))
		return CLI_OK;
	if (!path)
		note(lookup, "%s names no log file (/cgnat/log/file): answered from the configuration alone",
		     lookup->config);
	else if (logfile_find(path, lookup->files, error))
		note(lookup, "%s (/cgnat/log/file of %s): answered from the configuration alone", error,
		     lookup->config);
	return CLI_OK;
}

static void take_line(void *context, const char *line, size_t length)
{
	history_line(context, line, length);
}

static int read_files(struct lookup *lookup)
{
	const json_t *name;
	size_t i;

	json_array_foreach(lookup->files, i, name)
	{
		char error[LOGFILE_ERROR];

		if (logfile_read(json_string_value(name), take_line, &lookup->history, error))
			note(lookup, "%s", error);
	}
	return lookup->history.failed ? refuse_lookup(lookup, "out of memory") : CLI_OK;
}

/* ---- then: the answer ----------------------------------------------------------------- */

static const char *const kinds[] = {
	[HISTORY_DYNAMIC] = "dynamic",
	[HISTORY_OVERFLOW] = "dynamic overflow",
	[HISTORY_DETERMINISTIC] = "deterministic",
};

static const char *answer_of(const struct lookup *lookup)
{
	if (lookup->count)
		return kinds[lookup->holders[0].kind];
	return history_covers(&lookup->history) ? "nobody" : "not covered by the log";
}

/* What an abuse desk must know before it believes the answer. */
static void note_doubts(struct lookup *lookup)
{
	struct history *history = &lookup->history;
	bool covered = history_covers(history), by_log;
	char begin[WHEN_TEXT], lost[WHEN_TEXT];

	history_rule_at(history, history->when.from, &by_log);
	if (lookup->count && lookup->holders[0].kind == HISTORY_DETERMINISTIC && !by_log)
		note(lookup, "by the configuration as it is now: no log tells which rule was in force then");
	if (lookup->count && lookup->holders[0].kind == HISTORY_DETERMINISTIC && by_log && !covered)
		note(lookup,
		     "by the rule in force then; the log does not go back to that time, so a block that "
		     "was left over from a rule before it would not show");
	if (!lookup->count && covered)
		note(lookup,
		     "a block that was given out before the log begins, %s, and has not been given back "
		     "since would not show",
		     when_format(history->begin, begin));
	if (!lookup->count && !covered && history->begin <= history->end)
		note(lookup, "the log begins at %s", when_format(history->begin, begin));
	if (lookup->count > 1)
		note(lookup, "the port changed hands in that time: a more exact time tells who it was");
	if (history->lost)
		note(lookup, "%lld records are missing from the log, told last at %s",
		     (long long)history->lost, when_format(history->lost_last, lost));
	if (history->unreadable)
		note(lookup, "%llu of %llu lines of the log could not be read",
		     (unsigned long long)history->unreadable, (unsigned long long)history->lines);
}

static json_t *moment_json(int64_t moment)
{
	char text[WHEN_TEXT];

	return moment < 0 ? json_null() : json_string(when_format(moment, text));
}

static json_t *holder_json(const struct history_holder *holder)
{
	char text[ADDRESS_TEXT];

	return json_pack("{s:s, s:s, s:o, s:s, s:i, s:i, s:o, s:o}", "kind", kinds[holder->kind], "address",
			 address_format(htonl(holder->subscriber), text), "session",
			 holder->session < 0 ? json_null() : json_integer(holder->session), "pool",
			 holder->pool, "first", (int)holder->first, "last", (int)holder->last, "allocated",
			 moment_json(holder->given), "released",
			 holder->cut ? json_null() : moment_json(holder->returned));
}

static json_t *answer_json(const struct lookup *lookup)
{
	const struct history *history = &lookup->history;
	bool any = history->begin <= history->end;
	json_t *holders = json_array();

	for (size_t i = 0; i < lookup->count; i++)
		json_array_append_new(holders, holder_json(&lookup->holders[i]));
	return json_pack("{s:s, s:i, s:o, s:o, s:s, s:o, s:s?, s:{s:O, s:o, s:o, s:I, s:I}, s:O}", "public",
			 lookup->address, "port", lookup->port, "from", moment_json(lookup->when.from), "to",
			 moment_json(lookup->when.to), "answer", answer_of(lookup), "holders", holders,
			 "configuration", lookup->config, "log", "files", lookup->files, "begin",
			 any ? moment_json(history->begin) : json_null(), "end",
			 any ? moment_json(history->end) : json_null(), "lines", (json_int_t)history->lines,
			 "lost", (json_int_t)history->lost, "notes", lookup->notes);
}

static void print_moment(const char *label, const json_t *value, const char *otherwise)
{
	print_fact(label, "%s", json_is_string(value) ? json_string_value(value) : otherwise);
}

static void print_holding(const struct cli *cli, const json_t *holder)
{
	bool ruled = strcmp(member_string(holder, "kind"), kinds[HISTORY_DETERMINISTIC]) == 0;
	char session[VALUE_TEXT];

	printf("\n");
	print_fact("kind", "%s%s", member_string(holder, "kind"),
		   ruled ? ", of this subscriber address alone" : " block");
	print_fact("address", "%s", member_string(holder, "address"));
	if (!ruled)
		print_fact("session", "%s",
			   value_text(cli, json_object_get(holder, "session"), COLUMN_TEXT, session,
				      sizeof(session)));
	print_fact("ports", "%lld-%lld", (long long)member_integer(holder, "first"),
		   (long long)member_integer(holder, "last"));
	print_fact("pool", "%s", member_string(holder, "pool"));
	if (ruled)
		return;
	print_moment("allocated", json_object_get(holder, "allocated"), "before the log begins");
	print_moment("released", json_object_get(holder, "released"), "not that the log knows of");
}

static void print_answer(const struct cli *cli, const json_t *answer)
{
	const json_t *log = json_object_get(answer, "log"), *one;
	size_t i;

	print_fact("public", "%s:%lld", member_string(answer, "public"),
		   (long long)member_integer(answer, "port"));
	print_fact("from", "%s", member_string(answer, "from"));
	print_fact("to", "%s", member_string(answer, "to"));
	print_fact("answer", "%s", member_string(answer, "answer"));
	json_array_foreach(json_object_get(answer, "holders"), i, one)
	{
		print_holding(cli, one);
	}
	printf("\n");
	print_fact("configuration", "%s", member_string(answer, "configuration"));
	print_fact("log", "%zu files, %s to %s", json_array_size(json_object_get(log, "files")),
		   member_string(log, "begin"), member_string(log, "end"));
	json_array_foreach(json_object_get(answer, "notes"), i, one)
	{
		print_fact("note", "%s", json_string_value(one));
	}
}

static int answer(struct lookup *lookup)
{
	json_t *result;

	lookup->count = history_holders(&lookup->history, lookup->holders, HOLDERS_MAX);
	note_doubts(lookup);
	result = answer_json(lookup);
	if (lookup->cli->json)
		print_json(result);
	else
		print_answer(lookup->cli, result);
	json_decref(result);
	return lookup->count || history_covers(&lookup->history) ? CLI_OK : CLI_REFUSED;
}

static int run_offline(struct lookup *lookup)
{
	static int (*const steps[])(struct lookup *) = {read_config, find_files, read_files, read_rule,
							answer};
	int status = read_when(lookup);
	uint32_t address_be;

	if (status)
		return status;
	address_parse(lookup->address, &address_be);
	lookup->notes = json_array();
	lookup->files = json_array();
	history_begin(&lookup->history, ntohl(address_be), (uint16_t)lookup->port, &lookup->when);
	for (size_t i = 0; !status && i < sizeof(steps) / sizeof(steps[0]); i++)
		status = steps[i](lookup);
	history_done(&lookup->history);
	json_decref(lookup->document);
	json_decref(lookup->notes);
	json_decref(lookup->files);
	return status;
}

int run_lookup(struct cli *cli, const struct invocation *invocation)
{
	struct lookup lookup = {.cli = cli, .invocation = invocation};

	sscanf(invocation_value(invocation, "PUBLIC-IP:PORT"), "%15[0-9.]:%d", lookup.address, &lookup.port);
	if (invocation_value(invocation, "--at") || invocation_value(invocation, "--offline") ||
	    invocation_value(invocation, "--config") || invocation_repeated(invocation, "--log", 0))
		return run_offline(&lookup);
	return run_live(&lookup);
}
