/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the files of this folder share: the two measurements that decide whether
 * an upgrade was hitless.
 */
#ifndef BNG_CONTROLD_ISSU_H
#define BNG_CONTROLD_ISSU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controld/maps/maps.h"

struct controld;

/* ---- sample.c: the forwarded packets, watched while the swap happens ------- */

struct sample {
	uint64_t packets;        /* forwarded while it ran */
	uint64_t longest_gap_ns; /* the counter stood still that long, packets before and after */
	uint64_t readings;
};

struct sampler;

/* Starts a thread that reads the counters; NULL: it could not. */
struct sampler *sampler_start(struct maps *maps);
/* Ends it and frees it. */
void sampler_stop(struct sampler *sampler, struct sample *sample);

/* ---- kept.c: what was there before, looked up again after it --------------- */

struct kept;

struct kept_result {
	uint64_t sessions, sessions_ended, sessions_lost;
	uint64_t mappings, mappings_ended, mappings_lost;
};

/* Records every active session and live mapping; NULL: out of memory. */
struct kept *kept_record(struct controld *controld);
/* Each of them must still be there and the same, unless it ended by itself: the
 * session was closed, or the mapping's timer could run out. Frees it. */
void kept_compare(struct kept *kept, struct kept_result *result);
void kept_free(struct kept *kept);

/* ---- drops.c: packets dropped that would not have been before -------------- */

struct drops_window {
	uint64_t time_ns;
	struct bng_count counts[BNG_VERDICT_COUNT];
};

int drops_read(struct maps *maps, struct drops_window *window);
/* How many more packets were dropped between `swap` and `end` than the time
 * from `start` to `swap` lets expect; names the worst reason. */
uint64_t drops_unexpected(const struct drops_window *start, const struct drops_window *swap,
			  const struct drops_window *end, const char **reason);
/* All packets dropped between two readings. */
uint64_t drops_between(const struct drops_window *from, const struct drops_window *to);

#endif
