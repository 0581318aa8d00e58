/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Named descriptors that outlive their owners. The service manager gets a
 * duplicate of each, so that they outlive the process that stores them, too.
 */
#ifndef BNG_LIB_FDSTORE_H
#define BNG_LIB_FDSTORE_H

#include <stdbool.h>

#define FDSTORE_MAX  256
#define FDSTORE_NAME 64 /* names as rpc_name_ok() has them */

struct fdstore {
	struct {
		char name[FDSTORE_NAME]; /* "": this place is free */
		int fd;
	} places[FDSTORE_MAX];
};

int fdstore_get(const struct fdstore *store, const char *name); /* borrowed, or -ENOENT */
/* Keeps a duplicate, in place of an older one. 0, -ENOSPC or -errno. */
int fdstore_put(struct fdstore *store, const char *name, int fd, bool *replaced);
int fdstore_drop(struct fdstore *store, const char *name);
/* What the service manager kept for us. */
void fdstore_take_back(struct fdstore *store);

#endif
