/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Memory that outlives this process: the holder has its descriptor. Whoever writes there
 * may be killed at any moment, so that what is published goes last.
 */
#ifndef BNG_CONTROLD_KEPT_H
#define BNG_CONTROLD_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct controld;

/* What the memory begins with. */
struct kept_header {
	uint64_t magic; /* whose it is, in which layout */
	uint64_t length;
};

struct kept {
	int fd;
	struct kept_header *header; /* NULL: not open */
};

/* What an earlier start left under `name`, if it has this layout, or else new memory, all
 * zero behind the header. 0 or -errno; where the holder does not keep it, that is logged.
 * Without a holder (unit tests) it is new. */
int kept_open(struct controld *controld, const char *name, uint64_t magic, size_t length, struct kept *kept,
	      bool *is_adopted);
/* The two halves of it, for who speaks to the holder itself: 0 or -errno. Of another layout:
 * -EINVAL. `fd` is the memory's then, else it stays the caller's. */
int kept_new(const char *name, uint64_t magic, size_t length, struct kept *kept);
int kept_adopt(int fd, uint64_t magic, size_t length, struct kept *kept);
/* It stays with the holder. The header must still say its length. */
void kept_close(struct kept *kept);

#endif
