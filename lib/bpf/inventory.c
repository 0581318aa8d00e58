/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Ids from the kernel, pins from the mounted bpffs, open descriptors from /proc. Objects
 * come and go meanwhile: what cannot be opened any more is left out.
 */
#include "lib/bpf/inventory.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/bpf/bpffs.h"
#include "lib/bpf/describe.h"

#define WALK_FDS 16

static const struct {
	int (*next)(__u32 id, __u32 *next);
	int (*open)(__u32 id);
	const char *member; /* of /proc/PID/fdinfo/N */
} kinds[] = {
	[INVENTORY_LINK] = {bpf_link_get_next_id, bpf_link_get_fd_by_id, "link_id:"},
	[INVENTORY_PROGRAM] = {bpf_prog_get_next_id, bpf_prog_get_fd_by_id, "prog_id:"},
	[INVENTORY_MAP] = {bpf_map_get_next_id, bpf_map_get_fd_by_id, "map_id:"},
};

static struct inventory_object *find(const struct inventory *inventory, enum inventory_kind kind, __u32 id)
{
	for (size_t i = 0; i < inventory->count; i++) {
		struct inventory_object *object = &inventory->objects[i];
		if (object->kind == kind && object->id == id)
			return object;
	}
	return NULL;
}

const struct inventory_object *inventory_find(const struct inventory *inventory, enum inventory_kind kind,
					      __u32 id)
{
	return find(inventory, kind, id);
}

static int add(struct inventory *inventory, const struct inventory_object *object)
{
	if (inventory->count == inventory->room) {
		size_t room = inventory->room ? 2 * inventory->room : 128;
		void *objects = realloc(inventory->objects, room * sizeof(*object));
		if (!objects)
			return -ENOMEM;
		inventory->objects = objects;
		inventory->room = room;
	}
	inventory->objects[inventory->count++] = *object;
	return 0;
}

union info {
	struct bpf_prog_info program;
	struct bpf_map_info map;
	struct bpf_link_info link;
};

static int ask(int fd, union info *info)
{
	__u32 size = sizeof(*info);
	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size) ? -errno : 0;
}

static int add_id(struct inventory *inventory, enum inventory_kind kind, __u32 id)
{
	union info info;
	struct inventory_object object = {.kind = kind, .id = id};
	int fd = kinds[kind].open(id), error = fd < 0 ? fd : ask(fd, &info);
	if (fd >= 0)
		close(fd);
	if (error)
		return 0;
	if (kind == INVENTORY_LINK) {
		object.is_xdp = info.link.type == BPF_LINK_TYPE_XDP;
		object.program_id = info.link.prog_id;
		object.ifindex = info.link.xdp.ifindex;
	} else if (kind == INVENTORY_PROGRAM) {
		object.is_xdp = info.program.type == BPF_PROG_TYPE_XDP;
		snprintf(object.name, sizeof(object.name), "%s", info.program.name);
	} else {
		snprintf(object.name, sizeof(object.name), "%s", info.map.name);
	}
	return kind == INVENTORY_LINK && !object.is_xdp ? 0 : add(inventory, &object);
}

/* A link's fdinfo names its program, too: the kinds are in the order in which they are believed. */
static struct inventory_object *of_fdinfo(const struct inventory *inventory, const char *path)
{
	char text[1024];
	FILE *file = fopen(path, "re");
	size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file)
		fclose(file);
	text[length] = '\0';
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
		const char *at = strstr(text, kinds[kind].member);
		if (at)
			return find(inventory, kind,
				    (__u32)strtoul(at + strlen(kinds[kind].member), NULL, 10));
	}
	return NULL;
}

const char *inventory_where(const struct inventory_object *object, char text[static INVENTORY_WHERE])
{
	if (object->pin[0])
		snprintf(text, INVENTORY_WHERE, "pinned at %s", object->pin);
	else if (object->pid)
		snprintf(text, INVENTORY_WHERE, "process %d (%s) has it open", object->pid, object->process);
	else
		snprintf(text, INVENTORY_WHERE, "who has it cannot be seen from here");
	return text;
}

int inventory_detach(__u32 link_id)
{
	int fd = bpf_link_get_fd_by_id(link_id);
	int error = fd < 0 ? fd : bpf_link_detach(fd);
	if (fd >= 0)
		close(fd);
	return error;
}

/* ---- Pins ---------------------------------------------------------------- */

static struct {
	struct inventory *inventory; /* NULL: they are only counted */
	const char *prefix;
	size_t count;
} walk;

static void note_pin(const char *path)
{
	char fdinfo[64];
	int fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", fd);
	struct inventory_object *object = of_fdinfo(walk.inventory, fdinfo);
	if (object && (!object->pin[0] || !strncmp(path, walk.prefix, strlen(walk.prefix))))
		snprintf(object->pin, sizeof(object->pin), "%s", path);
	close(fd);
}

static int on_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	/* The kernel's own, maps.debug and progs.debug: no name of a pin has a dot. */
	if (type != FTW_F || strchr(path + ftw->base, '.'))
		return 0;
	walk.count++;
	if (walk.inventory)
		note_pin(path);
	return 0;
}

size_t pins_below(const char *folder)
{
	walk.inventory = NULL;
	walk.count = 0;
	nftw(folder, on_file, WALK_FDS, FTW_PHYS | FTW_MOUNT);
	return walk.count;
}

/* Calls `each` with the path of every mount, and whether it is a bpffs. */
static void mounts_walk(void (*each)(const char *path, bool is_bpffs, void *context), void *context)
{
	char *line = NULL, path[INVENTORY_PATH];
	size_t room = 0;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	while (file && getline(&line, &room, file) > 0) {
		/* 36 35 98:0 /root PATH options [...] - type source options */
		if (sscanf(line, "%*s %*s %*s %*s %255s", path) == 1)
			each(path, strstr(line, " - bpf ") != NULL, context);
	}
	if (file)
		fclose(file);
	free(line);
}

static void count_at(const char *path, bool is_bpffs, void *context)
{
	(void)is_bpffs;
	const char *wanted = *(const char **)context;
	walk.count += !strcmp(path, wanted);
}

size_t mounts_at(const char *path)
{
	walk.count = 0;
	mounts_walk(count_at, &path);
	return walk.count;
}

static void note_pins_of(const char *path, bool is_bpffs, void *context)
{
	(void)context;
	if (is_bpffs)
		nftw(path, on_file, WALK_FDS, FTW_PHYS | FTW_MOUNT);
}

/* ---- Who has it open ------------------------------------------------------ */

static void note_process(const struct inventory *inventory, pid_t pid)
{
	char path[300], name[16] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	FILE *file = fopen(path, "re");
	if (file) {
		size_t length = fread(name, 1, sizeof(name) - 1, file);
		name[length ? length - 1 : 0] = '\0';
		fclose(file);
	}
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		char target[64] = "";
		snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", pid, entry->d_name);
		if (readlink(path, target, sizeof(target) - 1) < 0 || !strstr(target, "bpf"))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", pid, entry->d_name);
		struct inventory_object *object = entry->d_name[0] == '.' ? NULL : of_fdinfo(inventory, path);
		if (!object || object->pid)
			continue;
		object->pid = pid;
		memcpy(object->process, name, sizeof(name));
	}
	if (folder)
		closedir(folder);
}

static bool same_mounts(pid_t pid)
{
	char path[64], own[64] = "", other[64] = "";
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	return readlink("/proc/self/ns/mnt", own, sizeof(own) - 1) > 0 &&
	       readlink(path, other, sizeof(other) - 1) > 0 && !strcmp(own, other);
}

/* Who lives in other mounts may have pins that we do not see. */
static void note_processes(const struct inventory *inventory)
{
	DIR *folder = opendir("/proc");
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		pid_t pid = atoi(entry->d_name);
		if (pid > 0 && pid != getpid() && same_mounts(pid))
			note_process(inventory, pid);
	}
	if (folder)
		closedir(folder);
}

int inventory_read(struct inventory *inventory, const char *prefix)
{
	int error = 0;
	*inventory = (struct inventory){0};
	for (size_t kind = 0; kind < sizeof(kinds) / sizeof(*kinds) && !error; kind++) {
		for (__u32 id = 0; !error && !kinds[kind].next(id, &id);)
			error = add_id(inventory, kind, id);
	}
	if (error) {
		inventory_free(inventory);
		return error;
	}
	walk.inventory = inventory;
	walk.prefix = prefix;
	mounts_walk(note_pins_of, NULL);
	note_processes(inventory);
	return 0;
}

void inventory_free(struct inventory *inventory)
{
	free(inventory->objects);
	*inventory = (struct inventory){0};
}

bool inventory_map_is_at(__u32 id, const char *pattern)
{
	glob_t found;
	bool is_there = false;
	bpffs_list(pattern, &found);
	for (size_t i = 0; i < found.gl_pathc && !is_there; i++)
		is_there = describe_map_id(found.gl_pathv[i]) == id;
	globfree(&found);
	return is_there;
}
