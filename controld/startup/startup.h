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

#include <stdint.h>

struct config;
struct controld;

struct startup_options {
	const char *config_file;
	const char *state;  /* folder of the holder */
	const char *object; /* file, or NULL: only adopt */
};

/* controld->base is there, nothing else. 0, or -errno and the reason logged. */
int startup_run(struct controld *controld, const struct startup_options *options);
/* Ends everything that startup_run began; the holder keeps what must stay. */
void startup_free(struct controld *controld);

extern const struct bng_feature startup_feature; /* the method `status` */

#endif
