/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the holder holds, asked from the kernel at the time of asking.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/clock.h"

static json_int_t number_of(const struct generation *generation)
{
	return generation ? generation->number : 0;
}

json_t *status_programs(const struct generation *generation)
{
	json_t *list = json_array();
	for (unsigned i = 0; i < generation->program_count; i++) {
		const struct program *p = &generation->programs[i];
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:i, s:s}", "name", p->name, "type",
						p->xdp ? "xdp" : "syscall", "id", p->id, "tag", p->tag));
	}
	return list;
}

static json_t *generations(struct holder *holder)
{
	json_t *list = json_array();
	for (struct generation *g = holder->generations; g < holder->generations + GENERATIONS_MAX; g++) {
		const char *state = g == holder->current    ? "current"
				    : g == holder->previous ? "previous"
							    : "staged";
		if (g->number)
			json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:o}", "generation", g->number,
							      "name", g->name, "state", state, "programs",
							      status_programs(g)));
	}
	return list;
}

/* The generation that a link really runs, 0 for a program that is none of ours. */
static json_int_t running(struct holder *holder, const struct link *link)
{
	for (struct generation *g = holder->generations; g < holder->generations + GENERATIONS_MAX; g++) {
		const struct program *program = generation_role(g, link->role);
		if (program && program->id == link->program_id)
			return g->number;
	}
	return 0;
}

static json_t *links(struct holder *holder)
{
	json_t *list = json_array();
	for (struct link *link = holder->links; link < holder->links + LINKS_MAX; link++) {
		if (!link->interface[0])
			continue;
		link_refresh(link);
		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s, s:s, s:i, s:I, s:s}", "interface",
						link->interface, "ifindex", link->ifindex, "role", link->role,
						"mode", link->generic ? "generic" : "native", "program_id",
						link->program_id, "generation", running(holder, link),
						"state", link->ifindex ? "attached" : "detached"));
	}
	return list;
}

static json_t *maps(const struct holder *holder)
{
	json_t *list = json_array();
	glob_t found;
	pins_glob(holder, &found, "map/*");
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct bpf_map_info info = {0};
		__u32 size = sizeof(info);
		int fd = bpf_obj_get(found.gl_pathv[i]);
		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size))
			json_array_append_new(list,
					      json_pack("{s:s, s:s*, s:i, s:i, s:i, s:i}", "name",
							pin_name(found.gl_pathv[i]), "type",
							libbpf_bpf_map_type_str(info.type), "key_size",
							info.key_size, "value_size", info.value_size,
							"max_entries", info.max_entries, "id", info.id));
		if (fd >= 0)
			close(fd);
	}
	globfree(&found);
	return list;
}

json_t *status_sockets(const struct holder *holder)
{
	json_t *list = json_array();
	for (int i = 0; i < FDSTORE_MAX; i++) {
		if (holder->store.places[i].name[0])
			json_array_append_new(list, json_string(holder->store.places[i].name));
	}
	return list;
}

json_t *status_swap(const struct holder *holder)
{
	return json_pack("{s:I, s:I, s:{s:s, s:i, s:i}}", "current", number_of(holder->current), "previous",
			 number_of(holder->previous), "journal", "step",
			 holder->journal.committing ? "commit" : "idle", "from", holder->journal.from, "to",
			 holder->journal.to);
}

json_t *status_report(struct holder *holder)
{
	char started[CLOCK_TEXT];
	json_t *controller =
		json_pack("{s:s, s:I, s:i, s:b, s:b}", "version", holder->controller.version, "epoch",
			  holder->controller.epoch, "pid", holder->controller.pid, "ready",
			  holder->controller.ready, "connected", holder->controller.peer != NULL);
	json_t *sweep =
		json_pack("{s:I, s:I, s:I}", "runs", (json_int_t)holder->sweep.runs, "errors",
			  (json_int_t)holder->sweep.errors, "last_us", (json_int_t)holder->sweep.last_us);
	return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
			 BNG_VERSION, "pid", getpid(), "started", clock_format(holder->started_ns, started),
			 "uptime_ns", (json_int_t)(clock_boottime_ns() - holder->started_ns), "generation",
			 number_of(holder->current), "previous", number_of(holder->previous), "generations",
			 generations(holder), "links", links(holder), "maps", maps(holder), "sockets",
			 status_sockets(holder), "controller", controller, "sweep", sweep);
}
