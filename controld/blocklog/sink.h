/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A file of whole lines, on the disk when sink_write says so, rotated by size:
 * PATH, PATH.1 (the one before), ... PATH.keep. When somebody else moves PATH
 * away, the next line begins a new one.
 */
#ifndef BNG_CONTROLD_BLOCKLOG_SINK_H
#define BNG_CONTROLD_BLOCKLOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sink {
	const char *path;
	uint64_t max_bytes; /* 0: no rotation */
	unsigned keep;
	int fd;            /* -1: not open */
	off_t size;        /* of the file */
	const char *rules; /* each file begins with their line (record.h); NULL: none */
	bool rules_due;    /* that line is to be written before the next one */
	off_t begins;      /* how much of the file is such a line */
	const char *doing; /* what failed: "opening" */
};

/* `text` is whole lines, or none: then only what is due otherwise is written. 0, or -errno and sink->doing;
 * *lines says how many lines are on the disk, also on failure. No line is ever written in part. */
int sink_write(struct sink *sink, const char *text, size_t length, size_t *lines);
void sink_close(struct sink *sink);

#endif
