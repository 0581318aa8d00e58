/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One row for each command: its members are read and checked as a whole first.
 */
#include "test/emulator/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/json.h"
#include "test/emulator/ppp.h"

#define MRU_SMALLEST 576
#define MRU_LARGEST  1500
#define RATE_MAX     10000
#define MS_MAX       3600000

struct request {
	struct emulator *emulator;
	struct wire *wires;
	struct json_reader reader;
	json_t *json;
};

/* ---- add ------------------------------------------------------------------------- */

static void read_text(struct request *request, const char *member, const char *fallback, char *text)
{
	const char *found = json_read_string_or(&request->reader, request->json, member, fallback);

	if (strlen(found) + 10 > NAME_MAX_LENGTH) /* room for the number */
		json_reader_fail(&request->reader, json_object_get(request->json, member), "at most %d bytes",
				 NAME_MAX_LENGTH - 10);
	else
		strcpy(text, found);
}

static uint8_t read_auth(struct request *request)
{
	static const struct {
		const char *name;
		uint8_t auth;
	} names[] = {
		{"any", AUTH_PAP | AUTH_CHAP_MD5 | AUTH_MSCHAP2},
		{"none", 0},
		{"pap", AUTH_PAP},
		{"chap", AUTH_CHAP_MD5},
		{"mschap2", AUTH_MSCHAP2},
	};
	const char *name = json_read_string_or(&request->reader, request->json, "auth", "any");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i].name, name))
			return names[i].auth;
	}
	json_reader_fail(&request->reader, json_object_get(request->json, "auth"),
			 "any, none, pap, chap or mschap2");
	return 0;
}

/* "tags": [{"tpid": 34984, "first": 100, "range": 10}, ...], the outer one first. */
static void read_tags(struct request *request, struct group *group)
{
	static const char *const members[] = {"tpid", "first", "range", NULL};
	struct json_reader *reader = &request->reader;
	json_t *tags = json_enter(reader, request->json, "tags");

	if (tags && (!json_is_array(tags) || json_array_size(tags) > 2))
		json_reader_fail(reader, tags, "at most two tags");
	for (size_t i = 0; json_reader_ok(reader) && i < json_array_size(tags); i++) {
		json_t *tag = json_enter_index(reader, tags, i);
		json_read_only(reader, tag, members);
		group->first_tag[i].tpid =
			(uint16_t)json_read_integer_or(reader, tag, "tpid", 1, 0xffff, ETHERTYPE_VLAN);
		group->first_tag[i].vid = (uint16_t)json_read_integer(reader, tag, "first", 1, 4094);
		group->tag_range[i] = (uint16_t)json_read_integer_or(reader, tag, "range", 1, 4094, 1);
		group->tag_count++;
		json_leave(reader);
	}
	json_leave(reader);
}

static enum kind read_kind(struct request *request)
{
	const char *kind = json_read_string(&request->reader, request->json, "kind");

	if (json_reader_ok(&request->reader) && strcmp(kind, "pppoe") && strcmp(kind, "ipoe"))
		json_reader_fail(&request->reader, json_object_get(request->json, "kind"), "pppoe or ipoe");
	return strcmp(kind, "ipoe") ? KIND_PPPOE : KIND_IPOE;
}

static json_t *add(struct request *request)
{
	struct json_reader *reader = &request->reader;
	uint32_t left = request->emulator->capacity - request->emulator->count;
	struct group group = {.kind = read_kind(request), .auth = read_auth(request)};

	group.count = (uint32_t)json_read_integer(reader, request->json, "count", 1, left);
	group.mru = (uint16_t)json_read_integer_or(reader, request->json, "mru", MRU_SMALLEST, MRU_LARGEST,
						   PPP_MRU_DEFAULT);
	group.dns = json_read_bool_or(reader, request->json, "dns", true);
	read_text(request, "user", "user%n", group.user);
	read_text(request, "password", "password%n", group.password);
	read_text(request, "service", "", group.service);
	read_text(request, "circuit", "", group.circuit);
	read_tags(request, &group);
	if (!json_reader_ok(reader))
		return NULL;
	if (emulator_add(request->emulator, &group))
		return json_pack("{ss}", "error", "too many groups");
	return json_pack("{si}", "first", (int)(request->emulator->count - group.count));
}

/* ---- The others ------------------------------------------------------------------ */

/* Members "first" and "count"; all without them. False: they are wrong. */
static bool read_range(struct request *request, uint32_t *first, uint32_t *count)
{
	uint32_t all = request->emulator->count;

	*first = (uint32_t)json_read_integer_or(&request->reader, request->json, "first", 0, all, 0);
	*count = (uint32_t)json_read_integer_or(&request->reader, request->json, "count", 0, all - *first,
						all - *first);
	return json_reader_ok(&request->reader);
}

static json_t *start(struct request *request)
{
	uint32_t first, count;

	if (!read_range(request, &first, &count))
		return NULL;
	for (uint32_t i = first; i < first + count; i++)
		subscriber_start(request->emulator, &request->emulator->subscriber[i]);
	return json_object();
}

static json_t *stop(struct request *request)
{
	bool told = json_read_bool_or(&request->reader, request->json, "told", true);
	uint32_t first, count;

	if (!read_range(request, &first, &count))
		return NULL;
	for (uint32_t i = first; i < first + count; i++)
		subscriber_stop(request->emulator, &request->emulator->subscriber[i], told);
	return json_object();
}

static json_t *renew(struct request *request)
{
	uint32_t first, count;

	if (!read_range(request, &first, &count))
		return NULL;
	for (uint32_t i = first; i < first + count; i++)
		dhcp_renew(request->emulator, &request->emulator->subscriber[i]);
	return json_object();
}

static json_t *set(struct request *request)
{
	struct settings wanted = request->emulator->settings;
	struct json_reader *reader = &request->reader;
	json_t *json = request->json;

	wanted.under_way =
		(uint32_t)json_read_integer_or(reader, json, "under_way", 1, 1000000, wanted.under_way);
	wanted.retry_ms =
		(uint32_t)json_read_integer_or(reader, json, "retry_ms", 10, MS_MAX, wanted.retry_ms);
	wanted.again_ms =
		(uint32_t)json_read_integer_or(reader, json, "again_ms", 0, MS_MAX, wanted.again_ms);
	wanted.again_max_ms =
		(uint32_t)json_read_integer_or(reader, json, "again_max_ms", 10, MS_MAX, wanted.again_max_ms);
	if (!json_reader_ok(reader))
		return NULL;
	request->emulator->settings = wanted;
	return json_object();
}

/* Gaps between echoes are measured from here on. */
static void echo_begin(struct emulator *emulator)
{
	for (uint32_t i = 0; i < emulator->count; i++) {
		struct subscriber *subscriber = &emulator->subscriber[i];
		if (subscriber->group->kind != KIND_PPPOE)
			continue;
		subscriber->pppoe.echo_open = false;
		subscriber->pppoe.echo_reply_ns = subscriber->pppoe.echo_gap_ns = 0;
	}
}

static json_t *traffic(struct request *request)
{
	struct traffic *running = &request->emulator->traffic;
	double rate =
		json_read_number_or(&request->reader, request->json, "rate", 0, RATE_MAX, running->rate);
	double echo = json_read_number_or(&request->reader, request->json, "echo_rate", 0, RATE_MAX,
					  running->echo_rate);

	if (!json_reader_ok(&request->reader))
		return NULL;
	if (echo > 0 && running->echo_rate <= 0)
		echo_begin(request->emulator);
	running->rate = rate;
	running->echo_rate = echo;
	return json_object();
}

static json_t *report(struct request *request)
{
	uint32_t first, count;

	return read_range(request, &first, &count)
		       ? report_json(request->emulator, request->wires, first, count)
		       : NULL;
}

static json_t *sessions(struct request *request)
{
	uint32_t first, count;

	return read_range(request, &first, &count) ? sessions_json(request->emulator, first, count) : NULL;
}

static json_t *reset(struct request *request)
{
	report_reset(request->emulator);
	return json_object();
}

#define RANGE "first", "count"

static const struct {
	const char *name;
	json_t *(*run)(struct request *request);
	const char *members[12]; /* beside "command" */
} commands[] = {
	{"add",
	 add,
	 {"kind", "count", "auth", "mru", "dns", "user", "password", "service", "circuit", "tags"}},
	{"start", start, {RANGE}},
	{"stop", stop, {RANGE, "told"}},
	{"renew", renew, {RANGE}},
	{"set", set, {"under_way", "retry_ms", "again_ms", "again_max_ms"}},
	{"traffic", traffic, {"rate", "echo_rate"}},
	{"report", report, {RANGE}},
	{"sessions", sessions, {RANGE}},
	{"reset", reset, {NULL}},
};

static json_t *dispatch(struct request *request)
{
	const char *name = json_read_string(&request->reader, request->json, "command");

	for (size_t i = 0; json_reader_ok(&request->reader) && i < sizeof(commands) / sizeof(commands[0]);
	     i++) {
		const char *members[14] = {"command"};
		if (strcmp(commands[i].name, name))
			continue;
		memcpy(members + 1, commands[i].members, sizeof(commands[i].members));
		json_read_only(&request->reader, request->json, members);
		return json_reader_ok(&request->reader) ? commands[i].run(request) : NULL;
	}
	json_reader_fail(&request->reader, json_object_get(request->json, "command"), "a command");
	return NULL;
}

json_t *command_run(struct emulator *emulator, struct wire *wires, const char *line)
{
	struct request request = {.emulator = emulator, .wires = wires};
	json_error_t error;
	json_t *answer;

	request.json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (!request.json)
		return json_pack("{ss}", "error", error.text);
	json_reader_init(&request.reader);
	answer = dispatch(&request);
	if (!answer)
		answer = json_pack("{ss}", "error", request.reader.error);
	json_decref(request.json);
	return answer;
}
