/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /issu: what is asked of a new object before it runs.
 */
#include <string.h>

#include "controld/config/parse.h"

#define GOLDEN_DEFAULT "/usr/share/bng/golden"

static void read_golden(struct json_reader *reader, json_t *object, struct config_verify *verify)
{
	const char *path = config_string(reader, object, "golden", GOLDEN_DEFAULT);

	if (path[0] != '/' || strlen(path) >= sizeof(verify->golden)) {
		json_reader_fail(reader, json_enter(reader, object, "golden"),
				 "must be a folder, its path from / on, of at most %zu bytes",
				 sizeof(verify->golden) - 1);
		json_leave(reader);
		return;
	}
	strcpy(verify->golden, path);
}

void config_read_issu(struct json_reader *reader, json_t *root, struct config_verify *verify)
{
	static const char *const members[] = {"verify", NULL};
	static const char *const verify_members[] = {"enabled",    "packets", "seconds",
						     "verdicts",   "bytes",   "map_effects",
						     "time_ratio", "golden",  NULL};
	json_t *issu = config_object(reader, root, "issu"), *object;

	json_read_only(reader, issu, members);
	object = config_object(reader, issu, "verify");
	json_read_only(reader, object, verify_members);
	verify->enabled = config_bool(reader, object, "enabled", true);
	verify->packets = (uint32_t)config_integer(reader, object, "packets", 0, 10000, 256);
	verify->seconds = config_number(reader, object, "seconds", 0, 60, 2);
	verify->verdicts = (uint64_t)config_integer(reader, object, "verdicts", 0, UINT32_MAX, 0);
	verify->bytes = (uint64_t)config_integer(reader, object, "bytes", 0, UINT32_MAX, 0);
	verify->map_effects = (uint64_t)config_integer(reader, object, "map_effects", 0, UINT32_MAX, 0);
	verify->time_ratio = config_number(reader, object, "time_ratio", 1, 100, 1.5);
	read_golden(reader, object, verify);
	json_leave(reader);
	json_leave(reader);
}
