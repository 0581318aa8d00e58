/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What a line must be to count as a call: a JSON object without duplicate
 * members, version 2.0, a method, params that are an object or an array, an id
 * that is text, a number or null. Anything else has an error code and a reason.
 */
#include <string.h>

#include "lib/rpc.h"

static int refuse(json_t *document, int code, const char **reason, const char *why)
{
	json_decref(document);
	*reason = why;
	return code;
}

static bool id_is_valid(const json_t *id)
{
	return !id || json_is_string(id) || json_is_number(id) || json_is_null(id);
}

int rpc_parse_line(const char *line, size_t length, json_t **document, json_t **id, const char **method,
		   json_t **params, const char **reason)
{
	json_error_t error;
	json_t *parsed = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	if (!parsed)
		return refuse(NULL, RPC_PARSE, reason, "the line is not JSON: send one JSON object per line");
	if (json_is_array(parsed))
		return refuse(parsed, RPC_INVALID_REQUEST, reason,
			      "batches are not served: send one JSON object per line");
	const char *version = json_string_value(json_object_get(parsed, "jsonrpc"));
	if (!version || strcmp(version, "2.0"))
		return refuse(parsed, RPC_INVALID_REQUEST, reason, "member jsonrpc must be \"2.0\"");
	const char *name = json_string_value(json_object_get(parsed, "method"));
	if (!name)
		return refuse(parsed, RPC_INVALID_REQUEST, reason, "member method must be a string");
	json_t *arguments = json_object_get(parsed, "params");
	if (arguments && !json_is_object(arguments) && !json_is_array(arguments))
		return refuse(parsed, RPC_INVALID_REQUEST, reason,
			      "member params must be an object or an array");
	json_t *identity = json_object_get(parsed, "id");
	if (!id_is_valid(identity))
		return refuse(parsed, RPC_INVALID_REQUEST, reason, "member id must be a string or a number");
	*document = parsed;
	*id = json_incref(identity);
	*method = name;
	*params = arguments;
	return 0;
}

/* A member that may come once: takes its value. */
static bool take_part(struct json_scan *scan, struct json_slice *part)
{
	return !part->text && json_scan_value(scan, part);
}

bool rpc_line_parts(const char *line, size_t length, struct rpc_parts *parts)
{
	struct json_scan scan = {line, line + length};
	struct json_slice name, version = {NULL, 0}, method = {NULL, 0};
	int more = json_scan_open(&scan, '{') ? 1 : -1;
	*parts = (struct rpc_parts){.id = {NULL, 0}};
	for (size_t i = 0; more > 0 && (more = json_scan_member(&scan, i, &name)) > 0; i++) {
		bool ok = json_slice_is(name, "jsonrpc")  ? take_part(&scan, &version)
			  : json_slice_is(name, "method") ? take_part(&scan, &method)
			  : json_slice_is(name, "params") ? take_part(&scan, &parts->params)
			  : json_slice_is(name, "id")     ? take_part(&scan, &parts->id)
							  : false;
		more = ok ? 1 : -1;
	}
	bool id_ok = !parts->id.text || !strchr("{[tf", parts->id.text[0]);
	bool params_ok = !parts->params.text || parts->params.text[0] == '{';
	return !more && json_scan_ended(&scan) && json_slice_is(version, "\"2.0\"") &&
	       json_slice_text(method, &parts->method) && id_ok && params_ok;
}
