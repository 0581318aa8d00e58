/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A canary: every link runs bng_canary_R of the new generation, which serves a share of
 * the subscribers itself and calls the old generation's bng_R for the others. The share
 * grows in steps; each is watched while it bakes, and a breach takes everybody back.
 * After the last step follows the ordinary commit.
 *
 * What an object offers for it, besides the programs: maps canary_old_R (program array),
 * canary (its first 32 bits: the share), canary_count (what became of the chosen's
 * packets), reason_count (of all packets), and enum bng_verdict, which names them.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/describe.h"
#include "lib/bpf/figures.h"
#include "lib/bpf/rollout.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/rpc.h"

#define TICK_US 200000
#define OLD     "canary_old"

struct canary {
	unsigned generation; /* 0: there was none */
	const char *state;   /* "running", or how it ended */
	char reason[256];
	struct rollout rollout;
	struct swap_order order; /* what follows the last step */
	struct figures figures;
	int setting_fd;
	uint64_t sweep_errors;
	struct event *timer;
};

static void tell(struct holder *holder, const char *state)
{
	struct canary *canary = holder->canary;
	canary->state = state;
	log_notice("canary of generation %u, %.2f %%: %s%s%s", canary->generation,
		   rollout_now(&canary->rollout)->share * 100.0 / ROLLOUT_ALL, state,
		   canary->reason[0] ? ": " : "", canary->reason);
	holder_event(holder, json_pack("{s:s, s:i, s:s, s:i, s:s}", "type", "canary", "generation",
				       canary->generation, "state", state, "share",
				       rollout_now(&canary->rollout)->share, "reason", canary->reason));
}

/* ---- What it needs ------------------------------------------------------------- */

static void close_fds(struct canary *canary)
{
	int *const fds[] = {&canary->setting_fd, &canary->figures.group_fd, &canary->figures.all_fd};
	for (size_t i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int open_map(const struct holder *holder, const struct canary *canary, const char *name, int *fd,
		    struct problem *problem)
{
	char path[PIN_TEXT];
	*fd = bpf_obj_get(pin_path(holder, path, "gen/%u/scratch/%s", canary->generation, name));
	if (*fd < 0)
		*fd = bpf_obj_get(pin_path(holder, path, "gen/%u/durable/%s", canary->generation, name));
	return *fd >= 0 ? 0
			: refuse(problem, RPC_CONFLICT, NULL, "it has no map %s: it offers no canary", name);
}

static int open_all(const struct holder *holder, struct canary *canary, struct problem *problem)
{
	char path[PIN_TEXT];
	if (open_map(holder, canary, "canary", &canary->setting_fd, problem) ||
	    open_map(holder, canary, "canary_count", &canary->figures.group_fd, problem) ||
	    open_map(holder, canary, "reason_count", &canary->figures.all_fd, problem))
		return -EINVAL;
	struct btf *btf = describe_btf(pin_path(holder, path, "gen/%u/program/*", canary->generation));
	int error = tally_read_names(btf, "bng_verdict", "BNG_", canary->figures.names);
	btf__free(btf);
	return error ? refuse(problem, RPC_CONFLICT, NULL, "it does not name its verdicts (enum bng_verdict)")
		     : 0;
}

static int begin_step(struct canary *canary)
{
	int error = figures_begin(&canary->figures);
	step("canary_share");
	return error ? error : rollout_set_share(canary->setting_fd, rollout_now(&canary->rollout)->share);
}

/* ---- Its end --------------------------------------------------------------------- */

static void end(struct holder *holder, const char *state)
{
	event_del(holder->canary->timer);
	links_take_back(holder, holder->canary->generation, OLD);
	close_fds(holder->canary);
	tell(holder, state);
}

static int back(struct holder *holder, const char *state, json_t **result, struct problem *problem)
{
	const struct swap_order order = {.to = holder->current, .is_rescue = true, .kind = SWAP_BACK};
	step("canary_back");
	int error = swap_commit(holder, &order, result, problem);
	if (error) {
		log_error("%s", problem->text);
		swap_undo(holder);
	}
	end(holder, state);
	return error;
}

int canary_stop(struct holder *holder, json_t **result, struct problem *problem)
{
	snprintf(holder->canary->reason, sizeof(holder->canary->reason), "on request");
	return back(holder, "stopped", result, problem);
}

static void commit(struct holder *holder, json_t **result, struct problem *problem)
{
	struct canary *canary = holder->canary;
	step("canary_commit");
	if (!swap_commit(holder, &canary->order, result, problem)) {
		end(holder, "passed");
		return;
	}
	snprintf(canary->reason, sizeof(canary->reason), "%.255s", problem->text);
	if (holder->journal.canary) { /* refused before a link was changed */
		json_decref(*result);
		back(holder, "failed", result, problem);
	} else {
		end(holder, "failed");
	}
}

/* ---- While it runs ---------------------------------------------------------------- */

static void next_step(struct holder *holder, json_t **result, struct problem *problem)
{
	struct canary *canary = holder->canary;
	if (canary->rollout.step + 1 == canary->rollout.count) {
		commit(holder, result, problem);
		return;
	}
	canary->rollout.step++;
	int error = begin_step(canary);
	if (!error) {
		tell(holder, "running");
		return;
	}
	snprintf(canary->reason, sizeof(canary->reason), "setting the share: %s", strerror(-error));
	back(holder, "failed", result, problem);
}

static bool is_breached(const struct holder *holder)
{
	struct canary *canary = holder->canary;
	if (holder->sweep.errors > canary->sweep_errors) {
		snprintf(canary->reason, sizeof(canary->reason), "sweep_errors: bng_sweep failed, bound 0");
		return true;
	}
	return figures_breach(&canary->figures, rollout_now(&canary->rollout)->share / (double)ROLLOUT_ALL,
			      canary->reason, sizeof(canary->reason));
}

static void on_tick(evutil_socket_t fd, short events, void *context)
{
	struct holder *holder = context;
	const struct canary *canary = holder->canary;
	struct problem problem = {0};
	json_t *result = NULL;
	(void)fd;
	(void)events;
	if (is_breached(holder))
		back(holder, "breached", &result, &problem);
	else if (figures_elapsed_ns(&canary->figures) >=
		 rollout_now(&canary->rollout)->bake_s * 1000000000ULL)
		next_step(holder, &result, &problem);
	json_decref(problem.data);
	json_decref(result);
}

void canary_sample(struct holder *holder)
{
	char path[PIN_TEXT];
	if (!holder->journal.canary)
		figures_usual(&holder->canary->figures, pin_path(holder, path, "map/reason_count"));
}

/* ---- Its beginning ------------------------------------------------------------------ */

static int read_request(struct canary *canary, const json_t *request, struct problem *problem)
{
	static const char *const members[] = {"steps", "bounds", NULL};
	struct json_reader reader;
	json_reader_init(&reader);
	json_read_only(&reader, request, members);
	rollout_read(&reader, request, &canary->rollout);
	const json_t *bounds = json_enter(&reader, request, "bounds");
	if (bounds && !json_is_object(bounds))
		json_reader_fail(&reader, bounds, "must be an object");
	judge_read_bounds(&reader, bounds, canary->figures.names, &canary->figures.bounds);
	json_leave(&reader);
	return json_reader_ok(&reader)
		       ? 0
		       : refuse(problem, RPC_INVALID_PARAMS, NULL, "params/canary%s", reader.error);
}

static int prepare(struct holder *holder, struct canary *next, const json_t *request, struct problem *problem)
{
	int error = open_all(holder, next, problem);
	if (!error)
		error = read_request(next, request, problem);
	step("canary_fill");
	if (!error)
		error = links_lend(holder, next->generation, OLD, problem);
	if (error)
		return error;
	error = begin_step(next);
	return error ? refuse_errno(problem, error, "reading the counters, setting the share") : 0;
}

/* The one that was goes; what is usual is still known. */
static struct canary *canary_new(struct holder *holder, const struct swap_order *order)
{
	struct canary *old = holder->canary, *next = malloc(sizeof(*next));
	if (!old->timer)
		old->timer = event_new(holder->base, -1, EV_PERSIST, on_tick, holder);
	if (!next || !old->timer) {
		free(next);
		return NULL;
	}
	*next = (struct canary){.generation = order->to,
				.state = "running",
				.order = *order,
				.sweep_errors = holder->sweep.errors,
				.timer = old->timer,
				.setting_fd = -1};
	next->figures.group_fd = next->figures.all_fd = -1;
	memcpy(next->figures.usual, old->figures.usual, sizeof(old->figures.usual));
	return next;
}

int canary_begin(struct holder *holder, const struct swap_order *order, const json_t *request,
		 json_t **result, struct problem *problem)
{
	static const struct timeval tick = {.tv_usec = TICK_US};
	const struct swap_order enter = {.to = order->to, .kind = SWAP_CANARY};
	problem_context(problem, "canary of generation %u", order->to);
	if (holder->exec_fd)
		return refuse(problem, RPC_CONFLICT, NULL, "bpfholder is being replaced: wait for its end");
	if (!holder->current || !generation_exists(holder, order->to) || order->to == holder->current)
		return refuse(problem, RPC_CONFLICT, NULL,
			      "it must be one that is staged or kept, beside the current one (%u)",
			      holder->current);
	struct canary *next = canary_new(holder, order), *gone = next;
	if (!next)
		return refuse_errno(problem, ENOMEM, "memory");
	int error = prepare(holder, next, request, problem);
	if (!error)
		error = swap_commit(holder, &enter, result, problem);
	if (error) {
		links_take_back(holder, next->generation, OLD);
	} else {
		gone = holder->canary;
		holder->canary = next;
		event_add(next->timer, &tick);
		tell(holder, "running");
	}
	close_fds(gone);
	free(gone);
	return error;
}

/* ---- Of the holder ------------------------------------------------------------------- */

int canary_adopt(struct holder *holder)
{
	struct canary *canary = holder->canary = calloc(1, sizeof(*canary));
	if (!canary)
		return -ENOMEM;
	canary->setting_fd = canary->figures.group_fd = canary->figures.all_fd = -1;
	canary->generation = holder->journal.canary;
	if (!canary->generation)
		return 0;
	canary->state = "interrupted";
	snprintf(canary->reason, sizeof(canary->reason), "the holder ended: back to the old program");
	log_warning("canary of generation %u: %s", canary->generation, canary->reason);
	holder->journal.canary = 0;
	return 0;
}

void canary_done(struct holder *holder)
{
	if (!holder->canary)
		return;
	if (holder->canary->timer)
		event_free(holder->canary->timer);
	close_fds(holder->canary);
	free(holder->canary);
}

json_t *canary_status(const struct holder *holder)
{
	const struct canary *canary = holder->canary;
	uint64_t group, rest, baked_ms = figures_elapsed_ns(&canary->figures) / 1000000;
	json_int_t left_ms = (json_int_t)rollout_now(&canary->rollout)->bake_s * 1000 - (json_int_t)baked_ms;
	if (!canary->generation)
		return json_null();
	figures_packets(&canary->figures, &group, &rest);
	return json_pack("{s:i, s:s, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:s}", "generation",
			 canary->generation, "state", canary->state, "step", (int)canary->rollout.step + 1,
			 "steps", (int)canary->rollout.count, "share", rollout_now(&canary->rollout)->share,
			 "left_ms", holder->journal.canary && left_ms > 0 ? left_ms : (json_int_t)0,
			 "packets", (json_int_t)group, "rest_packets", (json_int_t)rest, "packets_needed",
			 (json_int_t)canary->figures.bounds.packets, "reason", canary->reason);
}
