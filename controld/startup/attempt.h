/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Starts in a row that did not get ready, counted in a file so that every way to fail
 * counts, and which program the next start is.
 *
 *  1. A start is written down as failed before it does anything, and taken back when it is
 *     ready, or was refused for what it found: another version would find the same.
 *  2. After ATTEMPT_FAILURES of this program the version before it takes its place, where one
 *     is kept; after as many of that one, this one has its turn again.
 *  3. Another program of the same name (device, inode, time) begins anew.
 *  4. What does not get as far as main() is counted by packaging/controld-start, which reads and
 *     writes the same file by the same rules.
 */
#ifndef BNG_CONTROLD_STARTUP_ATTEMPT_H
#define BNG_CONTROLD_STARTUP_ATTEMPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/clock.h"

#define ATTEMPT_FAILURES    3
#define ATTEMPT_PROGRAM     64
#define ATTEMPT_PATH        108
#define ATTEMPT_ENVIRONMENT "BNG_CONTROLD_IN_PLACE" /* set for the previous version */

/* What is in the file. */
struct attempt_record {
	char program[ATTEMPT_PROGRAM]; /* whose failures these are; "": nobody failed */
	char version[32];
	unsigned failures;
	unsigned previous_failures; /* of the version before, in its place */
	unsigned starts;            /* in a row that got nowhere, whoever and why */
	/* Of the last one of `program` that could say. */
	char phase[32];
	char reason[512];
	char at[CLOCK_TEXT];
};

struct attempt {
	char file[ATTEMPT_PATH];
	struct attempt_record record;
	struct attempt_record before; /* as it was when this start began */
	bool is_in_place;             /* this is the previous version */
};

enum attempt_choice {
	ATTEMPT_THIS,
	ATTEMPT_PREVIOUS,
};

/* ---- What comes next, without any file ------------------------------------------------- */

/* Counts this start of `program`, and says which version it is to be. */
enum attempt_choice attempt_choose(struct attempt_record *record, const char *program, const char *version,
				   bool has_previous);
/* How long to wait before it. */
unsigned attempt_pause_s(const struct attempt_record *record);
/* Text that is none of ours: an empty record. */
void attempt_parse(const char *text, size_t length, struct attempt_record *record);
char *attempt_format(const struct attempt_record *record); /* the caller frees it */

/* ---- A start -------------------------------------------------------------------------- */

/* First of all. `previous`: that version's program, or NULL. Where the record cannot be kept
 * that is logged, and nothing is counted. */
enum attempt_choice attempt_begin(struct attempt *attempt, const char *state, const char *previous);
/* How far it has come. */
void attempt_phase(struct attempt *attempt, const char *phase);
/* It fails: why. `is_refused`: for what was found, not counted. */
void attempt_failed(struct attempt *attempt, const char *phase, const char *reason, bool is_refused);
void attempt_ready(struct attempt *attempt);

/* New reference: null, or {version, failures, phase, reason, at}: what failed before this start. */
json_t *attempt_json(const struct attempt *attempt);

#endif
