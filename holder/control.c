/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * DIR/holder.sock: one row for each method, one function for each row (those that
 * keep descriptors are in lib/keeper.c). Root may call everything, the group what
 * is marked GROUP, others nothing.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "holder/holder.h"
#include "lib/keeper.h"
#include "lib/rpc_call.h"

#define MAX_PEERS         64
#define MAX_PEER_BACKLOG  (4u << 20)
#define TRIAL_SECONDS_MAX 86400

enum permission { ROOT = 0, GROUP = KEEPER_PERMISSION };

static int status(struct rpc_call *call, void *context)
{
	call->result = status_report(context);
	return 0;
}

static int subscribe(struct rpc_call *call, void *context)
{
	(void)context;
	rpc_peer_subscribe(rpc_request_peer(call->request), TOPIC_EVENTS);
	return 0;
}

static int stage(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	const struct stage_order order = {.fd = rpc_fd(call->request, 0),
					  .name = call->argument[0].text,
					  .sizes = call->argument[1].value,
					  .signature = call->argument[2].text,
					  .canary = call->argument[3].flag};
	if (object_stage(holder, &order, &call->result, &call->problem))
		return -EINVAL;
	unsigned generation = holder->journal.last_generation;
	json_object_set_new(call->result, "generation", json_integer(generation));
	json_object_set_new(call->result, "programs", status_programs(holder, generation));
	json_object_set_new(call->result, "bridge", json_boolean(bridge_is(holder, generation)));
	holder_event(holder, json_pack("{s:s, s:i, s:s}", "type", "stage", "generation", generation, "name",
				       order.name));
	return 0;
}

static int drop(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	unsigned generation = (unsigned)call->argument[0].number;
	if (!generation_exists(holder, generation))
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "there is no generation %u", generation);
	const char *in_use = generation == holder->current           ? "current"
			     : generation == holder->bridge.entering ? "a bridge that is open"
			     : generation == holder->journal.canary  ? "a canary"
			     : generation == holder->previous && trial_runs(holder)
				     ? "what a trial goes back to"
				     : NULL;
	if (in_use)
		return refuse(&call->problem, RPC_CONFLICT, NULL, "generation %u is %s and is kept",
			      generation, in_use);
	if (controller_is_starting(holder) &&
	    rpc_peer_credentials(rpc_request_peer(call->request))->pid != holder->controller.pid)
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "generation %u: a controller (process %d, phase \"%s\") is starting: try again "
			      "when it is ready",
			      generation, holder->controller.pid, holder->controller.phase);
	int error = generation_drop(holder, generation);
	unsigned commit = UINT_MAX;
	holder->previous = generation_left_before(holder, &commit);
	return error ? refuse_errno(&call->problem, error, "removing the pins of generation %u", generation)
		     : 0;
}

static int commit(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	json_int_t expected = call->argument[1].number, trial_s = call->argument[2].number;
	if (expected >= 0 && expected != holder->current)
		return refuse(&call->problem, RPC_CONFLICT, json_pack("{s:i}", "current", holder->current),
			      "generation %u is current, not %lld: look again, then commit", holder->current,
			      expected);
	if (trial_runs(holder))
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "generation %u is on trial: confirm it or roll it back first", holder->current);
	if (holder->journal.canary)
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "generation %u is a canary: let it end, or end it by swap.rollback",
			      holder->journal.canary);
	if (trial_s > TRIAL_SECONDS_MAX || (trial_s >= 0 && (!trial_s || !holder->current)))
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL,
			      "params/confirm_within_s: 1-%d, and not for the first generation",
			      TRIAL_SECONDS_MAX);
	const struct swap_order order = {.to = (unsigned)call->argument[0].number,
					 .trial_s = trial_s < 0 ? 0 : (unsigned)trial_s};
	if (call->argument[3].value)
		return canary_begin(holder, &order, call->argument[3].value, &call->result, &call->problem);
	return swap_commit(holder, &order, &call->result, &call->problem);
}

static int rollback(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	json_int_t wanted = call->argument[0].number;
	unsigned to = wanted >= 0 && wanted <= UINT_MAX ? (unsigned)wanted : holder->previous;
	if (holder->journal.canary && (wanted < 0 || wanted == holder->current))
		return canary_stop(holder, &call->result, &call->problem);
	if (holder->journal.canary)
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "generation %u is a canary, which goes back to %u: end it first",
			      holder->journal.canary, holder->current);
	if (!generation_is_kept(holder, to))
		return refuse(&call->problem, RPC_CONFLICT, json_pack("{s:i}", "previous", holder->previous),
			      "generation %u never ran or is not kept; the previous one (0: none) is %u", to,
			      holder->previous);
	return swap_commit(holder, &(struct swap_order){.to = to}, &call->result, &call->problem);
}

static int confirm(struct rpc_call *call, void *context)
{
	return trial_confirm(context, &call->problem);
}

static int swap_status(struct rpc_call *call, void *context)
{
	const struct holder *holder = context;
	call->result = json_pack("{s:i, s:i, s:{s:s, s:i, s:i}, s:o, s:o, s:o}", "current", holder->current,
				 "previous", holder->previous, "journal", "step",
				 holder->journal.committing ? "commit" : "idle", "from", holder->journal.from,
				 "to", holder->journal.to, "trial", trial_status(holder), "canary",
				 canary_status(holder), "migration", bridge_status(holder));
	return 0;
}

static int attach(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	const char *interface = call->argument[0].text, *mode = call->argument[2].text;
	bool adopted, generic = mode && !strcmp(mode, "generic");
	if (mode && !generic && strcmp(mode, "native"))
		return refuse(&call->problem, RPC_INVALID_PARAMS, NULL,
			      "params/mode: %s: must be native or generic", mode);
	if (link_attach(holder, interface, call->argument[1].text, generic, &adopted, &call->problem))
		return -EINVAL;
	const struct link *link = link_find(holder, interface);
	call->result = json_pack("{s:s, s:i, s:s, s:s, s:i, s:b}", "interface", interface, "ifindex",
				 link->ifindex, "role", link->role, "mode", generic ? "generic" : "native",
				 "program_id", link->program_id, "adopted", adopted);
	return 0;
}

static int detach(struct rpc_call *call, void *context)
{
	const char *interface = call->argument[0].text;
	struct link *link = link_find(context, interface);
	if (!call->argument[1].flag)
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "%s would stop forwarding: say force if you mean it", interface);
	if (!link)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "%s is not attached", interface);
	int error = link_detach(context, link);
	if (error)
		return refuse_errno(&call->problem, error, "removing the link of %s", interface);
	link_event(context, interface, "removed");
	return 0;
}

/* One descriptor for each name, from the first of two folders that has it. */
static int open_pins(struct rpc_call *call, const struct holder *holder, const char *first,
		     const char *second)
{
	size_t i;
	json_t *name;
	json_array_foreach(call->argument[0].value, i, name)
	{
		const char *text = json_string_value(name);
		bool ok = rpc_name_ok(text) && !strchr(text, '.');
		char path[PIN_TEXT];
		int fd = ok ? bpf_obj_get(pin_path(holder, path, "%s/%s", first, text)) : -ENOENT;
		if (ok && fd == -ENOENT)
			fd = bpf_obj_get(
				pin_path(holder, path, "gen/%u/%s/%s", holder->current, second, text));
		if (rpc_call_send_fd(call, fd, text))
			return -EINVAL;
	}
	call->result = json_pack("{s:O}", "names", call->argument[0].value);
	return 0;
}

static int open_maps(struct rpc_call *call, void *context)
{
	return open_pins(call, context, "map", "scratch");
}

static int open_programs(struct rpc_call *call, void *context)
{
	return open_pins(call, context, "current/program", "program");
}

static int hello(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	struct rpc_peer *peer = rpc_request_peer(call->request);
	call->result =
		json_pack("{s:i, s:b, s:I, s:I}", "generation", holder->current, "ready", 0, "previous_epoch",
			  holder->controller.epoch, "away_ns", (json_int_t)holder->controller.left_ns);
	controller_hello(holder, peer, call->argument[0].text, call->argument[1].number);
	return 0;
}

static int phase(struct rpc_call *call, void *context)
{
	const union rpc_argument *argument = call->argument;
	return controller_phase(context, argument[0].number, argument[1].text, (unsigned)argument[2].number,
				&call->problem);
}

static int failed(struct rpc_call *call, void *context)
{
	return controller_failed(context, call->argument[0].number, call->argument[1].text, &call->problem);
}

static int ready(struct rpc_call *call, void *context)
{
	struct holder *holder = context;
	if (holder->controller.peer != rpc_request_peer(call->request) ||
	    holder->controller.epoch != call->argument[0].number)
		return refuse(&call->problem, RPC_CONFLICT, NULL,
			      "say hello first, with this epoch, on this connection");
	controller_ready(holder);
	return 0;
}

static int orphans(struct rpc_call *call, void *context, bool clean)
{
	json_t *rows;
	int error = orphans_report(context, clean, &rows);
	call->result = json_pack("{s:o}", "orphans", rows);
	return error ? refuse_errno(&call->problem, error, "looking for orphans") : 0;
}

static int orphans_list(struct rpc_call *call, void *context)
{
	return orphans(call, context, false);
}

static int orphans_clean(struct rpc_call *call, void *context)
{
	return orphans(call, context, !call->argument[0].flag);
}

static int exec(struct rpc_call *call, void *context)
{
	return exec_begin(context, rpc_fd(call->request, 0), &call->result, &call->problem);
}

/* function, name, permission, descriptors that come with it, parameters (lib/rpc_call.h) */
#define METHODS(X)                                                                                           \
	X(status, "holder.status", GROUP, 0, "")                                                             \
	X(subscribe, "holder.subscribe", GROUP, 0, "")                                                       \
	X(stage, "object.stage", GROUP, 1, "name:t max_entries?:o signature?:s canary?:b")                   \
	X(object_shadow, "object.shadow", GROUP, 0, "generation:u names:a optional?:b")                      \
	X(drop, "object.drop", GROUP, 0, "generation:u")                                                     \
	X(commit, "swap.commit", GROUP, 0, "generation:u expected?:u confirm_within_s?:u canary?:o")         \
	X(rollback, "swap.rollback", GROUP, 0, "generation?:u")                                              \
	X(bridge_migrate, "swap.migrate", GROUP, 0, "generation:u")                                          \
	X(confirm, "swap.confirm", GROUP, 0, "")                                                             \
	X(swap_status, "swap.status", GROUP, 0, "")                                                          \
	X(attach, "link.attach", GROUP, 0, "interface:i role:n mode?:t")                                     \
	X(detach, "link.detach", ROOT, 0, "interface:i force?:b")                                            \
	X(open_maps, "map.open", GROUP, 0, "names:a")                                                        \
	X(open_programs, "program.open", GROUP, 0, "names:a")                                                \
	X(exec, "holder.exec", ROOT, 1, "")                                                                  \
	X(orphans_list, "orphans.list", GROUP, 0, "")                                                        \
	X(orphans_clean, "orphans.clean", ROOT, 0, "dry_run?:b")                                             \
	X(hello, "controller.hello", GROUP, 0, "version:t epoch:u")                                          \
	X(phase, "controller.phase", GROUP, 0, "epoch:u phase:t deadline_s:u")                               \
	X(failed, "controller.failed", GROUP, 0, "epoch:u reason:l")                                         \
	X(ready, "controller.ready", GROUP, 0, "epoch:u")

METHODS(RPC_CALL_METHOD)

static const struct rpc_method methods[] = {METHODS(RPC_CALL_ROW){NULL, 0, NULL}};

static bool permit(const struct rpc_credentials *peer, unsigned permission, void *context)
{
	const struct holder *holder = context;
	bool member = peer->gid == holder->group;
	for (size_t i = 0; i < peer->group_count; i++)
		member = member || peer->groups[i] == holder->group;
	return peer->uid == 0 || (permission == GROUP && member);
}

static void on_close(struct rpc_peer *peer, void *context)
{
	struct holder *holder = context;
	if (holder->controller.peer == peer)
		controller_left(holder);
}

int control_start(struct holder *holder)
{
	char path[DIR_TEXT + 16];
	struct rpc_server_options options = {methods, holder, permit, on_close, MAX_PEERS, MAX_PEER_BACKLOG};
	snprintf(path, sizeof(path), "%s/holder.sock", holder->dir);
	if (!holder->listener_fd)
		holder->listener_fd = rpc_listen(path, holder->group);
	if (holder->listener_fd < 0)
		return holder->listener_fd;
	holder->server = rpc_server_new(holder->base, holder->listener_fd, &options);
	int error = holder->server ? rpc_server_add(holder->server, keeper_methods, &holder->store) : -ENOMEM;
	return error ? error : groups_serve(holder);
}
