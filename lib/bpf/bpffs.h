/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A private bpffs: a file system of pins at a path of our own, because
 * /sys/fs/bpf may be another one in another namespace tomorrow.
 */
#ifndef BNG_LIB_BPFFS_H
#define BNG_LIB_BPFFS_H

#include <glob.h>
#include <stddef.h>

/* Mounts one at `path` unless one is there. */
int bpffs_mount(const char *path);
/* Paths that match, sorted; none on any error. globfree() afterwards. */
void bpffs_list(const char *pattern, glob_t *found);
size_t bpffs_count(const char *pattern);
/* The last part of a path. */
const char *bpffs_name(const char *path);
/* Removes a whole tree, or nothing when it is not there. */
int bpffs_remove(const char *path);
/* Pins fd as `name` in a folder; dots, which a bpffs does not take, become '_'. */
int bpffs_pin(int fd, const char *folder, const char *name);
/* Makes the symbolic link `path`, in place of an old one, at once. */
int bpffs_link(const char *path, const char *target);

#endif
