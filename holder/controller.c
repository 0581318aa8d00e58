/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The controller, as far as the holder knows it: whether it is starting, in which phase, and
 * why the last start failed. It ends its phases itself; a phase that is late is told by the
 * holder, too, because a controller that is stopped tells nothing.
 */
#include <stdio.h>
#include <string.h>

#include "holder/holder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rpc.h"

#define NS_PER_S 1000000000ULL
#define GRACE_S  2 /* for the controller to end by itself */

static int check_epoch(const struct holder *holder, json_int_t epoch, struct problem *problem)
{
	if (controller_is_starting(holder) && holder->controller.epoch == epoch)
		return 0;
	return refuse(problem, RPC_CONFLICT, NULL,
		      "no controller with epoch %lld is starting: say hello first", epoch);
}

void controller_hello(struct holder *holder, struct rpc_peer *peer, const char *version, json_int_t epoch)
{
	holder->controller.peer = peer;
	holder->controller.pid = rpc_peer_credentials(peer)->pid;
	holder->controller.epoch = epoch;
	holder->controller.ready = false;
	holder->controller.phase[0] = '\0';
	holder->controller.deadline_ns = 0;
	holder->controller.late = false;
	snprintf(holder->controller.version, NAME_TEXT, "%s", version);
}

int controller_phase(struct holder *holder, json_int_t epoch, const char *phase, unsigned deadline_s,
		     struct problem *problem)
{
	int error = check_epoch(holder, epoch, problem);
	if (error)
		return error;
	snprintf(holder->controller.phase, NAME_TEXT, "%s", phase);
	holder->controller.deadline_ns = clock_boottime_ns() + deadline_s * NS_PER_S;
	holder->controller.late = false;
	return 0;
}

static void note_failure(struct holder *holder, const char *reason)
{
	snprintf(holder->controller.failure.version, NAME_TEXT, "%s", holder->controller.version);
	snprintf(holder->controller.failure.phase, NAME_TEXT, "%s", holder->controller.phase);
	snprintf(holder->controller.failure.reason, RPC_LONG_TEXT, "%s", reason);
	holder->controller.failure.at_ns = clock_boottime_ns();
	holder->controller.phase[0] = '\0';
	log_warning("controller %s (process %d): its start failed in phase \"%s\": %s",
		    holder->controller.version, holder->controller.pid, holder->controller.failure.phase,
		    reason);
	holder_event(holder, json_pack("{s:s, s:s, s:s, s:o}", "type", "controller_failed", "version",
				       holder->controller.version, "phase", holder->controller.failure.phase,
				       "reason", rpc_text(reason)));
}

int controller_failed(struct holder *holder, json_int_t epoch, const char *reason, struct problem *problem)
{
	int error = check_epoch(holder, epoch, problem);
	if (error)
		return error;
	note_failure(holder, reason);
	return 0;
}

void controller_ready(struct holder *holder)
{
	holder->controller.ready = true;
	holder->controller.phase[0] = '\0';
}

void controller_left(struct holder *holder)
{
	if (holder->controller.phase[0])
		note_failure(holder, "it ended without a word: killed, or crashed");
	holder->controller.peer = NULL;
	holder->controller.ready = false;
	holder->controller.left_ns = clock_boottime_ns();
}

bool controller_is_starting(const struct holder *holder)
{
	return holder->controller.peer && !holder->controller.ready;
}

void controller_watch(struct holder *holder)
{
	if (!controller_is_starting(holder) || !holder->controller.phase[0] || holder->controller.late ||
	    clock_boottime_ns() < holder->controller.deadline_ns + GRACE_S * NS_PER_S)
		return;
	holder->controller.late = true;
	log_warning(
		"controller %s (process %d): phase \"%s\" of its start is late, and it has not ended: if it "
		"is stopped, kill it",
		holder->controller.version, holder->controller.pid, holder->controller.phase);
	holder_event(holder, json_pack("{s:s, s:i, s:s}", "type", "controller_late", "pid",
				       holder->controller.pid, "phase", holder->controller.phase));
}

json_t *controller_status(const struct holder *holder)
{
	char at[CLOCK_TEXT];
	json_t *failure = json_null();
	if (holder->controller.failure.version[0])
		failure = json_pack("{s:s, s:s, s:o, s:s}", "version", holder->controller.failure.version,
				    "phase", holder->controller.failure.phase, "reason",
				    rpc_text(holder->controller.failure.reason), "at",
				    clock_format(holder->controller.failure.at_ns, at));
	return json_pack("{s:s, s:I, s:i, s:b, s:b, s:s, s:o}", "version", holder->controller.version,
			 "epoch", holder->controller.epoch, "pid", holder->controller.pid, "ready",
			 holder->controller.ready, "connected", holder->controller.peer != NULL, "phase",
			 holder->controller.phase, "failure", failure);
}
