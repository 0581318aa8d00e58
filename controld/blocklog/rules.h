/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The rules of deterministic pools, for the log: blocks that follow from them are not
 * in it, so whoever reads it must know which rules were in force when. The file says
 * so at its beginning and at each change. What is in force, and since when, outlives
 * controld in a memfd that the holder keeps.
 */
#ifndef BNG_CONTROLD_BLOCKLOG_RULES_H
#define BNG_CONTROLD_BLOCKLOG_RULES_H

#include <jansson.h>
#include <stdint.h>

struct config;
struct controld;

struct rules {
	json_t *pools; /* as in the configuration, defaults filled in; NULL: there never were any */
	uint64_t since_ms;
	unsigned changes;
};

/* What an earlier controld left. */
void rules_adopt(struct controld *controld, struct rules *rules);
/* Those of the configuration are in force. */
void rules_apply(struct controld *controld, struct rules *rules, const struct config *config);
/* What is behind the time in their line of the log, to be freed; NULL: nothing to say. */
char *rules_text(const struct rules *rules);
void rules_done(struct rules *rules);

#endif
