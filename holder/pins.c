/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * The state directory: lock, private bpffs, generations as they are pinned.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/bpffs.h"
#include "lib/bpf/describe.h"

static int lock(struct holder *holder)
{
	char path[DIR_TEXT + 8];
	if (holder->lock_fd)
		return 0; /* handed over */
	snprintf(path, sizeof(path), "%s/lock", holder->dir);
	holder->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return holder->lock_fd < 0 || flock(holder->lock_fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

int pins_open(struct holder *holder)
{
	static const char *const folders[] = {"",         "/control", "/bpf",       "/bpf/gen",
					      "/bpf/map", "/bpf/if",  "/bpf/group", "/objects"};
	char path[PIN_TEXT];
	int error = 0;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders) && !error; i++) {
		snprintf(path, sizeof(path), "%s%s", holder->dir, folders[i]);
		if (mkdir(path, i ? 0700 : 0755) && errno != EEXIST)
			error = -errno;
		else if (i == 0)
			error = lock(holder);
		else if (i == 1)
			error = chown(path, 0, holder->group) || chmod(path, 02770) ? -errno : 0;
		else if (i == 2)
			error = bpffs_mount(path);
	}
	return error;
}

const char *pin_path(const struct holder *holder, char path[static PIN_TEXT], const char *format, ...)
{
	int length = snprintf(path, PIN_TEXT, "%s/bpf/", holder->dir);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(path + length, PIN_TEXT - (size_t)length, format, arguments);
	va_end(arguments);
	return path;
}

int pin_generation(const struct holder *holder, const char *link, unsigned generation)
{
	char path[PIN_TEXT], target[32];
	pin_path(holder, path, "%s", link);
	snprintf(target, sizeof(target), "gen/%u", generation);
	if (generation)
		return bpffs_link(path, target);
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

unsigned pinned_generation(const struct holder *holder, const char *link)
{
	char path[PIN_TEXT], target[32] = "";
	unsigned generation = 0;
	if (readlink(pin_path(holder, path, "%s", link), target, sizeof(target) - 1) < 0 ||
	    sscanf(target, "gen/%u", &generation) != 1 || !generation_exists(holder, generation))
		return 0;
	return generation;
}

bool generation_exists(const struct holder *holder, unsigned generation)
{
	char path[PIN_TEXT];
	return generation && !access(pin_path(holder, path, "gen/%u", generation), F_OK);
}

int generation_leave(const struct holder *holder, unsigned generation, unsigned commit)
{
	char path[PIN_TEXT], text[16];
	snprintf(text, sizeof(text), "%u", commit);
	return generation ? bpffs_link(pin_path(holder, path, "gen/%u/left", generation), text) : 0;
}

static unsigned left(const struct holder *holder, unsigned generation)
{
	char path[PIN_TEXT], text[16] = "";
	if (generation == holder->current ||
	    readlink(pin_path(holder, path, "gen/%u/left", generation), text, sizeof(text) - 1) < 0)
		return 0;
	return (unsigned)strtoul(text, NULL, 10);
}

unsigned generation_left_before(const struct holder *holder, unsigned *commit)
{
	char path[PIN_TEXT];
	glob_t found;
	unsigned latest = 0, generation = 0;
	bpffs_list(pin_path(holder, path, "gen/[0-9]*"), &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		unsigned number = (unsigned)strtoul(bpffs_name(found.gl_pathv[i]), NULL, 10);
		unsigned at = left(holder, number);
		if (at > latest && at < *commit) {
			latest = at;
			generation = number;
		}
	}
	globfree(&found);
	*commit = latest;
	return generation;
}

unsigned generations_staged(const struct holder *holder)
{
	char path[PIN_TEXT];
	unsigned commit = UINT_MAX, kept = holder->current != 0;
	while (generation_left_before(holder, &commit))
		kept++;
	return (unsigned)bpffs_count(pin_path(holder, path, "gen/[0-9]*")) - kept;
}

bool generation_is_kept(const struct holder *holder, unsigned generation)
{
	return generation_exists(holder, generation) && left(holder, generation);
}

int generation_drop(const struct holder *holder, unsigned generation)
{
	char path[PIN_TEXT];
	int error = bpffs_remove(pin_path(holder, path, "gen/%u", generation));
	object_forget(holder, generation);
	return error;
}

int role_open(const struct holder *holder, unsigned generation, const char *role)
{
	char path[PIN_TEXT];
	return bpf_obj_get(pin_path(holder, path, "gen/%u/program/bng_%s", generation, role));
}

__u32 role_id(const struct holder *holder, unsigned generation, const char *role)
{
	char path[PIN_TEXT];
	return describe_program_id(pin_path(holder, path, "gen/%u/program/bng_%s", generation, role));
}

unsigned running_generation(const struct holder *holder)
{
	return holder->journal.canary    ? holder->journal.canary
	       : holder->bridge.entering ? holder->bridge.entering
					 : holder->current;
}

static const char *running_role(const struct holder *holder, const char *role, char name[static NAME_TEXT])
{
	snprintf(name, NAME_TEXT, "%s%.50s", holder->journal.canary ? "canary_" : "", role);
	return name;
}

int running_open(const struct holder *holder, const char *role)
{
	char name[NAME_TEXT];
	return role_open(holder, running_generation(holder), running_role(holder, role, name));
}

__u32 running_id(const struct holder *holder, const char *role)
{
	char name[NAME_TEXT];
	return role_id(holder, running_generation(holder), running_role(holder, role, name));
}
