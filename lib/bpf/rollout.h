/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * New code for a share of the subscribers, in steps: what was asked for, and the maps by
 * which it is done.
 */
#ifndef BNG_LIB_ROLLOUT_H
#define BNG_LIB_ROLLOUT_H

#include <jansson.h>

#define ROLLOUT_STEPS_MAX 16
#define ROLLOUT_ALL       10000 /* shares */

struct json_reader;

struct rollout {
	size_t step, count;
	struct rollout_step {
		unsigned share, bake_s;
	} steps[ROLLOUT_STEPS_MAX];
};

/* [{"share": 100, "bake_s": 60}, ...], each share larger. Errors are the reader's. */
void rollout_read(struct json_reader *reader, const json_t *request, struct rollout *rollout);
const struct rollout_step *rollout_now(const struct rollout *rollout);
/* The first 32 bits of the map's only value; 0 or -errno. */
int rollout_set_share(int map, unsigned share);
/* The only entry of a pinned program array; -1: none. 0 or -errno. */
int rollout_set_program(const char *path, int program);

#endif
