/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Changing the configuration: one transaction, whoever asks for it (SIGHUP, the
 * RPC, or the file that was written).
 *
 * Read all, check all, ask every feature whether it can, and only then apply. An
 * error before that changes nothing; an error while applying is taken back by
 * applying the old configuration to the features that had the new one.
 */
#ifndef BNG_CONTROLD_RELOAD_H
#define BNG_CONTROLD_RELOAD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct controld;
struct reload;

/* Remembers the file and watches it. */
int reload_init(struct controld *controld, const char *file);
void reload_free(struct controld *controld);

/* Makes `next` the running configuration and owns it then; on failure it stays
 * the caller's, and `error` says what was found. `accepts_empty`: also if it takes
 * away all interfaces, or all pools. */
int reload_change(struct controld *controld, struct config *next, bool accepts_empty, char *error,
		  size_t error_size);
/* The file, read again: *applied lists the differences (new reference). */
int reload_now(struct controld *controld, bool accepts_empty, json_t **applied, char *error,
	       size_t error_size);
/* The same, with the outcome in the log. */
void reload_logged(struct controld *controld, const char *why);

const char *reload_file(const struct controld *controld);
uint64_t reload_loaded_ns(const struct controld *controld);

#endif
