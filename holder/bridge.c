/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * A bridge gives durable maps new sizes or layouts while packets flow. It is a generation with
 * old maps (gen/N/old/M) beside the new ones (gen/N/durable/M):
 *  1. Maps that only the controller writes are copied. Links run the bridge, which sends every
 *     packet to the program that ran before: nothing has changed yet.
 *  2. It is opened (lib/bpf/barrier.h): from that moment the new maps are true, and what packets
 *     touch is moved then. There is no way back to the old ones.
 *  3. The pins follow. Its program bng_migrate moves the rest in short runs, and
 *     bng_migrate_check compares.
 * Its map `bridge` says how far it is, whoever dies: a bridge that is open and never was
 * current is finished at the next start, one that is not open is left again.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/barrier.h"
#include "lib/bpf/bpffs.h"
#include "lib/bpf/bridge_maps.h"
#include "lib/bpf/mover.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rpc.h"

#define OLD     "bridge_old"
#define TURN_NS 1000000ULL /* of moving, before somebody else is served */
#define RETRY_S 1

bool bridge_is(const struct holder *holder, unsigned generation)
{
	char path[PIN_TEXT];
	return generation && !access(pin_path(holder, path, "gen/%u/old", generation), F_OK);
}

bool bridge_is_moving(const struct holder *holder)
{
	return holder->bridge.entering ||
	       (holder->journal.migrated != holder->current && bridge_is(holder, holder->current));
}

static int gate_map(const struct holder *holder, unsigned generation, struct barrier *barrier)
{
	char path[PIN_TEXT];
	return barrier_map(pin_path(holder, path, "gen/%u/scratch", generation), barrier);
}

static const char *state(const struct holder *holder)
{
	return !bridge_is_moving(holder)                  ? "done"
	       : holder->bridge.failed == holder->current ? "failed"
							  : "moving";
}

/* The bridge that runs, if one does. */
static unsigned bridge(const struct holder *holder)
{
	return holder->bridge.entering ? holder->bridge.entering : holder->current;
}

static void tell(struct holder *holder)
{
	log_notice("bridge, generation %u: %s%s%s", bridge(holder), state(holder),
		   holder->bridge.reason[0] ? ": " : "", holder->bridge.reason);
	holder_event(holder,
		     json_pack("{s:s, s:i, s:s, s:s}", "type", "migrate", "generation", bridge(holder),
			       "state", state(holder), "reason", holder->bridge.reason));
}

/* ---- Moving ---------------------------------------------------------------------- */

static void on_turn(evutil_socket_t fd, short events, void *context);

static void again(struct holder *holder, int seconds)
{
	const struct timeval soon = {.tv_sec = seconds, .tv_usec = 1}; /* with 0 nobody else has a turn */
	if (event_base_once(holder->base, -1, EV_TIMEOUT, on_turn, holder, &soon))
		log_error("bridge, generation %u: no memory: it goes on when bpfholder is started again",
			  bridge(holder));
}

static void end(struct holder *holder)
{
	holder->bridge.reason[0] = '\0';
	holder->journal.migrated = holder->current;
	holder->journal.move_ms = ((json_int_t)clock_boottime_ns() - holder->journal.opened_ns) / 1000000;
	step("migrate_done");
	if (journal_write(holder, false))
		log_error("all is moved, but the journal could not be written");
	tell(holder);
}

/* Once a second, told once. */
static void try_again(struct holder *holder, const char *why)
{
	bool told = holder->bridge.reason[0];
	snprintf(holder->bridge.reason, sizeof(holder->bridge.reason), "%.255s", why);
	if (!told)
		tell(holder);
	again(holder, RETRY_S);
}

static void fail(struct holder *holder)
{
	holder->bridge.failed = holder->current;
	snprintf(holder->bridge.reason, sizeof(holder->bridge.reason), "%s; the old maps are kept",
		 holder->bridge.checking ? "what was moved is not what the old maps have"
					 : "entries could not be moved");
	tell(holder);
}

static void move(struct holder *holder)
{
	char path[PIN_TEXT];
	const char *program = holder->bridge.checking ? "bng_migrate_check" : "bng_migrate";
	step(holder->bridge.checking ? "migrate_check" : "migrate_move");
	int result =
		mover_run(pin_path(holder, path, "gen/%u/program/%s", holder->current, program), TURN_NS);
	if (result == 1 && holder->bridge.checking) {
		end(holder);
	} else if (result == 0 || result == 1) {
		holder->bridge.checking = holder->bridge.checking || result == 1;
		again(holder, 0);
	} else if (result < 0) {
		try_again(holder, strerror(-result));
	} else {
		fail(holder);
	}
}

/* ---- After the opening ------------------------------------------------------------ */

static void begin_moving(struct holder *holder)
{
	holder->bridge.checking = false;
	holder->bridge.failed = 0;
	holder->bridge.reason[0] = '\0';
	tell(holder);
	again(holder, 0);
}

/* The pins follow the opening, until they have. */
static void follow(struct holder *holder)
{
	struct problem problem = {0};
	unsigned from = holder->current, to = holder->bridge.entering;
	problem_context(&problem, "bridge, generation %u, which is open", to);
	if (swap_pin(holder, to, &problem)) {
		try_again(holder, problem.text);
		json_decref(problem.data);
		return;
	}
	holder->bridge.entering = 0;
	swap_finish(holder);
	links_take_back(holder, to, OLD);
	holder_event(holder, json_pack("{s:s, s:i, s:i}", "type", "swap", "from", from, "to", to));
	begin_moving(holder);
}

static void on_turn(evutil_socket_t fd, short events, void *context)
{
	struct holder *holder = context;
	(void)fd;
	(void)events;
	if (holder->bridge.entering)
		follow(holder);
	else if (bridge_is_moving(holder))
		move(holder);
}

/* ---- Before it --------------------------------------------------------------------- */

static int check(struct rpc_call *call, const struct holder *holder, unsigned to)
{
	bool starts = controller_is_starting(holder) &&
		      rpc_peer_credentials(rpc_request_peer(call->request))->pid == holder->controller.pid;
	const char *busy = holder->journal.canary     ? "a canary runs: end it first"
			   : trial_runs(holder)       ? "a commit is on trial: confirm it or go back first"
			   : bridge_is_moving(holder) ? "another bridge has not moved everything yet"
			   : holder->exec_fd          ? "bpfholder is being replaced"
			   : !starts                  ? "only a controller that is starting may begin it: it "
							"writes these maps"
						      : NULL;
	if (!generation_exists(holder, to))
		return refuse(&call->problem, RPC_NOT_FOUND, NULL,
			      "there is no such generation: stage it first");
	if (!bridge_is(holder, to))
		return refuse(&call->problem, RPC_CONFLICT, NULL, "it migrates no map: commit it");
	return busy ? refuse(&call->problem, RPC_CONFLICT, NULL, "%s", busy) : 0;
}

/* Links run the bridge afterwards, and it still sends everything to the current generation. */
static int enter(struct holder *holder, unsigned to, const struct barrier *barrier, json_t **result,
		 struct problem *problem)
{
	const struct swap_order order = {.to = to, .kind = SWAP_MIGRATE};
	char path[PIN_TEXT];
	step("migrate_copy");
	int error = bridge_maps_copy(pin_path(holder, path, "gen/%u", to), problem);
	if (!error)
		error = barrier_reset(barrier, problem);
	step("migrate_fill");
	if (!error)
		error = links_lend(holder, to, OLD, problem);
	return error ? error : swap_commit(holder, &order, result, problem);
}

/* It could not be opened. */
static void leave(struct holder *holder)
{
	const struct swap_order back = {.to = holder->current, .is_rescue = true, .kind = SWAP_BACK};
	struct problem problem = {0};
	json_t *result = NULL;
	step("migrate_back");
	if (swap_commit(holder, &back, &result, &problem)) {
		log_error("%s", problem.text);
		swap_undo(holder);
	}
	json_decref(problem.data);
	json_decref(result);
}

/* The journal has it once the pins have followed. */
static void note_opening(struct holder *holder, const struct barrier_report *report)
{
	holder->journal.opened = bridge(holder);
	holder->journal.attempts = report->attempts;
	holder->journal.opening_us = (json_int_t)report->opening_ns / 1000;
	holder->journal.opened_ns = (json_int_t)clock_boottime_ns();
	holder->journal.move_ms = 0;
}

static int open_bridge(struct holder *holder, const struct barrier *barrier, struct barrier_report *report,
		       struct problem *problem)
{
	step("migrate_open");
	problem_context(problem, "open the bridge, generation %u", holder->bridge.entering);
	int error = barrier_open(barrier, report, problem);
	if (error) {
		leave(holder);
		return error;
	}
	log_notice("bridge, generation %u: open after %.1f us, attempt %u", holder->bridge.entering,
		   (double)report->opening_ns / 1e3, report->attempts);
	note_opening(holder, report);
	holder->bridge.reason[0] = '\0';
	step("migrate_opened");
	follow(holder);
	return 0;
}

int bridge_migrate(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	unsigned to = (unsigned)call->argument[0].number;
	struct barrier barrier;
	struct barrier_report report = {0};
	problem_context(&call->problem, "migrate to generation %u", to);
	int error = check(call, holder, to);
	if (error)
		return error;
	error = gate_map(holder, to, &barrier);
	if (error)
		return refuse_errno(&call->problem, error, "its maps bridge and bridge_cpu");
	error = enter(holder, to, &barrier, &call->result, &call->problem);
	if (!error)
		error = open_bridge(holder, &barrier, &report, &call->problem);
	if (error)
		links_take_back(holder, to, OLD);
	if (!report.late)
		barrier_unmap(&barrier);
	return error;
}

/* ---- Of the holder ------------------------------------------------------------------ */

/* One that links may run though it never was current. */
static void adopt_bridge(struct holder *holder, unsigned generation)
{
	struct barrier barrier;
	struct problem problem = {0};
	if (generation == holder->current || generation_is_kept(holder, generation) ||
	    gate_map(holder, generation, &barrier))
		return;
	bool is_open = barrier_settle(&barrier);
	barrier_unmap(&barrier);
	if (!is_open)
		return;
	log_warning("bridge, generation %u, is open: finished", generation);
	bool pinned = !swap_pin(holder, generation, &problem);
	if (!pinned) {
		log_error("%s", problem.text);
		holder->bridge.entering = generation;
	}
	holder->journal.committing = pinned;
	holder->journal.to = generation;
	json_decref(problem.data);
}

void bridge_adopt(struct holder *holder)
{
	char path[PIN_TEXT];
	glob_t found;
	bpffs_list(pin_path(holder, path, "gen/[0-9]*"), &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		unsigned generation = (unsigned)strtoul(bpffs_name(found.gl_pathv[i]), NULL, 10);
		if (bridge_is(holder, generation))
			adopt_bridge(holder, generation);
	}
	globfree(&found);
	if (bridge_is(holder, bridge(holder)) && holder->journal.opened != bridge(holder))
		note_opening(holder, &(const struct barrier_report){0}); /* who opened it died */
}

void bridge_serve(struct holder *holder)
{
	if (holder->bridge.entering)
		again(holder, 0);
	else if (bridge_is_moving(holder))
		begin_moving(holder);
}

json_t *bridge_status(const struct holder *holder)
{
	struct barrier barrier;
	json_int_t entries = 0, moved = 0;
	char path[PIN_TEXT];
	if (!bridge_is(holder, bridge(holder)))
		return json_null();
	if (!gate_map(holder, bridge(holder), &barrier)) {
		entries = (json_int_t)barrier.gate->entries;
		moved = (json_int_t)barrier.gate->moved;
		barrier_unmap(&barrier);
	}
	return json_pack("{s:i, s:s, s:s, s:I, s:I, s:o, s:I, s:i, s:I}", "generation", bridge(holder),
			 "state", state(holder), "reason", holder->bridge.reason, "entries", entries, "moved",
			 moved, "maps", bridge_maps_rows(pin_path(holder, path, "gen/%u", bridge(holder))),
			 "opening_us", holder->journal.opening_us, "attempts", holder->journal.attempts,
			 "move_ms", holder->journal.move_ms);
}
