/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Any bytes as a log of port blocks: lines are taken or counted as unreadable, and the
 * answer is one that the question allows. The first line, as far as it is one, is a
 * moment as an operator may write it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/history.h"

#define HOLDERS 16

static void check_holder(const struct history *history, const struct history_holder *holder)
{
	if (history->port < holder->first || history->port > holder->last)
		abort();
	if (holder->kind == HISTORY_DETERMINISTIC)
		return;
	if (holder->given >= history->when.to || (holder->returned >= 0 && holder->returned < holder->given))
		abort();
	if (holder->returned >= 0 && holder->returned <= history->when.from)
		abort();
}

static void read_lines(struct history *history, const char *text, size_t size)
{
	uint64_t lines = 0;

	while (size) {
		const char *end = memchr(text, '\n', size);
		size_t length = end ? (size_t)(end - text) : size;

		history_line(history, text, length);
		lines += length > 0;
		text += length + !!end;
		size -= length + !!end;
	}
	if (history->lines != lines || history->unreadable > lines)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *end = memchr(text, '\n', size);
	struct when when = {1795168805000, 1795168806000};
	struct history_holder holders[HOLDERS];
	struct history history;
	char moment[64] = "";
	size_t count;

	if (end && (size_t)(end - text) < sizeof(moment))
		memcpy(moment, text, (size_t)(end - text));
	if (!when_parse(moment, when.from, &when) && when.to <= when.from)
		abort();
	history_begin(&history, 0xcb007100, 2000, &when);
	read_lines(&history, text, size);
	count = history_holders(&history, holders, HOLDERS);
	for (size_t i = 0; i < count; i++)
		check_holder(&history, &holders[i]);
	history_done(&history);
	return 0;
}
