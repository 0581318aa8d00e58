/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The private bpffs at DIR/bpf and the generations pinned in it.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"

const char *pin_path(const struct holder *holder, char path[static PIN_TEXT], const char *format, ...)
{
	int length = snprintf(path, PIN_TEXT, "%s/bpf/", holder->dir);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(path + length, PIN_TEXT - (size_t)length, format, arguments);
	va_end(arguments);
	return path;
}

void pins_glob(const struct holder *holder, glob_t *found, const char *format, ...)
{
	char pattern[PIN_TEXT];
	int length = snprintf(pattern, PIN_TEXT, "%s/bpf/", holder->dir);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(pattern + length, PIN_TEXT - (size_t)length, format, arguments);
	va_end(arguments);
	if (glob(pattern, 0, NULL, found))
		found->gl_pathc = 0;
}

const char *pin_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

int pins_open(struct holder *holder)
{
	static const char *const folders[] = {"", "/control", "/bpf", "/bpf/gen", "/bpf/map", "/bpf/if"};
	char path[PIN_TEXT];
	int error = 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && !error; i++) {
		snprintf(path, sizeof(path), "%s%s", holder->dir, folders[i]);
		if (mkdir(path, i ? 0700 : 0755) && errno != EEXIST)
			return -errno;
		if (i == 0) {
			snprintf(path, sizeof(path), "%s/lock", holder->dir);
			holder->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
			if (holder->lock_fd < 0 || flock(holder->lock_fd, LOCK_EX | LOCK_NB))
				return -errno;
		} else if (i == 1) {
			error = chown(path, 0, holder->group) || chmod(path, 02770) ? -errno : 0;
		} else if (i == 2) {
			error = bpffs_mount(path);
		}
	}
	return error;
}

unsigned pins_linked_generation(const struct holder *holder, const char *link)
{
	char path[PIN_TEXT], target[32] = "";
	unsigned number = 0;
	if (readlink(pin_path(holder, path, "%s", link), target, sizeof(target) - 1) < 0 ||
	    sscanf(target, "gen/%u", &number) != 1)
		return 0;
	return number;
}

int pins_link_generation(const struct holder *holder, const char *link, const struct generation *generation)
{
	char path[PIN_TEXT], target[32];
	pin_path(holder, path, "%s", link);
	if (!generation)
		return unlink(path) && errno != ENOENT ? -errno : 0;
	snprintf(target, sizeof(target), "gen/%u", generation->number);
	return bpffs_link(path, target);
}

static struct generation *place_of(struct holder *holder, unsigned number)
{
	for (struct generation *g = holder->generations; g < holder->generations + GENERATIONS_MAX; g++) {
		if (g->number == number)
			return g;
	}
	return NULL;
}

struct generation *generation_find(struct holder *holder, unsigned number)
{
	return number ? place_of(holder, number) : NULL;
}

const struct program *generation_program(const struct generation *generation, const char *name)
{
	for (unsigned i = 0; generation && i < generation->program_count; i++) {
		if (!strcmp(generation->programs[i].name, name))
			return &generation->programs[i];
	}
	return NULL;
}

const struct program *generation_role(const struct generation *generation, const char *role)
{
	char name[NAME_TEXT + 8];
	snprintf(name, sizeof(name), "bng_%s", role);
	return generation_program(generation, name);
}

static int load_program(struct program *program, const char *path)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	int fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &size)) {
		int error = -errno;
		close(fd);
		return error;
	}
	*program = (struct program){.fd = fd, .id = info.id, .xdp = info.type == BPF_PROG_TYPE_XDP};
	snprintf(program->name, sizeof(program->name), "%s", pin_name(path));
	for (size_t i = 0; i < sizeof(info.tag); i++)
		snprintf(program->tag + i * 2, 3, "%02x", info.tag[i]);
	return 0;
}

int generation_load(struct holder *holder, unsigned number)
{
	struct generation *generation = place_of(holder, 0);
	char path[PIN_TEXT];
	glob_t found;
	int error = 0;
	if (!generation)
		return -ENOSPC;
	pins_glob(holder, &found, "gen/%u/program/*", number);
	for (size_t i = 0; i < found.gl_pathc && i < PROGRAMS_MAX && !error; i++) {
		error = load_program(&generation->programs[i], found.gl_pathv[i]);
		generation->program_count += !error;
	}
	globfree(&found);
	generation->number = number;
	if (error) {
		generation_drop(holder, number);
		return error;
	}
	if (readlink(pin_path(holder, path, "gen/%u/name", number), generation->name, NAME_TEXT - 1) < 0)
		generation->name[0] = '\0';
	if (number > holder->journal.last_generation)
		holder->journal.last_generation = number;
	return 0;
}

int generation_drop(struct holder *holder, unsigned number)
{
	char path[PIN_TEXT];
	struct generation *generation = generation_find(holder, number);
	for (unsigned i = 0; generation && i < generation->program_count; i++)
		close(generation->programs[i].fd);
	if (generation)
		*generation = (struct generation){0};
	return bpffs_remove(pin_path(holder, path, "gen/%u", number));
}
