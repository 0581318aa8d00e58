/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * One upgrade or rollback in progress, and its steps.
 */
#ifndef BNG_CONTROLD_ISSU_UPGRADE_H
#define BNG_CONTROLD_ISSU_UPGRADE_H

#include <jansson.h>

#include "controld/issu/issu.h"
#include "lib/rpc.h"

struct event;
struct verify;

struct upgrade {
	struct controld *controld;
	struct rpc_request *request;
	struct rpc_peer *peer; /* NULL: it hung up; the upgrade goes on */
	struct event *timer;
	const struct upgrade_step *steps; /* the one to do next */
	int object;                       /* the file, or -1: a rollback */
	char name[64];
	char *signature;       /* text, or NULL */
	unsigned confirm_s;    /* it is on trial that long; 0: it is for good */
	bool is_plan;          /* it ends before the swap */
	bool is_migration;     /* it ends before, and what it staged stays */
	bool is_from_bridge;   /* what runs is one */
	struct config *next;   /* of a bridge: the file's, whose sizes it gets; else NULL */
	bool no_verify;        /* packets are not compared */
	json_t *allowed;       /* names of differences that may be, or NULL */
	struct verify *verify; /* running, or NULL */
	json_t *canary;        /* as swap.commit takes it, or NULL */
	json_t *canary_seen;   /* when it was looked at last */
	unsigned canary_away;  /* looks in vain */
	const char *left;      /* how it is after a failure; NULL: nothing was changed */
	uint64_t begun_ns;     /* of the step; 0: it has not begun */
	unsigned watch_s;      /* of a measurement without a swap */
	struct rpc_credentials caller;
	uint64_t generation_before;
	uint64_t generation; /* to commit; 0: the previous one */
	bool swapped;
	unsigned waited_ms; /* for its record to be durable */
	json_t *report;
	struct kept *kept;
	struct kept_result kept_result;
	struct drops_window start, swap, end;
	struct sample sample;
	struct sampler *sampler;             /* of a measurement; NULL: it does not run */
	struct passage passage, passage_end; /* packets in and out, before and after */
	uint64_t watch_end_ns;
	int code; /* of the RPC error that ends it */
	json_t *data;
	char detail[512]; /* of the step, or the error's message */
};

/* 0: go on. -errno: ends it; upgrade->detail says why. More: again after so many ms. */
struct upgrade_step {
	const char *name;
	int (*run)(struct upgrade *upgrade);
	unsigned delay_ms; /* before it */
};

extern const struct upgrade_step upgrade_steps[];
extern const struct upgrade_step rollback_steps[];
extern const struct upgrade_step plan_steps[];
extern const struct upgrade_step canary_steps[];
extern const struct upgrade_step migrate_steps[]; /* migrate.c */

int step_verify(struct upgrade *upgrade);       /* verify_step.c */
extern const struct upgrade_step watch_steps[]; /* watch.c */

/* A line in the report, and to the caller at once; the detail is the upgrade's. */
void upgrade_step_done(struct upgrade *upgrade, const char *name, const char *outcome);
bool upgrade_runs(const struct controld *controld);
/* {hitless, lost, seconds, longest_gap_us} into the report of a measurement. */
void watch_judge(struct upgrade *upgrade);

/* What the tables of watch.c and migrate.c share with steps.c. */
int step_links(struct upgrade *upgrade);
int step_stage(struct upgrade *upgrade);
int step_maps(struct upgrade *upgrade);
int step_record(struct upgrade *upgrade);
int step_compare(struct upgrade *upgrade);

/* {hitless, lost: text} into the report: the verdict, from what was measured. */
void upgrade_judge(struct upgrade *upgrade);

#endif
