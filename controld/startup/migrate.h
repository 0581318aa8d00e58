/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Moving durable maps into others while packets flow (docs/operations.md): asked for while a
 * controld runs, begun by the next one's start.
 *
 *  1. What was asked for is a staged generation, named by a file beside the sockets. Without the
 *     file it is what any staged generation is to a start: left over, and dropped.
 *  2. Only a start begins it, before it opens a map: so nobody in user space writes the old maps
 *     while packets move to the new ones.
 *  3. A start that finds maps of another layout than this version knows asks for it itself: over
 *     the bridge between the two (layout.h), then to the object that it was given.
 *  4. What the holder refuses is told and forgotten, and the start goes on with the old maps, or
 *     fails where it does not know them. When nobody knows what came of it, the start fails, and
 *     the next one asks the holder.
 */
#ifndef BNG_CONTROLD_STARTUP_MIGRATE_H
#define BNG_CONTROLD_STARTUP_MIGRATE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct controld;
struct startup;

/* 0 or -errno. */
int migrate_ask(const struct controld *controld, uint64_t generation);
/* The generation; 0: nothing was asked for. */
uint64_t migrate_asked(const struct controld *controld);
/* Takes back what was asked for: the generation goes, too. */
void migrate_forget(const struct controld *controld);
/* Why this start did not migrate what was asked for, and which generation it was; NULL: it did,
 * or nothing was. */
const char *migrate_refused(const struct controld *controld, uint64_t *generation);
/* What this start did migrate, as swap.status had it at the end; NULL: nothing. */
const json_t *migrate_done(const struct controld *controld);

int phase_migrate(struct controld *controld, struct startup *startup);

#endif
