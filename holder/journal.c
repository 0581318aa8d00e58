/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * DIR/journal.json says what was being done, so that the next start can tell a
 * half-done commit from a finished one. It is replaced by rename, never edited.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "holder/holder.h"
#include "lib/log.h"
#include "lib/rpc.h"

/* BNG_HOLDER_DIE_AT=<step>[:<nth time>]: dies as by SIGKILL, for the tests of adoption. */
void step(const char *name)
{
	static long seen;
	const char *die_at = getenv("BNG_HOLDER_DIE_AT");
	size_t length = strlen(name);
	if (!die_at || strncmp(die_at, name, length) != 0 || (die_at[length] && die_at[length] != ':'))
		return;
	if (!die_at[length] || ++seen == atol(die_at + length + 1))
		raise(SIGKILL);
}

/* clang-format off */
#define NUMBERS(N) \
	N("i", from) N("i", to) N("i", last_generation) N("i", commits) \
	N("i", trial) N("I", trial_end_ns) N("i", canary) \
	N("i", opened) N("i", migrated) N("i", attempts) N("I", opening_us) N("I", opened_ns) N("I", move_ms)
/* clang-format on */
#define NUMBER_IF_ANY(kind, name) ", s?:" kind
#define NUMBER_PLACE(kind, name)  , #name, &holder->journal.name
#define NUMBER(kind, name)        ", s:" kind
#define NUMBER_VALUE(kind, name)  , #name, holder->journal.name

int journal_load(struct holder *holder)
{
	char path[DIR_TEXT + 16];
	int committing = 0;
	json_t *maps = NULL;
	json_error_t error;
	snprintf(path, sizeof(path), "%s/journal.json", holder->dir);
	json_t *document = json_load_file(path, 0, &error);
	bool bad =
		document ? json_unpack_ex(document, &error, 0, "{s:b, s:o" NUMBERS(NUMBER_IF_ANY) "}",
					  "committing", &committing, "new_maps", &maps NUMBERS(NUMBER_PLACE))
			 : json_error_code(&error) != json_error_cannot_open_file;
	if (bad)
		log_error("%s: %s; going by the pins alone", path, error.text);
	holder->journal.committing = committing;
	holder->journal.new_maps = json_is_array(maps) ? json_incref(maps) : json_array();
	json_decref(document);
	return holder->journal.new_maps ? 0 : -ENOMEM;
}

int journal_write(struct holder *holder, bool committing)
{
	char path[DIR_TEXT + 16], next[DIR_TEXT + 20];
	snprintf(path, sizeof(path), "%s/journal.json", holder->dir);
	snprintf(next, sizeof(next), "%s.new", path);
	json_t *document = json_pack("{s:b, s:O" NUMBERS(NUMBER) "}", "committing", committing, "new_maps",
				     holder->journal.new_maps NUMBERS(NUMBER_VALUE));
	errno = ENOMEM;
	int error = !document || json_dump_file(document, next, JSON_COMPACT) ? -errno : 0;
	json_decref(document);
	step("journal_rename");
	if (!error && rename(next, path))
		error = -errno;
	if (!error)
		holder->journal.committing = committing;
	return error;
}

void holder_event(struct holder *holder, json_t *event)
{
	rpc_broadcast(holder->server, TOPIC_EVENTS, "holder.event", event);
}
