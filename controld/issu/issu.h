/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the files of this folder share: the measurements that decide whether
 * an upgrade was hitless.
 */
#ifndef BNG_CONTROLD_ISSU_H
#define BNG_CONTROLD_ISSU_H

#include <jansson.h>
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
 * session was closed, the mapping's timer could run out, the shorter one of a closed TCP
 * connection too, or its lease (PCP) is over. Frees it. */
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

/* ---- passage.c: what came in went out, or was dropped by name --------------- */

struct passage {
	struct bng_count counts[BNG_VERDICT_COUNT];
	uint64_t received, sent;                    /* by the kernel, on all our interfaces */
	uint64_t receive_dropped, transmit_dropped; /* by the interfaces */
	uint64_t interfaces;
	/* Packets that no program has judged, and judged to be forwarded but not sent:
	 * what differs between two readings is lost. */
	int64_t unjudged, unsent;
	uint64_t window; /* packets that came during one look at the counters */
};

struct controld;

/* 0 or -errno. */
int passage_read(struct controld *controld, struct passage *passage);
/* Packets that were lost without a name, beyond what the readings cannot tell apart from
 * packets under way (*uncertain). False: the counters began anew meanwhile. */
bool passage_lost(const struct passage *from, const struct passage *to, uint64_t *lost, uint64_t *uncertain);
/* {received, forwarded, dropped, lost, uncertain, overrun, reasons}. */
json_t *passage_json(const struct passage *from, const struct passage *to);

#endif
