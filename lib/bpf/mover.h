/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A program run where no packet can come between: on another CPU, with its interrupts off.
 */
#ifndef BNG_LIB_MOVER_H
#define BNG_LIB_MOVER_H

#include <stdint.h>

/* Short runs of a pinned raw_tracepoint program while it returns 0, for about so long. What it
 * returned last, or -errno; -ENODEV: there is no other CPU. */
int mover_run(const char *path, uint64_t for_ns);

#endif
