/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The swap: every link from one generation to another, or none. An update takes
 * 11 ms because the kernel rebuilds its XDP dispatcher; while both programs are
 * attached somewhere else as well (parked), it takes microseconds, and so does
 * the time in which two links run different generations.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/bpf/describe.h"
#include "lib/bpf/vacant.h"
#include "lib/bpf/xdp.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/rpc.h"

#define RESTORED "every interface is back on the old program"

struct change {
	struct link *link;
	int old_fd, new_fd;
	__u32 old_id, new_id;
	uint64_t begun_ns, done_ns;
};

struct swap {
	struct holder *holder;
	const struct swap_order *order;
	unsigned to;
	struct problem *problem;
	size_t count;
	struct change changes[LINKS_MAX];
	struct xdp_park park;
};

/* A generation that runs another map than the pinned one. */
static int plan_other_map(const struct swap *swap, const char *name, __u32 pinned)
{
	char path[PIN_TEXT];
	bool migrates =
		describe_map_id(pin_path(swap->holder, path, "gen/%u/old/%s", swap->to, name)) == pinned;
	if (migrates && swap->order->kind == SWAP_MIGRATE)
		return 0;
	return refuse(swap->problem, RPC_CONFLICT, NULL,
		      migrates ? "it is a bridge, which migrates map %s: swap.migrate begins it"
		      : generation_is_kept(swap->holder, swap->to)
			      ? "map %s was migrated: its old map is no longer true; go back with a bridge "
				"in the other direction"
			      : "it was staged before map %s was committed: stage it again",
		      name);
}

static int plan_maps(struct swap *swap)
{
	glob_t found;
	char path[PIN_TEXT];
	int error = 0;
	json_array_clear(swap->holder->journal.new_maps);
	bpffs_list(pin_path(swap->holder, path, "gen/%u/durable/*", swap->to), &found);
	for (size_t i = 0; i < found.gl_pathc && !error; i++) {
		const char *name = bpffs_name(found.gl_pathv[i]);
		__u32 pinned = describe_map_id(pin_path(swap->holder, path, "map/%s", name));
		if (!pinned)
			json_array_append_new(swap->holder->journal.new_maps, json_string(name));
		else if (pinned != describe_map_id(found.gl_pathv[i]))
			error = plan_other_map(swap, name, pinned);
	}
	globfree(&found);
	return error;
}

static int plan_link(struct swap *swap, struct link *link)
{
	link_refresh(link);
	if (!link->ifindex && swap->order->is_rescue)
		return 0;
	struct change *c = &swap->changes[swap->count++];
	char role[NAME_TEXT];
	snprintf(role, sizeof(role), "%s%.50s", swap->order->kind == SWAP_CANARY ? "canary_" : "",
		 link->role);
	c->link = link;
	c->old_fd = running_open(swap->holder, link->role);
	c->old_id = running_id(swap->holder, link->role);
	c->new_fd = role_open(swap->holder, swap->to, role);
	c->new_id = role_id(swap->holder, swap->to, role);
	if (c->new_fd < 0)
		return refuse(swap->problem, RPC_CONFLICT, NULL, "it has no program bng_%s, which %s needs%s",
			      role, link->interface,
			      swap->order->kind == SWAP_CANARY
				      ? ": it offers none, or was staged without canary"
				      : "");
	if (c->old_id != link->program_id)
		return refuse(swap->problem, RPC_CONFLICT, NULL,
			      "%s runs program %u, which is none of the current generation: attach it again",
			      link->interface, link->program_id);
	return 0;
}

static int update_links(struct swap *swap)
{
	for (struct change *c = swap->changes; c < swap->changes + swap->count; c++) {
		step(c == swap->changes ? "commit_update" : "commit_update_next");
		LIBBPF_OPTS(bpf_link_update_opts, options, .flags = BPF_F_REPLACE,
			    .old_prog_fd = (__u32)c->old_fd);
		c->begun_ns = clock_boottime_ns();
		if (bpf_link_update(c->link->fd, c->new_fd, &options))
			return refuse_errno(swap->problem, errno,
					    "%s (detached behind our back? attach it again); " RESTORED,
					    c->link->interface);
		c->done_ns = clock_boottime_ns();
	}
	step("commit_readback");
	for (struct change *c = swap->changes; c < swap->changes + swap->count; c++) {
		link_refresh(c->link);
		if (c->link->program_id != c->new_id)
			return refuse(swap->problem, RPC_SYSTEM, NULL,
				      "%s runs program %u after the update to %u; " RESTORED,
				      c->link->interface, c->link->program_id, c->new_id);
	}
	return 0;
}

/* Beside, then in place of what is there, if it is another map. */
static int pin_map(const struct holder *holder, const char *own)
{
	char beside[PIN_TEXT], path[PIN_TEXT];
	if (describe_map_id(pin_path(holder, path, "map/%s", bpffs_name(own))) == describe_map_id(own))
		return 0;
	unlink(pin_path(holder, beside, "map_new"));
	step("commit_map");
	return link(own, beside) || rename(beside, path) ? -errno : 0;
}

static int pin_maps(const struct holder *holder, unsigned generation, struct problem *problem)
{
	glob_t found;
	char path[PIN_TEXT];
	int error = 0;
	bpffs_list(pin_path(holder, path, "gen/%u/durable/*", generation), &found);
	for (size_t i = 0; i < found.gl_pathc && !error; i++) {
		error = pin_map(holder, found.gl_pathv[i]);
		if (error)
			refuse_errno(problem, error, "pinning map %s", bpffs_name(found.gl_pathv[i]));
	}
	globfree(&found);
	return error;
}

int swap_pin(struct holder *holder, unsigned to, struct problem *problem)
{
	step("commit_maps");
	if (pin_maps(holder, to, problem))
		return -EINVAL;
	step("commit_keep");
	int error = generation_leave(holder, holder->current, holder->journal.commits);
	step("commit_current");
	if (!error)
		error = pin_generation(holder, "current", to);
	if (error)
		return refuse_errno(problem, error, "pointing `current`");
	holder->previous = holder->current;
	holder->current = to;
	return 0;
}

/* Everything back to the current generation; what the journal calls new goes. */
void swap_undo(struct holder *holder)
{
	char path[PIN_TEXT];
	size_t i;
	json_t *name;
	holder->journal.canary = holder->bridge.entering = 0;
	step("undo_links");
	links_follow(holder);
	json_array_foreach(holder->journal.new_maps, i, name)
		unlink(pin_path(holder, path, "map/%s", json_string_value(name)));
	step("undo_done");
	journal_write(holder, false);
}

/* What follows the change of `current`: nothing here can undo the commit. */
void swap_finish(struct holder *holder)
{
	unsigned commit = UINT_MAX, kept = 0, generation;
	char path[PIN_TEXT];
	step("commit_vacate");
	if (holder->journal.to == holder->current)
		vacant_clear(pin_path(holder, path, "gen"), holder->journal.from, holder->current);
	step("commit_retire");
	while ((generation = generation_left_before(holder, &commit))) {
		if (++kept > KEPT_MAX)
			generation_drop(holder, generation);
	}
	step("commit_done");
	if (journal_write(holder, false))
		log_error("the commit is done, but the journal could not be written");
}

static int run(struct swap *swap)
{
	struct holder *holder = swap->holder;
	step("commit_park");
	for (struct change *c = swap->changes; c < swap->changes + swap->count; c++) {
		if (xdp_park(&swap->park, c->new_id, c->new_fd) ||
		    xdp_park(&swap->park, c->old_id, c->old_fd))
			log_notice("cannot park bng_%s: the swap will be slower, not less safe",
				   c->link->role);
	}
	holder->journal.from = holder->current;
	holder->journal.to = swap->to;
	if (swap->order->kind == SWAP_COMMIT || swap->order->kind == SWAP_MIGRATE)
		holder->journal.commits++;
	if (swap->order->kind == SWAP_COMMIT)
		trial_begin(holder, swap->to, swap->order->trial_s);
	step("commit_intent");
	int error = journal_write(holder, true);
	if (error && swap->order->kind != SWAP_BACK)
		return refuse_errno(swap->problem, error, "writing the journal");
	error = update_links(swap);
	if (!error && swap->order->kind == SWAP_COMMIT)
		error = swap_pin(holder, swap->to, swap->problem);
	if (!error) {
		holder->journal.canary = swap->order->kind == SWAP_CANARY ? swap->to : 0;
		holder->bridge.entering = swap->order->kind == SWAP_MIGRATE ? swap->to : 0;
	}
	if (error)
		swap_undo(holder);
	else
		swap_finish(holder);
	return error;
}

/* What was changed and how long it took; ends the swap. */
static json_t *finish(struct swap *swap)
{
	json_t *links = json_array();
	uint64_t skew_ns =
		swap->count ? swap->changes[swap->count - 1].done_ns - swap->changes[0].done_ns : 0;
	for (struct change *c = swap->changes; c < swap->changes + swap->count; c++) {
		json_array_append_new(
			links, json_pack("{s:s, s:s, s:i, s:i, s:f}", "interface", c->link->interface, "role",
					 c->link->role, "old_program", c->old_id, "new_program", c->new_id,
					 "update_us", (double)(c->done_ns - c->begun_ns) / 1e3));
		close(c->old_fd);
		close(c->new_fd);
	}
	xdp_unpark(&swap->park);
	return json_pack("{s:i, s:i, s:o, s:f}", "from", swap->holder->journal.from, "to", swap->to, "links",
			 links, "skew_us", (double)skew_ns / 1e3);
}

int swap_commit(struct holder *holder, const struct swap_order *order, json_t **result,
		struct problem *problem)
{
	char path[PIN_TEXT];
	unsigned to = order->to;
	struct swap swap = {.holder = holder, .order = order, .to = to, .problem = problem};
	problem_context(problem, "commit generation %u", to);
	if (!generation_exists(holder, to))
		return refuse(problem, RPC_NOT_FOUND, NULL, "there is no such generation: stage it first");
	if (to == holder->current && order->kind != SWAP_BACK)
		return refuse(problem, RPC_CONFLICT, NULL, "it is the current one");
	if (bridge_is_moving(holder) && order->kind != SWAP_BACK)
		return refuse(problem, RPC_CONFLICT, NULL,
			      "generation %u is a bridge that has not moved everything yet: swap.status says "
			      "how far it is",
			      running_generation(holder));
	int error = plan_maps(&swap);
	/* What was current before may always come back. */
	if (!error && order->kind != SWAP_BACK && !generation_is_kept(holder, to))
		error = vacant_check(pin_path(holder, path, "gen"), holder->current, to, problem);
	for_each_link(link, holder) error = error ? error : plan_link(&swap, link);
	if (!error)
		error = run(&swap);
	*result = finish(&swap);
	if (!error && order->kind == SWAP_COMMIT)
		holder_event(holder, json_pack("{s:s, s:i, s:i}", "type", "swap", "from",
					       holder->journal.from, "to", to));
	return error;
}
