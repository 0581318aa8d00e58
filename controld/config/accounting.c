/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Reading /accounting: what RADIUS servers are told about sessions.
 */
#include "controld/config/parse.h"

#define INTERIM_MAX_S 604800
#define SPOOL_MIN     16
#define SPOOL_MAX     1000000
#define SPOOL_DEFAULT 262144
#define SHARE_DEFAULT 10

void config_read_accounting(struct json_reader *reader, json_t *root, struct config *config)
{
	static const char *const members[] = {"enabled",          "interim_s",      "spool_max",
					      "spool_disk_share", "local_sessions", NULL};
	json_t *accounting = config_object(reader, root, "accounting");
	struct config_accounting *to = &config->accounting;

	json_read_only(reader, accounting, members);
	to->enabled = config_bool(reader, accounting, "enabled", false);
	to->local_sessions = config_bool(reader, accounting, "local_sessions", false);
	to->interim_s = (uint32_t)config_integer(reader, accounting, "interim_s", 0, INTERIM_MAX_S, 0);
	to->spool_max = (uint32_t)config_integer(reader, accounting, "spool_max", SPOOL_MIN, SPOOL_MAX,
						 SPOOL_DEFAULT);
	to->disk_share =
		(uint32_t)config_integer(reader, accounting, "spool_disk_share", 1, 100, SHARE_DEFAULT);
	if (json_reader_ok(reader) && to->enabled && !config->radius.on) {
		json_reader_fail(reader, json_enter(reader, accounting, "enabled"),
				 "must be false without /radius: its servers are told");
		json_leave(reader);
	}
	json_leave(reader);
}
