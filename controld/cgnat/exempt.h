/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Exempt destinations: the configuration's own and those of /cgnat/exempt_file, in
 * maps `exempt` (addresses) and `exempt_port` (ports of addresses) by difference.
 *
 * 1. A list that cannot be used changes nothing; the one in the map stays.
 * 2. New entries are there before stale ones go.
 * 3. An entry carries the epoch in which it was added (abi/cgnat.h) until no mapping
 *    is older; exempt_settle looks whether one still is.
 */
#ifndef BNG_CONTROLD_CGNAT_EXEMPT_H
#define BNG_CONTROLD_CGNAT_EXEMPT_H

#include <stddef.h>

struct config;
struct controld;
struct exempt;

int exempt_new(struct exempt **exempt);
void exempt_free(struct exempt *exempt);

/* 0, or -errno and a message that names the file and the line. */
int exempt_check(const struct controld *controld, const struct config *next, char *error, size_t error_size);
/* At a start (`old` NULL), a file that cannot be used is said in the log and the list
 * in the map stays. */
int exempt_apply(struct controld *controld, struct exempt *exempt, const struct config *old,
		 const struct config *next);
/* Entries that no mapping is older than are exempt for everybody from now on. */
void exempt_settle(struct controld *controld, struct exempt *exempt);

#endif
