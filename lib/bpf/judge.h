/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Is a group of subscribers served as well as the others, and as all were before? What
 * became of its packets is compared, kind by kind. Chance must not look like a fault: less
 * is not judged than `packets` of the group, and what others see as often is not held
 * against it. Kinds are told by their names: drop_internal is the program's own error,
 * other drop_* are drops, forward_* reached somebody.
 */
#ifndef BNG_LIB_JUDGE_H
#define BNG_LIB_JUDGE_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/bpf/tally.h"

struct json_reader;

struct judge_bounds {
	/* Of the group's packets: more, by this share, than three times (verdicts: ten times)
	 * what is expected. */
	double errors;
	double drops;    /* each reason */
	double verdicts; /* each of the others */
	double bytes;    /* forwarded for a subscriber: less, by this share, than is expected */
	uint64_t packets;
	double of[TALLY_MAX]; /* by name, before the above; negative: none */
};

struct judge_case {
	struct tally group, rest, before;
	double share; /* of the subscribers, in the group; 1: all */
	double times; /* as long as `before` was; 0: bytes are not compared with it */
};

/* {"drops": 0.01, "drop_ttl": 1, ...} over the defaults; NULL: none. Errors are the reader's. */
void judge_read_bounds(struct json_reader *reader, const json_t *object, const tally_names names,
		       struct judge_bounds *bounds);
/* True, and which figure broke which bound. */
bool judge_breach(const struct judge_bounds *bounds, const tally_names names, const struct judge_case *one,
		  char *reason, size_t size);

#endif
