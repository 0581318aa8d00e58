/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What was upgraded, rolled back or refused, by whom and what came of it: the last
 * records, on the bus (topic `upgrade`), so that they outlive this process.
 *
 * A record: {number, time, kind: "upgrade"|"rollback"|"not_confirmed"|"found", name, from,
 * to, outcome: "hitless"|"lost"|"refused"|"unmeasured", detail, lost, longest_gap_us, uid,
 * pid, trial, canary, report}. Numbers rise by one.
 */
#ifndef BNG_CONTROLD_ISSU_HISTORY_H
#define BNG_CONTROLD_ISSU_HISTORY_H

#include <jansson.h>
#include <stdbool.h>

#define HISTORY_MAX 100 /* the oldest goes first */

struct controld;
struct upgrade;

/* An upgrade or rollback has ended: its report, or why it was refused. */
void history_ended(struct upgrade *upgrade, const char *refusal);
/* Records are about to be durable. */
bool history_waits(const struct controld *controld);
/* What is on trial was confirmed. */
void history_confirmed(struct controld *controld);
/* What runs is compared with the last record, when the loop comes to it: what somebody
 * else did (the holder, when nobody confirmed in time) gets a record, too. */
void history_look_soon(struct controld *controld);

#endif
