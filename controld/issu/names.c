/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A name that does not exist would let nothing pass that was meant to, or never stop a
 * canary: it is refused before anything is done, with the names that there are.
 */
#include <stdio.h>
#include <string.h>

#include "controld/issu/verify.h"
#include "controld/maps/object.h"
#include "lib/rpc.h"

#define NAMES_TEXT 4096

static const char *const general_bounds[] = {"errors", "drops", "verdicts", "bytes", "packets", NULL};

static bool is_among(const char *const names[], const char *name, size_t length)
{
	for (; *names; names++)
		if (strlen(*names) == length && !strncmp(*names, name, length))
			return true;
	return false;
}

static bool is_verdict(const char *name, size_t length)
{
	for (unsigned i = 0; i <= BNG_VERDICT_COUNT; i++) { /* the last: of a newer object */
		const char *text = maps_verdict_name(i);

		if (strlen(text) == length && !strncmp(text, name, length))
			return true;
	}
	return false;
}

static bool is_map(const char *name)
{
	for (enum map_id i = 0; i < MAP_COUNT; i++)
		if (!strcmp(maps_name(i), name))
			return true;
	return false;
}

/* "old>new", two verdicts or two actions. */
static bool is_change(const char *name)
{
	const char *arrow = strchr(name, '>');
	size_t length = arrow ? (size_t)(arrow - name) : 0;

	if (!arrow)
		return false;
	return (is_verdict(name, length) && is_verdict(arrow + 1, strlen(arrow + 1))) ||
	       (is_among(action_names, name, length) && is_among(action_names, arrow + 1, strlen(arrow + 1)));
}

static bool is_difference(const char *name)
{
	return !strcmp(name, "time") || is_among(frame_fields, name, strlen(name)) || is_map(name) ||
	       is_change(name);
}

static void append(char text[static NAMES_TEXT], const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, NAMES_TEXT - used, "%s%s", used ? ", " : "", name);
}

/* The names are data: there are more than a message takes. */
static bool refuse_difference(struct rpc_request *request, size_t index, const char *name)
{
	char text[NAMES_TEXT] = "time";

	for (size_t i = 0; frame_fields[i]; i++)
		append(text, frame_fields[i]);
	for (enum map_id i = 0; i < MAP_COUNT; i++)
		append(text, maps_name(i));
	append(text, "VERDICT>VERDICT (bngcli drops has them), XDP_ACTION>XDP_ACTION");
	rpc_fail(request, RPC_INVALID_PARAMS, json_pack("{s:s}", "names", text),
		 "params /allow_diff/%zu: \"%s\": is no difference that is told apart", index, name);
	return true;
}

static bool refuse_bound(struct rpc_request *request, const char *name, const json_t *value,
			 const json_t *verdicts)
{
	char text[NAMES_TEXT] = "", *found = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
	const json_t *verdict;
	size_t i;

	for (i = 0; general_bounds[i]; i++)
		append(text, general_bounds[i]);
	json_array_foreach(verdicts, i, verdict) append(text, json_string_value(verdict));
	rpc_fail(request, RPC_INVALID_PARAMS, json_pack("{s:s}", "names", text),
		 "params /canary/bounds/%s: %s: is no bound: no verdict of the object has this name", name,
		 found ? found : "");
	free(found);
	return true;
}

static bool has_verdict(const json_t *verdicts, const char *name)
{
	const json_t *verdict;
	size_t i;

	json_array_foreach(verdicts, i, verdict)
	{
		if (!strcmp(json_string_value(verdict), name))
			return true;
	}
	return false;
}

/* Of an object without names of verdicts staging says what is wrong with it. */
static bool bounds_refused(struct rpc_request *request, const json_t *bounds, int object)
{
	json_t *verdicts = maps_object_verdicts(object), *value;
	bool refused = false;
	const char *name;

	json_object_foreach((json_t *)bounds, name, value)
	{
		if (!refused && json_array_size(verdicts) && !is_among(general_bounds, name, strlen(name)) &&
		    !has_verdict(verdicts, name))
			refused = refuse_bound(request, name, value, verdicts);
	}
	json_decref(verdicts);
	return refused;
}

bool names_refused(struct rpc_request *request, const json_t *allowed, const json_t *canary, int object)
{
	const json_t *name;
	size_t i;

	json_array_foreach(allowed, i, name)
	{
		if (!is_difference(json_string_value(name)))
			return refuse_difference(request, i, json_string_value(name));
	}
	return json_object_size(json_object_get(canary, "bounds")) > 0 &&
	       bounds_refused(request, json_object_get(canary, "bounds"), object);
}
