/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One record of the log, and its texts: a line of JSON with the members of
 * events.follow, and an RFC 5424 syslog message.
 */
#ifndef BNG_CONTROLD_BLOCKLOG_RECORD_H
#define BNG_CONTROLD_BLOCKLOG_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "controld/config/config.h"

#define RECORD_TEXT 512 /* room for either text */

enum blocklog_type {
	BLOCKLOG_ALLOCATED = 1,
	BLOCKLOG_FREED = 2,
	BLOCKLOG_EVENTS_LOST = 3,  /* the data plane found its ring full */
	BLOCKLOG_RECORDS_LOST = 4, /* the destination was away too long */
};

struct blocklog_record {
	uint64_t time_ms; /* since 1970, UTC */
	uint64_t session; /* of a loss: how many */
	uint32_t inner_be;
	uint32_t public_be;
	uint16_t first;
	uint16_t last;
	uint32_t type; /* enum blocklog_type */
	char pool[CONFIG_NAME_MAX];
};

/* Where a syslog message says that it comes from. */
struct record_origin {
	uint8_t facility;
	const char *hostname;
	long pid;
	uint32_t sequence; /* 1 to 2^31 - 1 */
};

uint64_t record_wall_ms(uint64_t boottime_ns);
/* A line with its newline; how long it is. */
size_t record_json(const struct blocklog_record *record, char text[static RECORD_TEXT]);
/* The line that says which deterministic pools there are, `rules` as from rules_text;
 * to be freed. */
char *record_rules(const char *rules);
/* "2026-11-20T10:00:00.123Z" */
char *record_time(uint64_t time_ms, char text[static 32]);
size_t record_syslog(const struct blocklog_record *record, const struct record_origin *origin,
		     char text[static RECORD_TEXT]);

#endif
