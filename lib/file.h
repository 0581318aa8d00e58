/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Whole files in memory.
 */
#ifndef BNG_LIB_FILE_H
#define BNG_LIB_FILE_H

#include <stddef.h>

/* A copy of a regular file of 1 to `max` bytes, whoever may still write to it; the
 * caller frees it. -EINVAL: empty, or no regular file; -EFBIG; -errno. */
int file_read(int fd, size_t max, char **bytes, size_t *size);

/* The same of a path, with a terminator behind it. */
int file_read_text(const char *path, size_t max, char **text);
/* All of it, or -errno. */
int file_write(int fd, const char *bytes, size_t size);

#endif
