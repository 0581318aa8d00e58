/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Errors name the JSON pointer, what was found and what was expected.
 */
#include "bngsync/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rpc_call.h"

#define FOUND_MAX 64 /* bytes of a wrong value that are shown */

struct parser {
	struct json_scan scan;
	struct changes *changes;
	struct problem *problem;
	size_t capacity;
};

static int wrong(struct parser *parser, const char *pointer, struct json_slice found, const char *expected)
{
	int shown = found.length > FOUND_MAX ? FOUND_MAX : (int)found.length;
	return refuse(parser->problem, RPC_INVALID_PARAMS, NULL, "params%s: %s%.*s%s%s%s", pointer,
		      found.text ? "" : "nothing", shown, found.text ? found.text : "",
		      found.length > FOUND_MAX ? "..." : "", ": ", expected);
}

/* At record or key number `index`. */
static int wrong_at(struct parser *parser, const char *list, size_t index, const char *member,
		    struct json_slice found, const char *expected)
{
	char pointer[64];
	snprintf(pointer, sizeof(pointer), "/%s/%zu%s", list, index, member);
	return wrong(parser, pointer, found, expected);
}

static int not_json(struct parser *parser)
{
	return refuse(parser->problem, RPC_INVALID_PARAMS, NULL,
		      "params: not JSON as it is read here: nesting up to %d, integers up to 18 digits, "
		      "exponents up to 2",
		      JSON_SCAN_DEPTH);
}

static int add(struct parser *parser, struct change change)
{
	struct changes *changes = parser->changes;
	if (changes->count == CHANGES_MAX)
		return refuse(parser->problem, RPC_LIMIT, NULL,
			      "params: more than %d records: send fewer at once", CHANGES_MAX);
	if (changes->count == parser->capacity) {
		size_t capacity = parser->capacity ? parser->capacity * 2 : 16;
		struct change *list = realloc(changes->list, capacity * sizeof(*list));
		if (!list)
			return refuse(parser->problem, RPC_INTERNAL, NULL, "out of memory");
		changes->list = list;
		parser->capacity = capacity;
	}
	changes->list[changes->count++] = change;
	return 0;
}

static int read_key(struct parser *parser, const char *list, size_t index, const char *member,
		    struct json_slice value, struct json_slice *key)
{
	if (json_slice_text(value, key) && rpc_key_ok(key->text, key->length))
		return 0;
	return wrong_at(parser, list, index, member, value, "must be text of " RPC_KEY_RULE);
}

static int check_value(struct parser *parser, size_t index, struct json_slice value)
{
	if (!value.text || (value.text[0] != '{' && value.text[0] != 'n'))
		return wrong_at(parser, "records", index, "/value", value,
				"must be an object, or null to delete the key");
	if (value.length > CHANGES_VALUE_MAX)
		return wrong_at(parser, "records", index, "/value", value, "must not exceed 65536 bytes");
	return 0;
}

/* {key, value} */
static int read_record(struct parser *parser, size_t index)
{
	struct json_slice name, key = {NULL, 0}, value = {NULL, 0};
	struct json_scan begin = parser->scan;
	int more;
	if (!json_scan_open(&parser->scan, '{')) {
		parser->scan = begin;
		return json_scan_value(&parser->scan, &value)
			       ? wrong_at(parser, "records", index, "", value, "must be an object")
			       : not_json(parser);
	}
	for (size_t i = 0; (more = json_scan_member(&parser->scan, i, &name)) > 0; i++) {
		struct json_slice *part = json_slice_is(name, "key") ? &key : &value;
		if ((part == &value && !json_slice_is(name, "value")) || part->text)
			return wrong_at(parser, "records", index, "", name, "only key and value, each once");
		if (!json_scan_value(&parser->scan, part))
			return not_json(parser);
	}
	if (more < 0)
		return not_json(parser);
	struct change change = {.value = value};
	if (value.text && value.text[0] == 'n')
		change.value = (struct json_slice){NULL, 0};
	int error = read_key(parser, "records", index, "/key", key, &change.key);
	error = error ? error : check_value(parser, index, value);
	return error ? error : add(parser, change);
}

static int read_deleted(struct parser *parser, size_t index)
{
	struct json_slice value;
	struct change change = {.value = {NULL, 0}};
	if (!json_scan_value(&parser->scan, &value))
		return not_json(parser);
	int error = read_key(parser, "keys", index, "", value, &change.key);
	return error ? error : add(parser, change);
}

typedef int read_element(struct parser *parser, size_t index);

static int read_list(struct parser *parser, const char *member, read_element *read)
{
	char pointer[16];
	struct json_scan begin = parser->scan;
	struct json_slice value;
	int more, error = 0;
	snprintf(pointer, sizeof(pointer), "/%s", member);
	if (parser->changes->list)
		return wrong(parser, pointer, (struct json_slice){member, strlen(member)}, "must come once");
	if (!json_scan_open(&parser->scan, '[')) {
		parser->scan = begin;
		return json_scan_value(&parser->scan, &value)
			       ? wrong(parser, pointer, value, "must be an array")
			       : not_json(parser);
	}
	for (size_t i = 0; !error && (more = json_scan_element(&parser->scan, i)) > 0; i++)
		error = read(parser, i);
	if (error)
		return error;
	return more < 0 ? not_json(parser) : 0;
}

static int read_topic(struct parser *parser)
{
	struct json_slice value;
	if (!json_scan_value(&parser->scan, &value))
		return not_json(parser);
	if (parser->changes->topic.text || !json_slice_text(value, &parser->changes->topic))
		return wrong(parser, "/topic", value, "must be the name of a topic, once");
	return 0;
}

static int parse(struct parser *parser, const char *member, read_element *read)
{
	struct json_slice name;
	int more, error = 0;
	if (!json_scan_open(&parser->scan, '{'))
		return refuse(parser->problem, RPC_INVALID_PARAMS, NULL, "params: must be an object");
	for (size_t i = 0; !error && (more = json_scan_member(&parser->scan, i, &name)) > 0; i++) {
		if (json_slice_is(name, "topic"))
			error = read_topic(parser);
		else if (json_slice_is(name, member))
			error = read_list(parser, member, read);
		else
			error = wrong(parser, "", name, "there is no such member here");
	}
	if (error)
		return error;
	if (more < 0 || !json_scan_ended(&parser->scan))
		return not_json(parser);
	if (!parser->changes->topic.text)
		return wrong(parser, "/topic", (struct json_slice){NULL, 0}, "must be given");
	if (!parser->changes->count)
		return refuse(parser->problem, RPC_INVALID_PARAMS, NULL,
			      "params/%s: nothing: must be an array of at least one", member);
	return 0;
}

static int parse_changes(const char *text, size_t length, const char *member, read_element *read,
			 struct changes *changes, struct problem *problem)
{
	struct parser parser = {.scan = {text, text + length}, .changes = changes, .problem = problem};
	*changes = (struct changes){.topic = {NULL, 0}};
	int error = parse(&parser, member, read);
	if (error)
		changes_done(changes);
	return error;
}

int changes_parse_records(const char *text, size_t length, struct changes *changes, struct problem *problem)
{
	return parse_changes(text, length, "records", read_record, changes, problem);
}

int changes_parse_keys(const char *text, size_t length, struct changes *changes, struct problem *problem)
{
	return parse_changes(text, length, "keys", read_deleted, changes, problem);
}

void changes_done(struct changes *changes)
{
	free(changes->list);
	*changes = (struct changes){.topic = {NULL, 0}};
}
