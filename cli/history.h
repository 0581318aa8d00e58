/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Who had a public port then: the log of port blocks, read line by line for one
 * question, and the rules of deterministic pools. Lines come in any order and may come
 * twice; what is no line of the log is counted and passed over.
 */
#ifndef BNG_CLI_HISTORY_H
#define BNG_CLI_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/deterministic.h"
#include "when.h"

#define HISTORY_POOL 64

/* A block that holds the port was given out, or taken back. */
struct history_block {
	int64_t time;
	bool given;
	int64_t session;
	uint32_t subscriber; /* host order */
	uint16_t first;
	uint16_t last;
	char pool[HISTORY_POOL];
};

/* The rule for the public address, NULL: none, in force from then on. */
struct history_rule {
	int64_t since;
	struct deterministic *rule;
	char pool[HISTORY_POOL];
};

struct history {
	uint32_t address; /* the question; host order */
	uint16_t port;
	struct when when;
	char quoted[20]; /* the address as it stands in a line */

	struct history_block *blocks;
	size_t block_count;
	struct history_rule *rules;
	size_t rule_count;
	int64_t begin, end; /* first and last moment in the log; begin > end: none */
	int64_t lost;       /* records that are missing, by the log's own account */
	int64_t lost_last;  /* when that was told last */
	uint64_t lines;
	uint64_t unreadable;
	bool failed; /* out of memory */
};

enum history_kind {
	HISTORY_DYNAMIC,
	HISTORY_OVERFLOW, /* dynamic, of a deterministic pool */
	HISTORY_DETERMINISTIC,
};

struct history_holder {
	enum history_kind kind;
	uint32_t subscriber;
	int64_t session; /* -1: not known */
	uint16_t first;
	uint16_t last;
	int64_t given;    /* -1: before the log begins, or by rule */
	int64_t returned; /* -1: not, as far as the log goes; or by rule */
	bool cut;         /* somebody else has it later, yet nobody gave it back */
	char pool[HISTORY_POOL];
};

void history_begin(struct history *history, uint32_t address, uint16_t port, const struct when *when);
void history_done(struct history *history);
/* One line without its end; changes nothing if it is none. */
void history_line(struct history *history, const char *line, size_t length);
/* After the last line: the rule of the configuration. It counts where the log does not go
 * back to, if the log knows of none. Takes it over. */
void history_configured(struct history *history, struct deterministic *rule, const char *pool);

/* After the last line. Everybody who had the port in the question's time, at most `max`:
 * how many. More than one means that it changed hands meanwhile. */
size_t history_holders(struct history *history, struct history_holder *holders, size_t max);
/* Whether the log goes back to the question's time. */
bool history_covers(const struct history *history);
/* The rule then, NULL: none. *known: by the log. */
const struct history_rule *history_rule_at(const struct history *history, int64_t moment, bool *known);

#endif
