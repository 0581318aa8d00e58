/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The figures of a group over time: read again and again, and judged since it began and
 * over the last second or two, so that neither a slow fault nor a late one is diluted.
 */
#ifndef BNG_LIB_FIGURES_H
#define BNG_LIB_FIGURES_H

#include "lib/bpf/judge.h"

struct reading {
	uint64_t time_ns; /* 0: none */
	struct tally group, all;
};

struct figures {
	int group_fd, all_fd;
	tally_names names;
	struct judge_bounds bounds;
	struct tally before;                  /* what is usual, */
	uint64_t before_ns;                   /* in so much time; 0: unknown */
	struct reading begun, recent[2], now; /* since figures_begin() */
	struct reading usual[2];              /* without a group, ten seconds apart */
};

/* What is usual, once a second while there is no group; `all`: where the map is pinned. */
void figures_usual(struct figures *figures, const char *all);
/* The group counts from now on; 0 or -errno. */
int figures_begin(struct figures *figures);
/* Reads again. True: something broke a bound, or could not be read. */
bool figures_breach(struct figures *figures, double share, char *reason, size_t size);
uint64_t figures_elapsed_ns(const struct figures *figures);
/* Packets of the group and of the rest. */
void figures_packets(const struct figures *figures, uint64_t *group, uint64_t *rest);

#endif
