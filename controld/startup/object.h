/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * An object file, as a start has the holder load it and make it current.
 */
#ifndef BNG_CONTROLD_STARTUP_OBJECT_H
#define BNG_CONTROLD_STARTUP_OBJECT_H

#include <jansson.h>

struct controld;
struct startup;

/* Loads the file, with its signature (FILE.minisig) where there is one. `sizes`: entries of its maps,
 * stolen. 0 and the staged generation; or -errno, logged. */
int object_stage(struct controld *controld, const char *file, int fd, json_t *sizes, json_int_t *generation);
/* The file that was given with --object: loaded, and current. */
int object_load(struct controld *controld, struct startup *startup, json_int_t *generation);
/* Descriptor or -errno, logged. */
int object_open(const char *file);

#endif
