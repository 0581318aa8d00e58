/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Running another program and waiting for what it says.
 */
#ifndef BNG_LIB_PROGRAM_H
#define BNG_LIB_PROGRAM_H

#include <stddef.h>

struct program_order {
	int binary; /* descriptor */
	char *const *arguments;
	int keep; /* a descriptor that it gets, too; -1: none */
	unsigned timeout_ms;
};

/* Blocks. 0: it ended well in time; else -ECHILD or -errno. `says`: the beginning of what
 * it wrote, its lines with semicolons between them. */
int program_run(const struct program_order *order, char *says, size_t size);

#endif
