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
