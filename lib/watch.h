/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Tells when a file was written. Its folder is watched, not the file: editors write
 * a new one and rename it. A writer may need several steps, so the news comes a
 * moment after the last of them.
 */
#ifndef BNG_LIB_WATCH_H
#define BNG_LIB_WATCH_H

struct event_base;
struct watch;

typedef void watch_written(void *context);

/* 0 or -errno: -ENOENT, -EACCES and the like when the folder cannot be watched. */
int watch_new(struct event_base *base, const char *file, watch_written *written, void *context,
	      struct watch **watch);
void watch_free(struct watch *watch);

#endif
