/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the holder holds, asked from the kernel at the time of asking.
 */
#include <stdlib.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/bpf/describe.h"
#include "lib/clock.h"
#include "lib/keeper.h"

json_t *status_programs(const struct holder *holder, unsigned generation)
{
	char pattern[PIN_TEXT];
	return describe_programs(pin_path(holder, pattern, "gen/%u/program/*", generation));
}

static json_t *generations(const struct holder *holder)
{
	json_t *list = json_array();
	char path[PIN_TEXT];
	glob_t found;
	bpffs_list(pin_path(holder, path, "gen/[0-9]*"), &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		unsigned number = (unsigned)atoi(bpffs_name(found.gl_pathv[i]));
		const char *state = number == holder->current            ? "current"
				    : number == holder->previous         ? "previous"
				    : number == holder->journal.canary   ? "canary"
				    : generation_is_kept(holder, number) ? "kept"
									 : "staged";
		char name[NAME_TEXT] = "";
		if (readlink(pin_path(holder, path, "gen/%u/name", number), name, sizeof(name) - 1) < 0)
			name[0] = '\0';
		json_array_append_new(list,
				      json_pack("{s:i, s:s, s:s, s:b, s:o}", "generation", number, "name",
						name, "state", state, "bridge", bridge_is(holder, number),
						"programs", status_programs(holder, number)));
	}
	globfree(&found);
	return list;
}

/* The generation that a link really runs, 0 for a program that is of none. */
static unsigned running(const struct holder *holder, const struct link *link)
{
	if (running_id(holder, link->role) == link->program_id)
		return running_generation(holder);
	if (role_id(holder, holder->current, link->role) == link->program_id)
		return holder->current;
	return role_id(holder, holder->previous, link->role) == link->program_id ? holder->previous : 0;
}

static json_t *links(struct holder *holder)
{
	json_t *list = json_array();
	for_each_link(link, holder)
	{
		link_refresh(link);
		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s, s:s, s:i, s:i, s:s}", "interface",
						link->interface, "ifindex", link->ifindex, "role", link->role,
						"mode", link->generic ? "generic" : "native", "program_id",
						link->program_id, "generation", running(holder, link),
						"state", link->ifindex ? "attached" : "detached"));
	}
	return list;
}

json_t *status_report(struct holder *holder)
{
	char started[CLOCK_TEXT], maps[PIN_TEXT];
	json_t *sweep =
		json_pack("{s:I, s:I, s:I}", "runs", (json_int_t)holder->sweep.runs, "errors",
			  (json_int_t)holder->sweep.errors, "last_us", (json_int_t)holder->sweep.last_us);
	return json_pack(
		"{s:s, s:i, s:s, s:I, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i}",
		"version", BNG_VERSION, "pid", getpid(), "started", clock_format(holder->started_ns, started),
		"uptime_ns", (json_int_t)(clock_boottime_ns() - holder->started_ns), "generation",
		holder->current, "previous", holder->previous, "generations", generations(holder), "links",
		links(holder), "maps", describe_maps(pin_path(holder, maps, "map/*")), "sockets",
		keeper_names(&holder->store), "controller", controller_status(holder), "sweep", sweep,
		"trial", trial_status(holder), "canary", canary_status(holder), "migration",
		bridge_status(holder), "signing", sign_status(holder), "execs", holder->execs);
}
