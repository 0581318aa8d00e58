/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * What the holder holds, asked from the kernel at the time of asking.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/clock.h"
#include "lib/keeper.h"

/* A list with one row for each pin that matches; a row that is NULL is left out. */
static json_t *rows_of(const char *pattern, json_t *(*row)(const char *path, const struct holder *holder),
		       const struct holder *holder)
{
	json_t *list = json_array();
	glob_t found;
	bpffs_list(pattern, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		json_array_append_new(list, row(found.gl_pathv[i], holder));
	globfree(&found);
	return list;
}

static json_t *program_row(const char *path, const struct holder *holder)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	char tag[2 * sizeof(info.tag) + 1] = "";
	int fd = bpf_obj_get(path);
	(void)holder;
	if (fd < 0)
		return NULL;
	bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	for (size_t i = 0; i < sizeof(info.tag); i++)
		snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
	return json_pack("{s:s, s:s, s:i, s:s}", "name", bpffs_name(path), "type",
			 info.type == BPF_PROG_TYPE_XDP ? "xdp" : "syscall", "id", info.id, "tag", tag);
}

json_t *status_programs(const struct holder *holder, unsigned generation)
{
	char pattern[PIN_TEXT];
	return rows_of(pin_path(holder, pattern, "gen/%u/program/*", generation), program_row, holder);
}

static json_t *generation_row(const char *path, const struct holder *holder)
{
	unsigned number = (unsigned)atoi(bpffs_name(path));
	char link[PIN_TEXT], name[NAME_TEXT] = "";
	const char *state = number == holder->current    ? "current"
			    : number == holder->previous ? "previous"
							 : "staged";
	if (readlink(pin_path(holder, link, "gen/%u/name", number), name, sizeof(name) - 1) < 0)
		name[0] = '\0';
	return json_pack("{s:i, s:s, s:s, s:o}", "generation", number, "name", name, "state", state,
			 "programs", status_programs(holder, number));
}

static json_t *map_row(const char *path, const struct holder *holder)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int fd = bpf_obj_get(path);
	(void)holder;
	if (fd < 0)
		return NULL;
	bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	return json_pack("{s:s, s:s*, s:i, s:i, s:i, s:i}", "name", bpffs_name(path), "type",
			 libbpf_bpf_map_type_str(info.type), "key_size", info.key_size, "value_size",
			 info.value_size, "max_entries", info.max_entries, "id", info.id);
}

/* The generation that a link really runs, 0 for a program that is of none. */
static unsigned running(const struct holder *holder, const struct link *link)
{
	unsigned generation = holder->journal.last_generation;
	for (; generation; generation--) {
		__u32 id = 0;
		int fd = generation_exists(holder, generation)
				 ? role_open(holder, generation, link->role, &id)
				 : -1;
		if (fd >= 0)
			close(fd);
		if (id == link->program_id)
			break;
	}
	return generation;
}

static json_t *links(struct holder *holder)
{
	json_t *list = json_array();
	for (struct link *link = holder->links; link < holder->links + LINKS_MAX; link++) {
		if (!link->interface[0])
			continue;
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
	char started[CLOCK_TEXT], generations[PIN_TEXT], maps[PIN_TEXT];
	json_t *controller =
		json_pack("{s:s, s:I, s:i, s:b, s:b}", "version", holder->controller.version, "epoch",
			  holder->controller.epoch, "pid", holder->controller.pid, "ready",
			  holder->controller.ready, "connected", holder->controller.peer != NULL);
	json_t *sweep =
		json_pack("{s:I, s:I, s:I}", "runs", (json_int_t)holder->sweep.runs, "errors",
			  (json_int_t)holder->sweep.errors, "last_us", (json_int_t)holder->sweep.last_us);
	pin_path(holder, generations, "gen/[0-9]*");
	pin_path(holder, maps, "map/*");
	return json_pack("{s:s, s:i, s:s, s:I, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
			 BNG_VERSION, "pid", getpid(), "started", clock_format(holder->started_ns, started),
			 "uptime_ns", (json_int_t)(clock_boottime_ns() - holder->started_ns), "generation",
			 holder->current, "previous", holder->previous, "generations",
			 rows_of(generations, generation_row, holder), "links", links(holder), "maps",
			 rows_of(maps, map_row, holder), "sockets", keeper_names(&holder->store),
			 "controller", controller, "sweep", sweep);
}
