/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * From nothing to ready: adopt, compare, then change.
 *
 * The phases run in the order of their table, each with a deadline and a line
 * that an operator reads. Whatever fails, fails before anything that packets
 * depend on was taken away: forwarding goes on, and the next start tries again.
 */
#ifndef BNG_CONTROLD_STARTUP_H
#define BNG_CONTROLD_STARTUP_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct controld;

struct attempt;

/* How the process ends when a start fails; whoever supervises it starts it again. Numbers that
 * systemd has no names for. */
enum startup_exit {
	STARTUP_FAILED = 1,
	STARTUP_LATE = 10,    /* a phase missed its deadline */
	STARTUP_REFUSED = 11, /* what was found is not believed, or not valid: changed nothing */
};

struct startup_options {
	const char *config_file;
	const char *state;  /* folder of the holder */
	const char *object; /* file, or NULL: only adopt */
	bool accepts_empty; /* where there was state */
};

/* controld->base is there, nothing else. 0, or enum startup_exit and the reason logged, in
 * `attempt`, and told to the holder. */
int startup_run(struct controld *controld, const struct startup_options *options, struct attempt *attempt);
/* Ends everything that startup_run began; the holder keeps what must stay. */
void startup_free(struct controld *controld);

extern const struct bng_feature startup_feature; /* the method `status` */

#endif
