/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
 *
 * Shadows: a generation's object loaded once more, with maps of its own that are as
 * large as the live ones and empty. Whoever asked gets its descriptors; nothing is
 * pinned or remembered, so that it is gone with the last of them. What it is loaded
 * from are the bytes of each generation, kept in DIR/objects/N for as long as gen/N.
 */
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "holder/holder.h"
#include "lib/bpf/shadow.h"
#include "lib/file.h"
#include "lib/log.h"
#include "lib/rpc_call.h"

#define OBJECT_TEXT (DIR_TEXT + 32)

static const char *object_path(const struct holder *holder, char path[static OBJECT_TEXT],
			       unsigned generation)
{
	snprintf(path, OBJECT_TEXT, "%s/objects/%u", holder->dir, generation);
	return path;
}

int object_keep(const struct holder *holder, unsigned generation, const char *bytes, size_t size)
{
	char path[OBJECT_TEXT];
	step("stage_keep");
	int fd = open(object_path(holder, path, generation), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int error = fd < 0 ? -errno : file_write(fd, bytes, size);
	if (fd >= 0)
		close(fd);
	if (error)
		unlink(path);
	return error;
}

void object_forget(const struct holder *holder, unsigned generation)
{
	char path[OBJECT_TEXT];
	if (unlink(object_path(holder, path, generation)) && errno != ENOENT)
		log_warning("%s: %s", path, strerror(errno));
}

void objects_adopt(const struct holder *holder)
{
	char path[OBJECT_TEXT];
	snprintf(path, sizeof(path), "%s/objects", holder->dir);
	DIR *folder = opendir(path);
	for (const struct dirent *entry; folder && (entry = readdir(folder));) {
		unsigned generation = (unsigned)strtoul(entry->d_name, NULL, 10);
		if (generation && !generation_exists(holder, generation))
			object_forget(holder, generation);
	}
	if (folder)
		closedir(folder);
}

int object_shadow(struct rpc_call *call, void *context)
{
	const struct holder *holder = context;
	unsigned generation = (unsigned)call->argument[0].number;
	char path[OBJECT_TEXT], maps[PIN_TEXT], *bytes = NULL;
	size_t size = 0;
	problem_context(&call->problem, "shadow of generation %u", generation);
	if (!generation_exists(holder, generation))
		return refuse(&call->problem, RPC_NOT_FOUND, NULL, "there is no such generation");
	if (bridge_is(holder, generation))
		return refuse(
			&call->problem, RPC_CONFLICT, NULL,
			"it is a bridge, which lives from maps that run: verify the object that follows it");
	int fd = open(object_path(holder, path, generation), O_RDONLY | O_CLOEXEC);
	int error = fd < 0 ? -errno : file_read(fd, OBJECT_BYTES_MAX, &bytes, &size);
	if (fd >= 0)
		close(fd);
	if (error == -ENOENT)
		return refuse(&call->problem, RPC_NOT_FOUND, NULL,
			      "its object was not kept: an earlier bpfholder loaded it");
	if (error)
		return refuse_errno(&call->problem, error, "reading %s", path);
	struct bpf_object *object = shadow_load(bytes, size, pin_path(holder, maps, "map"),
						call->argument[1].value, &call->problem);
	error = object ? shadow_send(call, object, call->argument[1].value, call->argument[2].flag) : -EINVAL;
	bpf_object__close(object);
	free(bytes);
	return error;
}
