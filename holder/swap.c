/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The swap: every link from one generation to another, or none. An update takes
 * 11 ms because the kernel rebuilds its XDP dispatcher; while both programs are
 * attached somewhere else as well (parked), it takes microseconds, and so does
 * the time in which two links run different generations.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/xdp.h"
#include "lib/log.h"
#include "lib/rpc.h"

struct change {
	struct link *link;
	const struct program *old, *new;
	double begun_us, done_us;
};

struct swap {
	struct holder *holder;
	struct generation *to;
	struct problem *problem;
	size_t count;
	struct change changes[LINKS_MAX];
	struct xdp_park park;
};

static double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static __u32 map_id(const char *path)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		info.id = 0;
	close(fd);
	return info.id;
}

/* A generation staged before a durable map was committed has one of its own. */
static int plan_maps(struct swap *swap)
{
	glob_t found;
	char path[PIN_TEXT];
	int error = 0;
	json_array_clear(swap->holder->journal.new_maps);
	pins_glob(swap->holder, &found, "gen/%u/durable/*", swap->to->number);
	for (size_t i = 0; i < found.gl_pathc && !error; i++) {
		const char *name = pin_name(found.gl_pathv[i]);
		__u32 pinned = map_id(pin_path(swap->holder, path, "map/%s", name));
		if (!pinned)
			json_array_append_new(swap->holder->journal.new_maps, json_string(name));
		else if (pinned != map_id(found.gl_pathv[i]))
			error = refuse(swap->problem, RPC_CONFLICT, NULL,
				       "it was staged before map %s was committed and has one of its own: "
				       "stage it again",
				       name);
	}
	globfree(&found);
	return error;
}

static int plan_link(struct swap *swap, struct link *link)
{
	const struct program *old = generation_role(swap->holder->current, link->role);
	const struct program *new = generation_role(swap->to, link->role);
	link_refresh(link);
	if (!new)
		return refuse(swap->problem, RPC_CONFLICT, NULL, "it has no program bng_%s, which %s needs",
			      link->role, link->interface);
	if (!old || old->id != link->program_id)
		return refuse(
			swap->problem, RPC_CONFLICT,
			json_pack("{s:s, s:i}", "interface", link->interface, "program_id", link->program_id),
			"%s runs program %u, which is not of the current generation: link.attach brings it "
			"back",
			link->interface, link->program_id);
	swap->changes[swap->count++] = (struct change){.link = link, .old = old, .new = new};
	return 0;
}

static int update_links(struct swap *swap)
{
	for (struct change *c = swap->changes; c < swap->changes + swap->count; c++) {
		step(c == swap->changes ? STEP_commit_update : STEP_commit_update_next);
		LIBBPF_OPTS(bpf_link_update_opts, options, .flags = BPF_F_REPLACE,
			    .old_prog_fd = (__u32)c->old->fd);
		c->begun_us = now_us();
		if (bpf_link_update(c->link->fd, c->new->fd, &options))
			return refuse_errno(swap->problem, errno,
					    "updating %s failed (detached behind our back? attach it again); "
					    "all interfaces are "
					    "back on the old program",
					    c->link->interface);
		c->done_us = now_us();
	}
	step(STEP_commit_readback);
	for (struct change *c = swap->changes; c < swap->changes + swap->count; c++) {
		link_refresh(c->link);
		if (c->link->program_id != c->new->id)
			return refuse(swap->problem, RPC_SYSTEM, NULL,
				      "%s runs program %u after the update to %u; all interfaces are back on "
				      "the old program",
				      c->link->interface, c->link->program_id, c->new->id);
	}
	return 0;
}

static int pin_new_maps(struct swap *swap)
{
	char from[PIN_TEXT], to[PIN_TEXT];
	size_t i;
	json_t *name;
	json_array_foreach(swap->holder->journal.new_maps, i, name)
	{
		pin_path(swap->holder, from, "gen/%u/durable/%s", swap->to->number, json_string_value(name));
		int fd = bpf_obj_get(from);
		if (fd < 0 || bpf_obj_pin(fd, pin_path(swap->holder, to, "map/%s", json_string_value(name))))
			return refuse_errno(swap->problem, errno, "pinning map %s", json_string_value(name));
		close(fd);
	}
	return 0;
}

static int commit_pins(struct swap *swap)
{
	struct holder *holder = swap->holder;
	step(STEP_commit_maps);
	int error = pin_new_maps(swap);
	step(STEP_commit_previous);
	if (!error && pins_link_generation(holder, "previous", holder->current))
		error = refuse_errno(swap->problem, errno, "pointing `previous`");
	step(STEP_commit_current);
	if (!error && pins_link_generation(holder, "current", swap->to))
		error = refuse_errno(swap->problem, errno, "pointing `current`");
	if (error)
		return error;
	holder->previous = holder->current;
	holder->current = swap->to;
	return 0;
}

/* Everything back to the current generation; what the journal calls new goes. */
void swap_undo(struct holder *holder)
{
	char path[PIN_TEXT];
	size_t i;
	json_t *name;
	step(STEP_undo_links);
	links_follow(holder, holder->current);
	json_array_foreach(holder->journal.new_maps, i, name)
		unlink(pin_path(holder, path, "map/%s", json_string_value(name)));
	pins_link_generation(holder, "previous", holder->previous);
	step(STEP_undo_done);
	journal_write(holder, false);
}

/* What follows the change of `current`: nothing here can undo the commit. */
void swap_finish(struct holder *holder)
{
	struct generation *retire =
		holder->journal.retire ? generation_find(holder, holder->journal.retire) : NULL;
	step(STEP_commit_retire);
	if (retire && retire != holder->current && retire != holder->previous)
		generation_drop(holder, retire->number);
	step(STEP_commit_done);
	if (journal_write(holder, false))
		log_error("the commit is done, but the journal could not be written");
}

static int run(struct swap *swap)
{
	struct holder *holder = swap->holder;
	step(STEP_commit_park);
	for (struct change *c = swap->changes; c < swap->changes + swap->count; c++) {
		if (xdp_park(&swap->park, c->new->id, c->new->fd) ||
		    xdp_park(&swap->park, c->old->id, c->old->fd))
			log_notice("cannot park bng_%s: the swap will be slower, not less safe",
				   c->link->role);
	}
	holder->journal.from = holder->current ? holder->current->number : 0;
	holder->journal.to = swap->to->number;
	holder->journal.retire = holder->previous ? holder->previous->number : 0;
	step(STEP_commit_intent);
	int error = journal_write(holder, true);
	if (error)
		return refuse_errno(swap->problem, error, "writing the journal");
	error = update_links(swap);
	if (!error)
		error = commit_pins(swap);
	if (error)
		swap_undo(holder);
	else
		swap_finish(holder);
	return error;
}

static json_t *report(const struct swap *swap)
{
	json_t *links = json_array();
	for (const struct change *c = swap->changes; c < swap->changes + swap->count; c++)
		json_array_append_new(links, json_pack("{s:s, s:s, s:i, s:i, s:f}", "interface",
						       c->link->interface, "role", c->link->role,
						       "old_program", c->old->id, "new_program", c->new->id,
						       "update_us", c->done_us - c->begun_us));
	double skew = swap->count ? swap->changes[swap->count - 1].done_us - swap->changes[0].done_us : 0;
	return json_pack("{s:i, s:i, s:o, s:f}", "from", swap->holder->journal.from, "to", swap->to->number,
			 "links", links, "skew_us", skew);
}

int swap_commit(struct holder *holder, struct generation *to, json_t **result, struct problem *problem)
{
	struct swap swap = {.holder = holder, .to = to, .problem = problem};
	problem_context(problem, "commit generation %u", to->number);
	if (to == holder->current)
		return refuse(problem, RPC_CONFLICT, NULL, "it is the current one");
	int error = plan_maps(&swap);
	for (struct link *link = holder->links; link < holder->links + LINKS_MAX && !error; link++) {
		if (link->interface[0])
			error = plan_link(&swap, link);
	}
	if (!error)
		error = run(&swap);
	*result = error ? NULL : report(&swap); /* while the old programs are still there to be named */
	xdp_unpark(&swap.park);
	return error;
}
